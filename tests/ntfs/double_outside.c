/* The rest of what tests do from outside: states that no call makes, names, looking, denial. */
#include <stdlib.h>
#include <string.h>

#include "double_work.h"

/* EncryptFile: compressed content is stored plainly first. */
void
ntfs_double_encrypt(struct ntfs_double *d, const char *path)
{
    struct work w = dbl_begin(d, path, NTFS_CHANGE);
    struct dbl_node *n = w.h->node;
    if ((n->volume->flags & NTFS_FS_ENCRYPTION) == 0)
        dbl_die("%s: no EFS there", path);
    n->encrypted = true;
    n->attributes &= ~NTFS_COMPRESSED;
    for (struct dbl_stream *s = n->streams; s != NULL; s = s->next)
        s->compressed = false;
    dbl_touch(d, n, NULL, T_CHANGE | T_ARCHIVE);
    dbl_usn(n, w.h->name, USN_ENCRYPTION);
    dbl_end(&w);
}

void
ntfs_double_short_name(struct ntfs_double *d, const char *path, const char *name)
{
    struct work w = dbl_begin(d, path, NTFS_CHANGE);
    dbl_want(&w, dbl_set_short_name(w.h, name, &w.e));
    dbl_end(&w);
}

void
ntfs_double_case(struct ntfs_double *d, const char *path, bool sensitive)
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    dbl_want(&w, dbl_set_case_sensitive(w.h, sensitive, &w.e));
    dbl_end(&w);
}

void
ntfs_double_link(struct ntfs_double *d, const char *existing, const char *path)
{
    struct work w = dbl_begin(d, existing, NTFS_CHANGE);
    char *up = dbl_dup(path), *cut = strrchr(up, '/');
    size_t len;

    dbl_volume_at(d, path, &len);
    cut[(size_t)(cut - up) < len ? 1 : 0] = '\0';
    struct work dir = {.d = d, .path = up};
    dbl_make(&dir, true);
    dbl_want(&w, dbl_link(w.h, dir.h, path + (cut - up) + 1, false, &w.e));
    dbl_close(dir.h);
    free(up);
    dbl_end(&w);
}

/* What a provider leaves: the size, no content, a tag of its own. */
void
ntfs_double_placeholder(
    struct ntfs_double *d, const char *path, uint64_t size, uint32_t attributes, uint32_t tag)
{
    struct work w = dbl_begin(d, path, NTFS_LIST);
    struct dbl_node *n;

    dbl_make(&w, false);
    n = w.h->node;
    n->streams->sparse = true;
    dbl_want(&w, dbl_resize(w.h, 0, &w.e));
    dbl_want(&w, dbl_resize(w.h, size, &w.e));
    n->tag = tag;
    sp_buf_reset(&n->reparse);
    if (tag != 0) {
        sp_buf_put_u32(&n->reparse, tag);
        sp_buf_put_u32(&n->reparse, 8);
        sp_buf_put(&n->reparse, "provider", 8);
    }
    n->away = true;
    n->attributes |= attributes;
    dbl_end(&w);
}

void
ntfs_double_filtered(struct ntfs_double *d, const char *path, uint32_t tag)
{
    struct work w = dbl_begin(d, path, NTFS_CHANGE);
    struct dbl_node *n = w.h->node;
    n->filtered = true;
    n->tag = tag;
    sp_buf_reset(&n->reparse);
    sp_buf_put_u32(&n->reparse, tag);
    sp_buf_put_u32(&n->reparse, 16);
    sp_buf_put(&n->reparse, "chunk-store-ref.", 16);
    dbl_end(&w);
}

void
ntfs_double_rename(struct ntfs_double *d, const char *from, const char *to)
{
    struct work w = dbl_begin(d, from, NTFS_CHANGE);
    char *up = dbl_dup(to), *cut = strrchr(up, '/');
    size_t len;

    dbl_volume_at(d, to, &len);
    cut[(size_t)(cut - up) < len ? 1 : 0] = '\0';
    struct work dir = {.d = d, .path = up};
    dbl_make(&dir, true);
    dbl_want(&w, dbl_rename(w.h, dir.h, to + (cut - up) + 1, true, &w.e));
    dbl_close(dir.h);
    free(up);
    dbl_end(&w);
}

/* Who holds a handle to it or to what is in it keeps the record. */
static void
remove_tree(struct ntfs_double *d, struct dbl_name *nm)
{
    struct dbl_node *n = nm->node;

    while (n->folder && n->nnames > 0)
        remove_tree(d, n->names[n->nnames - 1]);
    dbl_tunnel_put(d, nm);
    dbl_touch(d, nm->dir, NULL, T_MODIFY | T_CHANGE);
    dbl_usn(n, nm, n->links == 1 ? USN_DELETE : USN_LINK);
    if (n->handles == 0)
        dbl_usn_close(n, nm);
    dbl_name_take(nm);
}

void
ntfs_double_remove(struct ntfs_double *d, const char *path)
{
    struct dbl_name *nm;

    sp_mutex_lock(&d->lock);
    if (dbl_lookup(d, path, &nm) == NULL || nm == NULL)
        dbl_die("%s: cannot be removed", path);
    remove_tree(d, nm);
    sp_mutex_unlock(&d->lock);
}

bool
ntfs_double_exists(struct ntfs_double *d, const char *path)
{
    struct dbl_name *nm;

    sp_mutex_lock(&d->lock);
    const bool there = dbl_lookup(d, path, &nm) != NULL;
    sp_mutex_unlock(&d->lock);
    return there;
}

static struct dbl_node *
locked(struct ntfs_double *d, const char *path)
{
    struct dbl_name *nm;

    sp_mutex_lock(&d->lock);
    struct dbl_node *n = dbl_lookup(d, path, &nm);
    if (n == NULL)
        dbl_die("%s: not there", path);
    return n;
}

void
ntfs_double_info(struct ntfs_double *d, const char *path, struct sp_ntfs_info *ret)
{
    dbl_info_of(locked(d, path), NULL, ret);
    sp_mutex_unlock(&d->lock);
}

bool
ntfs_double_read(struct ntfs_double *d, const char *path, const char *stream, struct sp_buf *ret)
{
    const struct dbl_stream *s = dbl_stream_find(locked(d, path), stream);

    sp_buf_reset(ret);
    if (s != NULL && s->size > 0 && sp_buf_reserve(ret, (size_t)s->size)) {
        dbl_stream_read(s, 0, ret->data, (size_t)s->size);
        ret->len = (size_t)s->size;
    }
    sp_mutex_unlock(&d->lock);
    return s != NULL;
}

void
ntfs_double_busy(struct ntfs_double *d, const char *path, unsigned n)
{
    locked(d, path)->busy = n;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_deny(struct ntfs_double *d, const char *path, enum ntfs_double_deny deny)
{
    locked(d, path)->deny = deny;
    sp_mutex_unlock(&d->lock);
}
