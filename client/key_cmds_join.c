#include <stdlib.h>
#include <string.h>

#include "client/invitation.h"
#include "client/key_cmds.h"
#include "client/place.h"
#include "client/setup.h"
#include "storage/repository.h"

/* A machine gets an identity in a folder's repository, in the key group that its secret opens; or,
 * when it has one there, the newest key of its group. */

struct seeking {
    uint8_t id[16];
    const uint8_t *secret;
    struct sp_keys *keys;
    struct sp_err why;
};

static enum sp_code
try_invitation(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct seeking *s = arg;
    struct sp_slot_info info;

    (void)e;
    if (s->keys == NULL && sp_slot_parse(slot, n, &info, &s->why) == SP_OK &&
        info.kind == SP_SLOT_INVITATION && memcmp(info.id, s->id, 16) == 0)
        (void)sp_slot_open_invitation(slot, n, s->secret, &s->keys, &s->why);
    return SP_OK;
}

/* With the invitation, the passphrase or the recovery key, whichever was given. */
static enum sp_code
unlock(struct key_args *a, struct sp_store *store, const char *address, struct sp_keys **ret,
    uint8_t ret_slot[16], struct sp_err *e)
{
    struct seeking s;
    uint8_t secret[32], proof[32];
    enum sp_code rc;

    memset(ret_slot, 0, 16);
    if (a->invitation == NULL)
        return sp_cli_unlock(a->c, store, address, ret, e);
    memset(&s, 0, sizeof(s));
    s.secret = secret;
    if ((rc = sp_invitation_parse(a->invitation, secret, e)) == SP_OK &&
        (rc = sp_invitation_public(secret, s.id, proof, e)) == SP_OK)
        rc = sp_store_slots(store, NULL, try_invitation, &s, e);
    if (rc == SP_OK && s.keys == NULL)
        rc = sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "this invitation does not open %s: it is for another repository, or was used already",
            address);
    if (rc == SP_OK) {
        *ret = s.keys;
        memcpy(ret_slot, s.id, 16);
    }
    sp_wipe(secret, sizeof(secret));
    return rc;
}

/* --- known here already ----------------------------------------------------------------------- */

static enum sp_code
refresh(struct key_args *a, struct sp_profile *p, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_keys *keys = NULL, *old;
    uint8_t slot[16];
    enum sp_code rc;

    if ((rc = sp_cli_open(a->c, p->address, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if ((rc = unlock(a, o.store, o.address, &keys, slot, e)) != SP_OK)
        goto out;
    if (memcmp(sp_keys_group(keys), sp_keys_group(p->keys), 16) != 0) {
        rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "this machine already is %s in %s, in another key group; a machine cannot be in two",
            p->host_name, p->address);
        goto out;
    }
    if (sp_keys_epoch(keys) <= sp_keys_epoch(p->keys)) {
        sp_cli_say(a->c, "this machine already is %s in %s, and has the newest key", p->host_name,
            p->address);
        goto out;
    }
    old = p->keys;
    p->keys = keys;
    keys = old;
    if ((rc = sp_profile_save(a->c->env, p, e)) == SP_OK)
        rc = key_slots_keep(a->c, o.store, p, e);
    if (rc == SP_OK)
        sp_cli_say(a->c, "%s has the newest key of its group now (epoch %u)", p->host_name,
            (unsigned)sp_keys_epoch(p->keys));
out:
    sp_keys_free(keys);
    sp_cli_close(&o);
    return rc;
}

/* --- a new machine ---------------------------------------------------------------------------- */

static enum sp_code
open_folder(
    struct sp_cli *c, const struct sp_profile *p, struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository_options o = {.write = true};
    struct sp_backend *backend = NULL;
    char *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_place_open(c, p->address, p, false, &backend, e)) != SP_OK)
        return rc;
    if ((rc = sp_os_place(SP_PLACE_CACHE, &cache, e)) != SP_OK) {
        sp_backend_free(backend);
        return rc;
    }
    o.cache_dir = cache;
    rc = sp_repository_open(backend, c->env, &o, ret, e);
    free(cache);
    return rc;
}

/* A second identity would take the place of the first, and its chain of sets with it. */
static enum sp_code
refuse_second(struct sp_cli *c, const uint8_t repository[16], struct sp_err *e)
{
    struct sp_profile *p = NULL;
    struct sp_err none = {0};
    enum sp_code rc = sp_profile_load_id(c->env, repository, &p, &none);

    if (rc == SP_ABSENT)
        return SP_OK;
    if (rc != SP_OK) {
        *e = none;
        return rc;
    }
    rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
        "this machine already is %s in this repository, which it knows at %s", p->host_name,
        p->address);
    sp_profile_free(p);
    return rc;
}

