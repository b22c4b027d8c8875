#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/token.h"
#include "server/cmd.h"
#include "storage/repository.h"

static const char usage[] =
    "usage: stillpointd init -r REPOSITORY [--listen ADDRESS:PORT] [--name HOST[:PORT]] [-D "
    "DIR]\n\n"
    "Sets up a server: its folder with authority, keys and settings, and the repository that it\n"
    "alone will write to. A repository that this server owned before is taken over as it is.\n\n"
    "  -r, --repository PATH  an empty or absent folder; it may lie on a NAS or other mount\n"
    "      --listen ADDRESS   where to listen; default :7878, every address\n"
    "      --name NAME        how hosts reach this server; default: the one address it listens "
    "on,\n"
    "                         or this machine's name\n"
    "  -D, --dir DIR          the server's folder; local disk, never a share\n";

struct wanted {
    const char *repository, *listen, *name;
};

/* Where it listens, when that is one address; else what this machine is called. */
static enum sp_code
default_name(struct sp_server_config *c, struct sp_err *e)
{
    bool every =
        c->listen[0] == '\0' || strcmp(c->listen, "0.0.0.0") == 0 || strcmp(c->listen, "::") == 0;
    bool v6 = strchr(c->listen, ':') != NULL;
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if (every)
        return sp_os_hostname(&c->name, e);
    sp_buf_printf(&b, "%s%s%s", v6 ? "[" : "", c->listen, v6 ? "]" : "");
    if ((rc = sp_buf_ok(&b, e)) == SP_OK && (c->name = strdup(sp_buf_str(&b))) == NULL)
        rc = sp_fail_nomem(e);
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
make_config(const struct wanted *w, struct sp_server_config *c, struct sp_err *e)
{
    char host[256];
    uint16_t port;
    enum sp_code rc;

    memset(c, 0, sizeof(*c));
    c->certificate_days = SP_CONFIG_CERTIFICATE_DAYS;
    c->sessions_max = SP_CONFIG_SESSIONS;
    c->host_sessions_max = SP_CONFIG_HOST_SESSIONS;
    if ((rc = sp_os_absolute(w->repository, &c->repository, e)) != SP_OK ||
        (rc = sp_listen_parse(w->listen, &c->listen, &c->port, e)) != SP_OK)
        return rc;
    if (w->name == NULL) {
        rc = default_name(c, e);
    } else if ((rc = sp_address_parse(w->name, host, &port, e)) == SP_OK) {
        c->name = strdup(w->name);
        if (c->name == NULL)
            rc = sp_fail_nomem(e);
    }
    return rc;
}

/* What is there already must be this server's: a repository without an owner is written to by hosts
 * directly, one with another owner by that server. `there` says what it is if it is none. */
static enum sp_code
take_over(struct sp_cmd *c, const struct sp_home *h, const struct sp_err *there, struct sp_err *e)
{
    struct sp_repository_options o = {.write = true, .server_id = h->server_id};
    struct sp_backend *b = NULL;
    struct sp_repository *r = NULL;
    char *cache = NULL;
    uint64_t size;
    enum sp_code rc;

    rc = sp_backend_dir_open(c->env, h->config.repository, false, &b, e);
    if (rc == SP_ABSENT)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s", there->text);
    if (rc != SP_OK)
        return rc;
    rc = sp_backend_size(b, "owner", &size, e);
    if (rc == SP_ABSENT)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "%s is a repository that hosts write to directly; a server needs one of its own",
            h->config.repository);
    if (rc != SP_OK) {
        sp_backend_free(b);
        return rc;
    }
    if ((rc = sp_home_path(h, "cache", &cache, e)) != SP_OK) {
        sp_backend_free(b);
        return rc;
    }
    o.cache_dir = cache;
    if ((rc = sp_repository_open(b, c->env, &o, &r, e)) != SP_OK)
        sp_err_context(e, "%s", h->config.repository);
    sp_repository_free(r);
    free(cache);
    return rc;
}

