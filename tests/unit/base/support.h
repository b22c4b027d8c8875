#ifndef SP_TESTS_BASE_SUPPORT_H
#define SP_TESTS_BASE_SUPPORT_H

/* What every test of base/ needs: cmocka, and a folder of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/os.h"

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

/* As a cmocka setup and teardown: *state is the path of a new folder. */
static inline int
tmp_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    char *dir = NULL;

    if (asprintf(&dir, "%s/sp-test-XXXXXX", base != NULL ? base : "/tmp") < 0)
        return -1;
    if (mkdtemp(dir) == NULL) {
        free(dir);
        return -1;
    }
    *state = dir;
    return 0;
}

static inline int
tmp_teardown(void **state)
{
    struct sp_err e = {0};
    enum sp_code rc = sp_os_remove_tree(&sp_os_system, *state, &e);

    free(*state);
    return rc == SP_OK ? 0 : -1;
}

#endif
