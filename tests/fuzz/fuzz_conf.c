#include "base/text.h"
#include "storage/crypto.h"
#include "storage/repository.h"
#include "tests/fuzz/fuzz.h"

/* `u8 mend ‖ repository.conf`; with mend odd the last line, its hash, is put behind it. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct sp_repository_conf conf, again;
    struct sp_buf b = SP_BUF_INIT, once = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t hash[32];
    bool mend = (fuzz_u8(&in) & 1) != 0;
    enum sp_code rc;

    sp_buf_put(&b, in.p, in.n);
    if (mend) {
        FUZZ_OK(sp_sha256(in.p, in.n, hash, &e));
        sp_buf_printf(&b, "sha256 = %s\n", sp_hex32(hash).s);
    }
    FUZZ_MUST(!b.failed);
    rc = FUZZ_TRY(sp_repository_conf_decode(b.data, b.len, &conf, &e));
    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
    if (rc == SP_OK) {
        FUZZ_MUST(sp_split_params_valid(&conf.split));
        FUZZ_OK(sp_repository_conf_encode(&conf, &once, &e));
        FUZZ_OK(sp_repository_conf_decode(once.data, once.len, &again, &e));
        FUZZ_MUST(memcmp(&conf.split, &again.split, sizeof(conf.split)) == 0);
        FUZZ_MUST(memcmp(conf.id, again.id, 16) == 0 && conf.pack_size == again.pack_size);
    }
    sp_buf_free(&b);
    sp_buf_free(&once);
    return 0;
}
