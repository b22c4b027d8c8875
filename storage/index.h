#ifndef SP_STORAGE_INDEX_H
#define SP_STORAGE_INDEX_H

/* Index segments (docs/format.md §8): which chunk lies where. A hint (R5): built from pack trailers,
 * merged, thrown away and rebuilt. A segment is used from a local file by pread: fan-out and filter
 * (the filter only while all filters together stay under a budget) are held in memory, entries are not. */

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"
#include "storage/block.h"
#include "storage/pack.h"

#define SP_INDEX_KEY 16
#define SP_INDEX_MAX_ENTRIES 9000000u /* per segment: under 256 MiB with its filter */

struct sp_index_pack { /* one pack that a segment speaks of */
    uint8_t name[32], uploader[16], group[16];
    uint64_t size;
    enum sp_pack_kind kind;
};
struct sp_index_entry {
    uint8_t key[SP_INDEX_KEY];
    uint32_t pack; /* ordinal in the segment's (or the builder's) packs */
    uint32_t offset, length;
};

/* --- building: entries in any order, bounded by SP_INDEX_MAX_ENTRIES, sorted at the end ----------- */

struct sp_index_builder;
enum sp_code sp_index_builder_new(struct sp_index_builder **ret, struct sp_err *e);
void sp_index_builder_free(struct sp_index_builder *b);
enum sp_code sp_index_builder_pack(struct sp_index_builder *b, const struct sp_index_pack *p,
    uint32_t *ret_ordinal, struct sp_err *e);
enum sp_code sp_index_builder_add(struct sp_index_builder *b, const uint8_t id[32], uint32_t pack,
    uint32_t offset, uint32_t length, struct sp_err *e);
size_t sp_index_builder_count(const struct sp_index_builder *b);
/* The whole segment's bytes, and its name. */
enum sp_code sp_index_builder_finish(struct sp_index_builder *b, const uint8_t (*supersedes)[32],
    size_t nsupersedes, struct sp_buf *ret, uint8_t ret_name[32], struct sp_err *e);

/* --- using --------------------------------------------------------------------------------------- */

struct sp_index_segment;
/* Opens a local file; every table is bounded by the file's size; SP_CORRUPT when it does not add up.
 * With `verify` the whole file's SHA-256 must be `name`. */
enum sp_code sp_index_segment_open(const struct sp_os *os, const char *path, const uint8_t name[32],
    bool verify, bool keep_filter, struct sp_index_segment **ret, struct sp_err *e);
void sp_index_segment_free(struct sp_index_segment *s);
const uint8_t *sp_index_segment_name(const struct sp_index_segment *s);
uint64_t sp_index_segment_count(const struct sp_index_segment *s);
size_t sp_index_segment_packs(const struct sp_index_segment *s);
/* From memory (96 bytes a pack are kept). */
const struct sp_index_pack *sp_index_segment_pack(const struct sp_index_segment *s, size_t i);
size_t sp_index_segment_supersedes(const struct sp_index_segment *s, size_t i, uint8_t ret[32]);
size_t sp_index_segment_memory(const struct sp_index_segment *s);
/* Calls each for every entry with this id's key, in order; stops early when `each` gives false. Any
 * thread. SP_OK also when there is none. */
enum sp_code sp_index_segment_find(struct sp_index_segment *s, const uint8_t id[32],
    bool (*each)(void *arg, const struct sp_index_entry *en), void *arg, struct sp_err *e);
/* All entries in order, read in large pieces: for merging and for check. */
enum sp_code sp_index_segment_each(struct sp_index_segment *s,
    enum sp_code (*each)(void *arg, const struct sp_index_entry *en, struct sp_err *e), void *arg,
    struct sp_err *e);

#endif
