/* Requests as jobs in two lanes: see conn.h. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/conn.h"
#include "server/work.h"

/* --- jobs
 * ------------------------------------------------------------------------------------------- */

static void
job_free(struct conn_job *j)
{
    if (j == NULL)
        return;
    sp_wipe(&j->msg, sizeof(j->msg)); /* an Enroll holds a secret */
    free(j->payload);
    free(j->reply_payload);
    sp_roster_free(j->roster);
    free(j);
}

static enum lane_name
lane_of(const struct conn_job *j)
{
    switch (j->type) {
    case SP_MSG_NONE:
    case SP_MSG_PUT:
    case SP_MSG_HAVE:
    case SP_MSG_FLUSH:
    case SP_MSG_COMMIT:
    case SP_MSG_COMPLETE:
        return LANE_WRITE;
    default:
        return LANE_READ;
    }
}

static bool
is_stream(const struct conn_job *j)
{
    return j->type == SP_MSG_GET || j->type == SP_MSG_LIST || j->type == SP_MSG_SLOTS ||
           j->type == SP_MSG_CHECK;
}

size_t
sp_conn_weight(const struct conn_job *j)
{
    return sizeof(*j) + j->n;
}

static void
append(struct sp_conn *c, struct conn_job *j)
{
    struct lane *l = &c->lanes[lane_of(j)];

    j->conn = c;
    j->next = NULL;
    *l->end = j;
    l->end = &j->next;
    l->bytes += sp_conn_weight(j);
}

static struct conn_job *
take_first(struct lane *l)
{
    struct conn_job *j = l->first;

    if ((l->first = j->next) == NULL)
        l->end = &l->first;
    j->next = NULL;
    return j;
}

enum sp_code
sp_conn_take(struct sp_conn *c, struct sp_frame *f, struct sp_err *e)
{
    struct conn_job *j = calloc(1, sizeof(*j));

    if (j == NULL)
        return sp_fail_nomem(e);
    j->type = f->msg.type;
    j->msg = f->msg;
    j->payload = f->payload;
    j->n = f->payload_len;
    f->payload = NULL;
    f->payload_len = 0;
    if (j->type == SP_MSG_PUT) {
        if (j->msg.put.nodes)
            c->taken.nodes++;
        else
            c->taken.data++;
        if (c->unsaid_mono == 0)
            c->unsaid_mono = sp_clock_mono(c->server->env->clock);
    }
    append(c, j);
    return SP_OK;
}

void
sp_conn_own_job(struct sp_conn *c, enum own_job own)
{
    struct conn_job *j = calloc(1, sizeof(*j));
    struct sp_err e = {0};

    if (j == NULL) {
        /* Begin and flush: this session cannot go on. The end only loses a line in the state. */
        (void)sp_fail_nomem(&e);
        sp_conn_end(c, &e);
        return;
    }
    j->own = own;
    append(c, j);
}

/* --- running
 * ---------------------------------------------------------------------------------------- */

static enum sp_code
run_own(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    switch (j->own) {
    case OWN_BEGIN:
        return sp_conn_run_begin(c, j, e);
    case OWN_FLUSH:
        return sp_conn_run_flush(c, j, e);
    case OWN_END:
        return sp_conn_run_end(c, j, e);
    case OWN_NOTHING:
        break;
    }
    return SP_OK;
}

static enum sp_code
run_job(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    switch (j->type) {
    case SP_MSG_NONE:
        return run_own(c, j, e);
    case SP_MSG_PUT:
        return sp_conn_run_put(c, j, e);
    case SP_MSG_HAVE:
        return sp_conn_run_have(c, j, e);
    case SP_MSG_FLUSH:
        return sp_conn_run_flush(c, j, e);
    case SP_MSG_COMMIT:
        return sp_conn_run_commit(c, j, e);
    case SP_MSG_COMPLETE:
        return sp_conn_run_complete(c, j, e);
    case SP_MSG_HEAD:
    case SP_MSG_MISSING:
    case SP_MSG_HOST:
        return sp_conn_run_read(c, j, e);
    case SP_MSG_PUT_SLOT:
    case SP_MSG_HOST_PUT:
    case SP_MSG_RENEW:
    case SP_MSG_ENROLL:
    case SP_MSG_ENROLL_END:
        return sp_conn_run_keys(c, j, e);
    default:
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE, "this server does not know the request %s",
            sp_msg_info(j->type)->name);
    }
}

