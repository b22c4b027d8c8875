#ifndef SP_SERVER_STATE_SQL_H
#define SP_SERVER_STATE_SQL_H

/* Statements over the database of state.h; inside state*.c only. A statement carries its first
 * failed bind inside: bind without looking, then step and ask. Everything happens between
 * sp_state_enter and sp_state_leave. */

#include "server/state.h"

struct sp_sql; /* a prepared statement */

/* The state's lock; not recursive. */
void sp_state_enter(struct sp_state *s);
void sp_state_leave(struct sp_state *s);
/* Inside the lock: a transaction that may write. End it with `rc`: SP_OK commits, all else rolls
 * back; gives what came of it. */
enum sp_code sp_state_begin(struct sp_state *s, struct sp_err *e);
enum sp_code sp_state_end(struct sp_state *s, enum sp_code rc, struct sp_err *e);

/* Inside the lock. */
enum sp_code
sp_sql_new(struct sp_state *s, const char *text, struct sp_sql **ret, struct sp_err *e);
void sp_sql_free(struct sp_sql *q); /* NULL is harmless */
/* Parameters from 1. Texts and blobs are copied. */
void sp_sql_bind_int(struct sp_sql *q, int at, int64_t v);
void sp_sql_bind_u64(struct sp_sql *q, int at, uint64_t v); /* at most INT64_MAX is kept */
void sp_sql_bind_text(struct sp_sql *q, int at, const char *v);
void sp_sql_bind_blob(struct sp_sql *q, int at, const void *p, size_t n); /* p NULL: null */
enum sp_code sp_sql_step(struct sp_sql *q, bool *ret_row, struct sp_err *e);
/* Runs to the end; *ret_changes (may be NULL): rows changed. Frees q. */
enum sp_code sp_sql_run(struct sp_sql *q, int *ret_changes, struct sp_err *e);
/* Columns from 0 of the row. Null is 0. */
int64_t sp_sql_int(struct sp_sql *q, int at);
uint64_t sp_sql_u64(struct sp_sql *q, int at);
void sp_sql_text(struct sp_sql *q, int at, char *to, size_t cap); /* cut to fit */
/* Zeros when it has another length. */
void sp_sql_blob(struct sp_sql *q, int at, void *to, size_t n);

#endif
