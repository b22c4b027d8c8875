/* The database of state.h: opening, the schema, and statements for the files beside this one. */

#include "server/state_sql.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define APPLICATION_ID 0x53504454 /* "SPDT": so that file(1) and we know it */
#define VERSION 1
#define BUSY_MS 5000
#define LOCK_MS 300 /* `status` holds the lock for a moment when it looks */

struct sp_state {
    sqlite3 *db;
    struct sp_mutex lock;
};

struct sp_state_lock {
    sqlite3 *db;
};

struct sp_sql {
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int failed; /* of a bind */
};

static const char schema[] =
    "CREATE TABLE hosts ("
    " id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, grp BLOB NOT NULL, identity BLOB NOT NULL,"
    " enrolled_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL DEFAULT 0,"
    " revoked_ns INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE certificates ("
    " fingerprint BLOB PRIMARY KEY, serial BLOB NOT NULL, host BLOB NOT NULL REFERENCES hosts (id),"
    " from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, issued_ns INTEGER NOT NULL,"
    " revoked_ns INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX certificates_host ON certificates (host);"
    "CREATE TABLE tokens ("
    " id BLOB PRIMARY KEY, secret_hash BLOB NOT NULL, name TEXT NOT NULL, host BLOB,"
    " created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
    " used_ns INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,"
    " void INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE invitations ("
    " slot BLOB PRIMARY KEY, grp BLOB NOT NULL, seen_ns INTEGER NOT NULL) STRICT;"
    "CREATE TABLE sessions ("
    " id INTEGER PRIMARY KEY, host BLOB NOT NULL, address TEXT NOT NULL, program TEXT NOT NULL,"
    " started_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL DEFAULT 0,"
    " bytes_in INTEGER NOT NULL DEFAULT 0, bytes_out INTEGER NOT NULL DEFAULT 0,"
    " outcome TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE TABLE runs ("
    " id INTEGER PRIMARY KEY, host BLOB NOT NULL, job TEXT NOT NULL, set_id BLOB NOT NULL UNIQUE,"
    " sequence INTEGER NOT NULL, complete INTEGER NOT NULL, started_ns INTEGER NOT NULL,"
    " published_ns INTEGER NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " bytes_new INTEGER NOT NULL) STRICT;"
    "CREATE INDEX runs_host ON runs (host, published_ns);"
    "CREATE TABLE events ("
    " id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, host BLOB, kind TEXT NOT NULL,"
    " text TEXT NOT NULL) STRICT;"
    "CREATE TABLE beat ("
    " id INTEGER PRIMARY KEY CHECK (id = 1), started_ns INTEGER NOT NULL, beat_ns INTEGER NOT NULL,"
    " address TEXT NOT NULL, port INTEGER NOT NULL, sessions INTEGER NOT NULL,"
    " free_bytes INTEGER NOT NULL, total_bytes INTEGER NOT NULL, trouble TEXT NOT NULL) STRICT;";

/* --- errors
 * ----------------------------------------------------------------------------------------- */

static enum sp_code
fail_sql(sqlite3 *db, int code, struct sp_err *e)
{
    const char *why = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code);

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return sp_fail_nomem(e);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return sp_fail(
            e, SP_BUSY, SP_DOM_SELF, "the server's state is in use by another process; try again");
    case SQLITE_FULL:
        return sp_fail(e, SP_FULL, SP_DOM_SELF, "no space for the server's state: %s", why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return sp_fail(e, SP_CORRUPT, SP_DOM_SELF, "the server's state is damaged: %s", why);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return sp_fail(e, SP_DENIED, SP_DOM_SELF, "the server's state cannot be written: %s", why);
    case SQLITE_CONSTRAINT:
        return sp_fail(e, SP_EXISTS, SP_DOM_SELF, "the server's state holds this already: %s", why);
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "the server's state: %s", why);
    default:
        return sp_fail(e, SP_IO, SP_DOM_SELF, "the server's state: %s", why);
    }
}

/* --- opening
 * ---------------------------------------------------------------------------------------- */

static enum sp_code
execute(sqlite3 *db, const char *text, struct sp_err *e)
{
    int code = sqlite3_exec(db, text, NULL, NULL, NULL);

    return code == SQLITE_OK ? SP_OK : fail_sql(db, code, e);
}

