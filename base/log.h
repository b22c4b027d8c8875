#ifndef SP_BASE_LOG_H
#define SP_BASE_LOG_H

/* Logging for the two programs (libraries never log). One line an event, to standard error or to a
 * function (service, tests). Names of files appear escaped; keys, tokens and passwords never. Any
 * thread. */

#include <stdbool.h>

#include "base/err.h"

enum sp_log_level { SP_LOG_ERROR, SP_LOG_WARN, SP_LOG_INFO, SP_LOG_DEBUG };

struct sp_log; /* NULL is a log that says nothing */

typedef void (*sp_log_fn)(void *arg, enum sp_log_level level, const char *line);

/* `fn` NULL: standard error, with time when `with_time`. */
enum sp_code sp_log_new(enum sp_log_level level, bool with_time, sp_log_fn fn, void *arg,
    struct sp_log **ret, struct sp_err *e);
void sp_log_free(struct sp_log *l);
void sp_log(struct sp_log *l, enum sp_log_level level, const char *fmt, ...) SP_PRINTF(3, 4);

#endif
