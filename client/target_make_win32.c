#include "client/target_impl_win32.h"

#include <string.h>

/* New objects under temporary names, and what earlier runs left under such. */

#define ABANDONED (INT64_C(3600) * 10000000) /* an hour of ticks */

struct sweep {
    struct sp_target_dir *d;
    struct sp_ntfs_handle *dir;
    int64_t now;
};

/* Every handle shares with everybody, so who writes a file cannot be asked for: what did not change
 * for an hour of the file system's own clock is nobody's. A writer that is slower than that is told
 * that its file is gone, since a file gets its name by its handle. The listing may be behind: the
 * file itself is asked. */
static enum sp_code
sweep_one(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct sweep *s = arg;
    struct sp_target *t = s->d->t;
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    struct sp_err ignored = {0};
    bool old;

    (void)e;
    if (!target_temp_foreign(&t->temp, l->name) ||
        target_open_named(s->d, s->dir, l->name, NTFS_ANY, NTFS_CHANGE, &h, &info, &ignored) !=
            SP_OK)
        return SP_OK;
    old = info.ctime < s->now - ABANDONED && info.mtime < s->now - ABANDONED;
    if (old)
        target_discard(t, h);
    else
        target_close(t, h);
    return SP_OK;
}

/* A courtesy: what goes wrong here hinders nothing. */
void
target_sweep(struct sp_target_dir *d, struct sp_ntfs_handle *dir, int64_t now)
{
    struct sweep s = {d, dir, now};
    struct sp_err ignored = {0};

    if (d->existed && !atomic_exchange(&d->swept, true))
        (void)d->t->fs->list(d->t->fs->self, dir, sweep_one, &s, &ignored);
}

/* --- how a file lies on the volume
 * --------------------------------------------------------------------- */

static void
control(struct sp_target_dir *d, struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t n,
    enum target_kind kind, const char *what, struct sp_err *flaw)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_buf nothing = SP_BUF_INIT;
    struct sp_err why = {0};
    bool more = false;
    enum sp_code rc;

    rc = fs->control(fs->self, h, code, in, n, 0, &nothing, &more, &why);
    sp_buf_free(&nothing);
    if (rc == SP_UNSUPPORTED) {
        target_unsupported(d->t, kind);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, what);
        target_flaw(flaw, &why);
    }
}

#define FSCTL_SET_INTEGRITY UINT32_C(0x0009C280)
/* FSCTL_SET_INTEGRITY_INFORMATION_BUFFER: algorithm (CRC64; 0: none), reserved, flags; all
 * little-endian.
 * learn.microsoft.com/en-us/windows/win32/api/winioctl/ns-winioctl-fsctl_set_integrity_information_buffer
 */
static const uint8_t integrity_on[8] = {2}, integrity_off[8] = {0};
static const uint8_t compressed[2] = {1, 0},
                     plain[2] = {0, 0}; /* COMPRESSION_FORMAT_DEFAULT, _NONE */

void
target_layout(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    struct sp_ntfs_info info;
    struct sp_err why = {0};
    uint32_t want = sp_ntfs_attributes_of(en), differ;

    if ((en->flags & SP_ENTRY_WINDOWS) == 0)
        return;
    if (d->t->fs->info(d->t->fs->self, h, &info, &why) != SP_OK) {
        (void)target_fail(&why, "it cannot be looked at");
        target_flaw(flaw, &why);
        return;
    }
    differ = want ^ info.attributes;
    if ((differ & NTFS_COMPRESSED) != 0 && (want & NTFS_COMPRESSED) != 0 &&
        (d->flags & NTFS_FS_COMPRESSION) == 0)
        target_unsupported(d->t, TARGET_COMPRESSION);
    else if ((differ & NTFS_COMPRESSED) != 0 && (info.attributes & NTFS_ENCRYPTED) == 0)
        control(d, h, FSCTL_SP_SET_COMPRESSION, (want & NTFS_COMPRESSED) != 0 ? compressed : plain,
            2, TARGET_COMPRESSION, "its compression cannot be set", flaw);
    if ((differ & NTFS_INTEGRITY) != 0)
        control(d, h, FSCTL_SET_INTEGRITY,
            (want & NTFS_INTEGRITY) != 0 ? integrity_on : integrity_off, 8, TARGET_INTEGRITY,
            "its integrity stream cannot be set", flaw);
    if ((differ & want & NTFS_SPARSE) == 0 || en->type != SP_ENTRY_FILE)
        return;
    if ((d->flags & NTFS_FS_SPARSE) == 0)
        target_unsupported(d->t, TARGET_SPARSE);
    else
        control(
            d, h, FSCTL_SP_SET_SPARSE, NULL, 0, TARGET_SPARSE, "it cannot be made sparse", flaw);
}

