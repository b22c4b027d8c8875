#include "storage/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/crypto.h"

#define SECRETS_VERSION 1
#define SECRETS_HEAD (1 + 32 + 2)
#define SECRETS_EPOCH (4 + 32)
#define MAX_EPOCHS UINT16_MAX

struct epoch {
    uint32_t number;
    uint8_t seal[32];
};

struct sp_keys {
    uint8_t root[32];
    uint8_t group[32]; /* the first 16 bytes are the id */
    uint8_t id[32], split[32], mac[32];
    size_t n, size; /* epochs; bytes of this whole struct */
    struct epoch epochs[];
};

/* With room for n epochs, which the caller fills. */
static enum sp_code
keys_new(const uint8_t root[32], size_t n, struct sp_keys **ret, struct sp_err *e)
{
    size_t size = sizeof(struct sp_keys) + n * sizeof(struct epoch);
    struct sp_keys *k = calloc(1, size);
    enum sp_code rc;

    if (k == NULL)
        return sp_fail_nomem(e);
    k->n = n;
    k->size = size;
    memcpy(k->root, root, 32);
    if ((rc = sp_derive(root, "group", k->group, e)) != SP_OK ||
        (rc = sp_derive(root, "id", k->id, e)) != SP_OK ||
        (rc = sp_derive(root, "split", k->split, e)) != SP_OK ||
        (rc = sp_derive(root, "mac", k->mac, e)) != SP_OK) {
        sp_keys_free(k);
        return rc;
    }
    *ret = k;
    return SP_OK;
}

enum sp_code
sp_keys_generate(const struct sp_random *r, struct sp_keys **ret, struct sp_err *e)
{
    struct sp_keys *k = NULL;
    uint8_t root[32];
    enum sp_code rc;

    if ((rc = sp_random_fill(r, root, sizeof(root), e)) != SP_OK ||
        (rc = keys_new(root, 1, &k, e)) != SP_OK)
        goto out;
    k->epochs[0].number = 1;
    if ((rc = sp_random_fill(r, k->epochs[0].seal, 32, e)) != SP_OK)
        goto out;
    *ret = k;
    k = NULL;
out:
    sp_wipe(root, sizeof(root));
    sp_keys_free(k);
    return rc;
}

enum sp_code
sp_keys_decode(const void *secrets, size_t n, struct sp_keys **ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(secrets, n);
    uint8_t version = sp_cur_u8(&c);
    const uint8_t *root = sp_cur_bytes(&c, 32);
    size_t count = sp_cur_u16(&c);
    struct sp_keys *k = NULL;
    enum sp_code rc;

    if (sp_cur_ok(&c) && version != SECRETS_VERSION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CRYPTO,
            "the key group's secrets are of version %u; this program knows version %u", version,
            SECRETS_VERSION);
    if (!sp_cur_ok(&c) || count == 0 || sp_cur_left(&c) != count * SECRETS_EPOCH)
        return sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO, "the key group's secrets are malformed");
    if ((rc = keys_new(root, count, &k, e)) != SP_OK)
        return rc;

    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        k->epochs[i].number = sp_cur_u32(&c);
        sp_cur_copy(&c, k->epochs[i].seal, 32);
        if (k->epochs[i].number <= before)
            sp_cur_fail(&c);
        before = k->epochs[i].number;
    }
    if (!sp_cur_done(&c)) {
        sp_keys_free(k);
        return sp_fail(
            e, SP_CORRUPT, SP_DOM_CRYPTO, "the epochs of the key group's secrets do not rise");
    }
    *ret = k;
    return SP_OK;
}

enum sp_code
sp_keys_encode(const struct sp_keys *k, struct sp_buf *ret, struct sp_err *e)
{
    /* All at once: growing in between would leave copies behind in freed memory. */
    if (!sp_buf_reserve(ret, SECRETS_HEAD + k->n * SECRETS_EPOCH))
        return sp_buf_ok(ret, e);
    sp_buf_put_u8(ret, SECRETS_VERSION);
    sp_buf_put(ret, k->root, 32);
    sp_buf_put_u16(ret, (uint16_t)k->n);
    for (size_t i = 0; i < k->n; i++) {
        sp_buf_put_u32(ret, k->epochs[i].number);
        sp_buf_put(ret, k->epochs[i].seal, 32);
    }
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_keys_rotate(
    const struct sp_keys *k, const struct sp_random *r, struct sp_keys **ret, struct sp_err *e)
{
    struct sp_keys *next = NULL;
    enum sp_code rc;

    if (k->n == MAX_EPOCHS || sp_keys_epoch(k) == UINT32_MAX)
        return sp_fail(
            e, SP_REFUSED, SP_DOM_CRYPTO, "the key group has as many epochs as it can have");
    if ((rc = keys_new(k->root, k->n + 1, &next, e)) != SP_OK)
        return rc;
    memcpy(next->epochs, k->epochs, k->n * sizeof(struct epoch));
    next->epochs[k->n].number = sp_keys_epoch(k) + 1;
    if ((rc = sp_random_fill(r, next->epochs[k->n].seal, 32, e)) != SP_OK) {
        sp_keys_free(next);
        return rc;
    }
    *ret = next;
    return SP_OK;
}

void
sp_keys_free(struct sp_keys *k)
{
    if (k == NULL)
        return;
    sp_wipe(k, k->size);
    free(k);
}

const uint8_t *
sp_keys_group(const struct sp_keys *k)
{
    return k->group;
}

const uint8_t *
sp_keys_id(const struct sp_keys *k)
{
    return k->id;
}

const uint8_t *
sp_keys_split(const struct sp_keys *k)
{
    return k->split;
}

const uint8_t *
sp_keys_mac(const struct sp_keys *k)
{
    return k->mac;
}

uint32_t
sp_keys_epoch(const struct sp_keys *k)
{
    return k->epochs[k->n - 1].number;
}

const uint8_t *
sp_keys_seal(const struct sp_keys *k, uint32_t epoch)
{
    for (size_t i = k->n; i > 0; i--)
        if (k->epochs[i - 1].number == epoch)
            return k->epochs[i - 1].seal;
    return NULL;
}
