/* A store that remembers how it came about: see cutstore.h. One lock guards all of it. */

#include "cutstore_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handle {
    struct sp_backend head;
    struct cutstore *c;
    unsigned number;
};

struct sp_backend_writer {
    struct handle *h;
    struct sp_buf bytes;
};

/* A test that has no memory proves nothing. */
static void *
must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* --- the log ------------------------------------------------------------------------------- */

static const struct cut_name *
name_new(struct cutstore *c, const char *s)
{
    size_t n = strlen(s), at;
    struct cut_name *name;
    bool there;

    at = cut_table_find(&c->now, s, &there);
    if (there)
        return c->now.v[at].name;
    name = must(malloc(sizeof(*name) + n + 1));
    memcpy(name->s, s, n + 1);
    name->hash = cut_hash(s, n);
    name->next = c->names;
    c->names = name;
    return name;
}

static struct cut_op *
append(struct cutstore *c, enum cut_kind kind, unsigned handle)
{
    if (c->nops == c->ops_cap) {
        c->ops_cap = c->ops_cap == 0 ? 256 : c->ops_cap * 2;
        c->ops = must(realloc(c->ops, c->ops_cap * sizeof(*c->ops)));
    }
    if (kind < CUT_IDLE)
        c->operations++;
    c->ops[c->nops] = (struct cut_op){.kind = kind, .handle = handle, .number = c->operations};
    return &c->ops[c->nops++];
}

/* The lock is held. */
static enum sp_code
alive(const struct cutstore *c, struct sp_err *e)
{
    if (c->die_after != 0 && c->operations >= c->die_after)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE, "the power is gone");
    return SP_OK;
}

static enum sp_code
store_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    struct handle *h = (struct handle *)b;
    struct sp_backend_writer *w;
    enum sp_code rc;

    sp_mutex_lock(&h->c->lock);
    if ((rc = alive(h->c, e)) == SP_OK) {
        (void)append(h->c, CUT_BEGIN, h->number);
        w = must(calloc(1, sizeof(*w)));
        w->h = h;
        *ret = w;
    }
    sp_mutex_unlock(&h->c->lock);
    return rc;
}

static enum sp_code
store_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    struct cutstore *c = w->h->c;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) == SP_OK)
        (void)append(c, CUT_WRITE, w->h->number);
    sp_mutex_unlock(&c->lock);
    if (rc != SP_OK)
        return rc;
    sp_buf_put(&w->bytes, p, n);
    return sp_buf_ok(&w->bytes, e);
}

static void
writer_free(struct sp_backend_writer *w)
{
    sp_buf_free(&w->bytes);
    free(w);
}

static void
store_abort(struct sp_backend_writer *w)
{
    struct cutstore *c = w->h->c;
    struct sp_err ignored = {0};

    sp_mutex_lock(&c->lock);
    if (alive(c, &ignored) == SP_OK)
        (void)append(c, CUT_ABORT, w->h->number);
    sp_mutex_unlock(&c->lock);
    writer_free(w);
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

static enum sp_code
store_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    struct cutstore *c = w->h->c;
    struct cut_op *op;
    bool there;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) != SP_OK)
        goto out;
    (void)cut_table_find(&c->now, name, &there);
    if (there) {
        rc = fail_exists(name, e);
        goto out;
    }
    op = append(c, CUT_PUBLISH, w->h->number);
    op->name = name_new(c, name);
    op->bytes =
        cut_bytes_new(c, w->bytes.data, w->bytes.len, cut_hash(w->bytes.data, w->bytes.len));
    op->born = op->number;
    cut_table_set(&c->now, op->name, op->bytes, op->born);
out:
    sp_mutex_unlock(&c->lock);
    writer_free(w);
    return rc;
}

static enum sp_code
store_sync(struct sp_backend *b, struct sp_err *e)
{
    struct handle *h = (struct handle *)b;
    enum sp_code rc;

    sp_mutex_lock(&h->c->lock);
    if ((rc = alive(h->c, e)) != SP_OK) {
        sp_mutex_unlock(&h->c->lock);
        return rc;
    }
    if (h->c->refuse_sync != 0 && h->c->operations >= h->c->refuse_sync) {
        h->c->refuse_sync = 0;
        rc = sp_fail(e, SP_IO, SP_DOM_STORE, "the disk could not write");
    } else {
        (void)append(h->c, CUT_SYNC, h->number);
    }
    sp_mutex_unlock(&h->c->lock);
    return rc;
}

