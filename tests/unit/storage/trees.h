#ifndef SP_TESTS_STORAGE_TREES_H
#define SP_TESTS_STORAGE_TREES_H

/* What the tests of the catalog share: a key group from a seed, and whole trees in one call. */

#include "entries.h"
#include "nodes_memory.h"
#include "storage/catalog.h"

extern struct sp_keys *tree_keys;
int tree_setup(void **state); /* group setup and teardown: tree_keys */
int tree_teardown(void **state);

struct sp_id tree_write(struct nodes *m, struct sp_entry *const *all, size_t n);
struct sp_catalog *tree_open(struct nodes *m, const struct sp_id *root);
/* From here on c gives exactly these. */
void tree_gives(struct sp_catalog *c, struct sp_entry *const *all, size_t n);

#endif
