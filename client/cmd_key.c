#include <getopt.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/commands.h"
#include "client/key_cmds.h"
#include "client/table.h"

static const char usage[] =
    "usage: stillpoint key list\n"
    "       stillpoint key add-passphrase [--label TEXT]     (asks, or --passphrase-file)\n"
    "       stillpoint key sheet [--sheet FILE]\n"
    "       stillpoint key add-recovery PUBLIC-KEY [--label TEXT]\n"
    "       stillpoint key recovery create [--sheet FILE]\n"
    "       stillpoint key invite [--label TEXT]\n"
    "       stillpoint key join -r PATH [--name HOST] [--invitation TEXT]\n"
    "       stillpoint key rotate\n\n"
    "The ways to a repository's key. Backups need none of them: this machine keeps the key.\n\n"
    "list             what opens the key: passphrases, recovery keys, invitations\n"
    "add-passphrase   one more passphrase\n"
    "sheet            a new recovery sheet, with a recovery key of its own\n"
    "add-recovery     the public half of an administrator's recovery key\n"
    "recovery create  make such a key: the private half to keep, the public half to give to hosts\n"
    "invite           a text with which another machine joins this one's key group: they store "
    "what\n"
    "                 is common once and can read each other's content\n"
    "join             this machine gets an identity in a folder's repository, with an invitation, "
    "a\n"
    "                 passphrase (--passphrase-file) or a recovery key (--recovery-key-file)\n"
    "rotate           seal what is stored from now on with a new key; give --passphrase-file when\n"
    "                 there is a passphrase\n";