/* --- reading ------------------------------------------------------------------------------- */

static enum sp_code
store_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    struct cutstore *c = ((struct handle *)b)->c;
    const struct cut_bytes *bytes;
    bool there;
    size_t at;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) != SP_OK)
        goto out;
    at = cut_table_find(&c->now, name, &there);
    if (!there) {
        rc = fail_absent(name, e);
        goto out;
    }
    bytes = c->now.v[at].bytes;
    if (offset > bytes->n || n > bytes->n - offset)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "%s is shorter than expected", name);
    else if (n > 0)
        memcpy(to, bytes->p + offset, n);
out:
    sp_mutex_unlock(&c->lock);
    return rc;
}

static enum sp_code
store_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    struct cutstore *c = ((struct handle *)b)->c;
    bool there;
    size_t at;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) == SP_OK) {
        at = cut_table_find(&c->now, name, &there);
        if (there)
            *ret = c->now.v[at].bytes->n;
        else
            rc = fail_absent(name, e);
    }
    sp_mutex_unlock(&c->lock);
    return rc;
}

static enum sp_code
store_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct cutstore *c = ((struct handle *)b)->c;
    size_t n = strlen(prefix), at, count = 0;
    struct cut_object *found;
    bool there;
    enum sp_code rc;

    /* As it is now: `each` may call the store. Names and bytes live as long as the store. */
    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) != SP_OK) {
        sp_mutex_unlock(&c->lock);
        return rc;
    }
    append(c, CUT_LIST, ((struct handle *)b)->number)->name = name_new(c, prefix);
    found = must(malloc((c->now.n + 1) * sizeof(*found)));
    for (at = cut_table_find(&c->now, prefix, &there); at < c->now.n; at++) {
        const char *name = c->now.v[at].name->s;

        if (strncmp(name, prefix, n) != 0)
            break;
        if (n == 0 || name[n] == '/')
            found[count++] = c->now.v[at];
    }
    sp_mutex_unlock(&c->lock);
    for (at = 0; at < count && rc == SP_OK; at++)
        rc = each(arg, found[at].name->s, found[at].bytes->n, e);
    free(found);
    return rc;
}

/* --- names --------------------------------------------------------------------------------- */

static enum sp_code
store_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    struct handle *h = (struct handle *)b;
    struct cutstore *c = h->c;
    bool there;
    size_t at;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) != SP_OK)
        goto out;
    at = cut_table_find(&c->now, name, &there);
    if (!there) {
        rc = fail_absent(name, e);
        goto out;
    }
    append(c, CUT_REMOVE, h->number)->name = c->now.v[at].name;
    cut_table_set(&c->now, c->now.v[at].name, NULL, 0);
out:
    sp_mutex_unlock(&c->lock);
    return rc;
}

static enum sp_code
store_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    struct handle *h = (struct handle *)b;
    struct cutstore *c = h->c;
    struct cut_object o;
    struct cut_op *op;
    bool there, taken;
    size_t at;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) != SP_OK)
        goto out;
    at = cut_table_find(&c->now, from, &there);
    (void)cut_table_find(&c->now, to, &taken);
    if (!there || taken) {
        rc = there ? fail_exists(to, e) : fail_absent(from, e);
        goto out;
    }
    o = c->now.v[at];
    op = append(c, CUT_MOVE, h->number);
    op->name = o.name;
    op->to = name_new(c, to);
    op->bytes = o.bytes;
    op->born = o.born;
    cut_table_set(&c->now, op->name, NULL, 0);
    cut_table_set(&c->now, op->to, op->bytes, op->born);
out:
    sp_mutex_unlock(&c->lock);
    return rc;
}

static enum sp_code
store_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    (void)b;
    (void)e;
    ret->total_bytes = SIZE_MAX / 2;
    ret->free_bytes = SIZE_MAX / 4;
    return SP_OK;
}

/* The store's clock goes with what is done: a millisecond each, whatever lies before it. */
#define CUT_TICK INT64_C(1000000)
#define CUT_BEGINNING (INT64_C(1700000000) * 1000 * CUT_TICK)

