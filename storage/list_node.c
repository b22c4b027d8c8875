#include "storage/tree_node.h"

#include <string.h>

#include "storage/node_field.h"

/* Reading ListNode: level 0 holds segments (field 2), the others children (field 3) of the same
 * shape. */

bool
sp_segment_decode(struct sp_cur c, struct sp_ref_use *use, struct sp_segment *ret)
{
    const struct sp_id *id = NULL;
    struct sp_wire_field f;
    uint64_t length = 0;
    uint32_t last = 0;

    while (sp_node_next(&c, &f)) {
        if (f.number > 2)
            continue;
        if (!sp_node_field(&f, &last, 0, SP_FIELD(2), 0))
            return false;
        if (f.number == 1)
            length = f.value;
        else if (f.value != 0 && (id = sp_ref_use_get(use, f.value)) == NULL)
            return false;
    }
    if (!sp_cur_ok(&c) || length == 0)
        return false;
    ret->length = length;
    ret->hole = id == NULL;
    if (id != NULL)
        ret->id = *id;
    else
        memset(&ret->id, 0, sizeof ret->id);
    return true;
}

/* 1 and an item, 0 at the end, -1 when malformed. */
static int
step(struct sp_list_iter *it, struct sp_ref_use *use, struct sp_segment *ret)
{
    struct sp_wire_field f;

    while (sp_node_next(&it->cur, &f)) {
        if (f.number > 3)
            continue;
        if (!sp_node_field(
                &f, &it->last, SP_FIELD(2) | SP_FIELD(3), SP_FIELD(1), SP_FIELD(2) | SP_FIELD(3)))
            return -1;
        if (f.number == 1)
            continue;
        if ((f.number == 2) != (it->level == 0))
            return -1;
        if (!sp_segment_decode(f.bytes, use, ret) || (it->level > 0 && ret->hole))
            return -1;
        return 1;
    }
    return sp_cur_ok(&it->cur) ? 0 : -1;
}

enum sp_code
sp_list_open(const struct sp_node *n, struct sp_ref_use *use, struct sp_list_iter *ret,
    uint64_t *ret_total, struct sp_err *e)
{
    struct sp_list_iter it = {.cur = sp_cur_of(n->data, n->len)}, start;
    struct sp_segment s;
    uint64_t total = 0;
    enum sp_code rc;
    int got;

    if ((rc = sp_list_level(n, &it.level, e)) != SP_OK)
        return rc;
    if ((rc = sp_ref_use_start(use, n, e)) != SP_OK)
        return rc;
    start = it;
    while ((got = step(&it, use, &s)) > 0) {
        if (s.length > UINT64_MAX - total)
            return sp_node_corrupt(n, NULL, 0, "lengths without bounds", e);
        total += s.length;
    }
    if (got < 0 || total == 0)
        return sp_node_corrupt(n, NULL, 0, "malformed", e);
    if (!sp_ref_use_all(use))
        return sp_node_corrupt(n, NULL, 0, "refs that nothing uses", e);
    *ret = start;
    *ret_total = total;
    return SP_OK;
}

bool
sp_list_next(struct sp_list_iter *it, struct sp_ref_use *use, struct sp_segment *ret)
{
    return step(it, use, ret) > 0;
}
