/* The life of a connection: see conn.h. */

#include "server/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define MS INT64_C(1000000)

void
sp_conn_log(struct sp_conn *c, enum sp_log_level level, const char *fmt, ...)
{
    char text[768];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    sp_log(c->server->log, level, "%s: %s", c->who, text);
}

enum sp_code
sp_conn_new(struct sp_server *s, struct sp_channel *channel, struct sp_conn **ret, struct sp_err *e)
{
    struct sp_conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return sp_fail_nomem(e);
    c->server = s;
    c->channel = channel;
    for (int i = 0; i < LANES; i++)
        c->lanes[i].end = &c->lanes[i].first;
    sp_stream_init(&c->stream);
    c->next = s->conns;
    c->link = &s->conns;
    if (c->next != NULL)
        c->next->link = &c->next;
    s->conns = c;
    *ret = c;
    return SP_OK;
}

static void
conn_free(struct sp_conn *c)
{
    struct sp_server *s = c->server;

    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    sp_stream_destroy(&c->stream);
    free(c);
    sp_server_conn_gone(s);
}

/* --- beginning
 * -------------------------------------------------------------------------------------- */

static unsigned
sessions_of(const struct sp_server *s, const uint8_t host[16])
{
    unsigned n = 0;

    for (const struct sp_conn *c = s->conns; c != NULL; c = c->next)
        if (c->begun && memcmp(c->host, host, sizeof(c->host)) == 0)
            n++;
    return n;
}

/* Over a limit: the client is told with the hello. */
static enum sp_code
check_limits(struct sp_conn *c, struct sp_err *e)
{
    const struct sp_server_config *o = &c->server->home.config;

    if (c->server->nsessions >= o->sessions_max)
        return sp_fail(e, SP_BUSY, SP_DOM_STORE, "the server has its %u sessions; try again later",
            o->sessions_max);
    if (sessions_of(c->server, c->host) >= o->host_sessions_max)
        return sp_fail(e, SP_BUSY, SP_DOM_STORE,
            "this host has its %u sessions with the server; try again later", o->host_sessions_max);
    return SP_OK;
}

static void
fill_hello(const struct sp_conn *c, struct sp_session_options *o)
{
    struct sp_msg *m = &o->hello;
    struct sp_err never = {0}; /* it is a word, and the first */

    memset(o, 0, sizeof(*o));
    m->type = SP_MSG_SERVER_HELLO;
    (void)snprintf(
        m->server_hello.program, sizeof(m->server_hello.program), "stillpointd %s", SP_VERSION);
    m->server_hello.time_ns = sp_clock_wall(c->server->env->clock);
    if (c->service != SP_SERVICE_NORMAL)
        return;
    memcpy(m->server_hello.host, c->host, sizeof(c->host));
    memcpy(m->server_hello.host_name, c->host_name, sizeof(c->host_name));
    m->server_hello.has_group = true;
    memcpy(m->server_hello.group, c->group, sizeof(c->group));
    m->server_hello.writable = true;
    m->server_hello.put_credit = c->server->put_credit;
    (void)sp_features_add(&m->server_hello.features, SP_FEATURE_COMPLETIONS, &never);
    o->hello_payload = c->server->conf;
    o->hello_payload_len = c->server->conf_len;
}

/* Who it is: by the certificate's fingerprint alone. */
static enum sp_code
recognise(struct sp_conn *c, const struct sp_tls_peer *peer, struct sp_err *e)
{
    const struct sp_state_certificate *known =
        sp_roster_find(c->server->roster, peer->cert.fingerprint);

    if (known == NULL || known->revoked) /* since the handshake looked */
        return sp_fail(e, SP_AUTH, SP_DOM_STORE, "this host was revoked on the server");
    memcpy(c->fingerprint, known->fingerprint, sizeof(c->fingerprint));
    memcpy(c->host, known->host, sizeof(c->host));
    memcpy(c->group, known->group, sizeof(c->group));
    memcpy(c->host_name, known->name, sizeof(c->host_name));
    (void)snprintf(c->who, sizeof(c->who), "%s %s", c->host_name, c->address);
    return SP_OK;
}

