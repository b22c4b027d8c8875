/* Finding in an index segment: see index.h.
 *
 * Keys are uniform, so the place of one within its fan-out bucket is foretold within some √n
 * entries, and one read of a page's worth usually holds it. Files are not trusted to be uniform:
 * after a few guesses the search halves, and it ends whatever the file says. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/index_format.h"

#define WINDOW (4096 / INDEX_ENTRY)
#define GUESSES 4
#define PIECE ((((size_t)1) << 20) / INDEX_ENTRY)

struct window {
    uint64_t begin, end; /* entries that `bytes` holds */
    uint8_t bytes[WINDOW * INDEX_ENTRY];
};

static const uint8_t *
entry_at(const struct window *w, uint64_t i)
{
    return w->bytes + (size_t)(i - w->begin) * INDEX_ENTRY;
}

static enum sp_code
load(struct sp_index_segment *s, struct window *w, uint64_t begin, uint64_t end, struct sp_err *e)
{
    uint64_t last = end - begin > WINDOW ? begin + WINDOW : end;
    enum sp_code rc = sp_index_read(
        s, s->entries_at + begin * INDEX_ENTRY, w->bytes, (size_t)(last - begin) * INDEX_ENTRY, e);

    if (rc == SP_OK) {
        w->begin = begin;
        w->end = last;
    }
    return rc;
}

static bool
filter_passes(const struct sp_index_segment *s, const uint8_t *key)
{
    const uint8_t *line;

    if (s->filter == NULL)
        return true;
    line = s->filter + INDEX_LINE * sp_index_line(key, s->k);
    for (unsigned i = 0; i < INDEX_PROBES; i++) {
        unsigned bit = sp_index_bit(key, i);

        if ((line[bit / 8] >> (bit % 8) & 1) == 0)
            return false;
    }
    return true;
}

/* The first eight bytes as a number that sorts alike. */
static uint64_t
rank(const uint8_t *key)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | key[i];
    return v;
}

/* What is known of where the first entry with a key not below the wanted one lies. */
struct range {
    uint64_t lo, hi;           /* it is at lo … hi */
    uint64_t lo_rank, hi_rank; /* of what is just outside */
};

static uint64_t
guess(const struct range *r, uint64_t wanted, int tries)
{
    double part = 0.5;

    if (tries < GUESSES && wanted > r->lo_rank && wanted < r->hi_rank)
        part = (double)(wanted - r->lo_rank) / (double)(r->hi_rank - r->lo_rank);
    return r->lo + (uint64_t)(part * (double)(r->hi - r->lo));
}

/* Where a window around `centre` begins, within the range. */
static uint64_t
window_begin(const struct range *r, uint64_t centre)
{
    uint64_t begin = centre > r->lo + WINDOW / 2 ? centre - WINDOW / 2 : r->lo;

    if (r->hi - r->lo > WINDOW && begin > r->hi - WINDOW)
        begin = r->hi - WINDOW;
    return r->hi - r->lo > WINDOW ? begin : r->lo;
}

