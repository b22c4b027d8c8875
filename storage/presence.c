/* An array of packs in the order they were heard of, and a hash table of ordinals over it: see
 * presence.h. */

#include "storage/presence.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct origin {
    uint8_t uploader[16], group[16];
};

struct sp_presence {
    struct sp_pack_state *packs;
    size_t count, cap;
    uint32_t *table; /* ordinal + 1; names are SHA-256, computed by us or those of good packs */
    size_t table_cap;
    struct origin *origins;
    size_t norigins, origins_cap;
    uint32_t listing;
};

enum sp_code
sp_presence_new(struct sp_presence **ret, struct sp_err *e)
{
    struct sp_presence *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return sp_fail_nomem(e);
    *ret = p;
    return SP_OK;
}

void
sp_presence_free(struct sp_presence *p)
{
    if (p == NULL)
        return;
    free(p->packs);
    free(p->table);
    free(p->origins);
    free(p);
}

size_t
sp_presence_count(const struct sp_presence *p)
{
    return p->count;
}

struct sp_pack_state *
sp_presence_at(const struct sp_presence *p, uint32_t ordinal)
{
    return &p->packs[ordinal];
}

/* The place of the pack's ordinal in the table, or the empty one where it belongs. */
static uint32_t *
place_of(const struct sp_presence *p, enum sp_pack_kind kind, const uint8_t *name)
{
    size_t i = (size_t)sp_le64(name) & (p->table_cap - 1);

    for (; p->table[i] != 0; i = (i + 1) & (p->table_cap - 1)) {
        const struct sp_pack_state *s = &p->packs[p->table[i] - 1];

        if (s->kind == (uint8_t)kind && memcmp(s->name, name, 32) == 0)
            break;
    }
    return &p->table[i];
}

uint32_t
sp_presence_find(const struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32])
{
    if (p->table_cap == 0)
        return SP_NO_PACK;
    return *place_of(p, kind, name) - 1; /* 0 - 1 is SP_NO_PACK */
}

static enum sp_code
grow(struct sp_presence *p, struct sp_err *e)
{
    size_t cap = p->cap == 0 ? 64 : p->cap * 2, table_cap = cap * 2, i;
    struct sp_pack_state *packs;
    uint32_t *table;

    if (cap >= SP_NO_PACK)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE, "the repository has too many packs");
    if ((packs = realloc(p->packs, cap * sizeof(*packs))) == NULL)
        return sp_fail_nomem(e);
    p->packs = packs;
    if ((table = calloc(table_cap, sizeof(*table))) == NULL)
        return sp_fail_nomem(e);
    free(p->table);
    p->table = table;
    p->table_cap = table_cap;
    p->cap = cap;
    /* In order, so that of two with one name the newer stays. */
    for (i = 0; i < p->count; i++)
        *place_of(p, (enum sp_pack_kind)packs[i].kind, packs[i].name) = (uint32_t)i + 1;
    return SP_OK;
}

/* A new pack; an older one of that name and another size is forgotten by the table. */
static enum sp_code
append(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t *name, uint64_t size,
    uint32_t *ret, struct sp_err *e)
{
    struct sp_pack_state *s;
    enum sp_code rc;

    if (p->count == p->cap && (rc = grow(p, e)) != SP_OK)
        return rc;
    s = &p->packs[p->count];
    memset(s, 0, sizeof(*s));
    memcpy(s->name, name, 32);
    s->kind = (uint8_t)kind;
    s->size = size;
    *ret = (uint32_t)p->count++;
    *place_of(p, kind, name) = *ret + 1;
    return SP_OK;
}

/* The pack as we know by our own eyes that it is. */
static enum sp_code
settle(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t *name, uint64_t size,
    uint32_t *ret, struct sp_err *e)
{
    uint32_t at = sp_presence_find(p, kind, name);

    if (at == SP_NO_PACK || p->packs[at].size != size)
        return append(p, kind, name, size, ret, e);
    *ret = at;
    return SP_OK;
}

