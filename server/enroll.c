#include "server/enroll.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "base/thread.h"
#include "server/invite.h"
#include "storage/crypto.h"

#define DAY_NS (86400 * SP_SECOND)
#define BACKDATE_NS (300 * SP_SECOND) /* clocks differ */

struct sp_enroller {
    struct sp_enroller_options o;
    struct sp_mutex
        ending; /* one EnrollEnd at a time: the repository is written before the state */
};

enum sp_code
sp_enroller_new(const struct sp_enroller_options *o, struct sp_enroller **ret, struct sp_err *e)
{
    struct sp_enroller *en = calloc(1, sizeof(*en));

    if (en == NULL)
        return sp_fail_nomem(e);
    en->o = *o;
    sp_mutex_init(&en->ending);
    *ret = en;
    return SP_OK;
}

void
sp_enroller_free(struct sp_enroller *en)
{
    if (en == NULL)
        return;
    sp_mutex_destroy(&en->ending);
    free(en);
}

/* --- the token
 * -------------------------------------------------------------------------------------- */

/* Whether the token can be used at all; says which of the reasons it is: only who knows its secret
 * comes here. */
static enum sp_code
check_usable(const struct sp_state_token *t, int64_t now_ns, struct sp_err *e)
{
    const char *why = NULL;

    if (t->used_ns != 0)
        why = "this enrolment token was used before";
    else if (t->is_void)
        why = "this enrolment token is no longer valid: a newer one was made, or the host was "
              "revoked";
    else if (now_ns >= t->expires_ns)
        why = "this enrolment token expired";
    if (why == NULL)
        return SP_OK;
    return sp_fail(e, SP_AUTH, SP_DOM_STORE,
        "%s; the server's administrator makes a new one with: stillpointd host add (or replace)",
        why);
}

static enum sp_code
check_token(struct sp_enroller *en, const struct sp_msg *m, int64_t now_ns,
    struct sp_state_token *ret, struct sp_err *e)
{
    uint8_t hash[32];
    struct sp_err why = {0};
    enum sp_code rc;

    /* Before looking for the token, so that one that is not there takes as long. */
    if ((rc = sp_sha256(m->enroll.secret, m->enroll.secret_len, hash, e)) != SP_OK)
        return rc;
    rc = sp_state_token(en->o.state, m->enroll.token_id, ret, &why);
    if (rc != SP_OK && rc != SP_ABSENT) {
        *e = why;
        return rc;
    }
    if (rc == SP_ABSENT || ret->failures >= SP_STATE_TOKEN_TRIES ||
        !sp_equal_const(hash, ret->secret_hash, sizeof(hash))) {
        if (rc == SP_OK && sp_state_token_failed(en->o.state, ret->id, &why) != SP_OK) {
            *e = why;
            return e->code;
        }
        return sp_fail(e, SP_AUTH, SP_DOM_STORE, "this enrolment token is not known to the server");
    }
    return check_usable(ret, now_ns, e);
}

/* --- who it becomes
 * --------------------------------------------------------------------------------- */

static enum sp_code
new_or_old_host(struct sp_enroller *en, const struct sp_state_token *t, struct sp_enrolling *g,
    struct sp_err *e)
{
    struct sp_state_host host;
    enum sp_code rc;

    memcpy(g->name, t->name, sizeof(g->name));
    memcpy(g->e.token, t->id, sizeof(g->e.token));
    g->e.replaces = t->replaces;
    if (!t->replaces)
        return sp_random_fill(en->o.env->random, g->e.host, sizeof(g->e.host), e);
    if ((rc = sp_state_host(en->o.state, t->host, &host, e)) != SP_OK)
        return rc;
    memcpy(g->e.host, host.id, sizeof(g->e.host));
    memcpy(g->e.group, host.group, sizeof(g->e.group));
    g->has_group = true;
    return SP_OK;
}

/* Slots in the reply: u32le length and slot, one after the other. */
static enum sp_code
put_slot(struct sp_buf *to, const uint8_t *slot, size_t n, struct sp_err *e)
{
    sp_buf_put_u32(to, (uint32_t)n);
    sp_buf_put(to, slot, n);
    return sp_buf_ok(to, e);
}

