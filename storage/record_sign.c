#include <string.h>

#include "base/wire.h"
#include "storage/crypto.h"
#include "storage/record_impl.h"

/* Around the messages: message Record (clear, sealed, signature), whose parts are views here
 * because a record may be long; the signature over all of both parts; the seal, which is a block
 * like any other. */

#define SIGNED_PREFIX "stillpoint record 1"
#define SIGNATURE_SIZE 64

enum { F_CLEAR = 1, F_SEALED = 2, F_SIGNATURE = 3 };

/* --- the envelope ----------------------------------------------------------------------------- */

enum sp_code
sp_record_split(const void *p, size_t n, struct sp_record_parts *ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p, n);
    struct sp_record_parts parts = {sp_cur_of("", 0), sp_cur_of("", 0), sp_cur_of("", 0)};
    struct sp_wire_field f;
    uint32_t last = 0;

    if (n > SP_RECORD_MAX_OBJECT)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "a record of %zu bytes", n);
    while (sp_wire_next(&c, &f)) {
        if (f.number > F_SIGNATURE)
            continue;
        /* Each once and in order: what is signed is what every reader takes. */
        if (f.number <= last || f.type != SP_WIRE_BYTES)
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "a malformed record");
        last = f.number;
        if (f.number == F_CLEAR)
            parts.clear = f.bytes;
        else if (f.number == F_SEALED)
            parts.sealed = f.bytes;
        else
            parts.signature = f.bytes;
    }
    if (!sp_cur_ok(&c) || parts.clear.left == 0 || parts.clear.left > SP_RECORD_MAX_CLEAR ||
        parts.signature.left != SIGNATURE_SIZE)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "a malformed record");
    *ret = parts;
    return SP_OK;
}

static void
put_signed(struct sp_buf *b, enum sp_record_type type, const struct sp_cur *clear,
    const struct sp_cur *sealed)
{
    sp_buf_put_str(b, SIGNED_PREFIX);
    sp_buf_put_u8(b, (uint8_t)type);
    sp_buf_put_u32(b, (uint32_t)clear->left);
    sp_buf_put(b, clear->p, clear->left);
    sp_buf_put(b, sealed->p, sealed->left);
}

enum sp_code
sp_record_put(enum sp_record_type type, const struct sp_buf *clear, const struct sp_buf *sealed,
    const uint8_t secret[32], struct sp_buf *ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(clear->data, clear->len), s = sp_cur_of(sealed->data, sealed->len);
    struct sp_buf message = SP_BUF_INIT, object = SP_BUF_INIT;
    uint8_t signature[SIGNATURE_SIZE];
    enum sp_code rc;

    put_signed(&message, type, &c, &s);
    if ((rc = sp_buf_ok(&message, e)) != SP_OK ||
        (rc = sp_ed25519_sign(secret, message.data, message.len, signature, e)) != SP_OK)
        goto out;
    sp_wire_put_bytes(&object, F_CLEAR, clear->data, clear->len);
    sp_wire_put_bytes(&object, F_SEALED, sealed->data, sealed->len);
    sp_wire_put_bytes(&object, F_SIGNATURE, signature, sizeof signature);
    if ((rc = sp_buf_ok(&object, e)) != SP_OK)
        goto out;
    sp_buf_put(ret, object.data, object.len);
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_free(&message);
    sp_buf_free(&object);
    return rc;
}

enum sp_code
sp_record_check_signature(
    enum sp_record_type type, const void *p, size_t n, const struct sp_host *host, struct sp_err *e)
{
    struct sp_buf message = SP_BUF_INIT;
    struct sp_record_parts parts;
    uint8_t id[16];
    enum sp_code rc;

