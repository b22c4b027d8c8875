/* Reading one file on Windows: see source.h. Its content is the bytes of the unnamed stream, then
 * its parts (ntfs_meta.h): the long alternate streams, or what EFS exports. A file whose content is
 * elsewhere, or encrypted, is one hole: nothing opens it for its content. */

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/item.h"
#include "client/look_win32.h"
#include "client/ntfs_meta.h"
#include "client/ranges_win32.h"
#include "client/spool.h"
#include "client/streams_win32.h"

#define MOST_AT_ONCE ((size_t)1 << 30)
#define MAIN SIZE_MAX /* the part that is none */

struct sp_reading {
    struct sp_source_host *h;
    struct sp_ntfs_handle *look; /* the file; NULL: not even that may be opened */
    struct sp_ntfs_handle *main; /* its content; NULL: a hole */
    struct sp_ntfs_info seen;    /* at the opening */
    struct sp_ntfs_part *parts;
    size_t nparts;
    uint64_t *starts;     /* of each part, and the end */
    struct sp_spool *efs; /* what the one part of an encrypted file is */
    size_t at;            /* the part that `stream` is open for; MAIN: none */
    struct sp_ntfs_handle *stream;
    struct sp_ranges ranges; /* of what is read now */
    size_t ranges_of;
    size_t key_len;
    uint8_t key[]; /* for messages */
};

/* What its content needs is missing (the path that EFS is asked by, what a filter keeps elsewhere):
 * SP_ABSENT would say that the file itself vanished, and nobody would be told. A name that is
 * removed while the file is open leaves it without links (FILE_STANDARD_INFORMATION). */
static bool
is_there(const struct sp_reading *r)
{
    struct sp_ntfs_info now;
    struct sp_err ignored = {0};

    return r->look != NULL && r->h->t->info(r->h->t->self, r->look, &now, &ignored) == SP_OK &&
           now.links > 0;
}

/* The table failed. */
static enum sp_code
fail_file(const struct sp_reading *r, const char *what, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;

    if (e->code == SP_ABSENT && is_there(r))
        e->code = SP_IO;
    sp_key_to_path(r->key, r->key_len, &path);
    sp_path_show(path.data, path.len, &shown);
    (void)sp_look_blame(e, "cannot %s '%.200s'", what, sp_buf_str(&shown));
    sp_buf_free(&path);
    sp_buf_free(&shown);
    return e->code;
}

static void
reading_free(struct sp_reading *r)
{
    if (r == NULL)
        return;
    sp_look_close(r->h, r->stream);
    sp_look_close(r->h, r->main);
    sp_look_close(r->h, r->look);
    sp_spool_free(r->efs);
    free(r->parts);
    free(r->starts);
    free(r);
}

/* --- opening -------------------------------------------------------------------------------------
 */

static enum sp_code
take_raw(void *arg, const void *p, size_t n, struct sp_err *e)
{
    return sp_spool_put(arg, p, n, e);
}

/* How long the export is has to be known before the first byte is given out. */
static enum sp_code
export_efs(struct sp_reading *r, const struct sp_item *it, struct sp_err *e)
{
    const struct sp_ntfs *t = r->h->t;
    union sp_dir_at dir;
    enum sp_code rc;

    if ((rc = sp_spool_new(&r->h->env, r->h->temp_dir, &r->efs, e)) != SP_OK ||
        (rc = sp_dir_use(it->dir, &dir, e)) != SP_OK)
        return rc;
    rc = t->efs_export(t->self, dir.ntfs, it->name, take_raw, r->efs, e);
    sp_dir_unuse(it->dir);
    if (rc != SP_OK) /* one of the spool has its domain */
        return e->domain == SP_DOM_NONE ? fail_file(r, "export the encrypted form of", e) : rc;
    if ((r->parts = calloc(1, sizeof *r->parts)) == NULL)
        return sp_fail_nomem(e);
    r->parts[0] =
        (struct sp_ntfs_part){.kind = NTFS_PART_EFS, .name = "", .size = sp_spool_size(r->efs)};
    r->nparts = 1;
    return SP_OK;
}

/* A stream that cannot be opened is left out and told of, and costs the file nothing else. */
static enum sp_code
try_streams(struct sp_reading *r, struct sp_item *it, struct sp_err *e)
{
    const struct sp_ntfs *t = r->h->t;
    size_t n = 0;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->nparts && rc == SP_OK; i++) {
        struct sp_ntfs_handle *of = NULL;
        struct sp_err why = {0};
        struct sp_ntfs_info info;

        rc = t->open_stream(t->self, r->look, r->parts[i].name, NTFS_READ, &of, &why);
        if (rc == SP_OK)
            rc = t->info(t->self, of, &info, &why);
        sp_look_close(r->h, of);
        if (rc == SP_OK) {
            r->parts[n] = r->parts[i];
            r->parts[n++].size = info.size;
            continue;
        }
        if (rc == SP_ABSENT) { /* removed since they were listed */
            rc = SP_OK;
            continue;
        }
        (void)sp_look_blame(&why, "alternate stream %.200s cannot be read", r->parts[i].name);
        if (why.domain == SP_DOM_SELF) {
            *e = why;
            return rc;
        }
        rc = sp_item_set_fault(
            it, it->entry->key, it->entry->key_len, SP_FAULT_ATTRIBUTES, why.text, e);
    }
    r->nparts = n;
    return rc;
}

