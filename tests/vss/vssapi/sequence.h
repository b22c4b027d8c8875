#ifndef SP_TESTS_VSSAPI_SEQUENCE_H
#define SP_TESTS_VSSAPI_SEQUENCE_H

/* The whole sequence of a backup over Windows' table, row by row, against a machine of its own
 * (test_api_win32.c). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "vss/api.h"

#define SQL "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"
#define DEVICE "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy"
#define INSTANCE "11111111-2222-3333-4444-555555555555"

extern struct sp_err err;
extern char world[300]; /* of run.sh */
extern const struct sp_vss_component_ref DB1, PLAIN;

struct run {
    const struct sp_vss_api *api;
    struct sp_vss_session *s;
    struct sp_vss_writer writer;
    struct sp_vss_status status;
    struct sp_vss_component_report report;
    struct sp_vss_shadow shadow;
    char set[37], shadow_id[37], *document;
    char *mount, *volume;
    uint32_t nwriters, nstatuses;
    bool supported, begun, over;
    size_t document_len;
};
struct row {
    const char *name;
    uint32_t (*go)(struct run *r);
};
extern const struct row rows[];
extern const size_t nrows;

/* A machine of its own, with `more` lines; what the table gives is left to the test. */
const struct sp_vss_api *use(const char *more);
/* Stops behind the first row that fails; what that gave. */
uint32_t go(struct run *r, const struct sp_vss_api *api, const char **ret_row);
void clear(struct run *r);
/* No call out of order, all ended and given back. */
void all_is_given_back(void);

#endif
