/* Volumes of the kinds that Windows knows, what the process may do, and the injected faults. */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

/* learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-getvolumeinformationw and, for
 * what a file system has,
 * learn.microsoft.com/en-us/windows/win32/fileio/filesystem-functionality-comparison */
#define NTFS_ALL                                                                                   \
    (NTFS_FS_ACLS | NTFS_FS_COMPRESSION | NTFS_FS_SPARSE | NTFS_FS_REPARSE |                       \
        NTFS_FS_POSIX_UNLINK | NTFS_FS_OBJECT_IDS | NTFS_FS_ENCRYPTION | NTFS_FS_STREAMS |         \
        NTFS_FS_HARD_LINKS | NTFS_FS_EAS | NTFS_FS_OPEN_BY_ID | NTFS_FS_USN)
static const uint32_t flags_of[] = {
    [NTFS_DOUBLE_NTFS] = NTFS_ALL,
    [NTFS_DOUBLE_REFS] = NTFS_FS_ACLS | NTFS_FS_SPARSE | NTFS_FS_REPARSE | NTFS_FS_POSIX_UNLINK |
                         NTFS_FS_STREAMS | NTFS_FS_HARD_LINKS | NTFS_FS_OPEN_BY_ID | NTFS_FS_USN,
    [NTFS_DOUBLE_FAT32] = 0,
    [NTFS_DOUBLE_EXFAT] = 0,
    [NTFS_DOUBLE_SMB] = NTFS_FS_ACLS | NTFS_FS_COMPRESSION | NTFS_FS_SPARSE | NTFS_FS_REPARSE |
                        NTFS_FS_STREAMS | NTFS_FS_HARD_LINKS | NTFS_FS_EAS,
};

struct ntfs_double *
ntfs_double_new(void)
{
    struct ntfs_double *d = calloc(1, sizeof *d);

    if (d == NULL)
        dbl_die("no memory");
    sp_mutex_init(&d->lock);
    d->may = NTFS_MAY_BACKUP | NTFS_MAY_RESTORE | NTFS_MAY_SECURITY | NTFS_MAY_LINK;
    d->key = true;
    d->now = INT64_C(133485408000000000); /* 2024-01-01 */
    d->next_serial = 0x51170000;
    dbl_table_fill(d);
    return d;
}

static void
volume_free(struct dbl_volume *v)
{
    /* Records with names inside go after those names. */
    for (struct dbl_node *n = v->nodes; n != NULL; n = n->next) {
        for (size_t i = 0; i < n->nnames; i++)
            dbl_name_release(n->names[i]);
        n->nnames = 0;
    }
    while (v->nodes != NULL)
        dbl_node_free(v->nodes);
    for (size_t i = 0; i < sizeof v->paths / sizeof v->paths[0]; i++)
        free(v->paths[i]);
    for (size_t i = 0; i < v->ntunnels; i++)
        free(v->tunnels[i].name);
    sp_buf_free(&v->records);
    free(v);
}

void
ntfs_double_free(struct ntfs_double *d)
{
    if (d == NULL)
        return;
    if (d->handles > 0)
        dbl_die("%llu handles are still open", (unsigned long long)d->handles);
    for (struct dbl_volume *v = d->volumes, *next; v != NULL; v = next) {
        next = v->next;
        volume_free(v);
    }
    sp_mutex_destroy(&d->lock);
    free(d);
}

static struct dbl_volume *
volume_new(struct ntfs_double *d, const char *path, enum ntfs_double_kind kind)
{
    struct dbl_volume *v = calloc(1, sizeof *v);

    if (v == NULL || path[0] == '\0' || path[strlen(path) - 1] != '/')
        dbl_die("%s: a volume's path ends with a slash", path);
    v->d = d;
    v->paths[0] = dbl_dup(path);
    v->kind = kind;
    v->flags = flags_of[kind];
    v->serial = d->next_serial++;
    v->capacity = UINT64_C(1) << 40;
    v->short_names = kind == NTFS_DOUBLE_NTFS || kind == NTFS_DOUBLE_FAT32;
    v->next_id = 4; /* the root's is 5, as ever */
    v->first_usn = v->next_usn = 4096;
    v->root = dbl_node_new(d, v, true);
    v->next_id = 38;
    dbl_security_root(&v->root->security);
    v->next = d->volumes;
    d->volumes = v;
    return v;
}

void
ntfs_double_volume(struct ntfs_double *d, const char *path, enum ntfs_double_kind kind)
{
    sp_mutex_lock(&d->lock);
    volume_new(d, path, kind);
    sp_mutex_unlock(&d->lock);
}

/* Locks; the volume of this very path. */
static struct dbl_volume *
volume_of(struct ntfs_double *d, const char *path)
{
    size_t len;

    sp_mutex_lock(&d->lock);
    struct dbl_volume *v = dbl_volume_at(d, path, &len);
    if (v == NULL)
        dbl_die("%s: no such volume", path);
    return v;
}

void
ntfs_double_alias(struct ntfs_double *d, const char *path, const char *alias)
{
    struct dbl_volume *v = volume_of(d, path);
    size_t i = 0;

    while (i < sizeof v->paths / sizeof v->paths[0] && v->paths[i] != NULL)
        i++;
    if (i == sizeof v->paths / sizeof v->paths[0])
        dbl_die("%s: too many other names", path);
    v->paths[i] = dbl_dup(alias);
    sp_mutex_unlock(&d->lock);
}

static void
copy_buf(struct sp_buf *to, const struct sp_buf *from)
{
    sp_buf_put(to, from->data, from->len);
}

