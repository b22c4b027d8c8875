/* A link to the fake server: a thread that takes what the client sends and feeds it answers when
 * they are due. */

#include "sftp_fake_impl.h"

#include <string.h>

#include "base/clock.h"

#define MS INT64_C(1000000)

void (*fake_own_memory)(bool own);

static void
own(bool is)
{
    if (fake_own_memory != NULL)
        fake_own_memory(is);
}

static int64_t
mono(void)
{
    return sp_clock_mono(&sp_clock_system);
}

void
fake_push(struct fake_link *l, struct sp_buf *bytes)
{
    struct fake_answer *a = fake_must(calloc(1, sizeof(*a)));

    a->bytes = *bytes;
    memset(bytes, 0, sizeof(*bytes));
    a->due_ns = mono() + l->f->o.delay_ms * MS;
    if (l->last == NULL)
        l->first = a;
    else
        l->last->next = a;
    l->last = a;
    if (++l->nanswers > l->f->most_waiting)
        l->f->most_waiting = l->nanswers;
}

/* The first that is due; with `reorder` any of those that are. */
static struct fake_answer *
next_answer(struct fake_link *l)
{
    int64_t now = mono();
    struct fake_answer **p = &l->first, *a;
    size_t due = 0, choice;

    for (a = l->first; a != NULL && a->due_ns <= now; a = a->next)
        due++;
    if (due == 0)
        return NULL;
    for (choice = l->f->o.reorder && l->greeted ? fake_dice(l->f) % due : 0; choice > 0; choice--)
        p = &(*p)->next;
    a = *p;
    *p = a->next;
    l->nanswers--;
    if (l->last == a)
        for (l->last = l->first; l->last != NULL && l->last->next != NULL;)
            l->last = l->last->next;
    return a;
}

static void
free_answer(struct fake_answer *a)
{
    sp_buf_free(&a->bytes);
    free(a);
}

/* All that the client has to send, and what it asks for. */
static bool
take(struct fake_link *l)
{
    struct fake_server *f = l->f;
    struct sp_span view;
    bool some = false;
    size_t at = 0;

    while ((view = sp_sftp_conn_take(l->conn)).n > 0) {
        sp_mutex_lock(&f->lock);
        if (f->o.fragment > 0 && view.n > f->o.fragment)
            view.n = f->o.fragment;
        sp_mutex_unlock(&f->lock);
        sp_buf_put(&l->in, view.p, view.n);
        sp_sftp_conn_sent(l->conn, view.n);
        some = true;
        if (l->in.len > 4 << 20)
            break;
    }
    if (l->in.failed)
        abort();
    sp_mutex_lock(&f->lock);
    while (l->in.len - at >= 4 && !l->cut) {
        struct sp_cur c = sp_cur_of(l->in.data + at, 4);
        uint32_t n = sp_sftp_u32(&c);

        if (l->in.len - at - 4 < n && n <= 1 << 20)
            break;
        f->rounds += l->nanswers == 0;
        fake_request(l, l->in.data + at + 4, n);
        at += 4 + n;
    }
    sp_mutex_unlock(&f->lock);
    if (at > 0)
        memmove(l->in.data, l->in.data + at, l->in.len - at);
    l->in.len -= at;
    return some;
}

static bool
feed(struct fake_link *l, const struct sp_buf *b, uint32_t piece)
{
    for (size_t at = 0; at < b->len;) {
        size_t n = piece > 0 && b->len - at > piece ? piece : b->len - at;
        enum sp_code rc;

        own(false);
        rc = sp_sftp_conn_feed(l->conn, b->data + at, n);
        own(true);
        if (rc != SP_OK)
            return false;
        at += n;
    }
    return true;
}

static void
lost(struct fake_link *l, enum sp_code code, const char *text)
{
    struct sp_err why = {0};

    sp_fail(&why, code, SP_DOM_STORE, "%s", text);
    sp_sftp_conn_lost(l->conn, &why);
}

