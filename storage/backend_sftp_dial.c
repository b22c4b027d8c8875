/* Connecting, and connecting again; see backend_sftp.h.
 *
 * An outage begins when the last connection is lost, and ends when the server has answered a
 * request (not when a login worked: a server that takes logins and then hangs up is still out).
 * Whoever needs a connection and finds none becomes the one who dials; the others wait. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"

#define READY_MS 60000u     /* from the link to the first answer of its server */
#define LOOK_MS 100u        /* how soon a stop is seen */
#define FIRST_PAUSE_MS 500u /* then twice as long each time, … */
#define LAST_PAUSE_MS 60000u

/* --- stopping -------------------------------------------------------------------------------- */

bool
sp_sftp_stopped(struct sp_sftp_store *s)
{
    if (s->o.stop != NULL && s->o.stop(s->o.arg))
        atomic_store(&s->stopped, true);
    return atomic_load(&s->stopped);
}

enum sp_code
sp_sftp_fail_stopped(const struct sp_sftp_store *s, struct sp_err *e)
{
    return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "the work with %s was interrupted", s->o.address);
}

void
sp_sftp_notice(const struct sp_sftp_store *s, const char *sentence)
{
    if (s->o.notice != NULL)
        s->o.notice(s->o.arg, sentence);
}

/* --- one more connection --------------------------------------------------------------------- */

static enum sp_code
fail_moved(const struct sp_sftp_store *s, const char *to, struct sp_err *e)
{
    return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
        "on %s the folder %s is now another than before (%s instead of %s); is the right volume "
        "mounted there? Nothing more is written to it",
        s->o.address, s->o.path, to, s->root);
}

/* Where the path leads, on this connection; whether the repository is there. */
static enum sp_code
set_up(struct sp_sftp_store *s, struct sp_sftp_conn *c, struct sp_err *e)
{
    struct sp_sftp_request q[3] = {{.type = SP_SFTP_REALPATH, .path = s->o.path},
        {.type = SP_SFTP_LSTAT}, {.type = SP_SFTP_LSTAT}};
    char *tmp = NULL, *conf = NULL;
    enum sp_code rc;

    if (!s->settled)
        return SP_OK; /* opening looks by itself */
    if ((rc = sp_sftp_path(s, SP_FOLDER_TMP, &tmp, e)) != SP_OK ||
        (rc = sp_sftp_path(s, SP_FOLDER_CONF, &conf, e)) != SP_OK)
        goto out;
    q[1].path = tmp;
    q[2].path = conf;
    sp_sftp_call_all(c, q, 3);
    if ((rc = q[0].error.code) != SP_OK)
        *e = q[0].error;
    else if (strcmp(q[0].resolved, s->root) != 0)
        rc = fail_moved(s, q[0].resolved, e);
    else if (q[1].error.code == SP_ABSENT && q[2].error.code == SP_ABSENT)
        rc = sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE,
            "there is no repository in %s on %s any more; is its volume still mounted?", s->root,
            s->o.address);
out:
    free(q[0].resolved);
    free(tmp);
    free(conf);
    return rc;
}

/* Shows the connection to whoever stops the run; NULL: no longer. */
static void
show_fresh(struct sp_sftp_store *s, struct sp_sftp_conn *c)
{
    struct sp_err why = {0};

    sp_mutex_lock(&s->pool.lock);
    s->pool.fresh = c;
    if (c != NULL && (s->pool.closing || sp_sftp_stopped(s))) {
        (void)sp_sftp_fail_stopped(s, &why);
        sp_sftp_conn_end(c, &why);
    }
    sp_mutex_unlock(&s->pool.lock);
}

enum sp_code
sp_sftp_connect_one(struct sp_sftp_store *s, struct sp_sftp_lane **ret, struct sp_err *e)
{
    struct sp_sftp_lane *lane = calloc(1, sizeof(*lane));
    struct sp_sftp_link *link;
    enum sp_code rc;

    if (lane == NULL)
        return sp_fail_nomem(e);
    if ((rc = s->o.connect(s->o.arg, &link, e)) != SP_OK)
        goto out;
    if ((rc = sp_sftp_conn_begin(link, &lane->c, e)) != SP_OK)
        goto out;
    show_fresh(s, lane->c);
    if ((rc = sp_sftp_conn_ready(lane->c, READY_MS, e)) == SP_OK)
        rc = set_up(s, lane->c, e);
    show_fresh(s, NULL);
    if (rc != SP_OK)
        goto out;
    *ret = lane;
    lane = NULL;
out:
    if (lane != NULL) {
        if (lane->c != NULL)
            sp_sftp_conn_free(lane->c);
        free(lane);
    }
    return rc;
}