/* The first of the window's entries with a key not below `key`. */
static uint64_t
first_not_below(const struct window *w, const uint8_t *key)
{
    uint64_t lo = w->begin, hi = w->end;

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;

        if (memcmp(entry_at(w, mid), key, SP_INDEX_KEY) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static enum sp_code
lower_bound(struct sp_index_segment *s, const uint8_t *key, struct window *w, uint64_t *ret,
    struct sp_err *e)
{
    struct range r = {.lo = key[0] == 0 ? 0 : s->fanout[key[0] - 1],
        .hi = s->fanout[key[0]],
        .lo_rank = (uint64_t)key[0] << 56,
        .hi_rank = key[0] == 255 ? UINT64_MAX : (uint64_t)(key[0] + 1) << 56};
    uint64_t wanted = rank(key);
    enum sp_code rc;

    for (int tries = 0; r.lo < r.hi; tries++) {
        uint64_t begin = window_begin(&r, guess(&r, wanted, tries));

        if ((rc = load(s, w, begin, r.hi, e)) != SP_OK)
            return rc;
        if (memcmp(entry_at(w, w->end - 1), key, SP_INDEX_KEY) < 0) {
            r.lo = w->end;
            r.lo_rank = rank(entry_at(w, w->end - 1));
        } else if (w->begin > r.lo && memcmp(entry_at(w, w->begin), key, SP_INDEX_KEY) >= 0) {
            r.hi = w->begin;
            r.hi_rank = rank(entry_at(w, w->begin));
        } else {
            *ret = first_not_below(w, key);
            return SP_OK;
        }
    }
    *ret = r.lo;
    return SP_OK;
}

static enum sp_code
parse_entry(const struct sp_index_segment *s, const uint8_t *p, struct sp_index_entry *ret,
    struct sp_err *e)
{
    memcpy(ret->key, p, SP_INDEX_KEY);
    ret->pack = sp_le32(p + 16);
    ret->offset = sp_le32(p + 20);
    ret->length = sp_le32(p + 24);
    if (ret->pack >= s->npacks || ret->length == 0 ||
        (uint64_t)ret->offset + ret->length > s->packs[ret->pack].size)
        return sp_fail(
            e, SP_CORRUPT, SP_DOM_STORE, "it is damaged: an entry points outside of its pack");
    return SP_OK;
}

/* Tells the entries with this key, from the i-th on. */
static enum sp_code
tell(struct sp_index_segment *s, const uint8_t *key, struct window *w, uint64_t i,
    bool (*each)(void *arg, const struct sp_index_entry *en), void *arg, struct sp_err *e)
{
    for (uint64_t end = s->fanout[key[0]]; i < end; i++) {
        struct sp_index_entry en;
        enum sp_code rc;

        if ((i < w->begin || i >= w->end) && (rc = load(s, w, i, end, e)) != SP_OK)
            return rc;
        if (memcmp(entry_at(w, i), key, SP_INDEX_KEY) != 0)
            break;
        if ((rc = parse_entry(s, entry_at(w, i), &en, e)) != SP_OK)
            return rc;
        if (!each(arg, &en))
            break;
    }
    return SP_OK;
}

enum sp_code
sp_index_segment_find(struct sp_index_segment *s, const uint8_t id[32],
    bool (*each)(void *arg, const struct sp_index_entry *en), void *arg, struct sp_err *e)
{
    struct window w;
    uint64_t first;
    enum sp_code rc;

    if (!filter_passes(s, id))
        return SP_OK;
    w.begin = w.end = 0;
    rc = lower_bound(s, id, &w, &first, e);
    if (rc == SP_OK)
        rc = tell(s, id, &w, first, each, arg, e);
    if (rc != SP_OK)
        sp_err_context(e, "index segment %s", sp_hex8(s->name).s);
    return rc;
}

/* The i-th entry is in the bucket of its first byte, and not before the one that came before it. */
static bool
in_order(const struct sp_index_segment *s, uint64_t i, const uint8_t *p, const uint8_t *before)
{
    uint64_t begin = p[0] == 0 ? 0 : s->fanout[p[0] - 1];

    return i >= begin && i < s->fanout[p[0]] && (i == 0 || sp_index_entry_cmp(before, p) <= 0);
}

enum sp_code
sp_index_segment_each(struct sp_index_segment *s,
    enum sp_code (*each)(void *arg, const struct sp_index_entry *en, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    size_t most = s->n < PIECE ? (size_t)s->n : PIECE;
    uint8_t *piece = malloc(most * INDEX_ENTRY + 1), before[INDEX_ENTRY] = {0};
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    if (piece == NULL)
        return sp_fail_nomem(e);
    for (uint64_t i = 0; rc == SP_OK && i < s->n;) {
        size_t n = s->n - i < most ? (size_t)(s->n - i) : most;

        rc = sp_index_read(s, s->entries_at + i * INDEX_ENTRY, piece, n * INDEX_ENTRY, &why);
        for (const uint8_t *p = piece; rc == SP_OK && n > 0; n--, i++, p += INDEX_ENTRY) {
            struct sp_index_entry en;

            if (!in_order(s, i, p, before))
                rc = sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "it is damaged: it is not sorted");
            else if ((rc = parse_entry(s, p, &en, &why)) == SP_OK &&
                     (rc = each(arg, &en, e)) != SP_OK)
                goto out;
            memcpy(before, p, INDEX_ENTRY);
        }
    }
    if (rc != SP_OK) {
        *e = why;
        sp_err_context(e, "index segment %s", sp_hex8(s->name).s);
    }
out:
    free(piece);
    return rc;
}
