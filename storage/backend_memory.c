/* A backend in memory: for tests, and the contract of backend.h at its plainest. One lock guards
 * all of it. */

#include "storage/backend_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"

struct object {
    char *name;
    uint8_t *bytes;
    size_t n;
    int64_t written_ns;
};

struct memory { /* what all openings share */
    struct sp_mutex lock;
    struct object *objects; /* sorted by name */
    size_t count, cap;
    size_t openings;
    struct sp_backend_writer *writers; /* the temporary files */
    int64_t ahead_ns;                  /* of this machine's clock */
};

struct opening {
    struct sp_backend head;
    struct memory *m;
};

struct sp_backend_writer {
    struct memory *m;
    struct sp_backend_writer *next, **link;
    struct sp_buf bytes;
    uint8_t run[16];
    int64_t written_ns;
    bool swept;
};

static struct memory *
memory_of(struct sp_backend *b)
{
    return ((struct opening *)b)->m;
}

/* The lock is held. */
static int64_t
memory_clock(const struct memory *m)
{
    return sp_clock_wall(&sp_clock_system) + m->ahead_ns;
}

/* Where `name` is, or would be inserted. */
static size_t
position(const struct memory *m, const char *name, bool *ret_there)
{
    size_t lo = 0, hi = m->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(m->objects[mid].name, name);

        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_there = false;
    return lo;
}

static enum sp_code
fail_absent(const char *name, struct sp_err *e)
{
    return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no object %s", name);
}

static enum sp_code
fail_exists(const char *name, struct sp_err *e)
{
    return sp_fail(e, SP_EXISTS, SP_DOM_STORE, "%s is there already", name);
}

/* Takes o over when it succeeds. */
static enum sp_code
insert(struct memory *m, const struct object *o, struct sp_err *e)
{
    bool there;
    size_t at = position(m, o->name, &there);

    if (there)
        return fail_exists(o->name, e);
    if (m->count == m->cap) {
        size_t cap = m->cap == 0 ? 64 : m->cap * 2;
        struct object *more = realloc(m->objects, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        m->objects = more;
        m->cap = cap;
    }
    memmove(m->objects + at + 1, m->objects + at, (m->count - at) * sizeof(*m->objects));
    m->objects[at] = *o;
    m->count++;
    return SP_OK;
}

static void
take_out(struct memory *m, size_t at)
{
    m->count--;
    memmove(m->objects + at, m->objects + at + 1, (m->count - at) * sizeof(*m->objects));
}

static enum sp_code
memory_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    struct sp_backend_writer *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return sp_fail_nomem(e);
    w->m = memory_of(b);
    memcpy(w->run, b->run, sizeof(w->run));
    sp_mutex_lock(&w->m->lock);
    w->written_ns = memory_clock(w->m);
    w->next = w->m->writers;
    w->link = &w->m->writers;
    if (w->next != NULL)
        w->next->link = &w->next;
    w->m->writers = w;
    sp_mutex_unlock(&w->m->lock);
    *ret = w;
    return SP_OK;
}

static enum sp_code
memory_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    sp_mutex_lock(&w->m->lock);
    w->written_ns = memory_clock(w->m);
    sp_mutex_unlock(&w->m->lock);
    sp_buf_put(&w->bytes, p, n);
    return sp_buf_ok(&w->bytes, e);
}

static void
memory_abort(struct sp_backend_writer *w)
{
    sp_mutex_lock(&w->m->lock);
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    sp_mutex_unlock(&w->m->lock);
    sp_buf_free(&w->bytes);
    free(w);
}

static enum sp_code
memory_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    struct object o = {.name = strdup(name)};
    enum sp_code rc;

    if (o.name == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_buf_take(&w->bytes, &o.bytes, &o.n, e)) != SP_OK)
        goto out;
    sp_mutex_lock(&w->m->lock);
    o.written_ns = w->written_ns;
    rc = w->swept ? sp_fail(e, SP_IO, SP_DOM_STORE, "the unfinished file of %s has gone", name)
                  : insert(w->m, &o, e);
    sp_mutex_unlock(&w->m->lock);
    if (rc == SP_OK)
        o = (struct object){.name = NULL};
