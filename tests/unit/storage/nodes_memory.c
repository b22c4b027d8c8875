#include "nodes_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

static size_t
slot_of(const struct nodes *m, const struct sp_id *id)
{
    size_t i = (size_t)sp_le64(id->b) & (m->cap - 1);

    while (m->slots[i] != NULL && memcmp(m->slots[i]->id.b, id->b, SP_ID_SIZE) != 0)
        i = (i + 1) & (m->cap - 1);
    return i;
}

static void
grow(struct nodes *m)
{
    struct nodes old = *m;

    m->cap = old.cap * 2;
    m->slots = calloc(m->cap, sizeof(struct sp_node *));
    assert(m->slots != NULL);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i] != NULL)
            m->slots[slot_of(m, &old.slots[i]->id)] = old.slots[i];
    }
    free(old.slots);
}

static void
keep(struct nodes *m, const struct sp_id *id, enum sp_chunk_kind kind, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n)
{
    struct sp_chunk c = {.id = id, .kind = kind, .data = p, .len = n, .refs = refs, .nrefs = nrefs};
    struct sp_node *node = NULL;
    struct sp_err e = {0};
    enum sp_code rc = sp_node_copy(&c, &node, &e);
    size_t i;

    assert(rc == SP_OK);
    (void)rc;
    if (m->used * 2 >= m->cap)
        grow(m);
    i = slot_of(m, id);
    m->used += m->slots[i] == NULL;
    free(m->slots[i]);
    m->slots[i] = node;
}

static enum sp_code
put(void *self, enum sp_chunk_kind kind, const struct sp_id *id, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n, struct sp_err *e)
{
    struct nodes *m = self;

    if (m->fail_put >= 0 && m->fail_put-- == 0)
        return sp_fail(e, SP_FULL, SP_DOM_STORE, "the sink is full");
    m->puts++;
    if (nodes_find(m, id) != NULL)
        return SP_OK;
    m->added++;
    keep(m, id, kind, refs, nrefs, p, n);
    return SP_OK;
}

static enum sp_code
get(void *self, const struct sp_id *ids, size_t n, struct sp_node **ret, struct sp_err *e)
{
    struct nodes *m = self;
    struct sp_node **got = calloc(n, sizeof(struct sp_node *));
    enum sp_code rc;

    assert(got != NULL);
    m->gets++;
    for (size_t i = 0; i < n; i++) {
        const struct sp_node *x = nodes_find(m, &ids[i]);
        struct sp_chunk c;

        if (x == NULL || x->len == SIZE_MAX) {
            rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE, "node %s is absent", sp_hex8(ids[i].b).s);
            goto fail;
        }
        c = (struct sp_chunk){.id = &x->id,
            .kind = x->kind,
            .data = x->data,
            .len = x->len,
            .refs = x->refs,
            .nrefs = x->nrefs};
        if ((rc = sp_node_copy(&c, &got[i], e)) != SP_OK)
            goto fail;
        m->read++;
    }
    memcpy(ret, got, n * sizeof(struct sp_node *));
    free(got);
    return SP_OK;
fail:
    for (size_t i = 0; i < n; i++)
        free(got[i]);
    free(got);
    return rc;
}

void
nodes_init(struct nodes *m)
{
    *m = (struct nodes){.cap = 1024, .fail_put = -1};
    m->slots = calloc(m->cap, sizeof(struct sp_node *));
    assert(m->slots != NULL);
    m->sink = (struct sp_node_sink){put, m};
    m->source = (struct sp_node_source){get, m};
}

void
nodes_free(struct nodes *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i]);
    free(m->slots);
}

struct sp_node *
nodes_find(struct nodes *m, const struct sp_id *id)
{
    return m->slots[slot_of(m, id)];
}

void
nodes_remove(struct nodes *m, const struct sp_id *id)
{
    struct sp_node *n = nodes_find(m, id);

    assert(n != NULL);
    n->len = SIZE_MAX;
}

void
nodes_lie(struct nodes *m, const struct sp_id *id, enum sp_chunk_kind kind,
    const struct sp_id *refs, size_t nrefs, const void *p, size_t n)
{
    keep(m, id, kind, refs, nrefs, p, n);
}
