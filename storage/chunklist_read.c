#include "storage/chunklist.h"

#include <stdlib.h>

#include "storage/keyset.h"
#include "storage/tree_node.h"

/* Pieces are short at the end of a file and beside holes, whose places the file system chose. */
#define PIECES_FREE (UINT64_C(1) << 16)
#define PIECE_LEAST 512

struct frame { /* an open node of the tree */
    struct sp_node *node;
    struct sp_list_iter start, it;
    struct sp_ref_use use;
    uint64_t base, length; /* what of the file lies below */
    uint64_t at;           /* where the next item begins */
};

struct sp_list_reader {
    const struct sp_node_source *source;
    const struct sp_entry *en;
    struct frame frames[SP_LIST_LEVELS]; /* [0] is the root */
    unsigned depth;
    size_t next;           /* of the entry's own segments */
    uint64_t offset;       /* where it begins */
    bool opened;           /* the root was read; with depth 0: everything was given */
    uint64_t from, pieces; /* since the beginning, or the last seek */
    bool after_hole;
    bool once;
    struct sp_keyset entered; /* with once */
};

static enum sp_code
check_segments(const struct sp_entry *en, struct sp_err *e)
{
    uint64_t left = sp_entry_content(en);

    if (en->has_list)
        return SP_OK;
    /* What could not be read has a size and no content. */
    if (en->nsegments == 0 && (en->flags & SP_ENTRY_UNREADABLE) != 0)
        return SP_OK;
    for (size_t i = 0; i < en->nsegments; i++) {
        uint64_t n = en->segments[i].length;

        if (n > left)
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "more content than the file is long");
        left -= n;
    }
    if (left != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "less content than the file is long");
    return SP_OK;
}

enum sp_code
sp_list_reader_new(const struct sp_node_source *source, const struct sp_entry *en,
    struct sp_list_reader **ret, struct sp_err *e)
{
    struct sp_list_reader *r;
    enum sp_code rc;

    if ((rc = check_segments(en, e)) != SP_OK)
        return rc;
    if ((r = calloc(1, sizeof *r)) == NULL)
        return sp_fail_nomem(e);
    r->source = source;
    r->en = en;
    *ret = r;
    return SP_OK;
}

static void
pop(struct sp_list_reader *r)
{
    struct frame *f = &r->frames[--r->depth];

    free(f->node);
    f->node = NULL;
}

void
sp_list_reader_free(struct sp_list_reader *r)
{
    if (r == NULL)
        return;
    while (r->depth > 0)
        pop(r);
    for (unsigned i = 0; i < SP_LIST_LEVELS; i++)
        sp_ref_use_free(&r->frames[i].use);
    sp_keyset_clear(&r->entered);
    free(r);
}

void
sp_list_reader_once(struct sp_list_reader *r)
{
    const uint64_t seed[2] = {(uint64_t)(uintptr_t)r, (uint64_t)(uintptr_t)&seed};

    sp_keyset_init(&r->entered, seed);
    r->once = true;
}

/* Opens the node of `length` bytes from `base`; under another it stands one level below it. */
static enum sp_code
enter(struct sp_list_reader *r, const struct sp_id *id, uint64_t base, uint64_t length,
    struct sp_err *e)
{
    const struct frame *above = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
    struct frame *f = &r->frames[r->depth];
    struct sp_node *n = NULL;
    struct sp_list_iter it;
    uint64_t total = 0;
    enum sp_code rc;

    if ((rc = sp_node_fetch(r->source, id, &n, e)) != SP_OK)
        return rc;
    if ((rc = sp_list_open(n, &f->use, &it, &total, e)) != SP_OK)
        goto out;
    if (above != NULL && it.level + 1 != above->it.level) {
        rc = sp_node_corrupt(n, NULL, 0, "stands at the wrong level", e);
        goto out;
    }
    if (total != length) {
        rc = sp_node_corrupt(n, NULL, 0, "its lengths do not add up", e);
        goto out;
    }
    f->node = n;
    n = NULL;
    f->start = f->it = it;
    f->base = f->at = base;
    f->length = length;
    r->depth++;
out:
    free(n);
    return rc;
}

static enum sp_code
open_root(struct sp_list_reader *r, struct sp_err *e)
{
    enum sp_code rc;

    if (r->opened)
        return SP_OK;
    if ((rc = enter(r, &r->en->list, 0, sp_entry_content(r->en), e)) == SP_OK)
        r->opened = true;
    return rc;
}

/* The next item of an open node, and how to take that back. */
static bool
take(struct frame *f, struct sp_segment *ret, struct sp_list_iter *ret_before)
{
    *ret_before = f->it;
    if (!sp_list_next(&f->it, &f->use, ret))
        return false;
    f->at += ret->length;
    return true;
}

