/* Reading blocks in the order in which they lie, neighbours in one piece: see repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

#define PIECE (1u << 20) /* read in one go */
#define GAP (64u << 10)  /* bytes read in vain rather than asking twice */

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

/* One piece; what is inside lies in one pack. A failure of the piece is asked again block by block,
 * so that a bad place takes only its own block with it. */
static enum sp_code
read_piece(
    struct pass *p, const struct sp_fetch *f, size_t n, uint64_t end, bool again, struct sp_err *e)
{
    uint64_t from = f[0].place.offset;
    size_t size = (size_t)(end - from), i, same;
    struct sp_err why = {0};
    char object[96];
    enum sp_code rc;

    if ((rc = sp_repository_live(p->r, e)) != SP_OK || (rc = room(p, size, e)) != SP_OK)
        return rc;
    sp_pack_object_name((enum sp_pack_kind)f[0].kind, f[0].name, object);
    if ((rc = sp_backend_get(p->r->backend, object, from, p->buf, size, &why)) == SP_OK)
        return give(p, f, n, p->buf, from, e);
    if (sp_store_fatal(rc)) {
        *e = why;
        return rc;
    }
    if (same_block(&f[0], &f[n - 1])) {
        if (rc == SP_IO && again) /* once more: a store far away has its moments */
            return read_piece(p, f, n, end, false, e);
        if (rc == SP_ABSENT || rc == SP_CORRUPT)
            sp_repository_distrust(p->r, f[0].place.pack);
        return SP_OK;
    }
    for (i = 0; i < n; i += same) {
        for (same = 1; i + same < n && same_block(&f[i], &f[i + same]); same++)
            ;
        rc = read_piece(p, f + i, same, (uint64_t)f[i].place.offset + f[i].place.length, true, e);
        if (rc != SP_OK)
            return rc;
    }
    return SP_OK;
}

enum sp_code
sp_fetch_blocks(struct sp_repository *r, struct sp_fetch *f, size_t n, sp_fetch_fn each, void *arg,
    struct sp_err *e)
{
    struct pass p = {r, each, arg, NULL, 0};
    size_t i, taken;
    enum sp_code rc = SP_OK;

    if (n > 0)
        qsort(f, n, sizeof(*f), fetch_cmp);
    for (i = 0; i < n && rc == SP_OK; i += taken) {
        uint64_t from = f[i].place.offset, end = from + f[i].place.length;

        for (taken = 1; i + taken < n && pack_cmp(&f[i], &f[i + taken]) == 0; taken++) {
            uint64_t start = f[i + taken].place.offset;
            uint64_t stop = start + f[i + taken].place.length;

            if (start > end + GAP || (stop > end && stop - from > PIECE))
                break;
            if (stop > end)
                end = stop;
        }
        rc = read_piece(&p, f + i, taken, end, true, e);
    }
    free(p.buf);
    return rc;
}
