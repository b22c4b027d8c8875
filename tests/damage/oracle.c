#include "tests/damage/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/presence.h"
#include "tests/unit/base/support.h"

static bool
same_group(const struct world *w, size_t a, size_t b)
{
    return memcmp(w->sites[a].host.group, w->sites[b].host.group, 16) == 0;
}

/* --- packs -------------------------------------------------------------------------------------
 */

/* Whether a good segment of the index speaks of the pack. */
static bool
indexed(const struct oracle *o, const struct pack *p)
{
    enum sp_pack_kind kind;
    uint8_t name[32];

    assert_true(sp_pack_object_parse(p->object, &kind, name));
    for (size_t i = 0; i < o->s->n; i++) {
        const struct object *x = &o->s->v[i];
        uint32_t packs;

        if (x->kind != INDEX || x->n < 32 || !object_named_by_hash(x))
            continue;
        memcpy(&packs, x->p + 8, 4);
        for (uint32_t k = 0; k < packs; k++) {
            const uint8_t *row = x->p + 32 + 96 * (size_t)k;
            uint64_t size;

            memcpy(&size, row + 64, 8);
            if (memcmp(row, name, 32) == 0 && size == p->size && row[72] == (uint8_t)p->kind)
                return true;
        }
    }
    return false;
}

struct view { /* an object under a pack's name */
    const struct object *x;
    enum sp_pack_kind kind;   /* by the name */
    const struct pack *named; /* the pack of that name and size; NULL: none, or another size */
    const struct pack *tail;  /* the pack that its end is of; NULL: of none */
    bool right;               /* … is the one of that name: its trailer is believed */
    bool indexed;
    size_t bad_blocks;
};

static const struct pack *
pack_of_tail(const struct world *w, const struct object *x)
{
    for (size_t i = 0; i < w->npacks; i++) {
        const struct pack *p = &w->packs[i];

        if (p->size == x->n &&
            memcmp(x->p + x->n - p->trailer_n, p->p + x->n - p->trailer_n, p->trailer_n) == 0)
            return p;
    }
    return NULL;
}

static void
mark(const struct oracle *o, const struct sp_pack_block *b, uint8_t *lo, uint8_t *hi)
{
    for (uint32_t j = 0; j < b->nids; j++) {
        uint32_t id = world_chunk(o->w, b->ids + 32 * (size_t)j);

        if (lo != NULL)
            lo[id] = 1;
        if (hi != NULL)
            hi[id] = 1;
    }
}

/* Which sites' sets may rely on what that pack holds. */
static bool
relied_by(const struct world *w, const struct pack *p, size_t site)
{
    return p->kind == SP_PACK_NODES ? p->site == site : same_group(w, p->site, site);
}

static void
mark_use(struct oracle *o, const struct view *v, const struct pack *from,
    const struct sp_pack_block *b, bool good)
{
    for (size_t site = 0; site < SITES; site++) {
        if (!relied_by(o->w, from, site))
            continue;
        /* Without reading, a damaged block is as good as any; but of node packs headers are read.
         */
        mark(o, b,
            (good || from->kind != SP_PACK_NODES) &&
                    !(v->bad_blocks > 0 && from->kind == SP_PACK_NODES)
                ? o->use_lo[0][site]
                : NULL,
            o->use_hi[0][site]);
        if (good)
            mark(o, b, o->use_lo[1][site], o->use_hi[1][site]);
    }
}

/* The index leads into another pack of the very same size: what two have in common may be there. */
static void
mark_strange(struct oracle *o, const struct view *v, const struct sp_pack_block *at)
{
    for (size_t k = 0; k < sp_pack_trailer_count(v->tail->trailer); k++) {
        struct sp_pack_block b;

        sp_pack_trailer_block(v->tail->trailer, k, &b);
        if (b.offset == at->offset && b.length == at->length)
            mark(o, &b, NULL, o->get_hi);
    }
}

