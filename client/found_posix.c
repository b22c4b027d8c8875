#include "client/found.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "client/dir_posix.h"
#include "client/ntfs3g_linux.h"
#include "client/stat_posix.h"

/* Not in every linux/magic.h. */
#define CONFIGFS 0x62656570
#define FUSECTL 0x65735543
#define MQUEUE 0x19800202
#define RPC_PIPEFS 0x67596969

bool
sp_found_made_up(union sp_dir_at dir, const char *name)
{
    static const uint32_t kinds[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC,
        SELINUX_MAGIC, SMACK_MAGIC, BPF_FS_MAGIC, PSTOREFS_MAGIC, BINFMTFS_MAGIC,
        AUTOFS_SUPER_MAGIC, NSFS_MAGIC, EFIVARFS_MAGIC, RDTGROUP_SUPER_MAGIC, HUGETLBFS_MAGIC,
        CONFIGFS, FUSECTL, MQUEUE, RPC_PIPEFS};
    struct statfs fs;
    bool found = false;
    /* Without O_DIRECTORY: that would set off an automount. */
    int fd = sp_source_openat(dir.fd, name, O_PATH);

    if (fd < 0)
        return false;
    if (fstatfs(fd, &fs) == 0)
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            found = found || (uint32_t)fs.f_type == kinds[i];
    (void)close(fd);
    return found;
}

void
sp_found_clear(struct sp_found *f)
{
    (void)f;
}

/* What ntfs-3g shows as a link may be anything (ntfs3g_linux.h), and before 1970 its stat has no
 * fractions of seconds. */
static enum sp_code
look_ntfs(const struct sp_place *at, int dir, struct sp_found *ret, struct sp_err *e)
{
    struct sp_entry *en = &ret->entry;
    struct sp_ntfs3g_object o = {.fd = -1, .dir = dir, .name = at->name, .traits = SP_NTFS3G};
    struct sp_ntfs3g_kind kind = {.type = en->type};
    int64_t times[4];
    int why = 0;

    en->flags |= SP_ENTRY_WINDOWS;
    en->links = 0; /* short names are counted: what was described is better */
    if ((en->type == SP_ENTRY_FILE || en->type == SP_ENTRY_DIR) && en->mtime_ns >= 0 &&
        en->ctime_ns >= 0)
        return SP_OK;
    if ((o.fd = sp_source_openat(dir, at->name, O_PATH)) < 0 ||
        (why = sp_ntfs3g_kind(&o, en->type, &kind)) != 0 ||
        (why = sp_ntfs3g_times(o.fd, times)) != 0) {
        why = why != 0 ? why : errno;
        (void)sp_fail_os(e, sp_source_domain(why), why, "cannot be looked at");
        if (o.fd >= 0)
            (void)close(o.fd);
        return e->code;
    }
    (void)close(o.fd);
    ret->closed = kind.type == SP_ENTRY_DIR && en->type != SP_ENTRY_DIR;
    en->type = kind.type;
    en->flags |= kind.flags;
    sp_ntfs3g_set_times(en, times);
    return SP_OK;
}

/* A file system is known by its folders, but where it begins it is asked. */
static bool
is_ntfs(const struct sp_place *at, int dir, const struct sp_found *found)
{
    const struct sp_dir_known *up = sp_dir_known(at->dir);
    unsigned traits;
    int fd;

    if (up->device == found->device)
        return (up->traits & SP_NTFS3G) != 0;
    if (found->entry.type != SP_ENTRY_DIR || (fd = sp_source_openat(dir, at->name, O_PATH)) < 0)
        return false;
    traits = sp_ntfs3g_of(fd);
    (void)close(fd);
    return traits != 0;
}

enum sp_code
sp_found_look(
    const struct sp_found_how *how, struct sp_place *at, struct sp_found *ret, struct sp_err *e)
{
    union sp_dir_at dir = {0};
    struct statx st;
    bool here = how->open != NULL && !how->elsewhere;
    enum sp_code rc = SP_OK;

    if (here)
        dir = *how->open;
    else if ((rc = sp_dir_use(at->dir, &dir, e)) != SP_OK)
        return rc;
    if (sp_source_stat(dir.fd, at->name, &st) != 0)
        rc = sp_fail_os(e, sp_source_domain(errno), errno, "cannot be looked at");
    if (rc == SP_OK) {
        sp_stat_fill(&ret->entry, &st);
        ret->device = sp_stat_device(&st);
        if (is_ntfs(at, dir.fd, ret))
            rc = look_ntfs(at, dir.fd, ret, e);
    }
    if (!here)
        sp_dir_unuse(at->dir);
    return rc;
}
