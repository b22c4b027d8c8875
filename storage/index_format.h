#ifndef SP_STORAGE_INDEX_FORMAT_H
#define SP_STORAGE_INDEX_FORMAT_H

/* The fixed parts of an index segment (docs/format.md §8), for index_build.c, index_sort.c,
 * index_segment.c and index_find.c. */

#include "base/buf.h"
#include "storage/index.h"

#define INDEX_MAGIC "SPINDEX1"
#define INDEX_HEADER 32
#define INDEX_PACK 96
#define INDEX_NAME 32
#define INDEX_FANOUT (4 * 256)
#define INDEX_LINE 64
#define INDEX_ENTRY 28
#define INDEX_PROBES 6

/* Entries by key, then pack, then offset. */
void sp_index_sort(uint8_t *entries, size_t n);
int sp_index_entry_cmp(const uint8_t *a, const uint8_t *b);

/* The line of a filter of 2^k lines, and bit i within it. */
static inline size_t
sp_index_line(const uint8_t key[SP_INDEX_KEY], unsigned k)
{
    return (size_t)(sp_le32(key + 8) & ((UINT64_C(1) << k) - 1));
}

static inline unsigned
sp_index_bit(const uint8_t key[SP_INDEX_KEY], unsigned i)
{
    return (unsigned)(sp_le64(key) >> (9 * i)) & 511;
}

struct sp_index_segment {
    const struct sp_os *os;
    struct sp_file *file;
    uint8_t name[32];
    uint64_t n;
    uint32_t fanout[256];
    struct sp_index_pack *packs;
    size_t npacks;
    uint8_t *superseded;
    size_t nsuperseded;
    unsigned k;
    uint8_t *filter;     /* NULL: not kept */
    uint64_t entries_at; /* offset in the file */
};

/* Reads n bytes, all of them. */
enum sp_code
sp_index_read(struct sp_index_segment *s, uint64_t offset, void *to, size_t n, struct sp_err *e);

#endif