static enum sp_code
open_parts(struct sp_reading *r, struct sp_item *it, struct sp_err *e)
{
    bool encrypted = (r->seen.attributes & NTFS_ENCRYPTED) != 0 && !sp_look_away(&r->seen);
    enum sp_code rc = SP_OK;

    if (encrypted) {
        rc = export_efs(r, it, e);
    } else if (r->look != NULL && (sp_dir_known(it->dir)->traits & NTFS_FS_STREAMS) != 0) {
        rc = sp_streams_parts(r->h, r->look, &r->seen, it->entry, &r->parts, &r->nparts, e);
        if (rc == SP_OK)
            rc = try_streams(r, it, e);
    }
    if (rc != SP_OK)
        return rc;
    if ((r->starts = calloc(r->nparts + 1, sizeof *r->starts)) == NULL)
        return sp_fail_nomem(e);
    r->starts[0] = r->seen.size;
    for (size_t i = 0; i < r->nparts; i++)
        r->starts[i + 1] = r->starts[i] + r->parts[i].size;
    return SP_OK;
}

/* The entry with what was opened, which is what is stored from now on; and with the table of parts
 * instead of the one that it had. */
static enum sp_code
refresh(struct sp_reading *r, struct sp_item *it, struct sp_err *e)
{
    struct sp_entry now = *it->entry, *copy;
    const struct sp_entry *en = it->entry;
    struct sp_attribute *attributes = NULL;
    struct sp_buf table = SP_BUF_INIT;
    size_t n = 0;
    enum sp_code rc;

    sp_look_fill(&now, &r->seen);
    /* When it is not what was described, attributes and content may belong to two different states:
     * the next run looks again. */
    if (now.file_id != en->file_id || now.ctime_ns != en->ctime_ns ||
        now.mtime_ns != en->mtime_ns || now.size != en->size)
        now.flags |= SP_ENTRY_RECHECK;
    sp_item_recheck(&now, sp_dir_kind(it->dir)->instant_ns);
    now.extra = r->starts[r->nparts] - r->seen.size;
    if ((rc = sp_ntfs_parts_encode(r->parts, r->nparts, &table, e)) != SP_OK)
        goto out;
    if ((attributes = calloc(en->nattributes + 1, sizeof *attributes)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < en->nattributes; i++)
        if (strcmp(en->attributes[i].name, WINDOWS_STREAMS) != 0)
            attributes[n++] = en->attributes[i];
    if (r->nparts > 0) {
        size_t at = n++;

        for (; at > 0 && strcmp(attributes[at - 1].name, WINDOWS_STREAMS) > 0; at--)
            attributes[at] = attributes[at - 1];
        attributes[at] =
            (struct sp_attribute){.name = WINDOWS_STREAMS, .value = table.data, .len = table.len};
    }
    now.attributes = attributes;
    now.nattributes = n;
    if ((rc = sp_entry_copy(&now, &copy, e)) == SP_OK) {
        free(it->entry);
        it->entry = copy;
    }
out:
    free(attributes);
    sp_buf_free(&table);
    return rc;
}

/* What the listing said has to do. */
static void
see_entry(struct sp_reading *r, const struct sp_entry *en)
{
    r->seen = (struct sp_ntfs_info){.attributes = sp_ntfs_attributes_of(en),
        .size = en->size,
        .mtime = sp_ntfs_ticks(en->mtime_ns),
        .ctime = sp_ntfs_ticks(en->ctime_ns),
        .btime = sp_ntfs_ticks(en->btime_ns),
        .atime = sp_ntfs_ticks(en->atime_ns),
        .links = en->links,
        .file_id = en->file_id};
}

enum sp_code
sp_reading_open(struct sp_item *it, struct sp_reading **ret, struct sp_err *e)
{
    const struct sp_entry *en = it->entry;
    struct sp_reading *r;
    enum sp_code rc = SP_OK;

    if (it->dir == NULL)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "an item without a place cannot be read");
    if ((r = calloc(1, sizeof *r + en->key_len)) == NULL)
        return sp_fail_nomem(e);
    r->h = sp_dirs_host(sp_dir_pool(it->dir));
    r->at = r->ranges_of = MAIN;
    r->key_len = en->key_len;
    if (en->key_len > 0)
        memcpy(r->key, en->key, en->key_len);
    if (sp_look_untouchable(sp_ntfs_attributes_of(en))) {
        see_entry(r, en);
    } else {
        if ((rc = sp_look_open(r->h, it, &r->look, &r->seen, e)) != SP_OK)
            goto out;
        if (!sp_look_away(&r->seen) && (r->seen.attributes & NTFS_ENCRYPTED) == 0 &&
            (rc = r->h->t->open_at(
                 r->h->t->self, r->look, "", NTFS_FILE, NTFS_READ, &r->main, e)) != SP_OK) {
            rc = fail_file(r, "open", e);
            goto out;
        }
    }
    if ((rc = open_parts(r, it, e)) != SP_OK || (rc = refresh(r, it, e)) != SP_OK)
        goto out;
    *ret = r;
    r = NULL;
out:
    reading_free(r);
    return rc;
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* Where `offset` lies: the part, where that begins and ends. */
static size_t
locate(const struct sp_reading *r, uint64_t offset, uint64_t *ret_from, uint64_t *ret_to)
{
    size_t i = 0;

    *ret_from = 0;
    *ret_to = r->seen.size;
    if (offset < r->seen.size)
        return MAIN;
    while (i < r->nparts && offset >= r->starts[i + 1])
        i++;
    *ret_from = r->starts[i];
    *ret_to = i < r->nparts ? r->starts[i + 1] : r->starts[i];
    return i;
}

/* *ret NULL: none has the bytes of it (a hole, the export, or a stream that was removed
 * meanwhile). */
static enum sp_code
handle_of(struct sp_reading *r, size_t part, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    const struct sp_ntfs *t = r->h->t;
    enum sp_code rc;

    *ret = part == MAIN ? r->main : r->at == part ? r->stream : NULL;
    if (part == MAIN || r->efs != NULL || r->at == part)
        return SP_OK;
    sp_look_close(r->h, r->stream);
    r->stream = NULL;
    r->at = MAIN;
    rc = t->open_stream(t->self, r->look, r->parts[part].name, NTFS_READ, &r->stream, e);
    if (rc == SP_ABSENT && is_there(r)) {
        sp_err_clear(e);
        return SP_OK;
    }
    if (rc != SP_OK)
        return fail_file(r, "open a stream of", e);
    r->at = part;
    *ret = r->stream;
    return SP_OK;
}

enum sp_code
sp_reading_extent(
    struct sp_reading *r, uint64_t offset, bool *ret_hole, uint64_t *ret_length, struct sp_err *e)
{
    uint64_t from, to;
    size_t part = locate(r, offset, &from, &to);
    struct sp_ntfs_handle *of = NULL;
    enum sp_code rc;

    *ret_hole = false;
    *ret_length = to > offset ? to - offset : 0;
    if (*ret_length == 0 || (part != MAIN && r->efs != NULL))
        return SP_OK;
    if (part == MAIN && r->main == NULL) {
        *ret_hole = true;
        return SP_OK;
    }
    /* What a filter gives (deduplication) has no ranges of its own on the disk, and is no hole. */
    if ((r->seen.attributes & (NTFS_SPARSE | NTFS_REPARSE)) != NTFS_SPARSE)
        return SP_OK;
    if ((rc = handle_of(r, part, &of, e)) != SP_OK || of == NULL)
        return rc;
    if (r->ranges_of != part || r->ranges.file != of)
        r->ranges = (struct sp_ranges){.h = r->h, .file = of, .size = to - from};
    r->ranges_of = part;
    rc = sp_ranges_at(&r->ranges, offset - from, ret_hole, ret_length, e);
    return rc == SP_OK ? rc : fail_file(r, "find the holes of", e);
}

enum sp_code
sp_reading_read(
    struct sp_reading *r, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    const struct sp_ntfs *t = r->h->t;
    uint8_t *out = to;
    uint64_t from, end;
    size_t part = locate(r, offset, &from, &end), done = 0;
    struct sp_ntfs_handle *of = NULL;
    enum sp_code rc;

    /* What was appended since the opening is the next run's. */
    if (offset >= end)
        n = 0;
    else if (n > end - offset)
        n = (size_t)(end - offset);
    if (part != MAIN && r->efs != NULL)
        return sp_spool_read(r->efs, offset - from, to, n, ret_n, e);
    if (part == MAIN && r->main == NULL) {
        if (n > 0)
            memset(to, 0, n);
        *ret_n = n;
        return SP_OK;
    }
    if (n > 0 && (rc = handle_of(r, part, &of, e)) != SP_OK)
        return rc;
    while (of != NULL && done < n) {
        size_t want = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE, got = 0;

        if (t->read(t->self, of, offset - from + done, out + done, want, &got, e) != SP_OK)
            return fail_file(r, "read", e);
        done += got;
        if (got < want)
            break;
    }
    *ret_n = done;
    return SP_OK;
}

enum sp_code
sp_reading_close(struct sp_reading *r, bool *ret_changed, struct sp_err *e)
{
    struct sp_ntfs_info now;
    enum sp_code rc = SP_OK;

    if (r->look == NULL)
        *ret_changed = false;
    else if (r->h->t->info(r->h->t->self, r->look, &now, e) != SP_OK)
        rc = fail_file(r, "look at", e);
    else
        *ret_changed =
            now.size != r->seen.size || now.mtime != r->seen.mtime || now.ctime != r->seen.ctime;
    reading_free(r);
    return rc;
}
