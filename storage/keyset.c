/* Open addressing with linear probing: see keyset.h. */

#include "storage/keyset.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const uint8_t zero[16];

size_t
sp_key_place(const uint64_t seed[2], const uint8_t *key, unsigned bits)
{
    uint64_t h = sp_le64(key) * (seed[0] | 1) + sp_le64(key + 8) * (seed[1] | 1);

    return bits == 0 ? 0 : (size_t)(h >> (64 - bits));
}

static size_t
home(const struct sp_keyset *s, const uint8_t *key)
{
    return sp_key_place(s->seed, key, (unsigned)__builtin_ctzll(s->cap));
}

void
sp_keyset_init(struct sp_keyset *s, const uint64_t seed[2])
{
    memset(s, 0, sizeof(*s));
    memcpy(s->seed, seed, sizeof(s->seed));
}

/* The key's slot, or the empty one where it belongs. There is always an empty one. */
static uint8_t *
slot_of(const struct sp_keyset *s, const uint8_t *key)
{
    size_t i = home(s, key);

    while (memcmp(s->slots[i], zero, 16) != 0 && memcmp(s->slots[i], key, 16) != 0)
        i = (i + 1) & (s->cap - 1);
    return s->slots[i];
}

static enum sp_code
grow(struct sp_keyset *s, struct sp_err *e)
{
    struct sp_keyset more = *s;
    size_t i;

    more.cap = s->cap == 0 ? 64 : s->cap * 2;
    if (more.cap > SIZE_MAX / 16 || (more.slots = calloc(more.cap, 16)) == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < s->cap; i++)
        if (memcmp(s->slots[i], zero, 16) != 0)
            memcpy(slot_of(&more, s->slots[i]), s->slots[i], 16);
    free(s->slots);
    *s = more;
    return SP_OK;
}

enum sp_code
sp_keyset_add(struct sp_keyset *s, const uint8_t *id, bool *ret_new, struct sp_err *e)
{
    uint8_t *slot;
    bool fresh;
    enum sp_code rc;

    if (memcmp(id, zero, 16) == 0) {
        fresh = !s->has_zero;
        s->has_zero = true;
    } else {
        if (s->count >= s->cap / 4 * 3 && (rc = grow(s, e)) != SP_OK)
            return rc;
        slot = slot_of(s, id);
        fresh = memcmp(slot, zero, 16) == 0;
        if (fresh) {
            memcpy(slot, id, 16);
            s->count++;
        }
    }
    if (ret_new != NULL)
        *ret_new = fresh;
    return SP_OK;
}

bool
sp_keyset_has(const struct sp_keyset *s, const uint8_t *id)
{
    if (memcmp(id, zero, 16) == 0)
        return s->has_zero;
    return s->count > 0 && memcmp(slot_of(s, id), zero, 16) != 0;
}

size_t
sp_keyset_count(const struct sp_keyset *s)
{
    return s->count + (s->has_zero ? 1 : 0);
}

enum sp_code
sp_keyset_merge(struct sp_keyset *s, const struct sp_keyset *from, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    s->has_zero = s->has_zero || from->has_zero;
    for (i = 0; i < from->cap; i++)
        if (memcmp(from->slots[i], zero, 16) != 0 &&
            (rc = sp_keyset_add(s, from->slots[i], NULL, e)) != SP_OK)
            return rc;
    return SP_OK;
}

void
sp_keyset_clear(struct sp_keyset *s)
{
    free(s->slots);
    s->slots = NULL;
    s->cap = s->count = 0;
    s->has_zero = false;
}
