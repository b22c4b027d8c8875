/* See remover_live.h. */

#include "remover_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/record.h"

#define RECORD_MAX (16u << 20)

static void *
grow(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = *cap == 0 ? 256 : *cap * 2;
    if ((v = realloc(v, *cap * size)) == NULL)
        abort();
    return v;
}

/* --- packs --------------------------------------------------------------------------------- */

static enum sp_code
see_pack(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct live *l = arg;
    struct live_pack p = {.size = size};

    (void)e;
    if (!sp_pack_object_parse(object, &p.kind, p.name))
        return SP_OK;
    l->packs = grow(l->packs, l->npacks, &l->packs_cap, sizeof(*l->packs));
    l->packs[l->npacks++] = p;
    return SP_OK;
}

static enum sp_code
read_pack(struct live *l, size_t i, struct sp_err *e)
{
    const struct live_pack *p = &l->packs[i];
    struct sp_pack_trailer *t = NULL;
    struct sp_pack_block b;
    enum sp_code rc = sp_pack_trailer_read(l->b, p->kind, p->name, p->size, &t, e);

    if (rc != SP_OK)
        return rc;
    for (size_t k = 0; k < sp_pack_trailer_count(t); k++) {
        sp_pack_trailer_block(t, k, &b);
        for (uint32_t j = 0; j < b.nids; j++) {
            struct live_chunk c = {.pack = (uint32_t)i, .offset = b.offset, .length = b.length};

            memcpy(c.id, b.ids + (size_t)j * 32, 32);
            l->chunks = grow(l->chunks, l->nchunks, &l->chunks_cap, sizeof(*l->chunks));
            l->chunks[l->nchunks++] = c;
        }
    }
    sp_pack_trailer_free(t);
    return SP_OK;
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(((const struct live_chunk *)a)->id, ((const struct live_chunk *)b)->id, 32);
}

/* The first place of the id; n: how many there are. */
static const struct live_chunk *
find(const struct live *l, const uint8_t *id, size_t *ret_n)
{
    size_t lo = 0, hi = l->nchunks, n = 0;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (memcmp(l->chunks[mid].id, id, 32) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    while (lo + n < l->nchunks && memcmp(l->chunks[lo + n].id, id, 32) == 0)
        n++;
    *ret_n = n;
    return n == 0 ? NULL : &l->chunks[lo];
}

/* --- sets ---------------------------------------------------------------------------------- */

static enum sp_code
push(struct live *l, const uint8_t *id, struct sp_err *e)
{
    if (sp_keyset_has(&l->needed, id))
        return SP_OK;
    l->stack = grow(l->stack, l->depth, &l->stack_cap, sizeof(*l->stack));
    memcpy(l->stack[l->depth++], id, 32);
    return sp_keyset_add(&l->needed, id, NULL, e);
}

/* The refs of a node, if that is what it is. */
static enum sp_code
follow(struct live *l, const struct live_chunk *c, struct sp_err *e)
{
    const struct live_pack *p = &l->packs[c->pack];
    struct sp_block_header h;
    struct sp_block_walk w;
    const uint8_t *id, *refs;
    size_t n;
    char object[96];
    uint8_t *block = malloc(c->length);
    enum sp_code rc;

    if (block == NULL)
        abort();
    sp_pack_object_name(p->kind, p->name, object);
    if ((rc = sp_backend_get(l->b, object, c->offset, block, c->length, e)) != SP_OK ||
        (rc = sp_block_header_parse(block, c->length, &h, e)) != SP_OK)
        goto out;
    sp_block_walk_start(&w, &h);
    while (rc == SP_OK && sp_block_walk_next(&w, &id, &refs, &n)) {
        if (memcmp(id, c->id, 32) != 0)
            continue;
        for (size_t i = 0; i < n && rc == SP_OK; i++)
            rc = push(l, refs + i * 32, e);
    }
out:
    free(block);
    return rc;
}

/* *ret_whole = false: something of it is nowhere. */
static enum sp_code
walk(struct live *l, const uint8_t *root, bool *ret_whole, struct sp_err *e)
{
    uint8_t id[32];
    size_t n;
    enum sp_code rc;

    if ((rc = push(l, root, e)) != SP_OK)
        return rc;
    while (l->depth > 0) {
        const struct live_chunk *c;

        memcpy(id, l->stack[--l->depth], 32);
        if ((c = find(l, id, &n)) == NULL) {
            *ret_whole = false;
            continue;
        }
        for (size_t i = 0; i < n; i++) /* without a key every copy of a live id is kept */
            if (l->packs[c[i].pack].kind == SP_PACK_NODES && (rc = follow(l, &c[i], e)) != SP_OK)
                return rc;
    }
    return SP_OK;
}

static enum sp_code
see_record(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct live *l = arg;
    enum sp_record_type type;
    uint8_t host[16], id[16], *p = NULL;
    int64_t at_ns;
    size_t n;
    struct sp_set set;
    struct sp_keyset before = l->needed;
    bool whole = true;
    enum sp_code rc;

    (void)size;
    if (!sp_record_object_parse(object, &type, host, &at_ns, id) || type > SP_RECORD_CHECKPOINT)
        return SP_OK;
    rc = sp_backend_get_all(l->b, object, RECORD_MAX, &p, &n, e);
    if (rc == SP_ABSENT) /* a checkpoint that was replaced just now */
        return SP_OK;
    if (rc == SP_OK)
        rc = sp_set_record_decode(p, n, &set, e);
    if (rc != SP_OK) {
        sp_err_context(e, "%s", object);
        goto out;
    }
    /* Each set is followed by itself, so that each is told what it lacks. */
    sp_keyset_init(&l->needed, (const uint64_t[2]){1, 2});
    rc = walk(l, set.root.b, &whole, e);
    l->sets++;
    l->broken += !whole;
    if (!whole && l->what != NULL)
        (void)printf("%s: %s is not whole\n", l->what, object);
    if (rc == SP_OK)
        rc = sp_keyset_merge(&before, &l->needed, e);
    sp_keyset_clear(&l->needed);
    l->needed = before;
out:
    free(p);
    return rc;
}

enum sp_code
live_read(struct sp_backend *b, const char *what, struct live *ret, struct sp_err *e)
{
    static const char *const prefixes[] = {"packs", "nodes"};
    struct live l = {.b = b, .what = what};
    enum sp_code rc;

    sp_keyset_init(&l.needed, (const uint64_t[2]){1, 2});
    if ((rc = sp_backend_list_all(b, prefixes, 2, see_pack, &l, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < l.npacks; i++)
        if ((rc = read_pack(&l, i, e)) != SP_OK)
            goto out;
    if (l.nchunks > 0)
        qsort(l.chunks, l.nchunks, sizeof(*l.chunks), by_id);
    if ((rc = sp_backend_list(b, "sets", see_record, &l, e)) != SP_OK)
        goto out;
    *ret = l;
    return SP_OK;
out:
    live_free(&l);
    return rc;
}

void
live_free(struct live *l)
{
    sp_keyset_clear(&l->needed);
    free(l->packs);
    free(l->chunks);
    free(l->stack);
}

bool
live_needs(const struct live *l, size_t pack)
{
    for (size_t i = 0; i < l->nchunks; i++)
        if (l->chunks[i].pack == pack && sp_keyset_has(&l->needed, l->chunks[i].id))
            return true;
    return false;
}