static enum sp_code
make_host(struct key_args *a, struct sp_repository *r, struct sp_store *store, struct setup *s,
    struct sp_err *e)
{
    struct sp_buf conf = SP_BUF_INIT;
    struct sp_profile *p = s->profile;
    struct sp_err ignored = {0};
    uint8_t slot[16];
    enum sp_code rc;

    memcpy(p->repository, sp_repository_conf(r)->id, 16);
    if ((rc = refuse_second(a->c, p->repository, e)) != SP_OK)
        return rc;
    if ((rc = sp_repository_conf_encode(sp_repository_conf(r), &conf, e)) == SP_OK)
        rc = sp_buf_take(&conf, &p->conf, &p->conf_len, e);
    sp_buf_free(&conf);
    if (rc == SP_OK)
        rc = unlock(a, store, p->address, &p->keys, slot, e);
    if (rc == SP_OK)
        rc = setup_host_record(s, NULL, 0, e);
    if (rc == SP_OK)
        rc = sp_repository_put_host(r, s->host_record.data, s->host_record.len, e);
    if (rc == SP_OK)
        rc = sp_profile_save(a->c->env, p, e);
    if (rc == SP_OK)
        rc = sp_profile_set_default(a->c->env, p, e);
    if (rc == SP_OK && a->invitation != NULL && /* it was for one machine */
        sp_repository_remove_slot(r, sp_keys_group(p->keys), slot, &ignored) != SP_OK)
        sp_cli_warn(
            a->c, "the used invitation could not be removed from the repository: %s", ignored.text);
    if (rc == SP_OK)
        rc = key_slots_keep(a->c, store, p, e);
    return rc;
}

static enum sp_code
join(struct key_args *a, char *address, struct sp_err *e)
{
    struct setup s;
    struct sp_repository *r = NULL;
    struct sp_store *store = NULL;
    enum sp_code rc;

    if ((rc = setup_begin(a->c, a->name, &s, e)) != SP_OK)
        goto out;
    if ((s.profile->address = strdup(address)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = setup_check_line("a repository's address", address, e)) != SP_OK)
        goto out;
    if ((rc = sp_place_login(a->c, address, s.profile, false, e)) != SP_OK ||
        (rc = sp_place_keep(a->c, s.profile, e)) != SP_OK)
        goto out;
    if ((rc = open_folder(a->c, s.profile, &r, e)) != SP_OK)
        goto out;
    if ((rc = sp_store_repository_new(r, address, NULL, NULL, &store, e)) != SP_OK)
        goto out;
    if ((rc = make_host(a, r, store, &s, e)) == SP_OK) {
        if (a->r->j != NULL) {
            sp_json_kstr(a->r->j, "host", s.profile->host_name);
            sp_json_kstr(a->r->j, "host_id", sp_hex16(s.profile->host).s);
            sp_json_kstr(a->r->j, "group", sp_hex16(sp_keys_group(s.profile->keys)).s);
        }
        sp_cli_say(a->c,
            "joined %s as %s, in the key group %s: what its hosts have in common is stored once, "
            "and "
            "they can read each other's content; next: stillpoint backup PATH…",
            address, s.profile->host_name, sp_hex8(sp_keys_group(s.profile->keys)).s);
        sp_place_tell_unattended(a->c, s.profile);
    }
    sp_store_free(store);
out:
    setup_clear(&s);
    return rc;
}

enum sp_code
key_join(struct key_args *a, struct sp_err *e)
{
    struct sp_profile *p = NULL;
    struct sp_err none = {0};
    char *address = NULL;
    enum sp_code rc;

    if ((rc = sp_cli_address(a->c->repository, &address, e)) != SP_OK)
        return rc;
    rc = sp_profile_load(a->c->env, address, &p, &none);
    if (rc == SP_OK)
        rc = refresh(a, p, e);
    else if (rc != SP_ABSENT)
        *e = none;
    else if (sp_address_is_server(address))
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "a server takes in new machines with a token: 'stillpointd host add NAME' there, then "
            "'stillpoint enroll TOKEN' here");
    else
        rc = join(a, address, e);
    sp_profile_free(p);
    free(address);
    return rc;
}
