#include <stdlib.h>

#include "storage/keys.h"
#include "tests/fuzz/fuzz.h"

/* A recovery sheet as someone typed it; and one printed with what the input says, which gives the
 * key that was printed whatever stands around it. */

static char *
text_of(const uint8_t *p, size_t n)
{
    char *s = malloc(n + 1);

    FUZZ_MUST(s != NULL);
    if (n > 0)
        memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

static void
printed(struct fuzz_in in)
{
    uint8_t length = fuzz_u8(&in);
    struct fuzz_in store = fuzz_take(&in, length), name = fuzz_take(&in, fuzz_u8(&in));
    struct sp_sheet s = {.store = text_of(store.p, store.n), .host_name = text_of(name.p, name.n)};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t key[32];

    memset(s.recovery, length, sizeof(s.recovery));
    if (FUZZ_TRY(sp_sheet_print(&s, 0, &b, &e)) == SP_OK) {
        FUZZ_OK(sp_sheet_parse_key(sp_buf_str(&b), key, &e));
        FUZZ_MUST(memcmp(key, s.recovery, 32) == 0);
    } else {
        FUZZ_MUST(e.code == SP_INVALID && b.len == 0);
    }
    free((char *)(uintptr_t)s.store);
    free((char *)(uintptr_t)s.host_name);
    sp_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct sp_err e = {0};
    uint8_t key[32];
    char *text = text_of(data, size);

    (void)FUZZ_TRY(sp_sheet_parse_key(text, key, &e));
    free(text);
    printed(in);
    return 0;
}
