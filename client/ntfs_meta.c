/* Parts, names, times and attributes: see ntfs_meta.h. */

#include "client/ntfs_meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/ntfs.h"

#define MOST_UNITS                                                                                 \
    255               /* of a name: learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file   \
                       */
#define PART_LEAST 13 /* bytes of a part with an empty name */
#define EPOCH INT64_C(116444736000000000) /* 1970 in ticks */
#define TICK 100                          /* ns */

bool
sp_ntfs_stream_name_ok(const char *name, size_t n)
{
    struct sp_err ignored = {0};
    uint16_t *units = NULL;
    size_t nunits = 0;
    bool ok;

    if (n == 0 || n > 3 * MOST_UNITS || memchr(name, '\0', n) != NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] == '/' || name[i] == '\\' || name[i] == ':')
            return false;
    if (sp_wtf8_to_utf16(name, n, &units, &nunits, &ignored) != SP_OK)
        return false;
    ok = nunits <= MOST_UNITS;
    free(units);
    return ok;
}

/* --- parts ---------------------------------------------------------------------------------------
 */

static bool
part_ok(uint8_t kind, const char *name, size_t n)
{
    if (kind == NTFS_PART_EFS)
        return n == 0;
    return kind == NTFS_PART_STREAM && sp_ntfs_stream_name_ok(name, n);
}

static int
compare_parts(const void *a, const void *b)
{
    const struct sp_ntfs_part *const *x = a, *const *y = b;

    return (*x)->kind != (*y)->kind ? ((*x)->kind > (*y)->kind) - ((*x)->kind < (*y)->kind)
                                    : strcmp((*x)->name, (*y)->name);
}

/* No two of the same name; sorted, since a hostile list may be long. */
static enum sp_code
all_differ(const struct sp_ntfs_part *parts, size_t n, bool *ret, struct sp_err *e)
{
    const struct sp_ntfs_part **sorted;
    bool differ = true;

    if (n < 2) {
        *ret = true;
        return SP_OK;
    }
    if ((sorted = calloc(n, sizeof(*sorted))) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &parts[i];
    qsort(sorted, n, sizeof(*sorted), compare_parts);
    for (size_t i = 1; i < n && differ; i++)
        differ = compare_parts(&sorted[i - 1], &sorted[i]) != 0;
    free(sorted);
    *ret = differ;
    return SP_OK;
}

enum sp_code
sp_ntfs_parts_encode(
    const struct sp_ntfs_part *parts, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    uint64_t sum = 0;
    bool differ = true;
    enum sp_code rc;

    for (size_t i = 0; i < n; i++) {
        if (!part_ok((uint8_t)parts[i].kind, parts[i].name, strlen(parts[i].name)) ||
            parts[i].size > UINT64_MAX - sum)
            return sp_fail(e, SP_INVALID, SP_DOM_NONE,
                "a stream of the file has a name or a length that none can have");
        sum += parts[i].size;
    }
    if ((rc = all_differ(parts, n, &differ, e)) != SP_OK)
        return rc;
    if (!differ)
        return sp_fail(e, SP_INVALID, SP_DOM_NONE, "two streams of the file have the same name");
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(parts[i].name);

        sp_buf_put_u8(ret, (uint8_t)parts[i].kind);
        sp_buf_put_u32(ret, (uint32_t)len);
        sp_buf_put(ret, parts[i].name, len);
        sp_buf_put_u64(ret, parts[i].size);
    }
    return sp_buf_ok(ret, e);
}

/* One part; false: malformed. */
static bool
take_part(struct sp_cur *c, struct sp_ntfs_part *ret, const char **ret_name, size_t *ret_len)
{
    uint8_t kind = sp_cur_u8(c);
    uint32_t n = sp_cur_u32(c);
    const uint8_t *name = sp_cur_bytes(c, n);

    ret->size = sp_cur_u64(c);
    if (!sp_cur_ok(c) || !part_ok(kind, (const char *)name, n))
        return false;
    ret->kind = (enum sp_ntfs_part_kind)kind;
    *ret_name = (const char *)name;
    *ret_len = n;
    return true;
}

static enum sp_code
fail_parts(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the list of a file's streams %s", what);
}

enum sp_code
sp_ntfs_parts_decode(const void *p, size_t n, uint64_t extra, struct sp_ntfs_part **ret,
    size_t *ret_n, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p, n);
    struct sp_ntfs_part *parts = NULL, one;
    size_t nparts = 0, names = 0, len = 0;
    const char *name = NULL;
    char *text;
    uint64_t sum = 0;
    bool differ = false;
    enum sp_code rc;

    for (; sp_cur_left(&c) > 0; nparts++, names += len + 1) {
        if (!take_part(&c, &one, &name, &len))
            return fail_parts(e, "is malformed");
        if (one.size > UINT64_MAX - sum)
            return fail_parts(e, "is longer than any file");
        sum += one.size;
    }
    if (sum != extra)
        return fail_parts(e, "does not agree with its content");
    if (nparts == 0) {
        *ret = NULL;
        *ret_n = 0;
        return SP_OK;
    }
    if ((parts = malloc(nparts * sizeof(*parts) + names)) == NULL)
        return sp_fail_nomem(e);
    text = (char *)(parts + nparts);
    c = sp_cur_of(p, n);
    for (size_t i = 0; i < nparts; i++) {
        (void)take_part(&c, &parts[i], &name, &len);
        parts[i].name = text;
        if (len > 0)
            memcpy(text, name, len);
        text[len] = '\0';
        text += len + 1;
    }
    if ((rc = all_differ(parts, nparts, &differ, e)) != SP_OK)
        goto out;
    if (!differ) {
        rc = fail_parts(e, "has a name twice");
        goto out;
    }
    *ret = parts;
    *ret_n = nparts;
    parts = NULL;
out:
    free(parts);
    return rc;
}

/* --- attributes ----------------------------------------------------------------------------------
 */

const struct sp_attribute *
sp_ntfs_find(const struct sp_entry *en, const char *name)
{
    for (size_t i = 0; i < en->nattributes; i++)
        if (strcmp(en->attributes[i].name, name) == 0)
            return &en->attributes[i];
    return NULL;
}

uint32_t
sp_ntfs_attributes_of(const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_ATTRIBUTES);

    return a == NULL || a->external || a->len != 4 ? 0 : sp_le32(a->value);
}

uint32_t
sp_ntfs_mode(const struct sp_entry *en)
{
    if ((en->flags & SP_ENTRY_WINDOWS) == 0)
        return en->mode & 07777;
    if (en->type == SP_ENTRY_LINK)
        return 0777;
    /* Of a folder, read-only says nothing about what may be made in it:
     * learn.microsoft.com/en-us/windows/win32/fileio/file-attribute-constants */
    if (en->type == SP_ENTRY_DIR)
        return 0755;
    return (sp_ntfs_attributes_of(en) & NTFS_READONLY) != 0 ? 0444 : 0644;
}

/* --- times ---------------------------------------------------------------------------------------
 */

int64_t
sp_ntfs_ns(int64_t ticks)
{
    /* Whole ticks at both ends, so that what became the nearest stays it. */
    const int64_t least = EPOCH + INT64_MIN / TICK, most = EPOCH + INT64_MAX / TICK;

    if (ticks == 0)
        return 0;
    ticks = ticks < least ? least : ticks > most ? most : ticks;
    return (ticks - EPOCH) * TICK;
}

int64_t
sp_ntfs_ticks(int64_t ns)
{
    if (ns == 0)
        return 0;
    return EPOCH + ns / TICK - (ns % TICK < 0 ? 1 : 0);
}
