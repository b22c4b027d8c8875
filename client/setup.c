#include "client/setup.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "storage/crypto.h"

enum sp_code
setup_begin(struct sp_cli *c, const char *name, struct setup *s, struct sp_err *e)
{
    struct sp_profile *p;
    enum sp_code rc;

    memset(s, 0, sizeof(*s));
    if ((p = s->profile = calloc(1, sizeof(*p))) == NULL)
        return sp_fail_nomem(e);
    if (name != NULL) {
        if ((p->host_name = strdup(name)) == NULL)
            return sp_fail_nomem(e);
    } else if ((rc = sp_os_hostname(&p->host_name, e)) != SP_OK) {
        return rc;
    }
    if (strlen(p->host_name) == 0 || strlen(p->host_name) > 255)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a host's name has 1 to 255 bytes");
    if ((rc = sp_random_fill(c->env->random, p->host, 16, e)) != SP_OK)
        return rc;
    if ((rc = sp_random_fill(c->env->random, p->signing_secret, 32, e)) != SP_OK)
        return rc;
    return sp_ed25519_public(p->signing_secret, s->identity_public, e);
}

/* Remembers where the slot just appended ends. */
static void
slot_added(struct setup *s, size_t before)
{
    s->slot_lens[s->nslots++] = s->slots.len - before;
}

enum sp_code
setup_new_group(struct sp_cli *c, struct setup *s, const uint8_t *administrator,
    const char *passphrase, struct sp_err *e)
{
    const struct sp_random *r = c->env->random;
    int64_t now = sp_clock_wall(c->env->clock);
    uint8_t public_key[32];
    size_t at;
    enum sp_code rc;

    if ((rc = sp_keys_generate(r, &s->profile->keys, e)) != SP_OK)
        return rc;
    if ((rc = sp_random_fill(r, s->recovery_secret, 32, e)) != SP_OK)
        return rc;
    if ((rc = sp_x25519_public(s->recovery_secret, public_key, e)) != SP_OK)
        return rc;
    at = s->slots.len;
    rc = sp_slot_seal_recovery(
        s->profile->keys, public_key, "recovery sheet", now, r, &s->slots, e);
    if (rc != SP_OK)
        return rc;
    slot_added(s, at);
    if (administrator != NULL) {
        at = s->slots.len;
        rc = sp_slot_seal_recovery(
            s->profile->keys, administrator, "administrator", now, r, &s->slots, e);
        if (rc != SP_OK)
            return rc;
        slot_added(s, at);
    }
    if (passphrase != NULL) {
        at = s->slots.len;
        rc = sp_slot_seal_passphrase(
            s->profile->keys, passphrase, "passphrase", now, r, &s->slots, e);
        if (rc != SP_OK)
            return rc;
        slot_added(s, at);
    }
    return SP_OK;
}

enum sp_code
setup_host_record(struct setup *s, const uint8_t *before, size_t before_n, struct sp_err *e)
{
    struct sp_host h;
    enum sp_code rc;

    memset(&h, 0, sizeof(h));
    if (before_n > 0) {
        if ((rc = sp_host_decode(before, before_n, s->profile->keys, &h, e)) != SP_OK)
            return rc;
        if (h.nkeys == sizeof(h.keys) / sizeof(h.keys[0])) { /* the oldest goes */
            memmove(h.keys[0], h.keys[1], sizeof(h.keys) - sizeof(h.keys[0]));
            h.nkeys--;
        }
    }
    memcpy(h.id, s->profile->host, 16);
    memcpy(h.group, sp_keys_group(s->profile->keys), 16);
    (void)snprintf(h.name, sizeof(h.name), "%s", s->profile->host_name);
    memcpy(h.keys[h.nkeys++], s->identity_public, 32);
    return sp_host_encode(&h, s->profile->keys, &s->host_record, e);
}

enum sp_code
setup_save(struct sp_cli *c, struct setup *s, struct sp_err *e)
{
    struct sp_buf copy = SP_BUF_INIT;
    size_t i, at = 0;
    enum sp_code rc;

    for (i = 0; i < s->nslots; i++) {
        sp_buf_put_u32(&copy, (uint32_t)s->slot_lens[i]);
        sp_buf_put(&copy, s->slots.data + at, s->slot_lens[i]);
        at += s->slot_lens[i];
    }
    if ((rc = sp_buf_ok(&copy, e)) == SP_OK)
        rc = sp_profile_save(c->env, s->profile, e);
    if (rc == SP_OK)
        rc = sp_profile_save_slots(c->env, s->profile, copy.data, copy.len, e);
    if (rc == SP_OK)
        rc = sp_profile_set_default(c->env, s->profile, e);
    sp_buf_free(&copy);
    return rc;
}

enum sp_code
setup_write_secret(
    struct sp_cli *c, const char *file, const struct sp_buf *text, struct sp_err *e)
{
    const struct sp_os *os = c->env->os;
    struct sp_file *f = NULL;
    struct sp_err ignored = {0};
    char *path = NULL;
    enum sp_code rc;

    if ((rc = sp_os_absolute(file, &path, e)) != SP_OK)
        return rc;
    rc = os->create(os->self, path, &f, e);
    free(path);
    if (rc != SP_OK)
        return rc;
    rc = os->write_at(os->self, f, 0, text->data, text->len, e);
    if (rc == SP_OK)
        rc = os->sync(os->self, f, e);
    if (rc != SP_OK)
        (void)os->close(os->self, f, &ignored);
    else
        rc = os->close(os->self, f, e);
    return rc;
}

enum sp_code
setup_sheet(struct sp_cli *c, struct setup *s, const char *file, struct sp_err *e)
{
    const struct sp_profile *p = s->profile;
    struct sp_buf text = SP_BUF_INIT;
    struct sp_sheet sheet;
    struct sp_hex fingerprint = sp_hex32(p->authority_fingerprint);
    enum sp_code rc;

    memset(&sheet, 0, sizeof(sheet));
    sheet.store = p->address;
    sheet.fingerprint = p->is_server ? fingerprint.s : NULL;
    sheet.host_name = p->host_name;
    memcpy(sheet.repository, p->repository, 16);
    memcpy(sheet.group, sp_keys_group(p->keys), 16);
    memcpy(sheet.recovery, s->recovery_secret, 32);
    rc = sp_sheet_print(&sheet, sp_clock_wall(c->env->clock), &text, e);
    sp_wipe(&sheet, sizeof(sheet));
    if (rc == SP_OK && file != NULL)
        rc = setup_write_secret(c, file, &text, e);
    else if (rc == SP_OK && fwrite(text.data, 1, text.len, c->json ? stderr : stdout) != text.len)
        rc = sp_fail(e, SP_IO, SP_DOM_SELF, "the recovery sheet could not be printed");
    sp_buf_wipe(&text);
    return rc;
}

void
setup_clear(struct setup *s)
{
    sp_profile_free(s->profile);
    sp_wipe(s->recovery_secret, sizeof(s->recovery_secret));
    sp_buf_free(&s->slots);
    sp_buf_free(&s->host_record);
}