static void
on_secured(struct sp_channel *channel, void *arg)
{
    struct sp_conn *c = arg;
    const struct sp_tls_peer *peer = sp_channel_peer(channel);
    struct sp_session_options o;
    struct sp_err e = {0}, full = {0};
    enum sp_code rc = SP_OK;

    (void)snprintf(c->address, sizeof(c->address), "%s", sp_channel_address(channel));
    (void)snprintf(c->who, sizeof(c->who), "enrolment %s", c->address);
    c->service = peer->service;
    if (c->service == SP_SERVICE_NORMAL)
        rc = recognise(c, peer, &e);
    if (rc == SP_OK && c->service == SP_SERVICE_NORMAL)
        (void)check_limits(c, &full);
    if (rc == SP_OK) {
        fill_hello(c, &o);
        rc = sp_channel_start(channel, &o, &e);
    }
    if (rc != SP_OK) {
        sp_channel_close(channel, &e);
    } else if (full.code != SP_OK) {
        sp_conn_log(c, SP_LOG_WARN, "refused: %s", full.text);
        sp_channel_close(channel, &full);
    } else if (c->service == SP_SERVICE_NORMAL) {
        c->begun = true;
        c->server->nsessions++;
    }
}

static void
on_ready(struct sp_conn *c, const struct sp_msg *hello)
{
    struct sp_err e = {0};

    c->ready = true;
    c->heard_mono = sp_clock_mono(c->server->env->clock);
    memcpy(c->program, hello->client_hello.program, sizeof(c->program));
    if (c->service != SP_SERVICE_NORMAL)
        return;
    c->completions = sp_features_have(&hello->client_hello.features, SP_FEATURE_COMPLETIONS);
    if (hello->client_hello.has_group &&
        memcmp(hello->client_hello.group, c->group, sizeof(c->group)) != 0) {
        (void)sp_fail(&e, SP_REFUSED, SP_DOM_STORE,
            "the client has keys of another key group than the server has for host %s",
            c->host_name);
        sp_conn_end(c, &e);
        return;
    }
    sp_conn_log(c, SP_LOG_INFO, "connected with %s", c->program);
    sp_conn_own_job(c, OWN_BEGIN);
}

/* --- events
 * ----------------------------------------------------------------------------------------- */

static void
on_event(struct sp_channel *channel, void *arg, struct sp_event *ev)
{
    struct sp_conn *c = arg;
    struct sp_err e = {0};

    (void)channel;
    switch (ev->type) {
    case SP_EVENT_READY:
        on_ready(c, &ev->frame.msg);
        break;
    case SP_EVENT_MESSAGE:
        if (c->ending)
            break;
        if (ev->frame.msg.type == SP_MSG_CANCEL)
            sp_conn_cancel(c, ev->frame.msg.tag);
        else if (sp_conn_take(c, &ev->frame, &e) != SP_OK)
            sp_conn_end(c, &e);
        break;
    case SP_EVENT_ROOM:
        sp_stream_pump(c);
        break;
    default:
        break;
    }
    sp_conn_press_back(c);
    sp_conn_advance(c);
}

/* Port scans and cut handshakes are nothing to see; who is refused is. */
static enum sp_log_level
end_level(const struct sp_conn *c)
{
    if (c->outcome.code == SP_AUTH || c->outcome.code == SP_PROTOCOL)
        return SP_LOG_WARN;
    return c->ready ? SP_LOG_INFO : SP_LOG_DEBUG;
}

/* Of those who never showed a certificate that counts, only some: upkeep tells how many more. */
static bool
worth_telling(const struct sp_conn *c)
{
    if (c->begun || end_level(c) > SP_LOG_WARN)
        return true;
    return ++c->server->strangers_told <= SP_TELL_MAX;
}

static void
on_closed(struct sp_channel *channel, void *arg, const struct sp_err *why, bool by_peer)
{
    struct sp_conn *c = arg;

    sp_channel_counts(channel, &c->bytes_in, &c->bytes_out);
    if (c->outcome.code == SP_OK)
        c->outcome = *why;
    if (c->who[0] == '\0') {
        (void)snprintf(c->address, sizeof(c->address), "%s", sp_channel_address(channel));
        (void)snprintf(c->who, sizeof(c->who), "connection %s", c->address);
    }
    if (c->outcome.code != SP_OK && worth_telling(c))
        sp_conn_log(
            c, end_level(c), "ended%s: %s", by_peer ? " by the client" : "", c->outcome.text);
    else if (c->outcome.code != SP_OK)
        c->server->strangers_untold++;
    else
        sp_conn_log(c, SP_LOG_INFO, "ended; %s in, %s out", sp_text_bytes(c->bytes_in).s,
            sp_text_bytes(c->bytes_out).s);
    c->channel = NULL;
    sp_conn_drop_waiting(c, LANE_WRITE);
    sp_conn_drop_waiting(c, LANE_READ);
    sp_stream_cancel(c);
    sp_conn_advance(c);
}

