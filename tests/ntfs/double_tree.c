/* File records and their names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

void
dbl_die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("ntfs double: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

char *
dbl_dup(const char *s)
{
    char *copy = strdup(s);
    if (copy == NULL)
        dbl_die("no memory");
    return copy;
}

char *
dbl_dup_n(const char *s, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy == NULL)
        dbl_die("no memory");
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

enum sp_code
dbl_code(int os)
{
    switch (os & 0xFFFF) {
    case 0:
        return SP_OK;
    case W_FILE_NOT_FOUND:
    case W_PATH_NOT_FOUND:
    case W_NOT_REPARSE:
        return SP_ABSENT;
    case W_ALREADY_EXISTS:
    case W_DIR_NOT_EMPTY:
    case W_DUP_NAME:
        return SP_EXISTS;
    case W_ACCESS_DENIED:
    case W_WRITE_PROTECT:
    case W_INVALID_OWNER:
    case W_NO_PRIVILEGE:
        return SP_DENIED;
    case W_SHARING:
    case W_DELETE_PENDING:
        return SP_BUSY;
    case W_BAD_FUNCTION:
    case W_NOT_SUPPORTED:
    case W_OTHER_DEVICE:
    case W_NO_EAS:
    case W_TOO_MANY_LINKS:
        return SP_UNSUPPORTED;
    case W_JOURNAL_OFF:
    case W_JOURNAL_GONE:
        return SP_ABSENT;
    case W_DISK_FULL:
    case W_FILE_TOO_LARGE:
        return SP_FULL;
    case W_NO_MEMORY:
        return SP_NOMEM;
    case W_DIRECTORY:
        return (os & W_IS_FOLDER) != 0 ? SP_CHANGED : SP_INVALID;
    case W_INVALID_HANDLE:
    case W_INVALID_PARAMETER:
    case W_INVALID_NAME:
    case W_INVALID_EA_NAME:
    case W_EA_LIST_BAD:
    case W_BAD_SECURITY:
    case W_BAD_REPARSE:
    case W_BAD_TAG:
    case W_TAG_MISMATCH:
        return SP_INVALID;
    default:
        return SP_IO;
    }
}

enum sp_code
dbl_fail(struct sp_err *e, int os)
{
    const enum sp_code rc = sp_fail(e, dbl_code(os), SP_DOM_NONE, "Windows error %d", os & 0xFFFF);
    e->os = os & 0xFFFF;
    return rc;
}

struct dbl_node *
dbl_node_new(struct ntfs_double *d, struct dbl_volume *v, bool folder)
{
    struct dbl_node *n = calloc(1, sizeof *n);

    if (n == NULL)
        dbl_die("no memory");
    n->volume = v;
    /* A record's number and, in the upper 16 bits, how often it was used. */
    n->id = UINT64_C(1) << 48 | ++v->next_id;
    n->folder = folder;
    n->attributes = folder ? NTFS_DIRECTORY : NTFS_ARCHIVE;
    n->btime = dbl_grain(v, 'b', d->now);
    n->atime = dbl_grain(v, 'a', d->now);
    n->mtime = dbl_grain(v, 'm', d->now);
    n->ctime = dbl_grain(v, 'c', d->now);
    if (!folder)
        dbl_stream_add(n, "");
    n->next = v->nodes;
    v->nodes = n;
    return n;
}

void
dbl_node_free(struct dbl_node *n)
{
    struct dbl_node **at = &n->volume->nodes;

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    while (n->streams != NULL)
        dbl_stream_free(n, n->streams);
    sp_buf_free(&n->security);
    sp_buf_free(&n->reparse);
    sp_buf_free(&n->eas);
    free(n->names);
    free(n);
}

void
dbl_node_maybe_free(struct dbl_node *n)
{
    if (n->links == 0 && n->handles == 0 && n->nnames == 0 && n != n->volume->root)
        dbl_node_free(n);
}

