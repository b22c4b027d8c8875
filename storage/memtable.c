/* Entries in an array, chained from a hash table: see memtable.h. */

#include "storage/memtable.h"

#include <stdlib.h>
#include <string.h>

#include "storage/keyset.h"

struct sp_memtable {
    struct sp_index_entry *entries;
    uint32_t *next; /* the entry before with the same place, + 1 */
    size_t count, cap;
    uint32_t *table; /* newest entry of each place, + 1; 2^bits of them */
    unsigned bits;
    uint64_t seed[2];
};

enum sp_code
sp_memtable_new(const uint64_t seed[2], struct sp_memtable **ret, struct sp_err *e)
{
    struct sp_memtable *m = calloc(1, sizeof(*m));

    if (m == NULL)
        return sp_fail_nomem(e);
    memcpy(m->seed, seed, sizeof(m->seed));
    *ret = m;
    return SP_OK;
}

void
sp_memtable_free(struct sp_memtable *m)
{
    if (m == NULL)
        return;
    free(m->entries);
    free(m->next);
    free(m->table);
    free(m);
}

size_t
sp_memtable_count(const struct sp_memtable *m)
{
    return m->count;
}

static void
chain(struct sp_memtable *m, size_t i)
{
    uint32_t *head = &m->table[sp_key_place(m->seed, m->entries[i].key, m->bits)];

    m->next[i] = *head;
    *head = (uint32_t)i + 1;
}

enum sp_code
sp_memtable_reserve(struct sp_memtable *m, size_t n, struct sp_err *e)
{
    struct sp_index_entry *entries;
    uint32_t *next, *table;
    size_t cap = m->cap == 0 ? 1024 : m->cap, i;

    if (n > UINT32_MAX / 2 - m->count)
        return sp_fail_nomem(e);
    if (m->count + n <= m->cap)
        return SP_OK;
    while (cap < m->count + n)
        cap *= 2;
    if ((entries = realloc(m->entries, cap * sizeof(*entries))) == NULL)
        return sp_fail_nomem(e);
    m->entries = entries;
    if ((next = realloc(m->next, cap * sizeof(*next))) == NULL)
        return sp_fail_nomem(e);
    m->next = next;
    if ((table = calloc(cap, sizeof(*table))) == NULL)
        return sp_fail_nomem(e);
    free(m->table);
    m->table = table;
    m->cap = cap;
    m->bits = (unsigned)__builtin_ctzll(cap);
    for (i = 0; i < m->count; i++)
        chain(m, i);
    return SP_OK;
}

void
sp_memtable_add(
    struct sp_memtable *m, const uint8_t *id, uint32_t pack, uint32_t offset, uint32_t length)
{
    struct sp_index_entry *en = &m->entries[m->count];

    memcpy(en->key, id, SP_INDEX_KEY);
    en->pack = pack;
    en->offset = offset;
    en->length = length;
    chain(m, m->count++);
}

bool
sp_memtable_find(const struct sp_memtable *m, const uint8_t *id,
    bool (*each)(void *arg, const struct sp_index_entry *en), void *arg)
{
    uint32_t at;

    if (m->count == 0)
        return true;
    for (at = m->table[sp_key_place(m->seed, id, m->bits)]; at != 0; at = m->next[at - 1])
        if (memcmp(m->entries[at - 1].key, id, SP_INDEX_KEY) == 0 &&
            !each(arg, &m->entries[at - 1]))
            return false;
    return true;
}

const struct sp_index_entry *
sp_memtable_at(const struct sp_memtable *m, size_t i)
{
    return &m->entries[i];
}