/* The pool's lock is held. */
void
sp_sftp_add_lane(struct sp_sftp_pool *p, struct sp_sftp_lane *lane)
{
    p->lanes[p->n++] = lane;
    sp_cond_broadcast(&p->changed);
}

/* --- after an outage ------------------------------------------------------------------------- */

/* The pool's lock is held. Another try may help, or nothing will. */
void
sp_sftp_judge(struct sp_sftp_store *s, const struct sp_err *why)
{
    struct sp_sftp_pool *p = &s->pool;

    p->why = *why;
    switch (why->code) {
    case SP_UNREACHABLE:
    case SP_TIMEOUT:
    case SP_IO:
    case SP_BUSY:
    case SP_ABSENT:
    case SP_NOMEM:
        return;
    case SP_AUTH: /* a server that is just starting may not know its users yet */
        if (p->refused++ == 0)
            return;
        break;
    case SP_PROTOCOL: /* a bit that fell over, or a server that will do it again */
        if (p->broken++ == 0)
            return;
        break;
    case SP_CANCELLED:
        if (!sp_sftp_stopped(s))
            return;
        break;
    default:
        break;
    }
    if (p->over.code == SP_OK)
        p->over = *why;
}

static enum sp_code
fail_patience(struct sp_sftp_store *s, struct sp_err *e)
{
    struct sp_err why = s->pool.why;

    return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET,
        "the connection to %s was lost and could not be made again for %s: %s", s->o.address,
        sp_text_duration((int64_t)s->o.patience_ms * 1000000).s, why.text);
}

static uint32_t
pause_of(const struct sp_sftp_store *s, unsigned tries)
{
    uint32_t most = LAST_PAUSE_MS, random = 0;
    struct sp_err ignored;

    if (tries == 0)
        return 0;
    if (tries <= 7)
        most = FIRST_PAUSE_MS << (tries - 1);
    if (most > LAST_PAUSE_MS)
        most = LAST_PAUSE_MS;
    /* So that all who lost the same server do not come back at the same moment. Without randomness
     * they do. */
    (void)sp_random_fill(s->env.random, &random, sizeof(random), &ignored);
    return most / 2 + random % (most / 2 + 1);
}

/* The pool's lock is held, and let go in the meantime. */
static void
pause_before(struct sp_sftp_store *s)
{
    struct sp_sftp_pool *p = &s->pool;
    int64_t now = sp_clock_mono(s->env.clock), until;

    if (p->tries == 0)
        p->since_ns = now;
    if (now - p->since_ns > (int64_t)s->o.patience_ms * 1000000) {
        (void)fail_patience(s, &p->over);
        return;
    }
    until = now + (int64_t)pause_of(s, p->tries) * 1000000;
    while (now < until && !p->closing && !sp_sftp_stopped(s)) {
        int64_t left_ms = (until - now) / 1000000 + 1;

        (void)sp_cond_wait_ms(
            &p->changed, &p->lock, left_ms < (int64_t)LOOK_MS ? (uint32_t)left_ms : LOOK_MS);
        now = sp_clock_mono(s->env.clock);
    }
}

/* The pool's lock is held, and let go in the meantime. */
void
sp_sftp_dial(struct sp_sftp_store *s)
{
    struct sp_sftp_pool *p = &s->pool;
    struct sp_sftp_lane *lane = NULL;
    struct sp_err e = {0};
    enum sp_code rc;

    p->dialling = true;
    pause_before(s);
    if (p->over.code == SP_OK && !p->closing && !sp_sftp_stopped(s)) {
        /* The first try may heal it before anybody would want to read of it. */
        bool tell = p->tries == 1 && !p->told;
        struct sp_err why = p->why;

        p->told = p->told || tell;
        p->tries++;
        sp_mutex_unlock(&p->lock);
        if (tell) {
            struct sp_buf b = SP_BUF_INIT;

            sp_buf_printf(&b,
                "the connection to %s was lost (%s); trying to connect again for up to %s",
                s->o.address, why.text, sp_text_duration((int64_t)s->o.patience_ms * 1000000).s);
            sp_sftp_notice(s, sp_buf_str(&b));
            sp_buf_free(&b);
        }
        rc = sp_sftp_connect_one(s, &lane, &e);
        sp_mutex_lock(&p->lock);
        if (rc == SP_OK)
            sp_sftp_add_lane(p, lane);
        else
            sp_sftp_judge(s, &e);
    }
    p->dialling = false;
    sp_cond_broadcast(&p->changed);
}
