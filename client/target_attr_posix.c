#include "client/target_impl_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/stat_posix.h"

/* Attributes, in the order in which they stick: the owner first, since that clears capabilities and
 * the set-id bits; extended attributes and ACLs while the owner can still write; then the mode,
 * which an ACL has changed; times last. */

struct wish { /* what can be had of what the entry says */
    uint32_t uid, gid, mode;
    bool owner, group; /* they are not as in the entry, because this user may not */
};

struct target_handle
target_handle_of(int fd, bool path)
{
    struct target_handle h = {.fd = fd, .path = path, .dir = -1};

    (void)snprintf(h.proc, sizeof h.proc, "/proc/self/fd/%d", fd);
    return h;
}

void
target_unsupported(struct sp_target *t, enum target_kind kind)
{
    static const char *const sentences[] = {
        [TARGET_OWNER] = "owner and group cannot be set by this user or on this file system: such "
                         "files belong to whoever restores them",
        [TARGET_SPECIAL_BITS] = "the set-user-ID and set-group-ID bits of files whose owner could "
                                "not be set are left out",
        [TARGET_MODE] = "permission bits cannot be set on this file system",
        [TARGET_ACL] = "access control lists cannot be set on this file system or by this user",
        [TARGET_USER] = "extended attributes (user.*) cannot be set on this file system",
        [TARGET_TRUSTED] =
            "extended attributes of the kind trusted.* cannot be set by this user or "
            "on this file system",
        [TARGET_SECURITY] = "extended attributes of the kind security.* (capabilities, labels) "
                            "cannot be set by this user or on this file system",
        [TARGET_SYSTEM] =
            "some extended attributes of the system cannot be set on this file system",
        [TARGET_SIZE] = "some extended attributes are larger than this file system allows",
        [TARGET_WINDOWS_SECURITY] =
            "owners and access control lists of Windows cannot be set here: such files belong to "
            "whoever restores them. They stay in the set; restore to NTFS, as an administrator "
            "or root, to have them",
        [TARGET_WINDOWS_STREAMS] = "alternate data streams cannot be written here. They stay in "
                                   "the set; restore to NTFS to have them",
        [TARGET_WINDOWS_LONG_STREAMS] =
            "alternate data streams longer than 64 KiB cannot be written through this mount. They "
            "stay in the set; restore to NTFS mounted with streams_interface=windows, or on "
            "Windows, to have them",
        [TARGET_WINDOWS_ATTRIBUTES] =
            "attributes of Windows (hidden, system, not indexed, compressed, encrypted, offline) "
            "cannot be set here. They stay in the set; restore to NTFS to have them",
        [TARGET_WINDOWS_EA] = "extended attributes of Windows cannot be set here. They stay in "
                              "the set; restore to NTFS to have them",
        [TARGET_WINDOWS_OBJECT_ID] =
            "object ids of NTFS cannot be set here, or another file of the volume has them. They "
            "stay in the set; restore to another NTFS volume to have them",
        [TARGET_WINDOWS_SHORT_NAME] =
            "short names (8.3) cannot be set here, or another file has them. They stay in the "
            "set; restore to NTFS to have them",
        [TARGET_WINDOWS_REPARSE] =
            "links of Windows become plain symbolic links here, and folders that mount a volume "
            "plain folders. What they were stays in the set; restore to NTFS to have it",
        [TARGET_WINDOWS_COMPRESSED] =
            "files that were compressed by NTFS are written plain through this mount; restore on "
            "Windows to have them compressed",
        [TARGET_WINDOWS_ENCRYPTED] =
            "the mark that new files of a folder are encrypted cannot be set through ntfs-3g; "
            "restore on Windows to have it",
        [TARGET_WINDOWS_CASE] =
            "the mark that names in a folder differ by case cannot be set through ntfs-3g; "
            "restore on Windows to have it",
    };

    target_notes_add(&t->notes, kind, sentences[kind]);
}

static bool
in_group(const struct sp_target *t, uint32_t gid)
{
    for (size_t i = 0; i < t->ngroups; i++)
        if (t->groups[i] == gid)
            return true;
    return false;
}

