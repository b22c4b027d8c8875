#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/key_cmds.h"
#include "client/sets.h"

/* A new epoch of the key that blocks are sealed with. Every recovery key gets a slot for it before
 * anything is sealed with it, so that no set is ever beyond recovery. */

struct rotation {
    struct key_args *a;
    struct sp_opened_store o;
    struct sp_keys *keys; /* with the new epoch */
    struct key_slots slots;
    size_t recovery, passphrases;
};

static bool
recipient_before(const struct key_slots *s, size_t i)
{
    size_t k;

    for (k = i + 1; k < s->n; k++) { /* the newest slot's label counts */
        if (s->v[k].info.kind == SP_SLOT_RECOVERY &&
            memcmp(s->v[k].info.recipient, s->v[i].info.recipient, 32) == 0)
            return true;
    }
    return false;
}

static enum sp_code
put_recovery_slots(struct rotation *t, struct sp_err *e)
{
    const struct sp_env *env = t->a->c->env;
    struct sp_buf slot = SP_BUF_INIT;
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < t->slots.n && rc == SP_OK; i++) {
        const struct sp_slot_info *info = &t->slots.v[i].info;

        if (info->kind != SP_SLOT_RECOVERY || recipient_before(&t->slots, i))
            continue;
        sp_buf_reset(&slot);
        rc = sp_slot_seal_recovery(t->keys, info->recipient, info->label, sp_clock_wall(env->clock),
            env->random, &slot, e);
        if (rc == SP_OK)
            rc = sp_store_put_slot(t->o.store, slot.data, slot.len, e);
        t->recovery += rc == SP_OK;
    }
    sp_buf_free(&slot);
    return rc;
}

/* A mistyped passphrase would be a new one that nobody knows: it has to open a slot that there is.
 */
static enum sp_code
is_known(const struct rotation *t, const char *passphrase, struct sp_err *e)
{
    struct sp_keys *keys = NULL;
    struct sp_err why = {0};
    size_t i;

    for (i = 0; i < t->slots.n; i++) {
        const struct key_slot *s = &t->slots.v[i];

        if (s->info.kind == SP_SLOT_PASSPHRASE &&
            sp_slot_open_passphrase(s->bytes, s->n, passphrase, &keys, &why) == SP_OK) {
            sp_keys_free(keys);
            return SP_OK;
        }
    }
    return sp_fail(e, SP_AUTH, SP_DOM_CONFIG,
        "this is not a passphrase of %s; to add another: stillpoint key add-passphrase",
        t->o.address);
}

static enum sp_code
put_passphrase_slot(struct rotation *t, struct sp_err *e)
{
    const struct sp_env *env = t->a->c->env;
    struct sp_buf passphrase = SP_BUF_INIT, slot = SP_BUF_INIT;
    enum sp_code rc;

    if (t->a->c->passphrase_file == NULL)
        return SP_OK;
    rc = sp_cli_read_secret_file(t->a->c, t->a->c->passphrase_file, &passphrase, e);
    if (rc == SP_OK)
        rc = is_known(t, sp_buf_str(&passphrase), e);
    if (rc == SP_OK)
        rc = sp_slot_seal_passphrase(t->keys, sp_buf_str(&passphrase), "passphrase",
            sp_clock_wall(env->clock), env->random, &slot, e);
    if (rc == SP_OK)
        rc = sp_store_put_slot(t->o.store, slot.data, slot.len, e);
    t->passphrases += rc == SP_OK;
    sp_buf_wipe(&passphrase);
    sp_buf_free(&slot);
    return rc;
}

/* Other hosts of the group go on with the old epoch until they get the new one. */
static void
tell_members(struct rotation *t)
{
    struct sp_sets sets;
    struct sp_buf names = SP_BUF_INIT;
    struct sp_err ignored = {0};
    size_t i, k;

    if (sp_sets_list(&t->o, true, false, NULL, &sets, &ignored) != SP_OK)
        return;
    for (i = 0; i < sets.n; i++) {
        const struct sp_listed *l = &sets.v[i];

        for (k = i + 1; k < sets.n && memcmp(sets.v[k].set.host, l->set.host, 16) != 0; k++)
            continue;
        if (k == sets.n && memcmp(l->set.group, sp_keys_group(t->keys), 16) == 0 &&
            memcmp(l->set.host, t->o.profile->host, 16) != 0)
            sp_buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", l->host_name);
    }
    if (names.len > 0)
        sp_cli_warn(t->a->c,
            "other hosts of this key group (%s) cannot read what is sealed with the new key until "
            "they "
            "have it: there, 'stillpoint key join -r %s' with the recovery key or an invitation",
            sp_buf_str(&names), t->o.address);
    sp_buf_free(&names);
    sp_sets_clear(&sets);
}

static enum sp_code
rotate(struct rotation *t, struct sp_err *e)
{
    struct sp_profile *p = t->o.profile;
    struct sp_keys *old;
    bool had_passphrase = false;
    size_t i;
    enum sp_code rc;

    if ((rc = key_slots_read(t->o.store, sp_keys_group(p->keys), &t->slots, e)) != SP_OK)
        return rc;
    for (i = 0; i < t->slots.n; i++)
        had_passphrase = had_passphrase || t->slots.v[i].info.kind == SP_SLOT_PASSPHRASE;
    if ((rc = sp_keys_rotate(p->keys, t->a->c->env->random, &t->keys, e)) != SP_OK ||
        (rc = put_passphrase_slot(t, e)) != SP_OK || (rc = put_recovery_slots(t, e)) != SP_OK)
        return rc;
    if (t->recovery + t->passphrases == 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "%s has no recovery key, and no passphrase was given: with the new key it would be "
            "lost "
            "with this machine. Make a sheet first: stillpoint key sheet",
            t->o.address);
    old = p->keys;
    p->keys = t->keys;
    rc = sp_profile_save(t->a->c->env, p, e);
    if (rc == SP_OK)
        rc = key_slots_keep(t->a->c, t->o.store, p, e);
    if (rc == SP_OK && t->a->r->j != NULL) {
        sp_json_ku64(t->a->r->j, "epoch", sp_keys_epoch(p->keys));
        sp_json_ku64(t->a->r->j, "recovery_slots", t->recovery);
        sp_json_ku64(t->a->r->j, "passphrase_slots", t->passphrases);
    }
    if (rc == SP_OK && had_passphrase && t->passphrases == 0)
        sp_cli_warn(t->a->c, "the passphrase opens only what was stored until now; renew it with "
                             "'stillpoint key add-passphrase'");
    if (rc == SP_OK)
        tell_members(t);
    p->keys = old; /* each is freed by its owner */
    return rc;
}

enum sp_code
key_rotate(struct key_args *a, struct sp_err *e)
{
    struct rotation t;
    enum sp_code rc;

    memset(&t, 0, sizeof(t));
    t.a = a;
    if ((rc = sp_cli_open(a->c, NULL, SP_OPEN_WRITE, &t.o, e)) != SP_OK)
        return rc;
    if ((rc = rotate(&t, e)) == SP_OK)
        sp_cli_say(a->c,
            "what is stored from now on is sealed with a new key (epoch %u): a copy of the old key "
            "does "
            "not read it. It does not protect what was stored before, nor hide which known content "
            "is "
            "there",
            (unsigned)sp_keys_epoch(t.keys));
    sp_keys_free(t.keys);
    key_slots_clear(&t.slots);
    sp_cli_close(&t.o);
    return rc;
}
