/* What the fake server does when it is asked: as OpenSSH's sftp-server, also in what it calls
 * "failure". */

#include "sftp_fake_impl.h"

#include <stdio.h>
#include <string.h>

enum { PACKET_MAX = (256 << 10) + 1024 };

void
fake_say_status(struct fake_asked *a, uint32_t status)
{
    static const char *const words[] = {"Success", "End of file", "No such file",
        "Permission denied", "Failure", "Bad message", "No connection", "Connection lost",
        "Operation unsupported"};

    fake_status(&a->out, a->id, status, words[status]);
}

char *
fake_take_path(struct fake_asked *a)
{
    struct sp_cur s = sp_sftp_string(&a->c);

    return fake_path(a->f, (const char *)s.p, s.left);
}

struct fake_handle *
fake_take_handle(struct fake_asked *a)
{
    struct sp_cur s = sp_sftp_string(&a->c);
    struct fake_handle *h = NULL;

    if (s.left == 4) {
        uint32_t number = sp_sftp_u32(&s);

        for (h = a->l->handles; h != NULL && h->number != number;)
            h = h->next;
    }
    if (h == NULL && a->f->o.lie == FAKE_HONEST)
        fake_broken("a handle that it has not");
    return h;
}

void
fake_attrs(struct sp_buf *b, const struct fake_node *x, bool times)
{
    static const uint32_t modes[] = {
        [FAKE_FILE] = 0100600, [FAKE_FOLDER] = 040700, [FAKE_LINK] = 0120777};

    sp_sftp_put_u32(b, 1 | 2 | 4 | (times ? 8 : 0));
    sp_sftp_put_u64(b, x->bytes.len);
    sp_sftp_put_u32(b, 1000);
    sp_sftp_put_u32(b, 1000);
    sp_sftp_put_u32(b, modes[x->kind]);
    if (!times)
        return;
    sp_sftp_put_u32(b, x->mtime);
    sp_sftp_put_u32(b, x->mtime);
}

static void
do_space(struct fake_asked *a)
{
    const struct fake_options *o = &a->f->o;
    uint64_t total = o->total_bytes ? o->total_bytes : UINT64_C(1) << 40;
    uint64_t most = o->full_at > 0 && o->full_at < total ? o->full_at : total;
    uint64_t left = most > a->f->used ? most - a->f->used : 0, v[11] = {512, 512};
    char *path = fake_take_path(a);

    v[2] = total / 512;
    v[3] = v[4] = left / 512;
    v[5] = v[6] = v[7] = 1000000;
    v[10] = 255;
    if (fake_lies(a->l, a->type, FAKE_STATVFS_HUGE))
        v[1] = v[2] = v[4] = UINT64_MAX - 1;
    if (fake_find(a->f, path) == NULL) {
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    } else {
        fake_begin(&a->out, SP_FXP_EXTENDED_REPLY, a->id);
        for (int i = 0; i < 11; i++)
            sp_sftp_put_u64(&a->out, v[i]);
    }
    free(path);
}

static void
do_limits(struct fake_asked *a)
{
    const struct fake_options *o = &a->f->o;
    uint64_t v[4] = {
        256 << 10, o->read_max ? o->read_max : 261120, o->write_max ? o->write_max : 261120, 1000};

    if (fake_lies(a->l, a->type, FAKE_LIMITS_HUGE))
        memset(v, 0xff, sizeof(v));
    if (fake_lies(a->l, a->type, FAKE_LIMITS_ZERO))
        memset(v, 0, sizeof(v));
    fake_begin(&a->out, SP_FXP_EXTENDED_REPLY, a->id);
    for (int i = 0; i < 4; i++)
        sp_sftp_put_u64(&a->out, v[i]);
}

static void
do_extended(struct fake_asked *a)
{
    struct sp_cur name = sp_sftp_string(&a->c);
    const struct fake_options *o = &a->f->o;
    char text[64];

    snprintf(text, sizeof(text), "%.*s", (int)name.left, (const char *)name.p);
    if (strcmp(text, "fsync@openssh.com") == 0 && !o->no_fsync) {
        struct fake_handle *h = fake_take_handle(a);

        if (h != NULL && !o->fsync_fails)
            h->node->safe = h->node->bytes.len;
        fake_say_status(a, h == NULL || o->fsync_fails ? SP_FX_FAILURE : SP_FX_OK);
    } else if (strcmp(text, "statvfs@openssh.com") == 0 && !o->no_statvfs) {
        do_space(a);
    } else if (strcmp(text, "limits@openssh.com") == 0 && !o->no_limits) {
        do_limits(a);
    } else {
        fake_say_status(a, SP_FX_OP_UNSUPPORTED);
    }
}

static void
act(struct fake_asked *a)
{
    switch (a->type) {
    case SP_FXP_OPEN:
        fake_do_open(a);
        break;
    case SP_FXP_CLOSE:
        fake_do_close(a);
        break;
    case SP_FXP_READ:
        fake_do_read(a);
        break;
    case SP_FXP_WRITE:
        fake_do_write(a);
        break;
    case SP_FXP_LSTAT:
    case SP_FXP_STAT:
    case SP_FXP_FSTAT:
        fake_do_stat(a);
        break;
    case SP_FXP_OPENDIR:
        fake_do_opendir(a);
        break;
    case SP_FXP_READDIR:
        fake_do_readdir(a);
        break;
    case SP_FXP_REMOVE:
    case SP_FXP_RMDIR:
        fake_do_remove(a);
        break;
    case SP_FXP_MKDIR:
        fake_do_mkdir(a);
        break;
    case SP_FXP_RENAME:
        fake_do_rename(a);
        break;
    case SP_FXP_REALPATH:
        fake_do_realpath(a);
        break;
    case SP_FXP_EXTENDED:
        do_extended(a);
        break;
    default:
        fake_say_status(a, SP_FX_OP_UNSUPPORTED);
        break;
    }
}

static bool
cut_here(struct fake_link *l, uint8_t type, bool *ret_after)
{
    struct fake_server *f = l->f;

    if (f->cut.n == 0 || (f->cut.type != 0 && f->cut.type != type) || --f->cut.n > 0)
        return false;
    f->cut.happened = true;
    *ret_after = f->cut.after;
    l->cut = true;
    for (struct fake_link *x = f->links; x != NULL; x = x->next)
        x->cut = x->cut || f->cut.all;
    sp_cond_broadcast(&f->changed);
    return true;
}

void
fake_request(struct fake_link *l, const uint8_t *p, size_t n)
{
    struct fake_asked a = {.l = l, .f = l->f, .c = sp_cur_of(p, n), .out = SP_BUF_INIT};
    bool after = false, cut;

    if (n < 5 || n > PACKET_MAX)
        fake_broken("a packet of an impossible length");
    a.type = sp_cur_u8(&a.c);
    a.id = sp_sftp_u32(&a.c);
    if (l->greeted == (a.type == SP_FXP_INIT))
        fake_broken("INIT is not the first packet, or not the only one");
    l->greeted = true;
    a.f->requests[0]++;
    if (a.type != 0)
        a.f->requests[a.type]++;
    if (a.type == SP_FXP_INIT) {
        fake_version(&a.f->o, &a.out);
    } else {
        cut = cut_here(l, a.type, &after);
        if (cut && !after)
            return;
        act(&a);
        if (!sp_cur_ok(&a.c))
            fake_broken("a request is cut");
        if (cut) {
            sp_buf_free(&a.out);
            return;
        }
    }
    fake_end(&a.out);
    fake_say(l, a.type, &a.out);
}
