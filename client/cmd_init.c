#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/copy_init.h"
#include "client/place.h"
#include "client/report.h"
#include "client/setup.h"
#include "client/share.h"
#include "storage/repository.h"

static const char usage[] =
    "usage: stillpoint init -r ADDRESS [--name HOST] [--sheet FILE] [--passphrase-file FILE]\n"
    "                       [--share-user NAME [--share-password-file FILE]]\n\n"
    "Makes a repository in an empty (or new) folder: on a disk, a NAS share, a mounted cloud, or an\n"
    "SFTP account (sftp://[user@]host[:port]/path; see docs/sftp.md and 'stillpoint help'). This\n"
    "machine's identity and keys are kept in its state folder, so backups need no passphrase. Prints\n"
    "the recovery sheet: keep it on paper or in a safe place; without it and without this machine\n"
    "nothing can be restored.\n\n"
    "      --name HOST             this machine's name in the repository (default: the host name)\n"
    "      --sheet FILE            write the recovery sheet to a new file instead of printing it\n"
    "      --passphrase-file FILE  the repository can be opened with this passphrase as well\n"
    "      --share-user NAME       Windows, \\\\SERVER\\SHARE: connect as this user, now and at every\n"
    "                              backup (kept by Windows); the password is asked, or read from\n"
    "      --share-password-file FILE\n"
    "      --sftp-key FILE, --sftp-host-key SHA256:…, --sftp-password-file FILE and the others of\n"
    "                              'stillpoint help': how to log in; what is not a secret is kept\n"
    "                              for every backup, and the server's key is pinned\n"
    "      --sftp-keep-password, --sftp-keep-passphrase\n"
    "                              keep that too, for backups that nobody is there for (on Windows\n"
    "                              by DPAPI, elsewhere in a file that only this user reads)\n\n"
    "       stillpoint init --like FROM -r PATH\n\n"
    "Makes an empty repository for copies of the sets of FROM (stillpoint copy FROM PATH), which is a\n"
    "path, an SFTP account or a server: with its split parameters, hosts and key slots. Needs no key.\n"
    "What opens FROM opens the copies: passphrases, recovery keys, this machine where it knows FROM.\n";

struct asked {
    const char *name, *sheet, *share_user, *share_password_file, *like;
};

/* The share is connected before anything is made on it. */
static enum sp_code
connect_share(struct sp_cli *c, const struct asked *a, struct sp_profile *p, struct sp_err *e)
{
    struct sp_buf password = SP_BUF_INIT;
    enum sp_code rc;

    if (a->share_user == NULL)
        return SP_OK;
    if ((rc = setup_check_line("a share's user", a->share_user, e)) != SP_OK)
        return rc;
    rc = a->share_password_file != NULL
             ? sp_cli_read_secret_file(c, a->share_password_file, &password, e)
             : sp_cli_ask_secret(c, "the password for the share", &password, e);
    if (rc == SP_OK)
        rc = sp_share_connect(p->address, a->share_user, sp_buf_str(&password), e);
    if (rc == SP_OK) {
        p->share_user = strdup(a->share_user);
        p->share_password = strdup(sp_buf_str(&password));
        if (p->share_user == NULL || p->share_password == NULL)
            rc = sp_fail_nomem(e);
    }
    sp_buf_wipe(&password);
    return rc;
}

/* What goes into the repository after repository.conf. */
static enum sp_code
fill(struct sp_repository *r, struct setup *s, struct sp_err *e)
{
    size_t i, at = 0;
    enum sp_code rc = SP_OK;

    for (i = 0; i < s->nslots && rc == SP_OK; i++) {
        rc = sp_repository_put_slot(r, s->slots.data + at, s->slot_lens[i], e);
        at += s->slot_lens[i];
    }
    if (rc == SP_OK)
        rc = sp_repository_put_host(r, s->host_record.data, s->host_record.len, e);
    return rc;
}

static void
warn(void *arg, const struct sp_place_remark *r)
{
    if (r->advice != NULL)
        sp_cli_warn(arg, "%s; %s", r->text, r->advice);
}

