#ifndef SP_VSS_BTRFS_LINUX_H
#define SP_VSS_BTRFS_LINUX_H

/* btrfs subvolumes and read-only snapshots, over libbtrfsutil
 * (https://github.com/kdave/btrfs-progs/tree/devel/libbtrfsutil). */

#include <stddef.h>

#include "base/err.h"

#define BTRFS_SHADOW_PREFIX ".stillpoint-shadow-"

/* The root folder of the subvolume that holds `path`, going up at most to `mount_point`.
 * SP_UNSUPPORTED when the mount shows only a part of a subvolume, so that its root cannot be
 * reached. *ret malloc'd. */
enum sp_code
btrfs_subvolume_root(const char *path, const char *mount_point, char **ret, struct sp_err *e);
/* Calls each for every subvolume below the folder `subvolume` (itself a subvolume's root), with its
 * absolute path. */
enum sp_code btrfs_nested(const char *subvolume,
    enum sp_code (*each)(void *arg, const char *path, struct sp_err *e), void *arg,
    struct sp_err *e);
/* A read-only snapshot of `subvolume` at `to`. */
enum sp_code btrfs_snapshot(const char *subvolume, const char *to, struct sp_err *e);
/* Removes a snapshot; SP_ABSENT when there is none, SP_REFUSED when it is no read-only snapshot. */
enum sp_code btrfs_remove(const char *path, struct sp_err *e);

#endif
