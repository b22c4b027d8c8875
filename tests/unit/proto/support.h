#ifndef SP_TESTS_PROTO_SUPPORT_H
#define SP_TESTS_PROTO_SUPPORT_H

/* What the tests of proto/ share: cmocka, seeded choices, and a message of every type. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "proto/message.h"

/* Fails the test with the error's own words. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct sp_err ok_err = {0};                                                                \
        struct sp_err *e = &ok_err;                                                                \
        if ((call) != SP_OK)                                                                       \
            fail_msg("%s: %s", #call, ok_err.text);                                                \
    } while (0)

/* Asserts the code of a failing call, and that the error says the same. */
#define assert_code(want, call)                                                                    \
    do {                                                                                           \
        struct sp_err code_err = {0};                                                              \
        struct sp_err *e = &code_err;                                                              \
        enum sp_code code_got = (call);                                                            \
        if (code_got != (want))                                                                    \
            fail_msg("%s: %s, wanted %s: %s", #call, sp_code_word(code_got), sp_code_word(want),   \
                code_err.text);                                                                    \
        assert_int_equal(code_err.code, want);                                                     \
        assert_true(code_err.text[0] != '\0');                                                     \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr(text, part) == NULL)                                                            \
            fail_msg("\"%s\" does not say \"%s\"", text, part);                                    \
    } while (0)

/* Choices from a seed that a failing test has printed: SP_SEED=n runs it again. */
struct chance {
    uint64_t state;
};
struct chance chance_new(const char *test);
uint64_t chance_u64(struct chance *c);
size_t chance_below(struct chance *c, size_t n); /* n > 0 */
void chance_fill(struct chance *c, void *to, size_t n);

/* A valid message of that type and a length that its payload may have (at most `most`, or the least
 * that the type allows). */
void any_message(
    struct chance *c, enum sp_msg_type type, size_t most, struct sp_msg *ret, size_t *ret_payload);
/* n malloc'd bytes that tell their place; NULL when n is 0. */
uint8_t *any_payload(size_t n);

/* All that the wire carries of the two is equal. */
void assert_same_message(const struct sp_msg *a, const struct sp_msg *b);

#endif