static struct wish
wish_of(struct sp_target *t, const struct sp_entry *en, const struct sp_entry *now)
{
    struct wish w = {.uid = en->uid, .gid = en->gid, .mode = en->mode};

    if (!t->numeric_owner) {
        (void)target_ids_find(t->ids, false, en->user, &w.uid);
        (void)target_ids_find(t->ids, true, en->group, &w.gid);
    }
    /* -1 means "leave it" to the system: nobody can own anything under that number. */
    if (w.uid != now->uid && (t->euid != 0 || w.uid == UINT32_MAX)) {
        w.uid = now->uid;
        w.owner = true;
    }
    if (w.gid != now->gid &&
        ((t->euid != 0 && (now->uid != t->euid || !in_group(t, w.gid))) || w.gid == UINT32_MAX)) {
        w.gid = now->gid;
        w.group = true;
    }
    return w;
}

/* Rights that were meant for another owner are not given to this one. */
static void
drop_special_bits(struct sp_target *t, const struct sp_entry *en, struct wish *w)
{
    uint32_t before = w->mode;

    if (en->type == SP_ENTRY_DIR)
        return;
    if (w->owner)
        w->mode &= ~UINT32_C(04000);
    if (w->group)
        w->mode &= ~UINT32_C(02000);
    if (w->mode != before && t != NULL)
        target_unsupported(t, TARGET_SPECIAL_BITS);
}

static enum sp_code
look(const struct target_handle *h, struct sp_entry *ret, struct sp_err *e)
{
    struct statx st;

    if (sp_source_stat(h->fd, "", &st) != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "its attributes cannot be read");
    memset(ret, 0, sizeof *ret);
    sp_stat_fill(ret, &st);
    return SP_OK;
}

static void
set_flaw(struct sp_err *flaw, int os_errno, const char *what)
{
    if (flaw->code == SP_OK)
        (void)sp_fail_os(flaw, SP_DOM_DESTINATION, os_errno, "%s", what);
}

static bool
set_owner(struct sp_target *t, const struct target_handle *h, const struct sp_entry *now,
    struct wish *w, struct sp_err *flaw)
{
    bool changed = false;

    if (w->uid != now->uid || w->gid != now->gid) {
        changed = fchownat(h->fd, "", w->uid, w->gid, AT_EMPTY_PATH) == 0;
        /* EPERM: FAT, squashed NFS; EINVAL: a number that this user namespace does not have. */
        if (!changed && errno != EPERM && errno != EINVAL)
            set_flaw(flaw, errno, "its owner cannot be set");
        if (!changed) {
            w->owner = w->owner || w->uid != now->uid;
            w->group = w->group || w->gid != now->gid;
        }
    }
    if (w->owner || w->group)
        target_unsupported(t, TARGET_OWNER);
    return changed;
}

static void
set_mode(struct sp_target *t, const struct target_handle *h, const struct sp_entry *now,
    const struct wish *w, struct sp_err *flaw)
{
    int rc;

    if (now->type == SP_ENTRY_LINK)
        return;
    do
        rc = h->path ? chmod(h->proc, w->mode) : fchmod(h->fd, w->mode);
    while (rc != 0 && errno == EINTR);
    if (rc == 0)
        return;
    if ((errno == EPERM && (t->euid == 0 || now->uid == t->euid)) || errno == ENOTSUP)
        target_unsupported(t, TARGET_MODE);
    else
        set_flaw(flaw, errno, "its permission bits cannot be set");
}

