/* Opening folders on POSIX: see dir_os.h. */

#include "client/dir_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/dir_os.h"
#include "client/ntfs3g_linux.h"
#include "client/owner_posix.h"
#include "client/stat_posix.h"

struct sp_source_host {
    struct sp_owners *owners;
    atomic_bool blind; /* a mount of ntfs-3g that hides alternate streams was met */
};

enum sp_code
sp_source_host_new(const struct sp_env *env, const struct sp_source_options *o,
    struct sp_source_host **ret, struct sp_err *e)
{
    struct sp_source_host *h = calloc(1, sizeof *h);
    enum sp_code rc;

    (void)env;
    (void)o;
    if (h == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_owners_new(&h->owners, e)) != SP_OK) {
        free(h);
        return rc;
    }
    *ret = h;
    return SP_OK;
}

void
sp_source_host_free(struct sp_source_host *h)
{
    if (h == NULL)
        return;
    sp_owners_free(h->owners);
    free(h);
}

bool
sp_source_host_note(struct sp_source_host *h, size_t i, struct sp_buf *ret)
{
    if (i > 0 || !atomic_load(&h->blind))
        return false;
    sp_buf_put_str(ret, "an NTFS file system is mounted in a way that hides alternate data streams "
                        "(streams_interface=none): they are not in this set. Mount it with "
                        "streams_interface=windows to have them");
    return true;
}

struct sp_owners *
sp_dirs_owners(struct sp_dirs *p)
{
    return sp_dirs_host(p)->owners;
}

/* Only the owner and root may leave the time of access alone. */
static int
open_kindly(int dir, const char *name, int flags)
{
    int fd, more = O_NOATIME;

    do {
        fd = openat(dir, name, flags | more | O_CLOEXEC);
        if (fd >= 0 || (errno == EPERM && more == 0) || (errno != EPERM && errno != EINTR))
            return fd;
        if (errno == EPERM)
            more = 0;
    } while (true);
}

int
sp_source_openat(int dir, const char *name, int flags)
{
    return open_kindly(dir, name, flags | O_NOFOLLOW | O_NOCTTY);
}

/* No link is followed and only a folder is taken: anything else in its place answers ENOTDIR or
 * ELOOP. */
enum sp_code
sp_dir_os_open(struct sp_source_host *h, const union sp_dir_at *up, const char *name,
    enum sp_dir_purpose purpose, union sp_dir_at *ret, struct sp_err *e)
{
    int flags = O_DIRECTORY | (up == NULL ? 0 : O_NOFOLLOW), dir = up == NULL ? AT_FDCWD : up->fd;
    int fd = open_kindly(dir, name, flags | (purpose == SP_DIR_SEARCH ? O_PATH : O_RDONLY));

    (void)h;
    if (fd < 0 && errno == EACCES && purpose == SP_DIR_EITHER)
        fd = open_kindly(dir, name, flags | O_PATH);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it is no longer a folder");
    if (fd < 0)
        return sp_fail_os(e, sp_source_domain(errno), errno, "the folder cannot be opened");
    ret->fd = fd;
    return SP_OK;
}

enum sp_code
sp_dir_os_identify(struct sp_source_host *h, union sp_dir_at at, const struct sp_dir_known *up,
    struct sp_dir_known *ret, struct sp_err *e)
{
    struct statx st;

    if (sp_source_stat(at.fd, "", &st) != 0)
        return sp_fail_os(e, sp_source_domain(errno), errno, "the folder cannot be looked at");
    *ret = (struct sp_dir_known){.device = sp_stat_device(&st), .file_id = st.stx_ino};
    /* A file system is asked where it begins. */
    ret->traits = up != NULL && up->device == ret->device ? up->traits : sp_ntfs3g_of(at.fd);
    if (ret->traits == SP_NTFS3G)
        atomic_store(&h->blind, true);
    return SP_OK;
}

/* A folder was only read: its close tells nothing. */
void
sp_dir_os_close(struct sp_source_host *h, union sp_dir_at at)
{
    (void)h;
    (void)close(at.fd);
}
