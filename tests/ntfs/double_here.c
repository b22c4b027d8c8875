/* Which double the client's Windows half works on, in tests on other systems. */
#include <stdatomic.h>

#include "client/ntfs_here.h"
#include "double_tree.h"

static _Atomic(struct ntfs_double *) here;

void
ntfs_double_set_here(struct ntfs_double *d)
{
    atomic_store(&here, d);
}

const struct sp_ntfs *
sp_ntfs_here(void)
{
    struct ntfs_double *d = atomic_load(&here);

    if (d == NULL)
        dbl_die("no double is set");
    return &d->table;
}
