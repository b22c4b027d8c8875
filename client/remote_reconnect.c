/* A connection begins, is lost, is made again. See remote_impl.h.
 *
 * After a cut nobody knows which of the unacknowledged blocks are durable. So the first thing said
 * over a new connection is HAVE for all their ids; a block all of whose ids are in our own present
 * packs needs nothing more, the others are put again, and then come the calls that wait for an
 * answer, each at its place. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "client/remote_impl.h"

#define MS INT64_C(1000000)

/* --- beginning -------------------------------------------------------------------------------- */

static enum sp_code
take_conf(struct remote *r, struct sp_frame *f, struct sp_err *e)
{
    struct sp_repository_conf conf;
    enum sp_code rc;

    if ((rc = sp_repository_conf_decode(f->payload, f->payload_len, &conf, e)) != SP_OK) {
        sp_err_context(e, "what it says of its repository");
        return rc;
    }
    if (r->conf == NULL) {
        r->repository = conf;
        r->conf = f->payload;
        r->conf_len = f->payload_len;
        f->payload = NULL;
        f->payload_len = 0;
    } else if (memcmp(r->repository.id, conf.id, sizeof(conf.id)) != 0) {
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "it has another repository than before the connection was lost");
    }
    return SP_OK;
}

static enum sp_code
take_hello(struct remote *r, struct sp_frame *f, struct sp_err *e)
{
    const struct sp_msg *m = &f->msg;
    enum sp_code rc;

    if ((rc = take_conf(r, f, e)) != SP_OK)
        return rc;
    if (r->opened && memcmp(r->hello.server_hello.host, m->server_hello.host, 16) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "it takes this machine for another host than before the connection was lost");
    if (r->opened && m->server_hello.renew_only)
        return sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "the certificate of this host expired during the run; the next run renews it");
    if (!m->server_hello.writable && r->charged > 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "it takes no backups any more: %s",
            m->server_hello.reason[0] != '\0' ? m->server_hello.reason : "it is read-only");
    r->hello = *m;
    return SP_OK;
}

void
sp_remote_begin(struct remote *r, struct sp_frame *hello)
{
    struct sp_err e = {0};

    if (r->failed.code != SP_OK)
        return;
    if (take_hello(r, hello, &e) != SP_OK) {
        sp_err_context(&e, "the server %s", r->target);
        sp_remote_fail(r, &e);
        return;
    }
    if (r->cut_at_ns != 0) {
        r->down_ns += sp_clock_mono(r->env->clock) - r->cut_at_ns;
        r->cut_at_ns = 0;
        (void)snprintf(r->sentence, sizeof(r->sentence), "connected to %s again", r->target);
    }
    r->opened = true;
    r->state = REMOTE_RESUMING;
    r->asked_lane = 0;
    r->asked_at = &r->lanes[0].first;
    sp_cond_broadcast(&r->changed);
}

void
sp_remote_forward(struct remote *r)
{
    r->down_ns = 0;
    r->pause_ms = r->pace.first_ms;
}

/* --- what the server has ---------------------------------------------------------------------- */

/* Whole blocks, as many ids as one question may have. */
static size_t
choose_asked(struct remote *r, size_t *ret_blocks)
{
    size_t ids = 0, blocks = 0;

    for (const struct put_block *b = *r->asked_at; b != NULL && b->tried; b = b->next) {
        if (ids + b->nids > SP_IDS_MAX)
            break;
        ids += b->nids;
        blocks++;
    }
    *ret_blocks = blocks;
    return ids;
}

static enum sp_code
ask(struct remote *r, struct sp_session *s, size_t ids, struct sp_err *e)
{
    struct sp_msg m = {.type = SP_MSG_HAVE, .have = {.nodes = r->asked_lane == LANE_NODES}};
    const struct put_block *b = *r->asked_at;
    uint8_t *payload = malloc(ids * SP_ID_SIZE), *to = payload;
    enum sp_code rc;

    if (payload == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < r->asked; i++, b = b->next) {
        memcpy(to, b->ids, b->nids * SP_ID_SIZE);
        to += b->nids * SP_ID_SIZE;
    }
    rc = sp_session_request(s, &m, payload, ids * SP_ID_SIZE, &r->have_tag, e);
    if (rc != SP_OK)
        free(payload);
    return rc;
}

void
sp_remote_resume(struct remote *r, struct sp_session *s)
{
    struct sp_err e = {0};
    size_t ids;

    if (r->have_tag != 0)
        return;
    while ((ids = choose_asked(r, &r->asked)) == 0) {
        if (++r->asked_lane == LANES) {
            r->state = REMOTE_LIVE;
            /* Nobody waits for anything: nothing can go forward, and nothing is late. */
            if (r->calls == NULL && r->charged == 0)
                sp_remote_forward(r);
            return;
        }
        r->asked_at = &r->lanes[r->asked_lane].first;
    }
    if (ask(r, s, ids, &e) != SP_OK && !sp_session_is_closed(s))
        sp_remote_fail(r, &e);
}

