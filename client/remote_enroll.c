/* Enrolment: one connection, two steps. See store_remote.h.
 *
 * Nothing else goes on meanwhile, so the loop runs on the caller's thread, from one event to the
 * next, and stands still while the caller makes its keys. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/remote_impl.h"
#include "proto/cert.h"
#include "storage/crypto.h"
#include "storage/keys.h"

struct enrolling {
    uv_loop_t loop;
    struct sp_channel *channel; /* NULL: over */
    bool ready, answered, over;
    struct sp_err why;
    struct sp_frame answer;
    const char *server;
};

/* --- events ----------------------------------------------------------------------------------- */

static void
on_event(struct sp_channel *c, void *arg, struct sp_event *ev)
{
    struct enrolling *g = arg;

    (void)c;
    if (ev->type == SP_EVENT_READY) {
        g->ready = true;
    } else if (ev->type == SP_EVENT_MESSAGE && !g->answered) {
        g->answered = true;
        g->answer = ev->frame;
        memset(&ev->frame, 0, sizeof(ev->frame));
    }
    uv_stop(&g->loop);
}

static void
on_closed(struct sp_channel *c, void *arg, const struct sp_err *why, bool by_peer)
{
    struct enrolling *g = arg;

    (void)c;
    (void)by_peer;
    g->channel = NULL;
    g->over = true;
    g->why = *why;
    uv_stop(&g->loop);
}

static const struct sp_channel_ops channel_ops = {.event = on_event, .closed = on_closed};

/* Until *what, or the end of the connection. */
static enum sp_code
run_until(struct enrolling *g, const bool *what, struct sp_err *e)
{
    while (!*what && !g->over)
        (void)uv_run(&g->loop, UV_RUN_DEFAULT);
    if (*what)
        return SP_OK;
    *e = g->why;
    if (e->code == SP_OK)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "the server ended the connection");
    return e->code;
}

static enum sp_code
ask(struct enrolling *g, const struct sp_msg *m, const void *p, size_t n, struct sp_err *e)
{
    uint8_t *payload = malloc(n);
    uint32_t tag;
    enum sp_code rc;

    if (payload == NULL)
        return sp_fail_nomem(e);
    memcpy(payload, p, n);
    sp_frame_clear(&g->answer);
    memset(&g->answer, 0, sizeof(g->answer));
    g->answered = false;
    if (g->over) { /* while the caller was busy */
        free(payload);
        return run_until(g, &g->answered, e);
    }
    rc = sp_session_request(sp_channel_session(g->channel), m, payload, n, &tag, e);
    if (rc != SP_OK) {
        free(payload);
        return rc;
    }
    sp_channel_flush(g->channel);
    if ((rc = run_until(g, &g->answered, e)) != SP_OK)
        return rc;
    return g->answer.msg.type == SP_MSG_ERROR ? sp_msg_get_error(&g->answer.msg, e) : SP_OK;
}

/* --- the first step: certificate and repository ----------------------------------------------- */

static enum sp_code
connect_to(
    struct enrolling *g, const struct sp_env *env, const struct sp_token *t, struct sp_err *e)
{
    struct sp_tls_client tls = {.service = SP_SERVICE_ENROLL, .clock = env->clock};
    struct sp_connect o = {
        .address = t->address,
        .session = {.role = SP_ROLE_CLIENT,
            .service = SP_SERVICE_ENROLL,
            .hello = {.type = SP_MSG_CLIENT_HELLO}},
    };
    enum sp_code rc;

    memcpy(tls.authority, t->authority, sizeof(tls.authority));
    if ((rc = sp_tls_client_new(&tls, &o.tls, e)) != SP_OK)
        return rc;
    strcpy(o.session.hello.client_hello.program, "stillpoint " SP_VERSION);
    rc = sp_channel_connect(&g->loop, &o, &channel_ops, g, &g->channel, e);
    sp_tls_context_free(o.tls);
    if (rc == SP_OK)
        rc = run_until(g, &g->ready, e);
    if (rc == SP_UNREACHABLE || rc == SP_TIMEOUT)
        (void)sp_remote_unreachable(e, t->address,
            "is stillpointd running there, and does a firewall let this machine through?");
    return rc;
}

static enum sp_code
fill_request(
    struct sp_msg *m, const struct sp_enroll_options *o, const struct sp_token *t, struct sp_err *e)
{
    size_t n = strlen(o->host_name);

