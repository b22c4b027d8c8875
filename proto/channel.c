/* The life of a channel: see channel.h and channel_impl.h. */

#include "proto/channel_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MS INT64_C(1000000)

int64_t
sp_channel_now(void)
{
    return (int64_t)uv_hrtime();
}

enum sp_code
sp_channel_fail_uv(struct sp_err *e, int status, const char *what)
{
    enum sp_code code = SP_UNREACHABLE;

    switch (status) {
    case UV_ETIMEDOUT:
        code = SP_TIMEOUT;
        break;
    case UV_ENOMEM:
    case UV_EAI_MEMORY:
        code = SP_NOMEM;
        break;
    case UV_EADDRINUSE:
        code = SP_BUSY;
        break;
    case UV_EACCES:
    case UV_EPERM:
        code = SP_DENIED;
        break;
    case UV_EADDRNOTAVAIL:
    case UV_EINVAL:
        code = SP_INVALID;
        break;
    case UV_EMFILE:
    case UV_ENFILE:
        code = SP_BUSY;
        break;
    default:
        break;
    }
    (void)sp_fail(e, code, SP_DOM_NET, "%s: %s", what, uv_strerror(status));
    e->os = -status;
    return code;
}

unsigned
sp_channel_port(const struct sockaddr_storage *name)
{
    uint8_t p[2];

    if (name->ss_family == AF_INET6)
        memcpy(p, &((const struct sockaddr_in6 *)name)->sin6_port, 2);
    else
        memcpy(p, &((const struct sockaddr_in *)name)->sin_port, 2);
    return (unsigned)(p[0] << 8 | p[1]); /* the network's order */
}

/* --- time ---------------------------------------------------------------------------------- */

static void
on_timer(uv_timer_t *timer)
{
    struct sp_channel *c = timer->data;

    c->timer_at = INT64_MAX;
    sp_channel_turn(c);
}

static void
on_kick(uv_idle_t *kick)
{
    struct sp_channel *c = kick->data;

    uv_idle_stop(kick);
    sp_channel_turn(c);
}

void
sp_channel_kick(struct sp_channel *c)
{
    if (c->phase != CHANNEL_CLOSING)
        uv_idle_start(&c->kick, on_kick);
}

void
sp_channel_set_timer(struct sp_channel *c)
{
    int64_t at = c->deadline, ms;

    if (c->phase == CHANNEL_CLOSING)
        return;
    if (c->session != NULL && sp_session_deadline(c->session) < at)
        at = sp_session_deadline(c->session);
    /* A timer that fires too early does no harm: a session's deadline moves with every read. */
    if (c->timer_at != INT64_MAX && at >= c->timer_at)
        return;
    if (at == INT64_MAX)
        return;
    c->timer_at = at;
    ms = (at - sp_channel_now()) / MS + 1;
    uv_timer_start(&c->timer, on_timer, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* --- making -------------------------------------------------------------------------------- */

enum sp_code
sp_channel_new(uv_loop_t *loop, struct sp_tls_context *tls, bool server, struct sp_channel **ret,
    struct sp_err *e)
{
    struct sp_channel *c = calloc(1, sizeof(*c)); /* pages of its buffers come as they are used */
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_tls_new(tls, &c->tls, e)) != SP_OK) {
        free(c);
        return rc;
    }
    c->loop = loop;
    c->server = server;
    c->deadline = c->timer_at = INT64_MAX;
    c->handshake_ns = SP_HANDSHAKE_MS * MS;
    uv_timer_init(loop, &c->timer);
    uv_idle_init(loop, &c->kick);
    c->timer.data = c->kick.data = c->tcp.data = c;
    c->handles = 2;
    *ret = c;
    return SP_OK;
}

void
sp_channel_begin(struct sp_channel *c)
{
    struct sockaddr_storage name;
    int n = sizeof(name);
    char text[46] = "?";

    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&name, &n) == 0 &&
        uv_ip_name((struct sockaddr *)&name, text, sizeof(text)) == 0) {
        bool six = name.ss_family == AF_INET6;
        (void)snprintf(c->address, sizeof(c->address), six ? "[%s]:%u" : "%s:%u", text,
            sp_channel_port(&name));
    }
    (void)uv_tcp_nodelay(&c->tcp, 1); /* both only help */
    (void)uv_tcp_keepalive(&c->tcp, 1, 60);
    c->phase = CHANNEL_SHAKING;
    c->deadline = sp_channel_now() + c->handshake_ns;
    sp_channel_kick(c);
}

