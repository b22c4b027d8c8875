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
