#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/chunklist.h"
#include "storage/node_field.h"
#include "storage/tree_node.h"

/* Entries are decoded one at a time into memory that is used again for the next: no allocation an
 * entry once the buffers have grown. A node is gone through twice, once to check all of it. */

struct sp_tree_reader {
    const struct sp_node *node;
    struct sp_cur cur;
    uint32_t last; /* number of the field before, of the node */
    bool any;      /* an entry was decoded: key holds its key */
    const char *problem;

    struct sp_buf key;
    struct sp_entry entry;
    struct sp_segment segments[SP_INLINE_SEGMENTS];
    struct sp_attribute *attributes;
    size_t attributes_cap;
    char *strings; /* what must end in NUL; has room for the whole entry before it is decoded */
    size_t strings_cap, strings_used;
    struct sp_ref_use use;
};

enum sp_code
sp_tree_reader_new(struct sp_tree_reader **ret, struct sp_err *e)
{
    struct sp_tree_reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        return sp_fail_nomem(e);
    *ret = r;
    return SP_OK;
}

void
sp_tree_reader_free(struct sp_tree_reader *r)
{
    if (r == NULL)
        return;
    sp_buf_free(&r->key);
    free(r->attributes);
    free(r->strings);
    sp_ref_use_free(&r->use);
    free(r);
}

/* --- one entry -------------------------------------------------------------------------------- */

/* Fields of Entry by what they must be. */
#define BIT(n) SP_FIELD(n)
#define ENTRY_BYTES (BIT(2) | BIT(15) | BIT(16) | BIT(18) | BIT(19) | BIT(21))
#define ENTRY_U32                                                                                  \
    (BIT(1) | BIT(3) | BIT(4) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(20))
#define ENTRY_REPEATED (BIT(19) | BIT(21))
#define ENTRY_LAST 23

/* A copy that ends in NUL; NULL when there is a NUL inside. */
static const char *
string(struct sp_tree_reader *r, const struct sp_cur *c)
{
    char *to = r->strings + r->strings_used;

    if (c->left == 0)
        return "";
    if (memchr(c->p, 0, c->left) != NULL)
        return NULL;
    memcpy(to, c->p, c->left);
    to[c->left] = '\0';
    r->strings_used += c->left + 1;
    return to;
}

static const char *
take_segment(struct sp_tree_reader *r, struct sp_cur c)
{
    struct sp_segment *s = &r->segments[r->entry.nsegments];

    if (r->entry.nsegments == SP_INLINE_SEGMENTS)
        return "too many segments";
    if (!sp_segment_decode(c, &r->use, s))
        return "a malformed segment";
    r->entry.nsegments++;
    return NULL;
}

static const char *
take_attribute(struct sp_tree_reader *r, struct sp_cur c)
{
    struct sp_attribute a = {.name = ""};
    struct sp_wire_field f = {0};
    uint32_t last = 0;

    while (sp_node_next(&c, &f)) {
        const struct sp_id *id;

        if (f.number > 3)
            continue;
        if (!sp_node_field(&f, &last, BIT(1) | BIT(2), BIT(3), 0))
            return "a malformed attribute";
        if (f.number == 1) {
            if ((a.name = string(r, &f.bytes)) == NULL)
                return "a NUL in the name of an attribute";
        } else if (f.number == 2) {
            a.value = f.bytes.p;
            a.len = f.bytes.left;
        } else if (f.value != 0) {
            if ((id = sp_ref_use_get(&r->use, f.value)) == NULL)
                return "a ref that the node does not have";
            a.external = true;
            a.id = *id;
        }
    }
    if (!sp_cur_ok(&c))
        return "a malformed attribute";
    if (r->entry.nattributes == SP_ENTRY_MAX_ATTRIBUTES)
        return "too many attributes";
    if (r->entry.nattributes == r->attributes_cap) {
        size_t cap = r->attributes_cap == 0 ? 16 : r->attributes_cap * 2;
        struct sp_attribute *p = realloc(r->attributes, cap * sizeof *p);

        if (p == NULL)
            return "";
        r->attributes = p;
        r->attributes_cap = cap;
    }
    r->attributes[r->entry.nattributes++] = a;
    return NULL;
}