static void
copy_streams(struct dbl_node *to, const struct dbl_node *from)
{
    static uint8_t block[DBL_BLOCK];

    for (const struct dbl_stream *s = from->streams; s != NULL; s = s->next) {
        struct dbl_stream *t;
        uint64_t at = 0, n;
        if (s->removed)
            continue;
        t = s->name[0] == '\0' ? to->streams : dbl_stream_add(to, s->name);
        t->sparse = s->sparse;
        t->compressed = s->compressed;
        if (dbl_stream_resize(to, t, s->size) != 0)
            dbl_die("a shadow without space");
        while (dbl_stream_range(s, at, &at, &n)) {
            n = n < DBL_BLOCK - at % DBL_BLOCK ? n : DBL_BLOCK - at % DBL_BLOCK;
            dbl_stream_read(s, at, block, (size_t)n);
            if (dbl_stream_write(to, t, at, block, (size_t)n) != 0)
                dbl_die("a shadow without space");
            at += n;
        }
    }
}

/* A copy keeps everything, the numbers of its records among it. Those with several names are found
 * by them. */
static void
copy_tree(struct dbl_volume *to, struct dbl_node *dir, const struct dbl_node *from)
{
    for (size_t i = 0; i < from->nnames; i++) {
        const struct dbl_name *nm = from->names[i];
        struct dbl_node *n = to->nodes;
        while (n != NULL && n->id != nm->node->id)
            n = n->next;
        if (n == NULL) {
            n = dbl_node_new(to->d, to, nm->node->folder);
            copy_streams(n, nm->node);
            copy_buf(&n->security, &nm->node->security);
            copy_buf(&n->reparse, &nm->node->reparse);
            copy_buf(&n->eas, &nm->node->eas);
            memcpy(n->object_id, nm->node->object_id, sizeof n->object_id);
            n->has_object_id = nm->node->has_object_id;
            n->case_sensitive = nm->node->case_sensitive;
            n->encrypted = nm->node->encrypted;
            n->away = nm->node->away;
            n->filtered = nm->node->filtered;
            n->id = nm->node->id;
            n->attributes = nm->node->attributes;
            n->tag = nm->node->tag;
            n->btime = nm->node->btime;
            n->atime = nm->node->atime;
            n->mtime = nm->node->mtime;
            n->ctime = nm->node->ctime;
            n->usn = nm->node->usn;
            n->deny = nm->node->deny;
            if (nm->node->folder)
                copy_tree(to, n, nm->node);
        }
        struct dbl_name *copy = dbl_name_add(dir, nm->name, n);
        memcpy(copy->short_name, nm->short_name, sizeof copy->short_name);
        copy->copy = nm->copy;
    }
}

void
ntfs_double_shadow(struct ntfs_double *d, const char *path, const char *as)
{
    struct dbl_volume *from = volume_of(d, path);
    struct dbl_volume *to = volume_new(d, as, from->kind);

    to->short_names = false; /* those of the copies are taken over */
    to->root->case_sensitive = from->root->case_sensitive;
    sp_buf_reset(&to->root->security);
    copy_buf(&to->root->security, &from->root->security);
    to->root->id = from->root->id;
    to->root->mtime = from->root->mtime;
    to->root->atime = from->root->atime;
    to->root->ctime = from->root->ctime;
    to->root->btime = from->root->btime;
    to->root->attributes = from->root->attributes;
    copy_tree(to, to->root, from->root);
    to->serial = from->serial;
    to->flags = from->flags | NTFS_FS_READ_ONLY;
    to->short_names = from->short_names;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_flags(struct ntfs_double *d, const char *path, uint32_t flags)
{
    volume_of(d, path)->flags = flags;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_capacity(struct ntfs_double *d, const char *path, uint64_t bytes)
{
    struct dbl_volume *v = volume_of(d, path);
    v->capacity = bytes > v->used ? bytes : v->used;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_short_names(struct ntfs_double *d, const char *path, bool made)
{
    volume_of(d, path)->short_names = made;
    sp_mutex_unlock(&d->lock);
}

uint64_t
ntfs_double_used(struct ntfs_double *d, const char *path)
{
    const uint64_t used = volume_of(d, path)->used;
    sp_mutex_unlock(&d->lock);
    return used;
}

/* learn.microsoft.com/en-us/windows/win32/fileio/creating-modifying-and-deleting-a-change-journal:
 * a new one has a new id and begins where the old one ended. */
void
ntfs_double_journal(struct ntfs_double *d, const char *path, uint64_t id)
{
    struct dbl_volume *v = volume_of(d, path);
    v->journal = true;
    v->journal_id = id;
    sp_buf_free(&v->records);
    v->first_usn = v->next_usn;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_journal_off(struct ntfs_double *d, const char *path)
{
    struct dbl_volume *v = volume_of(d, path);
    v->journal = false;
    sp_buf_free(&v->records);
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_journal_trim(struct ntfs_double *d, const char *path, uint64_t first)
{
    struct dbl_volume *v = volume_of(d, path);
    size_t gone = 0;
    while (gone < v->records.len && sp_le64(v->records.data + gone + 8 + 24) < first)
        gone += (size_t)sp_le64(v->records.data + gone);
    if (gone > 0) {
        memmove(v->records.data, v->records.data + gone, v->records.len - gone);
        v->records.len -= gone;
    }
    v->first_usn = first;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_journal_mute(struct ntfs_double *d, const char *path, bool mute)
{
    volume_of(d, path)->mute = mute;
    sp_mutex_unlock(&d->lock);
}

uint64_t
ntfs_double_journal_next(struct ntfs_double *d, const char *path)
{
    const uint64_t next = volume_of(d, path)->next_usn;
    sp_mutex_unlock(&d->lock);
    return next;
}