static int
compare(const uint16_t *a, size_t an, const uint16_t *b, size_t bn)
{
    for (size_t i = 0; i < an && i < bn; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return an < bn ? -1 : an > bn ? 1 : 0;
}

/* The first name that is not before `fold`. */
static size_t
place_of(const struct dbl_node *dir, const uint16_t *fold, size_t n)
{
    size_t lo = 0, hi = dir->nnames;

    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (compare(dir->names[mid]->fold, dir->names[mid]->fold_len, fold, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct dbl_name *
dbl_find(struct dbl_node *dir, const char *name)
{
    uint16_t *fold;
    size_t n;
    struct dbl_name *found = NULL;

    dbl_fold(name, &fold, &n);
    if (fold == NULL)
        return NULL;
    for (size_t i = place_of(dir, fold, n); i < dir->nnames && found == NULL; i++) {
        if (compare(dir->names[i]->fold, dir->names[i]->fold_len, fold, n) != 0)
            break;
        if (!dir->case_sensitive || strcmp(dir->names[i]->name, name) == 0)
            found = dir->names[i];
    }
    free(fold);
    for (size_t i = 0; i < dir->nnames && found == NULL && strlen(name) <= 12; i++)
        if (dir->names[i]->short_name[0] != '\0' && dbl_short_same(dir->names[i]->short_name, name))
            found = dir->names[i];
    return found;
}

struct dbl_name *
dbl_name_add(struct dbl_node *dir, const char *name, struct dbl_node *n)
{
    struct dbl_name *nm = calloc(1, sizeof *nm);

    if (dir->nnames == dir->room) {
        dir->room = dir->room * 2 + 8;
        dir->names = realloc(dir->names, dir->room * sizeof *dir->names);
    }
    if (nm == NULL || dir->names == NULL)
        dbl_die("no memory");
    nm->name = dbl_dup(name);
    dbl_fold(name, &nm->fold, &nm->fold_len);
    nm->dir = dir;
    nm->dir_id = dir->id;
    nm->node = n;
    nm->refs = 1;
    if (dir->volume->short_names && !dir->case_sensitive)
        dbl_short_make(dir, name, nm->short_name);
    const size_t at = place_of(dir, nm->fold, nm->fold_len);
    memmove(dir->names + at + 1, dir->names + at, (dir->nnames - at) * sizeof nm);
    dir->names[at] = nm;
    dir->nnames++;
    n->links++;
    if (n->folder)
        n->up = nm;
    dbl_refresh(nm);
    return nm;
}

void
dbl_name_take(struct dbl_name *nm)
{
    struct dbl_node *dir = nm->dir, *n = nm->node;
    size_t at = 0;

    while (dir->names[at] != nm)
        at++;
    memmove(dir->names + at, dir->names + at + 1, (dir->nnames - at - 1) * sizeof nm);
    dir->nnames--;
    nm->removed = true;
    n->links--;
    if (n->up == nm)
        n->up = NULL;
    dbl_name_release(nm);
    dbl_node_maybe_free(n);
}

void
dbl_name_release(struct dbl_name *nm)
{
    if (nm == NULL || --nm->refs > 0)
        return;
    free(nm->name);
    free(nm->fold);
    free(nm);
}

/* FileIdBothDirectoryInformation has no links and no volume, and the tag where EaSize is. */
void
dbl_refresh(struct dbl_name *nm)
{
    if (nm == NULL)
        return;
    dbl_info_of(nm->node, NULL, &nm->copy);
    nm->copy.links = 0;
    nm->copy.volume = 0;
    if (nm->node->tag != 0)
        nm->copy.ea_size = 0;
}

/* MS-FSA 2.1.5.12.1 FileAllInformation. */
void
dbl_info_of(const struct dbl_node *n, const struct dbl_stream *s, struct sp_ntfs_info *ret)
{
    const struct dbl_stream *of = s;

    for (const struct dbl_stream *x = n->streams; x != NULL && of == NULL; x = x->next)
        if (x->name[0] == '\0')
            of = x;
    memset(ret, 0, sizeof *ret);
    ret->attributes = n->attributes & ~NTFS_RECALL_ON_OPEN;
    if (of != NULL && of->sparse)
        ret->attributes |= NTFS_SPARSE;
    if (n->folder ? (n->attributes & NTFS_COMPRESSED) != 0 : of != NULL && of->compressed)
        ret->attributes |= NTFS_COMPRESSED;
    if (n->encrypted)
        ret->attributes |= NTFS_ENCRYPTED;
    if (n->tag != 0)
        ret->attributes |= NTFS_REPARSE;
    if (n->attributes & NTFS_RECALL_ON_OPEN && s == NULL)
        ret->attributes |= NTFS_RECALL_ON_OPEN;
    if (ret->attributes == 0)
        ret->attributes = NTFS_NORMAL; /* file-attribute-constants: valid only alone */
    ret->reparse_tag = n->tag;
    ret->btime = n->btime;
    ret->atime = n->atime;
    ret->mtime = n->mtime;
    ret->ctime = n->ctime;
    if (of != NULL) {
        ret->size = of->size;
        ret->allocated = dbl_stream_allocated(n, of);
    }
    ret->links = n->links;
    ret->ea_size = n->eas.len == 0 ? 0 : (uint32_t)n->eas.len;
    ret->file_id = n->id;
    ret->volume = n->volume->serial;
}

void
dbl_path_of(const struct dbl_node *n, const struct dbl_name *nm, struct sp_buf *ret)
{
    if (nm != NULL && !nm->removed) {
        dbl_path_of(nm->dir, nm->dir->up, ret);
        if (ret->len > 0 && ret->data[ret->len - 1] != '/')
            sp_buf_put_u8(ret, '/');
        sp_buf_put_str(ret, nm->name);
    } else if (n == n->volume->root) {
        sp_buf_put_str(ret, n->volume->paths[0]);
    } else {
        sp_buf_put_str(ret, "(removed)");
    }
}