static const char *
take_content(struct sp_tree_reader *r, const struct sp_wire_field *f)
{
    const struct sp_id *id;

    if (f->number == 19)
        return take_segment(r, f->bytes);
    if (f->number == 21)
        return take_attribute(r, f->bytes);
    if (f->value == 0)
        return NULL;
    if ((id = sp_ref_use_get(&r->use, f->value)) == NULL)
        return "a ref that the node does not have";
    r->entry.has_list = true;
    r->entry.list = *id;
    return NULL;
}

static const char *
take_field(struct sp_tree_reader *r, const struct sp_wire_field *f)
{
    struct sp_entry *en = &r->entry;

    switch (f->number) {
    case 3:
        if (f->value > SP_ENTRY_SOCKET)
            return "an unknown type";
        en->type = (enum sp_entry_type)f->value;
        break;
    case 4:
        en->flags = (uint32_t)f->value;
        break;
    case 5:
        en->size = f->value;
        break;
    case 6:
        en->mtime_ns = sp_wire_zigzag(f->value);
        break;
    case 7:
        en->ctime_ns = sp_wire_zigzag(f->value);
        break;
    case 8:
        en->btime_ns = sp_wire_zigzag(f->value);
        break;
    case 9:
        en->file_id = f->value;
        break;
    case 10:
        en->device = (uint32_t)f->value;
        break;
    case 11:
        en->links = (uint32_t)f->value;
        break;
    case 12:
        en->mode = (uint32_t)f->value;
        break;
    case 13:
        en->uid = (uint32_t)f->value;
        break;
    case 14:
        en->gid = (uint32_t)f->value;
        break;
    case 15:
        en->user = string(r, &f->bytes);
        return en->user == NULL ? "a NUL in the name of the owner" : NULL;
    case 16:
        en->group = string(r, &f->bytes);
        return en->group == NULL ? "a NUL in the name of the group" : NULL;
    case 17:
        en->rdev = f->value;
        break;
    case 18:
        en->target = f->bytes.p;
        en->target_len = f->bytes.left;
        break;
    case 22:
        en->atime_ns = sp_wire_zigzag(f->value);
        break;
    case 23:
        en->extra = f->value;
        break;
    default:
        return take_content(r, f);
    }
    return NULL;
}

/* The key: rising, sharing with the one before all that they have in common, and valid. Only the
 * components that differ from the key before are looked at. */
static const char *
take_key(struct sp_tree_reader *r, uint64_t shared, const struct sp_cur *suffix)
{
    size_t before = r->any ? r->key.len : 0, from, n = suffix->left;
    const uint8_t *p = suffix->p;

    if (shared > before)
        return "a key that shares more than there is";
    if (n > SP_KEY_MAX - (size_t)shared)
        return "a key that is too long";
    if (r->any) {
        if (n == 0 || (shared < before && p[0] <= r->key.data[shared]))
            return "keys out of order";
    }
    r->key.len = (size_t)shared;
    sp_buf_put(&r->key, p, n);
    if (r->key.failed)
        return "";
    from = (size_t)shared;
    while (from > 0 && r->key.data[from - 1] != 0)
        from--;
    n = r->key.len - from;
    if (r->key.len > 0 && (n == 0 || !sp_key_valid(r->key.data + from, n)))
        return "an impossible key";
    r->entry.key = r->key.data;
    r->entry.key_len = r->key.len;
    return NULL;
}

static const char *
decode(struct sp_tree_reader *r, struct sp_cur c)
{
    struct sp_cur suffix = sp_cur_of("", 0);
    struct sp_wire_field f = {0};
    uint32_t last = 0;
    uint64_t shared = 0;
    const char *problem;

    r->entry = (struct sp_entry){.user = "", .group = ""};
    r->strings_used = 0;
    while (sp_node_next(&c, &f)) {
        if (f.number > ENTRY_LAST)
            continue;
        if (!sp_node_field(&f, &last, ENTRY_BYTES, ENTRY_U32, ENTRY_REPEATED))
            return "a malformed entry";
        if (f.number == 1)
            shared = f.value;
        else if (f.number == 2)
            suffix = f.bytes;
        else if ((problem = take_field(r, &f)) != NULL)
            return problem;
    }
    if (!sp_cur_ok(&c))
        return "a malformed entry";
    if ((problem = take_key(r, shared, &suffix)) != NULL)
        return problem;
    r->any = true;
    r->entry.segments = r->segments;
    r->entry.attributes = r->attributes;
    return NULL;
}

/* --- one node --------------------------------------------------------------------------------- */

