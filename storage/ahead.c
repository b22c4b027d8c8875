/* A ring of reads: see ahead.h. */

#include "storage/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"

struct slot {
    struct sp_ahead_read read;
    struct sp_backend_fetch fetch;
    uint8_t *buf; /* of a part; kept for the next one */
    size_t cap;
    enum sp_code rc; /* other than SP_OK: it was not even asked for */
    struct sp_err why;
};

struct sp_ahead {
    struct sp_backend *b;
    sp_ahead_next_fn next;
    void *arg;
    struct slot *ring;
    size_t cap, first, n;
    size_t bytes;               /* of those that are under way */
    struct sp_ahead_read asked; /* did not fit yet */
    bool waiting;
    bool taken; /* ring[first] is the caller's */
};

enum sp_code
sp_ahead_new(
    struct sp_backend *b, sp_ahead_next_fn next, void *arg, struct sp_ahead **ret, struct sp_err *e)
{
    struct sp_ahead *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return sp_fail_nomem(e);
    a->b = b;
    a->next = next;
    a->arg = arg;
    a->cap = b->ahead > 0 ? SP_AHEAD_READS : 1;
    if ((a->ring = calloc(a->cap, sizeof(*a->ring))) == NULL) {
        free(a);
        return sp_fail_nomem(e);
    }
    *ret = a;
    return SP_OK;
}

static enum sp_code
room(struct slot *s, size_t n, struct sp_err *e)
{
    uint8_t *more;

    if (n <= s->cap && s->buf != NULL)
        return SP_OK;
    if ((more = sp_spare_alloc(n)) == NULL)
        return sp_fail_nomem(e);
    sp_spare_free(s->buf);
    s->buf = more;
    s->cap = n;
    return SP_OK;
}

static void
start(struct sp_ahead *a, struct slot *s)
{
    memset(&s->fetch, 0, sizeof(s->fetch));
    s->fetch.name = s->read.name;
    s->fetch.offset = s->read.offset;
    s->fetch.n = s->read.n;
    s->fetch.whole = s->read.whole;
    s->fetch.limit = s->read.limit;
    s->rc = s->read.whole ? SP_OK : room(s, s->read.n, &s->why);
    s->fetch.to = s->buf;
    if (s->rc == SP_OK)
        s->rc = sp_backend_fetch_start(a->b, &s->fetch, &s->why);
}

/* Asks for as much as may be under way; at least for one. */
static void
fill(struct sp_ahead *a)
{
    while (a->n < a->cap) {
        struct slot *s;

        if (!a->waiting) {
            memset(&a->asked, 0, sizeof(a->asked));
            a->waiting = a->next(a->arg, &a->asked);
            if (!a->waiting)
                return;
        }
        if (a->n > 0 && (a->asked.n > a->b->ahead || a->bytes > a->b->ahead - a->asked.n))
            return;
        s = &a->ring[(a->first + a->n++) % a->cap];
        s->read = a->asked;
        a->waiting = false;
        a->bytes += s->read.n;
        start(a, s);
    }
}

/* The first slot is free again. */
static void
drop(struct sp_ahead *a)
{
    struct slot *s = &a->ring[a->first];

    if (s->read.whole)
        free(s->fetch.bytes);
    s->fetch.bytes = NULL;
    if (a->cap > 1) { /* or idle ones would add up */
        sp_spare_free(s->buf);
        s->buf = NULL;
        s->cap = 0;
    }
    a->first = (a->first + 1) % a->cap;
    a->n--;
    a->taken = false;
}

enum sp_code
sp_ahead_take(struct sp_ahead *a, const struct sp_ahead_read **ret_read, const uint8_t **ret,
    size_t *ret_n, struct sp_err *why)
{
    struct slot *s;

    if (a->taken)
        drop(a);
    fill(a);
    *ret_read = NULL;
    *ret = NULL;
    *ret_n = 0;
    if (a->n == 0)
        return SP_OK;
    s = &a->ring[a->first];
    a->taken = true;
    a->bytes -= s->read.n;
    if (s->rc == SP_OK)
        s->rc = sp_backend_fetch_finish(a->b, &s->fetch, &s->why);
    *ret_read = &s->read;
    if (s->rc != SP_OK) {
        s->fetch.bytes = NULL;
        *why = s->why;
        return s->rc;
    }
    *ret = s->read.whole ? s->fetch.bytes : s->buf;
    *ret_n = s->fetch.n;
    fill(a); /* what came makes room: the link stays busy while the caller works on it */
    return SP_OK;
}

enum sp_code
sp_ahead_keep(struct sp_ahead *a, uint8_t **ret, struct sp_err *e)
{
    struct slot *s = &a->ring[a->first];

    if (!a->taken || !s->read.whole || s->fetch.bytes == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "these bytes cannot be kept");
    *ret = s->fetch.bytes;
    s->fetch.bytes = NULL;
    return SP_OK;
}

void
sp_ahead_free(struct sp_ahead *a)
{
    struct sp_err ignored = {0};
    size_t i;

    if (a == NULL)
        return;
    if (a->taken)
        drop(a);
    while (a->n > 0) {
        struct slot *s = &a->ring[a->first];

        if (s->rc == SP_OK && sp_backend_fetch_finish(a->b, &s->fetch, &ignored) != SP_OK)
            s->fetch.bytes = NULL;
        drop(a);
    }
    for (i = 0; i < a->cap; i++)
        sp_spare_free(a->ring[i].buf);
    free(a->ring);
    free(a);
}
