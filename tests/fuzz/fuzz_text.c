#include <stdlib.h>

#include "base/clock.h"
#include "base/buf.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

/* Numbers, sizes, durations, times and base32 as people write them. */

static void
numbers(const char *s, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;
    uint64_t v = 0, again = 0;
    int64_t ns = 0;

    if (sp_text_parse_u64(s, &v)) {
        sp_buf_printf(&b, "%llu", (unsigned long long)v);
        FUZZ_MUST(sp_text_parse_u64(sp_buf_str(&b), &again) && again == v);
        FUZZ_MUST(sp_text_parse_bytes(s, &again) && again == v);
    }
    (void)sp_text_parse_bytes(s, &v);
    FUZZ_MUST(!sp_text_parse_duration(s, &ns) || ns >= 0);
    v = n >= 8 ? sp_le64((const uint8_t *)s) : n;
    FUZZ_MUST(strlen(sp_text_bytes(v).s) < 32 && strlen(sp_text_count(v).s) < 32);
    FUZZ_MUST(strlen(sp_text_duration((int64_t)v).s) < 32);
    sp_buf_free(&b);
}

static void
times(const char *s, size_t n)
{
    int64_t t = 0, again = 0;
    char text[32];

    if (sp_time_parse(s, &t) == 0) {
        sp_time_utc(t, text);
        FUZZ_MUST(sp_time_parse(text, &again) == 0 && again == t);
    }
    t = n >= 8 ? (int64_t)sp_le64((const uint8_t *)s) : (int64_t)n;
    sp_time_utc(t, text);
    FUZZ_MUST(strlen(text) >= 20);
    sp_time_name(t, text);
    FUZZ_MUST(strlen(text) >= 16);
    sp_time_local(t, text);
}

static void
base32(const char *s, size_t n)
{
    struct sp_buf b = SP_BUF_INIT, text = SP_BUF_INIT, again = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t id[16];

    if (FUZZ_TRY(sp_base32_parse(s, &b, &e)) == SP_OK) {
        sp_base32_put(&text, b.data, b.len);
        FUZZ_OK(sp_base32_parse(sp_buf_str(&text), &again, &e));
        FUZZ_MUST(again.len == b.len && (b.len == 0 || memcmp(again.data, b.data, b.len) == 0));
    } else {
        FUZZ_MUST(b.len == 0);
    }
    sp_buf_reset(&text);
    sp_buf_reset(&again);
    sp_base32_put(&text, s, n);
    FUZZ_OK(sp_base32_parse(sp_buf_str(&text), &again, &e));
    FUZZ_MUST(again.len == n && (n == 0 || memcmp(again.data, s, n) == 0));
    /* Any one character that is mistyped is noticed. */
    if (text.len > 0) {
        size_t at = n == 0 ? 0 : (uint8_t)s[0] % text.len;

        if (text.data[at] != '-') {
            text.data[at] = text.data[at] == 'Z' ? '0' : 'Z';
            sp_buf_reset(&again);
            FUZZ_MUST(FUZZ_TRY(sp_base32_parse(sp_buf_str(&text), &again, &e)) == SP_INVALID);
        }
    }
    if (sp_hex_parse(s, id, sizeof(id)))
        FUZZ_MUST(strcmp(sp_hex16(id).s, s) == 0);
    sp_buf_free(&b);
    sp_buf_free(&text);
    sp_buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = malloc(size + 1);

    FUZZ_MUST(s != NULL);
    if (size > 0)
        memcpy(s, data, size);
    s[size] = '\0';
    numbers(s, size);
    times(s, size);
    base32(s, size);
    free(s);
    return 0;
}