static void
rewind_node(struct sp_tree_reader *r)
{
    r->cur = sp_cur_of(r->node->data, r->node->len);
    r->last = 0;
    r->any = false;
}

/* A message's bytes and as many NULs as it can have strings: each has a tag and a length. */
static enum sp_code
room_for_strings(struct sp_tree_reader *r, size_t n, struct sp_err *e)
{
    char *p;

    if (n <= r->strings_cap)
        return SP_OK;
    n += 4096;
    if ((p = realloc(r->strings, n)) == NULL)
        return sp_fail_nomem(e);
    r->strings = p;
    r->strings_cap = n;
    return SP_OK;
}

enum sp_code
sp_tree_reader_next(struct sp_tree_reader *r, const struct sp_entry **ret, struct sp_err *e)
{
    struct sp_wire_field f = {0};
    const char *problem;
    enum sp_code rc;

    while (sp_node_next(&r->cur, &f)) {
        if (f.number > 3)
            continue;
        if (!sp_node_field(&f, &r->last, BIT(2) | BIT(3), BIT(1), BIT(2) | BIT(3)))
            return sp_node_corrupt(r->node, NULL, 0, "malformed", e);
        if (f.number == 1)
            continue;
        if (f.number == 3)
            return sp_node_corrupt(r->node, NULL, 0, "children beside entries", e);
        if ((rc = room_for_strings(r, f.bytes.left, e)) != SP_OK)
            return rc;
        if ((problem = decode(r, f.bytes)) != NULL) {
            if (problem[0] == '\0')
                return sp_fail_nomem(e);
            return sp_node_corrupt(r->node, r->key.data, r->any ? r->key.len : 0, problem, e);
        }
        *ret = &r->entry;
        return SP_OK;
    }
    if (!sp_cur_ok(&r->cur))
        return sp_node_corrupt(r->node, NULL, 0, "malformed", e);
    *ret = NULL;
    return SP_OK;
}

static enum sp_code
check_against(const struct sp_tree_reader *r, const struct sp_tree_claim *claim, uint64_t entries,
    uint64_t bytes, struct sp_err *e)
{
    const struct sp_node *n = r->node;

    if (!sp_ref_use_all(&r->use))
        return sp_node_corrupt(n, NULL, 0, "refs that no entry uses", e);
    if (claim == NULL)
        return SP_OK;
    if (entries != claim->child->entries || bytes != claim->child->bytes)
        return sp_node_corrupt(n, NULL, 0, "its parent says another number of entries or bytes", e);
    if (claim->upper != NULL && entries > 0 &&
        sp_key_cmp(r->key.data, r->key.len, claim->upper, claim->upper_len) >= 0)
        return sp_node_corrupt(n, r->key.data, r->key.len, "reaches into the node behind it", e);
    return SP_OK;
}

enum sp_code
sp_tree_reader_open(struct sp_tree_reader *r, const struct sp_node *n,
    const struct sp_tree_claim *claim, struct sp_err *e)
{
    const struct sp_entry *en = NULL;
    uint64_t entries = 0, bytes = 0;
    unsigned level;
    const char *problem;
    enum sp_code rc;

    if ((rc = sp_tree_level(n, &level, e)) != SP_OK)
        return rc;
    if (level != 0 || (claim != NULL && claim->level != 0))
        return sp_node_corrupt(n, NULL, 0, "stands at the wrong level", e);
    if ((rc = sp_ref_use_start(&r->use, n, e)) != SP_OK)
        return rc;
    r->node = n;
    rewind_node(r);
    for (;;) {
        if ((rc = sp_tree_reader_next(r, &en, e)) != SP_OK)
            return rc;
        if (en == NULL)
            break;
        if ((problem = sp_entry_problem(en)) != NULL)
            return sp_node_corrupt(n, en->key, en->key_len, problem, e);
        if (en->size > UINT64_MAX - bytes)
            return sp_node_corrupt(n, en->key, en->key_len, "sizes without bounds", e);
        if (entries == 0 && claim != NULL &&
            sp_key_cmp(en->key, en->key_len, claim->child->first, claim->child->first_len) != 0)
            return sp_node_corrupt(n, en->key, en->key_len, "does not begin as its parent says", e);
        entries++;
        bytes += en->size;
    }
    if ((rc = check_against(r, claim, entries, bytes, e)) != SP_OK)
        return rc;
    rewind_node(r);
    return SP_OK;
}