    if ((rc = sp_record_split(p, n, &parts, e)) != SP_OK ||
        (rc = sp_record_host(type, parts.clear.p, parts.clear.left, id, e)) != SP_OK)
        return rc;
    if (memcmp(id, host->id, sizeof id) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the record names another host");
    put_signed(&message, type, &parts.clear, &parts.sealed);
    if ((rc = sp_buf_ok(&message, e)) != SP_OK)
        goto out;
    rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the record is not signed by its host");
    /* The newest key first: it is the likely one. */
    for (size_t i = host->nkeys < 16 ? host->nkeys : 16; rc == SP_CORRUPT && i-- > 0;)
        rc = sp_ed25519_verify(host->keys[i], message.data, message.len, parts.signature.p, e);
    if (rc == SP_CORRUPT)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the record is not signed by its host");
out:
    sp_buf_free(&message);
    return rc;
}

enum sp_code
sp_record_hash(const void *p, size_t n, uint8_t ret[32], struct sp_err *e)
{
    return sp_sha256(p, n, ret, e);
}

/* --- sealing ---------------------------------------------------------------------------------- */

enum sp_code
sp_record_seal(enum sp_block_kind kind, enum sp_chunk_kind chunk, const void *p, size_t n,
    struct sp_sealer *sealer, struct sp_compressor *c, struct sp_opener *verify,
    struct sp_hasher *hasher, struct sp_id *ret_id, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_block_builder *b = NULL;
    enum sp_code rc;

    if ((rc = sp_hasher_id(hasher, chunk, NULL, 0, p, n, ret_id, e)) != SP_OK)
        return rc;
    if ((rc = sp_block_builder_new(kind, &b, e)) != SP_OK)
        return rc;
    if ((rc = sp_block_builder_add(b, chunk, ret_id, NULL, 0, p, n, e)) == SP_OK)
        rc = sp_block_seal(sealer, c, verify, b, ret, e);
    sp_block_builder_free(b);
    return rc;
}

enum sp_code
sp_set_record_encode(enum sp_record_type type, const struct sp_set *clear,
    const struct sp_set_sealed *sealed, struct sp_sealer *sealer, struct sp_compressor *c,
    struct sp_opener *verify, struct sp_hasher *hasher, const uint8_t signing_secret[32],
    struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf open = SP_BUF_INIT, plain = SP_BUF_INIT, block = SP_BUF_INIT;
    struct sp_id id;
    enum sp_code rc;

    if ((type != SP_RECORD_SET && type != SP_RECORD_CHECKPOINT) ||
        (type == SP_RECORD_CHECKPOINT) != (clear->state == SP_SET_CHECKPOINT))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a set whose state is not that of its record");
    if ((rc = sp_set_encode(clear, &open, e)) != SP_OK ||
        (rc = sp_set_sealed_encode(sealed, clear->set_id, &plain, e)) != SP_OK ||
        (rc = sp_record_seal(SP_BLOCK_RECORD, SP_CHUNK_RECORD, plain.data, plain.len, sealer, c,
             verify, hasher, &id, &block, e)) != SP_OK)
        goto out;
    rc = sp_record_put(type, &open, &block, signing_secret, ret, e);
out:
    sp_buf_free(&open);
    sp_buf_free(&plain);
    sp_buf_free(&block);
    return rc;
}

enum sp_code
sp_set_record_decode(const void *p, size_t n, struct sp_set *ret, struct sp_err *e)
{
    struct sp_record_parts parts;
    enum sp_code rc;

    if ((rc = sp_record_split(p, n, &parts, e)) != SP_OK)
        return rc;
    return sp_set_decode(parts.clear.p, parts.clear.left, ret, e);
}

enum sp_code
sp_record_open_block(const void *p, size_t n, enum sp_block_kind kind,
    enum sp_chunk_kind chunk_kind, struct sp_opener *o, struct sp_opened **ret,
    struct sp_chunk *ret_chunk, struct sp_err *e)
{
    struct sp_block_header h;
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk = {0};
    enum sp_code rc;

    if ((rc = sp_block_header_parse(p, n, &h, e)) != SP_OK)
        return rc;
    if (h.kind != kind || h.nids != 1)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the sealed part is not that of a record");
    if ((rc = sp_block_open(o, p, n, &opened, e)) != SP_OK)
        return rc;
    sp_opened_get(opened, 0, &chunk);
    if (chunk.kind != chunk_kind) {
        sp_opened_free(opened);
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the sealed part is not that of a record");
    }
    *ret = opened;
    *ret_chunk = chunk;
    return SP_OK;
}

static enum sp_code
check_group(const struct sp_cur *sealed, const struct sp_set *set, struct sp_err *e)
{
    struct sp_block_header h;
    enum sp_code rc = sp_block_header_parse(sealed->p, sealed->left, &h, e);

    if (rc == SP_OK && memcmp(h.group, set->group, SP_GROUP_SIZE) != 0)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the sealed part is of another key group");
    return rc;
}

enum sp_code
sp_set_record_open(
    const void *p, size_t n, struct sp_opener *o, struct sp_set_sealed *ret, struct sp_err *e)
{
    struct sp_set_sealed sealed;
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk = {0};
    struct sp_record_parts parts;
    struct sp_set set;
    enum sp_code rc;

    if ((rc = sp_record_split(p, n, &parts, e)) != SP_OK ||
        (rc = sp_set_decode(parts.clear.p, parts.clear.left, &set, e)) != SP_OK ||
        (rc = check_group(&parts.sealed, &set, e)) != SP_OK ||
        (rc = sp_record_open_block(parts.sealed.p, parts.sealed.left, SP_BLOCK_RECORD,
             SP_CHUNK_RECORD, o, &opened, &chunk, e)) != SP_OK)
        return rc;
    if ((rc = sp_set_sealed_decode(chunk.data, chunk.len, &sealed, e)) != SP_OK)
        goto out;
    if (memcmp(sealed.set_id, set.set_id, sizeof set.set_id) != 0) {
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the sealed part belongs to another set");
        sp_set_sealed_clear(&sealed);
        goto out;
    }
    *ret = sealed;
out:
    sp_opened_free(opened);
    return rc;
}
