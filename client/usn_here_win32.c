#include "client/ntfs_here.h"
#include "client/usn.h"

const struct sp_ntfs *
sp_usn_here(void)
{
    return sp_ntfs_here();
}
