#include "base/runs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/runs_internal.h"

/* Records are gathered in an arena; a full arena is sorted and written as one run. All runs of a
 * pass lie one behind the other in one file, in the order in which they were gathered, so that ties
 * are settled by the run's place. While there are more runs than can be merged at once, neighbours
 * are merged into a second file. What fits into memory never touches the disk. */

#define FIRST_ARENA (64u << 10)

union slot { /* offset into the arena while it may move, address once it is sorted */
    size_t offset;
    const uint8_t *p;
};

struct sp_runs {
    const struct sp_env *env;
    char *folder;
    size_t memory;

    uint8_t *arena;
    size_t used, cap;
    union slot *slots;
    size_t nslots, slots_cap, next_slot;
    uint64_t count;

    struct sp_spill *spill; /* NULL: nothing was written so far */
    struct sp_merge *merge; /* the last pass, read by sp_runs_next */
    bool sorted;
};

enum sp_code
sp_runs_new(const struct sp_env *env, const char *folder, size_t memory, struct sp_runs **ret,
    struct sp_err *e)
{
    struct sp_runs *r = calloc(1, sizeof *r);

    if (r == NULL || (r->folder = strdup(folder)) == NULL) {
        free(r);
        return sp_fail_nomem(e);
    }
    r->env = env;
    r->memory = memory;
    *ret = r;
    return SP_OK;
}

static void
free_arena(struct sp_runs *r)
{
    free(r->arena);
    free(r->slots);
    r->arena = NULL;
    r->slots = NULL;
    r->used = r->cap = r->nslots = r->slots_cap = 0;
}

void
sp_runs_free(struct sp_runs *r)
{
    if (r == NULL)
        return;
    sp_merge_free(r->merge);
    sp_spill_free(r->spill);
    free_arena(r);
    free(r->folder);
    free(r);
}

uint64_t
sp_runs_count(const struct sp_runs *r)
{
    return r->count;
}

static int
slot_cmp(const void *a, const void *b)
{
    const uint8_t *x = ((const union slot *)a)->p, *y = ((const union slot *)b)->p;
    int d = sp_key_cmp(x + SP_RUN_HEAD, sp_le32(x), y + SP_RUN_HEAD, sp_le32(y));

    /* Addresses rise in the order of adding: qsort need not be stable. */
    return d != 0 ? d : (x > y) - (x < y);
}

static void
sort_arena(struct sp_runs *r)
{
    for (size_t i = 0; i < r->nslots; i++)
        r->slots[i].p = r->arena + r->slots[i].offset;
    if (r->nslots > 1)
        qsort(r->slots, r->nslots, sizeof r->slots[0], slot_cmp);
}

static size_t
record_size(const uint8_t *p)
{
    return SP_RUN_HEAD + (size_t)sp_le32(p) + sp_le32(p + 4);
}

static enum sp_code
write_run(struct sp_runs *r, struct sp_err *e)
{
    enum sp_code rc;

    if (r->spill == NULL &&
        (rc = sp_spill_new(r->env, r->folder, r->memory / 4, &r->spill, e)) != SP_OK)
        return rc;
    sort_arena(r);
    for (size_t i = 0; i < r->nslots; i++) {
        const uint8_t *p = r->slots[i].p;

        if ((rc = sp_spill_put(r->spill, p, record_size(p), e)) != SP_OK)
            return rc;
    }
    if ((rc = sp_spill_end_run(r->spill, e)) != SP_OK)
        return rc;
    r->used = r->nslots = 0;
    return SP_OK;
}

/* Twice as much, up to `max`, but at least `need`. */
static size_t
larger(size_t cap, size_t need, size_t max)
{
    size_t want = cap * 2;

    if (want > max)
        want = max;
    return want < need ? need : want;
}

