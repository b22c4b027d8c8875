#include "client/seen.h"

#include <stdlib.h>
#include <string.h>

/* Buckets of eight, chosen by the first bytes of the key; in each the youngest first. A place that
 * is all zeros is free: nothing that is as good as random is. */

#define WAYS 8
#define FIRST_BUCKETS 128

struct bucket {
    uint8_t key[WAYS][32];
};

struct sp_seen {
    struct bucket *buckets;
    size_t n, max; /* powers of two */
    size_t filled;
};

enum sp_code
sp_seen_new(size_t limit, struct sp_seen **ret, struct sp_err *e)
{
    struct sp_seen *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return sp_fail_nomem(e);
    s->n = s->max = FIRST_BUCKETS;
    while (s->max * WAYS < limit)
        s->max *= 2;
    if ((s->buckets = calloc(s->n, sizeof(*s->buckets))) == NULL) {
        free(s);
        return sp_fail_nomem(e);
    }
    *ret = s;
    return SP_OK;
}

void
sp_seen_free(struct sp_seen *s)
{
    if (s == NULL)
        return;
    free(s->buckets);
    free(s);
}

static struct bucket *
bucket_of(const struct sp_seen *s, const uint8_t key[32])
{
    uint64_t h;

    /* Not from its beginning: keys may come sorted, and would fill one bucket after the other. */
    memcpy(&h, key + 8, sizeof(h));
    return &s->buckets[h & (s->n - 1)];
}

static bool
is_free(const uint8_t key[32])
{
    static const uint8_t zero[32];

    return memcmp(key, zero, 32) == 0;
}

bool
sp_seen_has(const struct sp_seen *s, const uint8_t key[32])
{
    const struct bucket *b = bucket_of(s, key);
    size_t i;

    for (i = 0; i < WAYS; i++) {
        if (memcmp(b->key[i], key, 32) == 0)
            return true;
    }
    return false;
}

static void
put(struct sp_seen *s, const uint8_t key[32])
{
    struct bucket *b = bucket_of(s, key);

    s->filled += is_free(b->key[WAYS - 1]);
    memmove(b->key[1], b->key[0], sizeof(b->key) - sizeof(b->key[0]));
    memcpy(b->key[0], key, 32);
}

static void
grow(struct sp_seen *s)
{
    struct sp_seen more = {NULL, s->n * 2, s->max, 0};
    size_t i, k;

    if ((more.buckets = calloc(more.n, sizeof(*more.buckets))) == NULL)
        return;
    for (i = 0; i < s->n; i++) {
        for (k = WAYS; k-- > 0;) { /* the oldest first */
            if (!is_free(s->buckets[i].key[k]))
                put(&more, s->buckets[i].key[k]);
        }
    }
    free(s->buckets);
    *s = more;
}

void
sp_seen_add(struct sp_seen *s, const uint8_t key[32])
{
    if (sp_seen_has(s, key))
        return;
    if (s->filled >= s->n * WAYS / 2 && s->n < s->max)
        grow(s);
    put(s, key);
}
