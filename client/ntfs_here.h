#ifndef SP_CLIENT_NTFS_HERE_H
#define SP_CLIENT_NTFS_HERE_H

/* The table that sp_source_open and sp_target_open use: ntfs_here_win32.c has &sp_ntfs_system; in tests on
 * other systems tests/ntfs/double.h says which double it is. */

#include "client/ntfs.h"

const struct sp_ntfs *sp_ntfs_here(void);

#endif
