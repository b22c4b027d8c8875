/* Objects by name, and their bytes: see cutstore_impl.h. */

#include "cutstore_impl.h"

#include <stdlib.h>
#include <string.h>

/* A test that has no memory proves nothing. */
static void *
must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

uint64_t
cut_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ (h >> 33);
}

uint64_t
cut_hash(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ n, w;

    for (; n >= 8; n -= 8, b += 8) {
        memcpy(&w, b, 8);
        h = cut_mix(h ^ w) + UINT64_C(0x9e3779b97f4a7c15);
    }
    for (; n > 0; n--, b++)
        h = (h ^ *b) * UINT64_C(0x100000001b3);
    return cut_mix(h);
}

size_t
cut_table_find(const struct cut_table *t, const char *name, bool *ret_there)
{
    size_t lo = 0, hi = t->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(t->v[mid].name->s, name);

        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_there = false;
    return lo;
}

void
cut_table_set(
    struct cut_table *t, const struct cut_name *name, const struct cut_bytes *bytes, uint64_t born)
{
    bool there;
    size_t at = cut_table_find(t, name->s, &there);

    if (bytes == NULL) {
        if (there)
            memmove(t->v + at, t->v + at + 1, (--t->n - at) * sizeof(*t->v));
        return;
    }
    if (!there) {
        if (t->n == t->cap) {
            t->cap = t->cap == 0 ? 128 : t->cap * 2;
            t->v = must(realloc(t->v, t->cap * sizeof(*t->v)));
        }
        memmove(t->v + at + 1, t->v + at, (t->n++ - at) * sizeof(*t->v));
    }
    t->v[at] = (struct cut_object){name, bytes, born};
}

void
cut_table_copy(struct cut_table *to, const struct cut_table *from)
{
    to->n = from->n;
    to->cap = from->n + 32;
    to->v = must(malloc(to->cap * sizeof(*to->v)));
    if (from->n > 0)
        memcpy(to->v, from->v, from->n * sizeof(*to->v));
}

const struct cut_bytes *
cut_bytes_new(struct cutstore *c, const void *p, size_t n, uint64_t hash)
{
    struct cut_bytes *b = must(malloc(sizeof(*b) + n));

    b->hash = hash;
    b->n = n;
    if (n > 0)
        memcpy(b->p, p, n);
    b->next = c->bytes;
    c->bytes = b;
    return b;
}
