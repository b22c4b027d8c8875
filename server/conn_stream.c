/* A streamed reply: a thread of its own makes the items, the loop sends them as the client's credit
 * and the output allow. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/conn.h"

void
sp_stream_init(struct stream *st)
{
    memset(st, 0, sizeof(*st));
    sp_mutex_init(&st->lock);
    sp_cond_init(&st->room);
    st->end = &st->first;
}

void
sp_stream_destroy(struct stream *st)
{
    sp_cond_destroy(&st->room);
    sp_mutex_destroy(&st->lock);
}

static void
item_free(struct stream_item *i)
{
    if (i == NULL)
        return;
    free(i->payload);
    free(i);
}

/* --- the stream's thread
 * ---------------------------------------------------------------------------- */

bool
sp_stream_cancelled(struct sp_conn *c)
{
    struct stream *st = &c->stream;
    bool cancelled;

    sp_mutex_lock(&st->lock);
    cancelled = st->cancelled;
    sp_mutex_unlock(&st->lock);
    return cancelled;
}

static void
pump_posted(void *arg)
{
    sp_stream_pump(arg);
}

enum sp_code
sp_stream_send(
    struct sp_conn *c, const struct sp_msg *m, uint8_t *payload, size_t n, struct sp_err *e)
{
    struct stream *st = &c->stream;
    struct stream_item *i = calloc(1, sizeof(*i));
    bool kick;

    if (i == NULL) {
        free(payload);
        return sp_fail_nomem(e);
    }
    i->msg = *m;
    i->payload = payload;
    i->n = n;
    sp_mutex_lock(&st->lock);
    while (!st->cancelled && st->first != NULL && st->bytes + n > SP_CONN_STREAM_HIGH)
        sp_cond_wait(&st->room, &st->lock);
    if (st->cancelled) {
        sp_mutex_unlock(&st->lock);
        item_free(i);
        return sp_fail(e, SP_CANCELLED, SP_DOM_NET, "ended early, as it was asked");
    }
    *st->end = i;
    st->end = &i->next;
    st->bytes += n;
    kick = !st->kicked;
    st->kicked = true;
    sp_mutex_unlock(&st->lock);
    if (kick)
        sp_server_post(c->server, pump_posted, c);
    return SP_OK;
}

static void
finished_posted(void *arg)
{
    struct sp_conn *c = arg;

    sp_thread_join(c->stream.thread); /* this call was its last act */
    c->stream.thread = NULL;
    c->stream.finished = true;
    sp_stream_pump(c);
}

static void
stream_thread(void *arg)
{
    struct conn_job *j = arg;
    struct sp_conn *c = j->conn;
    struct sp_err e = {0};

    if (sp_conn_run_stream(c, j, &e) != SP_OK)
        j->error = e;
    sp_server_post(c->server, finished_posted, c);
}

/* --- the loop's thread
 * ------------------------------------------------------------------------------ */

bool
sp_stream_start(struct sp_conn *c)
{
    struct stream *st = &c->stream;
    struct sp_err e = {0};

    st->cancelled = st->kicked = st->finished = false;
    return sp_thread_start("stream", stream_thread, c->lanes[LANE_READ].running, &st->thread, &e) ==
           SP_OK;
}

/* The first item, or NULL. It stays the list's until sp_stream_pump has sent it. */
static struct stream_item *
first_item(struct stream *st)
{
    struct stream_item *i;

    sp_mutex_lock(&st->lock);
    if ((i = st->first) == NULL)
        st->kicked = false; /* the next item is told again */
    sp_mutex_unlock(&st->lock);
    return i;
}

static void
remove_first(struct stream *st)
{
    struct stream_item *i;

    sp_mutex_lock(&st->lock);
    i = st->first;
    if ((st->first = i->next) == NULL)
        st->end = &st->first;
    st->bytes -= i->n;
    sp_cond_signal(&st->room);
    sp_mutex_unlock(&st->lock);
    item_free(i);
}

void
sp_stream_cancel(struct sp_conn *c)
{
    struct stream *st = &c->stream;

    if (c->lanes[LANE_READ].running == NULL)
        return;
    while (first_item(st) != NULL)
        remove_first(st);
    sp_mutex_lock(&st->lock);
    st->cancelled = true;
    sp_cond_broadcast(&st->room);
    sp_mutex_unlock(&st->lock);
}

/* Sends what may be sent. true: nothing waits. */
static bool
send_items(struct sp_conn *c)
{
    struct sp_session *s = sp_channel_session(c->channel);
    struct stream_item *i;
    struct sp_err e = {0};
    bool sent = false;
    enum sp_code rc = SP_OK;

    while ((i = first_item(&c->stream)) != NULL) {
        if (sp_session_queued(s) >= SP_CONN_OUTPUT_HIGH || !sp_session_reply_fits(s, i->n))
            break;
        if ((rc = sp_session_reply(s, &i->msg, i->payload, i->n, &e)) != SP_OK)
            break;
        i->payload = NULL;
        remove_first(&c->stream);
        sent = true;
    }
    if (sent)
        sp_channel_flush(c->channel);
    if (rc == SP_REFUSED)
        sp_stream_cancel(c); /* closed: nobody waits for the rest */
    else if (rc != SP_OK && rc != SP_BUSY)
        sp_conn_end(c, &e);
    return i == NULL;
}

void
sp_stream_pump(struct sp_conn *c)
{
    struct stream *st = &c->stream;
    struct lane *l = &c->lanes[LANE_READ];
    struct conn_job *j;

    if (c->channel == NULL)
        sp_stream_cancel(c);
    else if (!send_items(c))
        return;
    if (!st->finished)
        return;
    /* Cancelled items may have come after the list was emptied. */
    while (first_item(st) != NULL)
        remove_first(st);
    st->finished = false;
    j = l->running;
    if (sp_stream_cancelled(c) && j->error.code == SP_OK)
        (void)sp_fail(&j->error, SP_CANCELLED, SP_DOM_NET, "ended early, as it was asked");
    l->running = NULL;
    l->bytes -= sp_conn_weight(j);
    sp_conn_finish_job(j);
    sp_conn_advance(c);
}