out:
    free(o.name);
    free(o.bytes);
    memory_abort(w);
    return rc;
}

static enum sp_code
memory_sync(struct sp_backend *b, struct sp_err *e)
{
    (void)b;
    (void)e;
    return SP_OK;
}

static enum sp_code
memory_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    enum sp_code rc = SP_OK;
    bool there;
    size_t at;

    sp_mutex_lock(&m->lock);
    at = position(m, name, &there);
    if (!there)
        rc = fail_absent(name, e);
    else if (offset > m->objects[at].n || n > m->objects[at].n - offset)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "%s is shorter than expected", name);
    else if (n > 0)
        memcpy(to, m->objects[at].bytes + offset, n);
    sp_mutex_unlock(&m->lock);
    return rc;
}

static enum sp_code
memory_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    enum sp_code rc = SP_OK;
    bool there;
    size_t at;

    sp_mutex_lock(&m->lock);
    at = position(m, name, &there);
    if (there)
        *ret = m->objects[at].n;
    else
        rc = fail_absent(name, e);
    sp_mutex_unlock(&m->lock);
    return rc;
}

/* Names and sizes as they are now: `each` may call the backend, so no lock is held around it. */
static enum sp_code
snapshot(struct memory *m, const char *prefix, struct sp_buf *ret, struct sp_err *e)
{
    size_t n = strlen(prefix);

    sp_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) {
        const char *name = m->objects[i].name;

        if (n > 0 && (strncmp(name, prefix, n) != 0 || name[n] != '/'))
            continue;
        sp_buf_put_u64(ret, m->objects[i].n);
        sp_buf_put(ret, name, strlen(name) + 1);
    }
    sp_mutex_unlock(&m->lock);
    return sp_buf_ok(ret, e);
}

static enum sp_code
memory_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct sp_buf found = SP_BUF_INIT;
    enum sp_code rc = snapshot(memory_of(b), prefix, &found, e);

    for (size_t at = 0; rc == SP_OK && at < found.len;) {
        const char *name = (const char *)found.data + at + 8;

        rc = each(arg, name, sp_le64(found.data + at), e);
        at += 8 + strlen(name) + 1;
    }
    sp_buf_free(&found);
    return rc;
}

static enum sp_code
memory_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    struct object old = {.name = NULL};
    bool there;
    size_t at;

    sp_mutex_lock(&m->lock);
    at = position(m, name, &there);
    if (there) {
        old = m->objects[at];
        take_out(m, at);
    }
    sp_mutex_unlock(&m->lock);
    free(old.name);
    free(old.bytes);
    return there ? SP_OK : fail_absent(name, e);
}

static enum sp_code
memory_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    struct object o;
    char *name = strdup(to), *old = NULL;
    enum sp_code rc = SP_OK;
    bool there, taken;
    size_t at;

    if (name == NULL)
        return sp_fail_nomem(e);
    sp_mutex_lock(&m->lock);
    at = position(m, from, &there);
    (void)position(m, to, &taken);
    if (!there) {
        rc = fail_absent(from, e);
    } else if (taken) {
        rc = fail_exists(to, e);
    } else {
        o = m->objects[at];
        take_out(m, at); /* which makes the room that insert needs */
        old = o.name;
        o.name = name;
        name = NULL;
        rc = insert(m, &o, e); // NOLINT(clang-analyzer-unix.Malloc): there is room, so it has o
    }
    sp_mutex_unlock(&m->lock);
    free(name);
    free(old);
    return rc;
}

