#include "client/folder_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "client/stat_posix.h"

/* Not in every linux/magic.h. */
#define CONFIGFS 0x62656570
#define FUSECTL 0x65735543
#define MQUEUE 0x19800202
#define RPC_PIPEFS 0x67596969

bool
sp_folder_made_up(int dir, const char *name)
{
    static const uint32_t kinds[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC,
        SELINUX_MAGIC, SMACK_MAGIC, BPF_FS_MAGIC, PSTOREFS_MAGIC, BINFMTFS_MAGIC,
        AUTOFS_SUPER_MAGIC, NSFS_MAGIC, EFIVARFS_MAGIC, RDTGROUP_SUPER_MAGIC, HUGETLBFS_MAGIC,
        CONFIGFS, FUSECTL, MQUEUE, RPC_PIPEFS};
    struct statfs fs;
    bool found = false;
    /* Without O_DIRECTORY: that would set off an automount. */
    int fd = sp_source_openat(dir, name, O_PATH);

    if (fd < 0)
        return false;
    if (fstatfs(fd, &fs) == 0)
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            found = found || (uint32_t)fs.f_type == kinds[i];
    (void)close(fd);
    return found;
}

bool
sp_folder_fault(const struct sp_err *e)
{
    return e->domain == SP_DOM_SOURCE;
}

static enum sp_code
set_fault(struct sp_item *it, const struct sp_err *why, struct sp_err *e)
{
    return sp_item_set_fault(it, it->entry->key, it->entry->key_len, SP_FAULT_FOLDER, why->text, e);
}

/* https://bford.info/cachedir/: the file has to begin with this. */
static bool
has_cache_tag(int dir)
{
    static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";
    char found[sizeof signature - 1];
    struct statx st;
    int fd = sp_source_openat(dir, "CACHEDIR.TAG", O_RDONLY | O_NONBLOCK);
    bool is;

    if (fd < 0)
        return false;
    is = sp_source_stat(fd, "", &st) == 0 && sp_stat_type(&st) == SP_ENTRY_FILE &&
         pread(fd, found, sizeof found, 0) == (ssize_t)sizeof found &&
         memcmp(found, signature, sizeof found) == 0;
    (void)close(fd);
    return is;
}

/* The handle, in use, and a descriptor to list by. A volume's root has a handle from before, which
 * may be one that only finds, and whose place in the listing is not ours: *ret_own. */
static enum sp_code
open_to_list(const struct sp_place *at, const struct statx *seen, struct sp_folder *f, int *ret_own,
    struct sp_err *e)
{
    enum sp_code rc;
    int own;

    if (strcmp(at->name, ".") != 0)
        return sp_dir_open(at->dir, at->name, seen, false, &f->dir, &f->fd, e);
    if ((rc = sp_dir_use(at->dir, &f->fd, e)) != SP_OK)
        return rc;
    f->dir = sp_dir_hold(at->dir);
    if ((own = sp_source_openat(f->fd, ".", O_RDONLY | O_DIRECTORY)) < 0)
        return sp_fail_os(e, sp_source_domain(errno), errno, "the folder cannot be opened");
    *ret_own = own;
    return SP_OK;
}

enum sp_code
sp_folder_enter(const struct sp_folder_options *o, const struct sp_place *at,
    const struct statx *seen, struct sp_item *it, struct sp_folder *ret, uint64_t *ret_left_out,
    struct sp_err *e)
{
    struct sp_folder f = {.fd = -1};
    struct sp_err why = {0};
    uint64_t left_out = 0;
    int own = -1;
    enum sp_code rc;

    if ((rc = open_to_list(at, seen, &f, &own, &why)) != SP_OK) {
        if (rc == SP_ABSENT || rc == SP_CHANGED || !sp_folder_fault(&why))
            *e = why;
        else
            rc = set_fault(it, &why, e);
        goto out;
    }
    rc = sp_listing_read(o->env, o->temp_dir, own >= 0 ? own : f.fd, o->buffer, &f.list, e);
    if (rc != SP_OK)
        goto out;
    if (sp_listing_error(f.list) != 0) {
        (void)sp_fail_os(&why, SP_DOM_SOURCE, sp_listing_error(f.list),
            "the folder cannot be listed to its end");
        if ((rc = set_fault(it, &why, e)) != SP_OK)
            goto out;
    }
    if (o->cachedir_tag && sp_listing_has_tag(f.list) && has_cache_tag(f.fd))
        left_out = sp_listing_keep_tag(f.list);
    *ret_left_out = left_out;
    *ret = f;
    f = (struct sp_folder){.fd = -1};
out:
    if (own >= 0)
        (void)close(own);
    sp_folder_leave(&f);
    return rc;
}

void
sp_folder_leave(struct sp_folder *f)
{
    if (f->fd >= 0)
        sp_dir_unuse(f->dir);
    sp_dir_release(f->dir);
    sp_listing_free(f->list);
    *f = (struct sp_folder){.fd = -1};
}
