#ifndef SP_TESTS_EXPECT_H
#define SP_TESTS_EXPECT_H

/* ok(call) and gives(code, call): a call that takes &err must answer so; the message shows the
 * sentence of the error. Include after cmocka.h. */

#include "base/err.h"

static struct sp_err err;

#define ok(call) check_code((call), SP_OK, #call, __LINE__)
#define gives(code, call) check_code((call), (code), #call, __LINE__)

static inline void
check_code(enum sp_code got, enum sp_code want, const char *call, int line)
{
    if (got != want)
        fail_msg("line %d: %s gave %s, not %s (%s)", line, call, sp_code_word(got),
            sp_code_word(want), got == SP_OK ? "" : err.text);
}

#endif
