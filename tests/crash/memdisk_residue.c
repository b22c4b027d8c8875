/* What a cut leaves: the table in memdisk.h, by which every choice here is allowed. */

#include "memdisk_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct left {
    const struct memdisk *from;
    struct memdisk *to;
    uint64_t residue, state, print;
    unsigned odds;    /* of 8: how likely the newer of two is taken */
    uint64_t upto;    /* `ordered`: operations on names that happened */
    uint32_t *became; /* by inode of `from`: that of `to`; 0: not yet met */
};

static uint64_t
draw(struct left *l, uint64_t below)
{
    uint64_t z = l->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void
chosen(struct left *l, uint64_t what)
{
    for (int i = 0; i < 8; i++)
        l->print = (l->print ^ ((what >> (8 * i)) & 0xff)) * UINT64_C(0x100000001b3);
}

/* --- bytes ---------------------------------------------------------------------------------------
 */

enum style { KEEP_OLD, KEEP_NEW, KEEP_HOLES, KEEP_BEGINNING, KEEP_PAGES, STYLES };

static enum style
style_of(struct left *l)
{
    switch (l->residue) {
    case MEMDISK_LEAST:
    case MEMDISK_EMPTY:
        return KEEP_OLD;
    case MEMDISK_HOLES:
        return KEEP_HOLES;
    case MEMDISK_MOST:
    case MEMDISK_FEWEST_NAMES:
    case MEMDISK_MOST_NAMES:
        return KEEP_NEW;
    default:
        return (enum style)draw(l, STYLES);
    }
}

/* Some of the pages that differ did not arrive: they are as they were, or zero, or what was there
 * before the blocks belonged to this file. */
static void
lose_pages(struct left *l, struct blob **b, const struct blob *old, bool all)
{
    bool strange = !all && memdisk_posix(l->from) && draw(l, 4) == 0;

    for (size_t at = 0; at < (*b)->n; at += PAGE) {
        size_t n = (*b)->n - at < PAGE ? (*b)->n - at : PAGE;
        size_t known = at >= old->n ? 0 : old->n - at < n ? old->n - at : n;

        if (known == n && memcmp((*b)->p + at, old->p + at, n) == 0)
            continue;
        if (!all && draw(l, 8) < l->odds)
            continue;
        chosen(l, at + 1);
        blob_own(b, 0);
        if (known > 0)
            memcpy((*b)->p + at, old->p + at, known);
        memset((*b)->p + at + known, strange ? 0x5a : 0, n - known);
    }
}

static struct blob *
bytes_left(struct left *l, const struct inode *f)
{
    const struct blob *old = f->durable;
    struct blob *b;
    enum style style;
    size_t n;

    if (f->durable == f->data || (old->n == f->data->n && memcmp(old->p, f->data->p, old->n) == 0))
        return blob_ref(f->data);
    style = style_of(l);
    chosen(l, f->id);
    chosen(l, style);
    if (style == KEEP_OLD)
        return blob_ref(f->durable);
    b = blob_ref(f->data);
    if (style == KEEP_BEGINNING && f->data->n > old->n) {
        n = (size_t)draw(l, f->data->n - old->n + 1);
        if (draw(l, 2) == 0)
            n = n / PAGE * PAGE; /* whole blocks, more often than not */
        chosen(l, n);
        blob_unref(b);
        b = blob_new(f->data->p, old->n + n);
    }
    if (style == KEEP_HOLES || style == KEEP_PAGES)
        lose_pages(l, &b, old, style == KEEP_HOLES);
    return b;
}

/* --- names ---------------------------------------------------------------------------------------
 */

static uint32_t
by_order(const struct left *l, const struct slot *s)
{
    size_t i = s->n - 1;

    while (i > 0 && s->values[i].seq > l->upto)
        i--;
    return s->values[i].inode;
}

static size_t
free_choice(struct left *l, const struct slot *s)
{
    size_t i;

    switch (l->residue) {
    case MEMDISK_LEAST:
        return 0;
    case MEMDISK_MOST:
    case MEMDISK_EMPTY:
    case MEMDISK_HOLES:
        return s->n - 1;
    case MEMDISK_FEWEST_NAMES:
        for (i = s->n - 1; i > 0 && s->values[i].inode != 0; i--)
            continue;
        return s->values[i].inode == 0 ? i : s->n - 1;
    case MEMDISK_MOST_NAMES:
        for (i = s->n - 1; i > 0 && s->values[i].inode == 0; i--)
            continue;
        return i;
    default:
        return draw(l, 8) < l->odds ? s->n - 1 : (size_t)draw(l, s->n);
    }
}

/* The inode that the name leads to; 0: none. */
static uint32_t
name_left(struct left *l, const struct inode *folder, size_t slot)
{
    const struct slot *s = &folder->slots[slot];
    size_t i;

    if (!memdisk_posix(l->from))
        return by_order(l, s);
    if (s->n == 1)
        return s->values[0].inode;
    i = free_choice(l, s);
    chosen(l, (uint64_t)folder->id << 32 | slot);
    chosen(l, s->values[i].inode);
    return s->values[i].inode;
}

static void
put(struct inode *folder, const char *name, uint32_t inode)
{
    struct slot *s;

    memdisk_enter(folder, name, 0, inode);
    /* Names come in order: it is the last one. */
    s = &folder->slots[folder->nslots - 1];
    s->values[0] = s->values[s->n - 1];
    s->n = 1;
}

static void
folder_left(struct left *l, const struct inode *from, struct inode *to)
{
    for (size_t i = 0; i < from->nslots; i++) {
        uint32_t id = name_left(l, from, i);
        const struct inode *f;
        struct inode *child;

        if (id == 0)
            continue;
        f = l->from->inodes[id];
        if (f->folder && l->became[id] != 0)
            continue; /* a moved folder is under one name: fsck takes the second away */
        if (l->became[id] == 0) {
            child = memdisk_inode(l->to, f->folder);
            l->became[id] = child->id;
            child->mtime_ns = f->mtime_ns;
            if (f->folder) {
                child->parent = to->id;
                folder_left(l, f, child);
            } else {
                blob_unref(child->data);
                blob_unref(child->durable);
                child->data = bytes_left(l, f);
                child->durable = blob_ref(child->data);
            }
        }
        put(to, from->slots[i].name, l->became[id]);
    }
}

static void
choose_order(struct left *l)
{
    uint64_t open = l->from->seq - l->from->committed;

    switch (l->residue) {
    case MEMDISK_LEAST:
    case MEMDISK_FEWEST_NAMES:
        l->upto = l->from->committed;
        break;
    case MEMDISK_MOST:
    case MEMDISK_EMPTY:
    case MEMDISK_HOLES:
    case MEMDISK_MOST_NAMES:
        l->upto = l->from->seq;
        break;
    default:
        l->upto = l->from->committed + draw(l, open + 1);
    }
    if (!memdisk_posix(l->from))
        chosen(l, l->upto);
}

struct memdisk *
memdisk_survive(const struct memdisk *d, uint64_t residue, uint64_t *ret_print)
{
    static const unsigned odds[] = {1, 4, 7};
    struct left l = {.from = d,
        .residue = residue,
        .state = residue * UINT64_C(0xd1342543de82ef95) + d->nops,
        .print = UINT64_C(0xcbf29ce484222325)};

    l.odds = odds[draw(&l, 3)];
    l.to = memdisk_blank(d->mode);
    l.to->now_ns = d->now_ns + 60 * SP_SECOND;
    l.became = memdisk_need(calloc(d->ninodes, sizeof(uint32_t)));
    l.became[1] = 1;
    choose_order(&l);
    folder_left(&l, d->inodes[1], l.to->inodes[1]);
    free(l.became);
    l.to->start = memdisk_copy(l.to);
    if (ret_print != NULL)
        *ret_print = l.print;
    return l.to;
}