enum sp_code
sp_presence_mention(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32],
    uint64_t size, uint32_t *ret, struct sp_err *e)
{
    uint32_t at = sp_presence_find(p, kind, name);

    if (at != SP_NO_PACK && p->packs[at].size != size && p->packs[at].listed) {
        *ret = SP_NO_PACK;
        return SP_OK;
    }
    return settle(p, kind, name, size, ret, e);
}

enum sp_code
sp_presence_origin(struct sp_presence *p, const uint8_t uploader[16], const uint8_t group[16],
    uint32_t *ret, struct sp_err *e)
{
    size_t i;

    /* Hosts are few; packs of one host come in a row. */
    for (i = p->norigins; i-- > 0;)
        if (memcmp(p->origins[i].uploader, uploader, 16) == 0 &&
            memcmp(p->origins[i].group, group, 16) == 0)
            break;
    if (i == SIZE_MAX) {
        if (p->norigins == p->origins_cap) {
            size_t cap = p->origins_cap == 0 ? 8 : p->origins_cap * 2;
            struct origin *more = realloc(p->origins, cap * sizeof(*more));

            if (more == NULL)
                return sp_fail_nomem(e);
            p->origins = more;
            p->origins_cap = cap;
        }
        i = p->norigins++;
        memcpy(p->origins[i].uploader, uploader, 16);
        memcpy(p->origins[i].group, group, 16);
    }
    *ret = (uint32_t)i;
    return SP_OK;
}

const uint8_t *
sp_presence_uploader(const struct sp_presence *p, const struct sp_pack_state *s)
{
    return p->origins[s->origin].uploader;
}

const uint8_t *
sp_presence_group(const struct sp_presence *p, const struct sp_pack_state *s)
{
    return p->origins[s->origin].group;
}

void
sp_presence_list_begin(struct sp_presence *p)
{
    p->listing++;
}

enum sp_code
sp_presence_list_see(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32],
    uint64_t size, struct sp_err *e)
{
    struct sp_pack_state *s;
    uint32_t at;
    enum sp_code rc;

    if (size < SP_PACK_MIN_SIZE)
        return SP_OK;
    if ((rc = settle(p, kind, name, size, &at, e)) != SP_OK)
        return rc;
    s = &p->packs[at];
    s->seen = p->listing;
    s->fresh = false;
    return SP_OK;
}

bool
sp_presence_seen(const struct sp_presence *p, uint32_t ordinal)
{
    return p->packs[ordinal].seen == p->listing;
}

void
sp_presence_keep(struct sp_presence *p, uint32_t ordinal)
{
    p->packs[ordinal].seen = p->listing;
}

void
sp_presence_list_end(struct sp_presence *p, size_t *ret_lost)
{
    size_t i, lost = 0;

    for (i = 0; i < p->count; i++) {
        struct sp_pack_state *s = &p->packs[i];
        bool there = s->seen == p->listing;

        if (s->listed && !s->bad && !there) /* a bad one was lost before */
            lost++;
        s->listed = there;
    }
    *ret_lost = lost;
}

enum sp_code
sp_presence_finished(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32],
    uint64_t size, uint32_t origin, uint32_t *ret, struct sp_err *e)
{
    struct sp_pack_state *s;
    uint32_t at;
    enum sp_code rc;

    if ((rc = settle(p, kind, name, size, &at, e)) != SP_OK)
        return rc;
    s = &p->packs[at];
    s->origin = origin;
    s->seen = p->listing;
    s->listed = s->fresh = true;
    s->bad = false;
    *ret = at;
    return SP_OK;
}

void
sp_presence_marks_begin(struct sp_presence *p)
{
    for (size_t i = 0; i < p->count; i++) {
        p->packs[i].was_marked = p->packs[i].marked;
        p->packs[i].marked = false;
    }
}

void
sp_presence_mark(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32])
{
    uint32_t at = sp_presence_find(p, kind, name);

    if (at != SP_NO_PACK)
        p->packs[at].marked = true;
}

size_t
sp_presence_marks_end(struct sp_presence *p)
{
    size_t news = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct sp_pack_state *s = &p->packs[i];

        news += s->marked && !s->was_marked && s->listed && !s->bad;
    }
    return news;
}