/* The slots that let a machine which takes over a host open its group: every one for a recovery key
 * or a passphrase, as many as fit. */
static enum sp_code
add_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_buf *to = arg;
    struct sp_slot_info info;
    struct sp_err bad = {0};

    if (sp_slot_parse(slot, n, &info, &bad) != SP_OK || info.kind == SP_SLOT_INVITATION ||
        to->len + 4 + n > SP_SLOT_MAX)
        return SP_OK;
    return put_slot(to, slot, n, e);
}

/* The group that the host joins, and the slots that go with the reply. */
static enum sp_code
find_group(struct sp_enroller *en, const struct sp_msg *m, int64_t now_ns, struct sp_enrolling *g,
    struct sp_buf *slot, struct sp_err *e)
{
    struct sp_invitation i = {.slot = NULL};
    enum sp_code rc;

    if (!m->enroll.has_invitation) {
        if (!g->has_group)
            return SP_OK;
        return sp_repository_slots(en->o.repository, g->e.group, add_slot, slot, e);
    }
    rc = sp_invitation_find(en->o.repository, en->o.state, m->enroll.invitation_id,
        m->enroll.invitation_proof, now_ns, &i, e);
    if (rc != SP_OK)
        return rc;
    if (g->has_group && memcmp(g->e.group, i.group, sizeof(i.group)) != 0) {
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "host %s belongs to another key group than the invitation", g->name);
    } else {
        g->has_group = g->e.has_invitation = true;
        memcpy(g->e.group, i.group, sizeof(g->e.group));
        memcpy(g->e.invitation, i.slot_id, sizeof(g->e.invitation));
        rc = put_slot(slot, i.slot, i.slot_len, e);
    }
    sp_invitation_clear(&i);
    return rc;
}

/* --- certificates
 * ----------------------------------------------------------------------------------- */

static enum sp_code
issue(struct sp_enroller *en, const uint8_t host[16], const uint8_t *csr, size_t n,
    char **ret_chain, struct sp_cert_info *ret_info, struct sp_err *e)
{
    const struct sp_home *home = en->o.home;
    int64_t now_ns = sp_clock_wall(en->o.env->clock);
    struct sp_validity v = {now_ns - BACKDATE_NS, now_ns + home->config.certificate_days * DAY_NS};

    return sp_cert_issue(
        home->authority, home->authority_key, csr, n, host, v, ret_chain, ret_info, e);
}

/* --- Enroll
 * ----------------------------------------------------------------------------------------- */

static enum sp_code
fill_reply(struct sp_enroller *en, const struct sp_enrolling *g, const char *chain,
    const struct sp_buf *slot, struct sp_msg *reply, struct sp_buf *payload, struct sp_err *e)
{
    uint8_t *record = NULL;
    size_t record_len = 0;
    enum sp_code rc;

    /* Who takes a host over adds its key to those that signed the host's sets so far. */
    if (g->e.replaces) {
        rc = sp_repository_host(en->o.repository, g->e.host, &record, &record_len, e);
        if (rc != SP_OK && rc != SP_ABSENT)
            return rc;
    }
    memset(reply, 0, sizeof(*reply));
    reply->type = SP_MSG_ENROLL_REPLY;
    memcpy(reply->enroll_reply.host, g->e.host, 16);
    memcpy(reply->enroll_reply.host_name, g->name, strlen(g->name) + 1);
    reply->enroll_reply.has_group = g->has_group;
    memcpy(reply->enroll_reply.group, g->e.group, 16);
    reply->enroll_reply.chain_len = (uint32_t)strlen(chain);
    reply->enroll_reply.authority_len = (uint32_t)strlen(en->o.home->authority);
    reply->enroll_reply.conf_len = (uint32_t)en->o.conf_len;
    reply->enroll_reply.slot_len = (uint32_t)slot->len;
    sp_buf_put_str(payload, chain);
    sp_buf_put_str(payload, en->o.home->authority);
    sp_buf_put(payload, en->o.conf, en->o.conf_len);
    sp_buf_put(payload, slot->data, slot->len);
    reply->enroll_reply.record_len = (uint32_t)record_len;
    sp_buf_put(payload, record, record_len);
    free(record);
    return sp_buf_ok(payload, e);
}

