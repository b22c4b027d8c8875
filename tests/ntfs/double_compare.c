/* Two trees held against each other, record by record; one line a difference. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double_work.h"

struct pair {
    unsigned what;
    struct sp_buf *report;
    size_t differences;
    struct seen { /* records with several names: which is which */
        const struct dbl_node *a, *b;
    } * seen;
    size_t nseen;
};

static void differ(struct pair *p, const char *path, const char *fmt, ...) SP_PRINTF(3, 4);

static void
differ(struct pair *p, const char *path, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    sp_buf_printf(p->report, "%s: %s\n", path[0] != '\0' ? path : ".", line);
    p->differences++;
}

static void
bytes(struct pair *p, const char *path, const char *of, const struct sp_buf *a,
    const struct sp_buf *b)
{
    size_t at = 0;

    if (a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0))
        return;
    while (at < a->len && at < b->len && a->data[at] == b->data[at])
        at++;
    differ(
        p, path, "%s: %zu bytes, not %zu; the first difference is at %zu", of, b->len, a->len, at);
}

static void
stream(struct pair *p, const char *path, const struct dbl_stream *a, const struct dbl_stream *b)
{
    static const char content[] = "content";
    const char *name = a->name[0] != '\0' ? a->name : content;
    uint8_t left[4096], right[4096];
    uint64_t x = 0, y = 0, nx = 0, ny = 0;

    if (a->size != b->size)
        differ(p, path, "%s: %" PRIu64 " bytes, not %" PRIu64, name, b->size, a->size);
    for (uint64_t at = 0; at < a->size && a->size == b->size; at += sizeof left) {
        const size_t n = a->size - at < sizeof left ? (size_t)(a->size - at) : sizeof left;
        dbl_stream_read(a, at, left, n);
        dbl_stream_read(b, at, right, n);
        if (memcmp(left, right, n) != 0) {
            differ(p, path, "%s: other bytes from %" PRIu64 " on", name, at);
            break;
        }
    }
    if ((p->what & NTFS_SAME_COMPRESSION) != 0 && a->compressed != b->compressed)
        differ(p, path, "%s: %scompressed", name, b->compressed ? "" : "not ");
    if ((p->what & NTFS_SAME_RANGES) == 0)
        return;
    if (a->sparse != b->sparse)
        differ(p, path, "%s: %ssparse", name, b->sparse ? "" : "not ");
    for (bool l = true, r = true; a->sparse && b->sparse && l && r; x += nx, y += ny) {
        l = dbl_stream_range(a, x, &x, &nx);
        r = dbl_stream_range(b, y, &y, &ny);
        if (l != r || (l && (x != y || nx != ny))) {
            differ(p, path, "%s: other holes from %" PRIu64 " on", name, x < y ? x : y);
            break;
        }
    }
}

static void
streams(struct pair *p, const char *path, struct dbl_node *a, struct dbl_node *b)
{
    for (const struct dbl_stream *s = a->streams; s != NULL; s = s->next) {
        const bool wanted =
            (p->what & (s->name[0] != '\0' ? NTFS_SAME_STREAMS : NTFS_SAME_CONTENT)) != 0;
        const struct dbl_stream *t = dbl_stream_find(b, s->name);
        if (s->removed || !wanted)
            continue;
        if (t == NULL)
            differ(p, path, "stream %s is missing", s->name);
        else if (strcmp(s->name, t->name) != 0)
            differ(p, path, "stream %s, not %s", t->name, s->name);
        else
            stream(p, path, s, t);
    }
    for (const struct dbl_stream *s = b->streams; s != NULL; s = s->next)
        if (!s->removed && s->name[0] != '\0' && (p->what & NTFS_SAME_STREAMS) != 0 &&
            dbl_stream_find(a, s->name) == NULL)
            differ(p, path, "stream %s is too many", s->name);
}

static void
record(struct pair *p, const char *path, struct dbl_node *a, struct dbl_node *b)
{
    const struct {
        unsigned bit;
        const char *name;
        int64_t a, b;
    } times[] = {{NTFS_SAME_BTIME, "btime", a->btime, b->btime},
        {NTFS_SAME_ATIME, "atime", a->atime, b->atime},
        {NTFS_SAME_MTIME, "mtime", a->mtime, b->mtime},
        {NTFS_SAME_CTIME, "ctime", a->ctime, b->ctime}};