    if (n == 0 || n > SP_HOST_NAME_MAX)
        return sp_fail(
            e, SP_INVALID, SP_DOM_CONFIG, "a host's name has 1 to %d bytes", SP_HOST_NAME_MAX);
    m->type = SP_MSG_ENROLL;
    memcpy(m->enroll.token_id, t->id, sizeof(m->enroll.token_id));
    m->enroll.secret_len = (uint32_t)t->secret_len;
    memcpy(m->enroll.secret, t->secret, t->secret_len);
    memcpy(m->enroll.host_name, o->host_name, n + 1);
    memcpy(m->enroll.identity, o->identity_public, sizeof(m->enroll.identity));
    if (o->invitation == NULL)
        return SP_OK;
    m->enroll.has_invitation = true;
    return sp_invitation_public(
        o->invitation, m->enroll.invitation_id, m->enroll.invitation_proof, e);
}

static enum sp_code
take_bytes(const uint8_t *p, size_t n, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    if (n == 0)
        return SP_OK;
    if ((*ret = malloc(n)) == NULL)
        return sp_fail_nomem(e);
    memcpy(*ret, p, n);
    *ret_n = n;
    return SP_OK;
}

/* The lengths were checked against the payload's (proto/message.h). */
static enum sp_code
take_answer(const struct sp_frame *f, struct sp_enrolled *en, struct sp_err *e)
{
    const struct sp_msg *m = &f->msg;
    const uint8_t *p = f->payload;
    enum sp_code rc;

    memcpy(en->host, m->enroll_reply.host, sizeof(en->host));
    en->has_group = m->enroll_reply.has_group;
    memcpy(en->group, m->enroll_reply.group, sizeof(en->group));
    if ((en->host_name = strdup(m->enroll_reply.host_name)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_remote_pem(p, m->enroll_reply.chain_len, &en->tls_chain, e)) != SP_OK)
        return rc;
    p += m->enroll_reply.chain_len;
    if ((rc = sp_remote_pem(p, m->enroll_reply.authority_len, &en->tls_authority, e)) != SP_OK)
        return rc;
    p += m->enroll_reply.authority_len;
    if ((rc = take_bytes(p, m->enroll_reply.conf_len, &en->conf, &en->conf_len, e)) != SP_OK)
        return rc;
    p += m->enroll_reply.conf_len;
    if ((rc = take_bytes(p, m->enroll_reply.slot_len, &en->slots, &en->slots_len, e)) != SP_OK)
        return rc;
    p += m->enroll_reply.slot_len;
    return take_bytes(p, m->enroll_reply.record_len, &en->record, &en->record_len, e);
}

/* Never believed because the server says so: the certificate is for our key and this host, and the
 * authority is the token's. */
static enum sp_code
check_certificates(const struct sp_enrolled *en, struct sp_err *e)
{
    struct sp_cert_info host, authority;
    char *last = NULL, name[33];
    enum sp_code rc;

    memcpy(name, sp_hex16(en->host).s, sizeof(name));
    if ((rc = sp_cert_matches(en->tls_chain, en->tls_key, e)) != SP_OK ||
        (rc = sp_cert_info(en->tls_chain, &host, e)) != SP_OK ||
        (rc = sp_cert_info(en->tls_authority, &authority, e)) != SP_OK)
        goto out;
    if (strcmp(host.name, name) != 0 ||
        memcmp(authority.fingerprint, en->authority_fingerprint, 32) != 0) {
        rc = sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "the server sent a certificate of another host or authority");
        goto out;
    }
    if ((rc = sp_cert_last(en->tls_chain, &last, e)) == SP_OK &&
        (rc = sp_cert_info(last, &authority, e)) == SP_OK &&
        memcmp(authority.fingerprint, en->authority_fingerprint, 32) != 0)
        rc = sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the server sent a chain of another authority");
out:
    sp_pem_free(last);
    return rc;
}

static enum sp_code
first_step(struct enrolling *g, const struct sp_enroll_options *o, const struct sp_token *t,
    struct sp_enrolled *en, struct sp_err *e)
{
    struct sp_msg m = {.tag = 0};
    char *csr = NULL;
    enum sp_code rc;

    if ((en->address = strdup(t->address)) == NULL)
        return sp_fail_nomem(e);
    memcpy(en->authority_fingerprint, t->authority, sizeof(en->authority_fingerprint));
    en->has_recovery = t->has_recovery;
    memcpy(en->recovery_public, t->recovery, sizeof(en->recovery_public));
    if ((rc = fill_request(&m, o, t, e)) != SP_OK || (rc = sp_cert_key(&en->tls_key, e)) != SP_OK ||
        (rc = sp_cert_request(en->tls_key, &csr, e)) != SP_OK)
        goto out;
    if ((rc = ask(g, &m, csr, strlen(csr), e)) != SP_OK ||
        (rc = take_answer(&g->answer, en, e)) != SP_OK)
        goto out;
    rc = check_certificates(en, e);
out:
    sp_wipe(&m, sizeof(m));
    sp_pem_free(csr);
    return rc;
}

/* --- the second step: what only the client can make ------------------------------------------- */

