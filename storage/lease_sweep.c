/* What dead runs left: temporary files and leases. See lease.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/lease.h"

struct found { /* one lease object */
    uint8_t run[16];
    uint64_t n;
    bool lives;
};

struct leases {
    struct sp_backend *b;
    int64_t now_ns; /* by the store's clock */
    struct found *v;
    size_t n, cap;
};

static bool
old(const struct leases *l, int64_t written_ns)
{
    return l->now_ns - written_ns > SP_LEASE_DEAD;
}

static enum sp_code
note(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct leases *l = arg;
    struct found f = {.lives = false};

    (void)size;
    if (!sp_lease_object_parse(object, f.run, &f.n))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct found *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = f;
    return SP_OK;
}

/* One whose time cannot be had lives: it may be renewed or given up just now. */
static void
date(struct leases *l)
{
    struct sp_err ignored = {0};
    char object[96];
    int64_t at_ns;

    for (size_t i = 0; i < l->n; i++) {
        sp_lease_object_name(l->v[i].run, l->v[i].n, object);
        l->v[i].lives =
            sp_backend_written(l->b, object, &at_ns, &ignored) != SP_OK || !old(l, at_ns);
    }
}

/* The newest of a run's counts: any that lives. */
static bool
lives(const struct leases *l, const uint8_t *run)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].lives && memcmp(l->v[i].run, run, 16) == 0)
            return true;
    return memcmp(l->b->run, run, 16) == 0;
}

static bool
dead(void *arg, const uint8_t run[16], int64_t written_ns)
{
    const struct leases *l = arg;

    return old(l, written_ns) && !lives(l, run);
}

void
sp_lease_sweep(struct sp_backend *b)
{
    struct leases l = {.b = b};
    struct sp_err ignored = {0};
    char object[96];

    if (!b->caps.writable || !b->caps.remove || sp_backend_now(b, &l.now_ns, &ignored) != SP_OK ||
        sp_backend_list(b, "leases", note, &l, &ignored) != SP_OK)
        goto out;
    date(&l);
    if (sp_backend_sweep(b, dead, &l, &ignored) != SP_OK)
        goto out;
    for (size_t i = 0; i < l.n; i++)
        if (!lives(&l, l.v[i].run)) {
            sp_lease_object_name(l.v[i].run, l.v[i].n, object);
            (void)sp_backend_remove(b, object, &ignored);
        }
out:
    free(l.v);
}
