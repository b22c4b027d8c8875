#ifndef SP_TEST_VECTOR_H
#define SP_TEST_VECTOR_H

/* What the tests of storage's lower half share: test vectors in hex, and assertions that show the
 * error's sentence. To be included after cmocka.h. */

#include <string.h>

#include "base/err.h"
#include "base/text.h"

#define assert_rc(call, code)                                                                      \
    do {                                                                                           \
        enum sp_code got_ = (call);                                                                \
        if (got_ != (code))                                                                        \
            fail_msg(                                                                              \
                "%s gave %s, not %s: %s", #call, sp_code_word(got_), sp_code_word(code), e.text);  \
    } while (0)
#define assert_ok(call) assert_rc(call, SP_OK)

#define assert_hex(p, hex)                                                                         \
    do {                                                                                           \
        uint8_t want_[sizeof(hex) / 2 + 1];                                                        \
        assert_true(sp_hex_parse(hex, want_, (sizeof(hex) - 1) / 2));                              \
        assert_memory_equal(p, want_, (sizeof(hex) - 1) / 2);                                      \
    } while (0)

/* The key group of the vectors: R = 01 02 … 20, S_1 = 21 … 40, S_3 = 41 … 60. */
static const char vector_secrets[] =
    "010102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2002000100000021"
    "22232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40030000004142434445"
    "464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60";

static inline void
unhex(const char *hex, void *to)
{
    assert_true(sp_hex_parse(hex, to, strlen(hex) / 2));
}

#endif
