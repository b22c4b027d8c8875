/* The connections of the sftp backend: one to begin with, more under load; see backend_sftp.h. The
 * pool's own thread connects for more, and ends everything when the run is stopped. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 100u       /* how soon a stop is seen */
#define FIRST_WAIT_MS 400u /* before the first connection is tried again, then twice as long */
#define LAST_WAIT_MS 800u
#define WORTH ((uint64_t)8 << 20) /* one more connection pays after so many bytes over each */

/* The pool's lock is held. */
static void
end_all(struct sp_sftp_store *s)
{
    struct sp_err why = {0};

    (void)sp_sftp_fail_stopped(s, &why);
    for (unsigned i = 0; i < s->pool.n; i++)
        sp_sftp_conn_end(s->pool.lanes[i]->c, &why);
    if (s->pool.fresh != NULL)
        sp_sftp_conn_end(s->pool.fresh, &why);
}

static void
lane_free(struct sp_sftp_lane *lane)
{
    sp_sftp_conn_free(lane->c);
    free(lane);
}

/* The pool's lock is held; gives the lane when nobody uses it any more. */
static struct sp_sftp_lane *
take_out(struct sp_sftp_pool *p, struct sp_sftp_lane *lane)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->lanes[i] == lane) {
            p->lanes[i] = p->lanes[--p->n];
            lane->out = true;
            return lane->users == 0 ? lane : NULL;
        }
    return NULL;
}

/* --- the pool's own thread ------------------------------------------------------------------- */

/* The pool's lock is held, and let go in the meantime. */
static void
grow(struct sp_sftp_store *s)
{
    struct sp_sftp_pool *p = &s->pool;
    struct sp_sftp_lane *lane = NULL;
    struct sp_err ignored = {0};

    p->grow = false;
    if (p->n == 0 || p->n >= p->limit || p->dialling)
        return;
    p->dialling = true;
    sp_mutex_unlock(&p->lock);
    (void)sp_sftp_connect_one(s, &lane, &ignored);
    sp_mutex_lock(&p->lock);
    p->dialling = false;
    if (lane != NULL)
        sp_sftp_add_lane(p, lane);
    else if (p->n > 0)
        p->limit = p->n; /* it allows no more (MaxSessions, MaxStartups): these will do */
    sp_cond_broadcast(&p->changed);
}

static void
tend(void *arg)
{
    struct sp_sftp_store *s = arg;
    struct sp_sftp_pool *p = &s->pool;
    bool ended = false;

    sp_mutex_lock(&p->lock);
    while (!p->closing) {
        if (sp_sftp_stopped(s) && !ended) {
            end_all(s);
            ended = true;
            sp_cond_broadcast(&p->changed);
        }
        if (p->grow && !ended)
            grow(s);
        else if (s->o.stop != NULL && !ended)
            (void)sp_cond_wait_ms(&p->changed, &p->lock, LOOK_MS);
        else
            sp_cond_wait(&p->changed, &p->lock);
    }
    sp_mutex_unlock(&p->lock);
}

/* A line that breaks, or a server that starts anew, is given a moment. One that is not there at
 * all, or is misspelt, is told soon: patience is for a run that has begun. */
static enum sp_code
connect_first(struct sp_sftp_store *s, struct sp_sftp_lane **ret, struct sp_err *e)
{
    uint32_t wait_ms;
    enum sp_code rc = sp_sftp_connect_one(s, ret, e);

    for (wait_ms = FIRST_WAIT_MS; rc == SP_UNREACHABLE && wait_ms <= LAST_WAIT_MS; wait_ms *= 2) {
        sp_mutex_lock(&s->pool.lock);
        for (uint32_t ms = 0; ms < wait_ms && !sp_sftp_stopped(s); ms += LOOK_MS)
            (void)sp_cond_wait_ms(&s->pool.changed, &s->pool.lock, LOOK_MS);
        sp_mutex_unlock(&s->pool.lock);
        if (sp_sftp_stopped(s))
            return sp_sftp_fail_stopped(s, e);
        rc = sp_sftp_connect_one(s, ret, e);
    }
    return rc;
}