/* On a worker: one job, or some puts. */
static void
run_lane(void *arg)
{
    struct conn_job *j;
    struct sp_conn *c;

    for (j = arg; j != NULL; j = j->next) {
        struct sp_err e = {0};

        c = j->conn;
        if (run_job(c, j, &e) != SP_OK)
            j->error = e;
    }
}

static void
lane_done(void *arg)
{
    struct conn_job *j = arg, *next;
    struct sp_conn *c = j->conn;
    struct lane *l = &c->lanes[lane_of(j)];

    l->running = NULL;
    for (; j != NULL; j = next) {
        next = j->next;
        l->bytes -= sp_conn_weight(j);
        sp_conn_finish_job(j);
    }
    sp_conn_advance(c);
}

/* The job at the head; of puts as many as make a fair piece of work. */
static void
start(struct sp_conn *c, enum lane_name lane)
{
    struct lane *l = &c->lanes[lane];
    struct conn_job *j = take_first(l), *last = j;
    size_t bytes = j->n;
    struct sp_err e = {0};
    bool started;

    if (j->type == SP_MSG_PUT)
        while (l->first != NULL && l->first->type == SP_MSG_PUT && bytes < SP_CONN_BATCH) {
            bytes += l->first->n;
            last->next = take_first(l);
            last = last->next;
        }
    l->running = j;
    if (lane == LANE_READ && is_stream(j))
        started = sp_stream_start(c);
    else
        started = sp_work(&c->server->loop, run_lane, lane_done, j);
    if (started)
        return;
    (void)sp_fail_nomem(&e);
    for (; j != NULL; j = j->next)
        j->error = e;
    lane_done(l->running);
}

static bool
may_start(const struct sp_conn *c, const struct lane *l)
{
    if (l->running != NULL || l->first == NULL)
        return false;
    if (c->channel == NULL)
        return l->first->own == OWN_END;
    /* A reply has its place when those before it are on their way. */
    return l->first->type == SP_MSG_PUT || l->first->type == SP_MSG_NONE ||
           sp_session_queued(sp_channel_session(c->channel)) < SP_OUTPUT_HIGH;
}

void
sp_conn_advance(struct sp_conn *c)
{
    if (c->advancing)
        return;
    c->advancing = true;
    for (int i = 0; i < LANES; i++)
        while (may_start(c, &c->lanes[i]))
            start(c, (enum lane_name)i);
    c->advancing = false;
    sp_conn_settle(c); /* frees c when all is over */
}

/* --- finishing
 * -------------------------------------------------------------------------------------- */

static void
acknowledge(struct sp_conn *c, const struct conn_job *j, struct sp_session *s)
{
    struct sp_err e = {0};

    if (j->durable.data < c->acked.data || j->durable.nodes < c->acked.nodes)
        return;
    c->acked = j->durable;
    c->unsaid_mono = c->acked.data == c->taken.data && c->acked.nodes == c->taken.nodes
                         ? 0
                         : sp_clock_mono(c->server->env->clock);
    /* FLUSHED acknowledges by itself. */
    if (j->type == SP_MSG_FLUSH && j->error.code == SP_OK)
        return;
    if (sp_session_ack(s, j->durable.data, j->durable.nodes, &e) != SP_OK)
        sp_conn_end(c, &e);
}

