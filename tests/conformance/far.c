/* See far.h. */

#include "far.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sp_backend_writer {
    struct far *f;
    struct sp_backend_writer *below;
};

struct pending {
    uint64_t ready; /* ticks */
    size_t n;
};

static _Thread_local struct {
    const struct far *f;
    uint64_t generation, at;
} mine;

static uint64_t generations;

/* --- the clock: all of it with the lock held ------------------------------------------------- */

static void
arrive(struct far *f)
{
    if (mine.f == f && mine.generation == f->generation)
        return;
    mine.f = f;
    mine.generation = f->generation;
    mine.at = f->latest;
}

static void
wait_until(struct far *f, uint64_t at)
{
    if (at > mine.at)
        mine.at = at;
    if (mine.at > f->latest)
        f->latest = mine.at;
}

static void
before(struct far *f, const char *op, const char *name)
{
    if (f->before != NULL)
        f->before(f->arg, op, name);
}

static void
rounds(struct far *f, const char *op, const char *name, unsigned n)
{
    before(f, op, name);
    sp_mutex_lock(&f->lock);
    arrive(f);
    f->calls++;
    wait_until(f, mine.at + (uint64_t)n * FAR_ROUND);
    sp_mutex_unlock(&f->lock);
}

/* When n bytes of the object are here, asked for now. */
static uint64_t
reading(struct far *f, const char *name, size_t n)
{
    uint64_t at, took = 0;
    unsigned cost = 2;
    size_t i;

    arrive(f);
    f->calls++;
    f->bytes += n;
    for (i = 0; i < FAR_KEPT; i++)
        if (strcmp(f->kept[i], name) == 0)
            cost = 1;
    if (cost == 2)
        (void)snprintf(f->kept[f->next_kept++ % FAR_KEPT], sizeof(f->kept[0]), "%s", name);
    if (f->per_round > 0)
        took = (uint64_t)n * FAR_ROUND / f->per_round;
    at = mine.at + cost * FAR_ROUND;
    if (f->pipe > at)
        at = f->pipe;
    else if (f->pipe > 0)
        f->idle += at - f->pipe;
    f->pipe = at + took;
    return f->pipe;
}

static bool
fails(struct far *f, const char *name, size_t *count, size_t at)
{
    if (f->fail_prefix == NULL || strncmp(name, f->fail_prefix, strlen(f->fail_prefix)) != 0)
        return false;
    return ++*count == at;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static enum sp_code
do_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    struct far *f = (struct far *)b;
    struct sp_backend_writer *w = calloc(1, sizeof(*w));
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->f = f;
    if ((rc = sp_backend_begin(f->below, &w->below, e)) != SP_OK) {
        free(w);
        return rc;
    }
    *ret = w;
    return SP_OK;
}

static enum sp_code
do_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    return sp_backend_write(w->f->below, w->below, p, n, e);
}

static void
do_abort(struct sp_backend_writer *w)
{
    sp_backend_abort(w->f->below, w->below);
    free(w);
}

static enum sp_code
do_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    struct far *f = w->f;
    enum sp_code rc;

    rounds(f, "publish", name, 5);
    sp_mutex_lock(&f->lock);
    f->publishes++;
    sp_mutex_unlock(&f->lock);
    rc = sp_backend_publish(f->below, w->below, name, e);
    free(w);
    return rc;
}

static enum sp_code
do_sync(struct sp_backend *b, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    before(f, "sync", "");
    sp_mutex_lock(&f->lock);
    arrive(f);
    wait_until(f, f->latest);
    sp_mutex_unlock(&f->lock);
    return sp_backend_sync(f->below, e);
}

static enum sp_code
do_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    struct far *f = (struct far *)b;
    enum sp_code rc = SP_OK;

    before(f, "get", name);
    sp_mutex_lock(&f->lock);
    wait_until(f, reading(f, name, n));
    if (fails(f, name, &f->finishes, f->fail_finish_at))
        rc = sp_fail(e, f->code, SP_DOM_STORE, "made to fail");
    sp_mutex_unlock(&f->lock);
    return rc != SP_OK ? rc : sp_backend_get(f->below, name, offset, to, n, e);
}

static enum sp_code
do_fetch_start(struct sp_backend *b, struct sp_backend_fetch *x, struct sp_err *e)
{
    struct far *f = (struct far *)b;
    struct pending *p = calloc(1, sizeof(*p));
    struct sp_err ignored = {0};
    uint64_t size = 0;
    enum sp_code rc = SP_OK;

    if (p == NULL)
        return sp_fail_nomem(e);
    before(f, "fetch", x->name);
    p->n = x->n;
    if (x->whole && sp_backend_size(f->below, x->name, &size, &ignored) == SP_OK)
        p->n = (size_t)size;
    sp_mutex_lock(&f->lock);
    if (fails(f, x->name, &f->starts, f->fail_start_at)) {
        rc = sp_fail(e, f->code, SP_DOM_STORE, "made to fail");
    } else {
        p->ready = reading(f, x->name, p->n);
        f->under_way++;
        f->under_way_bytes += p->n;
        if (f->under_way_bytes > f->most_bytes)
            f->most_bytes = f->under_way_bytes;
        x->pending = p;
    }
    sp_mutex_unlock(&f->lock);
    if (rc != SP_OK)
        free(p);
    return rc;
}