static enum sp_code
read_number(sqlite3 *db, const char *text, int64_t *ret, struct sp_err *e)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(db, text, -1, &q, NULL);
    enum sp_code rc = SP_OK;

    if (code == SQLITE_OK && (code = sqlite3_step(q)) == SQLITE_ROW)
        *ret = sqlite3_column_int64(q, 0);
    else
        rc = fail_sql(db, code, e);
    (void)sqlite3_finalize(q);
    return rc;
}

/* Two processes may do it at once: the second finds it done. */
static enum sp_code
make_schema(sqlite3 *db, struct sp_err *e)
{
    int64_t version = 0;
    enum sp_code rc;
    struct sp_err ignored = {0};

    if ((rc = execute(db, "BEGIN IMMEDIATE", e)) != SP_OK)
        return rc;
    rc = read_number(db, "PRAGMA user_version", &version, e);
    if (rc == SP_OK && version == 0) {
        char text[96];

        (void)sqlite3_snprintf((int)sizeof(text), text,
            "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, VERSION);
        if ((rc = execute(db, schema, e)) == SP_OK)
            rc = execute(db, text, e);
    }
    if (rc == SP_OK)
        return execute(db, "COMMIT", e);
    (void)execute(db, "ROLLBACK", &ignored);
    return rc;
}

static enum sp_code
check_version(sqlite3 *db, bool create, struct sp_err *e)
{
    int64_t version = 0, application = 0;
    enum sp_code rc = read_number(db, "PRAGMA user_version", &version, e);

    if (rc != SP_OK)
        return rc;
    if (version == 0 && create && (rc = make_schema(db, e)) != SP_OK)
        return rc;
    if ((rc = read_number(db, "PRAGMA application_id", &application, e)) != SP_OK ||
        (rc = read_number(db, "PRAGMA user_version", &version, e)) != SP_OK)
        return rc;
    if (application != APPLICATION_ID)
        return sp_fail(e, SP_CORRUPT, SP_DOM_SELF, "it is no server's state");
    if (version != VERSION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SELF,
            "the server's state has version %lld; this program knows version %d",
            (long long)version, VERSION);
    return SP_OK;
}

static enum sp_code
open_db(const char *path, int flags, int busy_ms, sqlite3 **ret, struct sp_err *e)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db,
        flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    enum sp_code rc = SP_OK;

    if (code == SQLITE_OK)
        code = sqlite3_extended_result_codes(db, 1);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(db, busy_ms);
    if (code != SQLITE_OK) {
        if ((code & 0xff) == SQLITE_CANTOPEN && (flags & SQLITE_OPEN_CREATE) == 0)
            rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
                "it cannot be opened; is this a server's folder (stillpointd init makes one)?");
        else
            rc = fail_sql(db, code, e);
        (void)sqlite3_close(db);
        return rc;
    }
    *ret = db;
    return SP_OK;
}

enum sp_code
sp_state_open(const char *path, bool create, struct sp_state **ret, struct sp_err *e)
{
    struct sp_state *s = calloc(1, sizeof(*s));
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&s->lock);
    if ((rc = open_db(path, create ? SQLITE_OPEN_CREATE : 0, BUSY_MS, &s->db, e)) != SP_OK ||
        (rc = execute(s->db,
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
             "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY",
             e)) != SP_OK ||
        (rc = check_version(s->db, create, e)) != SP_OK)
        goto out;
    *ret = s;
    s = NULL;
out:
    if (rc != SP_OK)
        sp_err_context(e, "%s", path);
    sp_state_close(s);
    return rc;
}

void
sp_state_close(struct sp_state *s)
{
    if (s == NULL)
        return;
    (void)sqlite3_close(s->db); /* nothing is buffered: what was committed is in the file */
    sp_mutex_destroy(&s->lock);
    free(s);
}

enum sp_code
sp_state_version(struct sp_state *s, int64_t *ret, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    rc = read_number(s->db, "PRAGMA data_version", ret, e);
    sp_state_leave(s);
    return rc;
}

/* An SQLite file of its own, never written: its locks are those of the platform and go with the
 * process, however it ends. */
enum sp_code
sp_state_lock(const char *path, struct sp_state_lock **ret, struct sp_err *e)
{
    struct sp_state_lock *l = calloc(1, sizeof(*l));
    enum sp_code rc;

    if (l == NULL)
        return sp_fail_nomem(e);
    if ((rc = open_db(path, SQLITE_OPEN_CREATE, LOCK_MS, &l->db, e)) != SP_OK ||
        (rc = execute(l->db, "BEGIN EXCLUSIVE", e)) != SP_OK) {
        sp_state_unlock(l);
        return rc;
    }
    *ret = l;
    return SP_OK;
}