/* The session has checked that there is one answer to each id. */
void
sp_remote_resumed(struct remote *r, const struct sp_frame *answer)
{
    struct lane *l = &r->lanes[r->asked_lane];
    const uint8_t *p = answer->payload;

    r->have_tag = 0;
    for (; r->asked > 0; r->asked--) {
        struct put_block *b = *r->asked_at;
        bool there = true;

        for (size_t i = 0; i < b->nids; i++)
            there = there && p[i] == SP_HAVE_MINE;
        p += b->nids;
        if (there) {
            sp_remote_drop(r, l, r->asked_at);
            sp_remote_forward(r);
        } else {
            r->asked_at = &b->next;
        }
    }
}

/* --- losing it -------------------------------------------------------------------------------- */

/* What trying again does not change. Of our own side's failures only these: the others are what a
 * network that goes up and down can say. */
static bool
is_final(enum sp_code code, bool by_peer)
{
    switch (code) {
    case SP_AUTH:
    case SP_PROTOCOL:
    case SP_UNSUPPORTED:
    case SP_REFUSED:
        return true;
    case SP_NOMEM:
    case SP_INTERNAL:
        return !by_peer;
    case SP_OK:
    case SP_UNREACHABLE:
    case SP_TIMEOUT:
    case SP_BUSY:
    case SP_IO:
    case SP_CANCELLED:
        return false;
    default:
        return by_peer;
    }
}

static void
forget_connection(struct remote *r)
{
    struct call *c, *next;

    r->state = REMOTE_DOWN;
    r->have_tag = r->flush_tag = 0;
    r->asked = 0;
    sp_remote_lanes_rewind(r);
    for (c = r->calls; c != NULL; c = next) {
        next = c->next;
        if (c->sent && c->once) {
            c->lost = true;
            sp_call_finish(r, c, NULL);
        }
        c->sent = false;
        c->tag = 0;
    }
}

enum sp_code
sp_remote_unreachable(struct sp_err *e, const char *target, const char *hint)
{
    struct sp_err why = *e;
    const char *text = why.text, *colon;

    /* "cannot connect to HOST:PORT: connection refused" says the half of it already. */
    if (strncmp(text, "cannot connect to ", 18) == 0 &&
        strncmp(text + 18, target, strlen(target)) == 0 &&
        (colon = strstr(text + 18 + strlen(target), ": ")) != NULL)
        text = colon + 2;
    return sp_fail(e, why.code, SP_DOM_NET, "cannot reach %s: %s; %s", target, text, hint);
}

/* The first connection, or one that cannot be had again. */
static void
give_up(struct remote *r, const struct sp_err *why)
{
    struct sp_err e = *why;

    if (!r->opened && (why->code == SP_UNREACHABLE || why->code == SP_TIMEOUT))
        (void)sp_remote_unreachable(
            &e, r->target, "is stillpointd running there, and is the address right?");
    else
        sp_err_context(&e, "the server %s", r->target);
    sp_remote_fail(r, &e);
}

static uint32_t
jittered(struct remote *r, uint32_t ms)
{
    uint8_t byte = 128;
    struct sp_err ignored = {0};

    /* Without: machines that were cut off together come back together, no more. */
    (void)sp_random_fill(r->env->random, &byte, 1, &ignored);
    return (uint32_t)((uint64_t)ms * (384u + byte) / 512u); /* three quarters to five quarters */
}

static void
pause_then_connect(struct remote *r, const struct sp_err *why)
{
    int64_t limit = (r->o.retry_ms != 0 ? r->o.retry_ms : 600000u) * MS;
    int64_t left = limit - r->down_ns - (sp_clock_mono(r->env->clock) - r->cut_at_ns);
    uint32_t pause = jittered(r, r->pause_ms);
    struct sp_err e = {0};

    if (left <= 0) {
        (void)sp_fail(&e, SP_UNREACHABLE, SP_DOM_NET,
            "the connection to the server %s is lost and could not be had again for %s: %s",
            r->target, sp_text_duration(limit).s, why->text);
        sp_remote_fail(r, &e);
        return;
    }
    if (pause * MS > left)
        pause = (uint32_t)(left / MS) + 1;
    r->pause_ms = r->pause_ms > r->pace.longest_ms / 2 ? r->pace.longest_ms : 2 * r->pause_ms;
    sp_remote_sleep(r, pause);
}

void
sp_remote_lost(struct remote *r, const struct sp_err *why, bool by_peer)
{
    struct sp_err e = *why;

    if (e.code == SP_OK)
        (void)sp_fail(&e, SP_UNREACHABLE, SP_DOM_NET, "the server ended the connection");
    if (r->stopping || r->failed.code != SP_OK)
        return;
    forget_connection(r);
    if (r->restart) { /* with the new certificate */
        r->restart = r->opened = false;
        if (sp_remote_connect(r, &e) == SP_OK)
            return;
    }
    if (!r->opened || is_final(e.code, by_peer)) {
        give_up(r, &e);
        return;
    }
    if (r->cut_at_ns == 0) {
        r->cut_at_ns = sp_clock_mono(r->env->clock);
        (void)snprintf(r->sentence, sizeof(r->sentence),
            "the connection to %s was lost (%s); trying again", r->target, e.text);
    }
    pause_then_connect(r, &e);
}
