#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/invitation.h"
#include "client/report.h"
#include "client/setup.h"
#include "client/store_remote.h"
#include "storage/repository.h"

static const char usage[] =
    "usage: stillpoint enroll TOKEN [--name HOST] [--invitation TEXT] [--sheet FILE]\n\n"
    "Joins a server: makes this machine's identity and its key, stores both here, and prints the\n"
    "recovery sheet. The token comes from the server (stillpointd host add NAME). No passphrase "
    "is\n"
    "needed afterwards.\n\n"
    "      --invitation TEXT   share chunks with the group of the host that made it (stillpoint "
    "key\n"
    "                          invite); group members can read each other's content\n"
    "      --name HOST         default: the host name\n"
    "      --sheet FILE        write the recovery sheet to a new file instead of printing it\n"
    "      --passphrase-file F the key can be had with this passphrase as well\n\n"
    "With a token of 'stillpointd host replace NAME' this machine takes over that host and its "
    "sets:\n"
    "give the host's recovery key (--recovery-key-file SHEET) or passphrase (--passphrase-file "
    "F).\n";

struct joining {
    struct sp_cli *c;
    struct setup *s;
    const char *passphrase;
    const uint8_t *invitation; /* 32 bytes or NULL */
    bool joined;               /* an existing group: no sheet of its own */
};

/* The key of the group that the host is in already: by the invitation, or, taking a host over, with
 * its recovery key or passphrase. */
static enum sp_code
group_keys(struct joining *j, const struct sp_enrolled *en, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(en->slots, en->slots_len);
    struct sp_keys **ret = &j->s->profile->keys;
    const uint8_t *slot;
    size_t n;

    if (j->invitation == NULL)
        return sp_cli_unlock_slots(j->c, en->slots, en->slots_len, en->address, ret, e);
    n = sp_cur_u32(&c);
    slot = sp_cur_bytes(&c, n);
    if (!sp_cur_ok(&c))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the server sent no slot for the invitation");
    return sp_slot_open_invitation(slot, n, j->invitation, ret, e);
}

/* Between the two steps of enrolment: keys, host record, slots. */
static enum sp_code
finish(void *arg, const struct sp_enrolled *en, struct sp_buf *record, struct sp_buf *slots,
    size_t *slot_lens, size_t *nslots, struct sp_err *e)
{
    struct joining *j = arg;
    struct setup *s = j->s;
    size_t i;
    enum sp_code rc;

    memcpy(s->profile->host, en->host, 16);
    free(s->profile->host_name);
    if ((s->profile->host_name = strdup(en->host_name)) == NULL)
        return sp_fail_nomem(e);
    j->joined = en->has_group;
    if (en->has_group) {
        rc = group_keys(j, en, e);
        if (rc == SP_OK && memcmp(sp_keys_group(s->profile->keys), en->group, 16) != 0)
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the invitation is of another key group");
    } else {
        rc = setup_new_group(
            j->c, s, en->has_recovery ? en->recovery_public : NULL, j->passphrase, e);
    }
    if (rc == SP_OK)
        rc = setup_host_record(s, en->record, en->record_len, e);
    if (rc != SP_OK)
        return rc;
    sp_buf_put(record, s->host_record.data, s->host_record.len);
    sp_buf_put(slots, s->slots.data, s->slots.len);
    for (i = 0; i < s->nslots; i++)
        slot_lens[i] = s->slot_lens[i];
    *nslots = s->nslots;
    rc = sp_buf_ok(record, e);
    return rc == SP_OK ? sp_buf_ok(slots, e) : rc;
}

static enum sp_code
fill_profile(struct sp_profile *p, struct sp_enrolled *en, struct sp_err *e)
{
    struct sp_repository_conf conf;
    enum sp_code rc;

    if ((rc = sp_repository_conf_decode(en->conf, en->conf_len, &conf, e)) != SP_OK)
        return rc;
    memcpy(p->repository, conf.id, 16);
    memcpy(p->authority_fingerprint, en->authority_fingerprint, 32);
    p->is_server = true;
    p->conf = en->conf;
    p->conf_len = en->conf_len;
    p->tls_key = en->tls_key;
    p->tls_chain = en->tls_chain;
    p->tls_authority = en->tls_authority;
    en->conf = NULL;
    en->tls_key = en->tls_chain = en->tls_authority = NULL;
    p->address = malloc(strlen(en->address) + sizeof("stillpoint://"));
    if (p->address == NULL)
        return sp_fail_nomem(e);
    (void)sprintf(
        p->address, "%s%s", sp_address_is_server(en->address) ? "" : "stillpoint://", en->address);
    return SP_OK;
}

static enum sp_code
enroll(struct sp_report *r, const char *token, const char *name, const char *invitation,
    const char *sheet, struct sp_err *e)
{
    struct sp_cli *c = r->c;
    struct setup s;
    struct sp_enrolled en = {0};
    struct sp_enroll_options o = {.token = token};
    struct sp_buf passphrase = SP_BUF_INIT;
    struct joining j = {.c = c, .s = &s};
    uint8_t secret[32];
    enum sp_code rc;

    if ((rc = setup_begin(c, name, &s, e)) != SP_OK)
        goto out;
    if ((rc = setup_sheet_open(c, &s, sheet, e)) != SP_OK) /* the token is for one use */
        goto out;
    if (invitation != NULL) {
        if ((rc = sp_invitation_parse(invitation, secret, e)) != SP_OK)
            goto out;
        o.invitation = j.invitation = secret;
    }
    if (c->passphrase_file != NULL) {
        if ((rc = sp_cli_read_secret_file(c, c->passphrase_file, &passphrase, e)) != SP_OK)
            goto out;
        j.passphrase = sp_buf_str(&passphrase);
    }
    o.host_name = s.profile->host_name;
    memcpy(o.identity_public, s.identity_public, 32);
    if ((rc = sp_enroll(c->env, &o, finish, &j, &en, e)) != SP_OK)
        goto out;
    if ((rc = fill_profile(s.profile, &en, e)) != SP_OK)
        goto out;
    if ((rc = setup_save(c, &s, e)) != SP_OK)
        goto out;
    if (!j.joined)
        rc = setup_sheet(c, &s, e);
    if (rc == SP_OK && r->j != NULL)
        setup_json(&s, r->j);
    if (rc == SP_OK)
        sp_cli_say(c, "enrolled as %s with %s%s; next: stillpoint backup PATH…",
            s.profile->host_name, s.profile->address,
            j.joined ? " (a member of an existing key group, whose recovery sheet covers this host)"
                     : "");
out:
    sp_wipe(secret, sizeof(secret));
    sp_buf_wipe(&passphrase);
    sp_enrolled_clear(&en);
    setup_clear(&s);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"name", required_argument, NULL, 'n'},
        {"invitation", required_argument, NULL, 'i'}, {"sheet", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0}};
    const char *name = NULL, *invitation = NULL, *sheet = NULL;
    struct sp_report r;
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'n')
            name = optarg;
        else if (opt == 'i')
            invitation = optarg;
        else if (opt == 's')
            sheet = optarg;
        else
            return SP_EXIT_USAGE;
    }
    if (optind + 1 != c->argc)
        return sp_cli_usage(c, "give one token, as 'stillpointd host add NAME' printed it");
    sp_report_begin(&r, c);
    return sp_report_end(
        &r, enroll(&r, c->argv[optind], name, invitation, sheet, &e), &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_enroll = {"enroll", "join a server with a token", usage, run};
