/* Random bytes: see random.h. */

#include "base/random.h"

#include "base/buf.h"

#include <string.h>

enum sp_code
sp_random_fill(const struct sp_random *r, void *to, size_t n, struct sp_err *e)
{
    return r->fill(r->self, to, n, e);
}

/* Sebastiano Vigna's splitmix64, https://prng.di.unimi.it/splitmix64.c (public domain). */
static uint64_t
splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static enum sp_code
seeded_fill(void *self, void *to, size_t n, struct sp_err *e)
{
    struct sp_random_seeded *s = self;
    uint8_t *out = to, word[8];

    (void)e;
    while (n > 0) {
        size_t part = n < sizeof(word) ? n : sizeof(word);

        sp_store_le64(word, splitmix64(&s->state));
        memcpy(out, word, part);
        out += part;
        n -= part;
    }
    return SP_OK;
}

struct sp_random
sp_random_seeded_of(struct sp_random_seeded *s)
{
    return (struct sp_random){seeded_fill, s};
}