static enum sp_code
key_list(struct key_args *a, struct sp_err *e)
{
    static const struct sp_column columns[] = {
        {"SLOT", false}, {"KIND", false}, {"EPOCH", true}, {"CREATED", false}, {"LABEL", false}};
    struct sp_opened_store o;
    struct key_slots slots = {NULL, 0};
    struct sp_table table;
    char time[32];
    size_t i;
    enum sp_code rc;

    if ((rc = sp_cli_open(a->c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    sp_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    if ((rc = key_slots_read(o.store, sp_keys_group(o.keys), &slots, e)) != SP_OK)
        goto out;
    if (a->r->j != NULL) {
        sp_json_kstr(a->r->j, "group", sp_hex16(sp_keys_group(o.keys)).s);
        sp_json_ku64(a->r->j, "epoch", sp_keys_epoch(o.keys));
        sp_json_key(a->r->j, "slots");
        sp_json_array(a->r->j);
    }
    for (i = 0; i < slots.n; i++) {
        const struct sp_slot_info *s = &slots.v[i].info;
        struct sp_buf label = SP_BUF_INIT;

        if (a->r->j != NULL) {
            sp_json_object(a->r->j);
            sp_json_kstr(a->r->j, "slot", sp_hex16(s->id).s);
            sp_json_kstr(a->r->j, "kind", key_slot_kind(s->kind));
            sp_json_ku64(a->r->j, "epoch", s->epoch);
            sp_json_key(a->r->j, "created");
            sp_json_time(a->r->j, s->created_ns);
            sp_json_kstr(a->r->j, "label", s->label);
            if (s->kind == SP_SLOT_RECOVERY)
                sp_json_kstr(a->r->j, "recovery_key_id", sp_hex8(s->recipient).s);
            sp_json_object_end(a->r->j);
            continue;
        }
        sp_time_local(s->created_ns, time);
        sp_path_show(s->label, strlen(s->label), &label);
        sp_table_cell(&table, "%.8s", sp_hex8(s->id).s);
        sp_table_cell(&table, "%s", key_slot_kind(s->kind));
        sp_table_cell(&table, "%u", (unsigned)s->epoch);
        sp_table_cell(&table, "%s", time);
        sp_table_cell(&table, "%s%s%s%s", sp_buf_str(&label),
            s->kind == SP_SLOT_RECOVERY ? " (key id " : "",
            s->kind == SP_SLOT_RECOVERY ? sp_hex8(s->recipient).s : "",
            s->kind == SP_SLOT_RECOVERY ? ")" : "");
        sp_buf_free(&label);
    }
    if (a->r->j != NULL)
        sp_json_array_end(a->r->j);
    else if ((rc = sp_table_print(&table, e)) == SP_OK)
        sp_cli_say(a->c, "key group %s, epoch %u, in %s", sp_hex16(sp_keys_group(o.keys)).s,
            (unsigned)sp_keys_epoch(o.keys), o.address);
out:
    sp_table_clear(&table);
    key_slots_clear(&slots);
    sp_cli_close(&o);
    return rc;
}

static const struct sub {
    const char *name, *second; /* second: a word that has to follow; NULL */
    size_t words;
    const char *missing; /* what to say without them */
    bool address;        /* -r has to be given */
    enum sp_code (*run)(struct key_args *a, struct sp_err *e);
} subs[] = {
    {"list", NULL, 0, "", false, key_list},
    {"add-passphrase", NULL, 0, "", false, key_add_passphrase},
    {"add-recovery", NULL, 1, "give the recovery key's public half", false, key_add_recovery},
    {"invite", NULL, 0, "", false, key_invite},
    {"join", NULL, 0, "", true, key_join},
    {"rotate", NULL, 0, "", false, key_rotate},
    {"sheet", NULL, 0, "", false, key_sheet},
    {"recovery", "create", 0, "", false, key_recovery_create},
};

static enum sp_exit
run_sub(struct key_args *a, const struct sub *s)
{
    struct sp_report r;
    struct sp_err e = {0};

    if (s->second != NULL && (a->nwords == 0 || strcmp(a->words[0], s->second) != 0))
        return sp_cli_usage(a->c, "it is: key %s %s", s->name, s->second);
    if (s->second != NULL) {
        a->words++;
        a->nwords--;
    }
    if (a->nwords < s->words)
        return sp_cli_usage(a->c, "%s: %s", s->name, s->missing);
    if (a->nwords > s->words)
        return sp_cli_usage(a->c, "%s: '%s' is too much", s->name, a->words[s->words]);
    if (s->address && a->c->repository == NULL)
        return sp_cli_usage(a->c, "%s: say where: -r PATH", s->name);
    if (a->invitation != NULL && s->run != key_join)
        return sp_cli_usage(a->c, "--invitation is for join");
    sp_report_begin(&r, a->c);
    a->r = &r; // cppcheck-suppress autoVariables ; nobody has a after this function
    return sp_report_end(&r, s->run(a, &e), &e, SP_EXIT_DONE);
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"name", required_argument, NULL, 'n'},
        {"sheet", required_argument, NULL, 's'}, {"label", required_argument, NULL, 'l'},
        {"invitation", required_argument, NULL, 'i'}, {NULL, 0, NULL, 0}};
    struct key_args a = {.c = c};
    size_t i;
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'n')
            a.name = optarg;
        else if (opt == 's')
            a.sheet = optarg;
        else if (opt == 'l')
            a.label = optarg;
        else if (opt == 'i')
            a.invitation = optarg;
        else
            return SP_EXIT_USAGE;
    }
    if (optind == c->argc)
        return sp_cli_usage(c,
            "say what: list, add-passphrase, sheet, add-recovery, recovery create, "
            "invite, join or rotate");
    a.words = c->argv + optind + 1;
    a.nwords = (size_t)(c->argc - optind - 1);
    for (i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
        if (strcmp(subs[i].name, c->argv[optind]) == 0)
            return run_sub(&a, &subs[i]);
    }
    return sp_cli_usage(c, "there is no 'key %s'", c->argv[optind]);
}

const struct sp_command sp_cmd_key = {"key", "ways to a repository's key", usage, run};
