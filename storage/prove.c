/* Node packs are read back: see repository_impl.h.
 *
 * The walk of a closure reads headers only, and stops at nodes that are known whole; so bytes of a
 * node that rotted where they lie would be relied on by set after set, and by then no machine may
 * have what to write them from. So a run reads node packs of its host whole before it relies on
 * them, and a bad one counts as absent (R6).
 *
 * Which: those whose reading (or writing) is longest ago. A little in any case, which is all of
 * them where there are some hundred thousand files; beyond it those that were not read for a week,
 * or never by this machine, a seventh of all bytes at a time. So each is read within a week by
 * daily runs and within seven runs by rarer ones, and no run begins with reading everything: a
 * store far away gives megabytes a second (a whole week's share of 10 TiB of images, 5 GB of nodes,
 * is 0.7 GB). */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/ahead.h"
#include "storage/crypto.h"
#include "storage/repository_impl.h"

#define FRESH_MIN (6u * 60) /* in one process: a run relies on what it read at its beginning */
#define LIFE_MIN (7u * 24 * 60)
#define LITTLE (UINT64_C(8) << 20)
#define SHARE 7
#define SMALL (UINT64_C(1) << 20)

struct candidate {
    struct sp_pack_state state;
    uint32_t ordinal;
};

struct candidates {
    struct candidate *v;
    size_t n, cap;
    uint64_t total; /* bytes of all packs of the host, fresh ones included */
};

uint32_t
sp_prove_now(const struct sp_repository *r)
{
    return (uint32_t)(sp_clock_wall(r->env->clock) / (60 * SP_SECOND));
}

void
sp_prove_note(struct sp_pack_state *s, uint32_t now_min)
{
    s->proved_min = now_min;
    s->proved = true;
}

/* A time ahead of the clock says nothing. */
static uint32_t
age(const struct sp_pack_state *s, uint32_t now)
{
    return s->proved_min == 0 || s->proved_min > now ? UINT32_MAX : now - s->proved_min;
}

static int
oldest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->state.proved_min != y->state.proved_min)
        return x->state.proved_min < y->state.proved_min ? -1 : 1;
    return memcmp(x->state.name, y->state.name, sizeof(x->state.name));
}

static enum sp_code
add(struct candidates *l, uint32_t ordinal, const struct sp_pack_state *s, struct sp_err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct candidate *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = (struct candidate){*s, ordinal};
    return SP_OK;
}

static enum sp_code
gather(struct sp_repository *r, const uint8_t *host, uint32_t now, struct candidates *l,
    struct sp_err *e)
{
    enum sp_code rc = SP_OK;
    size_t i;

    sp_mutex_lock(&r->lock);
    for (i = 0; i < sp_presence_count(r->presence) && rc == SP_OK; i++) {
        const struct sp_pack_state *s = sp_presence_at(r->presence, (uint32_t)i);

        if (s->kind != SP_PACK_NODES || !sp_pack_relied(s) ||
            memcmp(sp_presence_uploader(r->presence, s), host, 16) != 0)
            continue;
        l->total += s->size;
        if (!s->proved || age(s, now) >= FRESH_MIN)
            rc = add(l, (uint32_t)i, s, e);
    }
    sp_mutex_unlock(&r->lock);
    if (l->n > 1)
        qsort(l->v, l->n, sizeof(*l->v), oldest_first);
    return rc;
}

static enum sp_code
alive(void *arg, const struct sp_pack_block *place, const uint8_t *block, struct sp_err *e)
{
    (void)place;
    (void)block;
    return sp_repository_live(arg, e);
}

