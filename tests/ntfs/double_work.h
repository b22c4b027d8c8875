#ifndef SP_TESTS_NTFS_DOUBLE_WORK_H
#define SP_TESTS_NTFS_DOUBLE_WORK_H

/* Inside the double: what builds from outside holds the lock and an open object. */

#include "double_tree.h"

#define DBL_EVERYTHING (NTFS_MAY_BACKUP | NTFS_MAY_RESTORE | NTFS_MAY_SECURITY | NTFS_MAY_LINK)

struct work {
    struct ntfs_double *d;
    const char *path;
    struct sp_ntfs_handle *h;
    enum ntfs_double_deny deny; /* what stands in the way is put aside while it is opened */
    unsigned busy;
    bool read_only, recalls, key;
    struct sp_err e;
};
void dbl_want(struct work *w, enum sp_code rc); /* or the program ends */
/* Takes the lock; opens what must be there, or, with NTFS_LIST, nothing yet. */
struct work dbl_begin(struct ntfs_double *d, const char *path, enum sp_ntfs_access access);
void dbl_end(struct work *w);
/* Opens `path`, made when it is missing, with the folders above it. */
void dbl_make(struct work *w, bool folder);
/* The record by its path, links not followed; NULL: not there. */
struct dbl_node *dbl_lookup(struct ntfs_double *d, const char *path, struct dbl_name **ret_name);

#endif