enum sp_code
sp_enroll_begin(struct sp_enroller *en, const struct sp_msg *m, const uint8_t *csr, size_t n,
    struct sp_enrolling *ret, struct sp_msg *ret_reply, uint8_t **ret_payload, size_t *ret_n,
    struct sp_err *e)
{
    int64_t now_ns = sp_clock_wall(en->o.env->clock);
    struct sp_buf slot = SP_BUF_INIT, payload = SP_BUF_INIT;
    struct sp_state_token token;
    struct sp_enrolling g;
    struct sp_msg reply;
    char *chain = NULL;
    enum sp_code rc;

    memset(&g, 0, sizeof(g));
    if ((rc = check_token(en, m, now_ns, &token, e)) != SP_OK ||
        (rc = new_or_old_host(en, &token, &g, e)) != SP_OK ||
        (rc = find_group(en, m, now_ns, &g, &slot, e)) != SP_OK ||
        (rc = sp_buf_ok(&slot, e)) != SP_OK ||
        (rc = issue(en, g.e.host, csr, n, &chain, &g.e.certificate, e)) != SP_OK)
        goto out;
    memcpy(g.e.identity, m->enroll.identity, sizeof(g.e.identity));
    if ((rc = fill_reply(en, &g, chain, &slot, &reply, &payload, e)) != SP_OK ||
        (rc = sp_buf_take(&payload, ret_payload, ret_n, e)) != SP_OK)
        goto out;
    *ret = g;
    *ret_reply = reply;
out:
    sp_pem_free(chain);
    sp_buf_free(&payload);
    sp_buf_free(&slot);
    return rc;
}

/* --- EnrollEnd
 * -------------------------------------------------------------------------------------- */

enum sp_code
sp_enroll_check_record(const uint8_t *record, size_t n, const uint8_t host[16],
    const uint8_t group[16], struct sp_host *ret, struct sp_err *e)
{
    struct sp_host h;
    enum sp_code rc = sp_host_decode(record, n, NULL, &h, e);

    if (rc != SP_OK)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "the host record is not one");
    if (memcmp(h.id, host, sizeof(h.id)) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "the host record is of another host");
    if (group != NULL && memcmp(h.group, group, sizeof(h.group)) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "the host record is of another key group");
    *ret = h;
    return SP_OK;
}

/* New groups have ids made from secrets; one that is there already is not new, and who cannot show
 * an invitation is not let in. */
static enum sp_code
refuse_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    (void)arg;
    (void)slot;
    (void)n;
    return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
        "the key group is there already; a host joins it with an invitation");
}

struct group_search {
    const uint8_t *group;
};

static enum sp_code
refuse_member(void *arg, const struct sp_state_host *h, struct sp_err *e)
{
    const struct group_search *s = arg;

    return memcmp(h->group, s->group, 16) == 0 ? refuse_slot(NULL, NULL, 0, e) : SP_OK;
}

static enum sp_code
check_new_group(struct sp_enroller *en, const uint8_t group[16], struct sp_err *e)
{
    struct group_search s = {group};
    enum sp_code rc = sp_state_hosts(en->o.state, refuse_member, &s, e);

    return rc != SP_OK ? rc : sp_repository_slots(en->o.repository, group, refuse_slot, NULL, e);
}

static enum sp_code
check_slots(const struct sp_msg *m, const uint8_t *p, const uint8_t group[16], struct sp_err *e)
{
    struct sp_slot_info info;

    for (uint32_t i = 0; i < m->enroll_end.nslots; i++) {
        if (sp_slot_parse(p, m->enroll_end.slot_len[i], &info, e) != SP_OK ||
            info.kind == SP_SLOT_INVITATION || memcmp(info.group, group, 16) != 0)
            return sp_fail(e, SP_INVALID, SP_DOM_STORE,
                "a key slot of the enrolment is none, or of another key group");
        p += m->enroll_end.slot_len[i];
    }
    return SP_OK;
}

