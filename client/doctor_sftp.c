#include "client/doctor.h"
#include "client/place.h"

/* The account: whom it is, how it was logged in to, what it can do. */

static const char *
by_what(enum sp_ssh_method m)
{
    return m == SP_SSH_AGENT      ? "with a key of the agent"
           : m == SP_SSH_KEY      ? "with a key"
           : m == SP_SSH_PASSWORD ? "with a password"
                                  : "without any secret";
}

static void
tell_server(struct sp_doctor *d, const struct sp_profile *p)
{
    const struct sp_ssh_facts *f = sp_place_facts(d->c, p->address);

    if (f == NULL)
        return;
    sp_doctor_tell(d, SP_HEALTH_GOOD, "login", NULL, "%s; the server says it is %s",
        by_what(f->method), f->greeting);
    sp_doctor_tell(d, p->sftp.host_key != NULL ? SP_HEALTH_GOOD : SP_HEALTH_WARNING, "server's key",
        p->sftp.host_key != NULL ? NULL
                                 : "known_hosts decides each time; 'stillpoint login' pins it, "
                                   "unless it is a certificate",
        "%s %s, %s", f->key_type, f->fingerprint,
        p->sftp.host_key != NULL ? "as it was pinned" : "which is not pinned");
    sp_doctor_tell(
        d, SP_HEALTH_GOOD, "connection", NULL, "%s, by %s", f->algorithms, sp_ssh_library());
    if (p->sftp.old_algorithms == SP_SFTP_YES)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "algorithms",
            "have the server updated, then: stillpoint login with 'old-algorithms = no'",
            "old algorithms (SHA-1, CBC) are allowed for this server");
}

static void
tell_remark(void *arg, const struct sp_place_remark *r)
{
    sp_doctor_tell(
        arg, r->good ? SP_HEALTH_GOOD : SP_HEALTH_WARNING, r->subject, r->advice, "%s", r->text);
}

void
sp_doctor_sftp(struct sp_doctor *d, const struct sp_profile *p, struct sp_backend *b)
{
    struct sp_err e = {0};

    tell_server(d, p);
    if (sp_place_remarks(b, tell_remark, d, &e) != SP_OK)
        sp_doctor_bad(d, "abilities", NULL, &e);
}
