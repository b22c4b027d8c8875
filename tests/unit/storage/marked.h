#ifndef SP_TESTS_MARKED_H
#define SP_TESTS_MARKED_H

/* A place with one host, and marks of what lies in it. Include after place.h. */

#include "storage/backend_memory.h"
#include "storage/repository_impl.h"

static struct place place;
static struct party host;

static inline int
begin(void **state)
{
    (void)state;
    place_begin(&place, false);
    party_init(&host, "host", NULL);
    place_admit(&place, &host);
    return 0;
}

static inline int
end(void **state)
{
    (void)state;
    party_free(&host);
    place_end(&place);
    return 0;
}

struct gather {
    struct sp_mark_pack packs[64];
    size_t n;
    bool data, nodes;
};

static inline enum sp_code
take_pack(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct gather *g = arg;
    enum sp_pack_kind kind;

    (void)size;
    (void)e;
    if (!sp_pack_object_parse(object, &kind, g->packs[g->n].name) ||
        !(kind == SP_PACK_DATA ? g->data : g->nodes))
        return SP_OK;
    assert_true(g->n < 63);
    g->packs[g->n++].kind = (uint8_t)kind;
    return SP_OK;
}

/* Marks all packs of these kinds that are there. */
static inline void
mark_all(bool data, bool nodes, char object[96])
{
    static uint8_t number;
    struct gather g = {.data = data, .nodes = nodes};
    struct sp_mark m = {.id = {7, ++number}, .packs = g.packs};
    struct sp_buf b = SP_BUF_INIT;

    ok(sp_backend_list(place.below, "packs", take_pack, &g, &err));
    ok(sp_backend_list(place.below, "nodes", take_pack, &g, &err));
    qsort(g.packs, g.n, sizeof(g.packs[0]), sp_mark_pack_cmp);
    m.n = g.n;
    assert_true(m.n > 0);
    ok(sp_mark_encode(&m, &b, &err));
    sp_mark_object_name(m.id, object);
    ok(sp_backend_put(place.below, object, b.data, b.len, &err));
    sp_buf_free(&b);
}

static inline struct sp_store *
open_store(struct recorder **ret, const char *cache)
{
    struct sp_repository *r;
    struct sp_store *s;

    ok(place_open(&place, true, cache, ret, &r));
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    return s;
}

#endif
