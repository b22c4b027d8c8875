#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/invitation.h"
#include "client/key_cmds.h"
#include "client/setup.h"
#include "storage/crypto.h"

/* More ways to the key: each is one more slot. */

#define KEEP_SAFE                                                                                  \
    "Keep it on paper or in a password manager, away from the machines and from\n"                 \
    "the store. Who has it and the store can read the backups.\n"

static enum sp_code
open_writable(struct key_args *a, struct sp_opened_store *o, struct sp_err *e)
{
    return sp_cli_open(a->c, NULL, SP_OPEN_WRITE, o, e);
}

static void
report_slot(struct key_args *a, const struct sp_buf *slot)
{
    struct sp_slot_info info;
    struct sp_err ignored = {0};

    if (a->r->j == NULL || sp_slot_parse(slot->data, slot->len, &info, &ignored) != SP_OK)
        return;
    sp_json_kstr(a->r->j, "slot", sp_hex16(info.id).s);
    sp_json_kstr(a->r->j, "kind", key_slot_kind(info.kind));
    sp_json_ku64(a->r->j, "epoch", info.epoch);
}

enum sp_code
key_add_passphrase(struct key_args *a, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_buf passphrase = SP_BUF_INIT, slot = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = open_writable(a, &o, e)) != SP_OK)
        return rc;
    if ((rc = key_ask_passphrase(a->c, &passphrase, e)) == SP_OK)
        rc = sp_slot_seal_passphrase(o.keys, sp_buf_str(&passphrase),
            a->label != NULL ? a->label : "passphrase", sp_clock_wall(a->c->env->clock),
            a->c->env->random, &slot, e);
    sp_buf_wipe(&passphrase);
    if (rc == SP_OK)
        rc = key_slot_put(a->c, &o, &slot, e);
    if (rc == SP_OK) {
        report_slot(a, &slot);
        sp_cli_say(
            a->c, "the passphrase opens %s now; other ways to its key stay as they are", o.address);
    }
    sp_buf_free(&slot);
    sp_cli_close(&o);
    return rc;
}

static enum sp_code
parse_public(const char *text, uint8_t ret[32], struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    if (sp_base32_parse(text, &b, &why) != SP_OK || b.len != 32)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "'%s' is not a recovery public key, as 'stillpoint key recovery create' prints it",
            text);
    else
        memcpy(ret, b.data, 32);
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
put_recovery(struct key_args *a, struct sp_opened_store *o, const uint8_t recipient[32],
    const char *label, struct sp_err *e)
{
    struct sp_buf slot = SP_BUF_INIT;
    enum sp_code rc;

    rc = sp_slot_seal_recovery(o->keys, recipient, a->label != NULL ? a->label : label,
        sp_clock_wall(a->c->env->clock), a->c->env->random, &slot, e);
    if (rc == SP_OK)
        rc = key_slot_put(a->c, o, &slot, e);
    if (rc == SP_OK)
        report_slot(a, &slot);
    sp_buf_free(&slot);
    return rc;
}

enum sp_code
key_add_recovery(struct key_args *a, struct sp_err *e)
{
    struct sp_opened_store o;
    uint8_t recipient[32];
    enum sp_code rc;

    if ((rc = parse_public(a->words[0], recipient, e)) != SP_OK)
        return rc;
    if ((rc = open_writable(a, &o, e)) != SP_OK)
        return rc;
    if ((rc = put_recovery(a, &o, recipient, "administrator", e)) == SP_OK)
        sp_cli_say(a->c, "the recovery key %s opens %s now", sp_hex8(recipient).s, o.address);
    sp_cli_close(&o);
    return rc;
}

enum sp_code
key_sheet(struct key_args *a, struct sp_err *e)
{
    struct sp_opened_store o;
    struct setup s;
    uint8_t public_key[32];
    enum sp_code rc;

    memset(&s, 0, sizeof(s));
    if ((rc = setup_sheet_open(a->c, &s, a->sheet, e)) != SP_OK)
        return rc;
    if ((rc = open_writable(a, &o, e)) != SP_OK) {
        setup_sheet_drop(&s);
        return rc;
    }
    s.profile = o.profile; /* borrowed */
    if ((rc = sp_random_fill(a->c->env->random, s.recovery_secret, 32, e)) == SP_OK &&
        (rc = sp_x25519_public(s.recovery_secret, public_key, e)) == SP_OK &&
        (rc = put_recovery(a, &o, public_key, "recovery sheet", e)) == SP_OK)
        rc = setup_sheet(a->c, &s, e);
    setup_sheet_drop(&s);
    sp_wipe(s.recovery_secret, sizeof(s.recovery_secret));
    if (rc == SP_OK)
        sp_cli_say(a->c, "a new recovery sheet with a key of its own; older sheets stay good");
    sp_cli_close(&o);
    return rc;
}

