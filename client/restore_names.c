#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "client/restore_run.h"

/* The names restored into one folder of a target where names that differ in case only are one (FAT,
 * exFAT, NTFS, SMB, ext4's casefold): 64 bits of a hash of each folded name. What folds here covers
 * the scripts that have case and are in use; for the rest, names are given without replacing. */

struct nameset {
    uint64_t *slots; /* 0: free */
    size_t n, cap;
};

void
nameset_free(struct nameset *s)
{
    if (s == NULL)
        return;
    free(s->slots);
    free(s);
}

static uint64_t
hash(const char *name, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    while (n > 0) {
        h = (h ^ sp_fold_next(&name, &n)) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
    }
    return h != 0 ? h : 1;
}

static bool
insert(struct nameset *s, uint64_t h)
{
    size_t i = (size_t)h & (s->cap - 1);

    for (; s->slots[i] != 0; i = (i + 1) & (s->cap - 1))
        if (s->slots[i] == h)
            return false;
    s->slots[i] = h;
    s->n++;
    return true;
}

static bool
grow(struct nameset *s)
{
    struct nameset bigger = {.cap = s->cap == 0 ? 64 : s->cap * 2};

    if ((bigger.slots = calloc(bigger.cap, sizeof *bigger.slots)) == NULL)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i] != 0)
            (void)insert(&bigger, s->slots[i]);
    free(s->slots);
    *s = bigger;
    return true;
}

enum sp_code
folder_claim(struct folder *f, const char *name, size_t n, bool *ret, struct sp_err *e)
{
    *ret = true;
    if (f->dir == NULL || !sp_target_folds(f->dir))
        return SP_OK;
    if (f->names == NULL && (f->names = calloc(1, sizeof *f->names)) == NULL)
        return sp_fail_nomem(e);
    if (f->names->n * 2 >= f->names->cap && !grow(f->names))
        return sp_fail_nomem(e);
    *ret = insert(f->names, hash(name, n));
    return SP_OK;
}
