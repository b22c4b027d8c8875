#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u32 length ‖ bytes`: the bytes as a frame that is said to have that length; and the bytes there
 * and back. */

#define MOST (4u << 20)

static void
there_and_back(const void *p, size_t n)
{
    struct sp_err e = {0};
    uint8_t *packed = malloc(n + 1), *again = malloc(n + 1);
    size_t packed_n = 0;

    FUZZ_MUST(packed != NULL && again != NULL);
    FUZZ_OK(sp_compress(fuzz_compressor(), p, n, packed, n, &packed_n, &e));
    FUZZ_MUST(packed_n <= n);
    if (packed_n > 0) {
        FUZZ_OK(sp_decompress(fuzz_compressor(), packed, packed_n, again, n, &e));
        FUZZ_MUST(memcmp(again, p, n) == 0);
        FUZZ_MUST(sp_decompress(fuzz_compressor(), packed, packed_n, again, n - 1, &e) != SP_OK);
    }
    free(packed);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct sp_err e = {0};
    uint32_t n = fuzz_u32(&in) % (MOST + 1);
    uint8_t *to = malloc(n > 0 ? n : 1); /* exactly so long: one byte more is seen */
    enum sp_code rc;

    FUZZ_MUST(to != NULL);
    rc = FUZZ_TRY(sp_decompress(fuzz_compressor(), in.p, in.n, to, n, &e));
    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT);
    if (rc == SP_OK && n < 256u << 10)
        there_and_back(to, n);
    free(to);
    there_and_back(in.p, in.n);
    return 0;
}
