#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "proto/token.h"
#include "server/cmd.h"
#include "storage/crypto.h"

static const char usage[] =
    "usage: stillpointd host add NAME [--recovery PUBLIC-KEY] [--valid 24h]\n"
    "       stillpointd host list\n"
    "       stillpointd host replace NAME [--recovery PUBLIC-KEY] [--valid 24h]\n"
    "       stillpointd host revoke NAME\n\n"
    "add      prints a token, alone on the last line: with it one machine can enrol as NAME\n"
    "replace  the same for a machine that takes over the sets of a host that is there; when it\n"
    "         has enrolled, the old machine's certificates are worth nothing\n"
    "revoke   the host is refused from now on; its sets stay\n\n"
    "      --recovery KEY  the public key of stillpoint key recovery create: its private half "
    "will\n"
    "                      open this host's sets\n"
    "      --valid TIME    how long the token can be used; default 24h, at most 30d\n";

#define SECRET_SIZE 16
#define VALID_MAX_NS (30 * 86400 * SP_SECOND)

/* --- add and replace
 * -------------------------------------------------------------------------------- */

struct wanted {
    const char *name, *recovery;
    int64_t valid_ns;
    bool replaces;
};

static enum sp_code
parse_recovery(const char *text, uint8_t to[32], struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    if (sp_hex_parse(text, to, 32))
        return SP_OK;
    if (sp_base32_parse(text, &b, &why) != SP_OK || b.len != 32)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "--recovery is no public key as stillpoint key recovery create prints it");
    else
        memcpy(to, b.data, 32);
    sp_buf_free(&b);
    return rc;
}

/* Who the token is for; add makes a new name, replace wants an old one. */
static enum sp_code
check_host(struct sp_state *s, const struct wanted *w, struct sp_state_token *t, struct sp_err *e)
{
    struct sp_state_host host;
    enum sp_code rc;

    if ((rc = sp_state_check_name(w->name, e)) != SP_OK)
        return rc;
    rc = sp_state_host_named(s, w->name, &host, e);
    if (w->replaces && rc == SP_OK) {
        t->replaces = true;
        memcpy(t->host, host.id, sizeof(t->host));
        return SP_OK;
    }
    if (!w->replaces && rc == SP_ABSENT)
        return SP_OK;
    if (!w->replaces && rc == SP_OK)
        return sp_fail(e, SP_EXISTS, SP_DOM_CONFIG,
            "there is a host %s already; a new machine takes over its sets with: stillpointd host "
            "replace %s",
            w->name, w->name);
    return rc;
}

static uint16_t
running_port(struct sp_state *s)
{
    struct sp_state_beat beat;
    struct sp_err none = {0};

    return sp_state_beat_read(s, &beat, &none) == SP_OK ? beat.port : 0;
}

static enum sp_code
make_token(struct sp_cmd *c, const struct sp_home *h, struct sp_state *s, const struct wanted *w,
    struct sp_token *token, struct sp_state_token *row, struct sp_err *e)
{
    enum sp_code rc;

    memset(token, 0, sizeof(*token));
    memset(row, 0, sizeof(*row));
    if ((rc = check_host(s, w, row, e)) != SP_OK ||
        (rc = sp_home_address(h, running_port(s), token->address, e)) != SP_OK)
        return rc;
    if (w->recovery != NULL) {
        if ((rc = parse_recovery(w->recovery, token->recovery, e)) != SP_OK)
            return rc;
        token->has_recovery = true;
    }
    memcpy(token->authority, h->fingerprint, sizeof(token->authority));
    token->secret_len = SECRET_SIZE;
    if ((rc = sp_random_fill(c->env->random, token->id, sizeof(token->id), e)) != SP_OK ||
        (rc = sp_random_fill(c->env->random, token->secret, SECRET_SIZE, e)) != SP_OK ||
        (rc = sp_sha256(token->secret, SECRET_SIZE, row->secret_hash, e)) != SP_OK)
        return rc;
    memcpy(row->id, token->id, sizeof(row->id));
    memcpy(row->name, w->name, strlen(w->name) + 1);
    row->created_ns = sp_clock_wall(c->env->clock);
    row->expires_ns = row->created_ns + w->valid_ns;
    return SP_OK;
}