static enum sp_code
make_repository(struct sp_cmd *c, const struct sp_home *h, bool *ret_new, struct sp_err *e)
{
    const struct sp_repository_conf defaults = {.pack_size = 0};
    struct sp_backend *b = NULL;
    struct sp_err there = {0};
    enum sp_code rc = sp_backend_dir_open(c->env, h->config.repository, true, &b, &there);

    if (rc == SP_EXISTS) {
        *ret_new = false;
        return take_over(c, h, &there, e);
    }
    if (rc != SP_OK) {
        *e = there;
        return rc;
    }
    if ((rc = sp_repository_create(b, c->env, &defaults, h->server_id, e)) != SP_OK)
        sp_err_context(e, "%s", h->config.repository);
    sp_backend_free(b);
    *ret_new = true;
    return rc;
}

static enum sp_code
make_state(const struct sp_home *h, struct sp_err *e)
{
    struct sp_state *s = NULL;
    char *path = NULL;
    enum sp_code rc = sp_home_path(h, "state.db", &path, e);

    if (rc == SP_OK)
        rc = sp_state_open(path, true, &s, e);
    sp_state_close(s);
    free(path);
    return rc;
}

static void
report(const struct sp_cmd *c, const struct sp_home *h, bool is_new)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    if (c->json) {
        sp_json_init(&j, &b);
        sp_json_object(&j);
        sp_json_kstr(&j, "dir", h->dir);
        sp_json_kstr(&j, "repository", h->config.repository);
        sp_json_kbool(&j, "repository_made", is_new);
        sp_json_kstr(&j, "fingerprint", sp_hex32(h->fingerprint).s);
        sp_json_kstr(&j, "server", sp_hex16(h->server_id).s);
        sp_json_object_end(&j);
    } else {
        sp_buf_printf(&b,
            "server's folder  %s\nrepository       %s (%s)\nfingerprint      %s\n\n"
            "Keep a copy of %s/authority.crt and authority.key where this disk's end does not "
            "reach.\n"
            "done; next: stillpointd run, and stillpointd host add NAME for each host",
            h->dir, h->config.repository, is_new ? "made" : "taken over as it is",
            sp_hex32(h->fingerprint).s, h->dir);
    }
    sp_cmd_print(&b);
    sp_buf_free(&b);
}

static enum sp_code
init(struct sp_cmd *c, const struct wanted *w, struct sp_err *e)
{
    struct sp_server_config config = {0};
    struct sp_home h = {0};
    bool is_new = false;
    enum sp_code rc;

    if ((rc = make_config(w, &config, e)) != SP_OK ||
        (rc = sp_home_create(c->env, c->dir, &config, &h, e)) != SP_OK ||
        (rc = make_repository(c, &h, &is_new, e)) != SP_OK || (rc = make_state(&h, e)) != SP_OK ||
        (rc = sp_home_finish(c->env, &h, e)) != SP_OK)
        goto out;
    report(c, &h, is_new);
out:
    sp_home_close(&h);
    sp_server_config_clear(&config);
    return rc;
}

static enum sp_exit
run(struct sp_cmd *c)
{
    static const struct option longs[] = {{"repository", required_argument, NULL, 'r'},
        {"listen", required_argument, NULL, 'l'}, {"name", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0}};
    struct wanted w = {.listen = ":7878"};
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cmd_getopt(c, ":r:", longs)) != -1) {
        if (opt == 'r')
            w.repository = optarg;
        else if (opt == 'l')
            w.listen = optarg;
        else if (opt == 'n')
            w.name = optarg;
        else
            return SP_EXIT_USAGE;
    }
    if (optind != c->argc)
        return sp_cmd_usage(c, "'%s' is too much", c->argv[optind]);
    if (w.repository == NULL || w.repository[0] == '\0')
        return sp_cmd_usage(c, "say where the repository is to be: -r PATH");
    if (init(c, &w, &e) != SP_OK)
        return sp_cmd_fail(c, &e);
    return SP_EXIT_DONE;
}

const struct sp_command sp_cmd_init = {"init", "set up a server and its repository", usage, run};
