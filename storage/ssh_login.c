/* Logging in: see ssh_impl.h.
 *
 * The order: what needs no question first. Key files that are open, the agent's keys, then
 * encrypted key files (their passphrase is asked for), then the password. A server ends the
 * connection after a few wrong ones (OpenSSH after 6), so what was named comes before what merely
 * is there. */

#include "storage/ssh_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TRIES 3u           /* of a passphrase or a password */
#define AGENT_KEYS_MAX 16u /* more would be an agent that does not end */

struct login {
    struct sp_ssh_opening *p;
    const char *methods; /* as the server says, or NULL: we are in */
    char offered[128];
    struct sp_buf tried; /* for the sentence */
    bool in;
    enum sp_ssh_method by;
};

static void
tried(struct login *l, const char *format, const char *what)
{
    if (l->tried.len > 0)
        sp_buf_put_str(&l->tried, ", ");
    sp_buf_printf(&l->tried, format, what);
}

static bool
wanted(const struct login *l, enum sp_ssh_method m)
{
    return l->p->o->methods == 0 || (l->p->o->methods & (unsigned)m) != 0;
}

/* Whether the comma separated list of the server has this method. */
static bool
offers(const struct login *l, const char *method)
{
    size_t n = strlen(method);

    for (const char *s = l->methods; s != NULL; s = strchr(s, ',')) {
        s += *s == ',';
        if (strncmp(s, method, n) == 0 && (s[n] == ',' || s[n] == '\0'))
            return true;
    }
    return false;
}

/* Asks, while the clock stands still. SP_CANCELLED: do without. */
static enum sp_code
ask(struct login *l, enum sp_ssh_method m, const char *what, struct sp_buf *secret,
    struct sp_err *e)
{
    const struct sp_ssh_options *o = l->p->o;
    int64_t before = sp_clock_mono(l->p->patience.clock);
    enum sp_code rc;

    if (o->secret == NULL)
        return sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "nothing can be asked");
    rc = o->secret(o->arg, m, what, secret, e);
    l->p->patience.until_ns += sp_clock_mono(l->p->patience.clock) - before;
    if (rc == SP_OK)
        rc = sp_buf_ok(secret, e);
    return rc;
}

/* What a try of the wire came to. *ret_in; SP_OK also when it was refused. */
static enum sp_code
settle(struct login *l, int rc, bool *ret_in, struct sp_err *e)
{
    *ret_in = rc == SP_SSH_DONE;
    if (rc == SP_SSH_DONE)
        return SP_OK;
    switch (sp_ssh_wire_fault(l->p->wire)) {
    case SP_SSH_F_REFUSED:
    case SP_SSH_F_KEYFILE:
    case SP_SSH_F_EXPIRED:
    case SP_SSH_F_OTHER:
        return SP_OK;
    default:
        return sp_ssh_open_fault(l->p, "the login", e);
    }
}

/* --- keys ---------------------------------------------------------------------------------- */

static enum sp_code
with_key(struct login *l, const struct sp_buf *key, const char *passphrase, bool *ret_unreadable,
    struct sp_err *e)
{
    enum sp_code rc;
    int step;

    while ((step = sp_ssh_wire_key(l->p->wire, l->p->o->user, key, passphrase)) == SP_SSH_AGAIN)
        if ((rc = sp_ssh_open_wait(l->p, "the login", e)) != SP_OK)
            return rc;
    *ret_unreadable = step == SP_SSH_FAILED && sp_ssh_wire_fault(l->p->wire) != SP_SSH_F_REFUSED;
    if ((rc = settle(l, step, &l->in, e)) == SP_OK && l->in)
        l->by = SP_SSH_KEY;
    return rc;
}

/* Asks for the passphrase until it fits, it was the same again, or nobody answers. */
static enum sp_code
with_passphrase(struct login *l, const char *path, const struct sp_buf *key, struct sp_err *e)
{
    struct sp_buf secret = SP_BUF_INIT, last = SP_BUF_INIT;
    const char *outcome = "the key %s (its passphrase was wrong)";
    bool unreadable = true;
    char what[400];
    enum sp_code rc = SP_OK;

    (void)snprintf(what, sizeof(what), "the passphrase of the key %s", path);
    for (unsigned i = 0; i < TRIES && unreadable; i++) {
        sp_buf_wipe(&secret);
        if ((rc = ask(l, SP_SSH_KEY, what, &secret, e)) != SP_OK) {
            if (rc == SP_CANCELLED)
                outcome = "the key %s (its passphrase was not given)";
            break;
        }
        if (secret.len == last.len && sp_equal_const(secret.data, last.data, last.len) && i > 0)
            break;
        if ((rc = with_key(l, key, sp_buf_str(&secret), &unreadable, e)) != SP_OK)
            break;
        sp_buf_wipe(&last);
        sp_buf_put(&last, secret.data, secret.len);
    }
    if (rc == SP_OK || rc == SP_CANCELLED) {
        if (rc == SP_CANCELLED && l->p->patience.stop != NULL &&
            l->p->patience.stop(l->p->patience.arg))
            ; /* this was no answer to the question */
        else
            rc = SP_OK;
        if (rc == SP_OK && !l->in)
            tried(l, unreadable ? outcome : "the key %s", path);
    }
    sp_buf_wipe(&secret);
    sp_buf_wipe(&last);
    return rc;
}

