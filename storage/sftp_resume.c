/* A stream goes on over another connection: the same file, what was acknowledged read back and held
 * against its check sums (R14), the rest sent again. */

#include "storage/sftp_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

enum { LOOKS = 16 }; /* pieces read back at once */

struct look {
    struct sp_sftp_request q;
    struct back *b;
    uint8_t *bytes;
    size_t number, got;
    enum { LOOK_FREE, LOOK_ASKED, LOOK_THERE } state;
};

struct back {
    struct sp_sftp_stream *w;
    struct sp_sftp_conn *c;
    const struct sp_sftp_request *open;
    struct look looks[LOOKS];
    size_t next, under_way;
    struct sp_err error;
};

static void
lost(struct back *b, size_t number)
{
    struct sp_buf path = SP_BUF_INIT;

    if (b->error.code != SP_OK)
        return;
    sp_path_show(b->w->path, strlen(b->w->path), &path);
    sp_fail(&b->error, SP_CORRUPT, SP_DOM_STORE,
        "%.300s: the server no longer has what it had acknowledged, at %llu", sp_buf_str(&path),
        (unsigned long long)number * b->w->size);
    sp_buf_free(&path);
}

static void
ask(struct look *k)
{
    struct back *b = k->b;
    size_t most = sp_sftp_read_max(sp_sftp_conn_session(b->c));
    size_t left = b->w->sums[k->number].n - k->got;

    memcpy(k->q.handle, b->open->handle, b->open->handle_len);
    k->q.handle_len = b->open->handle_len;
    k->q.offset = (uint64_t)k->number * b->w->size + k->got;
    k->q.to = k->bytes + k->got;
    k->q.n = left < most ? left : most;
    k->state = LOOK_ASKED;
    b->under_way++;
    sp_sftp_conn_submit(b->c, &k->q);
}

static void
was_read(struct sp_sftp_request *q)
{
    struct look *k = q->arg;
    struct back *b = k->b;

    b->under_way--;
    k->state = LOOK_FREE;
    if (q->error.code != SP_OK) {
        if (b->error.code == SP_OK)
            b->error = q->error;
    } else if (q->got == 0) {
        lost(b, k->number);
    } else if ((k->got += q->got) < b->w->sums[k->number].n) {
        if (b->error.code == SP_OK)
            ask(k);
    } else {
        k->state = LOOK_THERE;
    }
    sp_sftp_conn_wake(b->c);
}

/* What was read of a piece against its sum; the lock is let go meanwhile. */
static void
verify(struct back *b, struct look *k)
{
    const struct stream_sum *sum = &b->w->sums[k->number];
    uint8_t mac[SP_GMAC_SIZE];
    struct sp_err e = {0};
    enum sp_code rc;

    sp_sftp_conn_unlock(b->c);
    rc = sp_gmac(b->w->gmac, k->number, k->bytes, sum->n, mac, &e);
    sp_sftp_conn_lock(b->c);
    k->state = LOOK_FREE;
    if (rc != SP_OK && b->error.code == SP_OK)
        b->error = e;
    else if (rc == SP_OK && memcmp(mac, sum->mac, sizeof(mac)) != 0)
        lost(b, k->number);
}

/* The next acknowledged piece that nobody asked for. */
static bool
more(struct back *b)
{
    while (b->next < b->w->nsums && !b->w->sums[b->next].acknowledged)
        b->next++;
    return b->next < b->w->nsums && b->error.code == SP_OK;
}

static enum sp_code
read_back(struct back *b, struct sp_err *e)
{
    bool some;

    sp_sftp_conn_lock(b->c);
    for (;;) {
        some = false;
        for (size_t i = 0; i < LOOKS; i++) {
            struct look *k = &b->looks[i];

            if (k->state == LOOK_THERE) {
                verify(b, k);
                some = true;
            }
            if (k->state == LOOK_FREE && more(b)) {
                k->number = b->next++;
                k->got = 0;
                ask(k);
                some = true;
            }
        }
        if (!some && b->under_way == 0)
            break;
        if (!some)
            sp_sftp_conn_wait(b->c);
    }
    sp_sftp_conn_unlock(b->c);
    if (b->error.code != SP_OK)
        *e = b->error;
    return b->error.code;
}

/* Memory for reading back as many pieces at once as there are, at most LOOKS. */
static enum sp_code
looks_new(struct back *b, struct sp_err *e)
{
    for (size_t i = 0; i < LOOKS; i++) {
        struct look *k = &b->looks[i];

        k->b = b;
        k->q = (struct sp_sftp_request){
            .type = SP_SFTP_READ, .path = b->w->path, .done = was_read, .arg = k};
        if (i < b->w->nsums && (k->bytes = malloc(b->w->size)) == NULL)
            return sp_fail_nomem(e);
    }
    return SP_OK;
}

static bool
any_acknowledged(const struct sp_sftp_stream *w)
{
    for (size_t i = 0; i < w->nsums; i++)
        if (w->sums[i].acknowledged)
            return true;
    return false;
}

/* The same file again, neither emptied nor, once something was acknowledged, made. */
static enum sp_code
open_again(struct back *b, struct sp_sftp_request *open, struct sp_err *e)
{
    bool some = any_acknowledged(b->w);
    enum sp_code rc;

    *open = (struct sp_sftp_request){.type = SP_SFTP_OPEN,
        .path = b->w->path,
        .flags = SP_SFTP_F_READ | SP_SFTP_F_WRITE | (some ? 0u : SP_SFTP_F_CREATE)};
    if ((rc = sp_sftp_conn_call(b->c, open, e)) == SP_ABSENT && some) {
        lost(b, 0);
        *e = b->error;
        return e->code;
    }
    return rc;
}

/* Nothing of the stream is under way on its old connection, and it belongs to the new one. */
static void
move_over(struct sp_sftp_stream *w, struct sp_sftp_conn *c)
{
    sp_sftp_conn_lock(w->c);
    while (w->under_way > 0)
        sp_sftp_conn_wait(w->c);
    sp_sftp_conn_unlock(w->c);
    w->is_open = false;
    w->c = c;
}

enum sp_code
sp_sftp_stream_resume(struct sp_sftp_stream *w, struct sp_sftp_conn *c, struct sp_err *e)
{
    struct sp_sftp_request open = {.type = SP_SFTP_OPEN};
    struct back *b;
    enum sp_code rc;

    move_over(w, c);
    if (w->over) {
        *e = w->error;
        return e->code;
    }
    if ((b = calloc(1, sizeof(*b))) == NULL)
        return sp_fail_nomem(e);
    b->w = w;
    b->c = c;
    b->open = &open;
    if ((rc = looks_new(b, e)) != SP_OK || (rc = open_again(b, &open, e)) != SP_OK)
        goto out;
    rc = read_back(b, e);
    sp_sftp_conn_lock(c);
    memcpy(w->open.handle, open.handle, open.handle_len);
    w->open.handle_len = open.handle_len;
    w->is_open = true;
    if (rc == SP_OK) {
        sp_err_clear(&w->error);
        w->told = false;
        for (struct stream_piece *p = w->first; p != NULL; p = p->next)
            p->done = 0; /* in part acknowledged is not: no sum covers it */
        sp_sftp_stream_send(w);
    }
    sp_sftp_conn_unlock(c);
out:
    if (rc == SP_CORRUPT) { /* no other connection makes that good */
        w->error = *e;
        w->over = true;
    }
    for (size_t i = 0; i < LOOKS; i++)
        free(b->looks[i].bytes);
    free(b);
    return rc;
}
