#include <stdlib.h>

#include "proto/frame.h"
#include "tests/fuzz/fuzz.h"

/* A stream of frames, whole and in pieces: the same messages come out and the same mistake is
 * found. What came out goes in again. */

#define MOST                                                                                       \
    (UINT32_C(1) << 20) /* bytes of a payload: more is refused, to keep the memory small           \
                         */

static enum sp_code
admit(void *arg, const struct sp_msg *m, size_t payload_len, struct sp_err *e)
{
    struct sp_buf *log = arg;

    FUZZ_MUST(sp_msg_valid(m));
    sp_buf_put_u32(log, (uint32_t)m->type);
    sp_buf_put_u64(log, payload_len);
    return payload_len > MOST ? sp_fail(e, SP_FULL, SP_DOM_NET, "too long for this") : SP_OK;
}

/* Encodes and decodes once more. */
static void
again(const struct sp_frame *f)
{
    struct sp_frame_decoder *d = NULL;
    struct sp_frame other;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    size_t offset = 0, slice, used;
    bool whole = false;

    memset(&other, 0, sizeof(other));
    do {
        FUZZ_OK(sp_frame_encode(&f->msg, f->payload_len, offset, &b, &slice, &e));
        if (slice > 0)
            sp_buf_put(&b, f->payload + offset, slice);
        offset += slice;
    } while (offset < f->payload_len);
    FUZZ_MUST(!b.failed);
    FUZZ_OK(sp_frame_decoder_new(NULL, NULL, &d, &e));
    FUZZ_OK(sp_frame_feed(d, b.data, b.len, &used, &whole, &other, &e));
    FUZZ_MUST(whole && used == b.len && sp_frame_decoder_idle(d));
    FUZZ_MUST(other.payload_len == f->payload_len);
    FUZZ_MUST(f->payload_len == 0 || memcmp(other.payload, f->payload, f->payload_len) == 0);
    FUZZ_MUST(memcmp(&other.msg, &f->msg, sizeof(f->msg)) == 0);
    sp_frame_clear(&other);
    sp_frame_decoder_free(d);
    sp_buf_free(&b);
}

static enum sp_code
run(const uint8_t *data, size_t size, struct fuzz_dice *dice, struct sp_buf *log)
{
    struct sp_frame_decoder *d = NULL;
    struct sp_err e = {0};
    enum sp_code rc = SP_OK;

    FUZZ_OK(sp_frame_decoder_new(admit, log, &d, &e));
    for (size_t at = 0; rc == SP_OK && at < size;) {
        struct sp_frame f;
        size_t n = size - at, used = 0;
        bool whole = false;

        memset(&f, 0, sizeof(f));
        if (dice != NULL && n > 1)
            n = 1 + fuzz_below(dice, n < 40 ? n : 40);
        rc = FUZZ_TRY(sp_frame_feed(d, data + at, n, &used, &whole, &f, &e));
        if (rc != SP_OK)
            break;
        FUZZ_MUST(used <= n && (whole || used == n));
        at += used;
        if (!whole)
            continue;
        sp_buf_put(log, &f.msg, sizeof(f.msg));
        sp_buf_put(log, f.payload, f.payload_len);
        if (dice == NULL)
            again(&f);
        sp_frame_clear(&f);
    }
    sp_buf_put_u32(log, (uint32_t)rc);
    sp_buf_put_str(log, e.text);
    sp_buf_put_u8(log, sp_frame_decoder_idle(d));
    sp_frame_decoder_free(d);
    return rc;
}

/* Neither length of the first frame is one that a frame may have. */
static bool
impossible(const uint8_t *p, size_t n)
{
    return n >= SP_FRAME_PREFIX && (sp_le32(p) == 0 || sp_le32(p) > SP_FRAME_HEADER_MAX ||
                                       sp_le32(p + 4) > SP_FRAME_PAYLOAD_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_dice dice = fuzz_dice_of(data, size);
    struct sp_buf whole = SP_BUF_INIT, pieces = SP_BUF_INIT;

    if (run(data, size, NULL, &whole) == SP_OK)
        FUZZ_MUST(!impossible(data, size));
    (void)run(data, size, &dice, &pieces);
    FUZZ_MUST(whole.len == pieces.len);
    FUZZ_MUST(memcmp(whole.data, pieces.data, whole.len) == 0);
    sp_buf_free(&whole);
    sp_buf_free(&pieces);
    return 0;
}