enum sp_code
sp_sftp_pool_begin(struct sp_sftp_store *s, struct sp_err *e)
{
    struct sp_sftp_pool *p = &s->pool;
    struct sp_sftp_lane *lane;
    enum sp_code rc;

    p->limit = s->o.connections < SP_SFTP_LANES_MAX ? s->o.connections : SP_SFTP_LANES_MAX;
    /* First the thread: it is who sees a stop while the first connection is made. */
    if ((rc = sp_thread_start("sftp pool", tend, s, &p->thread, e)) != SP_OK ||
        (rc = connect_first(s, &lane, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&p->lock);
    sp_sftp_add_lane(p, lane);
    sp_mutex_unlock(&p->lock);
    return SP_OK;
}

void
sp_sftp_pool_close(struct sp_sftp_store *s)
{
    struct sp_sftp_pool *p = &s->pool;

    sp_mutex_lock(&p->lock);
    p->closing = true;
    end_all(s);
    sp_cond_broadcast(&p->changed);
    sp_mutex_unlock(&p->lock);
}

void
sp_sftp_pool_end(struct sp_sftp_store *s)
{
    struct sp_sftp_pool *p = &s->pool;

    sp_thread_join(p->thread);
    while (p->n > 0)
        lane_free(p->lanes[--p->n]);
}

/* --- users ----------------------------------------------------------------------------------- */

/* The pool's lock is held. The living lane with the fewest users; NULL: none lives. */
static struct sp_sftp_lane *
choose(struct sp_sftp_pool *p)
{
    struct sp_sftp_lane *best = NULL;

    for (unsigned i = 0; i < p->n; i++)
        if (best == NULL || p->lanes[i]->users < best->users)
            best = p->lanes[i];
    if (best != NULL && best->users > 0 && p->n < p->limit && !p->grow &&
        p->carried >= WORTH * p->n) {
        p->grow = true;
        sp_cond_broadcast(&p->changed);
    }
    return best;
}

/* The pool's lock is held. Takes out what has died unseen; what must be freed without the lock. */
static struct sp_sftp_lane *
prune(struct sp_sftp_store *s)
{
    struct sp_sftp_pool *p = &s->pool;

    for (unsigned i = 0; i < p->n; i++) {
        struct sp_err why = {0};
        struct sp_sftp_lane *lane = p->lanes[i];

        if (sp_sftp_conn_state(lane->c, &why) == SP_OK)
            continue;
        sp_sftp_judge(s, &why);
        if ((lane = take_out(p, lane)) != NULL)
            return lane;
        i--;
    }
    return NULL;
}

enum sp_code
sp_sftp_lane_get(struct sp_sftp_store *s, struct sp_sftp_lane **ret, struct sp_err *e)
{
    struct sp_sftp_pool *p = &s->pool;
    struct sp_sftp_lane *lane = NULL, *dead;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&p->lock);
    while (rc == SP_OK && lane == NULL) {
        while ((dead = prune(s)) != NULL) {
            sp_mutex_unlock(&p->lock);
            lane_free(dead);
            sp_mutex_lock(&p->lock);
        }
        if (p->closing || sp_sftp_stopped(s)) {
            rc = sp_sftp_fail_stopped(s, e);
        } else if (p->over.code != SP_OK) {
            *e = p->over;
            rc = e->code;
        } else if ((lane = choose(p)) != NULL) {
            lane->users++;
        } else if (!p->dialling) {
            sp_sftp_dial(s);
        } else {
            (void)sp_cond_wait_ms(&p->changed, &p->lock, LOOK_MS);
        }
    }
    sp_mutex_unlock(&p->lock);
    if (rc == SP_OK)
        *ret = lane;
    return rc;
}

struct sp_sftp_lane *
sp_sftp_lane_living(struct sp_sftp_store *s)
{
    struct sp_sftp_lane *lane;

    sp_mutex_lock(&s->pool.lock);
    if ((lane = choose(&s->pool)) != NULL)
        lane->users++;
    sp_mutex_unlock(&s->pool.lock);
    return lane;
}

bool
sp_sftp_lane_lost(struct sp_sftp_store *s, struct sp_sftp_lane *lane, struct sp_err *e)
{
    struct sp_sftp_pool *p = &s->pool;
    struct sp_err why = {0};

    if (sp_sftp_conn_state(lane->c, &why) == SP_OK)
        return false;
    sp_mutex_lock(&p->lock);
    if (!lane->out) {
        sp_sftp_judge(s, &why);
        (void)take_out(p, lane);
    }
    sp_mutex_unlock(&p->lock);
    if (sp_sftp_stopped(s))
        (void)sp_sftp_fail_stopped(s, e);
    return true;
}

void
sp_sftp_lane_put(struct sp_sftp_store *s, struct sp_sftp_lane *lane, bool answered)
{
    struct sp_sftp_pool *p = &s->pool;
    bool told = false, last;

    sp_mutex_lock(&p->lock);
    last = --lane->users == 0 && lane->out;
    if (answered) {
        told = p->told;
        p->tries = p->refused = p->broken = 0;
        p->told = false;
    }
    sp_mutex_unlock(&p->lock);
    if (last)
        lane_free(lane);
    if (told) {
        struct sp_buf b = SP_BUF_INIT;

        sp_buf_printf(&b, "connected to %s again", s->o.address);
        sp_sftp_notice(s, sp_buf_str(&b));
        sp_buf_free(&b);
    }
}

void
sp_sftp_carried(struct sp_sftp_store *s, uint64_t n)
{
    sp_mutex_lock(&s->pool.lock);
    s->pool.carried += n;
    sp_mutex_unlock(&s->pool.lock);
}
