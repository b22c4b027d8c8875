/* Accepting connections: see channel_impl.h. */

#include "proto/channel_impl.h"

#include <stdlib.h>
#include <string.h>

#include "proto/rate.h"

struct sp_listener {
    uv_loop_t *loop;
    uv_tcp_t tcp;
    struct sp_listen o;
    struct sp_tls_context *tls;
    struct sp_rate *rate;
    struct sp_listener_stats stats;
    struct sp_channel **channels; /* that know this listener; connections_max places */
    unsigned n;
    void (*done)(void *arg);
    void *done_arg;
};

/* --- what channels tell -------------------------------------------------------------------- */

void
sp_listener_ready(struct sp_channel *c)
{
    if (c->listener == NULL || !c->half_open)
        return;
    c->half_open = false;
    c->listener->stats.half_open--;
}

void
sp_listener_forget(struct sp_channel *c)
{
    struct sp_listener *l = c->listener;

    if (l == NULL)
        return;
    if (c->half_open)
        l->stats.half_open--;
    if (!c->greeted)
        l->stats.handshakes_failed++;
    l->stats.open--;
    for (unsigned i = 0; i < l->n; i++)
        if (l->channels[i] == c) {
            l->channels[i] = l->channels[--l->n];
            break;
        }
    c->listener = NULL;
}

/* --- accepting ----------------------------------------------------------------------------- */

static void
on_refused_closed(uv_handle_t *handle)
{
    free(handle);
}

/* A connection that is not wanted has to be accepted to be got rid of. */
static void
refuse_waiting(struct sp_listener *l)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    if (tcp == NULL)
        return;
    if (uv_tcp_init(l->loop, tcp) != 0) {
        free(tcp);
        return;
    }
    (void)uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, on_refused_closed);
}

/* Of IPv6 the network of 64 bits: one customer has as many addresses in it as he likes. */
static void
rate_key(const uv_tcp_t *tcp, uint8_t to[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_storage name;
    int n = sizeof(name);

    memset(to, 0, 16);
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&name, &n) != 0)
        return;
    if (name.ss_family == AF_INET) {
        memcpy(to, mapped, 12);
        memcpy(to + 12, &((struct sockaddr_in *)&name)->sin_addr, 4);
    } else if (name.ss_family == AF_INET6) {
        memcpy(to, &((struct sockaddr_in6 *)&name)->sin6_addr, 16);
        if (memcmp(to, mapped, 12) != 0)
            memset(to + 8, 0, 8);
    }
}

static unsigned
strangers_from(const struct sp_listener *l, const uint8_t from[16])
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->n; i++)
        if (l->channels[i]->half_open && memcmp(l->channels[i]->from, from, 16) == 0)
            n++;
    return n;
}

/* Every place for strangers is taken. One address must not keep all others out: the oldest stranger
 * of the address that has most of them goes, unless the new one's has as many. */
static bool
make_room(struct sp_listener *l, const uint8_t from[16])
{
    unsigned most = strangers_from(l, from);
    struct sp_channel *victim = NULL;
    struct sp_err why = {0};

    for (unsigned i = 0; i < l->n; i++) {
        struct sp_channel *c = l->channels[i];
        unsigned n = c->half_open ? strangers_from(l, c->from) : 0;

        if (n > most || (victim != NULL && n == most && c->number < victim->number)) {
            most = n;
            victim = c;
        }
    }
    if (victim == NULL)
        return false;
    victim->half_open = false;
    l->stats.half_open--;
    l->stats.evicted++;
    (void)sp_fail(&why, SP_BUSY, SP_DOM_NET, "it made room for a connection of another address");
    if (victim->session != NULL) {
        sp_channel_close(victim, &why);
    } else {
        sp_channel_decide(victim, &why, false);
        sp_channel_shut(victim);
    }
    return true;
}

static void
take_connection(struct sp_listener *l)
{
    struct sp_channel *c = NULL;
    struct sp_err e = {0};

    if (sp_channel_new(l->loop, l->tls, true, &c, &e) != SP_OK) {
        refuse_waiting(l);
        return;
    }
    if (uv_tcp_init(l->loop, &c->tcp) != 0) {
        refuse_waiting(l);
        sp_channel_shut(c); /* nobody hears of it: it has no ops */
        return;
    }
    c->has_tcp = true;
    c->tcp.data = c;
    c->handles++;
    if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0) {
        sp_channel_shut(c);
        return;
    }
    rate_key(&c->tcp, c->from);
    if (!sp_rate_allow(l->rate, c->from, sp_channel_now())) {
        l->stats.refused_rate++;
        sp_channel_shut(c);
        return;
    }
    if (l->stats.half_open >= l->o.half_open_max && !make_room(l, c->from)) {
        l->stats.refused_half_open++;
        sp_channel_shut(c);
        return;
    }
    if (!l->o.accept(l->o.arg, c, &c->ops, &c->arg)) {
        c->ops = NULL;
        sp_channel_shut(c);
        return;
    }
    c->listener = l;
    c->half_open = true;
    l->channels[l->n++] = c;
    c->number = l->stats.accepted++;
    l->stats.open++;
    l->stats.half_open++;
    sp_channel_begin(c);
}