/* --- making
 * -------------------------------------------------------------------------------------------- */

/* In a folder that encrypts, what is to be plain is made in the nearest one above that does not; a
 * name of the same volume is all that it changes:
 * learn.microsoft.com/en-us/windows/win32/fileio/handling-encrypted-files-and-directories */
static struct sp_target_dir *
place_for(struct sp_target_dir *d, const struct sp_entry *en)
{
    struct sp_target_dir *at = d;

    if ((en->flags & SP_ENTRY_WINDOWS) == 0 || (sp_ntfs_attributes_of(en) & NTFS_ENCRYPTED) != 0)
        return d;
    while (at->encrypted && at->up != NULL && !at->from_path && !at->up->is_virtual)
        at = at->up;
    return at->encrypted ? d : at;
}

static enum sp_code
create(struct target_new *n, struct sp_ntfs_handle *in, const struct sp_entry *en, bool folder,
    struct sp_err *e)
{
    struct sp_target_dir *d = n->dir;
    const struct sp_ntfs *fs = d->t->fs;
    size_t len = 0;
    const void *security = target_private(d, en, &len);
    enum sp_code rc;

    do {
        target_temp_name(&d->t->temp, n->temp);
        rc = folder && en->type == SP_ENTRY_DIR
                 ? target_dir_create(d, in, n->temp, en, &n->h, e)
                 : fs->create_at(fs->self, in, n->temp, folder, 0, security, len, &n->h, e);
    } while (rc == SP_EXISTS);
    return rc == SP_OK ? SP_OK : target_fail(e, "a file cannot be made here");
}

enum sp_code
target_make(struct sp_target_dir *d, const struct sp_entry *en, bool folder, struct target_new *ret,
    struct sp_err *e)
{
    struct target_new n = {.dir = sp_target_dir_hold(place_for(d, en))};
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_handle *in = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if ((rc = target_dir_use(n.dir, &in, e)) != SP_OK) {
        sp_target_dir_release(n.dir);
        return rc;
    }
    if ((rc = create(&n, in, en, folder, e)) == SP_OK &&
        (rc = fs->info(fs->self, n.h, &info, e)) != SP_OK)
        (void)target_fail(e, "a file that was made cannot be looked at");
    if (rc == SP_OK) {
        target_sweep(n.dir, in, info.btime);
        if ((info.attributes & NTFS_ENCRYPTED) != 0 && (en->flags & SP_ENTRY_WINDOWS) != 0 &&
            (sp_ntfs_attributes_of(en) & NTFS_ENCRYPTED) == 0)
            target_unsupported(d->t, TARGET_EFS_PLAIN);
    }
    target_dir_unuse(n.dir);
    if (rc != SP_OK) {
        target_make_end(&n, true);
        return rc;
    }
    *ret = n;
    return SP_OK;
}

void
target_make_end(struct target_new *n, bool remove)
{
    if (n->h != NULL && remove)
        target_discard(n->dir->t, n->h);
    else
        target_close(n->dir->t, n->h);
    sp_target_dir_release(n->dir);
    *n = (struct target_new){.dir = NULL};
}
