#ifndef SP_TESTS_NTFS_TARGET_TAKE_H
#define SP_TESTS_NTFS_TARGET_TAKE_H

/* What a double has, as a set: everything that client/ntfs_meta.h says of it, by a way of its own,
 * so that a fault of the client's source is none of these tests. */

#include "tests/ntfs/double.h"
#include "tests/unit/client/sets.h"

/* The folder `path` ("C:/tree") and all that is in it, under the key of that path; what is above it
 * as a backup of it has it. The set still wants its set_commit. */
void take_tree(struct set *s, struct ntfs_double *d, const char *path);
/* One object, as an entry of its own that the set owns. */
struct sp_entry *take_one(struct set *s, struct ntfs_double *d, const char *path);

#endif
