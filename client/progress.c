#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/cli.h"

#define EVERY_NS (SP_SECOND / 10)
#define WIDTH 78

struct sp_progress {
    const struct sp_clock *clock;
    const char *what;
    int64_t started, shown;
};

struct sp_progress *
sp_progress_new(struct sp_cli *c, const char *what)
{
    struct sp_progress *p;

    if (!c->terminal || c->quiet || c->json)
        return NULL;
    p = calloc(1, sizeof(*p));
    if (p != NULL) {
        p->clock = c->env->clock;
        p->what = what;
        p->started = p->shown = sp_clock_mono(p->clock);
    }
    return p;
}

void
sp_progress_show(struct sp_progress *p, uint64_t files, uint64_t bytes, uint64_t total_bytes,
    const void *key, size_t key_len)
{
    struct sp_buf line = SP_BUF_INIT, path = SP_BUF_INIT;
    int64_t now, elapsed;
    double seconds, left;

    if (p == NULL || (now = sp_clock_mono(p->clock)) - p->shown < EVERY_NS)
        return;
    p->shown = now;
    elapsed = now - p->started;
    seconds = (double)elapsed / (double)SP_SECOND;
    sp_buf_printf(&line, "%s %s files, %s", p->what, sp_text_count(files).s, sp_text_bytes(bytes).s);
    if (seconds > 0.5)
        sp_buf_printf(&line, ", %s/s", sp_text_bytes((uint64_t)((double)bytes / seconds)).s);
    if (total_bytes > 0 && bytes < total_bytes && bytes > 0) {
        left = seconds * (double)(total_bytes - bytes) / (double)bytes;
        sp_buf_printf(&line, ", %u %%, %s left",
            (unsigned)(100.0 * (double)bytes / (double)total_bytes),
            sp_text_duration((int64_t)(left * 1e9)).s);
    }
    if (key_len > 0) {
        size_t name_len;
        const char *name = sp_key_name(key, key_len, &name_len);

        sp_buf_put_str(&line, "  ");
        sp_path_show(name, name_len, &path);
        sp_buf_put(&line, path.data, path.len);
    }
    if (sp_buf_str(&line)[0] != '\0')
        (void)fprintf(stderr, "\r%-*.*s", WIDTH, WIDTH, sp_buf_str(&line));
    (void)fflush(stderr);
    sp_buf_free(&line);
    sp_buf_free(&path);
}

void
sp_progress_free(struct sp_progress *p)
{
    if (p == NULL)
        return;
    (void)fprintf(stderr, "\r%*s\r", WIDTH, "");
    (void)fflush(stderr);
    free(p);
}