static enum sp_code
memory_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    uint64_t used = 0;

    (void)e;
    sp_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++)
        used += m->objects[i].n;
    sp_mutex_unlock(&m->lock);
    ret->total_bytes = SIZE_MAX / 2;
    ret->free_bytes = used < ret->total_bytes ? ret->total_bytes - used : 0;
    return SP_OK;
}

static enum sp_code
memory_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    enum sp_code rc = SP_OK;
    bool there;
    size_t at;

    sp_mutex_lock(&m->lock);
    at = position(m, name, &there);
    if (there)
        *ret_ns = m->objects[at].written_ns;
    else
        rc = fail_absent(name, e);
    sp_mutex_unlock(&m->lock);
    return rc;
}

static enum sp_code
memory_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    struct memory *m = memory_of(b);

    (void)e;
    sp_mutex_lock(&m->lock);
    *ret_ns = memory_clock(m);
    sp_mutex_unlock(&m->lock);
    return SP_OK;
}

static enum sp_code
memory_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    struct memory *m = memory_of(b);
    struct sp_backend_writer *w;

    (void)e;
    sp_mutex_lock(&m->lock);
    for (w = m->writers; w != NULL; w = w->next)
        if (!w->swept && dead(arg, w->run, w->written_ns))
            w->swept = true;
    sp_mutex_unlock(&m->lock);
    return SP_OK;
}

static void
memory_free(struct sp_backend *b)
{
    struct memory *m = memory_of(b);
    bool last;

    free(b);
    sp_mutex_lock(&m->lock);
    last = --m->openings == 0;
    sp_mutex_unlock(&m->lock);
    if (!last)
        return;
    for (size_t i = 0; i < m->count; i++) {
        free(m->objects[i].name);
        free(m->objects[i].bytes);
    }
    free(m->objects);
    sp_mutex_destroy(&m->lock);
    free(m);
}

static const struct sp_backend_ops memory_ops = {.kind = "memory",
    .begin = memory_begin,
    .write = memory_write,
    .publish = memory_publish,
    .abort = memory_abort,
    .sync = memory_sync,
    .get = memory_get,
    .size = memory_size,
    .list = memory_list,
    .remove = memory_remove,
    .move = memory_move,
    .space = memory_space,
    .written = memory_written,
    .now = memory_now,
    .sweep = memory_sweep,
    .free = memory_free};

static enum sp_code
open_memory(struct memory *m, struct sp_backend **ret, struct sp_err *e)
{
    struct opening *o = calloc(1, sizeof(*o));
    enum sp_code rc;

    if (o == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_random_fill(&sp_random_system, o->head.run, sizeof(o->head.run), e)) != SP_OK) {
        free(o);
        return rc;
    }
    o->head.ops = &memory_ops;
    /* Everything is lost together or not at all: nothing is ever less durable than what a sync
     * covered, and the capabilities say that. */
    o->head.caps = (struct sp_backend_caps){true, true, true, true, true, true};
    o->m = m;
    sp_mutex_lock(&m->lock);
    m->openings++;
    sp_mutex_unlock(&m->lock);
    *ret = &o->head;
    return SP_OK;
}

enum sp_code
sp_backend_memory_new(struct sp_backend **ret, struct sp_err *e)
{
    struct memory *m = calloc(1, sizeof(*m));
    enum sp_code rc;

    if (m == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&m->lock);
    if ((rc = open_memory(m, ret, e)) != SP_OK) {
        sp_mutex_destroy(&m->lock);
        free(m);
    }
    return rc;
}

enum sp_code
sp_backend_memory_again(struct sp_backend *b, struct sp_backend **ret, struct sp_err *e)
{
    return open_memory(memory_of(b), ret, e);
}

void
sp_backend_memory_advance(struct sp_backend *b, int64_t ns)
{
    struct memory *m = memory_of(b);

    sp_mutex_lock(&m->lock);
    m->ahead_ns += ns;
    sp_mutex_unlock(&m->lock);
}
