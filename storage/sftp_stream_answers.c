/* A stream's requests as they are answered, in the connection's thread. */

#include "storage/sftp_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"

void
sp_sftp_stream_release(struct sp_sftp_stream *w)
{
    struct stream_piece *p;

    while ((p = w->first) != NULL) {
        w->first = p->next;
        sp_spare_free(p);
    }
    while ((p = w->spare) != NULL) {
        w->spare = p->next;
        sp_spare_free(p);
    }
    sp_spare_free(w->filling);
    sp_gmac_free(w->gmac);
    free(w->sums);
    free(w->path);
    free(w);
}

static void
gone(struct sp_sftp_request *q)
{
    sp_sftp_stream_release(q->arg);
}

/* After each answer. */
void
sp_sftp_stream_settle(struct sp_sftp_stream *w)
{
    if (!w->given_up) {
        sp_sftp_conn_wake(w->c);
    } else if (w->under_way == 0) {
        if (!w->is_open) {
            sp_sftp_stream_release(w);
            return;
        }
        w->is_open = false;
        w->last = (struct sp_sftp_request){
            .type = SP_SFTP_CLOSE, .path = w->path, .done = gone, .arg = w};
        memcpy(w->last.handle, w->open.handle, w->open.handle_len);
        w->last.handle_len = w->open.handle_len;
        sp_sftp_conn_submit(w->c, &w->last);
    }
}

void
sp_sftp_stream_failed(struct sp_sftp_stream *w, const struct sp_err *why)
{
    if (w->error.code == SP_OK)
        w->error = *why;
}

static void
acknowledged(struct sp_sftp_stream *w, struct stream_piece *p)
{
    struct stream_piece **at = &w->first;

    w->sums[p->number].acknowledged = true;
    w->unacknowledged -= p->n;
    while (*at != p)
        at = &(*at)->next;
    if ((*at = p->next) == NULL)
        w->end = at;
    p->next = w->spare;
    w->spare = p;
}

void
sp_sftp_stream_send_piece(struct sp_sftp_stream *w, struct stream_piece *p)
{
    size_t most = sp_sftp_write_max(sp_sftp_conn_session(w->c)), left = p->n - p->done;

    memcpy(p->q.handle, w->open.handle, w->open.handle_len);
    p->q.handle_len = w->open.handle_len;
    p->q.offset = (uint64_t)p->number * w->size + p->done;
    p->q.from = p->bytes + p->done;
    p->q.n = left < most ? left : most;
    p->under_way = true;
    w->under_way++;
    sp_sftp_conn_submit(w->c, &p->q);
}

void
sp_sftp_stream_piece_done(struct sp_sftp_request *q)
{
    struct stream_piece *p = q->arg;
    struct sp_sftp_stream *w = p->w;

    w->under_way--;
    p->under_way = false;
    if (q->error.code != SP_OK) {
        p->done = 0; /* all of it again, after a resume */
        sp_sftp_stream_failed(w, &q->error);
    } else {
        p->done += q->n;
        if (p->done == p->n)
            acknowledged(w, p);
        else if (!w->given_up && w->error.code == SP_OK)
            sp_sftp_stream_send_piece(w, p);
    }
    sp_sftp_stream_settle(w);
}

void
sp_sftp_stream_send(struct sp_sftp_stream *w)
{
    for (struct stream_piece *p = w->first, *next; p != NULL; p = next) {
        next = p->next;
        if (!w->is_open || w->error.code != SP_OK)
            return;
        if (!p->under_way)
            sp_sftp_stream_send_piece(w, p);
    }
}

void
sp_sftp_stream_opened(struct sp_sftp_request *q)
{
    struct sp_sftp_stream *w = q->arg;

    w->under_way--;
    w->is_open = q->error.code == SP_OK;
    if (!w->is_open)
        sp_sftp_stream_failed(w, &q->error);
    else if (!w->given_up)
        sp_sftp_stream_send(w);
    sp_sftp_stream_settle(w);
}

void
sp_sftp_stream_last_done(struct sp_sftp_request *q)
{
    struct sp_sftp_stream *w = q->arg;

    w->under_way--;
    w->ending--;
    sp_sftp_stream_settle(w);
}
