/* Logging for the programs: see log.h. */

#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/thread.h"

struct sp_log {
    struct sp_mutex lock; /* one line at a time, also for fn */
    enum sp_log_level level;
    bool with_time;
    sp_log_fn fn;
    void *arg;
};

static void
to_stderr(struct sp_log *l, enum sp_log_level level, const char *line)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};
    char time[32];

    /* There is nowhere to tell that standard error is closed. */
    if (l->with_time) {
        sp_time_local(sp_clock_wall(&sp_clock_system), time);
        (void)fprintf(stderr, "%s %s%s\n", time, words[level], line);
    } else {
        (void)fprintf(stderr, "%s%s\n", words[level], line);
    }
}

enum sp_code
sp_log_new(enum sp_log_level level, bool with_time, sp_log_fn fn, void *arg, struct sp_log **ret,
    struct sp_err *e)
{
    struct sp_log *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&l->lock);
    l->level = level;
    l->with_time = with_time;
    l->fn = fn;
    l->arg = arg;
    *ret = l;
    return SP_OK;
}

void
sp_log_free(struct sp_log *l)
{
    if (l == NULL)
        return;
    sp_mutex_destroy(&l->lock);
    free(l);
}

void
sp_log(struct sp_log *l, enum sp_log_level level, const char *fmt, ...)
{
    struct sp_buf raw = SP_BUF_INIT, line = SP_BUF_INIT;
    const char *text;
    va_list ap;
    int n;

    if (l == NULL || level > l->level)
        return;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if (sp_buf_reserve(&raw, (size_t)n + 1)) {
        va_start(ap, fmt);
        n = vsnprintf((char *)raw.data, (size_t)n + 1, fmt, ap);
        va_end(ap);
        if (n >= 0)
            raw.len = (size_t)n;
        /* Whatever came in with a name: an event stays one line, and a terminal sees no control
         * character. */
        sp_text_show(sp_buf_str(&raw), &line);
    }
    text = sp_buf_str(&line);
    if (raw.failed || line.failed)
        text = "(no memory for a message)";
    sp_mutex_lock(&l->lock);
    if (l->fn != NULL)
        l->fn(l->arg, level, text);
    else
        to_stderr(l, level, text);
    sp_mutex_unlock(&l->lock);
    sp_buf_free(&line);
    sp_buf_free(&raw);
}
