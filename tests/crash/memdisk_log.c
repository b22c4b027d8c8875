/* The log of a disk, and disks made by stepping through it. See memdisk.h. */

#include "memdisk_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"create", "write", "sync", "publish", "replace", "remove",
    "mkdir", "rmdir", "sync_dir", "settle"};

const char *
memdisk_mode_of(const struct memdisk *d)
{
    static const char *const names[] = {"ordered", "posix", "no_folder_flush", "no_flush"};

    return names[d->mode];
}

struct op *
memdisk_note(struct memdisk *d, enum op_kind kind, const char *path, const char *other)
{
    struct op *op;

    if (d->nops == d->ops_cap) {
        d->ops_cap = d->ops_cap * 2 + 64;
        d->ops = memdisk_need(realloc(d->ops, d->ops_cap * sizeof(*op)));
    }
    op = &d->ops[d->nops++];
    *op = (struct op){.kind = kind};
    if (path != NULL)
        op->path = memdisk_need(strdup(path));
    if (other != NULL)
        op->other = memdisk_need(strdup(other));
    if (asprintf(&op->text, "%s%s%s%s%s", words[kind], other != NULL ? " " : "",
            other != NULL ? other : "", path != NULL ? " " : "", path != NULL ? path : "") < 0)
        abort();
    return op;
}

/* --- copies --------------------------------------------------------------------------------------
 */

static struct inode *
copy_inode(const struct inode *from)
{
    struct inode *f = memdisk_need(malloc(sizeof(*f)));

    *f = *from;
    (void)blob_ref(f->data);
    (void)blob_ref(f->durable);
    f->cap = f->nslots;
    f->slots = memdisk_need(calloc(f->nslots + 1, sizeof(struct slot)));
    for (size_t i = 0; i < f->nslots; i++) {
        struct slot *s = &f->slots[i];

        *s = from->slots[i];
        s->name = memdisk_need(strdup(s->name));
        s->values = memdisk_need(malloc(s->n * sizeof(struct value)));
        memcpy(s->values, from->slots[i].values, s->n * sizeof(struct value));
    }
    return f;
}

static void
free_inode(struct inode *f)
{
    for (size_t i = 0; i < f->nslots; i++) {
        free(f->slots[i].name);
        free(f->slots[i].values);
    }
    free(f->slots);
    blob_unref(f->data);
    blob_unref(f->durable);
    free(f);
}

struct memdisk *
memdisk_copy(const struct memdisk *d)
{
    struct memdisk *c = memdisk_blank(d->mode);

    free_inode(c->inodes[1]);
    c->inodes_cap = d->ninodes + 64;
    c->inodes = memdisk_need(realloc(c->inodes, c->inodes_cap * sizeof(struct inode *)));
    for (size_t i = 1; i < d->ninodes; i++)
        c->inodes[i] = copy_inode(d->inodes[i]);
    c->ninodes = d->ninodes;
    c->seq = d->seq;
    c->committed = d->committed;
    c->frozen = d->frozen;
    c->now_ns = d->now_ns;
    return c;
}

struct memdisk *
memdisk_new(enum memdisk_mode mode)
{
    struct memdisk *d = memdisk_blank(mode);

    d->start = memdisk_blank(mode);
    return d;
}

void
memdisk_free(struct memdisk *d)
{
    if (d == NULL)
        return;
    if (d->open > 0) {
        fprintf(stderr, "memdisk: %zu files are still open\n", d->open);
        abort();
    }
    memdisk_free(d->start);
    for (size_t i = 0; i < d->nops; i++) {
        free(d->ops[i].text);
        free(d->ops[i].path);
        free(d->ops[i].other);
        blob_unref(d->ops[i].bytes);
    }
    free(d->ops);
    for (size_t i = 1; i < d->ninodes; i++)
        free_inode(d->inodes[i]);
    free(d->inodes);
    sp_mutex_destroy(&d->lock);
    free(d);
}

static uint64_t
mix(uint64_t number, const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        number = (number ^ b[i]) * UINT64_C(0x100000001b3);
    return number ^ number >> 29;
}