static enum sp_code
make_room(struct sp_runs *r, size_t n, size_t arena_max, size_t slots_max, struct sp_err *e)
{
    if (r->used + n > r->cap) {
        size_t need = r->used + n, cap;
        uint8_t *p;

        if (need < FIRST_ARENA && FIRST_ARENA <= arena_max)
            need = FIRST_ARENA;
        cap = larger(r->cap, need, arena_max);
        if ((p = realloc(r->arena, cap)) == NULL)
            return sp_fail_nomem(e);
        r->arena = p;
        r->cap = cap;
    }
    if (r->nslots == r->slots_cap) {
        size_t cap = larger(r->slots_cap, r->nslots + 16, slots_max);
        union slot *p = realloc(r->slots, cap * sizeof *p);

        if (p == NULL)
            return sp_fail_nomem(e);
        r->slots = p;
        r->slots_cap = cap;
    }
    return SP_OK;
}

enum sp_code
sp_runs_add(struct sp_runs *r, const void *key, size_t key_n, const void *value, size_t value_n,
    struct sp_err *e)
{
    /* A quarter of the memory is for the slots and what qsort takes for itself. */
    size_t arena_max = r->memory - r->memory / 4;
    size_t slots_max = r->memory / 4 / (2 * sizeof(union slot));
    size_t n;
    enum sp_code rc;

    if (r->sorted)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a record is added after sorting");
    if (key_n > SP_RUN_MAX || value_n > SP_RUN_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a record to be sorted is too long");
    n = SP_RUN_HEAD + key_n + value_n;
    if (r->nslots > 0 && (r->used + n > arena_max || r->nslots >= slots_max) &&
        (rc = write_run(r, e)) != SP_OK)
        return rc;
    if ((rc = make_room(r, n, arena_max, slots_max, e)) != SP_OK)
        return rc;
    sp_store_le32(r->arena + r->used, (uint32_t)key_n);
    sp_store_le32(r->arena + r->used + 4, (uint32_t)value_n);
    if (key_n > 0)
        memcpy(r->arena + r->used + SP_RUN_HEAD, key, key_n);
    if (value_n > 0)
        memcpy(r->arena + r->used + SP_RUN_HEAD + key_n, value, value_n);
    r->slots[r->nslots++].offset = r->used;
    r->used += n;
    r->count++;
    return SP_OK;
}

enum sp_code
sp_runs_sort(struct sp_runs *r, struct sp_err *e)
{
    enum sp_code rc;

    if (r->sorted)
        return SP_OK;
    if (r->spill == NULL) {
        sort_arena(r);
        r->sorted = true;
        return SP_OK;
    }
    if (r->nslots > 0 && (rc = write_run(r, e)) != SP_OK)
        return rc;
    free_arena(r);
    if ((rc = sp_merge_reduce(&r->spill, r->env, r->folder, r->memory, e)) != SP_OK)
        return rc;
    if ((rc = sp_merge_new(r->spill, 0, sp_spill_runs(r->spill), r->memory, &r->merge, e)) != SP_OK)
        return rc;
    r->sorted = true;
    return SP_OK;
}

enum sp_code
sp_runs_next(struct sp_runs *r, const void **ret_key, size_t *ret_key_n, const void **ret_value,
    size_t *ret_value_n, bool *ret_more, struct sp_err *e)
{
    const uint8_t *p = NULL;
    enum sp_code rc;

    if (!r->sorted)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a record is asked for before sorting");
    if (r->merge != NULL) {
        if ((rc = sp_merge_next(r->merge, &p, e)) != SP_OK)
            return rc;
    } else if (r->next_slot < r->nslots) {
        p = r->slots[r->next_slot++].p;
    }
    *ret_more = p != NULL;
    if (p != NULL) {
        *ret_key = p + SP_RUN_HEAD;
        *ret_key_n = sp_le32(p);
        *ret_value = p + SP_RUN_HEAD + *ret_key_n;
        *ret_value_n = sp_le32(p + 4);
    }
    return SP_OK;
}
