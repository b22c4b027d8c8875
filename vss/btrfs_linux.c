#include "vss/btrfs_linux.h"

#include <btrfsutil.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUBVOLUME_INODE 256 /* BTRFS_FIRST_FREE_OBJECTID: the root folder of every subvolume */

static enum sp_code
fail(struct sp_err *e, enum btrfs_util_error err, const char *what, const char *path)
{
    int os = errno;

    if (os != 0)
        return sp_fail_os(e, SP_DOM_SHADOW, os, "%s %s", what, path);
    return sp_fail(e, SP_IO, SP_DOM_SHADOW, "%s %s: %s", what, path, btrfs_util_strerror(err));
}

enum sp_code
btrfs_subvolume_root(const char *path, const char *mount_point, char **ret, struct sp_err *e)
{
    char *at = strdup(path), *slash;
    struct stat st;

    if (at == NULL)
        return sp_fail_nomem(e);
    for (;;) {
        if (lstat(at, &st) != 0) {
            enum sp_code rc = sp_fail_os(e, SP_DOM_SHADOW, errno, "%s", at);

            free(at);
            return rc;
        }
        if (S_ISDIR(st.st_mode) && st.st_ino == SUBVOLUME_INODE) {
            *ret = at;
            return SP_OK;
        }
        if (strcmp(at, mount_point) == 0 || strcmp(at, "/") == 0)
            break;
        slash = strrchr(at, '/');
        if (slash == at)
            slash++;
        *slash = '\0';
    }
    free(at);
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
        "%s shows only a part of a btrfs subvolume, whose root cannot be reached from here",
        mount_point);
}

enum sp_code
btrfs_nested(const char *subvolume,
    enum sp_code (*each)(void *arg, const char *path, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct btrfs_util_subvolume_iterator *it = NULL;
    enum btrfs_util_error err;
    char *relative, *path;
    uint64_t id;
    size_t n;
    enum sp_code rc = SP_OK;

    errno = 0;
    err = btrfs_util_create_subvolume_iterator(subvolume, 0, 0, &it);
    if (err != BTRFS_UTIL_OK)
        return fail(e, err, "the subvolumes below", subvolume);
    while (rc == SP_OK) {
        errno = 0;
        err = btrfs_util_subvolume_iterator_next(it, &relative, &id);
        if (err == BTRFS_UTIL_ERROR_STOP_ITERATION)
            break;
        if (err != BTRFS_UTIL_OK) {
            rc = fail(e, err, "the subvolumes below", subvolume);
            break;
        }
        n = strlen(subvolume) + strlen(relative) + 2;
        path = malloc(n);
        if (path == NULL) {
            rc = sp_fail_nomem(e);
        } else {
            (void)strcpy(path, subvolume);
            if (strcmp(subvolume, "/") != 0)
                (void)strcat(path, "/");
            (void)strcat(path, relative);
            rc = each(arg, path, e);
        }
        free(path);
        free(relative);
    }
    btrfs_util_destroy_subvolume_iterator(it);
    return rc;
}

enum sp_code
btrfs_snapshot(const char *subvolume, const char *to, struct sp_err *e)
{
    enum btrfs_util_error err;

    errno = 0;
    err =
        btrfs_util_create_snapshot(subvolume, to, BTRFS_UTIL_CREATE_SNAPSHOT_READ_ONLY, NULL, NULL);
    if (err != BTRFS_UTIL_OK)
        return fail(e, err, "a snapshot of", subvolume);
    return SP_OK;
}

enum sp_code
btrfs_remove(const char *path, struct sp_err *e)
{
    enum btrfs_util_error err;
    struct stat st;
    bool read_only = false;

    if (lstat(path, &st) != 0)
        return sp_fail_os(e, SP_DOM_SHADOW, errno, "%s", path);
    errno = 0;
    err = btrfs_util_get_subvolume_read_only(path, &read_only);
    if (err != BTRFS_UTIL_OK || !read_only)
        return sp_fail(e, SP_REFUSED, SP_DOM_SHADOW, "%s is not a read-only snapshot", path);
    errno = 0;
    err = btrfs_util_delete_subvolume(path, 0);
    if (err != BTRFS_UTIL_OK)
        return fail(e, err, "removing the snapshot", path);
    return SP_OK;
}
