#ifndef SP_TESTS_VSS_DOUBLE_H
#define SP_TESTS_VSS_DOUBLE_H

/* The model as the table of vss/api.h. Two uses: in-process (double_new), and as `sp_vss_here` of a whole program
 * (double_here.c, linked into tests/vss/stillpoint-vss: the client with the script in the file that
 * STILLPOINT_TEST_VSS names, so that command line, records and exit codes are seen with VSS on any machine). */

#include "tests/vss/model.h"
#include "vss/api.h"

/* Fails the test (cmocka) on a script that cannot be read. */
const struct sp_vss_api *double_new(const char *script, struct model **ret_model);
void double_free(const struct sp_vss_api *api); /* and its model */

#endif
