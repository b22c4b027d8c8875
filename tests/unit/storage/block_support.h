#ifndef SP_TEST_BLOCK_SUPPORT_H
#define SP_TEST_BLOCK_SUPPORT_H

/* What the tests of blocks share: keys, a fixed salt, random content. After cmocka.h and vector.h.
 */

#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "storage/block.h"
#include "storage/compress.h"

static inline struct sp_keys *
vector_keys(void)
{
    struct sp_err e = {0};
    uint8_t secrets[107];
    struct sp_keys *k = NULL;

    unhex(vector_secrets, secrets);
    assert_ok(sp_keys_decode(secrets, sizeof(secrets), &k, &e));
    return k;
}

/* A source that gives a0, a1, … ever again. */
static inline enum sp_code
fixed_fill(void *self, void *to, size_t n, struct sp_err *e)
{
    (void)self;
    (void)e;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)(0xa0 + i);
    return SP_OK;
}

static const struct sp_random fixed_random = {fixed_fill, NULL};

static inline uint64_t
seed_of_today(void)
{
    const char *given = getenv("SP_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("seed %llu (SP_TEST_SEED)\n", (unsigned long long)seed);
    return seed;
}

static inline uint64_t
draw(struct sp_random_seeded *s)
{
    struct sp_err e = {0};
    struct sp_random r = sp_random_seeded_of(s);
    uint64_t v = 0;

    assert_ok(sp_random_fill(&r, &v, sizeof(v), &e));
    return v;
}

static inline void
draw_bytes(struct sp_random_seeded *s, void *to, size_t n)
{
    struct sp_err e = {0};
    struct sp_random r = sp_random_seeded_of(s);

    assert_ok(sp_random_fill(&r, to, n, &e));
}

#endif
