#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "storage/chunklist.h"
#include "storage/node_field.h"
#include "storage/tree_node.h"

/* The rules that entries and inner nodes obey. */

enum sp_code
sp_node_corrupt(
    const struct sp_node *n, const void *key, size_t key_len, const char *what, struct sp_err *e)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    if (key_len > 0)
        sp_path_show(key, key_len < 256 ? key_len : 256, &shown);
    rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "node %s: %s%s%s", sp_hex8(n->id.b).s, what,
        key_len > 0 ? " at " : "", sp_buf_str(&shown));
    sp_buf_free(&shown);
    return rc;
}

/* --- entries ---------------------------------------------------------------------------------- */

static const char *
content_problem(const struct sp_entry *en)
{
    if (en->type != SP_ENTRY_FILE)
        return en->size != 0 || en->extra != 0 || en->has_list || en->nsegments != 0
                   ? "content without a file"
                   : NULL;
    if (en->extra > UINT64_MAX - en->size)
        return "more content than a number holds";
    if (en->has_list && en->nsegments != 0)
        return "content that is told twice";
    if (en->nsegments > SP_INLINE_SEGMENTS)
        return "too many segments";
    return NULL;
}

/* What only Windows has. */
static const char *
windows_problem(const struct sp_entry *en)
{
    bool is_file = en->type == SP_ENTRY_FILE && (en->flags & SP_ENTRY_WINDOWS) != 0;

    if (en->extra != 0 && !is_file)
        return "content behind the content of what is no file of Windows";
    if ((en->flags & SP_ENTRY_AWAY) != 0 && !is_file)
        return "said to be kept elsewhere, and no file of Windows";
    return NULL;
}

static const char *
attributes_problem(const struct sp_entry *en)
{
    if (en->nattributes > SP_ENTRY_MAX_ATTRIBUTES)
        return "too many attributes";
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];

        if (a->name[0] == '\0')
            return "an attribute without a name";
        if (i > 0 && strcmp(en->attributes[i - 1].name, a->name) >= 0)
            return "attributes out of order";
        if (a->external && a->len > 0)
            return "a value that is told twice";
    }
    return NULL;
}

const char *
sp_entry_problem(const struct sp_entry *en)
{
    const char *problem;

    if (en->type < SP_ENTRY_FILE || en->type > SP_ENTRY_SOCKET)
        return "an unknown type";
    if ((en->mode & ~UINT32_C(07777)) != 0)
        return "impossible permission bits";
    if (en->target_len > 0 &&
        (en->type != SP_ENTRY_LINK || memchr(en->target, 0, en->target_len) != NULL))
        return "an impossible link target";
    if ((problem = content_problem(en)) != NULL || (problem = windows_problem(en)) != NULL)
        return problem;
    return attributes_problem(en);
}

/* --- levels ----------------------------------------------------------------------------------- */

static enum sp_code
level_of(const struct sp_node *n, enum sp_chunk_kind kind, unsigned levels, unsigned *ret,
    struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(n->data, n->len);
    struct sp_wire_field f;
    uint64_t level = 0;

    if (n->kind != kind)
        return sp_node_corrupt(n, NULL, 0, "is a chunk of another kind", e);
    if (n->len > SP_NODE_MAX)
        return sp_node_corrupt(n, NULL, 0, "is too long", e);
    /* Fields rise, so the level is first or zero. */
    if (sp_node_next(&c, &f) && f.number == 1)
        level = f.type == SP_WIRE_VARINT ? f.value : UINT64_MAX;
    if (!sp_cur_ok(&c))
        return sp_node_corrupt(n, NULL, 0, "malformed", e);
    if (level >= levels)
        return sp_node_corrupt(n, NULL, 0, "impossible level", e);
    *ret = (unsigned)level;
    return SP_OK;
}

enum sp_code
sp_tree_level(const struct sp_node *n, unsigned *ret, struct sp_err *e)
{
    return level_of(n, SP_CHUNK_TREE, SP_TREE_LEVELS, ret, e);
}

enum sp_code
sp_list_level(const struct sp_node *n, unsigned *ret, struct sp_err *e)
{
    return level_of(n, SP_CHUNK_LIST, SP_LIST_LEVELS, ret, e);
}

/* --- children --------------------------------------------------------------------------------- */

