/* In-process: a script that cannot be read fails the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/vss/double_internal.h"

const struct sp_vss_api *
double_new(const char *script, struct model **ret_model)
{
    char why[256];
    struct sp_vss_api *api = double_table(script, &double_host, ret_model, why);

    if (!api)
        fail_msg("the script: %s", why);
    return api;
}
