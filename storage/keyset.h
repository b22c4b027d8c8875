#ifndef SP_STORAGE_KEYSET_H
#define SP_STORAGE_KEYSET_H

/* A set of chunk ids by their first 16 bytes, as the index keeps them: 16 bytes a key at a load of
 * at most three quarters. A server cannot tell an id from bytes that a hostile client chose, so
 * where a key goes depends on a secret seed. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_keyset {
    uint8_t (*slots)[16]; /* all zero: empty */
    size_t cap, count;    /* cap: zero or a power of two */
    bool has_zero;
    uint64_t seed[2];
};

void sp_keyset_init(struct sp_keyset *s, const uint64_t seed[2]);

/* Of `id` 16 bytes are read. *ret_new (may be NULL): it was not there before. */
enum sp_code sp_keyset_add(struct sp_keyset *s, const uint8_t *id, bool *ret_new, struct sp_err *e);
bool sp_keyset_has(const struct sp_keyset *s, const uint8_t *id);
size_t sp_keyset_count(const struct sp_keyset *s);
/* Adds every key of `from`. */
enum sp_code sp_keyset_merge(struct sp_keyset *s, const struct sp_keyset *from, struct sp_err *e);
void sp_keyset_clear(struct sp_keyset *s); /* frees the memory; the seed stays */

/* Where a key belongs among 2^bits places: multiply-shift over both halves. */
size_t sp_key_place(const uint64_t seed[2], const uint8_t *key, unsigned bits);

#endif