    for (size_t i = 0; i < 4; i++)
        if ((p->what & times[i].bit) != 0 && times[i].a != times[i].b)
            differ(p, path, "%s %" PRId64 ", not %" PRId64, times[i].name, times[i].b, times[i].a);
    const uint32_t settable = DBL_SETTABLE | NTFS_RECALL_ON_DATA | NTFS_RECALL_ON_OPEN;
    if ((p->what & NTFS_SAME_ATTRIBUTES) != 0 && ((a->attributes ^ b->attributes) & settable) != 0)
        differ(p, path, "attributes 0x%" PRIx32 ", not 0x%" PRIx32, b->attributes & settable,
            a->attributes & settable);
    if ((p->what & NTFS_SAME_COMPRESSION) != 0 && a->folder &&
        ((a->attributes ^ b->attributes) & NTFS_COMPRESSED) != 0)
        differ(p, path, "%scompressed", (b->attributes & NTFS_COMPRESSED) != 0 ? "" : "not ");
    if ((p->what & NTFS_SAME_SECURITY) != 0)
        bytes(p, path, "security", &a->security, &b->security);
    if ((p->what & NTFS_SAME_REPARSE) != 0)
        bytes(p, path, "reparse data", &a->reparse, &b->reparse);
    if ((p->what & NTFS_SAME_EAS) != 0)
        bytes(p, path, "EAs", &a->eas, &b->eas);
    if ((p->what & NTFS_SAME_OBJECT_IDS) != 0 &&
        (a->has_object_id != b->has_object_id || memcmp(a->object_id, b->object_id, 64) != 0))
        differ(p, path, b->has_object_id ? "another object id" : "no object id");
    if ((p->what & NTFS_SAME_EFS) != 0 && a->encrypted != b->encrypted)
        differ(p, path, "%sencrypted", b->encrypted ? "" : "not ");
    if ((p->what & NTFS_SAME_CASE) != 0 && a->case_sensitive != b->case_sensitive)
        differ(p, path, "%scase-sensitive", b->case_sensitive ? "" : "not ");
    if ((p->what & NTFS_SAME_LINKS) != 0 && a->links != b->links)
        differ(p, path, "%" PRIu32 " names, not %" PRIu32, b->links, a->links);
    streams(p, path, a, b);
}

/* true: these two were compared under another name. */
static bool
met(struct pair *p, const char *path, const struct dbl_node *a, const struct dbl_node *b)
{
    if (a->links < 2 || a->folder)
        return false;
    for (size_t i = 0; i < p->nseen; i++)
        if (p->seen[i].a == a || p->seen[i].b == b) {
            const bool same = p->seen[i].a == a && p->seen[i].b == b;
            if (!same && (p->what & NTFS_SAME_LINKS) != 0)
                differ(p, path, "a name of another file");
            return same;
        }
    p->seen = realloc(p->seen, (p->nseen + 1) * sizeof *p->seen);
    if (p->seen == NULL)
        dbl_die("no memory");
    p->seen[p->nseen++] = (struct seen){a, b};
    return false;
}

static struct dbl_name *
same_letters(struct dbl_node *dir, const char *name)
{
    for (size_t i = 0; i < dir->nnames; i++)
        if (strcmp(dir->names[i]->name, name) == 0)
            return dir->names[i];
    return NULL;
}

static void
tree(struct pair *p, const char *path, struct dbl_node *a, struct dbl_node *b)
{
    if (a->folder != b->folder) {
        differ(p, path, "a %s, not a %s", b->folder ? "folder" : "file",
            a->folder ? "folder" : "file");
        return;
    }
    if (met(p, path, a, b))
        return;
    record(p, path, a, b);
    for (size_t i = 0; i < a->nnames; i++) {
        const struct dbl_name *x = a->names[i], *y = same_letters(b, x->name);
        struct sp_buf below = SP_BUF_INIT;
        sp_buf_printf(&below, "%s%s%s", path, path[0] != '\0' ? "/" : "", x->name);
        if (y == NULL)
            differ(p, sp_buf_str(&below), "missing");
        else if ((p->what & NTFS_SAME_SHORT_NAMES) != 0 &&
                 strcmp(x->short_name, y->short_name) != 0)
            differ(p, sp_buf_str(&below), "short name \"%s\", not \"%s\"", y->short_name,
                x->short_name);
        if (y != NULL)
            tree(p, sp_buf_str(&below), x->node, y->node);
        sp_buf_free(&below);
    }
    for (size_t i = 0; i < b->nnames; i++)
        if (same_letters(a, b->names[i]->name) == NULL)
            differ(p, path, "\"%s\" is too many", b->names[i]->name);
}

size_t
ntfs_double_compare(struct ntfs_double *a, const char *path_a, struct ntfs_double *b,
    const char *path_b, unsigned what, struct sp_buf *report)
{
    struct pair p = {.what = what, .report = report};
    struct dbl_name *nm;

    sp_mutex_lock(&a->lock);
    if (b != a)
        sp_mutex_lock(&b->lock);
    struct dbl_node *x = dbl_lookup(a, path_a, &nm), *y = dbl_lookup(b, path_b, &nm);
    if (x == NULL)
        dbl_die("%s: nothing to compare with", path_a);
    if (y == NULL)
        differ(&p, "", "%s is missing", path_b);
    else
        tree(&p, "", x, y);
    if (b != a)
        sp_mutex_unlock(&b->lock);
    sp_mutex_unlock(&a->lock);
    free(p.seen);
    return p.differences;
}