static int
times(const struct target_handle *h, const struct timespec ts[2])
{
    int rc;

    do {
        rc = h->path ? utimensat(h->fd, "", ts, AT_EMPTY_PATH) : futimens(h->fd, ts);
        if (rc != 0 && errno == EINVAL && h->path) /* before Linux 5.8 */
            rc = utimensat(AT_FDCWD, h->proc, ts, 0);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

static void
set_times(const struct target_handle *h, const struct sp_entry *en, struct sp_err *flaw)
{
    struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, target_timespec(en->mtime_ns)};

    if ((en->flags & SP_ENTRY_WINDOWS) != 0 && en->atime_ns != 0)
        ts[0] = target_timespec(en->atime_ns);
    if (times(h, ts) != 0)
        set_flaw(flaw, errno, "its time of modification cannot be set");
}

void
target_apply(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    struct sp_entry now, plain;
    struct wish w;
    bool changed, more = false;
    unsigned traits;

    sp_err_clear(flaw);
    if (target_is_ntfs(h, en, &traits)) {
        target_ntfs_apply(t, h, en, traits, flaw);
        return;
    }
    if (look(h, &now, flaw) != SP_OK)
        return;
    if ((en->flags & SP_ENTRY_WINDOWS) != 0) {
        target_windows_plain(t, en, &now, &plain);
        en = &plain;
    }
    w = wish_of(t, en, &now);
    changed = set_owner(t, h, &now, &w, flaw);
    drop_special_bits(t, en, &w);
    target_xattrs_set(t, h, en, now.mode, &more, flaw);
    if (changed || more || w.mode != now.mode)
        set_mode(t, h, &now, &w, flaw);
    if (changed || more || w.mode != now.mode || en->mtime_ns != now.mtime_ns)
        set_times(h, en, flaw);
}

enum sp_code
target_differs(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    bool *ret, struct sp_err *e)
{
    struct sp_entry now, plain;
    struct wish w;
    unsigned traits;
    enum sp_code rc;

    if ((rc = look(h, &now, e)) != SP_OK)
        return rc;
    if (target_is_ntfs(h, en, &traits)) {
        struct sp_ntfs3g_object o = {.fd = h->fd,
            .dir = h->name != NULL ? h->dir : -1,
            .name = h->name != NULL ? h->name : "",
            .traits = traits};

        return sp_ntfs3g_differs(&o, now.type, en, ret, e);
    }
    if ((en->flags & SP_ENTRY_WINDOWS) != 0) {
        target_windows_plain(NULL, en, &now, &plain);
        en = &plain;
    }
    w = wish_of(t, en, &now);
    drop_special_bits(NULL, en, &w);
    *ret = w.uid != now.uid || w.gid != now.gid || en->mtime_ns != now.mtime_ns ||
           (now.type != SP_ENTRY_LINK && w.mode != now.mode);
    return *ret ? SP_OK : target_xattrs_differ(h, en, ret, e);
}

/* --- folders
 * ------------------------------------------------------------------------------------------- */

enum sp_code
sp_target_dir_apply(struct sp_target_dir *d, const struct sp_entry *en, struct sp_err *e)
{
    struct target_handle h;
    struct sp_err flaw = {0};
    int dir, fd, up = -1;
    enum sp_code rc;

    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    if (d->up != NULL && (rc = target_dir_use(d->up, &up, e)) != SP_OK) {
        target_dir_unuse(d);
        return rc;
    }
    fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h = fd >= 0 ? target_handle_of(fd, false) : target_handle_of(dir, true);
    h.dir = d->up != NULL ? up : dir;
    h.name = d->up != NULL ? d->name : ".";
    target_apply(d->t, &h, en, &flaw);
    if (d->up != NULL)
        target_dir_unuse(d->up);
    if (fd >= 0)
        (void)close(fd); /* was not written */
    d->opened_up = d->loosened = false;
    target_dir_unuse(d);
    if (flaw.code != SP_OK)
        *e = flaw;
    return flaw.code;
}

enum sp_code
sp_target_dir_open_up(struct sp_target_dir *d, struct sp_err *e)
{
    struct target_handle h;
    struct statx st;
    int dir;
    enum sp_code rc;

    if (d->opened_up)
        return SP_OK;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    h = target_handle_of(dir, true);
    if (sp_source_stat(dir, "", &st) != 0) {
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "the folder cannot be looked at");
        goto out;
    }
    d->opened_up = true;
    d->mode = st.stx_mode & 07777u;
    d->mtime.tv_sec = (time_t)st.stx_mtime.tv_sec;
    d->mtime.tv_nsec = (long)st.stx_mtime.tv_nsec;
    if (d->t->euid == 0 || st.stx_uid != d->t->euid || (d->mode & 0700) == 0700)
        goto out;
    if (chmod(h.proc, d->mode | 0700) != 0)
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "the folder cannot be made writable");
    else
        d->loosened = true;
out:
    target_dir_unuse(d);
    return rc;
}

enum sp_code
sp_target_dir_put_back(struct sp_target_dir *d, bool time, struct sp_err *e)
{
    struct target_handle h;
    struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, d->mtime};
    int dir;
    enum sp_code rc;

    if (!d->opened_up)
        return SP_OK;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    h = target_handle_of(dir, true);
    if (d->loosened && chmod(h.proc, d->mode) != 0)
        rc = sp_fail_os(
            e, SP_DOM_DESTINATION, errno, "the folder's permission bits cannot be put back");
    if (time && times(&h, ts) != 0 && rc == SP_OK)
        rc = sp_fail_os(
            e, SP_DOM_DESTINATION, errno, "the folder's time of modification cannot be put back");
    d->opened_up = d->loosened = false;
    target_dir_unuse(d);
    return rc;
}
