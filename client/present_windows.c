#include "client/present_windows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/ntfs.h"
#include "client/ntfs_meta.h"

/* learn.microsoft.com/en-us/windows/win32/fileio/file-attribute-constants. Text leaves out what
 * nearly every file has, and what is said in words of its own. */
static const struct {
    uint32_t bit;
    const char *word;
    bool quiet;
} words[] = {
    {0x1, "read-only", false},
    {0x2, "hidden", false},
    {0x4, "system", false},
    {0x10, "directory", true},
    {0x20, "archive", true},
    {0x80, "normal", true},
    {0x100, "temporary", false},
    {0x200, "sparse", false},
    {0x400, "reparse-point", true},
    {0x800, "compressed", false},
    {0x1000, "offline", false},
    {0x2000, "not-indexed", false},
    {0x4000, "encrypted", false},
    {0x8000, "integrity", false},
    {0x20000, "no-scrub", false},
    {0x40000, "recall-on-open", true},
    {0x80000, "pinned", false},
    {0x100000, "unpinned", false},
    {0x400000, "recall-on-data-access", true},
};
#define NWORDS (sizeof(words) / sizeof(words[0]))

struct parts { /* what follows the file's own bytes */
    struct sp_ntfs_part *v;
    size_t n;
    bool unknown; /* there are some, but their table is in a chunk, or malformed */
};

static struct parts
parts_of(const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_STREAMS);
    struct parts p = {.v = NULL};
    struct sp_err ignored = {0};

    if (a == NULL)
        return p;
    p.unknown = a->external ||
                sp_ntfs_parts_decode(a->value, a->len, en->extra, &p.v, &p.n, &ignored) != SP_OK;
    return p;
}

static const struct sp_ntfs_part *
efs_of(const struct parts *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].kind == NTFS_PART_EFS)
            return &p->v[i];
    return NULL;
}

bool
sp_windows_is_elsewhere(const struct sp_entry *en)
{
    struct parts p;
    bool efs;

    if ((en->flags & SP_ENTRY_AWAY) == 0)
        return false;
    p = parts_of(en);
    efs = efs_of(&p) != NULL;
    free(p.v);
    return !efs;
}

/* The stream that an attribute holds; NULL: it holds something else. */
static const char *
stream_of(const struct sp_attribute *a)
{
    size_t n = strlen(WINDOWS_STREAM);

    return strncmp(a->name, WINDOWS_STREAM, n) == 0 ? a->name + n : NULL;
}

/* --- text ------------------------------------------------------------------------------------- */

struct list { /* "first: a, b; second: c" */
    struct sp_buf *to;
    const char *head; /* of the group that is open */
    bool any, in_group;
};

static void
group(struct list *l, const char *head)
{
    l->head = head;
    l->in_group = false;
}

static void
next(struct list *l)
{
    if (!l->in_group)
        sp_buf_printf(l->to, "%s%s", l->any ? "; " : "", l->head);
    else
        sp_buf_put_str(l->to, ", ");
    l->any = l->in_group = true;
}

static void
show_stream(struct list *l, const char *name, uint64_t size)
{
    next(l);
    sp_path_show(name, strlen(name), l->to);
    sp_buf_printf(l->to, " (%" PRIu64 " %s)", size, size == 1 ? "byte" : "bytes");
}

static void
show_streams(struct list *l, const struct sp_entry *en, const struct parts *p)
{
    group(l, "streams: ");
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];
        const char *name = stream_of(a);

        if (name == NULL)
            continue;
        if (!a->external) {
            show_stream(l, name, a->len);
            continue;
        }
        next(l);
        sp_path_show(name, strlen(name), l->to);
        sp_buf_printf(l->to, " (up to %zu KiB)", WINDOWS_STREAM_MAX >> 10);
    }
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].kind == NTFS_PART_STREAM)
            show_stream(l, p->v[i].name, p->v[i].size);
    if (p->unknown) {
        next(l);
        sp_buf_printf(l->to, "others (%" PRIu64 " bytes together)", en->extra);
    }
}

static void
show_reparse(struct list *l, const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_REPARSE);

    if (a == NULL || en->type == SP_ENTRY_LINK || a->external)
        return;
    group(l, "reparse point ");
    next(l);
    sp_buf_printf(l->to, "%08" PRIx32, sp_ntfs_reparse_tag(a->value, a->len));
}

void
sp_windows_show(const struct sp_entry *en, struct sp_buf *ret)
{
    struct list l = {.to = ret};
    uint32_t bits = sp_ntfs_attributes_of(en);
    const struct sp_ntfs_part *efs;
    struct parts p;

    if ((en->flags & SP_ENTRY_WINDOWS) == 0)
        return;
    p = parts_of(en);
    efs = efs_of(&p);
    group(&l, "");
    for (size_t i = 0; i < NWORDS; i++) {
        if ((bits & words[i].bit) == 0 || words[i].quiet)
            continue;
        next(&l);
        sp_buf_put_str(ret, words[i].word);
    }
    if (sp_ntfs_find(en, WINDOWS_CASE) != NULL) {
        next(&l);
        sp_buf_put_str(ret, "case-sensitive");
    }
    if (efs != NULL) {
        next(&l);
        sp_buf_printf(ret, "kept as EFS stores it (%" PRIu64 " bytes)", efs->size);
    } else if ((en->flags & SP_ENTRY_AWAY) != 0) {
        next(&l);
        sp_buf_put_str(ret, "placeholder, its content is elsewhere");
    }
    show_reparse(&l, en);
    show_streams(&l, en, &p);
    free(p.v);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void
json_stream(struct sp_json *j, const char *name, uint64_t size)
{
    sp_json_object(j);
    sp_json_kstr(j, "name", name);
    sp_json_ku64(j, "size", size);
    sp_json_object_end(j);
}

static void
json_streams(struct sp_json *j, const struct sp_entry *en, const struct parts *p)
{
    sp_json_key(j, "streams");
    sp_json_array(j);
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];
        const char *name = stream_of(a);

        if (name == NULL)
            continue;
        if (!a->external) {
            json_stream(j, name, a->len);
            continue;
        }
        sp_json_object(j);
        sp_json_kstr(j, "name", name);
        sp_json_object_end(j);
    }
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].kind == NTFS_PART_STREAM)
            json_stream(j, p->v[i].name, p->v[i].size);
    sp_json_array_end(j);
}

void
sp_windows_json(const struct sp_entry *en, struct sp_json *j)
{
    uint32_t bits = sp_ntfs_attributes_of(en);
    const struct sp_ntfs_part *efs;
    struct parts p;

    if ((en->flags & SP_ENTRY_WINDOWS) == 0)
        return;
    p = parts_of(en);
    efs = efs_of(&p);
    sp_json_key(j, "windows");
    sp_json_object(j);
    sp_json_ku64(j, "file_attributes", bits);
    sp_json_key(j, "attributes");
    sp_json_array(j);
    for (size_t i = 0; i < NWORDS; i++)
        if ((bits & words[i].bit) != 0)
            sp_json_str(j, words[i].word);
    sp_json_array_end(j);
    if (en->extra > 0)
        sp_json_ku64(j, "extra", en->extra);
    json_streams(j, en, &p);
    if (efs != NULL)
        sp_json_ku64(j, "efs_bytes", efs->size);
    else if ((en->flags & SP_ENTRY_AWAY) != 0)
        sp_json_kbool(j, "elsewhere", true);
    sp_json_object_end(j);
    free(p.v);
}
