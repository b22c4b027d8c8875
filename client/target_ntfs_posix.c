#include "client/target_impl_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ntfs.h"
#include "client/stat_posix.h"

/* What was backed up from NTFS (SP_ENTRY_WINDOWS): through ntfs-3g it gets all of it back
 * (ntfs3g_linux.h); anywhere else it becomes a plain object of this system, and what that cannot
 * hold is named, once for each kind. */

/* --- elsewhere -----------------------------------------------------------------------------------
 */

static const struct {
    const char *attribute;
    enum target_kind kind;
} kinds[] = {
    {WINDOWS_SECURITY, TARGET_WINDOWS_SECURITY},
    {WINDOWS_STREAMS, TARGET_WINDOWS_STREAMS},
    {WINDOWS_EA, TARGET_WINDOWS_EA},
    {WINDOWS_OBJECT_ID, TARGET_WINDOWS_OBJECT_ID},
    {WINDOWS_SHORT_NAME, TARGET_WINDOWS_SHORT_NAME},
    {WINDOWS_REPARSE, TARGET_WINDOWS_REPARSE},
};

/* Of the attributes, read-only becomes a mode, and the others say what the object is anyway. */
#define SAID                                                                                       \
    (NTFS_READONLY | NTFS_DIRECTORY | NTFS_NORMAL | NTFS_ARCHIVE | NTFS_SPARSE | NTFS_REPARSE |    \
        NTFS_TEMPORARY)

static void
name_losses(struct sp_target *t, const struct sp_entry *en)
{
    bool streams = false;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (sp_ntfs_find(en, kinds[i].attribute) != NULL)
            target_unsupported(t, kinds[i].kind);
    for (size_t i = 0; i < en->nattributes && !streams; i++)
        streams = strncmp(en->attributes[i].name, WINDOWS_STREAM, strlen(WINDOWS_STREAM)) == 0;
    if (streams)
        target_unsupported(t, TARGET_WINDOWS_STREAMS);
    if ((sp_ntfs_attributes_of(en) & ~SAID) != 0)
        target_unsupported(t, TARGET_WINDOWS_ATTRIBUTES);
}

void
target_windows_plain(struct sp_target *t, const struct sp_entry *en, const struct sp_entry *now,
    struct sp_entry *ret)
{
    if (t != NULL)
        name_losses(t, en);
    *ret = *en;
    ret->mode = sp_ntfs_mode(en);
    ret->uid = now->uid;
    ret->gid = now->gid;
    ret->user = ret->group = "";
    ret->attributes = NULL;
    ret->nattributes = 0;
}

/* --- on ntfs-3g ----------------------------------------------------------------------------------
 */

static void
tell(struct sp_target *t, const struct sp_ntfs3g_told *told, struct sp_err *flaw)
{
    static const enum target_kind of[] = {TARGET_WINDOWS_SECURITY, TARGET_WINDOWS_STREAMS,
        TARGET_WINDOWS_LONG_STREAMS, TARGET_WINDOWS_EA, TARGET_WINDOWS_OBJECT_ID,
        TARGET_WINDOWS_SHORT_NAME, TARGET_WINDOWS_COMPRESSED, TARGET_WINDOWS_ENCRYPTED,
        TARGET_WINDOWS_CASE};

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        if ((told->lacks & 1u << i) != 0)
            target_unsupported(t, of[i]);
    if (told->why != 0 && flaw->code == SP_OK)
        (void)sp_fail_os(flaw, SP_DOM_DESTINATION, told->why, "%s", told->what);
}

bool
target_is_ntfs(const struct target_handle *h, const struct sp_entry *en, unsigned *ret_traits)
{
    *ret_traits = en != NULL && (en->flags & SP_ENTRY_WINDOWS) == 0 ? 0 : sp_ntfs3g_of(h->fd);
    return *ret_traits != 0;
}

static struct sp_ntfs3g_object
object_of(const struct target_handle *h, unsigned traits)
{
    return (struct sp_ntfs3g_object){.fd = h->fd,
        .dir = h->name != NULL ? h->dir : -1,
        .name = h->name != NULL ? h->name : "",
        .traits = traits};
}

