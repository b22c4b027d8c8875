#include "client/setup.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "storage/crypto.h"

enum sp_code
setup_check_line(const char *what, const char *text, struct sp_err *e)
{
    const char *p;

    for (p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s has no control characters", what);
    if (!sp_utf8_valid(text, strlen(text)))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s is UTF-8 text", what);
    return SP_OK;
}

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
    if ((rc = setup_check_line("a host's name", p->host_name, e)) != SP_OK)
        return rc;
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
    rc =
        sp_slot_seal_recovery(s->profile->keys, public_key, "recovery sheet", now, r, &s->slots, e);
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

static enum sp_code
open_secret(const struct sp_os *os, const char *file, char **ret_path, struct sp_file **ret,
    struct sp_err *e)
{
    struct sp_err why = {0};
    char *path = NULL;
    enum sp_code rc;

    if ((rc = sp_os_absolute(file, &path, e)) != SP_OK)
        return rc;
    if ((rc = os->create(os->self, path, ret, &why)) == SP_OK) {
        *ret_path = path;
        return SP_OK;
    }
    if (rc == SP_EXISTS)
        rc = sp_fail(e, rc, SP_DOM_CONFIG, "%s exists, and is not written over", path);
    else /* an absent folder is a mistake of the command line, not a store out of reach */
        rc = sp_fail(e, rc == SP_ABSENT ? SP_INVALID : rc, SP_DOM_CONFIG, "%s", why.text);
    free(path);
    return rc;
}

/* The name of a file that was written, where folders can be flushed. */
static enum sp_code
flush_name(const struct sp_os *os, const char *path, struct sp_err *e)
{
    char *dir = strdup(path), *slash;
    enum sp_code rc;

    if (dir == NULL)
        return sp_fail_nomem(e);
    slash = strrchr(dir, '/');
    slash[slash == dir] = '\0';
    rc = os->sync_dir(os->self, dir, e);
    free(dir);
    return rc == SP_UNSUPPORTED || rc == SP_DENIED ? SP_OK : rc;
}

/* Always releases f. */
static enum sp_code
fill_secret(const struct sp_os *os, struct sp_file *f, const char *path, const struct sp_buf *text,
    struct sp_err *e)
{
    struct sp_err ignored = {0};
    enum sp_code rc = os->write_at(os->self, f, 0, text->data, text->len, e);

    if (rc == SP_OK)
        rc = os->sync(os->self, f, e);
    if (rc != SP_OK)
        (void)os->close(os->self, f, &ignored);
    else
        rc = os->close(os->self, f, e);
    return rc == SP_OK ? flush_name(os, path, e) : rc;
}

enum sp_code
setup_write_secret(struct sp_cli *c, const char *file, const struct sp_buf *text, struct sp_err *e)
{
    struct sp_file *f = NULL;
    char *path = NULL;
    enum sp_code rc;

    if ((rc = open_secret(c->env->os, file, &path, &f, e)) == SP_OK)
        rc = fill_secret(c->env->os, f, path, text, e);
    free(path);
    return rc;
}

enum sp_code
setup_sheet_open(struct sp_cli *c, struct setup *s, const char *file, struct sp_err *e)
{
    s->os = c->env->os;
    return file == NULL ? SP_OK : open_secret(s->os, file, &s->sheet_path, &s->sheet, e);
}

void
setup_sheet_drop(struct setup *s)
{
    struct sp_err ignored = {0};

    if (s->sheet != NULL)
        (void)s->os->close(s->os->self, s->sheet, &ignored);
    if (s->sheet_path != NULL)
        (void)s->os->remove(s->os->self, s->sheet_path, &ignored);
    free(s->sheet_path);
    s->sheet = NULL;
    s->sheet_path = NULL;
}

enum sp_code
setup_sheet(struct sp_cli *c, struct setup *s, struct sp_err *e)
{
    const struct sp_profile *p = s->profile;
    struct sp_buf text = SP_BUF_INIT;
    struct sp_sheet sheet;
    struct sp_hex fingerprint = sp_hex32(p->authority_fingerprint);
    enum sp_code rc;

    memset(&sheet, 0, sizeof(sheet));
    sheet.store = p->address;
    sheet.fingerprint = p->is_server ? fingerprint.s : NULL;
    sheet.host_key = p->sftp.host_key;
    sheet.host_name = p->host_name;
    memcpy(sheet.repository, p->repository, 16);
    memcpy(sheet.group, sp_keys_group(p->keys), 16);
    memcpy(sheet.recovery, s->recovery_secret, 32);
    rc = sp_sheet_print(&sheet, sp_clock_wall(c->env->clock), &text, e);
    sp_wipe(&sheet, sizeof(sheet));
    if (rc == SP_OK && s->sheet != NULL) {
        rc = fill_secret(s->os, s->sheet, s->sheet_path, &text, e);
        s->sheet = NULL;
        if (rc == SP_OK) { /* it stays */
            free(s->sheet_path);
            s->sheet_path = NULL;
        }
    } else if (rc == SP_OK &&
               fwrite(text.data, 1, text.len, c->json ? stderr : stdout) != text.len) {
        rc = sp_fail(e, SP_IO, SP_DOM_SELF, "the recovery sheet could not be printed");
    }
    sp_buf_wipe(&text);
    return rc;
}

void
setup_json(const struct setup *s, struct sp_json *j)
{
    sp_json_kstr(j, "address", s->profile->address);
    sp_json_kstr(j, "repository", sp_hex16(s->profile->repository).s);
    sp_json_kstr(j, "host", s->profile->host_name);
    sp_json_kstr(j, "host_id", sp_hex16(s->profile->host).s);
    sp_json_kstr(j, "group", sp_hex16(sp_keys_group(s->profile->keys)).s);
}

void
setup_clear(struct setup *s)
{
    setup_sheet_drop(s);
    sp_profile_free(s->profile);
    sp_wipe(s->recovery_secret, sizeof(s->recovery_secret));
    sp_buf_free(&s->slots);
    sp_buf_free(&s->host_record);
}