const struct sp_channel_ops sp_conn_ops = {on_secured, on_event, NULL, on_closed};

/* --- ending
 * ----------------------------------------------------------------------------------------- */

void
sp_conn_end(struct sp_conn *c, const struct sp_err *why)
{
    c->ending = true;
    if (c->channel == NULL)
        return;
    if (why != NULL && c->outcome.code == SP_OK)
        c->outcome = *why;
    sp_channel_close(c->channel, why);
}

static bool
unsaid(const struct sp_conn *c)
{
    return c->acked.data < c->taken.data || c->acked.nodes < c->taken.nodes;
}

void
sp_conn_stop(struct sp_conn *c)
{
    c->ending = true;
    if (c->channel == NULL)
        return;
    sp_channel_stop(c->channel, true);
    sp_conn_drop_waiting(c, LANE_READ);
    sp_stream_cancel(c);
    if (c->ready && unsaid(c) && !c->puts_over)
        sp_conn_own_job(c, OWN_FLUSH);
    sp_conn_advance(c);
}

/* Called when a lane has become idle, and at the end: what is due now. */
void
sp_conn_settle(struct sp_conn *c)
{
    struct sp_err e = {0};

    if (c->lanes[LANE_WRITE].running != NULL || c->lanes[LANE_WRITE].first != NULL)
        return;
    if (c->channel != NULL) {
        /* What reads may take its time: the client need not wait for it. */
        if (c->ending && c->server->stopping) {
            (void)sp_fail(&e, SP_UNREACHABLE, SP_DOM_NET, "the server is being stopped");
            sp_conn_end(c, &e);
        }
        return;
    }
    if (c->lanes[LANE_READ].running != NULL)
        return;
    if (c->begun && !c->ended) {
        c->ended = true;
        c->server->nsessions--;
        sp_conn_own_job(c, OWN_END);
        sp_conn_advance(c);
        return;
    }
    conn_free(c);
}

/* --- by the clock
 * ----------------------------------------------------------------------------------- */

void
sp_conn_tick(struct sp_conn *c, int64_t now_mono)
{
    uint64_t in, out;

    if (c->channel == NULL || !c->ready || c->ending)
        return;
    sp_channel_counts(c->channel, &in, &out);
    if (in != c->seen_in) {
        c->seen_in = in;
        c->heard_mono = now_mono;
    }
    if (c->stopped && now_mono - c->stopped_mono > SP_CONN_STOP_MS * MS) {
        c->stopped = false; /* a little, so that the client hears our pongs */
        sp_channel_stop(c->channel, false);
    }
    if (unsaid(c) && !c->puts_over && c->unsaid_mono != 0 &&
        ((now_mono - c->heard_mono > SP_CONN_IDLE_MS * MS && c->lanes[LANE_WRITE].first == NULL &&
             c->lanes[LANE_WRITE].running == NULL) ||
            now_mono - c->unsaid_mono > SP_CONN_UNSAID_MS * MS)) {
        c->unsaid_mono = 0; /* until that flush is through */
        sp_conn_own_job(c, OWN_FLUSH);
    }
    sp_conn_advance(c);
}

void
sp_conn_press_back(struct sp_conn *c)
{
    size_t waiting = c->lanes[LANE_WRITE].bytes;

    if (c->channel == NULL || c->ending)
        return;
    if (!c->stopped && waiting > SP_CONN_QUEUE_HIGH) {
        c->stopped = true;
        c->stopped_mono = sp_clock_mono(c->server->env->clock);
        sp_channel_stop(c->channel, true);
    } else if (c->stopped && waiting < SP_CONN_QUEUE_LOW) {
        c->stopped = false;
        sp_channel_stop(c->channel, false);
    }
}