void
target_ntfs_apply(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    unsigned traits, struct sp_err *flaw)
{
    const struct sp_ntfs3g_object o = object_of(h, traits);
    struct sp_ntfs3g_told told = {0};

    sp_ntfs3g_write(&o, en, &told);
    sp_ntfs3g_seal(&o, en, &told);
    tell(t, &told, flaw);
}

void
target_ntfs_seal(struct sp_target *t, int dir, const char *name, uint64_t inode,
    const struct sp_entry *en, struct sp_err *flaw)
{
    struct sp_ntfs3g_told told = {0};
    struct sp_ntfs3g_object o = {.dir = dir, .name = name};
    struct statx st;

    o.fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (o.fd < 0 || sp_source_stat(o.fd, "", &st) != 0) {
        told.why = errno;
        (void)strcpy(told.what, "its times cannot be set");
    } else if (st.stx_ino == inode && (o.traits = sp_ntfs3g_of(o.fd)) != 0) {
        sp_ntfs3g_seal(&o, en, &told);
    }
    if (o.fd >= 0)
        (void)close(o.fd);
    tell(t, &told, flaw);
}

void
target_ntfs_prepare(struct sp_target_dir *d, const struct sp_entry *en)
{
    struct sp_err ignored = {0}; /* it is told when the folder is done */
    int fd;

    if ((sp_ntfs_attributes_of(en) & NTFS_COMPRESSED) == 0 ||
        target_dir_use(d, &fd, &ignored) != SP_OK)
        return;
    if (sp_ntfs3g_of(fd) != 0)
        sp_ntfs3g_prepare(fd, en);
    target_dir_unuse(d);
}

bool
target_ntfs_same_link(int fd, const struct sp_entry *en, bool *ret)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_REPARSE);
    struct sp_buf b = SP_BUF_INIT;

    if ((en->flags & SP_ENTRY_WINDOWS) == 0 || a == NULL || a->external || sp_ntfs3g_of(fd) == 0)
        return false;
    *ret = sp_ntfs3g_reparse(fd, &b) && b.len == a->len && memcmp(b.data, a->value, b.len) == 0;
    sp_buf_free(&b);
    return true;
}

/* ntfs-3g makes links of its own kinds; one of Windows is a file or folder with reparse data, and
 * the kernel remembers it as that until it is made to look again. */
enum sp_code
target_ntfs_make(struct sp_target *t, int dir, const char *temp, const struct sp_entry *en,
    struct sp_target_stat *ret, bool *ret_made, struct sp_err *flaw, struct sp_err *e)
{
    bool folder = (sp_ntfs_attributes_of(en) & NTFS_DIRECTORY) != 0;
    struct target_handle h;
    struct statx st;
    unsigned traits;
    int fd = -1, rc;

    *ret_made = false;
    h = target_handle_of(dir, true);
    if (sp_ntfs_find(en, WINDOWS_REPARSE) == NULL || !target_is_ntfs(&h, en, &traits))
        return SP_OK;
    rc = folder ? mkdirat(dir, temp, 0700) : mknodat(dir, temp, S_IFREG | 0600, 0);
    if (rc != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "the link cannot be made");
    *ret_made = true;
    if ((fd = openat(dir, temp, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "what was made cannot be opened");
    if (target_stat(fd, "", ret, e) != SP_OK)
        goto out;
    h = target_handle_of(fd, true);
    h.dir = dir;
    h.name = temp;
    target_ntfs_apply(t, &h, en, traits, flaw);
    /* This look finds that the type has changed and lets go of what was known. */
    (void)statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st);
    ret->type = en->type;
    ret->size = 0;
out:
    (void)close(fd);
    return e->code;
}

void
target_ntfs_unmake(int dir, const char *temp)
{
    if (unlinkat(dir, temp, 0) != 0 && (errno == EISDIR || errno == EPERM))
        (void)unlinkat(dir, temp, AT_REMOVEDIR);
}
