#include <stdlib.h>
#include <string.h>

#include "client/restore_run.h"

/* Entries as bytes, for sorting on local disk: read back by the same run only. */

static void
put_text(struct sp_buf *to, const void *p, size_t n)
{
    sp_buf_put_u32(to, (uint32_t)n); /* an entry is at most SP_ENTRY_MAX bytes */
    sp_buf_put(to, p, n);
}

void
entry_pack(const struct sp_entry *en, struct sp_buf *to)
{
    put_text(to, en->key, en->key_len);
    sp_buf_put_u8(to, (uint8_t)en->type);
    sp_buf_put_u32(to, en->flags);
    sp_buf_put_u64(to, en->size);
    sp_buf_put_u64(to, en->extra);
    sp_buf_put_u64(to, (uint64_t)en->mtime_ns);
    sp_buf_put_u64(to, (uint64_t)en->ctime_ns);
    sp_buf_put_u64(to, (uint64_t)en->btime_ns);
    sp_buf_put_u64(to, (uint64_t)en->atime_ns);
    sp_buf_put_u64(to, en->file_id);
    sp_buf_put_u32(to, en->device);
    sp_buf_put_u32(to, en->links);
    sp_buf_put_u32(to, en->mode);
    sp_buf_put_u32(to, en->uid);
    sp_buf_put_u32(to, en->gid);
    put_text(to, en->user, strlen(en->user) + 1);
    put_text(to, en->group, strlen(en->group) + 1);
    sp_buf_put_u64(to, en->rdev);
    put_text(to, en->target, en->target_len);
    sp_buf_put_u8(to, en->has_list);
    sp_buf_put(to, en->list.b, SP_ID_SIZE);
    sp_buf_put_u32(to, (uint32_t)en->nsegments);
    for (size_t i = 0; i < en->nsegments; i++) {
        sp_buf_put_u64(to, en->segments[i].length);
        sp_buf_put_u8(to, en->segments[i].hole);
        sp_buf_put(to, en->segments[i].id.b, SP_ID_SIZE);
    }
    sp_buf_put_u32(to, (uint32_t)en->nattributes);
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];

        put_text(to, a->name, strlen(a->name) + 1);
        put_text(to, a->value, a->len);
        sp_buf_put_u8(to, a->external);
        sp_buf_put(to, a->id.b, SP_ID_SIZE);
    }
}

static const uint8_t *
take_text(struct sp_cur *c, size_t *ret_n)
{
    *ret_n = sp_cur_u32(c);
    return sp_cur_bytes(c, *ret_n);
}

static const char *
take_string(struct sp_cur *c)
{
    size_t n;
    const uint8_t *p = take_text(c, &n);

    if (p == NULL || n == 0 || p[n - 1] != 0) {
        sp_cur_fail(c);
        return "";
    }
    return (const char *)p;
}

static void
take_plain(struct sp_cur *c, struct sp_entry *en)
{
    en->key = take_text(c, &en->key_len);
    en->type = (enum sp_entry_type)sp_cur_u8(c);
    en->flags = sp_cur_u32(c);
    en->size = sp_cur_u64(c);
    en->extra = sp_cur_u64(c);
    en->mtime_ns = (int64_t)sp_cur_u64(c);
    en->ctime_ns = (int64_t)sp_cur_u64(c);
    en->btime_ns = (int64_t)sp_cur_u64(c);
    en->atime_ns = (int64_t)sp_cur_u64(c);
    en->file_id = sp_cur_u64(c);
    en->device = sp_cur_u32(c);
    en->links = sp_cur_u32(c);
    en->mode = sp_cur_u32(c);
    en->uid = sp_cur_u32(c);
    en->gid = sp_cur_u32(c);
    en->user = take_string(c);
    en->group = take_string(c);
    en->rdev = sp_cur_u64(c);
    en->target = take_text(c, &en->target_len);
    en->has_list = sp_cur_u8(c) != 0;
    sp_cur_copy(c, en->list.b, SP_ID_SIZE);
}

static struct sp_segment *
take_segments(struct sp_cur *c, size_t n)
{
    struct sp_segment *s;

    if (n > SP_INLINE_SEGMENTS || (s = calloc(n + 1, sizeof *s)) == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        s[i].length = sp_cur_u64(c);
        s[i].hole = sp_cur_u8(c) != 0;
        sp_cur_copy(c, s[i].id.b, SP_ID_SIZE);
    }
    return s;
}

static struct sp_attribute *
take_attributes(struct sp_cur *c, size_t n)
{
    struct sp_attribute *a;

    if (n > SP_ENTRY_MAX_ATTRIBUTES || (a = calloc(n + 1, sizeof *a)) == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        a[i].name = take_string(c);
        a[i].value = take_text(c, &a[i].len);
        a[i].external = sp_cur_u8(c) != 0;
        sp_cur_copy(c, a[i].id.b, SP_ID_SIZE);
    }
    return a;
}

enum sp_code
entry_unpack(const void *p, size_t n, struct sp_entry **ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p, n);
    struct sp_entry en = {.user = "", .group = ""};
    struct sp_segment *segments = NULL;
    struct sp_attribute *attributes = NULL;
    enum sp_code rc = SP_OK;

    take_plain(&c, &en);
    en.nsegments = sp_cur_u32(&c);
    segments = take_segments(&c, en.nsegments);
    en.nattributes = sp_cur_u32(&c);
    attributes = take_attributes(&c, en.nattributes);
    en.segments = segments;
    en.attributes = attributes;
    if (segments == NULL || attributes == NULL || !sp_cur_done(&c))
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_SELF,
            "the list of hard links in the folder for temporary files "
            "was damaged, or there is no memory for it");
    else
        rc = sp_entry_copy(&en, ret, e);
    free(segments);
    free(attributes);
    return rc;
}
