#include "storage/slot.h"

#include <stdbool.h>
#include <string.h>

#include "base/wire.h"

#define SLOT_VERSION 1

enum field {
    F_VERSION = 1,
    F_GROUP = 2,
    F_ID = 3,
    F_KIND = 4,
    F_EPOCH = 5,
    F_CREATED_NS = 6,
    F_LABEL = 7,
    F_SCRYPT_LOG_N = 8,
    F_SCRYPT_R = 9,
    F_SCRYPT_P = 10,
    F_SALT = 11,
    F_EPHEMERAL = 12,
    F_RECIPIENT = 13,
    F_PROOF_HASH = 14,
    F_WRAPPED = 15
};

void
sp_slot_put_clear(struct sp_buf *b, const struct sp_slot *s)
{
    sp_wire_put_uint(b, F_VERSION, SLOT_VERSION);
    sp_wire_put_bytes(b, F_GROUP, s->info.group, sizeof(s->info.group));
    sp_wire_put_bytes(b, F_ID, s->info.id, sizeof(s->info.id));
    sp_wire_put_uint(b, F_KIND, s->info.kind);
    sp_wire_put_uint(b, F_EPOCH, s->info.epoch);
    sp_wire_put_uint(b, F_CREATED_NS, (uint64_t)s->info.created_ns);
    sp_wire_put_bytes(b, F_LABEL, s->info.label, strlen(s->info.label));
    if (s->info.kind == SP_SLOT_PASSPHRASE) {
        sp_wire_put_uint(b, F_SCRYPT_LOG_N, s->log_n);
        sp_wire_put_uint(b, F_SCRYPT_R, s->r);
        sp_wire_put_uint(b, F_SCRYPT_P, s->p);
        sp_wire_put_bytes(b, F_SALT, s->salt, sizeof(s->salt));
    } else if (s->info.kind == SP_SLOT_RECOVERY) {
        sp_wire_put_bytes(b, F_EPHEMERAL, s->ephemeral, sizeof(s->ephemeral));
        sp_wire_put_bytes(b, F_RECIPIENT, s->info.recipient, sizeof(s->info.recipient));
    } else {
        sp_wire_put_bytes(b, F_PROOF_HASH, s->info.proof_hash, sizeof(s->info.proof_hash));
    }
}

void
sp_slot_put_wrapped(struct sp_buf *b, const void *p, size_t n)
{
    sp_wire_put_bytes(b, F_WRAPPED, p, n);
}

static bool
take_u32(const struct sp_wire_field *f, uint32_t *to)
{
    if (f->type != SP_WIRE_VARINT || f->value > UINT32_MAX)
        return false;
    *to = (uint32_t)f->value;
    return true;
}

/* False when the field is not what it must be. Fields that this program does not know pass; that
 * they were not added later is what the seal over them proves. */
static bool
take_field(const struct sp_wire_field *f, struct sp_slot *s, uint32_t *version, uint32_t *kind)
{
    switch (f->number) {
    case F_VERSION:
        return take_u32(f, version);
    case F_GROUP:
        return sp_wire_take(f, s->info.group, sizeof(s->info.group));
    case F_ID:
        return sp_wire_take(f, s->info.id, sizeof(s->info.id));
    case F_KIND:
        return take_u32(f, kind);
    case F_EPOCH:
        return take_u32(f, &s->info.epoch);
    case F_CREATED_NS:
        s->info.created_ns = (int64_t)f->value;
        return f->type == SP_WIRE_VARINT;
    case F_LABEL:
        return sp_wire_take_text(f, s->info.label, sizeof(s->info.label));
    case F_SCRYPT_LOG_N:
        return take_u32(f, &s->log_n);
    case F_SCRYPT_R:
        return take_u32(f, &s->r);
    case F_SCRYPT_P:
        return take_u32(f, &s->p);
    case F_SALT:
        return sp_wire_take(f, s->salt, sizeof(s->salt));
    case F_EPHEMERAL:
        return sp_wire_take(f, s->ephemeral, sizeof(s->ephemeral));
    case F_RECIPIENT:
        return sp_wire_take(f, s->info.recipient, sizeof(s->info.recipient));
    case F_PROOF_HASH:
        return sp_wire_take(f, s->info.proof_hash, sizeof(s->info.proof_hash));
    case F_WRAPPED:
        s->wrapped = f->bytes.p;
        s->wrapped_n = f->bytes.left;
        return f->type == SP_WIRE_BYTES;
    default:
        return true;
    }
}

static uint32_t
bit(enum field f)
{
    return UINT32_C(1) << f;
}

/* The fields without which a slot of this kind is none. */
static uint32_t
needed(enum sp_slot_kind kind)
{
    uint32_t all = bit(F_VERSION) | bit(F_GROUP) | bit(F_ID) | bit(F_EPOCH) | bit(F_WRAPPED);

    switch (kind) {
    case SP_SLOT_PASSPHRASE:
        return all | bit(F_SCRYPT_LOG_N) | bit(F_SCRYPT_R) | bit(F_SCRYPT_P) | bit(F_SALT);
    case SP_SLOT_RECOVERY:
        return all | bit(F_EPHEMERAL) | bit(F_RECIPIENT);
    case SP_SLOT_INVITATION:
        return all | bit(F_PROOF_HASH);
    }
    return all;
}

enum sp_code
sp_slot_read(const void *slot, size_t n, struct sp_slot *ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(slot, n);
    struct sp_wire_field f;
    struct sp_slot s = {0};
    uint32_t seen = 0, version = 0, kind = 0;

    s.ad = slot;
    while ((seen & bit(F_WRAPPED)) == 0) {
        /* What comes before the field `wrapped`, which is the last. */
        s.ad_n = n - sp_cur_left(&c);
        if (!sp_wire_next(&c, &f))
            break;
        if (!take_field(&f, &s, &version, &kind))
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "field %u of the key slot is malformed",
                (unsigned)f.number);
        /* A zero or nothing is a field that is left out: scrypt with r = 0 is none. */
        if (f.number <= F_WRAPPED && (f.type == SP_WIRE_BYTES ? f.bytes.left > 0 : f.value != 0))
            seen |= UINT32_C(1) << f.number;
    }
    if (!sp_cur_done(&c))
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the key slot is malformed");
    if (version > SLOT_VERSION || kind > SP_SLOT_INVITATION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "the key slot is of version %u and kind %u, which this program does not know",
            (unsigned)version, (unsigned)kind);
    s.info.kind = (enum sp_slot_kind)kind;
    if (version == 0 || kind == 0 || s.info.epoch == 0 ||
        (seen & needed(s.info.kind)) != needed(s.info.kind))
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the key slot lacks a field");
    *ret = s;
    return SP_OK;
}
