/* Chunk ids (docs/format.md §6.1). */

#include <stdlib.h>
#include <string.h>

#include "storage/block_format.h"
#include "storage/crypto.h"

int
sp_id_cmp(const void *a, const void *b)
{
    return memcmp(((const struct sp_id *)a)->b, ((const struct sp_id *)b)->b, SP_ID_SIZE);
}

bool
sp_ids_sorted(const void *ids, size_t n)
{
    const uint8_t *p = ids;

    for (size_t i = 1; i < n; i++)
        if (memcmp(p + (i - 1) * SP_ID_SIZE, p + i * SP_ID_SIZE, SP_ID_SIZE) >= 0)
            return false;
    return true;
}

bool
sp_chunk_may_refer(enum sp_chunk_kind kind)
{
    return kind == SP_CHUNK_LIST || kind == SP_CHUNK_TREE;
}

struct sp_hasher {
    struct sp_hmac *hmac;
};

enum sp_code
sp_hasher_new(const struct sp_keys *k, struct sp_hasher **ret, struct sp_err *e)
{
    struct sp_hasher *h = calloc(1, sizeof(*h));
    enum sp_code rc;

    if (h == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_hmac_new(sp_keys_id(k), &h->hmac, e)) != SP_OK) {
        free(h);
        return rc;
    }
    *ret = h;
    return SP_OK;
}

void
sp_hasher_free(struct sp_hasher *h)
{
    if (h == NULL)
        return;
    sp_hmac_free(h->hmac);
    free(h);
}

enum sp_code
sp_hasher_id(struct sp_hasher *h, enum sp_chunk_kind kind, const struct sp_id *refs, size_t nrefs,
    const void *p, size_t n, struct sp_id *ret, struct sp_err *e)
{
    uint8_t head[5];

    if (nrefs > UINT32_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a chunk with %zu references", nrefs);
    head[0] = (uint8_t)kind;
    sp_store_le32(head + 1, (uint32_t)nrefs);
    struct sp_span parts[] = {{head, sizeof(head)}, {refs, nrefs * SP_ID_SIZE}, {p, n}};
    return sp_hmac(h->hmac, parts, 3, ret->b, e);
}
