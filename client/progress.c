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
    bool visible;
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

/* How much of the whole is done, and how long the rest takes. */
static void
put_share(struct sp_buf *line, uint64_t done, uint64_t total, double seconds)
{
    if (total == 0 || done >= total || done == 0)
        return;
    sp_buf_printf(line, ", %u %%, %s left", (unsigned)(100.0 * (double)done / (double)total),
        sp_text_duration((int64_t)(seconds * (double)(total - done) / (double)done * 1e9)).s);
}

/* Frees the line. */
static void
put_line(struct sp_progress *p, struct sp_buf *line)
{
    if (sp_buf_str(line)[0] != '\0') {
        (void)fprintf(stderr, "\r%-*.*s", WIDTH, WIDTH, sp_buf_str(line));
        p->visible = true;
    }
    (void)fflush(stderr);
    sp_buf_free(line);
}

void
sp_progress_show(struct sp_progress *p, uint64_t files, uint64_t bytes, uint64_t total_bytes,
    const void *key, size_t key_len)
{
    struct sp_buf line = SP_BUF_INIT, path = SP_BUF_INIT;
    int64_t now, elapsed;
    double seconds;

    if (p == NULL || (now = sp_clock_mono(p->clock)) - p->shown < EVERY_NS)
        return;
    p->shown = now;
    elapsed = now - p->started;
    seconds = (double)elapsed / (double)SP_SECOND;
    sp_buf_printf(
        &line, "%s %s files, %s", p->what, sp_text_count(files).s, sp_text_bytes(bytes).s);
    if (seconds > 0.5)
        sp_buf_printf(&line, ", %s/s", sp_text_bytes((uint64_t)((double)bytes / seconds)).s);
    put_share(&line, bytes, total_bytes, seconds);
    if (key_len > 0) {
        size_t name_len;
        const char *name = sp_key_name(key, key_len, &name_len);

        sp_buf_put_str(&line, "  ");
        sp_path_show(name, name_len, &path);
        sp_buf_put(&line, path.data, path.len);
    }
    put_line(p, &line);
    sp_buf_free(&path);
}

void
sp_progress_tell(struct sp_progress *p, uint64_t done, uint64_t total, const char *fmt, ...)
{
    struct sp_buf line = SP_BUF_INIT;
    char words[160];
    int64_t now;
    va_list ap;

    if (p == NULL || (now = sp_clock_mono(p->clock)) - p->shown < EVERY_NS)
        return;
    p->shown = now;
    va_start(ap, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    sp_buf_printf(&line, "%s %s", p->what, words);
    put_share(&line, done, total, (double)(now - p->started) / (double)SP_SECOND);
    put_line(p, &line);
}

void
sp_progress_clear(struct sp_progress *p)
{
    if (p == NULL || !p->visible)
        return;
    (void)fprintf(stderr, "\r%*s\r", WIDTH, "");
    (void)fflush(stderr);
    p->visible = false;
}

void
sp_progress_free(struct sp_progress *p)
{
    sp_progress_clear(p);
    free(p);
}