static enum sp_code
second_step(struct enrolling *g, const struct sp_buf *record, const struct sp_buf *slots,
    const size_t *slot_lens, size_t nslots, struct sp_err *e)
{
    struct sp_msg m = {.type = SP_MSG_ENROLL_END};
    struct sp_buf payload = SP_BUF_INIT;
    size_t total = 0;
    enum sp_code rc;

    if (record->len == 0 || record->len > SP_HOST_RECORD_MAX || nslots > SP_ENROLL_SLOTS_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF,
            "an enrolment with %zu key slots and a record of %zu "
            "bytes",
            nslots, record->len);
    m.enroll_end.record_len = (uint32_t)record->len;
    m.enroll_end.nslots = (uint32_t)nslots;
    for (size_t i = 0; i < nslots; i++) {
        if (slot_lens[i] == 0 || slot_lens[i] > SP_SLOT_MAX)
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a key slot of %zu bytes", slot_lens[i]);
        m.enroll_end.slot_len[i] = (uint32_t)slot_lens[i];
        total += slot_lens[i];
    }
    if (total != slots->len)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "key slots of other lengths than said");
    sp_buf_put(&payload, record->data, record->len);
    sp_buf_put(&payload, slots->data, slots->len);
    if ((rc = sp_buf_ok(&payload, e)) == SP_OK)
        rc = ask(g, &m, payload.data, payload.len, e);
    sp_buf_free(&payload);
    if (rc == SP_UNREACHABLE || rc == SP_TIMEOUT)
        sp_err_context(e,
            "the connection to %s was lost before it was told whether this host is "
            "enrolled now; ask for a new token and enroll again",
            g->server);
    return rc;
}

static enum sp_code
both_steps(struct enrolling *g, const struct sp_enroll_options *o, const struct sp_token *t,
    enum sp_code (*finish)(void *arg, const struct sp_enrolled *en, struct sp_buf *record,
        struct sp_buf *slots, size_t *slot_lens, size_t *nslots, struct sp_err *e),
    void *arg, struct sp_enrolled *en, struct sp_err *e)
{
    struct sp_buf record = SP_BUF_INIT, slots = SP_BUF_INIT;
    size_t slot_lens[SP_ENROLL_SLOTS_MAX] = {0}, nslots = 0;
    enum sp_code rc;

    if ((rc = first_step(g, o, t, en, e)) != SP_OK) {
        sp_err_context(e, "enrolling with %s", t->address);
        return rc;
    }
    rc = finish(arg, en, &record, &slots, slot_lens, &nslots, e);
    if (rc == SP_OK && (rc = second_step(g, &record, &slots, slot_lens, nslots, e)) != SP_OK)
        sp_err_context(e, "enrolling with %s", t->address);
    sp_buf_free(&record);
    sp_buf_free(&slots);
    return rc;
}

/* --- all together ----------------------------------------------------------------------------- */

static void
close_all(struct enrolling *g, const struct sp_err *why)
{
    if (g->channel != NULL)
        sp_channel_close(g->channel, why);
    while (!g->over && g->channel != NULL)
        (void)uv_run(&g->loop, UV_RUN_DEFAULT);
    /* What the channel still has to close. */
    while (uv_loop_close(&g->loop) == UV_EBUSY)
        (void)uv_run(&g->loop, UV_RUN_DEFAULT);
    sp_frame_clear(&g->answer);
}

enum sp_code
sp_enroll(const struct sp_env *env, const struct sp_enroll_options *o,
    enum sp_code (*finish)(void *arg, const struct sp_enrolled *en, struct sp_buf *record,
        struct sp_buf *slots, size_t *slot_lens, size_t *nslots, struct sp_err *e),
    void *arg, struct sp_enrolled *ret, struct sp_err *e)
{
    struct enrolling g = {.ready = false};
    struct sp_enrolled en = {0};
    struct sp_token token;
    int status;
    enum sp_code rc;

    if ((rc = sp_token_parse(o->token, &token, e)) != SP_OK)
        return rc;
    g.server = token.address;
    if ((status = uv_loop_init(&g.loop)) != 0) {
        rc = sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "an event loop: %s", uv_strerror(status));
        goto out;
    }
    if ((rc = connect_to(&g, env, &token, e)) == SP_OK)
        rc = both_steps(&g, o, &token, finish, arg, &en, e);
    close_all(&g, NULL);
    if (rc == SP_OK) {
        *ret = en;
        memset(&en, 0, sizeof(en));
    }
out:
    sp_enrolled_clear(&en);
    sp_wipe(&token, sizeof(token));
    return rc;
}

void
sp_enrolled_clear(struct sp_enrolled *en)
{
    free(en->address);
    sp_pem_free(en->tls_key);
    sp_pem_free(en->tls_chain);
    sp_pem_free(en->tls_authority);
    free(en->host_name);
    free(en->conf);
    free(en->slots);
    free(en->record);
    memset(en, 0, sizeof(*en));
}
