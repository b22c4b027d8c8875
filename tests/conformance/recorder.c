/* See recorder.h. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder.h"

struct sp_backend_writer {
    struct recorder *r;
    struct sp_backend_writer *below;
};

/* Says what is being done to which folder; fails when it is its turn. */
static enum sp_code
note(struct recorder *r, const char *op, const char *name, bool read, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if (r->before != NULL)
        r->before(r->arg, op, name);
    sp_mutex_lock(&r->lock);
    r->calls++;
    if (r->fail_at != 0 && (r->calls == r->fail_at || (r->fail_on && r->calls > r->fail_at)))
        rc = sp_fail(e, r->code, SP_DOM_STORE, "made to fail");
    else if (r->refuse != NULL && strcmp(r->refuse, op) == 0)
        rc = sp_fail(e, SP_DENIED, SP_DOM_STORE, "denied");
    else if (!read || r->reads)
        sp_buf_printf(
            &r->log, "%s%s%.*s\n", op, *name == '\0' ? "" : " ", (int)strcspn(name, "/"), name);
    sp_mutex_unlock(&r->lock);
    return rc;
}

static enum sp_code
do_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    struct sp_backend_writer *w = calloc(1, sizeof(*w));
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->r = r;
    if ((rc = note(r, "begin", "", true, e)) != SP_OK ||
        (rc = sp_backend_begin(r->below, &w->below, e)) != SP_OK) {
        free(w);
        return rc;
    }
    *ret = w;
    return SP_OK;
}

static enum sp_code
do_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    enum sp_code rc = note(w->r, "write", "", true, e);

    return rc != SP_OK ? rc : sp_backend_write(w->r->below, w->below, p, n, e);
}

static void
do_abort(struct sp_backend_writer *w)
{
    sp_backend_abort(w->r->below, w->below);
    free(w);
}

static enum sp_code
do_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    struct recorder *r = w->r;
    enum sp_code rc = note(r, "publish", name, false, e);

    if (rc != SP_OK) {
        do_abort(w);
        return rc;
    }
    rc = sp_backend_publish(r->below, w->below, name, e);
    free(w);
    return rc;
}

static enum sp_code
do_sync(struct sp_backend *b, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "sync", "", false, e);

    return rc != SP_OK ? rc : sp_backend_sync(r->below, e);
}

static enum sp_code
do_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "get", name, true, e);

    return rc != SP_OK ? rc : sp_backend_get(r->below, name, offset, to, n, e);
}

static enum sp_code
do_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "size", name, true, e);

    return rc != SP_OK ? rc : sp_backend_size(r->below, name, ret, e);
}

static enum sp_code
do_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "list", prefix, true, e);

    return rc != SP_OK ? rc : sp_backend_list(r->below, prefix, each, arg, e);
}

/* Counted when its bytes come, as a get. */
static enum sp_code
do_fetch_start(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e)
{
    return sp_backend_fetch_start(((struct recorder *)b)->below, f, e);
}

static enum sp_code
do_fetch_finish(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    struct sp_err why = {0};
    enum sp_code rc = sp_backend_fetch_finish(r->below, f, e), made;

    if ((made = note(r, "get", f->name, true, &why)) == SP_OK)
        return rc;
    if (rc == SP_OK && f->whole) {
        free(f->bytes);
        f->bytes = NULL;
    }
    *e = why;
    return made;
}

static enum sp_code
do_list_all(struct sp_backend *b, const char *const *prefixes, size_t n, sp_backend_list_fn each,
    void *arg, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < n && rc == SP_OK; i++)
        rc = note(r, "list", prefixes[i], true, e);
    return rc != SP_OK ? rc : sp_backend_list_all(r->below, prefixes, n, each, arg, e);
}

static enum sp_code
do_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "remove", name, false, e);

    return rc != SP_OK ? rc : sp_backend_remove(r->below, name, e);
}

static enum sp_code
do_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "move", to, false, e);

    return rc != SP_OK ? rc : sp_backend_move(r->below, from, to, e);
}

static enum sp_code
do_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    return sp_backend_space(((struct recorder *)b)->below, ret, e);
}

static enum sp_code
do_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "written", name, true, e);

    return rc != SP_OK ? rc : sp_backend_written(r->below, name, ret_ns, e);
}

static enum sp_code
do_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "now", "", true, e);

    return rc != SP_OK ? rc : sp_backend_now(r->below, ret_ns, e);
}

static enum sp_code
do_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    struct recorder *r = (struct recorder *)b;
    enum sp_code rc = note(r, "sweep", "", true, e);

    return rc != SP_OK ? rc : sp_backend_sweep(r->below, dead, arg, e);
}

static void
do_free(struct sp_backend *b)
{
    struct recorder *r = (struct recorder *)b;

    if (r->owns)
        sp_backend_free(r->below);
    sp_buf_free(&r->log);
    sp_mutex_destroy(&r->lock);
    free(r);
}

static const struct sp_backend_ops ops = {
    .kind = "recorder",
    .begin = do_begin,
    .write = do_write,
    .publish = do_publish,
    .abort = do_abort,
    .sync = do_sync,
    .get = do_get,
    .size = do_size,
    .list = do_list,
    .fetch_start = do_fetch_start,
    .fetch_finish = do_fetch_finish,
    .list_all = do_list_all,
    .remove = do_remove,
    .move = do_move,
    .space = do_space,
    .written = do_written,
    .now = do_now,
    .sweep = do_sweep,
    .free = do_free,
};

struct recorder *
recorder_new(struct sp_backend *below)
{
    static atomic_uint recorders;
    struct recorder *r = calloc(1, sizeof(*r));
    unsigned number = atomic_fetch_add(&recorders, 1) + 1;

    if (r == NULL)
        abort();
    r->head.ops = &ops;
    r->head.caps = below->caps;
    memcpy(r->head.run, below->run, sizeof(r->head.run));
    r->head.run[0] ^= (uint8_t)(number & 0xff);
    r->head.run[1] ^= (uint8_t)(number >> 8 & 0xff);
    r->head.ahead = below->ahead;
    r->below = below;
    r->code = SP_IO;
    sp_mutex_init(&r->lock);
    return r;
}

void
recorder_reset(struct recorder *r)
{
    sp_mutex_lock(&r->lock);
    sp_buf_reset(&r->log);
    r->calls = r->fail_at = 0;
    sp_mutex_unlock(&r->lock);
}

const char *
recorder_log(struct recorder *r)
{
    return sp_buf_str(&r->log);
}
