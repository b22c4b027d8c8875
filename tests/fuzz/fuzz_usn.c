#include <stdlib.h>

#include "client/usn_journal.h"
#include "client/usn_state.h"
#include "storage/crypto.h"
#include "tests/fuzz/fuzz.h"

/* `u8 what ‖ bytes`: 0 what is remembered of a change journal, as it is; 1 the same, with the hash
 * made right; else what a volume answers, behind the u32 that it was asked from. */

static void
remembered(const uint8_t *p, size_t n)
{
    struct sp_usn_state s = {0};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    enum sp_code rc = FUZZ_TRY(sp_usn_state_decode(p, n, &s, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT);
    if (rc != SP_OK)
        return;
    for (size_t i = 1; i < s.ncarried; i++)
        FUZZ_MUST(s.carried[i] > s.carried[i - 1]);
    FUZZ_MUST(!s.has_last || s.last_usn < s.next);
    FUZZ_OK(sp_usn_state_encode(&s, &b, &e));
    FUZZ_MUST(b.len == n && memcmp(b.data, p, n) == 0);
    sp_buf_free(&b);
    sp_usn_state_clear(&s);
}

static void
sealed(struct fuzz_in in)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t hash[32];

    FUZZ_OK(sp_sha256(in.p, in.n, hash, &e));
    sp_buf_put(&b, in.p, in.n);
    sp_buf_put(&b, hash, 32);
    FUZZ_OK(sp_buf_ok(&b, &e));
    remembered(b.data, b.len);
    sp_buf_free(&b);
}

static enum sp_code
each(void *arg, const struct sp_usn_record *r, struct sp_err *e)
{
    uint64_t *least = arg;

    (void)e;
    FUZZ_MUST(r->usn >= *least);
    *least = r->usn + 1;
    return SP_OK;
}

static void
answer(struct fuzz_in in)
{
    uint64_t from = fuzz_u32(&in), least = from, next = 0;
    struct sp_err e = {0};
    enum sp_code rc = FUZZ_TRY(sp_usn_parse(in.p, in.n, from, each, &least, &next, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
    FUZZ_MUST(rc != SP_OK || (next >= from && next >= least));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    uint8_t what = fuzz_u8(&in);

    if (what == 0)
        remembered(in.p, in.n);
    else if (what == 1)
        sealed(in);
    else
        answer(in);
    return 0;
}
