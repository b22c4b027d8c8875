#include "store_memory.h"

#include <stdlib.h>
#include <string.h>

static struct memory_store *
self(struct sp_store *s)
{
    return (struct memory_store *)(void *)s;
}

static bool
holds(const struct stored_block *b, const struct sp_id *id)
{
    return bsearch(id->b, b->header.ids, b->header.nids, SP_ID_SIZE, sp_id_cmp) != NULL;
}

static enum sp_code
info(struct sp_store *s, struct sp_store_info *ret, struct sp_err *e)
{
    (void)s;
    (void)e;
    memset(ret, 0, sizeof *ret);
    ret->split = sp_split_defaults;
    ret->writable = true;
    strcpy(ret->address, "memory");
    return SP_OK;
}

static enum sp_code
have(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n, uint8_t *ret,
    struct sp_err *e)
{
    struct memory_store *m = self(s);

    (void)e;
    sp_mutex_lock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        ret[i] = SP_HAVE_NO;
        for (size_t b = 0; b < m->nblocks; b++)
            if ((m->blocks[b].header.kind == SP_BLOCK_NODES) == nodes &&
                holds(&m->blocks[b], &ids[i]))
                ret[i] = SP_HAVE_MINE;
    }
    sp_mutex_unlock(&m->lock);
    return SP_OK;
}

static enum sp_code
put(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e)
{
    (void)e;
    memory_store_add(self(s), block, n);
    return SP_OK;
}

static enum sp_code
flush(struct sp_store *s, struct sp_err *e)
{
    (void)s;
    (void)e;
    return SP_OK;
}

static enum sp_code
give(struct memory_store *m, size_t block, const struct sp_id *ids, size_t n, const size_t *where,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    uint32_t *wanted = calloc(n, sizeof *wanted);
    size_t nwanted = 0;
    enum sp_code rc = SP_OK;

    (void)ids;
    if (wanted == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n; i++)
        if (where[i] == block)
            wanted[nwanted++] = (uint32_t)i;
    if (nwanted > 0) {
        m->given++;
        rc = each(arg, m->blocks[block].bytes, m->blocks[block].n, wanted, nwanted, e);
    }
    free(wanted);
    return rc;
}

/* Blocks are never removed while a test restores, so they are read without the lock. */
static enum sp_code
get(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy, sp_store_block_fn each,
    void *arg, struct sp_err *e)
{
    struct memory_store *m = self(s);
    size_t *where = calloc(n + 1, sizeof *where);
    enum sp_code rc = SP_OK;

    if (where == NULL)
        return sp_fail_nomem(e);
    if (m->before_get != NULL)
        m->before_get(m->arg);
    sp_mutex_lock(&m->lock);
    m->gets++;
    m->highest_copy = copy > m->highest_copy ? copy : m->highest_copy;
    m->largest_ask = n > m->largest_ask ? n : m->largest_ask;
    if (m->fail_get > 0 && --m->fail_get == 0)
        rc = sp_fail(e, m->fail_code, SP_DOM_STORE, "the store was made to fail");
    sp_mutex_unlock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        unsigned left = copy;

        where[i] = SIZE_MAX;
        for (size_t b = 0; b < m->nblocks; b++)
            if (holds(&m->blocks[b], &ids[i]) && left-- == 0) {
                where[i] = b;
                break;
            }
    }
    for (size_t b = 0; b < m->nblocks && rc == SP_OK; b++)
        rc = give(m, b, ids, n, where, each, arg, e);
    free(where);
    return rc;
}

static const struct sp_store_ops ops = {
    .kind = "memory", .info = info, .have = have, .put = put, .flush = flush, .get = get};

void
memory_store_init(struct memory_store *m)
{
    memset(m, 0, sizeof *m);
    m->store.ops = &ops;
    sp_mutex_init(&m->lock);
}

void
memory_store_clear(struct memory_store *m)
{
    for (size_t i = 0; i < m->nblocks; i++)
        free(m->blocks[i].bytes);
    free(m->blocks);
    sp_mutex_destroy(&m->lock);
}

void
memory_store_add(struct memory_store *m, uint8_t *block, size_t n)
{
    struct stored_block *p;
    struct sp_err e = {0};

    sp_mutex_lock(&m->lock);
    p = realloc(m->blocks, (m->nblocks + 1) * sizeof *p);
    if (p == NULL)
        abort();
    m->blocks = p;
    p = &m->blocks[m->nblocks++];
    *p = (struct stored_block){.bytes = block, .n = n};
    if (sp_block_header_parse(block, n, &p->header, &e) != SP_OK)
        abort();
    sp_mutex_unlock(&m->lock);
}

void
memory_store_lose(struct memory_store *m, const struct sp_id *id)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->nblocks; i++) {
        if (holds(&m->blocks[i], id))
            free(m->blocks[i].bytes);
        else
            m->blocks[kept++] = m->blocks[i];
    }
    m->nblocks = kept;
}

void
memory_store_damage(struct memory_store *m, const struct sp_id *id, size_t copies)
{
    for (size_t i = 0; i < m->nblocks && copies > 0; i++) {
        struct stored_block *b = &m->blocks[i];

        if (!holds(b, id))
            continue;
        copies--;
        if (!b->bad)
            b->bytes[b->n - 20] ^= 1;
        b->bad = true;
    }
}

void
memory_store_double(struct memory_store *m, const struct sp_id *id)
{
    size_t n = m->nblocks;

    for (size_t i = 0; i < n; i++) {
        uint8_t *copy;

        if (!holds(&m->blocks[i], id))
            continue;
        if ((copy = malloc(m->blocks[i].n)) == NULL)
            abort();
        memcpy(copy, m->blocks[i].bytes, m->blocks[i].n);
        memory_store_add(m, copy, m->blocks[i].n);
    }
}
