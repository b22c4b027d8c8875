/* Opening an SSH link, in the thread of the caller: see ssh.h. The server's key is judged as soon
 * as it has proven that it holds it, and before a name or a secret of ours is sent. */

#include "storage/ssh_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define PORT 22u
#define CONNECT_MS 30000u
#define TURN_MS 100u
#define MS INT64_C(1000000)
/* A server's greeting, key exchange and login are some kilobytes. */
#define BEGIN_BYTES (UINT64_C(256) << 10)

enum sp_code
sp_ssh_open_wait(struct sp_ssh_opening *p, const char *doing, struct sp_err *e)
{
    enum sp_code rc = sp_ssh_patience(&p->patience, e);

    if (rc == SP_TIMEOUT)
        return sp_fail(
            e, SP_TIMEOUT, SP_DOM_NET, "%s: the server stopped answering during %s", p->at, doing);
    if (rc != SP_OK)
        return rc;
    if (sp_ssh_socket_received(p->socket) > BEGIN_BYTES)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "%s: the server sends far more than belongs to %s: is it an SSH server?", p->at, doing);
    sp_ssh_socket_turn(p->socket, TURN_MS);
    return SP_OK;
}

enum sp_code
sp_ssh_open_fault(struct sp_ssh_opening *p, const char *doing, struct sp_err *e)
{
    const char *bye = sp_ssh_wire_farewell(p->wire);
    struct sp_err why = {0};

    switch (sp_ssh_wire_fault(p->wire)) {
    case SP_SSH_F_LOST:
        if (sp_ssh_socket_state(p->socket, &why) == SP_OK)
            break;
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "%s: during %s %s%s%s", p->at, doing,
            why.text, bye[0] != '\0' ? ", saying: " : "", bye);
    case SP_SSH_F_COMMON:
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_NET,
            "%s: no algorithm for %s that the server and this program both allow (%s). %s", p->at,
            doing, sp_ssh_wire_words(p->wire),
            p->o->old_algorithms
                ? "Not even the old ones, which are allowed here"
                : "A server that is not updated any more may offer only old ones (SHA-1, CBC): "
                  "--sftp-old-algorithms allows them");
    case SP_SSH_F_SIGNATURE:
        return sp_fail(e, SP_REFUSED, SP_DOM_NET,
            "%s: the server did not prove that it holds the key that it shows (%s): somebody may "
            "be in "
            "between",
            p->at, sp_ssh_wire_words(p->wire));
    case SP_SSH_F_NOMEM:
        return sp_fail_nomem(e);
    default:
        break;
    }
    return sp_fail(e, bye[0] != '\0' ? SP_UNREACHABLE : SP_PROTOCOL, SP_DOM_NET,
        "%s: %s failed: %s%s%s", p->at, doing, sp_ssh_wire_words(p->wire),
        bye[0] != '\0' ? "; the server says: " : "", bye);
}

static void
allow(struct sp_ssh_opening *p)
{
    uint32_t ms = p->o->connect_ms != 0 ? p->o->connect_ms : CONNECT_MS;

    p->patience.until_ns = sp_clock_mono(p->patience.clock) + ms * MS;
}

/* Which host keys to ask for, the known one first: a server has several, and one that was never
 * seen would look like a new server. Both kinds of signature of an RSA key. */
static enum sp_code
key_types(const struct sp_ssh_options *o, uint16_t port, struct sp_buf *ret, struct sp_err *e)
{
    static const char *const all[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256", NULL};
    struct sp_buf known = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    if (o->pinned_type != NULL)
        sp_buf_put_str(&known, o->pinned_type);
    else if (o->pinned == NULL)
        rc = sp_ssh_hostkeys_types(o->known_hosts, o->nknown_hosts, o->host, port, &known, e);
    for (int pass = 0; rc == SP_OK && pass < 2; pass++)
        for (size_t i = 0; all[i] != NULL; i++) {
            const char *type = strncmp(all[i], "rsa", 3) == 0 ? "ssh-rsa" : all[i];
            bool is_known = strstr(sp_buf_str(&known), type) != NULL;

            if (is_known == (pass == 0))
                sp_buf_printf(ret, "%s%s", ret->len > 0 ? "," : "", all[i]);
        }
    sp_buf_free(&known);
    return rc != SP_OK ? rc : sp_buf_ok(ret, e);
}

static enum sp_code
judge(struct sp_ssh_opening *p, uint16_t port, struct sp_err *e)
{
    const struct sp_ssh_options *o = p->o;
    struct sp_span key = sp_ssh_wire_hostkey(p->wire);
    struct sp_ssh_hostkey k = {.host = o->host, .port = port};
    enum sp_code rc;

    if (key.p == NULL || !sp_ssh_key_type(key, p->facts->key_type))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "%s: the server shows no key", p->at);
    k.key = key.p;
    k.key_len = key.n;
    k.type = p->facts->key_type;
    if ((rc = sp_ssh_fingerprint(k.key, k.key_len, k.fingerprint, e)) != SP_OK)
        return rc;
    memcpy(p->facts->fingerprint, k.fingerprint, sizeof(k.fingerprint));
    if (o->pinned != NULL) {
        if (strcmp(o->pinned, k.fingerprint) == 0)
            return SP_OK;
        return sp_fail(e, SP_REFUSED, SP_DOM_NET,
            "%s shows another key than the one that was pinned: %s (%s) instead of %s. If the "
            "server was "
            "set up anew, its owner can tell the new key's fingerprint; otherwise somebody may be "
            "in "
            "between. Nothing was sent to it",
            p->at, k.fingerprint, k.type, o->pinned);
    }
    if ((rc = sp_ssh_hostkeys_look(o->known_hosts, o->nknown_hosts, &k, e)) != SP_OK)
        return rc;
    return o->hostkey(o->arg, &k, e);
}