static enum sp_code
key_files(struct login *l, bool encrypted, struct sp_err *e)
{
    const struct sp_ssh_options *o = l->p->o;
    enum sp_code rc = SP_OK;

    if (!wanted(l, SP_SSH_KEY) || !offers(l, "publickey"))
        return SP_OK;
    for (size_t i = 0; rc == SP_OK && i < o->nkey_files && !l->in; i++) {
        struct sp_buf key = SP_BUF_INIT;
        struct sp_err why = {0};
        bool unreadable;

        if (sp_ssh_key_read(o->key_files[i], &key, &why) != SP_OK) {
            if (!encrypted) { /* said once */
                tried(l, "not the key %s", o->key_files[i]);
                tried(l, "which cannot be read (%s)", why.text);
            }
        } else if (sp_ssh_key_encrypted(&key) != encrypted) {
            ;
        } else if (encrypted) {
            rc = with_passphrase(l, o->key_files[i], &key, e);
        } else if ((rc = with_key(l, &key, NULL, &unreadable, e)) == SP_OK && !l->in) {
            tried(l,
                unreadable ? "the key %s (no private key of a kind that is known here)"
                           : "the key %s",
                o->key_files[i]);
        }
        sp_buf_wipe(&key);
    }
    return rc;
}

static enum sp_code
agent_keys(struct login *l, struct sp_err *e)
{
    const char *name;
    unsigned n = 0;
    char count[48];
    enum sp_code rc = SP_OK;
    int step;

    if (!wanted(l, SP_SSH_AGENT) || !offers(l, "publickey"))
        return SP_OK;
    if (sp_ssh_wire_agent(l->p->wire) != SP_SSH_DONE) {
        if ((l->p->o->methods & SP_SSH_AGENT) != 0)
            tried(l, "not the %s, which cannot be reached", "agent");
        return SP_OK;
    }
    while (!l->in && n < AGENT_KEYS_MAX && sp_ssh_wire_agent_next(l->p->wire, &name)) {
        n++;
        while ((step = sp_ssh_wire_agent_login(l->p->wire, l->p->o->user)) == SP_SSH_AGAIN)
            if ((rc = sp_ssh_open_wait(l->p, "the login", e)) != SP_OK)
                return rc;
        if ((rc = settle(l, step, &l->in, e)) != SP_OK)
            return rc;
    }
    if (l->in)
        l->by = SP_SSH_AGENT;
    (void)snprintf(count, sizeof(count), "%u", n);
    if (!l->in)
        tried(l, n == 1 ? "the agent's %s key" : "the agent's %s keys", count);
    return SP_OK;
}

/* --- passwords ----------------------------------------------------------------------------- */

static enum sp_code
password(struct login *l, struct sp_err *e)
{
    struct sp_buf secret = SP_BUF_INIT, last = SP_BUF_INIT;
    char what[360];
    bool given = false, expired = false;
    enum sp_code rc = SP_OK;
    int step;

    if (!wanted(l, SP_SSH_PASSWORD) || !offers(l, "password"))
        return SP_OK;
    (void)snprintf(what, sizeof(what), "the password of %s", l->p->at);
    for (unsigned i = 0; i < TRIES && !l->in && !expired; i++) {
        sp_buf_wipe(&secret);
        if ((rc = ask(l, SP_SSH_PASSWORD, what, &secret, e)) != SP_OK)
            break;
        if (given && secret.len == last.len && sp_equal_const(secret.data, last.data, last.len))
            break;
        given = true;
        while ((step = sp_ssh_wire_password(l->p->wire, l->p->o->user, sp_buf_str(&secret))) ==
               SP_SSH_AGAIN)
            if ((rc = sp_ssh_open_wait(l->p, "the login", e)) != SP_OK)
                goto out;
        expired = step == SP_SSH_FAILED && sp_ssh_wire_fault(l->p->wire) == SP_SSH_F_EXPIRED;
        if ((rc = settle(l, step, &l->in, e)) != SP_OK)
            goto out;
        sp_buf_wipe(&last);
        sp_buf_put(&last, secret.data, secret.len);
    }
    if (rc == SP_CANCELLED &&
        !(l->p->patience.stop != NULL && l->p->patience.stop(l->p->patience.arg)))
        rc = SP_OK;
    if (l->in)
        l->by = SP_SSH_PASSWORD;
    else if (given)
        tried(l,
            expired ? "the %s, which has expired and must first be changed with ssh" : "the %s",
            "password");
out:
    sp_buf_wipe(&secret);
    sp_buf_wipe(&last);
    return rc;
}

