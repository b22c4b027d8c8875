#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/place.h"
#include "client/report.h"
#include "client/share.h"

static const char usage[] =
    "usage: stillpoint login -r sftp://[USER@]HOST/PATH [--sftp-…]\n"
    "       stillpoint login -r \\\\SERVER\\SHARE\\… --user NAME [--password-file FILE]\n"
    "       stillpoint login -r … --forget\n\n"
    "An SFTP account: logs in and keeps how: the server's key (asked for when it is another than\n"
    "before, or told by --sftp-host-key), and what the options of 'stillpoint help' say. Without\n"
    "--sftp-keep-password and --sftp-keep-passphrase no secret is kept that was not kept "
    "before.\n\n"
    "A share of Windows: keeps (or changes) the user and password with which this machine "
    "connects\n"
    "to it, so that a service can. The password is asked, or read from FILE, tried at the server, "
    "and\n"
    "kept by Windows (DPAPI).\n\n"
    "      --user NAME            as the server knows it: NAME, or DOMAIN\\NAME\n"
    "      --password-file FILE   instead of asking\n"
    "      --forget               no secret is kept any more\n";

struct asked {
    const char *user, *password_file;
    bool forget;
};

static enum sp_code
replace(char **to, const char *with, struct sp_err *e)
{
    char *copy = strdup(with);

    if (copy == NULL)
        return sp_fail_nomem(e);
    if (*to != NULL)
        sp_wipe(*to, strlen(*to));
    free(*to);
    *to = copy;
    return SP_OK;
}

static void
wipe(char **text)
{
    if (*text != NULL)
        sp_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static enum sp_code
forget(struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc;

    wipe(&p->sftp_password);
    wipe(&p->sftp_passphrase);
    if ((rc = replace(&p->share_user, "", e)) == SP_OK)
        rc = replace(&p->share_password, "", e);
    return rc;
}

static enum sp_code
keep_account(struct sp_cli *c, struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_place_login(c, p->address, p, true, e)) == SP_OK)
        rc = sp_place_keep(c, p, e);
    return rc;
}

static enum sp_code
keep_share(struct sp_cli *c, const struct asked *a, struct sp_profile *p, struct sp_err *e)
{
    struct sp_buf password = SP_BUF_INIT;
    enum sp_code rc;

    rc = a->password_file != NULL
             ? sp_cli_read_secret_file(c, a->password_file, &password, e)
             : sp_cli_ask_secret(c, "the password for the share", &password, e);
    if (rc == SP_OK)
        rc = sp_share_connect(p->address, a->user, sp_buf_str(&password), e);
    if (rc == SP_OK && (rc = replace(&p->share_user, a->user, e)) == SP_OK)
        rc = replace(&p->share_password, sp_buf_str(&password), e);
    sp_buf_wipe(&password);
    return rc;
}

static void
say_kept(struct sp_cli *c, const struct sp_profile *p)
{
    if (!sp_address_is_sftp(p->address)) {
        sp_cli_say(c, "%s: the login is kept", p->address);
        return;
    }
    sp_cli_say(c, "%s: the login works and is kept; the server's key is %s %s%s", p->address,
        p->sftp.host_key_type != NULL ? p->sftp.host_key_type : "",
        p->sftp.host_key != NULL ? p->sftp.host_key : "a certificate, and not pinned",
        p->sftp_password != NULL     ? "; a password is kept"
        : p->sftp_passphrase != NULL ? "; a passphrase is kept"
                                     : "");
    sp_place_tell_unattended(c, p);
}

static enum sp_code
login(struct sp_report *r, const struct asked *a, struct sp_err *e)
{
    struct sp_cli *c = r->c;
    struct sp_profile *p = NULL;
    char *address = NULL;
    enum sp_code rc;

    if (c->repository != NULL && (rc = sp_cli_address(c->repository, &address, e)) != SP_OK)
        return rc;
    if ((rc = sp_profile_load(c->env, address, &p, e)) != SP_OK)
        goto out;
    if (a->forget)
        rc = forget(p, e);
    else if (sp_address_is_sftp(p->address) && a->user == NULL)
        rc = keep_account(c, p, e);
    else if (sp_address_is_share(p->address) && a->user != NULL)
        rc = keep_share(c, a, p, e);
    else if (sp_address_is_share(p->address))
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "say --user NAME, or --forget");
    else
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            sp_address_is_sftp(p->address)
                ? "%s: an account's user is in its address"
                : "%s is no SFTP account, and no share that Windows connects to: it needs no login "
                  "here",
            p->address);
    if (rc == SP_OK)
        rc = sp_profile_save(c->env, p, e);
    if (rc == SP_OK && a->forget)
        sp_cli_say(c, "%s: no login is kept", p->address);
    else if (rc == SP_OK)
        say_kept(c, p);
out:
    sp_profile_free(p);
    free(address);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"user", required_argument, NULL, 'u'},
        {"password-file", required_argument, NULL, 'p'}, {"forget", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0}};
    struct asked a = {0};
    struct sp_report r;
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'u')
            a.user = optarg;
        else if (opt == 'p')
            a.password_file = optarg;
        else if (opt == 'f')
            a.forget = true;
        else
            return SP_EXIT_USAGE;
    }
    if (optind < c->argc)
        return sp_cli_usage(
            c, "'%s' is too much; the repository is given with -r", c->argv[optind]);
    if (a.forget && (a.user != NULL || a.password_file != NULL))
        return sp_cli_usage(c, "--forget goes with nothing else");
    sp_report_begin(&r, c);
    return sp_report_end(&r, login(&r, &a, &e), &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_login = {
    "login", "keep the login of the SFTP account or share that holds a repository", usage, run};
