#include "client/place_sftp.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/cli.h"
#include "client/sftp_here.h"
#include "client/sftp_login.h"

/* The accounts of this run, each with its login. */
struct sp_places {
    struct sp_sftp_login **logins;
    size_t n;
};

/* --- whoever is there ------------------------------------------------------------------------- */

static bool
can_ask(void *arg)
{
    (void)arg;
    return sp_cli_can_ask();
}

static enum sp_code
ask_secret(void *arg, const char *what, struct sp_buf *ret, struct sp_err *e)
{
    return sp_cli_ask_secret(arg, what, ret, e);
}

static enum sp_code
ask_line(void *arg, const char *text, struct sp_buf *ret, struct sp_err *e)
{
    return sp_cli_ask_line(arg, text, ret, e);
}

static enum sp_code
read_secret(void *arg, const char *file, struct sp_buf *ret, struct sp_err *e)
{
    return sp_cli_read_secret_file(arg, file, ret, e);
}

static void
notice(void *arg, const char *sentence)
{
    sp_cli_notice(arg, "%s", sentence);
}

/* --- accounts --------------------------------------------------------------------------------- */

enum sp_code
sp_place_canonical(const char *given, char **ret, struct sp_err *e)
{
    struct sp_sftp_place place = {0};
    enum sp_code rc;

    if ((rc = sp_sftp_place_parse(given, &place, e)) != SP_OK)
        return rc;
    if (place.user == NULL)
        rc = sp_sftp_own_name(&place.user, e);
    if (rc == SP_OK)
        rc = sp_sftp_place_text(&place, ret, e);
    sp_sftp_place_free(&place);
    return rc;
}

static struct sp_sftp_login *
find(const struct sp_cli *c, const char *address)
{
    size_t i;

    for (i = 0; c->places != NULL && i < c->places->n; i++)
        if (strcmp(sp_sftp_login_address(c->places->logins[i]), address) == 0)
            return c->places->logins[i];
    return NULL;
}

/* Room for one more login; it cannot fail any more once the login is there. */
static enum sp_code
grow(struct sp_cli *c, struct sp_err *e)
{
    struct sp_sftp_login **more;

    if (c->places == NULL && (c->places = calloc(1, sizeof(*c->places))) == NULL)
        return sp_fail_nomem(e);
    more = realloc(c->places->logins, (c->places->n + 1) * sizeof(*more));
    if (more == NULL)
        return sp_fail_nomem(e);
    c->places->logins = more;
    return SP_OK;
}

static enum sp_code
make(struct sp_cli *c, const char *address, struct sp_sftp_login **ret, struct sp_err *e)
{
    static const struct sp_sftp_login_from usual = {.open = sp_ssh_open,
        .facts = sp_ssh_facts,
        .stop_first = sp_signals_stop,
        .stop = sp_signals_cancel};
    struct sp_sftp_login_from from = usual;
    struct sp_sftp_place place = {0};
    enum sp_code rc;

    if ((rc = sp_cli_config(c, e)) != SP_OK || (rc = grow(c, e)) != SP_OK ||
        (rc = sp_sftp_place_parse(address, &place, e)) != SP_OK)
        return rc;
    from.address = address;
    from.host = place.host;
    from.user = place.user != NULL ? place.user : "";
    from.port = place.port;
    from.said = &c->sftp;
    from.configured = &c->config->sftp;
    from.asker = (struct sp_sftp_asker){can_ask, ask_secret, ask_line, read_secret, c};
    if ((rc = sp_sftp_login_new(c->env, &from, ret, e)) == SP_OK)
        c->places->logins[c->places->n++] = *ret;
    sp_sftp_place_free(&place);
    return rc;
}

/* The account's login, with what the profile knows of it. */
static enum sp_code
login_of(struct sp_cli *c, const char *address, const struct sp_profile *p,
    struct sp_sftp_login **ret, struct sp_err *e)
{
    struct sp_sftp_login *l = find(c, address);
    enum sp_code rc = SP_OK;

    if (l == NULL)
        rc = make(c, address, &l, e);
    if (rc == SP_OK && p != NULL)
        rc = sp_sftp_login_know(l, p, e);
    if (rc == SP_OK)
        *ret = l;
    return rc;
}