static bool
decode_child(struct sp_cur c, struct sp_ref_use *use, struct sp_tree_child *ret)
{
    struct sp_tree_child child = {.first = (const uint8_t *)""};
    const struct sp_id *id = NULL;
    struct sp_wire_field f;
    uint32_t last = 0;

    while (sp_node_next(&c, &f)) {
        if (f.number > 4)
            continue;
        if (!sp_node_field(&f, &last, SP_FIELD(1), SP_FIELD(2), 0))
            return false;
        if (f.number == 1) {
            child.first = f.bytes.p;
            child.first_len = f.bytes.left;
        } else if (f.number == 2) {
            id = sp_ref_use_get(use, f.value);
        } else if (f.number == 3) {
            child.entries = f.value;
        } else {
            child.bytes = f.value;
        }
    }
    if (!sp_cur_ok(&c) || id == NULL || child.entries == 0)
        return false;
    child.id = *id;
    *ret = child;
    return true;
}

struct sums {
    uint64_t entries, bytes;
};

static const char *
child_problem(const struct sp_tree_child *before, const struct sp_tree_child *c, struct sums *sums)
{
    if (c->first_len > SP_KEY_MAX || (c->first_len > 0 && !sp_key_valid(c->first, c->first_len)))
        return "an impossible key";
    if (before != NULL && sp_key_cmp(before->first, before->first_len, c->first, c->first_len) >= 0)
        return "keys out of order";
    if (c->entries > UINT64_MAX - sums->entries || c->bytes > UINT64_MAX - sums->bytes)
        return "sizes without bounds";
    sums->entries += c->entries;
    sums->bytes += c->bytes;
    return NULL;
}

static enum sp_code
check_against(const struct sp_node *n, const struct sp_tree_claim *claim,
    const struct sp_tree_child *children, size_t nchildren, const struct sums *sums,
    struct sp_err *e)
{
    const struct sp_tree_child *first = &children[0], *last = &children[nchildren - 1];

    if (claim == NULL)
        return SP_OK;
    if (sums->entries != claim->child->entries || sums->bytes != claim->child->bytes)
        return sp_node_corrupt(n, NULL, 0, "its parent says another number of entries or bytes", e);
    if (sp_key_cmp(first->first, first->first_len, claim->child->first, claim->child->first_len) !=
        0)
        return sp_node_corrupt(
            n, first->first, first->first_len, "does not begin as its parent says", e);
    if (claim->upper != NULL &&
        sp_key_cmp(last->first, last->first_len, claim->upper, claim->upper_len) >= 0)
        return sp_node_corrupt(
            n, last->first, last->first_len, "reaches into the node behind it", e);
    return SP_OK;
}

static enum sp_code
room_for_one(struct sp_tree_child **array, size_t *cap, size_t n, struct sp_err *e)
{
    size_t more = *cap == 0 ? 64 : *cap * 2;
    struct sp_tree_child *p;

    if (n < *cap)
        return SP_OK;
    if ((p = realloc(*array, more * sizeof *p)) == NULL)
        return sp_fail_nomem(e);
    *array = p;
    *cap = more;
    return SP_OK;
}

enum sp_code
sp_tree_children(const struct sp_node *n, const struct sp_tree_claim *claim, struct sp_ref_use *use,
    struct sp_tree_child **array, size_t *cap, size_t *ret_n, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(n->data, n->len);
    struct sums sums = {0, 0};
    struct sp_wire_field f;
    uint32_t last = 0;
    unsigned level;
    size_t count = 0;
    enum sp_code rc;

    if ((rc = sp_tree_level(n, &level, e)) != SP_OK)
        return rc;
    if (level == 0 || (claim != NULL && claim->level != level))
        return sp_node_corrupt(n, NULL, 0, "stands at the wrong level", e);
    if ((rc = sp_ref_use_start(use, n, e)) != SP_OK)
        return rc;
    while (sp_node_next(&c, &f)) {
        struct sp_tree_child *child;
        const char *problem;

        if (f.number > 3)
            continue;
        if (!sp_node_field(&f, &last, SP_FIELD(2) | SP_FIELD(3), SP_FIELD(1), SP_FIELD(3)) ||
            f.number == 2)
            return sp_node_corrupt(n, NULL, 0, "malformed", e);
        if (f.number == 1)
            continue;
        if ((rc = room_for_one(array, cap, count, e)) != SP_OK)
            return rc;
        child = &(*array)[count];
        if (!decode_child(f.bytes, use, child))
            return sp_node_corrupt(n, NULL, 0, "a malformed child", e);
        if ((problem = child_problem(count > 0 ? child - 1 : NULL, child, &sums)) != NULL)
            return sp_node_corrupt(n, child->first, child->first_len, problem, e);
        count++;
    }
    if (!sp_cur_ok(&c) || count == 0)
        return sp_node_corrupt(n, NULL, 0, "malformed", e);
    if (!sp_ref_use_all(use))
        return sp_node_corrupt(n, NULL, 0, "refs that no child uses", e);
    if ((rc = check_against(n, claim, *array, count, &sums, e)) != SP_OK)
        return rc;
    *ret_n = count;
    return SP_OK;
}
