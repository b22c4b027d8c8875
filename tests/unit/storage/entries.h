#ifndef SP_TESTS_STORAGE_ENTRIES_H
#define SP_TESTS_STORAGE_ENTRIES_H

/* Synthetic entries, for tests: drawn from a seed, sorted, each with a key of its own. */

#include "storage/entry.h"

struct draws { /* splitmix64 */
    uint64_t state;
};
uint64_t draw(struct draws *d);
uint64_t draw_below(struct draws *d, uint64_t n);
struct sp_id draw_id(struct draws *d);
uint64_t new_seed(void); /* from the clock; printed */

/* A random entry of any type and size of content, with the key. Free it with free(). */
struct sp_entry *entry_draw(struct draws *d, const void *key, size_t key_len);
/* n entries, sorted, with keys of one to six components. */
struct sp_entry **entries_draw(struct draws *d, size_t n);
void entries_free(struct sp_entry **all, size_t n);
/* The index of the first whose key is not below. */
size_t entries_at(struct sp_entry *const *all, size_t n, const void *key, size_t key_len);
/* Every field agrees. */
bool entry_equal(const struct sp_entry *a, const struct sp_entry *b);

#endif