/* The bytes come here and not before: a buffer that is gone by now is found out. */
static enum sp_code
do_fetch_finish(struct sp_backend *b, struct sp_backend_fetch *x, struct sp_err *e)
{
    struct far *f = (struct far *)b;
    struct pending *p = x->pending;
    enum sp_code rc = SP_OK;

    if (p == NULL)
        abort(); /* finished twice, or never started */
    x->pending = NULL;
    sp_mutex_lock(&f->lock);
    arrive(f);
    wait_until(f, p->ready);
    f->under_way--;
    f->under_way_bytes -= p->n;
    if (fails(f, x->name, &f->finishes, f->fail_finish_at))
        rc = sp_fail(e, f->code, SP_DOM_STORE, "made to fail");
    sp_mutex_unlock(&f->lock);
    free(p);
    if (rc != SP_OK)
        return rc;
    if (x->whole)
        return sp_backend_get_all(f->below, x->name, x->limit, &x->bytes, &x->n, e);
    return sp_backend_get(f->below, x->name, x->offset, x->to, x->n, e);
}

static enum sp_code
do_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "size", name, 1);
    return sp_backend_size(f->below, name, ret, e);
}

struct listing {
    sp_backend_list_fn each;
    void *arg;
    size_t skip;
    unsigned levels;
};

static enum sp_code
see(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct listing *l = arg;
    unsigned levels = 1;

    for (const char *p = name + l->skip; (p = strchr(p, '/')) != NULL; p++)
        levels++;
    if (levels > l->levels)
        l->levels = levels;
    return l->each(l->arg, name, size, e);
}

static enum sp_code
do_list_all(struct sp_backend *b, const char *const *prefixes, size_t n, sp_backend_list_fn each,
    void *arg, struct sp_err *e)
{
    struct far *f = (struct far *)b;
    struct listing l = {.each = each, .arg = arg, .levels = 1};
    size_t i;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&f->lock);
    f->lists++;
    sp_mutex_unlock(&f->lock);
    for (i = 0; i < n && rc == SP_OK; i++) {
        l.skip = prefixes[i][0] == '\0' ? 0 : strlen(prefixes[i]) + 1;
        rc = sp_backend_list(f->below, prefixes[i], see, &l, e);
    }
    rounds(f, "list", n > 0 ? prefixes[0] : "", 2 * l.levels);
    return rc;
}

static enum sp_code
do_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    return do_list_all(b, &prefix, 1, each, arg, e);
}

static enum sp_code
do_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "remove", name, 1);
    return sp_backend_remove(f->below, name, e);
}

static enum sp_code
do_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "move", from, 1);
    return sp_backend_move(f->below, from, to, e);
}

static enum sp_code
do_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "space", "", 1);
    return sp_backend_space(f->below, ret, e);
}

static enum sp_code
do_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "written", name, 1);
    return sp_backend_written(f->below, name, ret_ns, e);
}

static enum sp_code
do_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "now", "", 5);
    return sp_backend_now(f->below, ret_ns, e);
}

static enum sp_code
do_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    struct far *f = (struct far *)b;

    rounds(f, "sweep", "", 2);
    return sp_backend_sweep(f->below, dead, arg, e);
}

static void
do_free(struct sp_backend *b)
{
    struct far *f = (struct far *)b;

    if (f->under_way > 0)
        abort(); /* a read that nobody waited for */
    sp_backend_free(f->below);
    sp_mutex_destroy(&f->lock);
    free(f);
}

static const struct sp_backend_ops ops = {
    .kind = "far",
    .begin = do_begin,
    .write = do_write,
    .publish = do_publish,
    .abort = do_abort,
    .sync = do_sync,
    .get = do_get,
    .size = do_size,
    .list = do_list,
    .remove = do_remove,
    .move = do_move,
    .space = do_space,
    .written = do_written,
    .now = do_now,
    .sweep = do_sweep,
    .fetch_start = do_fetch_start,
    .fetch_finish = do_fetch_finish,
    .list_all = do_list_all,
    .free = do_free,
};

struct far *
far_new(struct sp_backend *below, size_t ahead)
{
    struct far *f = calloc(1, sizeof(*f));

    if (f == NULL)
        abort();
    f->head.ops = &ops;
    f->head.caps = below->caps;
    memcpy(f->head.run, below->run, sizeof(f->head.run));
    f->head.ahead = ahead;
    f->below = below;
    f->code = SP_IO;
    sp_mutex_init(&f->lock);
    far_reset(f);
    return f;
}

void
far_reset(struct far *f)
{
    sp_mutex_lock(&f->lock);
    f->generation = ++generations;
    f->latest = f->pipe = f->bytes = f->idle = 0;
    f->calls = f->lists = f->publishes = f->most_bytes = f->starts = f->finishes = 0;
    f->fail_start_at = f->fail_finish_at = 0;
    memset(f->kept, 0, sizeof(f->kept));
    f->next_kept = 0;
    sp_mutex_unlock(&f->lock);
}

size_t
far_rounds(struct far *f)
{
    size_t n;

    sp_mutex_lock(&f->lock);
    n = (size_t)((f->latest + FAR_ROUND - 1) / FAR_ROUND);
    sp_mutex_unlock(&f->lock);
    return n;
}
