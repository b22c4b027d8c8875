#ifndef SP_TESTS_NTFS_FEATURE_OBJECT_H
#define SP_TESTS_NTFS_FEATURE_OBJECT_H

/* All that the table says of one object, as bytes that can be compared. */

#include "tests/ntfs/feature_tree.h"

enum {
    ASPECT_SECURITY,
    ASPECT_EAS,
    ASPECT_REPARSE,
    ASPECT_OBJECT_ID,
    ASPECT_RANGES,
    ASPECT_STREAMS,
    ASPECT_CONTENT,
    ASPECT_COUNT
};
struct object {
    struct sp_ntfs_info info;
    bool case_sensitive;
    struct sp_buf aspects[ASPECT_COUNT]; /* empty: none, or not to be had here */
};
/* Times first, content last: reading may touch the first. */
enum sp_code object_read(const struct sp_ntfs *fs, struct sp_ntfs_handle *dir, const char *name,
    struct object *ret, struct sp_err *e);
void object_clear(struct object *o);
const char *aspect_name(int aspect);

#endif