static void
put_back(struct frame *f, const struct sp_segment *s, const struct sp_list_iter *before)
{
    f->it = *before;
    f->at -= s->length;
}

/* Enters the child that was just taken; when that fails, it is still the next one. */
static enum sp_code
descend(struct sp_list_reader *r, const struct sp_segment *s, const struct sp_list_iter *before,
    struct sp_err *e)
{
    struct frame *f = &r->frames[r->depth - 1];
    enum sp_code rc;

    if ((rc = enter(r, &s->id, f->at - s->length, s->length, e)) != SP_OK)
        put_back(f, s, before);
    return rc;
}

static enum sp_code
check_piece(struct sp_list_reader *r, const struct sp_segment *s, uint64_t end, struct sp_err *e)
{
    if (s->hole && r->after_hole)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "two holes side by side in a list of chunks");
    if (++r->pieces > PIECES_FREE + (end - r->from) / PIECE_LEAST)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "a list of chunks with more pieces than a file of its length has");
    r->after_hole = s->hole;
    return SP_OK;
}

/* A node that is said to have another length is another one: entering it tells. */
static enum sp_code
is_new(struct sp_list_reader *r, const struct sp_segment *child, bool *ret, struct sp_err *e)
{
    uint8_t key[16];

    *ret = true;
    if (!r->once)
        return SP_OK;
    sp_store_le64(key, child->length);
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = i < 8 ? key[i] ^ child->id.b[i] : child->id.b[i];
    return sp_keyset_add(&r->entered, key, ret, e);
}

enum sp_code
sp_list_reader_next(struct sp_list_reader *r, struct sp_segment *ret, uint64_t *ret_offset,
    bool *ret_more, struct sp_err *e)
{
    struct sp_list_iter before;
    struct sp_segment s;
    bool fresh;
    enum sp_code rc;

    if (!r->en->has_list) {
        *ret_more = r->next < r->en->nsegments;
        if (!*ret_more)
            return SP_OK;
        *ret = r->en->segments[r->next++];
        *ret_offset = r->offset;
        r->offset += ret->length;
        return SP_OK;
    }
    if ((rc = open_root(r, e)) != SP_OK)
        return rc;
    while (r->depth > 0) {
        struct frame *f = &r->frames[r->depth - 1];

        if (!take(f, &s, &before)) {
            pop(r);
        } else if (f->it.level == 0) {
            if ((rc = check_piece(r, &s, f->at, e)) != SP_OK)
                return rc;
            *ret = s;
            *ret_offset = f->at - s.length;
            *ret_more = true;
            return SP_OK;
        } else {
            if ((rc = is_new(r, &s, &fresh, e)) != SP_OK)
                return rc;
            if (!fresh)
                r->after_hole = false; /* what is between is not looked at */
            else if ((rc = descend(r, &s, &before, e)) != SP_OK)
                return rc;
        }
    }
    *ret_more = false;
    return SP_OK;
}

static void
seek_inline(struct sp_list_reader *r, uint64_t offset)
{
    const struct sp_entry *en = r->en;

    r->next = 0;
    r->offset = 0;
    while (r->next < en->nsegments && offset - r->offset >= en->segments[r->next].length)
        r->offset += en->segments[r->next++].length;
}

enum sp_code
sp_list_reader_seek(struct sp_list_reader *r, uint64_t offset, struct sp_err *e)
{
    struct sp_list_iter before;
    struct sp_segment s;
    enum sp_code rc;

    if (!r->en->has_list) {
        seek_inline(r, offset);
        return SP_OK;
    }
    r->from = offset;
    r->pieces = 0;
    r->after_hole = false;
    /* Up to the innermost open node that covers the place; past the end of the file there is none.
     */
    while (r->depth > 0 && offset - r->frames[r->depth - 1].base >= r->frames[r->depth - 1].length)
        pop(r);
    if (offset >= sp_entry_content(r->en)) {
        r->opened = true;
        return SP_OK;
    }
    if (r->depth == 0)
        r->opened = false;
    if ((rc = open_root(r, e)) != SP_OK)
        return rc;
    for (;;) {
        struct frame *f = &r->frames[r->depth - 1];

        if (offset < f->at) {
            f->it = f->start;
            f->at = f->base;
        }
        do {
            if (!take(f, &s, &before))
                return sp_node_corrupt(f->node, NULL, 0, "its lengths do not add up", e);
        } while (offset >= f->at);
        if (f->it.level == 0) {
            put_back(f, &s, &before);
            return SP_OK;
        }
        if ((rc = descend(r, &s, &before, e)) != SP_OK)
            return rc;
    }
}