static void
report_token(struct sp_cmd *c, const struct sp_home *h, const struct sp_token *token,
    const struct sp_state_token *row, struct sp_buf *line)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    if (c->json) {
        sp_json_init(&j, &b);
        sp_json_object(&j);
        sp_json_kstr(&j, "name", row->name);
        sp_json_kbool(&j, "replaces", row->replaces);
        sp_json_kstr(&j, "address", token->address);
        sp_json_kstr(&j, "fingerprint", sp_hex32(h->fingerprint).s);
        sp_cmd_json_time(&j, "expires", row->expires_ns);
        sp_json_kstr(&j, "token", sp_buf_str(line));
        sp_json_object_end(&j);
    } else {
        sp_buf_printf(&b,
            "Token for %s at %s, good for one machine until %s.\n"
            "Whoever holds it can enrol: hand it over in private. On the machine:\n"
            "    stillpoint enroll TOKEN\n%s",
            row->name, token->address, sp_cmd_time(row->expires_ns, "").s, sp_buf_str(line));
    }
    sp_cmd_print(&b);
    sp_buf_wipe(&b);
}

static enum sp_code
add(struct sp_cmd *c, const struct wanted *w, struct sp_err *e)
{
    struct sp_home h = {0};
    struct sp_state *s = NULL;
    struct sp_token token;
    struct sp_state_token row;
    struct sp_buf line = SP_BUF_INIT;
    enum sp_code rc;

    memset(&token, 0, sizeof(token));
    if ((rc = sp_cmd_open(c, &h, &s, e)) != SP_OK)
        return rc;
    sp_buf_reserve(&line, 1024); /* at once: growing would leave copies of the secret */
    if ((rc = make_token(c, &h, s, w, &token, &row, e)) != SP_OK ||
        (rc = sp_token_print(&token, &line, e)) != SP_OK ||
        (rc = sp_state_token_add(s, &row, e)) != SP_OK)
        goto out;
    report_token(c, &h, &token, &row, &line);
out:
    sp_wipe(&token, sizeof(token));
    sp_buf_wipe(&line);
    sp_state_close(s);
    sp_home_close(&h);
    return rc;
}

static enum sp_exit
run_add(struct sp_cmd *c, bool replaces)
{
    static const struct option longs[] = {{"recovery", required_argument, NULL, 'r'},
        {"valid", required_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
    struct wanted w = {.valid_ns = 86400 * SP_SECOND, .replaces = replaces};
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cmd_getopt(c, ":", longs)) != -1) {
        if (opt == 'r')
            w.recovery = optarg;
        else if (opt != 'v')
            return SP_EXIT_USAGE;
        else if (!sp_text_parse_duration(optarg, &w.valid_ns) || w.valid_ns < SP_SECOND ||
                 w.valid_ns > VALID_MAX_NS)
            return sp_cmd_usage(c, "--valid is a time of 1s to 30d, not '%s'", optarg);
    }
    if (optind + 1 != c->argc)
        return sp_cmd_usage(c, "give one NAME");
    w.name = c->argv[optind];
    return add(c, &w, &e) != SP_OK ? sp_cmd_fail(c, &e) : SP_EXIT_DONE;
}

/* --- list
 * ------------------------------------------------------------------------------------------- */

struct listing {
    struct sp_cmd *c;
    struct sp_buf b;
    struct sp_json j;
    int64_t now_ns;
    unsigned n;
};

static enum sp_code
list_host(void *arg, const struct sp_state_host *h, struct sp_err *e)
{
    struct listing *l = arg;
    bool expired = h->certificate_to_ns <= l->now_ns;
    const char *state = h->revoked_ns != 0 ? "revoked" : expired ? "expired" : "active";

    l->n++;
    if (l->c->json) {
        sp_json_object(&l->j);
        sp_json_kstr(&l->j, "name", h->name);
        sp_json_kstr(&l->j, "state", state);
        sp_json_kstr(&l->j, "id", sp_hex16(h->id).s);
        sp_json_kstr(&l->j, "group", sp_hex16(h->group).s);
        sp_cmd_json_time(&l->j, "enrolled", h->enrolled_ns);
        sp_cmd_json_time(&l->j, "seen", h->seen_ns);
        sp_cmd_json_time(&l->j, "last_set", h->run_ns);
        sp_cmd_json_time(&l->j, "certificate_until", h->certificate_to_ns);
        sp_json_ku64(&l->j, "stored_bytes", h->bytes);
        sp_json_object_end(&l->j);
    } else {
        sp_buf_printf(&l->b, "%-20s %-8s %-32s %-19s %-19s %10s\n", h->name, state,
            sp_hex16(h->id).s, sp_cmd_time(h->seen_ns, "never").s, sp_cmd_time(h->run_ns, "none").s,
            sp_text_bytes(h->bytes).s);
    }
    return sp_buf_ok(&l->b, e);
}

