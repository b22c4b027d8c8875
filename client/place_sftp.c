#include "client/place_sftp.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/cli.h"
#include "client/sftp_here.h"
#include "client/sftp_login.h"

/* An account of this run: what a backend's calls come back to. */
struct account {
    struct sp_cli *c;
    struct sp_sftp_login *login;
};

struct sp_places {
    struct account **v;
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
    const struct account *a = arg;

    sp_cli_notice(a->c, "%s", sentence);
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

static struct account *
find(const struct sp_cli *c, const char *address)
{
    size_t i;

    for (i = 0; c->places != NULL && i < c->places->n; i++)
        if (strcmp(sp_sftp_login_address(c->places->v[i]->login), address) == 0)
            return c->places->v[i];
    return NULL;
}

/* Room for one more; it cannot fail any more once the login is there. */
static enum sp_code
grow(struct sp_cli *c, struct account **ret, struct sp_err *e)
{
    struct account **more;

    if (c->places == NULL && (c->places = calloc(1, sizeof(*c->places))) == NULL)
        return sp_fail_nomem(e);
    more = realloc(c->places->v, (c->places->n + 1) * sizeof(*more));
    if (more == NULL)
        return sp_fail_nomem(e);
    c->places->v = more;
    return (*ret = calloc(1, sizeof(**ret))) == NULL ? sp_fail_nomem(e) : SP_OK;
}

static enum sp_code
make(struct sp_cli *c, const char *address, struct account **ret, struct sp_err *e)
{
    static const struct sp_sftp_login_from usual = {.open = sp_ssh_open,
        .facts = sp_ssh_facts,
        .stop_first = sp_signals_stop,
        .stop = sp_signals_cancel};
    struct sp_sftp_login_from from = usual;
    struct sp_sftp_place place = {0};
    struct account *a = NULL;
    enum sp_code rc;

    if ((rc = sp_cli_config(c, e)) != SP_OK || (rc = grow(c, &a, e)) != SP_OK)
        return rc;
    if ((rc = sp_sftp_place_parse(address, &place, e)) != SP_OK)
        goto out;
    from.address = address;
    from.host = place.host;
    from.user = place.user != NULL ? place.user : "";
    from.port = place.port;
    from.said = &c->sftp;
    from.configured = &c->config->sftp;
    from.asker = (struct sp_sftp_asker){can_ask, ask_secret, ask_line, read_secret, c};
    if ((rc = sp_sftp_login_new(c->env, &from, &a->login, e)) != SP_OK)
        goto out;
    a->c = c;
    *ret = c->places->v[c->places->n++] = a;
    a = NULL;
out:
    free(a);
    sp_sftp_place_free(&place);
    return rc;
}

/* The account, with what the profile knows of it. */
static enum sp_code
account_of(struct sp_cli *c, const char *address, const struct sp_profile *p, struct account **ret,
    struct sp_err *e)
{
    struct account *a = find(c, address);
    enum sp_code rc = SP_OK;

    if (a == NULL)
        rc = make(c, address, &a, e);
    if (rc == SP_OK && p != NULL)
        rc = sp_sftp_login_know(a->login, p, e);
    if (rc == SP_OK)
        *ret = a;
    return rc;
}

void
sp_places_free(struct sp_cli *c)
{
    size_t i;

    for (i = 0; c->places != NULL && i < c->places->n; i++) {
        sp_sftp_login_free(c->places->v[i]->login);
        free(c->places->v[i]);
    }
    if (c->places != NULL)
        free(c->places->v);
    free(c->places);
    c->places = NULL;
}

enum sp_code
sp_place_login(
    struct sp_cli *c, const char *address, const struct sp_profile *p, bool anew, struct sp_err *e)
{
    struct account *a = NULL;
    enum sp_code rc;

    if (!sp_address_is_sftp(address))
        return SP_OK;
    if ((rc = account_of(c, address, p, &a, e)) != SP_OK)
        return rc;
    if (anew)
        sp_sftp_login_anew(a->login, c->sftp_keep_password, c->sftp_keep_passphrase);
    return sp_sftp_login_first(a->login, e);
}

enum sp_code
sp_place_keep(struct sp_cli *c, struct sp_profile *p, struct sp_err *e)
{
    struct account *a = find(c, p->address);

    return a == NULL
               ? SP_OK
               : sp_sftp_login_keep(a->login, c->sftp_keep_password, c->sftp_keep_passphrase, p, e);
}

void
sp_place_tell_unattended(struct sp_cli *c, const struct sp_profile *p)
{
    struct account *a = find(c, p->address);
    unsigned given = a != NULL ? sp_sftp_login_unattended(a->login, p) : 0;

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
    struct account *a = find(c, address);

    return a != NULL ? sp_sftp_login_facts(a->login) : NULL;
}

/* --- the backend ------------------------------------------------------------------------------ */

static enum sp_code
connect_one(void *arg, struct sp_sftp_link **ret, struct sp_err *e)
{
    struct account *a = arg;

    return sp_sftp_login_connect(a->login, ret, e);
}

static enum sp_code
open_account(struct account *a, const struct sp_sftp_place *place, bool create,
    struct sp_backend **ret, struct sp_err *e)
{
    const struct sp_sftp_settings *settings = sp_sftp_login_settings(a->login);
    struct sp_sftp_backend_options o = {.connect = connect_one,
        .arg = a,
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
        rc = sp_backend_sftp_open(a->c->env, &o, create, ret, e);
    }
    sp_buf_free(&name);
    return rc;
}

enum sp_code
place_sftp_open(struct sp_cli *c, const char *address, const struct sp_profile *p, bool create,
    struct sp_backend **ret, struct sp_err *e)
{
    struct account *a = NULL;
    struct sp_sftp_place place = {0};
    enum sp_code rc;

    if ((rc = account_of(c, address, p, &a, e)) != SP_OK ||
        (rc = sp_sftp_login_first(a->login, e)) != SP_OK)
        return rc;
    if ((rc = sp_sftp_place_parse(address, &place, e)) == SP_OK)
        rc = open_account(a, &place, create, ret, e);
    sp_sftp_place_free(&place);
    return rc;
}