void
sp_places_free(struct sp_cli *c)
{
    size_t i;

    for (i = 0; c->places != NULL && i < c->places->n; i++)
        sp_sftp_login_free(c->places->logins[i]);
    if (c->places != NULL)
        free(c->places->logins);
    free(c->places);
    c->places = NULL;
}

enum sp_code
sp_place_login(
    struct sp_cli *c, const char *address, const struct sp_profile *p, bool anew, struct sp_err *e)
{
    struct sp_sftp_login *l = NULL;
    enum sp_code rc;

    if (!sp_address_is_sftp(address))
        return SP_OK;
    if ((rc = login_of(c, address, p, &l, e)) != SP_OK)
        return rc;
    if (anew)
        sp_sftp_login_anew(l, c->sftp_keep_password, c->sftp_keep_passphrase);
    return sp_sftp_login_first(l, e);
}

enum sp_code
sp_place_keep(struct sp_cli *c, struct sp_profile *p, struct sp_err *e)
{
    struct sp_sftp_login *l = find(c, p->address);

    return l == NULL ? SP_OK
                     : sp_sftp_login_keep(l, c->sftp_keep_password, c->sftp_keep_passphrase, p, e);
}

void
sp_place_tell_unattended(struct sp_cli *c, const struct sp_profile *p)
{
    struct sp_sftp_login *l = find(c, p->address);
    unsigned given = l != NULL ? sp_sftp_login_unattended(l, p) : 0;

    if ((given & SP_SSH_PASSWORD) != 0)
        sp_cli_warn(c,
            "the password is not kept: a backup without a terminal needs --sftp-password-file, "
            "'password-file' in the configuration's [sftp], or 'stillpoint login -r %s "
            "--sftp-keep-password'",
            p->address);
    if ((given & SP_SSH_KEY) != 0)
        sp_cli_warn(c,
            "the key's passphrase is not kept: a backup without a terminal needs "
            "--sftp-passphrase-file, 'passphrase-file' in the configuration's [sftp], or "
            "'stillpoint login -r %s --sftp-keep-passphrase'",
            p->address);
}

const struct sp_ssh_facts *
sp_place_facts(struct sp_cli *c, const char *address)
{
    struct sp_sftp_login *l = find(c, address);

    return l != NULL ? sp_sftp_login_facts(l) : NULL;
}

/* --- the backend ------------------------------------------------------------------------------ */

static enum sp_code
connect_one(void *arg, struct sp_sftp_link **ret, struct sp_err *e)
{
    return sp_sftp_login_connect(arg, ret, e);
}

static enum sp_code
open_account(struct sp_cli *c, struct sp_sftp_login *l, const struct sp_sftp_place *place,
    bool create, struct sp_backend **ret, struct sp_err *e)
{
    const struct sp_sftp_settings *settings = sp_sftp_login_settings(l);
    struct sp_sftp_backend_options o = {.connect = connect_one,
        .arg = l,
        .path = place->path,
        .connections = settings->connections,
        .patience_ms = (uint32_t)(settings->patience_ns / (SP_SECOND / 1000)),
        .notice = notice,
        .stop = sp_signals_cancel};
    struct sp_buf name = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_printf(&name, "%s@%s", place->user != NULL ? place->user : "", place->host);
    if ((rc = sp_buf_ok(&name, e)) == SP_OK) {
        o.address = sp_buf_str(&name);
        rc = sp_backend_sftp_open(c->env, &o, create, ret, e);
    }
    sp_buf_free(&name);
    return rc;
}

enum sp_code
place_sftp_open(struct sp_cli *c, const char *address, const struct sp_profile *p, bool create,
    struct sp_backend **ret, struct sp_err *e)
{
    struct sp_sftp_login *l = NULL;
    struct sp_sftp_place place = {0};
    enum sp_code rc;

    if ((rc = login_of(c, address, p, &l, e)) != SP_OK || (rc = sp_sftp_login_first(l, e)) != SP_OK)
        return rc;
    if ((rc = sp_sftp_place_parse(address, &place, e)) == SP_OK)
        rc = open_account(c, l, &place, create, ret, e);
    sp_sftp_place_free(&place);
    return rc;
}