static void
look_at_pack(struct oracle *o, struct view *v)
{
    const struct pack *from = v->indexed ? v->named : v->right ? v->tail : NULL;
    size_t k;

    if (from == NULL)
        return;
    for (k = 0; k < sp_pack_trailer_count(from->trailer); k++) {
        struct sp_pack_block b;

        sp_pack_trailer_block(from->trailer, k, &b);
        v->bad_blocks += memcmp(v->x->p + b.offset, from->p + b.offset, b.length) != 0;
    }
    for (k = 0; k < sp_pack_trailer_count(from->trailer); k++) {
        struct sp_pack_block b;
        bool good;

        sp_pack_trailer_block(from->trailer, k, &b);
        good = memcmp(v->x->p + b.offset, from->p + b.offset, b.length) == 0;
        if (good)
            mark(o, &b, o->get_lo, o->get_hi);
        else if (v->indexed && v->tail != NULL && v->tail != from)
            mark_strange(o, v, &b);
        if (v->right)
            mark_use(o, v, from, &b, good);
        if (!good && v->kind == SP_PACK_DATA)
            o->data_in_place = true;
    }
}

static void
judge_pack(struct oracle *o, size_t i)
{
    struct view v = {.x = &o->s->v[i]};
    uint8_t name[32];

    assert_true(sp_pack_object_parse(v.x->name, &v.kind, name));
    if (v.x->n < SP_PACK_MIN_SIZE) {
        o->object[0][i] = o->object[1][i] = MUST;
        return;
    }
    for (size_t k = 0; k < o->w->npacks; k++)
        if (strcmp(o->w->packs[k].object, v.x->name) == 0 && o->w->packs[k].size == v.x->n)
            v.named = &o->w->packs[k];
    v.indexed = v.named != NULL && indexed(o, v.named);
    v.tail = pack_of_tail(o->w, v.x);
    v.right = v.tail != NULL && strcmp(v.tail->object, v.x->name) == 0;
    look_at_pack(o, &v);
    if (v.kind == SP_PACK_DATA && !object_named_by_hash(v.x))
        o->data_unseen = true;
    o->object[0][i] = v.right ? CLEAN : MUST;
    if (!object_named_by_hash(v.x))
        o->object[1][i] = MUST;
}

/* --- small objects and records -----------------------------------------------------------------
 */

static bool
as_it_was(const struct oracle *o, const struct object *x)
{
    const struct object *was = state_find(&o->w->whole, x->name);

    return was != NULL && was->n == x->n && memcmp(was->p, x->p, x->n) == 0;
}

/* Bytes that are whole, but of another name. */
static bool
of_another(const struct oracle *o, const struct object *x)
{
    for (size_t i = 0; i < o->w->whole.n; i++)
        if (o->w->whole.v[i].n == x->n && memcmp(o->w->whole.v[i].p, x->p, x->n) == 0)
            return true;
    return false;
}

static bool
grew(const struct oracle *o, const struct object *x)
{
    const struct object *was = state_find(&o->w->whole, x->name);

    return was != NULL && was->n < x->n && memcmp(was->p, x->p, was->n) == 0;
}

static void
judge_other(struct oracle *o, size_t i)
{
    const struct object *x = &o->s->v[i];
    enum verdict v = MUST;

    if (x->kind == INDEX || x->kind == OTHER || as_it_was(o, x))
        v = CLEAN; /* hints and strangers are notes */
    else if (x->n == 0 || x->kind == CONF)
        v = MUST;
    else if (x->kind == SET || x->kind == CHECKPOINT)
        v = grew(o, x) ? MAY : MUST;
    else if (x->kind == HOST && of_another(o, x))
        /* The versions of one host's record may stand for each other. */
        v = MAY;
    else
        v = of_another(o, x) ? MUST : MAY; /* without keys not every change shows */
    o->object[0][i] = o->object[1][i] = v;
}

static void
judge_records(struct oracle *o)
{
    size_t i;

    for (i = 0; i < o->w->nsets; i++) {
        const struct object *x = state_find(o->s, o->w->sets[i].object);

        o->record[i] = x == NULL || x->n == 0 ? GONE
                       : as_it_was(o, x)      ? INTACT
                       : grew(o, x)           ? MAYBE
                                              : BAD;
        if (x != NULL && x->n == 0)
            o->record[i] = BAD;
    }
    for (i = 0; i < SITES; i++) {
        char prefix[80];
        size_t k, whole = 0, here = 0;

        (void)snprintf(prefix, sizeof prefix, "hosts/%s", sp_hex16(o->w->sites[i].host.id).s);
        for (k = 0; k < o->w->whole.n; k++)
            whole += strncmp(o->w->whole.v[k].name, prefix, strlen(prefix)) == 0;
        for (k = 0; k < o->s->n; k++)
            if (strncmp(o->s->v[k].name, prefix, strlen(prefix)) == 0)
                here += as_it_was(o, &o->s->v[k]) ? 1 : 100;
        o->host[i] = here == whole ? INTACT : here == 0 ? GONE : MAYBE;
    }
}