/* Jobs that the client did not ask: only failures are told. */
static void
finish_silent(struct sp_conn *c, const struct conn_job *j, struct sp_session *s)
{
    struct sp_err e = {0};

    if (j->error.code == SP_OK)
        return;
    if (j->own == OWN_BEGIN) {
        sp_conn_end(c, &j->error);
        return;
    }
    c->puts_over = true;
    sp_conn_log(c, SP_LOG_WARN, "blocks cannot be stored: %s", j->error.text);
    if (sp_session_fail_puts(s, &j->error, &e) != SP_OK && e.code != SP_REFUSED)
        sp_conn_end(c, &e);
}

/* A client that asks for what it cannot have, over and over, does not fill the log. */
static void
tell_refusal(struct sp_conn *c, const struct conn_job *j)
{
    if (c->told >= SP_CONN_TOLD_MAX)
        return;
    c->told++;
    sp_conn_log(c, SP_LOG_WARN, "%s: %s%s", sp_msg_info(j->type)->name, j->error.text,
        c->told == SP_CONN_TOLD_MAX ? " (further refusals of this session are not told)" : "");
}

static void
finish_request(struct sp_conn *c, struct conn_job *j, struct sp_session *s)
{
    struct sp_err e = {0};
    enum sp_code rc;

    if (j->error.code != SP_OK) {
        if (j->error.code != SP_ABSENT && j->error.code != SP_CANCELLED)
            tell_refusal(c, j);
        rc = sp_session_reply_error(s, j->msg.tag, &j->error, &e);
    } else {
        j->reply.tag = j->msg.tag;
        rc = sp_session_reply(s, &j->reply, j->reply_payload, j->reply_n, &e);
        if (rc == SP_OK)
            j->reply_payload = NULL;
    }
    if (rc != SP_OK && rc != SP_REFUSED)
        sp_conn_end(c, &e);
}

void
sp_conn_finish_job(struct conn_job *j)
{
    struct sp_conn *c = j->conn;
    struct sp_session *s = c->channel != NULL ? sp_channel_session(c->channel) : NULL;

    /* Before the reply: its reader may connect with what it got at once. */
    if (j->roster != NULL) {
        sp_server_take_roster(c->server, j->roster);
        j->roster = NULL;
    }
    if (j->note[0] != '\0')
        sp_conn_log(c, SP_LOG_INFO, "%s", j->note);
    if (s != NULL) {
        if (j->has_durable)
            acknowledge(c, j, s);
        if (j->type == SP_MSG_NONE || j->type == SP_MSG_PUT)
            finish_silent(c, j, s);
        else
            finish_request(c, j, s);
        if (c->channel != NULL)
            sp_channel_flush(c->channel);
    }
    job_free(j);
    sp_conn_press_back(c);
}

/* --- dropping
 * --------------------------------------------------------------------------------------- */

void
sp_conn_drop_waiting(struct sp_conn *c, enum lane_name lane)
{
    struct lane *l = &c->lanes[lane];

    while (l->first != NULL) {
        struct conn_job *j = take_first(l);

        l->bytes -= sp_conn_weight(j);
        job_free(j);
    }
}

void
sp_conn_cancel(struct sp_conn *c, uint32_t tag)
{
    struct lane *l = &c->lanes[LANE_READ];
    struct conn_job **at, *j;

    if (l->running != NULL && l->running->msg.tag == tag && is_stream(l->running)) {
        sp_stream_cancel(c);
        return;
    }
    for (at = &l->first; (j = *at) != NULL; at = &j->next) {
        if (j->msg.tag != tag)
            continue;
        if ((*at = j->next) == NULL)
            l->end = at;
        l->bytes -= sp_conn_weight(j);
        (void)sp_fail(&j->error, SP_CANCELLED, SP_DOM_NET, "ended early, as it was asked");
        sp_conn_finish_job(j);
        return;
    }
    /* What runs on a worker, and what stores, goes on to its end: it is soon there. */
}
