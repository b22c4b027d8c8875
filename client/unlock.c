#include <stdlib.h>
#include <string.h>

#include "client/cli.h"
#include "storage/crypto.h"

/* The keys of a store with a secret that the user has. */

/* A stranger may have put many slots into the store, each as dear as one slot may be: this many
 * bytes of scrypt's work are granted to all together (256 slots as this program makes them; about a
 * minute). */
#define UNLOCK_WORK (UINT64_C(16) << 30)

struct unlock {
    const char *passphrase; /* or */
    uint8_t recovery[32];
    struct sp_keys *keys;
    struct sp_err last;
    size_t tried;
    uint64_t work;
    bool too_many;
};

/* The slot with the highest epoch that opens wins. */
static enum sp_code
try_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct unlock *u = arg;
    struct sp_slot_info info;
    struct sp_keys *keys = NULL;
    enum sp_slot_kind kind = u->passphrase != NULL ? SP_SLOT_PASSPHRASE : SP_SLOT_RECOVERY;
    uint8_t public_key[32];
    enum sp_code rc;

    if (sp_slot_parse(slot, n, &info, &u->last) != SP_OK || info.kind != kind)
        return SP_OK;
    if (u->keys != NULL && info.epoch <= sp_keys_epoch(u->keys))
        return SP_OK;
    if (kind == SP_SLOT_RECOVERY) {
        if ((rc = sp_x25519_public(u->recovery, public_key, e)) != SP_OK)
            return rc;
        if (memcmp(public_key, info.recipient, 32) != 0)
            return SP_OK;
    }
    if (info.work > UNLOCK_WORK - u->work) {
        u->too_many = true;
        return SP_OK;
    }
    u->work += info.work;
    u->tried++;
    rc = kind == SP_SLOT_PASSPHRASE
             ? sp_slot_open_passphrase(slot, n, u->passphrase, &keys, &u->last)
             : sp_slot_open_recovery(slot, n, u->recovery, &keys, &u->last);
    if (rc == SP_OK) {
        sp_keys_free(u->keys);
        u->keys = keys;
    }
    return SP_OK;
}

/* The secret that the user has, from the files given or asked for. */
static enum sp_code
get_secret(struct sp_cli *c, struct unlock *u, struct sp_buf *secret, struct sp_err *e)
{
    enum sp_code rc;

    if (c->recovery_key_file != NULL) {
        if ((rc = sp_cli_read_secret_file(c, c->recovery_key_file, secret, e)) == SP_OK)
            rc = sp_sheet_parse_key(sp_buf_str(secret), u->recovery, e);
        return rc;
    }
    if (c->passphrase_file != NULL) {
        rc = sp_cli_read_secret_file(c, c->passphrase_file, secret, e);
        u->passphrase = sp_buf_str(secret);
        return rc;
    }
    rc = sp_cli_ask_secret(c, "the repository's passphrase, or the recovery key", secret, e);
    /* A recovery key has a checksum: no passphrase is taken for one. */
    if (rc == SP_OK && sp_sheet_parse_key(sp_buf_str(secret), u->recovery, &u->last) != SP_OK)
        u->passphrase = sp_buf_str(secret);
    return rc;
}

/* Slots out of a store, or out of bytes as an enrolment brings them. */
struct slot_source {
    struct sp_store *store;
    const uint8_t *p;
    size_t n;
};

static enum sp_code
try_slots(const struct slot_source *from, struct unlock *u, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(from->p, from->n);
    enum sp_code rc = SP_OK;

    if (from->store != NULL)
        return sp_store_slots(from->store, NULL, try_slot, u, e);
    while (rc == SP_OK && sp_cur_left(&c) > 0) {
        size_t n = sp_cur_u32(&c);
        const uint8_t *slot = sp_cur_bytes(&c, n);

        rc = sp_cur_ok(&c) ? try_slot(u, slot, n, e)
                           : sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the key slots are cut short");
    }
    return rc;
}

static enum sp_code
unlock(struct sp_cli *c, const struct slot_source *from, const char *address, struct sp_keys **ret,
    struct sp_err *e)
{
    struct sp_buf secret = SP_BUF_INIT;
    struct unlock u;
    enum sp_code rc;

    memset(&u, 0, sizeof(u));
    rc = get_secret(c, &u, &secret, e);
    if (rc == SP_OK)
        rc = try_slots(from, &u, e);
    if (rc == SP_OK && u.keys == NULL)
        rc = sp_fail(e, SP_AUTH, SP_DOM_STORE,
            u.passphrase == NULL ? "no key of %s is for this recovery key"
            : u.too_many   ? "%s holds more passphrase slots than can be tried; open it with its "
                             "recovery key (--recovery-key-file)"
            : u.tried == 0 ? "%s has no passphrase; open it with its recovery key "
                             "(--recovery-key-file)"
                           : "the passphrase does not open %s",
            address);
    if (rc == SP_OK)
        *ret = u.keys;
    else
        sp_keys_free(u.keys);
    sp_wipe(&u, sizeof(u));
    sp_buf_wipe(&secret);
    return rc;
}

enum sp_code
sp_cli_unlock(struct sp_cli *c, struct sp_store *store, const char *address, struct sp_keys **ret,
    struct sp_err *e)
{
    const struct slot_source from = {.store = store};

    return unlock(c, &from, address, ret, e);
}

enum sp_code
sp_cli_unlock_slots(struct sp_cli *c, const uint8_t *slots, size_t n, const char *address,
    struct sp_keys **ret, struct sp_err *e)
{
    const struct slot_source from = {.p = slots, .n = n};

    return unlock(c, &from, address, ret, e);
}
