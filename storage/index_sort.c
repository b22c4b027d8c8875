/* Sorting entries in place: keys are uniform (they are hashes), so a radix sort by their first
 * bytes leaves almost nothing to compare. American flag sort: McIlroy, Bostic, McIlroy,
 * "Engineering Radix Sort", Computing Systems 6(1), 1993. */

#include <stdlib.h>
#include <string.h>

#include "storage/index_format.h"

#define FEW 24

int
sp_index_entry_cmp(const uint8_t *a, const uint8_t *b)
{
    int order = memcmp(a, b, SP_INDEX_KEY);

    for (size_t at = SP_INDEX_KEY; order == 0 && at < SP_INDEX_KEY + 8; at += 4) {
        uint32_t x = sp_le32(a + at), y = sp_le32(b + at);

        order = x < y ? -1 : x > y;
    }
    return order;
}

static int
compare(const void *a, const void *b)
{
    return sp_index_entry_cmp(a, b);
}

static void
insertion_sort(uint8_t *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint8_t entry[INDEX_ENTRY];
        size_t at = i;

        memcpy(entry, p + i * INDEX_ENTRY, INDEX_ENTRY);
        while (at > 0 && sp_index_entry_cmp(p + (at - 1) * INDEX_ENTRY, entry) > 0)
            at--;
        memmove(p + (at + 1) * INDEX_ENTRY, p + at * INDEX_ENTRY, (i - at) * INDEX_ENTRY);
        memcpy(p + at * INDEX_ENTRY, entry, INDEX_ENTRY);
    }
}

static void
swap(uint8_t *a, uint8_t *b)
{
    uint8_t entry[INDEX_ENTRY];

    memcpy(entry, a, INDEX_ENTRY);
    memcpy(a, b, INDEX_ENTRY);
    memcpy(b, entry, INDEX_ENTRY);
}

/* Entries that agree in their first `depth` bytes. */
static void
sort(uint8_t *p, size_t n, size_t depth)
{
    size_t next[256] = {0}, end[256], at = 0;

    if (n <= FEW) {
        insertion_sort(p, n);
        return;
    }
    if (depth == SP_INDEX_KEY) { /* many copies of one chunk */
        qsort(p, n, INDEX_ENTRY, compare);
        return;
    }
    for (size_t i = 0; i < n; i++)
        next[p[i * INDEX_ENTRY + depth]]++;
    for (size_t b = 0; b < 256; b++) {
        end[b] = at + next[b];
        next[b] = at;
        at = end[b];
    }
    for (size_t b = 0; b < 256; b++)
        while (next[b] < end[b]) {
            uint8_t *entry = p + next[b] * INDEX_ENTRY;
            size_t belongs = entry[depth];

            if (belongs != b)
                swap(entry, p + next[belongs] * INDEX_ENTRY);
            next[belongs]++;
        }
    for (size_t b = 0, begin = 0; b < 256; begin = end[b++])
        if (end[b] - begin > 1)
            sort(p + begin * INDEX_ENTRY, end[b] - begin, depth + 1);
}

void
sp_index_sort(uint8_t *entries, size_t n)
{
    sort(entries, n, 0);
}
