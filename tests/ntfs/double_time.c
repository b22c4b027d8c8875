/* Times: what is touched when, how fine a volume keeps them, and what a name leaves to its
 * successor. */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

#define MS INT64_C(10000)
#define SECOND NTFS_DOUBLE_SECOND

/* learn.microsoft.com/en-us/windows/win32/sysinfo/file-times: FAT keeps 10 ms, 2 s and a day, exFAT
 * 10 ms and 2 s for the access; neither has a change time. */
int64_t
dbl_grain(const struct dbl_volume *v, char which, int64_t ticks)
{
    int64_t grain = 1;

    if (v->kind == NTFS_DOUBLE_FAT32)
        grain = which == 'b' ? 10 * MS : which == 'm' ? 2 * SECOND : 86400 * SECOND;
    else if (v->kind == NTFS_DOUBLE_EXFAT)
        grain = which == 'a' ? 2 * SECOND : 10 * MS;
    else
        return ticks;
    return which == 'c' ? 0 : ticks - ticks % grain;
}

/* MS-FSA 2.1.4.17 (noting that a file has been modified) and 2.1.5.4 (a write): times of
 * modification and change and ARCHIVE, unless this handle has set that time. The time of access is
 * kept to the hour (file-times, above). */
void
dbl_touch(struct ntfs_double *d, struct dbl_node *n, struct sp_ntfs_handle *h, unsigned what)
{
    const struct dbl_volume *v = n->volume;

    if ((what & T_MODIFY) != 0 && (h == NULL || !h->set_mtime))
        n->mtime = dbl_grain(v, 'm', d->now);
    if ((what & T_CHANGE) != 0 && (h == NULL || !h->set_ctime))
        n->ctime = dbl_grain(v, 'c', d->now);
    if ((what & T_ACCESS) != 0 && (h == NULL || !h->set_atime) &&
        d->now - n->atime > 3600 * SECOND && (v->flags & NTFS_FS_READ_ONLY) == 0)
        n->atime = dbl_grain(v, 'a', d->now);
    if ((what & T_ARCHIVE) != 0 && !n->folder)
        n->attributes |= NTFS_ARCHIVE;
}

/* Tunneling (MS-FSA 2.1.1.1 TunnelCacheList, 2.1.5.1.1, 2.1.5.14.11; KB 172190): for 15 seconds. */
void
dbl_tunnel_put(struct ntfs_double *d, const struct dbl_name *nm)
{
    struct dbl_volume *v = nm->dir->volume;
    struct dbl_tunnel *t;

    if (nm->node->folder || v->kind == NTFS_DOUBLE_REFS || v->kind == NTFS_DOUBLE_SMB)
        return;
    if (v->ntunnels == sizeof v->tunnels / sizeof v->tunnels[0]) {
        free(v->tunnels[0].name);
        memmove(v->tunnels, v->tunnels + 1, sizeof v->tunnels - sizeof v->tunnels[0]);
        v->ntunnels--;
    }
    t = &v->tunnels[v->ntunnels++];
    t->dir_id = nm->dir_id;
    t->name = dbl_dup(nm->name);
    t->btime = nm->node->btime;
    t->at = d->now;
    memcpy(t->short_name, nm->short_name, sizeof t->short_name);
}

void
dbl_tunnel_take(struct ntfs_double *d, struct dbl_name *nm)
{
    struct dbl_volume *v = nm->dir->volume;

    for (size_t i = v->ntunnels; i-- > 0 && !nm->node->folder;) {
        struct dbl_tunnel *t = &v->tunnels[i];
        if (t->dir_id != nm->dir_id || d->now - t->at > 15 * SECOND ||
            !dbl_same_name(t->name, nm->name, nm->dir->case_sensitive))
            continue;
        nm->node->btime = t->btime;
        if (t->short_name[0] != '\0' && dbl_find(nm->dir, t->short_name) == NULL)
            memcpy(nm->short_name, t->short_name, sizeof nm->short_name);
        free(t->name);
        memmove(t, t + 1, (v->ntunnels - i - 1) * sizeof *t);
        v->ntunnels--;
        return;
    }
}
