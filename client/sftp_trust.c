#include "client/sftp_trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct where { /* "nas", "nas:2222", and what ssh's tools call it: "nas", "[nas]:2222" */
    char s[300], tools[300];
};

static struct where
where_of(const struct sp_ssh_hostkey *k)
{
    struct where w;

    if (k->port == 22) {
        (void)snprintf(w.s, sizeof(w.s), "%.255s", k->host);
        (void)snprintf(w.tools, sizeof(w.tools), "%.255s", k->host);
    } else {
        (void)snprintf(w.s, sizeof(w.s), "%.255s:%u", k->host, (unsigned)k->port);
        (void)snprintf(w.tools, sizeof(w.tools), "[%.255s]:%u", k->host, (unsigned)k->port);
    }
    return w;
}

static bool
same(const char *fingerprint, const struct sp_ssh_hostkey *k)
{
    return fingerprint != NULL && strcmp(fingerprint, k->fingerprint) == 0;
}

static enum sp_code
revoked(const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    return sp_fail(e, SP_REFUSED, SP_DOM_NET,
        "the SSH server %.120s shows a key that is revoked in %.160s line %u (%.60s %s): nothing "
        "was sent",
        where_of(k).s, k->known_file, k->known_line, k->type, k->fingerprint);
}

static enum sp_code
not_as_told(const struct sp_sftp_trust *t, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    return sp_fail(e, SP_REFUSED, SP_DOM_NET,
        "the SSH server %.120s shows the key %s (%.60s), not %s as --sftp-host-key says: nothing "
        "was sent",
        where_of(k).s, k->fingerprint, k->type, t->told);
}

static enum sp_code
not_as_pinned(const struct sp_sftp_trust *t, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    return sp_fail(e, SP_REFUSED, SP_DOM_NET,
        "the key of the SSH server %.90s has changed: it is %s (%.40s), not %s, which %.120s has. "
        "The server was set up anew, or somebody is in between; nothing was sent. If its "
        "administrator confirms the new key: stillpoint login -r %.120s --sftp-host-key %s",
        where_of(k).s, k->fingerprint, k->type, t->pinned, t->pinned_where, t->address,
        k->fingerprint);
}

static enum sp_code
not_as_known(const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    struct where w = where_of(k);

    return sp_fail(e, SP_REFUSED, SP_DOM_NET,
        "the key of the SSH server %.90s has changed: it is %s (%.40s), not the one in %.140s line "
        "%u. The server was set up anew, or somebody is in between; nothing was sent. If its "
        "administrator confirms the new key: ssh-keygen -R '%.90s', or --sftp-host-key %s",
        w.s, k->fingerprint, k->type, k->known_file, k->known_line, w.tools, k->fingerprint);
}

/* Who is in between cannot show the key that is known, but one of a type of which none is. */
static void
add_other_type(const struct sp_ssh_hostkey *k, struct sp_buf *to)
{
    if (k->known_file != NULL)
        sp_buf_printf(to,
            "%.160s line %u has a key of another type for it. It was asked for that one first and "
            "did not show it: it was set up anew, or somebody is in between.\n",
            k->known_file, k->known_line);
}

static enum sp_code
nobody_to_ask(const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    if (k->known_file != NULL)
        return sp_fail(e, SP_REFUSED, SP_DOM_NET,
            "the SSH server %.90s shows a key that is not known here (%.40s %s), and not the one "
            "in "
            "%.140s line %u, for which it was asked first: it was set up anew, or somebody is in "
            "between. Compare the key with what its administrator says, and give it: "
            "--sftp-host-key SHA256:…",
            where_of(k).s, k->type, k->fingerprint, k->known_file, k->known_line);
    return sp_fail(e, SP_REFUSED, SP_DOM_NET,
        "the SSH server %.90s shows a key that is not known here (%.40s %s), and there is no "
        "terminal to ask at. See its keys with: ssh-keyscan -p %u %.90s | ssh-keygen -lf -, "
        "compare "
        "them with what its administrator says, and give the right one: --sftp-host-key SHA256:…",
        where_of(k).s, k->type, k->fingerprint, (unsigned)k->port, k->host);
}

static enum sp_code
ask(const struct sp_sftp_trust *t, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    struct sp_buf question = SP_BUF_INIT, answer = SP_BUF_INIT;
    const char *said;
    enum sp_code rc;

    if (t->asker == NULL || !t->asker->can(t->asker->arg))
        return nobody_to_ask(k, e);
    sp_buf_printf(&question,
        "The SSH server %s shows a key that is not known here:\n"
        "  %s %s\n",
        where_of(k).s, k->type, k->fingerprint);
    add_other_type(k, &question);
    if (t->again && t->pinned != NULL)
        sp_buf_printf(&question, "So far it had:\n  %s %s\n",
            t->pinned_type != NULL ? t->pinned_type : "", t->pinned);
    sp_buf_put_str(&question,
        "Compare it with what its administrator says. Trust it? Type yes, or the fingerprint");
    if ((rc = sp_buf_ok(&question, e)) == SP_OK)
        rc = t->asker->line(t->asker->arg, sp_buf_str(&question), &answer, e);
    if (rc == SP_OK) {
        said = sp_buf_str(&answer);
        if (strcmp(said, "yes") != 0 && !same(said, k))
            rc = sp_fail(e, SP_REFUSED, SP_DOM_NET,
                "the key of the SSH server %.120s is not trusted (%s was typed): nothing was sent",
                where_of(k).s,
                strncmp(said, "SHA256:", 7) == 0 ? "another fingerprint" : "no 'yes'");
    }
    sp_buf_free(&question);
    sp_buf_free(&answer);
    return rc;
}

enum sp_code
sp_sftp_trust(const struct sp_sftp_trust *t, const struct sp_ssh_hostkey *k, bool *ret_asked,
    struct sp_err *e)
{
    enum sp_code rc;

    *ret_asked = false;
    if (k->known == SP_HOSTKEY_REVOKED)
        return revoked(k, e);
    if (t->told != NULL)
        return same(t->told, k) ? SP_OK : not_as_told(t, k, e);
    if (same(t->pinned, k))
        return SP_OK;
    if (t->pinned != NULL && !t->again)
        return not_as_pinned(t, k, e);
    if (k->known == SP_HOSTKEY_KNOWN || same(t->asked, k))
        return SP_OK;
    if (k->known == SP_HOSTKEY_CHANGED)
        return not_as_known(k, e);
    if ((rc = ask(t, k, e)) == SP_OK)
        *ret_asked = true;
    return rc;
}
