#include "storage/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "storage/crypto.h"

/* --- copying: the structure, its arrays, then all bytes ------------------------------------------
 */

size_t
sp_entry_memory(const struct sp_entry *en)
{
    size_t n = sizeof *en;

    n += en->nattributes * sizeof en->attributes[0];
    n += en->nsegments * sizeof en->segments[0];
    n += en->key_len + en->target_len + strlen(en->user) + 1 + strlen(en->group) + 1;
    for (size_t i = 0; i < en->nattributes; i++)
        n += strlen(en->attributes[i].name) + 1 + en->attributes[i].len;
    return n;
}

/* Every length is one of memory that exists, so no sum of them overflows. */
static const void *
lay(uint8_t **at, const void *p, size_t n)
{
    uint8_t *to = *at;

    if (n > 0)
        memcpy(to, p, n);
    *at += n;
    return to;
}

enum sp_code
sp_entry_copy(const struct sp_entry *en, struct sp_entry **ret, struct sp_err *e)
{
    struct sp_entry *c = malloc(sp_entry_memory(en));
    struct sp_attribute *attributes;
    struct sp_segment *segments;
    uint8_t *at;

    if (c == NULL)
        return sp_fail_nomem(e);
    *c = *en;
    attributes = (struct sp_attribute *)(void *)(c + 1);
    segments = (struct sp_segment *)(void *)(attributes + en->nattributes);
    at = (uint8_t *)(segments + en->nsegments);
    if (en->nsegments > 0)
        memcpy(segments, en->segments, en->nsegments * sizeof *segments);
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];

        attributes[i] = *a;
        attributes[i].name = lay(&at, a->name, strlen(a->name) + 1);
        attributes[i].value = lay(&at, a->value, a->len);
    }
    c->attributes = attributes;
    c->segments = segments;
    c->key = lay(&at, en->key, en->key_len);
    c->target = lay(&at, en->target, en->target_len);
    c->user = lay(&at, en->user, strlen(en->user) + 1);
    c->group = lay(&at, en->group, strlen(en->group) + 1);
    *ret = c;
    return SP_OK;
}

/* --- comparing -----------------------------------------------------------------------------------
 */

bool
sp_entry_unchanged(const struct sp_entry *old, const struct sp_entry *now)
{
    if ((old->flags & (SP_ENTRY_RECHECK | SP_ENTRY_UNREADABLE | SP_ENTRY_CHANGED)) != 0)
        return false;
    /* A placeholder whose content came back from the cloud keeps its times. */
    if (((old->flags ^ now->flags) & (SP_ENTRY_WINDOWS | SP_ENTRY_AWAY)) != 0)
        return false;
    return old->type == now->type && old->size == now->size && old->mtime_ns == now->mtime_ns &&
           old->ctime_ns == now->ctime_ns && old->file_id == now->file_id;
}

static bool
same_bytes(const void *a, size_t an, const void *b, size_t bn)
{
    return an == bn && (an == 0 || memcmp(a, b, an) == 0);
}

static bool
same_id(const struct sp_id *a, const struct sp_id *b)
{
    return memcmp(a->b, b->b, SP_ID_SIZE) == 0;
}

bool
sp_entry_same_content(const struct sp_entry *a, const struct sp_entry *b)
{
    if (a->size != b->size || a->extra != b->extra || a->has_list != b->has_list || a->nsegments != b->nsegments)
        return false;
    if (a->has_list)
        return same_id(&a->list, &b->list);
    for (size_t i = 0; i < a->nsegments; i++) {
        const struct sp_segment *x = &a->segments[i], *y = &b->segments[i];

        if (x->length != y->length || x->hole != y->hole || (!x->hole && !same_id(&x->id, &y->id)))
            return false;
    }
    return true;
}

static bool
same_attributes(const struct sp_entry *a, const struct sp_entry *b)
{
    if (a->nattributes != b->nattributes)
        return false;
    for (size_t i = 0; i < a->nattributes; i++) {
        const struct sp_attribute *x = &a->attributes[i], *y = &b->attributes[i];

        if (strcmp(x->name, y->name) != 0 || x->external != y->external)
            return false;
        if (x->external ? !same_id(&x->id, &y->id)
                        : !same_bytes(x->value, x->len, y->value, y->len))
            return false;
    }
    return true;
}

bool
sp_entry_same(const struct sp_entry *a, const struct sp_entry *b)
{
    const uint32_t counts = ~(uint32_t)(SP_ENTRY_IMPLIED | SP_ENTRY_RECHECK);

    return same_bytes(a->key, a->key_len, b->key, b->key_len) && a->type == b->type &&
           (a->flags & counts) == (b->flags & counts) && a->mtime_ns == b->mtime_ns &&
           a->btime_ns == b->btime_ns && a->links == b->links && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid && strcmp(a->user, b->user) == 0 &&
           strcmp(a->group, b->group) == 0 && a->rdev == b->rdev &&
           same_bytes(a->target, a->target_len, b->target, b->target_len) &&
           sp_entry_same_content(a, b) && same_attributes(a, b);
}

/* --- the content hash ------------------------------------------------------------------------- */

enum sp_code
sp_entry_content_hash(const struct sp_entry *en, uint8_t ret[32], struct sp_err *e)
{
    static const struct sp_id zero;
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if (en->has_list) {
        sp_buf_put_u64(&b, sp_entry_content(en));
        sp_buf_put(&b, en->list.b, SP_ID_SIZE);
    }
    for (size_t i = 0; i < en->nsegments; i++) {
        const struct sp_segment *s = &en->segments[i];

        sp_buf_put_u64(&b, s->length);
        sp_buf_put(&b, s->hole ? zero.b : s->id.b, SP_ID_SIZE);
    }
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_sha256(b.data, b.len, ret, e);
    sp_buf_free(&b);
    return rc;
}