static enum sp_code
store_slots(struct sp_enroller *en, const struct sp_msg *m, const uint8_t *p, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (uint32_t i = 0; rc == SP_OK && i < m->enroll_end.nslots; i++) {
        rc = sp_repository_put_slot(en->o.repository, p, m->enroll_end.slot_len[i], e);
        p += m->enroll_end.slot_len[i];
    }
    return rc;
}

static enum sp_code
end(struct sp_enroller *en, struct sp_enrolling *g, const struct sp_msg *m, const uint8_t *payload,
    struct sp_err *e)
{
    const uint8_t *slots = payload + m->enroll_end.record_len;
    int64_t now_ns = sp_clock_wall(en->o.env->clock);
    struct sp_err ignored = {0};
    struct sp_state_token token;
    struct sp_host host;
    enum sp_code rc;

    if ((rc = sp_enroll_check_record(payload, m->enroll_end.record_len, g->e.host,
             g->has_group ? g->e.group : NULL, &host, e)) != SP_OK)
        return rc;
    if (memcmp(host.keys[host.nkeys - 1], g->e.identity, 32) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE,
            "the last key of the host record is not the one that was enrolled");
    if ((rc = sp_state_token(en->o.state, g->e.token, &token, e)) != SP_OK ||
        (rc = check_usable(&token, now_ns, e)) != SP_OK ||
        (!g->has_group && (rc = check_new_group(en, host.group, e)) != SP_OK) ||
        (rc = check_slots(m, slots, host.group, e)) != SP_OK)
        return rc;
    if ((rc = store_slots(en, m, slots, e)) != SP_OK ||
        (rc = sp_repository_put_host(en->o.repository, payload, m->enroll_end.record_len, e)) !=
            SP_OK ||
        (rc = sp_backend_sync(sp_repository_backend(en->o.repository), e)) != SP_OK)
        return rc;
    memcpy(g->e.group, host.group, sizeof(g->e.group));
    g->e.name = g->name;
    if ((rc = sp_state_enrol(en->o.state, &g->e, now_ns, e)) != SP_OK)
        return rc;
    /* What cannot be removed now is used all the same, and the sweep tries again. */
    if (g->e.has_invitation &&
        sp_repository_remove_slot(en->o.repository, g->e.group, g->e.invitation, &ignored) == SP_OK)
        (void)sp_state_invitation_remove(en->o.state, g->e.invitation, &ignored);
    return SP_OK;
}

enum sp_code
sp_enroll_end(struct sp_enroller *en, struct sp_enrolling *g, const struct sp_msg *m,
    const uint8_t *payload, size_t n, struct sp_err *e)
{
    uint64_t sum = m->enroll_end.record_len;
    enum sp_code rc;

    for (uint32_t i = 0; i < m->enroll_end.nslots; i++)
        sum += m->enroll_end.slot_len[i];
    if (sum != n) /* the protocol has looked, but here is where it is relied on */
        return sp_fail(e, SP_INVALID, SP_DOM_NET, "the parts of an EnrollEnd do not add up");
    sp_mutex_lock(&en->ending);
    rc = end(en, g, m, payload, e);
    sp_mutex_unlock(&en->ending);
    return rc;
}

/* --- Renew
 * ------------------------------------------------------------------------------------------ */

enum sp_code
sp_enroll_renew(struct sp_enroller *en, const uint8_t host[16], const uint8_t *csr, size_t n,
    uint8_t **ret_chain, size_t *ret_n, struct sp_err *e)
{
    struct sp_cert_info info;
    char *chain = NULL;
    enum sp_code rc;

    if ((rc = sp_state_host_active(en->o.state, host, e)) != SP_OK ||
        (rc = issue(en, host, csr, n, &chain, &info, e)) != SP_OK)
        return rc;
    rc = sp_state_certificate_add(en->o.state, host, &info, sp_clock_wall(en->o.env->clock), e);
    if (rc != SP_OK) {
        sp_pem_free(chain);
        return rc;
    }
    *ret_chain = (uint8_t *)chain;
    *ret_n = strlen(chain);
    return SP_OK;
}