static enum sp_code
handshake(struct sp_ssh_opening *p, struct sp_err *e)
{
    enum sp_code rc;
    int step;

    while ((step = sp_ssh_wire_handshake(p->wire)) == SP_SSH_AGAIN)
        if ((rc = sp_ssh_open_wait(p, "the key exchange", e)) != SP_OK)
            return rc;
    return step == SP_SSH_DONE ? SP_OK : sp_ssh_open_fault(p, "the key exchange", e);
}

static enum sp_code
channel(struct sp_ssh_opening *p, struct sp_err *e)
{
    enum sp_code rc;
    int step;

    while ((step = sp_ssh_wire_channel(p->wire)) == SP_SSH_AGAIN)
        if ((rc = sp_ssh_open_wait(p, "the start of sftp", e)) != SP_OK)
            return rc;
    if (step == SP_SSH_DONE)
        return SP_OK;
    if (sp_ssh_wire_fault(p->wire) == SP_SSH_F_REFUSED)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_NET,
            "%s: the login worked, but the server offers no SFTP to this user (%s)", p->at,
            sp_ssh_wire_words(p->wire));
    return sp_ssh_open_fault(p, "the start of sftp", e);
}

static enum sp_code
begin(struct sp_ssh_opening *p, uint16_t port, struct sp_err *e)
{
    struct sp_buf types = SP_BUF_INIT;
    enum sp_code rc;

    allow(p);
    if ((rc = key_types(p->o, port, &types, e)) != SP_OK)
        goto out;
    rc = sp_ssh_socket_connect(p->o->host, port, &p->patience, &p->socket, e);
    if (rc == SP_TIMEOUT)
        (void)sp_fail(e, rc, SP_DOM_NET, "cannot connect to %s: no answer in time", p->at);
    else if (rc == SP_UNREACHABLE)
        sp_err_context(e, "cannot connect to %s", p->at);
    if (rc != SP_OK)
        goto out;
    if ((rc = sp_ssh_wire_new(p->socket, sp_buf_str(&types), p->o, &p->wire, e)) != SP_OK)
        goto out;
    allow(p);
    if ((rc = handshake(p, e)) != SP_OK || (rc = judge(p, port, e)) != SP_OK)
        goto out;
    allow(p);
    if ((rc = sp_ssh_login(p, e)) != SP_OK)
        goto out;
    sp_ssh_wire_logged_in(p->wire);
    allow(p);
    rc = channel(p, e);
out:
    sp_buf_free(&types);
    return rc;
}

enum sp_code
sp_ssh_open(const struct sp_env *env, const struct sp_ssh_options *o, struct sp_sftp_link **ret,
    struct sp_err *e)
{
    struct sp_ssh_facts facts = {0};
    struct sp_ssh_opening p = {
        .o = o, .facts = &facts, .patience = {.clock = env->clock, .stop = o->stop, .arg = o->arg}};
    uint16_t port = o->port != 0 ? o->port : PORT;
    enum sp_code rc;

    (void)snprintf(p.at, sizeof(p.at), strchr(o->host, ':') != NULL ? "%s@[%s]:%u" : "%s@%s:%u",
        o->user, o->host, (unsigned)port);
    if ((rc = begin(&p, port, e)) != SP_OK) {
        sp_ssh_wire_free(p.wire);
        sp_ssh_socket_free(p.socket);
        return rc;
    }
    sp_ssh_wire_facts(p.wire, &facts);
    return sp_ssh_link_new(env, o, p.at, p.socket, p.wire, &facts, ret, e);
}
