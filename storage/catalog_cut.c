#include "storage/catalog_cut.h"

#include <stdlib.h>
#include <string.h>

#include "storage/crypto.h"

struct sp_cutter {
    struct sp_hmac *hmac;
    uint64_t *gear[SP_TREE_LEVELS]; /* of 256; made when a level is first cut */
};

enum sp_code
sp_cutter_new(const struct sp_keys *k, struct sp_cutter **ret, struct sp_err *e)
{
    struct sp_cutter *c = calloc(1, sizeof *c);
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_hmac_new(sp_keys_split(k), &c->hmac, e)) != SP_OK) {
        free(c);
        return rc;
    }
    *ret = c;
    return SP_OK;
}

void
sp_cutter_free(struct sp_cutter *c)
{
    if (c == NULL)
        return;
    sp_hmac_free(c->hmac);
    for (unsigned l = 0; l < SP_TREE_LEVELS; l++)
        free(c->gear[l]);
    free(c);
}

static enum sp_code
make_gear(struct sp_cutter *c, unsigned level, struct sp_err *e)
{
    uint64_t *gear = calloc(256, sizeof *gear);
    enum sp_code rc;

    if (gear == NULL)
        return sp_fail_nomem(e);
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t tail[2] = {(uint8_t)level, (uint8_t)byte}, mac[SP_HASH_SIZE];
        const struct sp_span parts[] = {{"catalog", 7}, {tail, sizeof tail}};

        if ((rc = sp_hmac(c->hmac, parts, 2, mac, e)) != SP_OK) {
            free(gear);
            return rc;
        }
        gear[byte] = sp_le64(mac);
    }
    c->gear[level] = gear;
    return SP_OK;
}

enum sp_code
sp_cutter_after(struct sp_cutter *c, unsigned level, const uint8_t *key, size_t n, uint64_t weight,
    bool *ret, struct sp_err *e)
{
    const uint64_t *gear;
    uint64_t h = 0;
    enum sp_code rc;

    if (c->gear[level] == NULL && (rc = make_gear(c, level, e)) != SP_OK)
        return rc;
    gear = c->gear[level];
    for (size_t i = 0; i < n; i++) {
        h = (h << 1) + gear[key[i]];
        h ^= h >> 29;
    }
    h *= UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
    /* Weights are far below 2^32 (SP_ENTRY_MAX), so the product fits. */
    *ret = (h & UINT32_MAX) < (weight << 32) / SP_CUT_USUAL;
    return SP_OK;
}

uint64_t
sp_entry_weight(const struct sp_entry *en)
{
    uint64_t w = en->key_len + 48 + 36 * (uint64_t)en->nsegments;

    w += en->target_len + strlen(en->user) + strlen(en->group);
    for (size_t i = 0; i < en->nattributes; i++)
        w += strlen(en->attributes[i].name) + en->attributes[i].len;
    return w;
}

uint64_t
sp_child_weight(const struct sp_tree_child *c)
{
    return c->first_len + 48;
}