/* --- all together ------------------------------------------------------------------------------
 */

void
oracle_ask(const struct world *w, const struct state *s, struct oracle *o)
{
    const struct object *conf = state_find(s, "repository.conf");

    memset(o, 0, sizeof *o);
    o->w = w;
    o->s = s;
    o->get_lo = calloc(w->nchunks, 1);
    o->get_hi = calloc(w->nchunks, 1);
    for (int depth = 0; depth < 2; depth++)
        for (size_t i = 0; i < SITES; i++) {
            o->use_lo[depth][i] = calloc(w->nchunks, 1);
            o->use_hi[depth][i] = calloc(w->nchunks, 1);
        }
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].kind == DATA || s->v[i].kind == NODES)
            judge_pack(o, i);
        else
            judge_other(o, i);
    }
    judge_records(o);
    o->opens = conf != NULL && as_it_was(o, conf);
}

void
oracle_clear(struct oracle *o)
{
    free(o->get_lo);
    free(o->get_hi);
    for (int depth = 0; depth < 2; depth++)
        for (size_t i = 0; i < SITES; i++) {
            free(o->use_lo[depth][i]);
            free(o->use_hi[depth][i]);
        }
}

static bool
any_without(const struct ids *l, const uint8_t *have)
{
    for (size_t i = 0; i < l->n; i++)
        if (!have[l->v[i]])
            return true;
    return false;
}

enum verdict
oracle_set(const struct oracle *o, size_t set, int depth)
{
    const struct known_set *k = &o->w->sets[set];
    enum verdict v = CLEAN;

    if (o->record[set] == BAD)
        return MUST;
    if (o->record[set] == GONE)
        return CLEAN; /* what follows it is told of, or who remembers it */
    if (any_without(&k->needs, o->use_hi[depth][k->site]))
        return MUST;
    if (o->record[set] == MAYBE || o->host[k->site] != INTACT ||
        any_without(&k->needs, o->use_lo[depth][k->site]))
        v = MAY;
    for (size_t i = 0; i < o->w->nsets; i++) {
        const struct known_set *p = &o->w->sets[i];

        if (p->site != k->site || p->kind != SET || p->set.sequence + 1 != k->set.sequence ||
            o->record[i] == INTACT)
            continue;
        if (o->record[i] == GONE)
            return MUST; /* the gap is told at the set behind it */
        v = MAY;
    }
    return v;
}

enum verdict
oracle_file(const struct oracle *o, const struct file *f)
{
    if (any_without(&f->trees, o->get_hi) || any_without(&f->content, o->get_hi))
        return MUST;
    return any_without(&f->trees, o->get_lo) || any_without(&f->content, o->get_lo) ? MAY : CLEAN;
}

enum verdict
oracle_named(const struct oracle *o, size_t set, const struct file *f, int depth)
{
    size_t site = o->w->sets[set].site;

    if (!any_without(&f->content, o->use_lo[depth][site]) && !any_without(&f->content, o->get_lo))
        return CLEAN;
    if (any_without(&f->trees, o->get_lo))
        return MAY; /* a part of the catalog is named instead */
    if (any_without(&f->trees, o->use_lo[depth][site]))
        return MAY; /* what hangs below a node that is not counted on is not looked for */
    for (size_t i = 0; i < f->content.n; i++) {
        uint32_t id = f->content.v[i];

        if (!o->get_hi[id] && !o->use_hi[depth][site][id])
            return MUST;
    }
    return MAY;
}

enum verdict
oracle_all(const struct oracle *o, int depth)
{
    enum verdict v = CLEAN;
    size_t i;

    for (i = 0; i < o->s->n; i++)
        if (o->object[depth][i] > v)
            v = o->object[depth][i];
    for (i = 0; i < o->w->nsets; i++)
        if (o->w->sets[i].kind == SET && oracle_set(o, i, depth) > v)
            v = oracle_set(o, i, depth);
    for (i = 0; i < SITES; i++) {
        if (o->host[i] == GONE)
            return MUST;
        if (o->host[i] == MAYBE && v == CLEAN)
            v = MAY;
    }
    return v;
}

bool
oracle_head_lost(const struct oracle *o, size_t site)
{
    const struct known_set *newest = world_newest(o->w, site);

    return o->record[newest - o->w->sets] == GONE || o->record[newest - o->w->sets] == BAD;
}
