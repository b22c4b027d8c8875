#include "client/ntfs_here.h"

const struct sp_ntfs *
sp_ntfs_here(void)
{
    return &sp_ntfs_system;
}
