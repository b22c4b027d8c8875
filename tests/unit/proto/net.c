#include "net.h"

#include "pair.h"

#include <signal.h>

static void
secured(struct sp_channel *c, void *arg)
{
    struct peer *p = arg;
    struct sp_session_options o = server_options();

    p->secured++;
    if (p->server)
        assert_ok(sp_channel_start(c, &o, e));
}

static void
event(struct sp_channel *c, void *arg, struct sp_event *ev)
{
    struct peer *p = arg;

    (void)c;
    if (ev->type == SP_EVENT_READY)
        p->ready++;
    if (p->on_event != NULL)
        p->on_event(p, ev);
}

static void
drained(struct sp_channel *c, void *arg)
{
    (void)c;
    ((struct peer *)arg)->drained++;
}

static void
closed(struct sp_channel *c, void *arg, const struct sp_err *why, bool by_peer)
{
    struct peer *p = arg;

    (void)c;
    p->closed++;
    p->c = NULL;
    p->why = *why;
    p->by_peer = by_peer;
}

static const struct sp_channel_ops ops = {secured, event, drained, closed};

static bool
accept_channel(
    void *arg, struct sp_channel *c, const struct sp_channel_ops **ret_ops, void **ret_arg)
{
    struct net *n = arg;
    struct peer *p = &n->servers[n->nservers];

    if (n->refuse_accept)
        return false;
    assert_true(n->nservers < sizeof(n->servers) / sizeof(n->servers[0]));
    n->nservers++;
    memset(p, 0, sizeof(*p));
    p->net = n;
    p->c = c;
    p->server = true;
    p->on_event = n->on_server_event;
    *ret_ops = &ops;
    *ret_arg = p;
    return true;
}

static void
on_watchdog(uv_timer_t *timer)
{
    ((struct net *)timer->data)->timed_out = true;
}

void
net_new(struct net *n, const struct sp_listen *listen)
{
    struct sp_listen o = {.address = "127.0.0.1"};

    memset(n, 0, sizeof(*n));
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(uv_loop_init(&n->loop), 0);
    pki_new(&n->pki);
    n->server_tls = pki_server(&n->pki, true, NULL, NULL);
    n->client_tls = pki_client(&n->pki);
    if (listen != NULL)
        o = *listen;
    o.tls = n->server_tls;
    o.accept = accept_channel;
    o.arg = n;
    assert_ok(sp_listener_new(&n->loop, &o, &n->listener, e));
    n->port = sp_listener_port(n->listener);
    assert_true(n->port != 0);
    uv_timer_init(&n->loop, &n->watchdog);
    n->watchdog.data = n;
}

void
net_connect_as(struct net *n, struct peer *p, struct sp_tls_context *tls, const char *address,
    uint32_t timeout_ms, uint32_t handshake_ms)
{
    struct sp_connect o = {.tls = tls, .session = client_options(), .timeout_ms = timeout_ms};
    char here[64];

    (void)snprintf(here, sizeof(here), "127.0.0.1:%u", (unsigned)n->port);
    o.address = address != NULL ? address : here;
    o.session.handshake_ms = handshake_ms;
    p->net = n;
    assert_ok(sp_channel_connect(&n->loop, &o, &ops, p, &p->c, e));
}

void
net_connect(struct net *n, struct peer *p)
{
    net_connect_as(n, p, n->client_tls, NULL, 0, 0);
}

static void
watch(struct net *n)
{
    n->timed_out = false;
    uv_timer_start(&n->watchdog, on_watchdog, 100000, 0); /* TSan on a busy machine */
}

void
net_until(struct net *n, const bool *what)
{
    watch(n);
    while (!*what && !n->timed_out)
        uv_run(&n->loop, UV_RUN_ONCE);
    uv_timer_stop(&n->watchdog);
    assert_true(*what);
}

void
net_until_count(struct net *n, const unsigned *what, unsigned at_least)
{
    watch(n);
    while (*what < at_least && !n->timed_out)
        uv_run(&n->loop, UV_RUN_ONCE);
    uv_timer_stop(&n->watchdog);
    assert_in_range(*what, at_least, UINT32_MAX);
}

void
net_turn(struct net *n)
{
    uv_run(&n->loop, UV_RUN_NOWAIT);
}

void
net_free(struct net *n)
{
    for (unsigned i = 0; i < n->nservers; i++)
        if (n->servers[i].c != NULL)
            sp_channel_abort(n->servers[i].c);
    sp_listener_close(n->listener, NULL, NULL);
    uv_close((uv_handle_t *)&n->watchdog, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&n->loop), 0);
    for (unsigned i = 0; i < n->nservers; i++)
        assert_int_equal(n->servers[i].closed, 1);
    sp_tls_context_free(n->server_tls);
    sp_tls_context_free(n->client_tls);
    pki_free(&n->pki);
}
