/* Reading blocks in the order in which they lie, neighbours in one piece: see repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/ahead.h"
#include "storage/repository_impl.h"

#define PIECE (1u << 20)   /* read in one go */
#define GAP (64u << 10)    /* bytes read in vain rather than asking twice, */
#define GAP_FAR (8u << 10) /* also where questions are not waited for one by one */

struct pass {
    struct sp_repository *r;
    sp_fetch_fn each;
    void *arg;
    uint8_t *buf;
    size_t cap;
};

static int
pack_cmp(const struct sp_fetch *a, const struct sp_fetch *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return memcmp(a->name, b->name, sizeof(a->name));
}

static bool
same_block(const struct sp_fetch *a, const struct sp_fetch *b)
{
    return pack_cmp(a, b) == 0 && a->place.offset == b->place.offset &&
           a->place.length == b->place.length;
}

static int
fetch_cmp(const void *a, const void *b)
{
    const struct sp_fetch *x = a, *y = b;
    int order = pack_cmp(x, y);

    if (order != 0)
        return order;
    if (x->place.offset != y->place.offset)
        return x->place.offset < y->place.offset ? -1 : 1;
    if (x->place.length != y->place.length)
        return x->place.length < y->place.length ? -1 : 1;
    return x->want < y->want ? -1 : x->want > y->want;
}

static enum sp_code
room(struct pass *p, size_t n, struct sp_err *e)
{
    uint8_t *more;

    if (n <= p->cap)
        return SP_OK;
    if ((more = realloc(p->buf, n)) == NULL)
        return sp_fail_nomem(e);
    p->buf = more;
    p->cap = n;
    return SP_OK;
}

/* Gives the blocks of f[0..n), which lie in `bytes` from offset `base`, to the caller. */
static enum sp_code
give(struct pass *p, const struct sp_fetch *f, size_t n, const uint8_t *bytes, uint64_t base,
    struct sp_err *e)
{
    size_t i, same;
    enum sp_code rc;

    for (i = 0; i < n; i += same) {
        const uint8_t *block = bytes + (f[i].place.offset - base);
        struct sp_block_header h;
        struct sp_err why = {0};
        size_t length;

        for (same = 1; i + same < n && same_block(&f[i], &f[i + same]); same++)
            ;
        if (sp_block_length(block, f[i].place.length, &length, &why) != SP_OK ||
            length != f[i].place.length ||
            sp_block_header_parse(block, f[i].place.length, &h, &why) != SP_OK) {
            sp_repository_distrust(p->r, f[i].place.pack);
            continue;
        }
        if ((rc = p->each(p->arg, &f[i], same, &h, block, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

static enum sp_code read_again(
    struct pass *p, const struct sp_fetch *f, size_t n, uint64_t end, bool again, struct sp_err *e);

/* A failure of a piece, all of it in one pack, is asked again block by block, so that a bad place
 * takes only its own block with it. */
static enum sp_code
one_by_one(struct pass *p, const struct sp_fetch *f, size_t n, struct sp_err *e)
{
    size_t i, same;
    enum sp_code rc = SP_OK;

    for (i = 0; i < n && rc == SP_OK; i += same) {
        for (same = 1; i + same < n && same_block(&f[i], &f[i + same]); same++)
            ;
        rc = read_again(p, f + i, same, (uint64_t)f[i].place.offset + f[i].place.length, true, e);
    }
    return rc;
}

/* Reading f[0..n) up to `end` failed so; `again`: for the first time. */
static enum sp_code
piece_failed(struct pass *p, const struct sp_fetch *f, size_t n, uint64_t end, bool again,
    enum sp_code failed, const struct sp_err *why, struct sp_err *e)
{
    if (sp_store_fatal(failed)) {
        *e = *why;
        return failed;
    }
    if (!same_block(&f[0], &f[n - 1]))
        return one_by_one(p, f, n, e);
    if (failed == SP_IO && again) /* once more: a store far away has its moments */
        return read_again(p, f, n, end, false, e);
    if (failed == SP_ABSENT || failed == SP_CORRUPT)
        sp_repository_distrust(p->r, f[0].place.pack);
    return SP_OK;
}

static enum sp_code
read_again(
    struct pass *p, const struct sp_fetch *f, size_t n, uint64_t end, bool again, struct sp_err *e)
{
    uint64_t from = f[0].place.offset;
    size_t size = (size_t)(end - from);
    struct sp_err why = {0};
    char object[96];
    enum sp_code rc;

    if ((rc = sp_repository_live(p->r, e)) != SP_OK || (rc = room(p, size, e)) != SP_OK)
        return rc;
    sp_pack_object_name((enum sp_pack_kind)f[0].kind, f[0].name, object);
    if ((rc = sp_backend_get(p->r->backend, object, from, p->buf, size, &why)) == SP_OK)
        return give(p, f, n, p->buf, from, e);
    return piece_failed(p, f, n, end, again, rc, &why, e);
}

struct piece {
    size_t n; /* of those asked for */
    uint64_t end;
};

/* What is read in one go from f[0] on. */
static struct piece
piece_of(const struct sp_fetch *f, size_t n, uint64_t gap)
{
    uint64_t from = f[0].place.offset;
    struct piece p = {1, from + f[0].place.length};

    for (; p.n < n && pack_cmp(&f[0], &f[p.n]) == 0; p.n++) {
        uint64_t start = f[p.n].place.offset, stop = start + f[p.n].place.length;

        if (start > p.end + gap || (stop > p.end && stop - from > PIECE))
            break;
        if (stop > p.end)
            p.end = stop;
    }
    return p;
}

struct asking {
    const struct sp_fetch *f;
    size_t n, at;
    uint64_t gap;
};

static bool
next_piece(void *arg, struct sp_ahead_read *ret)
{
    struct asking *a = arg;
    const struct sp_fetch *f = a->f + a->at;
    struct piece p;

    if (a->at == a->n)
        return false;
    p = piece_of(f, a->n - a->at, a->gap);
    sp_pack_object_name((enum sp_pack_kind)f->kind, f->name, ret->name);
    ret->offset = f->place.offset;
    ret->n = (size_t)(p.end - ret->offset);
    a->at += p.n;
    return true;
}

enum sp_code
sp_fetch_blocks(struct sp_repository *r, struct sp_fetch *f, size_t n, sp_fetch_fn each, void *arg,
    struct sp_err *e)
{
    struct pass p = {r, each, arg, NULL, 0};
    struct asking asking = {f, n, 0, r->backend->ahead > 0 ? GAP_FAR : GAP};
    struct sp_ahead *ahead = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *bytes;
    struct piece piece;
    struct sp_err why = {0};
    size_t i, got;
    enum sp_code rc, failed;

    if (n == 0)
        return SP_OK;
    qsort(f, n, sizeof(*f), fetch_cmp);
    if ((rc = sp_ahead_new(r->backend, next_piece, &asking, &ahead, e)) != SP_OK)
        return rc;
    for (i = 0; i < n && rc == SP_OK; i += piece.n) {
        piece = piece_of(f + i, n - i, asking.gap);
        if ((rc = sp_repository_live(r, e)) != SP_OK)
            break;
        if ((failed = sp_ahead_take(ahead, &read, &bytes, &got, &why)) == SP_OK)
            rc = give(&p, f + i, piece.n, bytes, f[i].place.offset, e);
        else
            rc = piece_failed(&p, f + i, piece.n, piece.end, true, failed, &why, e);
    }
    sp_ahead_free(ahead);
    free(p.buf);
    return rc;
}