enum sp_code
key_invite(struct key_args *a, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_buf slot = SP_BUF_INIT, text = SP_BUF_INIT;
    uint8_t secret[32];
    enum sp_code rc;

    if ((rc = open_writable(a, &o, e)) != SP_OK)
        return rc;
    if ((rc = sp_random_fill(a->c->env->random, secret, 32, e)) == SP_OK &&
        (rc = sp_slot_seal_invitation(o.keys, secret, a->label != NULL ? a->label : "invitation",
             sp_clock_wall(a->c->env->clock), a->c->env->random, &slot, e)) == SP_OK)
        rc = key_slot_put(a->c, &o, &slot, e);
    if (rc == SP_OK) {
        if (!sp_buf_reserve(&text, 128)) /* so that no copy is left behind */
            rc = sp_fail_nomem(e);
        sp_invitation_print(secret, &text);
        report_slot(a, &slot);
        if (a->r->j != NULL)
            sp_json_kstr(a->r->j, "invitation", sp_buf_str(&text));
        else
            (void)printf("%s\n", sp_buf_str(&text));
        sp_cli_say(a->c,
            "give this to the other machine's administrator by a safe way: with it the machine "
            "gets "
            "this group's key, and the two can read each other's content. There:");
        sp_cli_say(a->c, "  %s%s --invitation TEXT",
            o.profile->is_server ? "stillpoint enroll TOKEN" : "stillpoint key join -r ",
            o.profile->is_server ? "" : o.address);
    }
    sp_wipe(secret, sizeof(secret));
    sp_buf_wipe(&text);
    sp_buf_free(&slot);
    sp_cli_close(&o);
    return rc;
}

/* A private key on a page of its own, that sp_sheet_parse_key finds again. */
static enum sp_code
print_private(
    struct key_args *a, const uint8_t secret[32], const uint8_t public_key[32], struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT;
    FILE *to = a->c->json ? stderr : stdout;
    enum sp_code rc;

    if (!sp_buf_reserve(&text, 4096))
        return sp_fail_nomem(e);
    sp_buf_put_str(&text, "STILLPOINT RECOVERY KEY\n=======================\n\n" KEEP_SAFE
                          "It opens every host's backups that were made with its public half.\n\n");
    sp_buf_printf(&text, "  Recovery key id     %s\n\n", sp_hex8(public_key).s);
    sp_buf_put_str(
        &text, "Recovery key (upper or lower case; dashes and spaces do not matter):\n\n    ");
    sp_base32_put(&text, secret, 32);
    sp_buf_put_str(&text,
        "\n\nTo restore: stillpoint restore -r FOLDER --recovery-key-file THIS-TEXT "
        "...\n\n");
    if ((rc = sp_buf_ok(&text, e)) == SP_OK && a->sheet != NULL)
        rc = setup_write_secret(a->c, a->sheet, &text, e);
    else if (rc == SP_OK && fwrite(text.data, 1, text.len, to) != text.len)
        rc = sp_fail(e, SP_IO, SP_DOM_SELF, "the recovery key could not be printed");
    sp_buf_wipe(&text);
    return rc;
}

enum sp_code
key_recovery_create(struct key_args *a, struct sp_err *e)
{
    struct sp_buf public_text = SP_BUF_INIT;
    uint8_t secret[32], public_key[32];
    enum sp_code rc;

    if ((rc = sp_random_fill(a->c->env->random, secret, 32, e)) == SP_OK &&
        (rc = sp_x25519_public(secret, public_key, e)) == SP_OK)
        rc = print_private(a, secret, public_key, e);
    sp_wipe(secret, sizeof(secret));
    if (rc != SP_OK)
        return rc;
    sp_base32_put(&public_text, public_key, 32);
    if ((rc = sp_buf_ok(&public_text, e)) == SP_OK) {
        if (a->r->j != NULL)
            sp_json_kstr(a->r->j, "public_key", sp_buf_str(&public_text));
        else
            (void)printf("public key: %s\n", sp_buf_str(&public_text));
        sp_cli_say(a->c,
            "it is no secret: give it to 'stillpointd host add NAME --recovery …' or to "
            "'stillpoint key add-recovery …'");
    }
    sp_buf_free(&public_text);
    return rc;
}
