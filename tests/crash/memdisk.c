/* Files and folders in memory, errno for errno those of Linux; what of them is durable. See
 * memdisk.h. */

#include "memdisk_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define NAME_LONGEST 255
#define PATH_LONGEST 4096
#define BEGIN_NS (INT64_C(1790000000) * SP_SECOND)

/* --- bytes ---------------------------------------------------------------------------------------
 */

void *
memdisk_need(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

struct blob *
blob_ref(struct blob *b)
{
    if (b != NULL)
        b->refs++;
    return b;
}

void
blob_unref(struct blob *b)
{
    if (b != NULL && --b->refs == 0) {
        free(b->p);
        free(b);
    }
}

struct blob *
blob_new(const void *p, size_t n)
{
    struct blob *b = memdisk_need(calloc(1, sizeof(*b)));

    b->refs = 1;
    b->n = b->cap = n;
    b->p = memdisk_need(malloc(n + 1));
    if (p != NULL && n > 0)
        memcpy(b->p, p, n);
    else
        memset(b->p, 0, n);
    return b;
}

void
blob_own(struct blob **at, size_t n)
{
    struct blob *b = *at;

    if (b->refs > 1) {
        *at = blob_new(b->p, b->n);
        blob_unref(b);
        b = *at;
    }
    b->number = 0;
    if (n <= b->n)
        return;
    if (n > b->cap) {
        b->cap = n > b->cap * 2 ? n : b->cap * 2;
        b->p = memdisk_need(realloc(b->p, b->cap + 1));
    }
    memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

/* --- inodes and names ----------------------------------------------------------------------------
 */

bool
memdisk_posix(const struct memdisk *d)
{
    return d->mode != MEMDISK_ORDERED;
}

struct inode *
memdisk_inode(struct memdisk *d, bool folder)
{
    struct inode *f = memdisk_need(calloc(1, sizeof(*f)));

    if (d->ninodes == d->inodes_cap) {
        d->inodes_cap = d->inodes_cap * 2 + 64;
        d->inodes = memdisk_need(realloc(d->inodes, d->inodes_cap * sizeof(struct inode *)));
    }
    f->id = (uint32_t)d->ninodes;
    f->folder = folder;
    f->mtime_ns = d->now_ns;
    if (!folder) {
        f->data = blob_new(NULL, 0);
        f->durable = blob_ref(f->data);
    }
    d->inodes[d->ninodes++] = f;
    return f;
}

struct memdisk *
memdisk_blank(enum memdisk_mode mode)
{
    struct memdisk *d = memdisk_need(calloc(1, sizeof(*d)));

    d->mode = mode;
    d->now_ns = BEGIN_NS;
    d->cut_at = d->fail_at = SIZE_MAX;
    sp_mutex_init(&d->lock);
    d->inodes_cap = 64;
    d->inodes = memdisk_need(calloc(d->inodes_cap, sizeof(struct inode *)));
    d->ninodes = 1;
    (void)memdisk_inode(d, true);
    d->inodes[1]->parent = 1;
    return d;
}

static size_t
place(const struct inode *folder, const char *name, bool *ret_there)
{
    size_t lo = 0, hi = folder->nslots;

    *ret_there = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(folder->slots[mid].name, name);

        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct inode *
seen(const struct memdisk *d, const struct inode *folder, const char *name)
{
    bool there;
    size_t at = place(folder, name, &there);
    const struct slot *s = &folder->slots[at];

    return there ? d->inodes[s->values[s->n - 1].inode] : NULL;
}

void
memdisk_enter(struct inode *folder, const char *name, uint64_t seq, uint32_t inode)
{
    bool there;
    size_t at = place(folder, name, &there);
    struct slot *s;

    if (!there) {
        if (folder->nslots == folder->cap) {
            folder->cap = folder->cap * 2 + 8;
            folder->slots = memdisk_need(realloc(folder->slots, folder->cap * sizeof(struct slot)));
        }
        s = folder->slots + at;
        memmove(s + 1, s, (folder->nslots - at) * sizeof(*s));
        folder->nslots++;
        *s = (struct slot){.name = memdisk_need(strdup(name))};
        s->values = memdisk_need(malloc(sizeof(struct value)));
        s->values[s->n++] = (struct value){0, 0};
    }
    s = folder->slots + at;
    s->values = memdisk_need(realloc(s->values, (s->n + 1) * sizeof(struct value)));
    s->values[s->n++] = (struct value){seq, inode};
    s->lost = false;
}

static bool
empty(const struct inode *folder)
{
    for (size_t i = 0; i < folder->nslots; i++)
        if (folder->slots[i].values[folder->slots[i].n - 1].inode != 0)
            return false;
    return true;
}

/* --- paths ---------------------------------------------------------------------------------------
 */

struct spot { /* where a path leads: the folder that holds the last name, and that name */
    struct inode *folder;
    char name[NAME_LONGEST + 2]; /* "" for the root itself */
    bool too_long;
};

/* errno, or 0. Goes to the folder that holds the last name, as the kernel does: that name is looked
 * at later. */
static int
walk(const struct memdisk *d, const char *path, struct spot *ret)
{
    const char *p = path;

    if (*p != '/' || strlen(path) >= PATH_LONGEST)
        return *p == '/' ? ENAMETOOLONG : ENOENT;
    *ret = (struct spot){.folder = d->inodes[1]};
    for (;;) {
        size_t n;

        while (*p == '/')
            p++;
        if (*p == '\0')
            return 0;
        if (ret->name[0] != '\0') {
            struct inode *next = ret->too_long ? NULL : seen(d, ret->folder, ret->name);

            if (next == NULL)
                return ret->too_long ? ENAMETOOLONG : ENOENT;
            if (!next->folder)
                return ENOTDIR;
            ret->folder = next;
        }
        n = strcspn(p, "/");
        ret->too_long = n > NAME_LONGEST;
        (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(n > 255 ? 255 : n), p);
        p += n;
    }
}

/* errno, or 0 with *ret NULL when only the last name leads to nothing. */
static int
find(const struct memdisk *d, const char *path, struct spot *spot, struct inode **ret)
{
    int number = walk(d, path, spot);

    if (number != 0)
        return number;
    if (spot->too_long)
        return ENAMETOOLONG;
    *ret = spot->name[0] == '\0' ? spot->folder : seen(d, spot->folder, spot->name);
    return 0;
}

int
memdisk_find(const struct memdisk *d, const char *path, struct inode **ret)
{
    struct spot spot;
    int number = find(d, path, &spot, ret);

    return number != 0 ? number : *ret == NULL ? ENOENT : 0;
}

/* --- changing ------------------------------------------------------------------------------------
 */

static void
touch(struct memdisk *d, struct inode *f)
{
    f->seq = d->seq;
    f->mtime_ns = d->now_ns += 1000;
}

static void
enter(struct memdisk *d, struct spot *s, uint32_t inode)
{
    memdisk_enter(s->folder, s->name, d->seq, inode);
    touch(d, s->folder);
}

int
memdisk_do_create(struct memdisk *d, const char *path, struct inode **ret)
{
    struct spot s;
    struct inode *f = NULL;
    int number = find(d, path, &s, &f);

    if (number != 0 || f != NULL)
        return number != 0 ? number : EEXIST;
    d->seq++;
    f = memdisk_inode(d, false);
    touch(d, f);
    enter(d, &s, f->id);
    *ret = f;
    return 0;
}

int
memdisk_do_mkdir(struct memdisk *d, const char *path)
{
    struct spot s;
    struct inode *f = NULL;
    int number = find(d, path, &s, &f);

    if (number != 0 || f != NULL)
        return number != 0 ? number : EEXIST;
    d->seq++;
    f = memdisk_inode(d, true);
    f->parent = s.folder->id;
    touch(d, f);
    enter(d, &s, f->id);
    return 0;
}

int
memdisk_do_remove(struct memdisk *d, const char *path, bool folder)
{
    struct spot s;
    struct inode *f = NULL;
    int number = find(d, path, &s, &f);

    if (number != 0)
        return number;
    if (s.name[0] == '\0')
        return folder ? EBUSY : EISDIR;
    if (f == NULL)
        return ENOENT;
    if (f->folder != folder)
        return folder ? ENOTDIR : EISDIR;
    if (folder && !empty(f))
        return ENOTEMPTY;
    d->seq++;
    f->seq = d->seq;
    enter(d, &s, 0);
    return 0;
}

/* Whether `above` is `f` or holds it. */
static bool
within(const struct memdisk *d, const struct inode *f, const struct inode *above)
{
    for (;; f = d->inodes[f->parent]) {
        if (f == above)
            return true;
        if (f->parent == f->id)
            return false;
    }
}

/* What the kernel refuses, in its order. */
static int
may_rename(const struct memdisk *d, const struct spot *a, const struct inode *from,
    const struct spot *b, const struct inode *to, bool exclusive)
{
    if (from == NULL)
        return ENOENT;
    if (exclusive && to != NULL)
        return EEXIST;
    if (from->folder && within(d, b->folder, from))
        return EINVAL;
    if (to != NULL && to->folder && within(d, a->folder, to))
        return ENOTEMPTY;
    if (to == NULL || to == from)
        return 0;
    if (from->folder != to->folder)
        return from->folder ? ENOTDIR : EISDIR;
    return to->folder && !empty(to) ? ENOTEMPTY : 0;
}

int
memdisk_do_rename(struct memdisk *d, const char *from, const char *to, bool exclusive)
{
    struct spot a, b;
    struct inode *f = NULL, *g = NULL;
    int number;

    if ((number = walk(d, from, &a)) != 0 || (number = walk(d, to, &b)) != 0)
        return number;
    if (a.name[0] == '\0' || b.name[0] == '\0')
        return EBUSY;
    if ((number = find(d, from, &a, &f)) != 0)
        return number;
    if (f == NULL)
        return ENOENT;
    if ((number = find(d, to, &b, &g)) != 0)
        return number;
    if ((number = may_rename(d, &a, f, &b, g, exclusive)) != 0 || f == g)
        return number;
    d->seq++;
    enter(d, &a, 0);
    enter(d, &b, f->id);
    f->seq = d->seq;
    if (g != NULL)
        g->seq = d->seq;
    if (f->folder)
        f->parent = b.folder->id;
    return 0;
}

void
memdisk_do_write(struct memdisk *d, struct inode *f, uint64_t at, const void *p, size_t n)
{
    if (n == 0)
        return;
    blob_own(&f->data, (size_t)at + n);
    memcpy(f->data->p + at, p, n);
    touch(d, f);
}

/* --- flushing ------------------------------------------------------------------------------------
 */

static void
keep_last(struct inode *folder)
{
    size_t kept = 0;

    for (size_t i = 0; i < folder->nslots; i++) {
        struct slot *s = &folder->slots[i];

        if (!s->lost) {
            s->values[0] = s->values[s->n - 1];
            s->n = 1;
        }
        if (s->n == 1 && s->values[0].inode == 0) {
            free(s->name);
            free(s->values);
        } else {
            folder->slots[kept++] = *s;
        }
    }
    folder->nslots = kept;
}

static void
commit(struct memdisk *d, const struct inode *f)
{
    if (f->seq > d->committed)
        d->committed = f->seq;
}

int
memdisk_do_sync(struct memdisk *d, struct inode *f, int fault)
{
    if (d->mode == MEMDISK_NO_FLUSH)
        return EINVAL;
    if (fault != 0) {
        f->lost = true;
        return fault;
    }
    if (!f->lost) {
        blob_unref(f->durable);
        f->durable = blob_ref(f->data);
    }
    commit(d, f);
    return 0;
}

int
memdisk_do_sync_dir(struct memdisk *d, const char *path, int fault)
{
    struct inode *f = NULL;
    int number = memdisk_find(d, path, &f);

    if (number != 0 || !f->folder)
        return number != 0 ? number : ENOTDIR;
    if (d->mode >= MEMDISK_NO_FOLDER_FLUSH)
        return EINVAL;
    if (fault != 0) {
        d->frozen = !memdisk_posix(d);
        for (size_t i = 0; i < f->nslots; i++)
            f->slots[i].lost |= f->slots[i].n > 1;
        return fault;
    }
    commit(d, f);
    if (memdisk_posix(d))
        keep_last(f);
    return 0;
}

void
memdisk_do_settle(struct memdisk *d)
{
    for (size_t i = 1; i < d->ninodes; i++) {
        struct inode *f = d->inodes[i];

        if (f->folder) {
            for (size_t k = 0; k < f->nslots; k++)
                f->slots[k].lost = false;
            keep_last(f);
        } else {
            blob_unref(f->durable);
            f->durable = blob_ref(f->data);
        }
    }
    d->committed = d->seq;
}