void
sp_state_unlock(struct sp_state_lock *l)
{
    if (l == NULL)
        return;
    (void)sqlite3_close(l->db);
    free(l);
}

/* --- transactions
 * ----------------------------------------------------------------------------------- */

void
sp_state_enter(struct sp_state *s)
{
    sp_mutex_lock(&s->lock);
}

void
sp_state_leave(struct sp_state *s)
{
    sp_mutex_unlock(&s->lock);
}

enum sp_code
sp_state_begin(struct sp_state *s, struct sp_err *e)
{
    return execute(s->db, "BEGIN IMMEDIATE", e);
}

enum sp_code
sp_state_end(struct sp_state *s, enum sp_code rc, struct sp_err *e)
{
    struct sp_err ignored = {0};

    if (rc == SP_OK && (rc = execute(s->db, "COMMIT", e)) == SP_OK)
        return SP_OK;
    (void)execute(s->db, "ROLLBACK", &ignored);
    return rc;
}

/* --- statements
 * ------------------------------------------------------------------------------------- */

enum sp_code
sp_sql_new(struct sp_state *s, const char *text, struct sp_sql **ret, struct sp_err *e)
{
    struct sp_sql *q = calloc(1, sizeof(*q));
    int code;

    if (q == NULL)
        return sp_fail_nomem(e);
    q->db = s->db;
    code = sqlite3_prepare_v2(s->db, text, -1, &q->stmt, NULL);
    if (code != SQLITE_OK) {
        free(q);
        return fail_sql(s->db, code, e);
    }
    *ret = q;
    return SP_OK;
}

void
sp_sql_free(struct sp_sql *q)
{
    if (q == NULL)
        return;
    (void)sqlite3_finalize(q->stmt); /* repeats the failure of the last step */
    free(q);
}

static void
bound(struct sp_sql *q, int code)
{
    if (q->failed == SQLITE_OK)
        q->failed = code;
}

void
sp_sql_bind_int(struct sp_sql *q, int at, int64_t v)
{
    bound(q, sqlite3_bind_int64(q->stmt, at, v));
}

void
sp_sql_bind_u64(struct sp_sql *q, int at, uint64_t v)
{
    sp_sql_bind_int(q, at, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void
sp_sql_bind_text(struct sp_sql *q, int at, const char *v)
{
    bound(q, sqlite3_bind_text(q->stmt, at, v, -1, SQLITE_TRANSIENT));
}

void
sp_sql_bind_blob(struct sp_sql *q, int at, const void *p, size_t n)
{
    if (p == NULL)
        bound(q, sqlite3_bind_null(q->stmt, at));
    else
        bound(q, sqlite3_bind_blob64(q->stmt, at, p, n, SQLITE_TRANSIENT));
}

enum sp_code
sp_sql_step(struct sp_sql *q, bool *ret_row, struct sp_err *e)
{
    int code = q->failed;

    if (code == SQLITE_OK)
        code = sqlite3_step(q->stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return fail_sql(q->db, code, e);
    *ret_row = code == SQLITE_ROW;
    return SP_OK;
}

enum sp_code
sp_sql_run(struct sp_sql *q, int *ret_changes, struct sp_err *e)
{
    bool row = true;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && row)
        rc = sp_sql_step(q, &row, e);
    if (rc == SP_OK && ret_changes != NULL)
        *ret_changes = sqlite3_changes(q->db);
    sp_sql_free(q);
    return rc;
}

int64_t
sp_sql_int(struct sp_sql *q, int at)
{
    return sqlite3_column_int64(q->stmt, at);
}

uint64_t
sp_sql_u64(struct sp_sql *q, int at)
{
    int64_t v = sp_sql_int(q, at);

    return v < 0 ? 0 : (uint64_t)v;
}

void
sp_sql_text(struct sp_sql *q, int at, char *to, size_t cap)
{
    const unsigned char *text = sqlite3_column_text(q->stmt, at);
    size_t n = 0;

    if (text != NULL) {
        n = (size_t)sqlite3_column_bytes(q->stmt, at);
        if (n >= cap)
            n = cap - 1;
        memcpy(to, text, n);
    }
    to[n] = '\0';
}

void
sp_sql_blob(struct sp_sql *q, int at, void *to, size_t n)
{
    const void *p = sqlite3_column_blob(q->stmt, at);

    if (p != NULL && sqlite3_column_bytes(q->stmt, at) == (int)n)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}
