#ifndef SP_TESTS_VSS_DOUBLE_INTERNAL_H
#define SP_TESTS_VSS_DOUBLE_INTERNAL_H

/* Shared by double*.c. */

#include "tests/vss/double.h"
#include "tests/vss/model_calls.h"

/* double_host_posix.c, double_host_win32.c: copying trees with what the platform has. */
extern const struct model_host double_host;
/* NULL, and why[] says what is wrong with the script. */
/* A deep copy; *ret is overwritten. */
void double_writer(const struct model_writer *w, struct sp_vss_writer *ret);
struct sp_vss_api *double_table(const char *script, const struct model_host *host, struct model **ret_model, char why[256]);

#endif
