#ifndef SP_BASE_RANDOM_H
#define SP_BASE_RANDOM_H

/* Random bytes from the operating system's generator (getrandom(2), BCryptGenRandom). Replaceable
 * in tests by a seeded one; a program never uses any other source. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_random {
    /* Fills all n bytes or fails. */
    enum sp_code (*fill)(void *self, void *to, size_t n, struct sp_err *e);
    void *self;
};

extern const struct sp_random sp_random_system;

enum sp_code sp_random_fill(const struct sp_random *r, void *to, size_t n, struct sp_err *e);

/* A reproducible source for tests and corpora (not for keys): splitmix64 from a seed. */
struct sp_random_seeded {
    uint64_t state;
};
struct sp_random sp_random_seeded_of(struct sp_random_seeded *s);

#endif