/* --- ending -------------------------------------------------------------------------------- */

void
sp_channel_decide(struct sp_channel *c, const struct sp_err *why, bool by_peer)
{
    if (c->decided)
        return;
    c->decided = true;
    c->why = *why;
    c->by_peer = by_peer;
    if (c->phase == CHANNEL_RESOLVING || c->phase == CHANNEL_CONNECTING) {
        sp_channel_shut(c);
    } else if (c->phase != CHANNEL_CLOSING) {
        c->phase = CHANNEL_ENDING;
        c->deadline = sp_channel_now() + SP_LINGER_MS * MS;
        c->plain_at = c->plain_len = 0;
        sp_channel_kick(c);
    }
}

static void
on_closed(uv_handle_t *handle)
{
    struct sp_channel *c = handle->data;

    c->handles--;
    sp_channel_released(c);
}

void
sp_channel_shut(struct sp_channel *c)
{
    if (c->phase == CHANNEL_CLOSING)
        return;
    c->phase = CHANNEL_CLOSING;
    uv_close((uv_handle_t *)&c->timer, on_closed);
    uv_close((uv_handle_t *)&c->kick, on_closed);
    if (c->has_tcp) {
        c->has_tcp = false;
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    }
    if (c->resolving)
        (void)uv_cancel((uv_req_t *)&c->resolve_req); /* when it is too late, its callback comes */
}

void
sp_channel_released(struct sp_channel *c)
{
    if (c->phase != CHANNEL_CLOSING || c->handles > 0 || c->resolving)
        return;
    if (!c->decided)
        (void)sp_fail(&c->why, SP_CANCELLED, SP_DOM_NET, "the connection was given up");
    sp_listener_forget(c);
    if (c->ops != NULL)
        c->ops->closed(c, c->arg, &c->why, c->by_peer);
    sp_channel_forget_addresses(c);
    sp_session_free(c->session);
    sp_tls_free(c->tls);
    free(c);
}

/* --- calls of the user --------------------------------------------------------------------- */

enum sp_code
sp_channel_start(struct sp_channel *c, const struct sp_session_options *o, struct sp_err *e)
{
    struct sp_session_options copy = *o;
    const struct sp_tls_peer *peer = sp_tls_peer(c->tls);
    enum sp_code rc;

    if (c->phase != CHANNEL_SECURED)
        return sp_fail(e, SP_REFUSED, SP_DOM_NET, "the connection is not there for a session");
    copy.role = SP_ROLE_SERVER;
    copy.service = peer->service;
    if (peer->expired)
        copy.hello.server_hello.renew_only = true;
    if ((rc = sp_session_new(&copy, sp_channel_now(), &c->session, e)) != SP_OK)
        return rc;
    c->phase = CHANNEL_OPEN;
    c->deadline = INT64_MAX;
    sp_channel_kick(c);
    return SP_OK;
}

const struct sp_tls_peer *
sp_channel_peer(const struct sp_channel *c)
{
    return sp_tls_peer(c->tls);
}

const char *
sp_channel_address(const struct sp_channel *c)
{
    return c->address;
}

struct sp_session *
sp_channel_session(struct sp_channel *c)
{
    return c->session;
}

void
sp_channel_flush(struct sp_channel *c)
{
    sp_channel_kick(c);
}

void
sp_channel_stop(struct sp_channel *c, bool stop)
{
    if (c->stopped == stop)
        return;
    c->stopped = stop;
    sp_channel_kick(c);
}

void
sp_channel_close(struct sp_channel *c, const struct sp_err *why)
{
    static const struct sp_err orderly = {0};

    if (c->decided || c->phase == CHANNEL_CLOSING)
        return;
    if (why == NULL)
        why = &orderly;
    if (c->session != NULL)
        sp_session_goodbye(c->session, why);
    sp_channel_decide(c, why, false);
}

void
sp_channel_abort(struct sp_channel *c)
{
    sp_channel_shut(c);
}

void
sp_channel_counts(const struct sp_channel *c, uint64_t *ret_in, uint64_t *ret_out)
{
    *ret_in = c->in;
    *ret_out = c->out;
}