/* What reading the pack came to. */
static enum sp_code
judge(struct sp_repository *r, const struct candidate *c, uint32_t now, enum sp_code rc,
    const struct sp_err *failed, struct sp_err *e)
{
    const struct sp_pack_state *s = &c->state;
    struct sp_err why = *failed;

    if (rc == SP_IO) /* once more: a store far away has its moments */
        rc = sp_pack_verify(r->backend, SP_PACK_NODES, s->name, s->size, alive, r, &why);
    if (rc == SP_OK) {
        sp_mutex_lock(&r->lock);
        sp_prove_note(sp_presence_at(r->presence, c->ordinal), now);
        sp_mutex_unlock(&r->lock);
        return SP_OK;
    }
    if (sp_store_fatal(rc)) {
        *e = why;
        return rc;
    }
    if (rc == SP_CORRUPT)
        sp_distrust_keep(r, s);
    sp_repository_distrust(r, c->ordinal);
    return SP_OK;
}

static enum sp_code
prove(struct sp_repository *r, const struct candidate *c, uint32_t now, struct sp_err *e)
{
    const struct sp_pack_state *s = &c->state;
    struct sp_err why = {0};
    enum sp_code rc = sp_pack_verify(r->backend, SP_PACK_NODES, s->name, s->size, alive, r, &why);

    return judge(r, c, now, rc, &why, e);
}

struct asking {
    const struct candidate *v;
    size_t n, at;
};

static bool
next_small(void *arg, struct sp_ahead_read *ret)
{
    struct asking *a = arg;
    const struct sp_pack_state *s;

    while (a->at < a->n && a->v[a->at].state.size > SMALL)
        a->at++;
    if (a->at == a->n)
        return false;
    s = &a->v[a->at].state;
    sp_pack_object_name(SP_PACK_NODES, s->name, ret->name);
    ret->n = (size_t)s->size;
    ret->tag = a->at++;
    return true;
}

/* Those of a store far away, each in one piece and many of them at a time. */
static enum sp_code
prove_small(
    struct sp_repository *r, const struct candidate *v, size_t n, uint32_t now, struct sp_err *e)
{
    struct asking asking = {v, n, 0};
    struct sp_ahead *ahead = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *bytes;
    size_t len;
    enum sp_code rc, got;

    if ((rc = sp_ahead_new(r->backend, next_small, &asking, &ahead, e)) != SP_OK)
        return rc;
    while (rc == SP_OK && (rc = sp_repository_live(r, e)) == SP_OK) {
        struct sp_err why = {0};

        got = sp_ahead_take(ahead, &read, &bytes, &len, &why);
        if (read == NULL)
            break;
        if (got == SP_OK)
            got = sp_pack_verify_bytes(
                SP_PACK_NODES, v[read->tag].state.name, bytes, len, alive, r, &why);
        rc = judge(r, &v[read->tag], now, got, &why, e);
    }
    sp_ahead_free(ahead);
    return rc;
}

enum sp_code
sp_prove_nodes(struct sp_repository *r, const uint8_t host[16], bool *ret_any, struct sp_err *e)
{
    struct candidates l = {NULL, 0, 0, 0};
    uint32_t now = sp_prove_now(r);
    uint64_t bytes = 0, due = 0;
    size_t i, n = 0;
    bool far = r->backend->ahead > 0;
    enum sp_code rc;

    if ((rc = gather(r, host, now, &l, e)) != SP_OK)
        goto out;
    for (i = 0; i < l.n; i++) {
        const struct candidate *c = &l.v[i];

        if (bytes + c->state.size > LITTLE) {
            if (age(&c->state, now) < LIFE_MIN || due >= l.total / SHARE)
                continue;
            due += c->state.size;
        }
        bytes += c->state.size;
        l.v[n++] = l.v[i];
    }
    if (far)
        rc = prove_small(r, l.v, n, now, e);
    for (i = 0; i < n && rc == SP_OK; i++)
        if ((!far || l.v[i].state.size > SMALL) && (rc = sp_repository_live(r, e)) == SP_OK)
            rc = prove(r, &l.v[i], now, e);
    if (rc == SP_OK)
        *ret_any = bytes > 0;
out:
    free(l.v);
    return rc;
}
