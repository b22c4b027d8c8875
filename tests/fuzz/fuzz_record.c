#include <stdlib.h>

#include "base/wire.h"
#include "storage/record_impl.h"
#include "storage/repository_impl.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 type ‖ object`: a record as it lies in a repository; or, with SEALED,
 * `u8 type ‖ u16 length ‖ clear part ‖ plaintext of the sealed part`: what a member of the key
 * group may publish, sealed and signed here; with DOCUMENT a block with the chunk "document" comes
 * behind it. Whatever is understood is written in one way. */

enum { TYPES = 3, SEALED = 4, DOCUMENT = 8 };

static void
clear_part(const struct sp_set *set)
{
    struct sp_buf once = SP_BUF_INIT, twice = SP_BUF_INIT;
    struct sp_set again;
    struct sp_err e = {0};

    FUZZ_MUST(sp_set_problem(set) == NULL);
    FUZZ_MUST(strnlen(set->job, sizeof(set->job)) < sizeof(set->job));
    FUZZ_MUST(strnlen(set->program, sizeof(set->program)) < sizeof(set->program));
    FUZZ_OK(sp_set_encode(set, &once, &e));
    FUZZ_OK(sp_set_decode(once.data, once.len, &again, &e));
    FUZZ_OK(sp_set_encode(&again, &twice, &e));
    FUZZ_MUST(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    sp_buf_free(&once);
    sp_buf_free(&twice);
}

static void
sealed_part(const struct sp_set_sealed *s)
{
    struct sp_buf once = SP_BUF_INIT, twice = SP_BUF_INIT;
    struct sp_set_sealed again = {.nroots = 0};
    struct sp_err e = {0};

    FUZZ_MUST(sp_set_sealed_problem(s) == NULL && s->nfaults <= SP_RECORD_MAX_FAULTS);
    if (FUZZ_TRY(sp_set_sealed_encode(s, s->set_id, &once, &e)) == SP_OK) {
        FUZZ_OK(sp_set_sealed_decode(once.data, once.len, &again, &e));
        FUZZ_OK(sp_set_sealed_encode(&again, again.set_id, &twice, &e));
        FUZZ_MUST(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
        FUZZ_MUST(again.nroots == s->nroots && again.nvolumes == s->nvolumes);
        FUZZ_MUST(again.nexcludes == s->nexcludes && again.nfaults <= s->nfaults);
        FUZZ_MUST(again.has_verdict == s->has_verdict);
        FUZZ_MUST(again.verdict.ncomponents <= s->verdict.ncomponents);
    }
    sp_set_sealed_clear(&again);
    sp_buf_free(&once);
    sp_buf_free(&twice);
}

static void
completion_part(const uint8_t *p, size_t n)
{
    struct sp_completion_sealed sealed = {.ndocuments = 0};
    struct sp_completion clear;
    struct sp_err e = {0};
    size_t bytes = 0;
    enum sp_code rc = FUZZ_TRY(sp_completion_decode(p, n, &clear, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
    if (rc == SP_OK)
        FUZZ_MUST(clear.applications <= SP_LEVEL_APPLICATION);
    if (FUZZ_TRY(sp_completion_open(p, n, fuzz_opener(), &sealed, &e)) != SP_OK)
        return;
    FUZZ_MUST(rc == SP_OK && memcmp(sealed.set_id, clear.set_id, 16) == 0);
    FUZZ_MUST(sp_verdict_problem(&sealed.verdict) == NULL);
    for (size_t i = 0; i < sealed.ndocuments; i++)
        bytes += sealed.documents[i].n;
    FUZZ_MUST(sealed.ndocuments <= SP_DOCUMENTS_MAX && bytes <= SP_DOCUMENTS_MAX_BYTES);
    sp_completion_sealed_clear(&sealed);
}

static void
object(enum sp_record_type type, const uint8_t *p, size_t n)
{
    struct sp_set_sealed sealed = {.nroots = 0};
    struct sp_removal removal;
    struct sp_set set;
    struct sp_err e = {0};
    enum sp_code rc;

    rc = FUZZ_TRY(sp_record_check_signature(type, p, n, fuzz_host(), &e));
    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
    if (FUZZ_TRY(sp_removal_decode(p, n, &removal, &e)) == SP_OK)
        FUZZ_MUST(removal.sequence > 0 && memchr(removal.job, 0, sizeof(removal.job)) != NULL);
    rc = FUZZ_TRY(sp_set_record_decode(p, n, &set, &e));
    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
    if (rc == SP_OK)
        clear_part(&set);
    if (FUZZ_TRY(sp_set_record_open(p, n, fuzz_opener(), &sealed, &e)) == SP_OK) {
        FUZZ_MUST(rc == SP_OK && memcmp(sealed.set_id, set.set_id, 16) == 0);
        sealed_part(&sealed);
        sp_set_sealed_clear(&sealed);
    }
    completion_part(p, n);
}

/* A block as docs/format.md §6.2 has it: one chunk, not compressed. */
static void
seal(enum sp_block_kind kind, enum sp_chunk_kind chunk, const uint8_t *p, size_t n,
    struct sp_buf *ret)
{
    struct sp_buf plain = SP_BUF_INIT;
    struct sp_id id;
    struct sp_err e = {0};

    FUZZ_OK(sp_hasher_id(fuzz_hasher(), chunk, NULL, 0, p, n, &id, &e));
    sp_buf_put_u32(&plain, 0);
    sp_buf_put_u32(&plain, (uint32_t)n + TABLE_ENTRY);
    sp_buf_put_u32(&plain, (uint32_t)n + TABLE_ENTRY);
    sp_buf_put_u16(&plain, 0);
    sp_buf_put_u16(&plain, (uint16_t)chunk);
    sp_buf_put_u32(&plain, (uint32_t)n);
    sp_buf_put(&plain, p, n);
    sp_buf_put_zero(&plain, sp_padme(plain.len) - plain.len);
    FUZZ_MUST(!plain.failed);
    fuzz_seal(kind, &id, 1, NULL, NULL, plain.data, plain.len, ret);
    sp_buf_free(&plain);
}

static void
publish(enum sp_record_type type, const struct fuzz_in *clear, const struct sp_buf *sealed,
    struct sp_buf *ret)
{
    struct sp_buf message = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t signature[64];

    sp_buf_put_str(&message, "stillpoint record 1");
    sp_buf_put_u8(&message, (uint8_t)type);
    sp_buf_put_u32(&message, (uint32_t)clear->n);
    sp_buf_put(&message, clear->p, clear->n);
    sp_buf_put(&message, sealed->data, sealed->len);
    FUZZ_OK(sp_ed25519_sign(fuzz_signing, message.data, message.len, signature, &e));
    sp_wire_put_bytes(ret, 1, clear->p, clear->n);
    sp_wire_put_bytes(ret, 2, sealed->data, sealed->len);
    sp_wire_put_bytes(ret, 3, signature, sizeof(signature));
    FUZZ_MUST(!message.failed && !ret->failed);
    sp_buf_free(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned flags = fuzz_u8(&in);
    enum sp_record_type type = (enum sp_record_type)(SP_RECORD_SET + (flags & TYPES));
    struct sp_buf sealed = SP_BUF_INIT, record = SP_BUF_INIT;

    if ((flags & SEALED) == 0) {
        object(type, in.p, in.n);
    } else {
        struct fuzz_in clear = fuzz_part(&in);
        struct sp_err e = {0};
        uint8_t host[16];

        if (type != SP_RECORD_REMOVAL)
            seal(SP_BLOCK_RECORD, SP_CHUNK_RECORD, in.p, in.n, &sealed);
        if ((flags & DOCUMENT) != 0)
            seal(SP_BLOCK_DOCUMENTS, SP_CHUNK_DOCUMENT, (const uint8_t *)"document", 8, &sealed);
        publish(type, &clear, &sealed, &record);
        object(type, record.data, record.len);
        /* What this host signed and what names it is let through. */
        if (clear.n > 0 && clear.n <= SP_RECORD_MAX_CLEAR &&
            sp_record_host(type, clear.p, clear.n, host, &e) == SP_OK &&
            memcmp(host, fuzz_host()->id, 16) == 0)
            FUZZ_OK(sp_record_check_signature(type, record.data, record.len, fuzz_host(), &e));
    }
    sp_buf_free(&sealed);
    sp_buf_free(&record);
    return 0;
}
