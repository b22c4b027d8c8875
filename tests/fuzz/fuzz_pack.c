#include <stdlib.h>

#include "storage/pack_format.h"
#include "tests/conformance/packname.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 flags ‖ pack`: under the name that its bytes have. */

enum { NODES = 1, MEND_TRAILER = 2, MEND_BLOCKS = 4 };

/* Hashes of the blocks as far as the trailer makes sense, then that of the trailer. */
static void
mend(uint8_t *p, size_t n, unsigned flags)
{
    struct sp_err e = {0};
    size_t len, at = PACK_HEADER, trailer;
    struct sp_cur c;

    if (n < PACK_HEADER + PACK_FOOTER || (len = sp_le32(p + n - 16)) > n - PACK_FOOTER)
        return;
    trailer = n - PACK_FOOTER - len;
    c = sp_cur_of(p + trailer, len);
    (void)sp_cur_bytes(&c, 48);
    for (uint32_t i = sp_cur_u32(&c); (flags & MEND_BLOCKS) != 0 && i > 0 && sp_cur_ok(&c); i--) {
        uint32_t length = sp_cur_u32(&c), nids = sp_cur_u32(&c);
        size_t hash = len - sp_cur_left(&c);

        if (at > trailer || length > trailer - at || sp_cur_left(&c) < 32)
            break;
        FUZZ_OK(sp_sha256(p + at, length, p + trailer + hash, &e));
        (void)sp_cur_bytes(&c, 32 + (size_t)32 * nids);
        at += length;
    }
    FUZZ_OK(sp_sha256(p + trailer, len, p + n - PACK_FOOTER, &e));
}

static enum sp_code
see(void *arg, const struct sp_pack_block *place, const uint8_t *block, struct sp_err *why)
{
    struct sp_block_header h;
    struct sp_err e = {0};

    (void)why;
    ++*(size_t *)arg;
    FUZZ_OK(sp_block_header_parse(block, place->length, &h, &e));
    FUZZ_MUST(h.nids == place->nids);
    return SP_OK;
}

static void
read_pack(struct sp_backend *b, enum sp_pack_kind kind, const uint8_t name[32], uint64_t size)
{
    struct sp_pack_trailer *t = NULL;
    struct sp_err e = {0};
    uint64_t at = PACK_HEADER;
    size_t seen = 0, bytes = 0;
    enum sp_code rc;

    if (FUZZ_TRY(sp_pack_trailer_read(b, kind, name, size, &t, &e)) != SP_OK) {
        FUZZ_MUST(e.code == SP_CORRUPT);
        FUZZ_MUST(sp_pack_verify(b, kind, name, size, NULL, NULL, &e) != SP_OK);
        return;
    }
    for (size_t i = 0; i < sp_pack_trailer_count(t); i++) {
        struct sp_pack_block p;

        sp_pack_trailer_block(t, i, &p);
        FUZZ_MUST(p.offset == at && p.nids > 0);
        bytes += p.ids[32 * p.nids - 1] + p.sha256[31];
        at += p.length;
    }
    FUZZ_MUST(at <= size);
    bytes += sp_pack_trailer_conf(t).n;
    for (size_t i = 0; i < sp_pack_trailer_slots(t); i++)
        bytes += sp_pack_trailer_slot(t, i).n;
    FUZZ_MUST(bytes <= size + 512 * sp_pack_trailer_count(t));
    rc = FUZZ_TRY(sp_pack_verify(b, kind, name, size, see, &seen, &e));
    FUZZ_MUST(rc == SP_CORRUPT || (rc == SP_OK && seen == sp_pack_trailer_count(t)));
    sp_pack_trailer_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned flags = fuzz_u8(&in);
    enum sp_pack_kind kind = (flags & NODES) != 0 ? SP_PACK_NODES : SP_PACK_DATA;
    struct sp_backend *b = NULL;
    struct sp_err e = {0};
    uint8_t *copy = malloc(in.n + 1), name[32];
    char object[96];

    FUZZ_MUST(copy != NULL);
    if (in.n > 0)
        memcpy(copy, in.p, in.n);
    if ((flags & MEND_TRAILER) != 0)
        mend(copy, in.n, flags);
    pack_name_of(kind, copy, in.n, name);
    sp_pack_object_name(kind, name, object);
    FUZZ_OK(sp_backend_memory_new(&b, &e));
    FUZZ_OK(sp_backend_put(b, object, copy, in.n, &e));
    read_pack(b, kind, name, in.n);
    sp_backend_free(b);
    free(copy);
    return 0;
}
