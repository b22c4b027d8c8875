#ifndef SP_TESTS_NTFS_CONFORMANCE_PLACE_H
#define SP_TESTS_NTFS_CONFORMANCE_PLACE_H

/* The table under test: conformance_double.c where the double is, conformance_system_win32.c on
 * Windows. */

#include "client/ntfs.h"

const struct sp_ntfs *
conformance_place(const char *kind, const char *folder, const char **ret_path);
void conformance_place_end(void); /* nothing may be open any more */

#endif