static enum sp_code
list_token(void *arg, const struct sp_state_token *t, struct sp_err *e)
{
    struct listing *l = arg;

    if (l->c->json) {
        sp_json_object(&l->j);
        sp_json_kstr(&l->j, "name", t->name);
        sp_json_kbool(&l->j, "replaces", t->replaces);
        sp_cmd_json_time(&l->j, "expires", t->expires_ns);
        sp_json_object_end(&l->j);
    } else {
        sp_buf_printf(&l->b, "%-20s %-8s a token can be used until %s\n", t->name,
            t->replaces ? "replace" : "awaited", sp_cmd_time(t->expires_ns, "").s);
    }
    return sp_buf_ok(&l->b, e);
}

static enum sp_code
list(struct sp_cmd *c, struct sp_err *e)
{
    struct listing l = {.c = c, .b = SP_BUF_INIT, .now_ns = sp_clock_wall(c->env->clock)};
    struct sp_home h = {0};
    struct sp_state *s = NULL;
    enum sp_code rc;

    if ((rc = sp_cmd_open(c, &h, &s, e)) != SP_OK)
        return rc;
    sp_json_init(&l.j, &l.b);
    if (c->json) {
        sp_json_object(&l.j);
        sp_json_key(&l.j, "hosts");
        sp_json_array(&l.j);
    } else {
        sp_buf_printf(&l.b, "%-20s %-8s %-32s %-19s %-19s %10s\n", "HOST", "STATE", "ID",
            "LAST SEEN", "LAST SET", "STORED");
    }
    if ((rc = sp_state_hosts(s, list_host, &l, e)) != SP_OK)
        goto out;
    if (c->json) {
        sp_json_array_end(&l.j);
        sp_json_key(&l.j, "tokens");
        sp_json_array(&l.j);
    }
    if ((rc = sp_state_tokens(s, l.now_ns, list_token, &l, e)) != SP_OK)
        goto out;
    if (c->json) {
        sp_json_array_end(&l.j);
        sp_json_object_end(&l.j);
    } else {
        sp_buf_printf(&l.b, "%u host%s", l.n, l.n == 1 ? "" : "s");
    }
    if ((rc = sp_buf_ok(&l.b, e)) == SP_OK)
        sp_cmd_print(&l.b);
out:
    sp_buf_free(&l.b);
    sp_state_close(s);
    sp_home_close(&h);
    return rc;
}

/* --- revoke
 * ----------------------------------------------------------------------------------------- */

static enum sp_code
revoke(struct sp_cmd *c, const char *name, struct sp_err *e)
{
    struct sp_home h = {0};
    struct sp_state *s = NULL;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;
    int64_t now_ns = sp_clock_wall(c->env->clock);
    enum sp_code rc;

    if ((rc = sp_cmd_open(c, &h, &s, e)) != SP_OK)
        return rc;
    if ((rc = sp_state_revoke(s, name, now_ns, e)) != SP_OK ||
        (rc = sp_state_event(s, NULL, "revoked", name, now_ns, e)) != SP_OK)
        goto out;
    if (c->json) {
        sp_json_init(&j, &b);
        sp_json_object(&j);
        sp_json_kstr(&j, "revoked", name);
        sp_json_object_end(&j);
    } else {
        sp_buf_printf(&b, "%s is refused from now on; its sets are kept", name);
    }
    sp_cmd_print(&b);
out:
    sp_buf_free(&b);
    sp_state_close(s);
    sp_home_close(&h);
    return rc;
}

static enum sp_exit
run(struct sp_cmd *c)
{
    struct sp_err e = {0};
    const char *what;

    if (c->argc < 2)
        return sp_cmd_usage(c, "say add, list, replace or revoke");
    what = c->argv[1];
    c->argc--;
    c->argv++;
    c->argv[0] = (char *)"host"; /* what messages call us */
    if (strcmp(what, "add") == 0 || strcmp(what, "replace") == 0)
        return run_add(c, what[0] == 'r');
    if (strcmp(what, "list") == 0) {
        if (c->argc != 1)
            return sp_cmd_usage(c, "list takes no more words");
        return list(c, &e) != SP_OK ? sp_cmd_fail(c, &e) : SP_EXIT_DONE;
    }
    if (strcmp(what, "revoke") == 0) {
        if (c->argc != 2)
            return sp_cmd_usage(c, "give one NAME");
        return revoke(c, c->argv[1], &e) != SP_OK ? sp_cmd_fail(c, &e) : SP_EXIT_DONE;
    }
    return sp_cmd_usage(c, "there is no 'host %s'; say add, list, replace or revoke", what);
}

const struct sp_command sp_cmd_host = {"host", "add, list, replace, revoke hosts", usage, run};