static uint64_t
number_of(struct blob *b)
{
    if (b->number == 0)
        b->number = mix(mix(1, &b->n, sizeof(b->n)), b->p, b->n) | 1;
    return b->number;
}

static uint64_t
state_of(
    const struct memdisk *d, const struct inode *folder, const struct inode *but, uint64_t number)
{
    for (size_t i = 0; folder != but && i < folder->nslots; i++) {
        const struct slot *s = &folder->slots[i];
        const struct inode *f = d->inodes[s->values[s->n - 1].inode];
        uint64_t bytes;

        if (f == NULL)
            continue;
        number = mix(number, s->name, strlen(s->name) + 1);
        bytes = f->folder ? 0 : number_of(f->data);
        number =
            f->folder ? state_of(d, f, but, number + 1) + 2 : mix(number, &bytes, sizeof(bytes));
    }
    return number;
}

uint64_t
memdisk_state(const struct memdisk *d, const char *but)
{
    struct inode *skip = NULL;

    if (memdisk_find(d, but, &skip) != 0)
        skip = NULL;
    return state_of(d, d->inodes[1], skip, 1);
}

/* --- the log -------------------------------------------------------------------------------------
 */

size_t
memdisk_ops(const struct memdisk *d)
{
    return d->nops;
}

const char *
memdisk_op(const struct memdisk *d, size_t k)
{
    return d->ops[k].text;
}

bool
memdisk_op_flushes(const struct memdisk *d, size_t k)
{
    return d->ops[k].kind == OP_SYNC || d->ops[k].kind == OP_SYNC_DIR;
}

struct memdisk *
memdisk_start(const struct memdisk *d)
{
    struct memdisk *c = memdisk_copy(d->start);

    c->start = memdisk_copy(d->start);
    return c;
}

static int
again(struct memdisk *d, const struct op *op)
{
    const int fault = op->failed ? 5 : 0; /* which one makes no difference to the disk */
    struct inode *f;

    switch (op->kind) {
    case OP_CREATE:
        return memdisk_do_create(d, op->path, &f);
    case OP_WRITE:
        memdisk_do_write(d, d->inodes[op->inode], op->offset, op->bytes->p, op->bytes->n);
        return 0;
    case OP_SYNC:
        (void)memdisk_do_sync(d, d->inodes[op->inode], fault);
        return 0;
    case OP_PUBLISH:
    case OP_REPLACE:
        return memdisk_do_rename(d, op->other, op->path, op->kind == OP_PUBLISH);
    case OP_REMOVE:
    case OP_RMDIR:
        return memdisk_do_remove(d, op->path, op->kind == OP_RMDIR);
    case OP_MKDIR:
        return memdisk_do_mkdir(d, op->path);
    case OP_SYNC_DIR:
        (void)memdisk_do_sync_dir(d, op->path, fault);
        return 0;
    case OP_SETTLE:
        memdisk_do_settle(d);
        return 0;
    }
    return -1;
}

void
memdisk_step(struct memdisk *d, const struct memdisk *of)
{
    const struct op *op = &of->ops[d->nops];
    struct op *mine;

    if (d->nops >= of->nops || again(d, op) != 0)
        abort(); /* the log of another disk */
    mine = memdisk_note(d, op->kind, op->path, op->other);
    mine->inode = op->inode;
    mine->offset = op->offset;
    mine->bytes = blob_ref(op->bytes);
    mine->failed = op->failed;
}

struct memdisk *
memdisk_at(const struct memdisk *d, size_t k)
{
    struct memdisk *c = memdisk_start(d);

    while (c->nops < k)
        memdisk_step(c, d);
    return c;
}

void
memdisk_settle(struct memdisk *d)
{
    sp_mutex_lock(&d->lock);
    memdisk_do_settle(d);
    (void)memdisk_note(d, OP_SETTLE, NULL, NULL);
    sp_mutex_unlock(&d->lock);
}

void
memdisk_fail_flush(struct memdisk *d, size_t k, int number)
{
    d->fail_at = k;
    d->fail_number = number;
}

void
memdisk_cut_at(struct memdisk *d, size_t k, int number)
{
    d->cut_at = k;
    d->cut_number = number;
}
