#ifndef SP_VSS_MOUNTS_LINUX_H
#define SP_VSS_MOUNTS_LINUX_H

/* The mounts of this process, from /proc/self/mountinfo (proc(5)). */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct mount {
    char *path; /* unescaped */
    char *type; /* "ext4" */
};
struct mounts {
    struct mount *m;
    size_t n;
};

/* Later mounts on the same point hide earlier ones: only the visible one is kept. Sorted by path.
 */
enum sp_code mounts_read(struct mounts *ret, struct sp_err *e);
/* The same from text, for tests. */
enum sp_code mounts_parse(const char *text, struct mounts *ret, struct sp_err *e);
void mounts_clear(struct mounts *m);
/* The mount that covers an absolute path; NULL never happens for a real table (there is always /).
 */
const struct mount *mounts_cover(const struct mounts *m, const char *path);
/* `path` is `dir` or below it. */
bool path_within(const char *dir, const char *path);
/* A file system without files of its own: not to be entered on the way down. */
bool mount_is_pseudo(const struct mount *m);

#endif