static void
on_connection(uv_stream_t *stream, int status)
{
    struct sp_listener *l = stream->data;

    if (status != 0)
        return; /* out of descriptors, or the peer is gone already: the next one may do better */
    if (l->stats.open >= l->o.connections_max) {
        l->stats.refused_full++;
        refuse_waiting(l);
    } else {
        take_connection(l);
    }
}

/* --- the listener -------------------------------------------------------------------------- */

static void
listener_free(struct sp_listener *l)
{
    if (l == NULL)
        return;
    sp_rate_free(l->rate);
    free(l->channels);
    free(l);
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct sp_listener *l = handle->data;
    void (*done)(void *arg) = l->done;
    void *arg = l->done_arg;

    listener_free(l);
    if (done != NULL)
        done(arg);
}

static int
bind_to(uv_tcp_t *tcp, const char *address, uint16_t port)
{
    struct sockaddr_in six4;
    struct sockaddr_in6 six;
    int status;

    if (address[0] == '\0') {
        if (uv_ip6_addr("::", port, &six) == 0 &&
            uv_tcp_bind(tcp, (const struct sockaddr *)&six, 0) == 0)
            return 0; /* takes IPv4, too */
        address = "0.0.0.0";
    }
    if (uv_ip4_addr(address, port, &six4) == 0)
        return uv_tcp_bind(tcp, (const struct sockaddr *)&six4, 0);
    if ((status = uv_ip6_addr(address, port, &six)) != 0)
        return status;
    return uv_tcp_bind(tcp, (const struct sockaddr *)&six, 0);
}

enum sp_code
sp_listener_new(
    uv_loop_t *loop, const struct sp_listen *o, struct sp_listener **ret, struct sp_err *e)
{
    struct sp_listener *l = calloc(1, sizeof(*l));
    char what[400];
    int status;
    enum sp_code rc;

    if (l == NULL)
        return sp_fail_nomem(e);
    l->loop = loop;
    l->o = *o;
    l->o.half_open_max = o->half_open_max != 0 ? o->half_open_max : SP_HALF_OPEN_MAX;
    l->o.connections_max = o->connections_max != 0 ? o->connections_max : SP_CONNECTIONS_MAX;
    l->o.rate_burst = o->rate_burst != 0 ? o->rate_burst : SP_RATE_BURST;
    l->o.rate_per_minute = o->rate_per_minute != 0 ? o->rate_per_minute : SP_RATE_PER_MINUTE;
    l->tls = o->tls;
    if ((rc = sp_rate_new(l->o.rate_burst, l->o.rate_per_minute, uv_hrtime(), &l->rate, e)) !=
        SP_OK) {
        listener_free(l);
        return rc;
    }
    if ((l->channels = calloc(l->o.connections_max, sizeof(struct sp_channel *))) == NULL) {
        listener_free(l);
        return sp_fail_nomem(e);
    }
    if ((status = uv_tcp_init(loop, &l->tcp)) != 0) {
        listener_free(l);
        return sp_channel_fail_uv(e, status, "no socket can be made");
    }
    l->tcp.data = l;
    if ((status = bind_to(&l->tcp, o->address, o->port)) == 0)
        status = uv_listen((uv_stream_t *)&l->tcp, SP_BACKLOG, on_connection);
    if (status != 0) {
        (void)snprintf(what, sizeof(what), "cannot listen on port %u of %s", (unsigned)o->port,
            o->address[0] != '\0' ? o->address : "this machine");
        rc = sp_channel_fail_uv(e, status, what);
        uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
        return rc;
    }
    *ret = l;
    return SP_OK;
}

uint16_t
sp_listener_port(const struct sp_listener *l)
{
    struct sockaddr_storage name;
    int n = sizeof(name);

    if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&name, &n) != 0)
        return 0;
    return (uint16_t)sp_channel_port(&name);
}

void
sp_listener_set_tls(struct sp_listener *l, struct sp_tls_context *tls)
{
    l->tls = tls;
}

void
sp_listener_stats(const struct sp_listener *l, struct sp_listener_stats *ret)
{
    *ret = l->stats;
}

void
sp_listener_close(struct sp_listener *l, void (*done)(void *arg), void *arg)
{
    while (l->n > 0) {
        struct sp_channel *c = l->channels[--l->n];

        c->listener = NULL;
    }
    l->done = done;
    l->done_arg = arg;
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}
