#include <stdlib.h>

#include "base/buf.h"
#include "client/ntfs_meta.h"
#include "tests/fuzz/fuzz.h"

/* `u8 what ‖ bytes`: Windows' structures as a set or a file system holds them: 0 a file's parts,
 * behind the u64 that they make; 1 a reparse point; 2 what a link leads to; 3 a security
 * descriptor; 4 extended attributes; 5 a stream's name. */

static void
parts(struct fuzz_in in)
{
    uint64_t extra = fuzz_u32(&in);
    struct sp_ntfs_part *v = NULL;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    size_t n = 0;

    extra |= (uint64_t)fuzz_u32(&in) << 32;
    if (FUZZ_TRY(sp_ntfs_parts_decode(in.p, in.n, extra, &v, &n, &e)) != SP_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        FUZZ_MUST(
            v[i].kind == NTFS_PART_EFS || sp_ntfs_stream_name_ok(v[i].name, strlen(v[i].name)));
        FUZZ_MUST(v[i].size <= extra);
        extra -= v[i].size;
    }
    FUZZ_MUST(extra == 0);
    FUZZ_OK(sp_ntfs_parts_encode(v, n, &b, &e));
    FUZZ_MUST(b.len == in.n && (in.n == 0 || memcmp(b.data, in.p, in.n) == 0));
    sp_buf_free(&b);
    free(v);
}

static enum sp_code
target(const void *p, size_t n, struct sp_buf *ret)
{
    struct sp_err e = {0};
    bool relative = false, volume = false;
    enum sp_code rc = FUZZ_TRY(sp_ntfs_reparse_target(p, n, ret, &relative, &volume, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
    FUZZ_MUST(rc != SP_OK || (sp_ntfs_reparse_ok(p, n) && ret->len > 0));
    FUZZ_MUST(rc != SP_OK || memchr(ret->data, 0, ret->len) == NULL);
    FUZZ_MUST(rc != SP_UNSUPPORTED || sp_ntfs_reparse_ok(p, n));
    FUZZ_MUST(!(relative && volume));
    return rc;
}

/* What a link leads to is a fixed point once it has been turned there and back. */
static void
make(const void *p, size_t n)
{
    struct sp_buf b[2] = {SP_BUF_INIT, SP_BUF_INIT}, t[2] = {SP_BUF_INIT, SP_BUF_INIT};
    struct sp_err e = {0};
    enum sp_code rc = FUZZ_TRY(sp_ntfs_reparse_make(p, n, &b[0], &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_INVALID);
    if (rc == SP_OK) {
        FUZZ_MUST(sp_ntfs_reparse_ok(b[0].data, b[0].len));
        FUZZ_MUST(target(b[0].data, b[0].len, &t[0]) == SP_OK);
        if (sp_ntfs_reparse_make(t[0].data, t[0].len, &b[1], &e) ==
            SP_OK) { /* it may have grown too long */
            FUZZ_MUST(target(b[1].data, b[1].len, &t[1]) == SP_OK);
            FUZZ_MUST(t[0].len == t[1].len && memcmp(t[0].data, t[1].data, t[0].len) == 0);
        }
    }
    for (int i = 0; i < 2; i++) {
        sp_buf_free(&b[i]);
        sp_buf_free(&t[i]);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct sp_buf b = SP_BUF_INIT;

    switch (fuzz_u8(&in) % 6) {
    case 0:
        parts(in);
        break;
    case 1:
        if (target(in.p, in.n, &b) == SP_OK)
            make(b.data, b.len);
        break;
    case 2:
        make(in.p, in.n);
        break;
    case 3: /* what is whole stays whole when more memory follows, and is not when its end is
               missing */
        if (sp_ntfs_security_ok(in.p, in.n) && in.n > 0)
            FUZZ_MUST(in.n >= 20 && !sp_ntfs_security_ok(in.p, 19));
        break;
    case 4:
        if (sp_ntfs_ea_ok(in.p, in.n))
            FUZZ_MUST(in.n >= 10 && !sp_ntfs_ea_ok(in.p, 9));
        break;
    default:
        (void)sp_ntfs_stream_name_ok((const char *)in.p, in.n);
    }
    sp_buf_free(&b);
    return 0;
}
