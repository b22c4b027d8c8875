/* Who may come in: see server_impl.h. */

#include <string.h>

#include "base/clock.h"
#include "server/conn.h"

/* Many hosts may be behind one address, and all may begin at two in the morning. */
#define RATE_BURST 100
#define RATE_PER_MINUTE 600

static enum sp_code
admit(void *arg, const struct sp_tls_peer *p, struct sp_err *e)
{
    const struct sp_server *s = arg;
    const struct sp_state_certificate *known = sp_roster_find(s->roster, p->cert.fingerprint);

    if (known == NULL)
        return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "the server does not know it");
    if (known->revoked)
        return sp_fail(e, SP_AUTH, SP_DOM_STORE, "it was revoked");
    return SP_OK; /* an expired one may renew itself, and the session lets it do nothing else */
}

static bool
on_accept(
    void *arg, struct sp_channel *channel, const struct sp_channel_ops **ret_ops, void **ret_arg)
{
    struct sp_server *s = arg;
    struct sp_conn *c;
    struct sp_err e = {0};

    if (s->stopping || sp_conn_new(s, channel, &c, &e) != SP_OK)
        return false;
    *ret_ops = &sp_conn_ops;
    *ret_arg = c;
    return true;
}

enum sp_code
sp_server_make_tls(struct sp_server *s, struct sp_tls_context **ret, struct sp_err *e)
{
    const struct sp_tls_server o = {
        .chain_pem = s->home.chain,
        .key_pem = s->home.key,
        .authority_pem = s->home.authority,
        .enrolment = true,
        .admit = admit,
        .admit_arg = s,
        .clock = s->env->clock,
    };

    return sp_tls_server_new(&o, ret, e);
}

enum sp_code
sp_server_listen(struct sp_server *s, struct sp_err *e)
{
    struct sp_listen o = {
        .address = s->home.config.listen,
        .port = s->home.config.port,
        .rate_burst = RATE_BURST,
        .rate_per_minute = RATE_PER_MINUTE,
        .accept = on_accept,
        .arg = s,
    };
    enum sp_code rc;

    if ((rc = sp_server_make_tls(s, &s->tls, e)) != SP_OK)
        return rc;
    o.tls = s->tls;
    if ((rc = sp_listener_new(&s->loop, &o, &s->listener, e)) != SP_OK)
        return rc;
    s->port = sp_listener_port(s->listener);
    return SP_OK;
}
