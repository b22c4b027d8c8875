#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/report.h"
#include "client/share.h"

static const char usage[] =
    "usage: stillpoint login -r \\\\SERVER\\SHARE\\… --user NAME [--password-file FILE]\n"
    "       stillpoint login -r \\\\SERVER\\SHARE\\… --forget\n\n"
    "Keeps (or changes, or forgets) the user and password with which this machine connects to the "
    "share\n"
    "that holds a repository, so that a service can. The password is asked, or read from FILE, "
    "tried at\n"
    "the server, and kept by Windows (DPAPI).\n\n"
    "      --user NAME            as the server knows it: NAME, or DOMAIN\\NAME\n"
    "      --password-file FILE   instead of asking\n"
    "      --forget               connect as Windows does by itself\n";

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

static enum sp_code
login(struct sp_report *r, const struct asked *a, struct sp_err *e)
{
    struct sp_cli *c = r->c;
    struct sp_profile *p = NULL;
    struct sp_buf password = SP_BUF_INIT;
    char *address = NULL;
    enum sp_code rc;

    if (c->repository != NULL && (rc = sp_cli_address(c->repository, &address, e)) != SP_OK)
        return rc;
    if ((rc = sp_profile_load(c->env, address, &p, e)) != SP_OK)
        goto out;
    if (!a->forget && !sp_address_is_share(p->address)) {
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "%s is no share that Windows connects to: it needs no login here", p->address);
        goto out;
    }
    if (!a->forget) {
        rc = a->password_file != NULL
                 ? sp_cli_read_secret_file(c, a->password_file, &password, e)
                 : sp_cli_ask_secret(c, "the password for the share", &password, e);
        if (rc == SP_OK)
            rc = sp_share_connect(p->address, a->user, sp_buf_str(&password), e);
        if (rc != SP_OK)
            goto out;
    }
    if ((rc = replace(&p->share_user, a->forget ? "" : a->user, e)) == SP_OK &&
        (rc = replace(&p->share_password, a->forget ? "" : sp_buf_str(&password), e)) == SP_OK)
        rc = sp_profile_save(c->env, p, e);
    if (rc == SP_OK)
        sp_cli_say(
            c, a->forget ? "%s: the login is forgotten" : "%s: the login is kept", p->address);
out:
    sp_buf_wipe(&password);
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
    if ((a.user == NULL) != a.forget)
        return sp_cli_usage(c, "say --user NAME, or --forget");
    sp_report_begin(&r, c);
    return sp_report_end(&r, login(&r, &a, &e), &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_login = {
    "login", "keep the login of the share that holds a repository", usage, run};
