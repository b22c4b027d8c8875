/* Host records (docs/format.md §5): who a host is, bound to its key group by a MAC over all bytes
 * before the field of the MAC, which is the last. */

#include <stdbool.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "base/wire.h"
#include "storage/crypto.h"
#include "storage/keys.h"

#define HOST_VERSION 1
#define MAX_KEYS (sizeof(((struct sp_host *)NULL)->keys) / 32)

enum field { F_VERSION = 1, F_ID = 2, F_NAME = 3, F_GROUP = 4, F_KEYS = 5, F_MAC = 15 };

static enum sp_code
compute_mac(const struct sp_keys *k, const void *p, size_t n, uint8_t ret[32], struct sp_err *e)
{
    struct sp_span all = {p, n};
    struct sp_hmac *h = NULL;
    enum sp_code rc = sp_hmac_new(sp_keys_mac(k), &h, e);

    if (rc == SP_OK)
        rc = sp_hmac(h, &all, 1, ret, e);
    sp_hmac_free(h);
    return rc;
}

enum sp_code
sp_host_encode(
    const struct sp_host *h, const struct sp_keys *k, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t name_n = strnlen(h->name, sizeof(h->name));
    uint8_t mac[32];
    enum sp_code rc;

    if (name_n == 0 || name_n == sizeof(h->name) || !sp_utf8_valid(h->name, name_n))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "a host's name is UTF-8 text of 1 to %zu bytes", sizeof(h->name) - 1);
    if (h->nkeys == 0 || h->nkeys > MAX_KEYS)
        return sp_fail(
            e, SP_INVALID, SP_DOM_CONFIG, "a host has 1 to %zu keys, not %zu", MAX_KEYS, h->nkeys);
    if (memcmp(h->group, sp_keys_group(k), 16) != 0)
        return sp_fail(
            e, SP_INVALID, SP_DOM_CONFIG, "the host is of another key group than these keys");

    sp_wire_put_uint(&b, F_VERSION, HOST_VERSION);
    sp_wire_put_bytes(&b, F_ID, h->id, sizeof(h->id));
    sp_wire_put_bytes(&b, F_NAME, h->name, name_n);
    sp_wire_put_bytes(&b, F_GROUP, h->group, sizeof(h->group));
    for (size_t i = 0; i < h->nkeys; i++)
        sp_wire_put_item(&b, F_KEYS, h->keys[i], 32);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK || (rc = compute_mac(k, b.data, b.len, mac, e)) != SP_OK)
        goto out;
    sp_wire_put_bytes(&b, F_MAC, mac, sizeof(mac));
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    sp_buf_put(ret, b.data, b.len);
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_free(&b);
    return rc;
}

/* False when the field is not what it must be; fields that this program does not know pass. */
static bool
take_field(const struct sp_wire_field *f, struct sp_host *h, uint64_t *version, uint8_t mac[32])
{
    switch (f->number) {
    case F_VERSION:
        *version = f->value;
        return f->type == SP_WIRE_VARINT;
    case F_ID:
        return sp_wire_take(f, h->id, sizeof(h->id));
    case F_NAME:
        return sp_wire_take_text(f, h->name, sizeof(h->name)) && h->name[0] != '\0';
    case F_GROUP:
        return sp_wire_take(f, h->group, sizeof(h->group));
    case F_KEYS:
        return h->nkeys < MAX_KEYS && sp_wire_take(f, h->keys[h->nkeys++], 32);
    case F_MAC:
        return sp_wire_take(f, mac, 32);
    default:
        return true;
    }
}

enum sp_code
sp_host_decode(
    const void *p, size_t n, const struct sp_keys *k, struct sp_host *ret, struct sp_err *e)
{
    static const uint32_t needed =
        1u << F_VERSION | 1u << F_ID | 1u << F_NAME | 1u << F_GROUP | 1u << F_KEYS | 1u << F_MAC;
    struct sp_cur c = sp_cur_of(p, n);
    struct sp_host h = {.nkeys = 0};
    struct sp_wire_field f;
    uint64_t version = 0;
    uint32_t seen = 0;
    uint8_t said[32] = {0}, mac[32];
    size_t before = 0;

    while ((seen & 1u << F_MAC) == 0) {
        before = n - sp_cur_left(&c);
        if (!sp_wire_next(&c, &f))
            break;
        if (!take_field(&f, &h, &version, said))
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "field %u of the host record is malformed",
                (unsigned)f.number);
        if (f.number <= F_MAC)
            seen |= UINT32_C(1) << f.number;
    }
    if (!sp_cur_done(&c) || (seen & needed) != needed)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the host record is malformed");
    if (version != HOST_VERSION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "the host record is of a version that this program does not know");
    if (k != NULL) {
        if (memcmp(h.group, sp_keys_group(k), 16) != 0)
            return sp_fail(e, SP_AUTH, SP_DOM_STORE,
                "the host record is of another key group; these keys cannot check it");
        enum sp_code rc = compute_mac(k, p, before, mac, e);
        if (rc != SP_OK)
            return rc;
        if (!sp_equal_const(mac, said, 32))
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
                "the host record does not authenticate: it was altered");
    }
    *ret = h;
    return SP_OK;
}
