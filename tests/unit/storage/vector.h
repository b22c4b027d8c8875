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

static inline void
unhex(const char *hex, void *to)
{
    assert_true(sp_hex_parse(hex, to, strlen(hex) / 2));
}

#endif
