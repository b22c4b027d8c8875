/* A stream from the writer's side. */

#include "storage/sftp_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/spare.h"

enum sp_code
sp_sftp_stream_new(struct sp_sftp_conn *c, const char *path, size_t window,
    struct sp_sftp_stream **ret, struct sp_err *e)
{
    struct sp_sftp_stream *w = calloc(1, sizeof(*w));
    uint8_t key[SP_KEY_SIZE];
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->c = c;
    w->window = window;
    w->end = &w->first;
    if ((rc = sp_random_fill(&sp_random_system, key, sizeof(key), e)) != SP_OK ||
        (rc = sp_gmac_new(key, &w->gmac, e)) != SP_OK)
        goto out;
    if ((w->path = strdup(path)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    w->open = (struct sp_sftp_request){.type = SP_SFTP_OPEN,
        .path = w->path,
        .flags = SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL,
        .done = sp_sftp_stream_opened,
        .arg = w};
    sp_sftp_conn_lock(c);
    w->size = sp_sftp_write_max(sp_sftp_conn_session(c));
    w->under_way = 1;
    sp_sftp_conn_submit(c, &w->open); /* its answer is waited for when there is need */
    sp_sftp_conn_unlock(c);
    *ret = w;
    w = NULL;
out:
    if (w != NULL)
        sp_sftp_stream_release(w);
    return rc;
}

enum sp_code
sp_sftp_stream_error(struct sp_sftp_stream *w, struct sp_err *e)
{
    if (w->error.code != SP_OK) {
        *e = w->error;
        w->told = true;
    }
    return w->error.code;
}

/* A piece to fill. */
static enum sp_code
need_piece(struct sp_sftp_stream *w, struct sp_err *e)
{
    struct stream_piece *p;

    sp_sftp_conn_lock(w->c);
    if ((p = w->spare) != NULL)
        w->spare = p->next;
    sp_sftp_conn_unlock(w->c);
    if (p == NULL && (p = sp_spare_alloc(sizeof(*p) + w->size)) == NULL)
        return sp_fail_nomem(e);
    memset(p, 0, sizeof(*p));
    p->bytes = (uint8_t *)(p + 1);
    p->w = w;
    p->q = (struct sp_sftp_request){
        .type = SP_SFTP_WRITE, .path = w->path, .done = sp_sftp_stream_piece_done, .arg = p};
    w->filling = p;
    return SP_OK;
}

static enum sp_code
need_sum(struct sp_sftp_stream *w, struct sp_err *e)
{
    size_t cap = w->sums_cap * 2 + 64;
    struct stream_sum *sums;

    if (w->nsums < w->sums_cap)
        return SP_OK;
    if ((sums = realloc(w->sums, cap * sizeof(*sums))) == NULL)
        return sp_fail_nomem(e);
    w->sums = sums;
    w->sums_cap = cap;
    return SP_OK;
}

/* What was filled goes under way, or waits for the file to be open. */
static enum sp_code
push(struct sp_sftp_stream *w, struct sp_err *e)
{
    struct stream_piece *p = w->filling;
    uint8_t mac[SP_GMAC_SIZE];
    enum sp_code rc;

    if ((rc = sp_gmac(w->gmac, w->nsums, p->bytes, p->n, mac, e)) != SP_OK)
        return rc;
    sp_sftp_conn_lock(w->c);
    if ((rc = need_sum(w, e)) == SP_OK) {
        struct stream_sum *sum = &w->sums[w->nsums];

        memcpy(sum->mac, mac, sizeof(mac));
        sum->n = p->n;
        sum->acknowledged = false;
        p->number = w->nsums++;
        *w->end = p;
        w->end = &p->next;
        w->unacknowledged += p->n;
        w->filling = NULL;
        if (w->is_open && w->error.code == SP_OK)
            sp_sftp_stream_send_piece(w, p);
    }
    sp_sftp_conn_unlock(w->c);
    return rc;
}

/* Waits until no more than `most` bytes are not acknowledged. */
static enum sp_code
wait_for(struct sp_sftp_stream *w, uint64_t most, struct sp_err *e)
{
    enum sp_code rc;

    sp_sftp_conn_lock(w->c);
    while (w->error.code == SP_OK && w->unacknowledged > most)
        sp_sftp_conn_wait(w->c);
    rc = sp_sftp_stream_error(w, e);
    sp_sftp_conn_unlock(w->c);
    return rc;
}

/* A failure of our own, after which bytes are missing. */
static enum sp_code
broken(struct sp_sftp_stream *w, enum sp_code rc, const struct sp_err *e)
{
    sp_sftp_conn_lock(w->c);
    sp_sftp_stream_failed(w, e);
    w->told = w->over = true;
    sp_sftp_conn_unlock(w->c);
    return rc;
}

enum sp_code
sp_sftp_stream_write(struct sp_sftp_stream *w, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *from = p;
    enum sp_code rc = SP_OK;
    bool told;

    if (w->whole)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a stream is written to behind its end");
    sp_sftp_conn_lock(w->c);
    told = w->told;
    if (told)
        rc = sp_sftp_stream_error(w, e);
    sp_sftp_conn_unlock(w->c);
    if (told)
        return rc;
    while (n > 0) {
        struct stream_piece *piece;
        size_t some;

        if (w->filling == NULL && (rc = need_piece(w, e)) != SP_OK)
            return broken(w, rc, e);
        piece = w->filling;
        some = w->size - piece->n < n ? w->size - piece->n : n;
        memcpy(piece->bytes + piece->n, from, some);
        piece->n += some;
        from += some;
        n -= some;
        if (piece->n == w->size && (rc = push(w, e)) != SP_OK)
            return broken(w, rc, e);
    }
    return wait_for(w, w->window, e);
}

/* The lock is held. */
static void
send_last(struct sp_sftp_stream *w, enum sp_sftp_type type, struct sp_sftp_request *q)
{
    *q = (struct sp_sftp_request){
        .type = type, .path = w->path, .done = sp_sftp_stream_last_done, .arg = w};
    memcpy(q->handle, w->open.handle, w->open.handle_len);
    q->handle_len = w->open.handle_len;
    w->under_way++;
    w->ending++;
    sp_sftp_conn_submit(w->c, q);
}

/* The lock is held. */
static enum sp_code
answer(struct sp_sftp_stream *w, const struct sp_sftp_request *q)
{
    if (q->error.code != SP_OK) {
        sp_sftp_stream_failed(w, &q->error);
        /* An answer, not a lost connection: final (R3: no second flush proves what the first did
         * not). */
        if (sp_sftp_session_ended(sp_sftp_conn_session(w->c)) == NULL)
            w->over = true;
    }
    return q->error.code;
}

/* FSYNC where offered, and CLOSE behind it in the same round: a server does what belongs to one
 * file in the order of asking (draft-ietf-secsh-filexfer-02 §6), and one that does not has no
 * handle left to flush, which fails. Every WRITE was acknowledged before: one that came behind the
 * flush would go unseen (R3). */
static enum sp_code
flush_and_close(struct sp_sftp_stream *w, bool flush, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_sftp_conn_lock(w->c);
    if (flush)
        send_last(w, SP_SFTP_FSYNC, &w->flush);
    send_last(w, SP_SFTP_CLOSE, &w->last);
    while (w->ending > 0)
        sp_sftp_conn_wait(w->c);
    w->is_open = false; /* whatever the answer: a handle is closed once */
    if (flush)
        rc = answer(w, &w->flush);
    if (rc == SP_OK)
        rc = answer(w, &w->last);
    w->finished = rc == SP_OK;
    sp_sftp_stream_error(w, e);
    sp_sftp_conn_unlock(w->c);
    return rc;
}

static enum sp_code
wait_open(struct sp_sftp_stream *w, struct sp_err *e)
{
    enum sp_code rc;

    sp_sftp_conn_lock(w->c);
    while (w->error.code == SP_OK && !w->is_open)
        sp_sftp_conn_wait(w->c);
    rc = sp_sftp_stream_error(w, e);
    sp_sftp_conn_unlock(w->c);
    return rc;
}

enum sp_code
sp_sftp_stream_finish(struct sp_sftp_stream *w, bool *ret_flushed, struct sp_err *e)
{
    enum sp_code rc;
    bool flush;

    if (w->finished)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a stream is finished twice");
    if ((rc = wait_open(w, e)) != SP_OK)
        return rc;
    if (w->filling != NULL && w->filling->n > 0) { /* the last piece, which may be a short one */
        w->whole = true;
        if ((rc = push(w, e)) != SP_OK)
            return broken(w, rc, e);
    }
    if ((rc = wait_for(w, 0, e)) != SP_OK)
        return rc;
    sp_sftp_conn_lock(w->c);
    flush = sp_sftp_offers(sp_sftp_conn_session(w->c), SP_SFTP_FSYNC);
    sp_sftp_conn_unlock(w->c);
    if ((rc = flush_and_close(w, flush, e)) != SP_OK)
        return rc;
    *ret_flushed = flush;
    return SP_OK;
}

size_t
sp_sftp_stream_part(const struct sp_sftp_stream *w, size_t number)
{
    return w->finished && number < w->nsums ? w->sums[number].n : 0;
}

enum sp_code
sp_sftp_stream_check(const struct sp_sftp_stream *w, size_t number, const void *p, struct sp_err *e)
{
    const struct stream_sum *sum = &w->sums[number];
    uint8_t mac[SP_GMAC_SIZE];
    enum sp_code rc = sp_gmac(w->gmac, number, p, sum->n, mac, e);

    if (rc == SP_OK && memcmp(mac, sum->mac, sizeof(mac)) != 0)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "what was written is not what is read, at %llu",
            (unsigned long long)number * w->size);
    return rc;
}

void
sp_sftp_stream_free(struct sp_sftp_stream *w)
{
    struct sp_sftp_conn *c;

    if (w == NULL)
        return;
    c = w->c;
    sp_sftp_conn_lock(c);
    w->given_up = true;
    sp_sftp_stream_settle(w); /* w may be gone */
    sp_sftp_conn_unlock(c);
}