/* Waits for something to do; false: the link is to end. */
static bool
wait(struct fake_link *l, int64_t last_ns)
{
    struct fake_server *f = l->f;
    int64_t until, stall;
    bool more;

    sp_mutex_lock(&f->lock);
    stall = last_ns + (f->o.stall_ms ? f->o.stall_ms : 10000) * MS;
    until = l->first != NULL ? l->first->due_ns : stall;
    while (!l->kicked && !l->stop && !l->cut && mono() < until)
        (void)sp_cond_wait_ms(&f->changed, &f->lock, (uint32_t)((until - mono()) / MS + 1));
    l->kicked = false;
    more = !l->stop && !l->cut;
    sp_mutex_unlock(&f->lock);
    return more;
}

static void
run(void *arg)
{
    struct fake_link *l = arg;
    struct fake_server *f = l->f;
    int64_t last_ns = mono();
    struct fake_answer *a;
    struct sp_err e = {0};
    int64_t stall_ns;
    uint32_t piece;

    own(true);
    while (wait(l, last_ns)) {
        if (sp_sftp_conn_state(l->conn, &e) != SP_OK) {
            sp_sftp_conn_lost(l->conn, &e);
            return;
        }
        if (take(l))
            last_ns = mono();
        for (;;) {
            sp_mutex_lock(&f->lock);
            a = l->cut || l->stop ? NULL : next_answer(l);
            piece = f->o.fragment;
            stall_ns = (f->o.stall_ms ? f->o.stall_ms : 10000) * MS;
            sp_mutex_unlock(&f->lock);
            if (a == NULL)
                break;
            last_ns = mono();
            if (!feed(l, &a->bytes, piece)) {
                free_answer(a);
                return;
            }
            free_answer(a);
        }
        if (!sp_sftp_conn_busy(l->conn)) {
            last_ns = mono();
        } else if (mono() - last_ns >= stall_ns) {
            lost(l, SP_TIMEOUT, "the server does not answer");
            return;
        }
    }
    lost(l, SP_UNREACHABLE, "the connection was cut");
}

static enum sp_code
start(struct sp_sftp_link *link, struct sp_sftp_conn *c, struct sp_err *e)
{
    struct fake_link *l = (struct fake_link *)(void *)link;

    l->conn = c;
    l->kicked = true;
    return sp_thread_start("sftp-fake", run, l, &l->thread, e);
}

static void
kick(struct sp_sftp_link *link)
{
    struct fake_link *l = (struct fake_link *)(void *)link;

    sp_mutex_lock(&l->f->lock);
    l->kicked = true;
    sp_cond_broadcast(&l->f->changed);
    sp_mutex_unlock(&l->f->lock);
}

static void
free_link(struct sp_sftp_link *link)
{
    struct fake_link *l = (struct fake_link *)(void *)link, **p;
    struct fake_server *f = l->f;
    struct fake_answer *a;

    sp_mutex_lock(&f->lock);
    l->stop = true;
    sp_cond_broadcast(&f->changed);
    sp_mutex_unlock(&f->lock);
    sp_thread_join(l->thread);
    sp_mutex_lock(&f->lock);
    fake_close_handles(l);
    for (p = &f->links; *p != l;)
        p = &(*p)->next;
    *p = l->next;
    sp_mutex_unlock(&f->lock);
    while ((a = l->first) != NULL) {
        l->first = a->next;
        free_answer(a);
    }
    sp_buf_free(&l->in);
    free(l);
}

static const struct sp_sftp_link_ops ops = {start, kick, free_link};

enum sp_code
fake_connect(void *arg, struct sp_sftp_link **ret, struct sp_err *e)
{
    struct fake_server *f = arg;
    struct fake_link *l;
    enum sp_code refuse = fake_get(f).refuse;

    if (refuse != SP_OK)
        return sp_fail(e, refuse, SP_DOM_STORE, "the fake server refuses");
    l = fake_must(calloc(1, sizeof(*l)));
    l->link.ops = &ops;
    l->f = f;
    sp_mutex_lock(&f->lock);
    l->next = f->links;
    f->links = l;
    sp_mutex_unlock(&f->lock);
    *ret = &l->link;
    return SP_OK;
}
