/* Resolving and connecting: see channel_impl.h. */

#include "proto/channel_impl.h"

#include <stdlib.h>
#include <string.h>

#include "proto/token.h"

#define MS INT64_C(1000000)

void
sp_channel_forget_addresses(struct sp_channel *c)
{
    uv_freeaddrinfo(c->addresses);
    c->addresses = c->next = NULL;
}

/* What the last address said is what the user hears. */
static void
give_up(struct sp_channel *c, int status)
{
    struct sp_err e = {0};
    char what[360];

    (void)snprintf(what, sizeof(what), "cannot connect to %s", c->target);
    (void)sp_channel_fail_uv(&e, status, what);
    sp_channel_decide(c, &e, false);
}

static void try_next(struct sp_channel *c, int last_status);

static void
on_tcp_closed(uv_handle_t *handle)
{
    struct sp_channel *c = handle->data;
    int status = (int)(intptr_t)c->connect_req.data;

    c->handles--;
    if (c->phase == CHANNEL_CLOSING)
        sp_channel_released(c);
    else
        try_next(c, status);
}

/* This address does not answer; its socket has to go before the next. */
static void
drop_address(struct sp_channel *c, int status)
{
    c->has_tcp = false;
    c->connect_req.data = (void *)(intptr_t)status;
    uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
}

static void
on_connected(uv_connect_t *req, int status)
{
    struct sp_channel *c = req->handle->data;

    if (!c->has_tcp) /* given up meanwhile */
        return;
    if (status != 0) {
        drop_address(c, status);
        return;
    }
    sp_channel_forget_addresses(c);
    sp_channel_begin(c);
}

static void
try_next(struct sp_channel *c, int last_status)
{
    struct addrinfo *ai = c->next;
    int64_t now = sp_channel_now(), left = 1;
    int status;

    if (ai == NULL || now >= c->connect_until) {
        give_up(c, last_status);
        return;
    }
    c->next = ai->ai_next;
    for (const struct addrinfo *other = c->next; other != NULL; other = other->ai_next)
        left++;
    c->phase = CHANNEL_CONNECTING;
    c->deadline = now + (c->connect_until - now) / left;
    if ((status = uv_tcp_init(c->loop, &c->tcp)) != 0) {
        give_up(c, status);
        return;
    }
    c->tcp.data = c;
    c->has_tcp = true;
    c->handles++;
    if ((status = uv_tcp_connect(&c->connect_req, &c->tcp, ai->ai_addr, on_connected)) != 0)
        drop_address(c, status);
    sp_channel_set_timer(c);
}

void
sp_channel_connect_timeout(struct sp_channel *c)
{
    if (c->phase == CHANNEL_CONNECTING && c->has_tcp)
        drop_address(c, UV_ETIMEDOUT);
    else if (c->phase == CHANNEL_RESOLVING)
        give_up(c, UV_ETIMEDOUT);
    c->deadline = c->connect_until;
}

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct sp_channel *c = req->data;

    c->resolving = false;
    c->addresses = c->next = res;
    if (c->phase == CHANNEL_CLOSING)
        sp_channel_released(c);
    else if (status != 0 || res == NULL)
        give_up(c, status != 0 ? status : UV_EAI_NODATA);
    else
        try_next(c, UV_EAI_NODATA);
}

enum sp_code
sp_channel_connect(uv_loop_t *loop, const struct sp_connect *o, const struct sp_channel_ops *ops,
    void *arg, struct sp_channel **ret, struct sp_err *e)
{
    struct addrinfo hints;
    struct sp_channel *c = NULL;
    char host[256], port_text[8];
    uint16_t port;
    int status;
    enum sp_code rc;

    if ((rc = sp_address_parse(o->address, host, &port, e)) != SP_OK)
        return rc;
    if ((rc = sp_channel_new(loop, o->tls, false, &c, e)) != SP_OK)
        return rc;
    c->client = o->session;
    if (o->session.handshake_ms != 0)
        c->handshake_ns = o->session.handshake_ms * MS;
    c->client.role = SP_ROLE_CLIENT;
    c->client.hello_payload = NULL; /* a client's hello has none */
    c->client.hello_payload_len = 0;
    (void)snprintf(c->target, sizeof(c->target), "%s", o->address);
    (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    c->phase = CHANNEL_RESOLVING;
    c->connect_until = sp_channel_now() + (o->timeout_ms != 0 ? o->timeout_ms : SP_CONNECT_MS) * MS;
    c->deadline = c->connect_until;
    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    c->resolve_req.data = c;
    status = uv_getaddrinfo(loop, &c->resolve_req, on_resolved, host, port_text, &hints);
    if (status == 0) {
        c->resolving = true;
        sp_channel_set_timer(c);
    } else {
        give_up(c, status); /* the callback comes from the loop */
    }
    c->ops = ops;
    c->arg = arg;
    *ret = c;
    return SP_OK;
}
