/* The fake server's handles, and what is done to open files. */

#include "sftp_fake_impl.h"

#include <stdio.h>
#include <string.h>

struct fake_handle *
fake_give_handle(struct fake_asked *a, struct fake_node *x, uint32_t flags)
{
    struct fake_handle *h = fake_must(calloc(1, sizeof(*h)));
    uint8_t number[4];

    h->number = ++a->f->handles;
    h->node = x;
    h->flags = flags;
    h->next = a->l->handles;
    a->l->handles = h;
    x->refs++;
    fake_begin(&a->out, SP_FXP_HANDLE, a->id);
    for (int i = 0; i < 4; i++)
        number[i] = (uint8_t)(h->number >> (24 - 8 * i) & 0xff);
    sp_sftp_put_string(&a->out, number, 4);
    return h;
}

static void
release_handle(struct fake_link *l, struct fake_handle *h)
{
    struct fake_handle **p = &l->handles;

    while (*p != h)
        p = &(*p)->next;
    *p = h->next;
    for (size_t i = 0; i < h->nnames; i++)
        free(h->names[i]);
    free(h->names);
    fake_release(l->f, h->node);
    free(h);
}

void
fake_close_handles(struct fake_link *l)
{
    while (l->handles != NULL)
        release_handle(l, l->handles);
}

void
fake_do_open(struct fake_asked *a)
{
    char *path = fake_take_path(a);
    uint32_t flags = sp_sftp_u32(&a->c);
    struct fake_node *x = fake_find(a->f, path);

    if ((flags & SP_SFTP_F_WRITE) != 0 &&
        (a->f->o.read_only || (a->f->o.no_overwrite && x != NULL))) {
        fake_say_status(a, SP_FX_PERMISSION_DENIED);
    } else if (x == NULL && ((flags & SP_SFTP_F_CREATE) == 0 || !fake_parent_there(a->f, path))) {
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    } else if (x != NULL && (flags & SP_SFTP_F_CREATE) != 0 && (flags & SP_SFTP_F_EXCL) != 0) {
        fake_say_status(a, SP_FX_FAILURE);
    } else if (x != NULL && x->kind == FAKE_FOLDER && flags == SP_SFTP_F_READ &&
               a->f->o.folders_open) {
        (void)fake_give_handle(a, x, flags);
    } else if (x != NULL && x->kind != FAKE_FILE) {
        fake_say_status(a, x->kind == FAKE_LINK ? SP_FX_NO_SUCH_FILE : SP_FX_FAILURE);
    } else {
        if (x == NULL)
            x = fake_make(a->f, path, FAKE_FILE);
        if ((flags & SP_SFTP_F_TRUNC) != 0)
            fake_resize(a->f, x, 0);
        (void)fake_give_handle(a, x, flags);
    }
    free(path);
}

void
fake_do_close(struct fake_asked *a)
{
    struct fake_handle *h = fake_take_handle(a);

    if (h != NULL)
        release_handle(a->l, h);
    fake_say_status(a, h == NULL || a->f->o.close_fails ? SP_FX_FAILURE : SP_FX_OK);
}

void
fake_do_read(struct fake_asked *a)
{
    struct fake_handle *h = fake_take_handle(a);
    uint64_t offset = sp_sftp_u64(&a->c);
    uint32_t n = sp_sftp_u32(&a->c), most = a->f->o.read_max ? a->f->o.read_max : 261120;

    if (a->f->o.short_reads > 0 && a->f->o.short_reads < most)
        most = a->f->o.short_reads;
    n = n < most ? n : most;
    if (h == NULL || (h->flags & SP_SFTP_F_READ) == 0) {
        fake_say_status(a, SP_FX_PERMISSION_DENIED);
    } else if (offset >= h->node->bytes.len) {
        fake_say_status(a, SP_FX_EOF);
    } else {
        size_t left = h->node->bytes.len - (size_t)offset;

        fake_begin(&a->out, SP_FXP_DATA, a->id);
        sp_sftp_put_string(&a->out, h->node->bytes.data + offset, n < left ? n : left);
    }
}

void
fake_do_write(struct fake_asked *a)
{
    struct fake_server *f = a->f;
    struct fake_handle *h = fake_take_handle(a);
    uint64_t offset = sp_sftp_u64(&a->c), end;
    struct sp_cur bytes = sp_sftp_string(&a->c);
    bool full = false;

    if (h == NULL || (h->flags & SP_SFTP_F_WRITE) == 0 || !sp_cur_ok(&a->c)) {
        fake_say_status(a, SP_FX_PERMISSION_DENIED);
        return;
    }
    if (f->o.write_fails_at > 0 && --f->o.write_fails_at == 0) {
        fake_say_status(a, SP_FX_FAILURE);
        return;
    }
    end = offset + bytes.left;
    if (f->o.full_at > 0 && end > h->node->bytes.len &&
        f->used + (end - h->node->bytes.len) > f->o.full_at) {
        full = true; /* what has room is written, as on a disk */
        end = h->node->bytes.len + (f->o.full_at > f->used ? f->o.full_at - f->used : 0);
    }
    if (end > h->node->bytes.len)
        fake_resize(f, h->node, (size_t)end);
    if (end > offset && bytes.left > 0)
        memcpy(h->node->bytes.data + offset, bytes.p,
            end - offset < bytes.left ? (size_t)(end - offset) : bytes.left);
    if (offset < h->node->safe)
        h->node->safe = (size_t)offset;
    h->node->mtime = f->now;
    fake_say_status(a, full ? SP_FX_FAILURE : SP_FX_OK);
}

void
fake_do_stat(struct fake_asked *a)
{
    struct fake_node *x;
    char *path = NULL;

    if (a->type == SP_FXP_FSTAT) {
        struct fake_handle *h = fake_take_handle(a);

        x = h != NULL ? h->node : NULL;
    } else {
        path = fake_take_path(a);
        x = fake_find(a->f, path);
    }
    if (x == NULL || (x->kind == FAKE_LINK && a->type == SP_FXP_STAT)) {
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    } else {
        fake_begin(&a->out, SP_FXP_ATTRS, a->id);
        fake_attrs(&a->out, x, a->type == SP_FXP_FSTAT || !a->f->o.untold_times);
    }
    free(path);
}
