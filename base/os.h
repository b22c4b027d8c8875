#ifndef SP_BASE_OS_H
#define SP_BASE_OS_H

/* The OS layer under repository folders, local state and caches: a small table of file operations
 * that a test can replace by one that fails, tears, loses or reorders (after SQLite's VFS). It is not
 * used for reading sources and writing restored files: those need the platform in full and live in
 * client/.
 *
 * Paths are UTF-8 (WTF-8 from Windows) with '/', absolute. Files are created exclusively, with mode
 * 0600 (folders 0700) or what the platform has for "owner only", close-on-exec; links are refused
 * where a file is opened or created by its last component (R25). All operations are unbuffered and
 * handle short counts and EINTR inside. Any thread may use the table; one file is used by one thread
 * at a time, except read_at, which any number may call. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#if defined(_WIN32)
#define SP_OS_WINDOWS 1
#else
#define SP_OS_WINDOWS 0
#endif

struct sp_file; /* owned by the table that opened it */

enum sp_os_type { SP_OS_FILE, SP_OS_DIR, SP_OS_LINK, SP_OS_OTHER };

struct sp_os_stat {
    enum sp_os_type type;
    uint64_t size;
    int64_t mtime_ns;
    uint64_t device, inode;
};

struct sp_os_space {
    uint64_t free_bytes; /* to this user */
    uint64_t total_bytes;
};

struct sp_os {
    void *self;
    enum sp_code (*open_read)(void *self, const char *path, struct sp_file **ret, struct sp_err *e);
    /* Fails with SP_EXISTS when the name is taken. Readable and writable. */
    enum sp_code (*create)(void *self, const char *path, struct sp_file **ret, struct sp_err *e);
    /* Reads exactly n bytes, or fewer only at the end of the file (*ret_n). */
    enum sp_code (*read_at)(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n,
        size_t *ret_n, struct sp_err *e);
    /* Writes all n bytes or fails. */
    enum sp_code (*write_at)(void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n,
        struct sp_err *e);
    enum sp_code (*file_stat)(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e);
    enum sp_code (*sync)(void *self, struct sp_file *f, struct sp_err *e); /* fsync */
    /* Always releases f, also when it fails (R3: a failing close is a failure). */
    enum sp_code (*close)(void *self, struct sp_file *f, struct sp_err *e);
    /* `to` must not exist: SP_EXISTS. Atomic where the platform can (renameat2, MoveFileEx), else link
     * and unlink, else — where the file system can do neither — checked and renamed. */
    enum sp_code (*publish)(void *self, const char *from, const char *to, struct sp_err *e);
    /* Replaces `to` atomically: for local state only, never for repository objects. */
    enum sp_code (*replace)(void *self, const char *from, const char *to, struct sp_err *e);
    enum sp_code (*remove)(void *self, const char *path, struct sp_err *e);
    enum sp_code (*mkdir)(void *self, const char *path, struct sp_err *e); /* SP_EXISTS when there */
    enum sp_code (*rmdir)(void *self, const char *path, struct sp_err *e);
    enum sp_code (*sync_dir)(void *self, const char *path, struct sp_err *e);
    /* Calls `each` for every name but . and .. in no order; a code other than SP_OK from it ends the
     * listing and is returned. `each` sees type and size (0 when the platform would need a second
     * call and want_stat is false). */
    enum sp_code (*list)(void *self, const char *path, bool want_stat,
        enum sp_code (*each)(void *arg, const char *name, const struct sp_os_stat *st,
            struct sp_err *e),
        void *arg, struct sp_err *e);
    /* Does not follow a link in the last component. SP_ABSENT when there is nothing. */
    enum sp_code (*stat)(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e);
    enum sp_code (*space)(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e);
};

extern const struct sp_os sp_os_system;

/* Whole small files, over a table. write_file: temporary name, write, sync, close, replace, folder
 * sync: either the old or the new bytes survive a power cut; what writers of this file that were
 * killed left beside it more than a day ago goes. read_file refuses more than `limit`. */
enum sp_code sp_os_write_file(const struct sp_os *os, const char *path, const void *p, size_t n,
    struct sp_err *e);
enum sp_code sp_os_read_file(const struct sp_os *os, const char *path, size_t limit, uint8_t **ret,
    size_t *ret_n, struct sp_err *e);
/* Makes all missing folders of `path`; those that it made outlive a power cut, where folders can be
 * flushed. */
enum sp_code sp_os_mkdirs(const struct sp_os *os, const char *path, struct sp_err *e);
/* Removes a tree of files and folders (cache, test folder); never follows links; absent is OK. */
enum sp_code sp_os_remove_tree(const struct sp_os *os, const char *path, struct sp_err *e);

/* The places of the platform. Each gives a malloc'd absolute path. As root: /etc/stillpoint,
 * /var/lib/stillpoint, /var/cache/stillpoint; as a user: the XDG folders. The environment variables
 * STILLPOINT_CONFIG_DIR, STILLPOINT_STATE_DIR and STILLPOINT_CACHE_DIR come first. */
enum sp_os_place { SP_PLACE_CONFIG, SP_PLACE_STATE, SP_PLACE_CACHE };
enum sp_code sp_os_place(enum sp_os_place which, char **ret, struct sp_err *e);
bool sp_os_is_admin(void);
enum sp_code sp_os_hostname(char **ret, struct sp_err *e);
/* An absolute path without . .. and repeated slashes; does not look at the disk. */
enum sp_code sp_os_absolute(const char *path, char **ret, struct sp_err *e);

/* Opens what a user named, relative or absolute, for reading as a stream: it may be a pipe, and a link
 * is followed. For secrets; all else goes through the table. */
enum sp_code sp_os_stream(const char *path, FILE **ret, struct sp_err *e);

/* What every module that lives on the machine gets: the replaceable platform. */
struct sp_clock;
struct sp_random;
struct sp_env {
    const struct sp_os *os;
    const struct sp_clock *clock;
    const struct sp_random *random;
};
extern const struct sp_env sp_env_system;

#endif
