#include "storage/chunklist.h"

#include <assert.h>
#include <stdlib.h>

#include "storage/tree_node.h"

/* Where list nodes are cut: docs/format.md §10. A cut depends on the id before it and on the number
 * of segments since the last cut, so that a change in the middle of a file moves few cuts. */

#define LEAST_SEGMENTS 128
#define MOST_SEGMENTS 1024
#define CUT_BELOW (UINT32_C(1) << (32 - 9)) /* one id in 512 */

struct level {
    struct sp_segment *items; /* room for MOST_SEGMENTS */
    size_t n;
    uint64_t length;
    size_t made; /* nodes closed so far, and the last of them */
    struct sp_id last;
};

struct sp_list_writer {
    struct sp_hasher *hasher;
    const struct sp_node_sink *sink;
    struct sp_node_coder coder;
    struct level levels[SP_LIST_LEVELS];
    uint64_t length; /* of the file so far */
    uint64_t hole;   /* at its end, not added yet: more of it may follow */
    bool finished;   /* starts over at the next add */
    bool broken;     /* something failed in the middle of a file */
};

enum sp_code
sp_list_writer_new(struct sp_hasher *hasher, const struct sp_node_sink *sink,
    struct sp_list_writer **ret, struct sp_err *e)
{
    struct sp_list_writer *w = calloc(1, sizeof *w);

    if (w == NULL)
        return sp_fail_nomem(e);
    w->hasher = hasher;
    w->sink = sink;
    *ret = w;
    return SP_OK;
}

void
sp_list_writer_free(struct sp_list_writer *w)
{
    if (w == NULL)
        return;
    for (unsigned l = 0; l < SP_LIST_LEVELS; l++)
        free(w->levels[l].items);
    sp_node_coder_free(&w->coder);
    free(w);
}

void
sp_list_writer_reset(struct sp_list_writer *w)
{
    for (unsigned l = 0; l < SP_LIST_LEVELS; l++) {
        w->levels[l].n = w->levels[l].made = 0;
        w->levels[l].length = 0;
    }
    w->length = w->hole = 0;
    w->finished = w->broken = false;
}

static enum sp_code
push(struct sp_list_writer *w, unsigned l, const struct sp_segment *s, struct sp_err *e);

static enum sp_code
close_node(struct sp_list_writer *w, unsigned l, struct sp_err *e)
{
    struct level *v = &w->levels[l];
    struct sp_segment child = {.length = v->length};
    enum sp_code rc;

    if ((rc = sp_list_encode(&w->coder, l, v->items, v->n, e)) != SP_OK)
        return rc;
    rc = sp_node_store(&w->coder, SP_CHUNK_LIST, w->hasher, w->sink, &child.id, e);
    if (rc != SP_OK)
        return rc;
    v->n = 0;
    v->length = 0;
    v->made++;
    v->last = child.id;
    if (l + 1 == SP_LIST_LEVELS)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SOURCE, "a file of too many pieces");
    return push(w, l + 1, &child, e);
}

static enum sp_code
push(struct sp_list_writer *w, unsigned l, const struct sp_segment *s, struct sp_err *e)
{
    struct level *v = &w->levels[l];

    if (v->items == NULL && (v->items = calloc(MOST_SEGMENTS, sizeof v->items[0])) == NULL)
        return sp_fail_nomem(e);
    v->items[v->n++] = *s;
    v->length += s->length;
    if (v->n == MOST_SEGMENTS ||
        (v->n >= LEAST_SEGMENTS && !s->hole && sp_le32(s->id.b) < CUT_BELOW))
        return close_node(w, l, e);
    return SP_OK;
}

static enum sp_code
push_hole(struct sp_list_writer *w, struct sp_err *e)
{
    struct sp_segment s = {.length = w->hole, .hole = true};

    if (w->hole == 0)
        return SP_OK;
    w->hole = 0;
    return push(w, 0, &s, e);
}

enum sp_code
sp_list_writer_add(
    struct sp_list_writer *w, uint64_t length, const struct sp_id *id, struct sp_err *e)
{
    struct sp_segment s = {.length = length};
    enum sp_code rc;

    if (w->finished)
        sp_list_writer_reset(w);
    if (w->broken)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a chunk list goes on after a failure");
    if (length == 0 || length > (uint64_t)INT64_MAX - w->length)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "an impossible length in a chunk list");
    w->length += length;
    if (id == NULL) {
        w->hole += length;
        return SP_OK;
    }
    s.id = *id;
    if ((rc = push_hole(w, e)) != SP_OK || (rc = push(w, 0, &s, e)) != SP_OK)
        w->broken = true;
    return rc;
}

/* Closes what is open from below until one level has made a single node: the root. */
static enum sp_code
close_all(struct sp_list_writer *w, struct sp_id *ret, struct sp_err *e)
{
    enum sp_code rc;

    for (unsigned l = 0; l < SP_LIST_LEVELS; l++) {
        struct level *v = &w->levels[l];

        if (v->n > 0 && (rc = close_node(w, l, e)) != SP_OK)
            return rc;
        if (v->made == 1) {
            *ret = v->last;
            return SP_OK;
        }
    }
    assert(!"close_node refuses one level too many");
    return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a chunk list without a root");
}

enum sp_code
sp_list_writer_finish(struct sp_list_writer *w, const struct sp_segment **ret_segments,
    size_t *ret_n, bool *ret_has_list, struct sp_id *ret_list, struct sp_err *e)
{
    struct level *v = &w->levels[0];
    enum sp_code rc;

    if (w->finished)
        sp_list_writer_reset(w); /* a file without a segment */
    if (w->broken)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a chunk list goes on after a failure");
    if ((rc = push_hole(w, e)) != SP_OK)
        goto out;
    if (v->made == 0 && v->n <= SP_INLINE_SEGMENTS) {
        *ret_segments = v->items;
        *ret_n = v->n;
        *ret_has_list = false;
    } else {
        if ((rc = close_all(w, ret_list, e)) != SP_OK)
            goto out;
        *ret_segments = NULL;
        *ret_n = 0;
        *ret_has_list = true;
    }
    w->finished = true;
out:
    if (rc != SP_OK)
        w->broken = true;
    return rc;
}
