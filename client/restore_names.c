#include <stdlib.h>
#include <string.h>

#include "base/utf.h"
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

static uint32_t
fold(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7))
        return c + 0x20;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x1e00 && c <= 0x1eff) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f))
        return c | 1; /* pairs: capital even, small odd */
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) || (c >= 0x4c1 && c <= 0x4ce))
        return c + (c & 1); /* pairs: capital odd, small even */
    if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40f)
        return c + 0x50;
    if (c >= 0x531 && c <= 0x556)
        return c + 0x30;
    return c;
}

static uint64_t
hash(const char *name, size_t n)
{
    const uint8_t *p = (const uint8_t *)name;
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    while (n > 0) {
        uint32_t c = 0;
        size_t len = sp_utf8_next(p, n, true, &c);

        if (len == 0) {
            c = 0x110000u + p[0];
            len = 1;
        }
        h = (h ^ fold(c)) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
        p += len;
        n -= len;
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
    if (!sp_target_folds(f->r->target))
        return SP_OK;
    if (f->names == NULL && (f->names = calloc(1, sizeof *f->names)) == NULL)
        return sp_fail_nomem(e);
    if (f->names->n * 2 >= f->names->cap && !grow(f->names))
        return sp_fail_nomem(e);
    *ret = insert(f->names, hash(name, n));
    return SP_OK;
}