static enum sp_code
make(struct sp_cli *c, struct setup *s, struct sp_err *e)
{
    struct sp_repository_options o = {.write = true};
    struct sp_repository_conf conf;
    struct sp_repository *r = NULL;
    struct sp_backend *backend = NULL;
    struct sp_buf text = SP_BUF_INIT;
    char *cache = NULL;
    enum sp_code rc;

    memset(&conf, 0, sizeof(conf));
    memcpy(conf.id, s->profile->repository, 16);
    if ((rc = sp_place_open(c, s->profile->address, s->profile, true, &backend, e)) != SP_OK)
        return rc;
    rc = sp_repository_create(backend, c->env, &conf, NULL, e);
    if (rc == SP_OK)
        rc = sp_place_remarks(backend, warn, c, e);
    if (rc == SP_OK)
        rc = sp_os_place(SP_PLACE_CACHE, &cache, e);
    if (rc != SP_OK) {
        sp_backend_free(backend);
        return rc;
    }
    o.cache_dir = cache;
    rc = sp_repository_open(backend, c->env, &o, &r, e);
    free(cache);
    if (rc == SP_OK)
        rc = fill(r, s, e);
    if (rc == SP_OK)
        rc = sp_repository_conf_encode(sp_repository_conf(r), &text, e);
    if (rc == SP_OK)
        rc = sp_buf_take(&text, &s->profile->conf, &s->profile->conf_len, e);
    sp_buf_free(&text);
    sp_repository_free(r);
    return rc;
}

static enum sp_code
init(struct sp_report *r, const struct asked *a, struct sp_err *e)
{
    struct sp_cli *c = r->c;
    struct setup s;
    struct sp_buf passphrase = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = setup_begin(c, a->name, &s, e)) != SP_OK)
        goto out;
    if ((rc = sp_cli_address(c->repository, &s.profile->address, e)) != SP_OK)
        goto out;
    if ((rc = setup_check_line("a repository's address", s.profile->address, e)) != SP_OK)
        goto out;
    if ((rc = connect_share(c, a, s.profile, e)) != SP_OK)
        goto out;
    if ((rc = sp_place_login(c, s.profile->address, s.profile, false, e)) != SP_OK ||
        (rc = sp_place_keep(c, s.profile, e)) != SP_OK)
        goto out;
    if ((rc = setup_sheet_open(c, &s, a->sheet, e)) != SP_OK)
        goto out;
    if ((rc = sp_random_fill(c->env->random, s.profile->repository, 16, e)) != SP_OK)
        goto out;
    if (c->passphrase_file != NULL) {
        rc = sp_cli_read_secret_file(c, c->passphrase_file, &passphrase, e);
        if (rc == SP_OK && passphrase.len == 0)
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s: the passphrase is empty",
                c->passphrase_file);
        if (rc != SP_OK)
            goto out;
    }
    rc = setup_new_group(
        c, &s, NULL, c->passphrase_file != NULL ? sp_buf_str(&passphrase) : NULL, e);
    if (rc == SP_OK)
        rc = setup_host_record(&s, NULL, 0, e);
    if (rc == SP_OK)
        rc = make(c, &s, e);
    if (rc == SP_OK)
        rc = setup_save(c, &s, e);
    if (rc == SP_OK)
        rc = setup_sheet(c, &s, e);
    if (rc == SP_OK && r->j != NULL)
        setup_json(&s, r->j);
    if (rc == SP_OK)
        sp_cli_say(c, "made the repository %s in %s; next: stillpoint backup PATH…",
            sp_hex16(s.profile->repository).s, s.profile->address);
    if (rc == SP_OK)
        sp_place_tell_unattended(c, s.profile);
out:
    sp_buf_wipe(&passphrase);
    setup_clear(&s);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"name", required_argument, NULL, 'n'},
        {"sheet", required_argument, NULL, 's'}, {"share-user", required_argument, NULL, 'u'},
        {"share-password-file", required_argument, NULL, 'p'},
        {"like", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
    struct asked a = {0};
    struct sp_report r;
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'n')
            a.name = optarg;
        else if (opt == 's')
            a.sheet = optarg;
        else if (opt == 'u')
            a.share_user = optarg;
        else if (opt == 'p')
            a.share_password_file = optarg;
        else if (opt == 'l')
            a.like = optarg;
        else
            return SP_EXIT_USAGE;
    }
    if (optind < c->argc)
        return sp_cli_usage(c, "'%s' is too much; the repository is given with -r", c->argv[optind]);
    if (c->repository == NULL)
        return sp_cli_usage(c, "say where: -r ADDRESS");
    if (sp_address_is_server(c->repository))
        return sp_cli_usage(c,
            "a server's repository is made on the server (stillpointd init); this machine joins it "
            "with 'stillpoint enroll TOKEN'");
    if (a.like != NULL && (a.name != NULL || a.sheet != NULL || c->passphrase_file != NULL))
        return sp_cli_usage(c,
            "--like takes keys and hosts from %s; --name, --sheet and --passphrase-file make new ones",
            a.like);
    sp_report_begin(&r, c);
    if (a.like != NULL)
        return sp_report_end(&r, sp_copy_init(&r, a.like, &e), &e, SP_EXIT_DONE);
    return sp_report_end(&r, init(&r, &a, &e), &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_init = {"init", "make a repository in a folder or an SFTP account", usage, run};
