#ifndef SP_STORAGE_MEMTABLE_H
#define SP_STORAGE_MEMTABLE_H

/* Index entries that are in no segment yet: of packs just finished, and of packs learnt from their
 * trailers. 28 bytes an entry and a hash table. Packs are ordinals of the presence registry. The
 * caller locks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/index.h"

#define SP_MEMTABLE_FULL (128u << 10) /* entries after which it is written as a segment */

struct sp_memtable;

enum sp_code sp_memtable_new(const uint64_t seed[2], struct sp_memtable **ret, struct sp_err *e);
void sp_memtable_free(struct sp_memtable *m);
size_t sp_memtable_count(const struct sp_memtable *m);
/* Room for n more: add cannot fail after it, so that all entries of a pack come in or none. */
enum sp_code sp_memtable_reserve(struct sp_memtable *m, size_t n, struct sp_err *e);
void sp_memtable_add(
    struct sp_memtable *m, const uint8_t *id, uint32_t pack, uint32_t offset, uint32_t length);
/* Entries with this id's key, the newest first; stops and gives false when `each` does. */
bool sp_memtable_find(const struct sp_memtable *m, const uint8_t *id,
    bool (*each)(void *arg, const struct sp_index_entry *en), void *arg);
const struct sp_index_entry *sp_memtable_at(const struct sp_memtable *m, size_t i);

#endif