struct questions {
    struct login *l;
    unsigned asked;
    struct sp_buf last;
    enum sp_code rc;
    struct sp_err *e;
};

static bool
answer(void *arg, const char *question, struct sp_buf *secret)
{
    struct questions *q = arg;
    char what[360];

    (void)snprintf(what, sizeof(what), "%s asks: %s", q->l->p->at, question);
    q->rc = ask(q->l, SP_SSH_PASSWORD, what, secret, q->e);
    if (q->rc != SP_OK)
        return false;
    q->asked++;
    return true;
}

/* One round: the server decides how many questions it has. */
static enum sp_code
keyboard(struct login *l, struct sp_err *e)
{
    struct questions q = {l, 0, SP_BUF_INIT, SP_OK, e};
    struct sp_ssh_answers a = {answer, &q};
    enum sp_code rc;
    int step;

    if (!wanted(l, SP_SSH_PASSWORD) || !offers(l, "keyboard-interactive") ||
        l->p->o->secret == NULL)
        return SP_OK;
    while ((step = sp_ssh_wire_keyboard(l->p->wire, l->p->o->user, &a)) == SP_SSH_AGAIN)
        if ((rc = sp_ssh_open_wait(l->p, "the login", e)) != SP_OK)
            return rc;
    if (q.rc != SP_OK && q.rc != SP_CANCELLED)
        return q.rc;
    if ((rc = settle(l, step, &l->in, e)) != SP_OK)
        return rc;
    if (l->in)
        l->by = SP_SSH_PASSWORD;
    else if (q.asked > 0)
        tried(l, "answers to the %s's questions", "server");
    return SP_OK;
}

/* --- all of it ----------------------------------------------------------------------------- */

static enum sp_code
refused(struct login *l, struct sp_err *e)
{
    const char *bye = sp_ssh_wire_farewell(l->p->wire);

    if (l->tried.failed)
        return sp_fail_nomem(e);
    return sp_fail(e, SP_AUTH, SP_DOM_NET,
        "%s: the login was refused. The server takes %s for this user; tried: %s%s%s", l->p->at,
        l->offered,
        l->tried.len > 0 ? sp_buf_str(&l->tried) : "nothing, because nothing was given for these",
        bye[0] != '\0' ? ". It says: " : "", bye);
}

enum sp_code
sp_ssh_login(struct sp_ssh_opening *p, struct sp_err *e)
{
    struct login l = {.p = p, .tried = SP_BUF_INIT};
    enum sp_code rc = SP_OK;
    int step;

    while ((step = sp_ssh_wire_methods(p->wire, p->o->user, &l.methods)) == SP_SSH_AGAIN)
        if ((rc = sp_ssh_open_wait(p, "the login", e)) != SP_OK)
            goto out;
    if (step != SP_SSH_DONE) {
        rc = sp_ssh_open_fault(p, "the login", e);
        goto out;
    }
    l.in = l.methods == NULL;
    if (!l.in) {
        char *copy = sp_text_copy(l.methods, strlen(l.methods)); /* libssh2 takes its own back */

        if (copy == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        sp_ssh_show(copy, strlen(copy), l.offered, sizeof(l.offered));
        l.methods = copy;
        if (rc == SP_OK && !l.in)
            rc = key_files(&l, false, e);
        if (rc == SP_OK && !l.in)
            rc = agent_keys(&l, e);
        if (rc == SP_OK && !l.in)
            rc = key_files(&l, true, e);
        if (rc == SP_OK && !l.in)
            rc = password(&l, e);
        if (rc == SP_OK && !l.in)
            rc = keyboard(&l, e);
        if (rc == SP_OK && !l.in)
            rc = refused(&l, e);
        else if (rc == SP_UNREACHABLE && sp_ssh_wire_farewell(p->wire)[0] != '\0')
            rc = refused(&l, e); /* "Too many authentication failures": it hung up on purpose */
        free(copy);
    }
    p->facts->method = l.by;
out:
    sp_buf_free(&l.tried);
    return rc;
}
