#include "storage/sftp_conn.h"

#include <stdlib.h>

#include "base/clock.h"

struct sp_sftp_conn {
    struct sp_mutex lock;
    struct sp_cond changed; /* a job is over, the session is ready or has ended */
    struct sp_sftp_session *session;
    struct sp_sftp_link *link;
    bool started;
};

static enum sp_code
ended(struct sp_sftp_conn *c, struct sp_err *e)
{
    const struct sp_err *why = sp_sftp_session_ended(c->session);

    if (why == NULL)
        return SP_OK;
    *e = *why;
    return e->code;
}

enum sp_code
sp_sftp_conn_ready(struct sp_sftp_conn *c, uint32_t timeout_ms, struct sp_err *e)
{
    int64_t ms = 1000000, now = sp_clock_mono(&sp_clock_system), until = now + timeout_ms * ms;
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    while ((rc = ended(c, e)) == SP_OK && !sp_sftp_ready(c->session)) {
        now = sp_clock_mono(&sp_clock_system);
        if (now >= until) {
            rc = sp_fail(e, SP_TIMEOUT, SP_DOM_STORE,
                "the SFTP server does not say its version within %u seconds",
                (unsigned)(timeout_ms / 1000));
            break;
        }
        (void)sp_cond_wait_ms(&c->changed, &c->lock, (uint32_t)((until - now + ms - 1) / ms));
    }
    sp_mutex_unlock(&c->lock);
    return rc;
}

enum sp_code
sp_sftp_conn_begin(struct sp_sftp_link *l, struct sp_sftp_conn **ret, struct sp_err *e)
{
    struct sp_sftp_conn *c = calloc(1, sizeof(*c));
    enum sp_code rc;

    if (c == NULL) {
        l->ops->free(l);
        return sp_fail_nomem(e);
    }
    sp_mutex_init(&c->lock);
    sp_cond_init(&c->changed);
    c->link = l;
    if ((rc = sp_sftp_session_new(&c->session, e)) != SP_OK ||
        (rc = l->ops->start(l, c, e)) != SP_OK)
        goto out;
    c->started = true;
    *ret = c;
    c = NULL;
out:
    sp_sftp_conn_free(c);
    return rc;
}

enum sp_code
sp_sftp_conn_new(
    struct sp_sftp_link *l, uint32_t timeout_ms, struct sp_sftp_conn **ret, struct sp_err *e)
{
    struct sp_sftp_conn *c;
    enum sp_code rc = sp_sftp_conn_begin(l, &c, e);

    if (rc != SP_OK)
        return rc;
    if ((rc = sp_sftp_conn_ready(c, timeout_ms, e)) == SP_OK)
        *ret = c;
    else
        sp_sftp_conn_free(c);
    return rc;
}

void
sp_sftp_conn_free(struct sp_sftp_conn *c)
{
    struct sp_err why = {0};

    if (c == NULL)
        return;
    if (c->started) {
        sp_fail(&why, SP_CANCELLED, SP_DOM_SELF, "the connection to the SFTP server was closed");
        sp_sftp_conn_end(c, &why);
    }
    c->link->ops->free(c->link);
    if (c->session != NULL) {
        sp_mutex_lock(&c->lock);
        sp_sftp_sent(c->session, 0); /* what the link had in its hands when it ended */
        sp_mutex_unlock(&c->lock);
        sp_sftp_session_free(c->session);
    }
    sp_cond_destroy(&c->changed);
    sp_mutex_destroy(&c->lock);
    free(c);
}

void
sp_sftp_conn_lock(struct sp_sftp_conn *c)
{
    sp_mutex_lock(&c->lock);
}

void
sp_sftp_conn_unlock(struct sp_sftp_conn *c)
{
    sp_mutex_unlock(&c->lock);
}

struct sp_sftp_session *
sp_sftp_conn_session(struct sp_sftp_conn *c)
{
    return c->session;
}

void
sp_sftp_conn_submit(struct sp_sftp_conn *c, struct sp_sftp_request *q)
{
    sp_sftp_submit(c->session, q);
    c->link->ops->kick(c->link);
}

void
sp_sftp_conn_wait(struct sp_sftp_conn *c)
{
    sp_cond_wait(&c->changed, &c->lock);
}

void
sp_sftp_conn_wake(struct sp_sftp_conn *c)
{
    sp_cond_broadcast(&c->changed);
}

struct call {
    struct sp_sftp_conn *c;
    bool over;
};

static void
call_done(struct sp_sftp_request *q)
{
    struct call *call = q->arg;

    call->over = true;
    sp_sftp_conn_wake(call->c);
}

enum sp_code
sp_sftp_conn_call(struct sp_sftp_conn *c, struct sp_sftp_request *q, struct sp_err *e)
{
    struct call call = {c, false};

    q->done = call_done;
    q->arg = &call;
    sp_mutex_lock(&c->lock);
    sp_sftp_conn_submit(c, q);
    while (!call.over)
        sp_sftp_conn_wait(c);
    sp_mutex_unlock(&c->lock);
    q->arg = NULL;
    if (q->error.code != SP_OK)
        *e = q->error;
    return q->error.code;
}

void
sp_sftp_conn_end(struct sp_sftp_conn *c, const struct sp_err *why)
{
    sp_mutex_lock(&c->lock);
    sp_sftp_session_end(c->session, why);
    sp_sftp_conn_wake(c);
    c->link->ops->kick(c->link);
    sp_mutex_unlock(&c->lock);
}

enum sp_code
sp_sftp_conn_state(struct sp_sftp_conn *c, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    rc = ended(c, e);
    sp_mutex_unlock(&c->lock);
    return rc;
}

/* --- for links ------------------------------------------------------------------------------ */

enum sp_code
sp_sftp_conn_feed(struct sp_sftp_conn *c, const void *p, size_t n)
{
    struct sp_err e = {0};
    enum sp_code rc;
    bool ready;

    sp_mutex_lock(&c->lock);
    ready = sp_sftp_ready(c->session);
    rc = sp_sftp_feed(c->session, p, n, &e);
    if (rc != SP_OK || ready != sp_sftp_ready(c->session))
        sp_sftp_conn_wake(c);
    if (!ready) /* the session may have to ask something of its own */
        c->link->ops->kick(c->link);
    sp_mutex_unlock(&c->lock);
    return rc;
}

struct sp_span
sp_sftp_conn_take(struct sp_sftp_conn *c)
{
    struct sp_span view;

    sp_mutex_lock(&c->lock);
    view = sp_sftp_take(c->session);
    sp_mutex_unlock(&c->lock);
    return view;
}

void
sp_sftp_conn_sent(struct sp_sftp_conn *c, size_t n)
{
    sp_mutex_lock(&c->lock);
    sp_sftp_sent(c->session, n);
    sp_mutex_unlock(&c->lock);
}

void
sp_sftp_conn_lost(struct sp_sftp_conn *c, const struct sp_err *why)
{
    sp_mutex_lock(&c->lock);
    sp_sftp_session_end(c->session, why);
    sp_sftp_sent(c->session, 0); /* the link's own view is gone with it */
    sp_sftp_conn_wake(c);
    sp_mutex_unlock(&c->lock);
}

bool
sp_sftp_conn_busy(struct sp_sftp_conn *c)
{
    bool busy;

    sp_mutex_lock(&c->lock);
    busy = sp_sftp_session_ended(c->session) == NULL &&
           (!sp_sftp_ready(c->session) || sp_sftp_under_way(c->session) > 0);
    sp_mutex_unlock(&c->lock);
    return busy;
}
