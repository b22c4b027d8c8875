#ifndef SP_CLIENT_FOLDER_POSIX_H
#define SP_CLIENT_FOLDER_POSIX_H

/* Entering one folder of the walk: opened, listed, and its CACHEDIR.TAG heeded. */

#include "client/dir_posix.h"
#include "client/item_posix.h"
#include "client/listing_posix.h"
#include "client/view_posix.h"

struct sp_folder {
    struct sp_source_dir *dir;
    int fd; /* of dir, in use; -1: not now */
    struct sp_listing *list;
};
struct sp_folder_options {
    const struct sp_env *env;
    const char *temp_dir;
    void *buffer; /* SP_LISTING_BUFFER bytes */
    bool cachedir_tag;
};
/* `seen`: what was found at that place. *ret_left_out counts names that the tag leaves out. A
 * folder that cannot be opened or not be listed to its end is a fault of `it` (FOLDER); ret->list
 * is NULL when there is nothing to walk. SP_ABSENT: it is gone; SP_CHANGED: something else is there
 * now; all other codes end the run. */
enum sp_code sp_folder_enter(const struct sp_folder_options *o, const struct sp_place *at,
    const struct statx *seen, struct sp_item *it, struct sp_folder *ret, uint64_t *ret_left_out,
    struct sp_err *e);
void sp_folder_leave(struct sp_folder *f); /* lets go of everything */
/* `name` in `dir` is the root of a file system that the kernel makes up: proc, sysfs, cgroups, an
 * automount point not yet mounted. */
bool sp_folder_made_up(int dir, const char *name);
/* Whether an error is the source's, thus of one object, or ends the walk. */
bool sp_folder_fault(const struct sp_err *e);

#endif
