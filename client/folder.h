#ifndef SP_CLIENT_FOLDER_H
#define SP_CLIENT_FOLDER_H

/* Entering one folder of the walk: opened, listed, and its CACHEDIR.TAG heeded. */

#include "client/dir.h"
#include "client/item.h"
#include "client/listing.h"
#include "client/view.h"

struct sp_folder {
    struct sp_source_dir *dir;
    union sp_dir_at at; /* of dir, in use */
    bool open;          /* false: not now */
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
    const struct sp_dir_known *seen, struct sp_item *it, struct sp_folder *ret,
    uint64_t *ret_left_out, struct sp_err *e);
void sp_folder_leave(struct sp_folder *f); /* lets go of everything */
/* Whether an error is the source's, thus of one object, or ends the walk. */
bool sp_folder_fault(const struct sp_err *e);

/* What the platform gives: the names of an open folder (`root`: of a volume), and whether the
 * CACHEDIR.TAG in it is one (https://bford.info/cachedir/). */
enum sp_code sp_folder_os_list(const struct sp_folder_options *o, struct sp_source_host *host,
    union sp_dir_at at, bool root, struct sp_listing **ret, struct sp_err *e);
bool sp_folder_os_is_cache_tag(
    struct sp_source_host *host, union sp_dir_at dir, const struct sp_listed *tag);

#endif