static enum sp_code
store_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    struct cutstore *c = ((struct handle *)b)->c;
    bool there;
    size_t at;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) == SP_OK) {
        at = cut_table_find(&c->now, name, &there);
        if (there)
            *ret_ns = CUT_BEGINNING + (int64_t)c->now.v[at].born * CUT_TICK;
        else
            rc = fail_absent(name, e);
    }
    sp_mutex_unlock(&c->lock);
    return rc;
}

static enum sp_code
store_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    struct cutstore *c = ((struct handle *)b)->c;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    if ((rc = alive(c, e)) == SP_OK)
        *ret_ns = CUT_BEGINNING + (int64_t)c->operations * CUT_TICK;
    sp_mutex_unlock(&c->lock);
    return rc;
}

/* What has no name yet is nowhere but in its writer. */
static enum sp_code
store_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    struct cutstore *c = ((struct handle *)b)->c;
    enum sp_code rc;

    (void)dead;
    (void)arg;
    sp_mutex_lock(&c->lock);
    rc = alive(c, e);
    sp_mutex_unlock(&c->lock);
    return rc;
}

static void
store_close(struct sp_backend *b)
{
    free(b);
}

static const struct sp_backend_ops cut_ops = {.kind = "cut",
    .begin = store_begin,
    .write = store_write,
    .publish = store_publish,
    .abort = store_abort,
    .sync = store_sync,
    .get = store_get,
    .size = store_size,
    .list = store_list,
    .remove = store_remove,
    .move = store_move,
    .space = store_space,
    .written = store_written,
    .now = store_now,
    .sweep = store_sweep,
    .free = store_close};

/* --- the store ----------------------------------------------------------------------------- */

struct cutstore *
cutstore_new(bool flush_file, bool flush_folder)
{
    struct cutstore *c = must(calloc(1, sizeof(*c)));

    c->flush_file = flush_file;
    c->flush_folder = flush_folder;
    sp_mutex_init(&c->lock);
    return c;
}

void
cutstore_free(struct cutstore *c)
{
    if (c == NULL)
        return;
    while (c->names != NULL) {
        struct cut_name *next = c->names->next;

        free(c->names);
        c->names = next;
    }
    while (c->bytes != NULL) {
        struct cut_bytes *next = c->bytes->next;

        free(c->bytes);
        c->bytes = next;
    }
    free(c->base.v);
    free(c->now.v);
    free(c->ops);
    sp_mutex_destroy(&c->lock);
    free(c);
}

struct sp_backend *
cutstore_open(struct cutstore *c)
{
    struct handle *h = must(calloc(1, sizeof(*h)));

    h->head.ops = &cut_ops;
    h->head.caps = (struct sp_backend_caps){c->flush_file, c->flush_folder, true, true, true, true};
    h->c = c;
    h->number = ++c->handles;
    sp_store_le64(h->head.run, h->number);
    sp_store_le64(h->head.run + 8, c->generation); /* another one after each cut */
    return &h->head;
}

uint64_t
cutstore_operations(const struct cutstore *c)
{
    return c->operations;
}

void
cutstore_idle(struct cutstore *c)
{
    (void)append(c, CUT_IDLE, 0);
}

void
cutstore_die_after(struct cutstore *c, uint64_t operations)
{
    c->die_after = operations;
}

void
cutstore_refuse_sync(struct cutstore *c, uint64_t operations)
{
    c->refuse_sync = operations;
}

static const struct cut_op *
find_op(const struct cutstore *c, uint64_t k)
{
    for (size_t i = 0; i < c->nops; i++)
        if (c->ops[i].number == k && c->ops[i].kind < CUT_IDLE)
            return &c->ops[i];
    return NULL;
}

const char *
cutstore_operation(const struct cutstore *c, uint64_t k)
{
    static const char *const words[] = {
        "begin", "write", "publish", "abort", "sync", "remove", "move"};
    const struct cut_op *op = find_op(c, k);
    struct cutstore *told = (struct cutstore *)(uintptr_t)c;

    if (op == NULL)
        return "the beginning";
    (void)snprintf(told->told, sizeof(told->told), "%s%s%s%s%s", words[op->kind],
        op->name != NULL ? " " : "", op->name != NULL ? op->name->s : "",
        op->to != NULL ? " to " : "", op->to != NULL ? op->to->s : "");
    return c->told;
}

bool
cutstore_is_sync(const struct cutstore *c, uint64_t k)
{
    const struct cut_op *op = find_op(c, k);

    return op != NULL && op->kind == CUT_SYNC;
}
