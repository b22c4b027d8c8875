#include "client/profile_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/ini.h"
#include "base/text.h"
#include "client/keystore.h"

/* Reading one profile, all of it or nothing. */

struct loading {
    struct sp_profile *p;
    unsigned seen;
};

static enum sp_code
parse_fixed(const char *key, const char *value, uint8_t *to, size_t n, struct sp_err *e)
{
    if (!sp_hex_parse(value, to, n))
        return sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "%s is not %zu hex digits", key, 2 * n);
    return SP_OK;
}

static enum sp_code
parse_secret(const char *key, const char *value, struct sp_buf *ret, struct sp_err *e)
{
    size_t n = strlen(value) / 2;
    uint8_t *raw = malloc(n + 1);
    enum sp_code rc;

    if (raw == NULL)
        return sp_fail_nomem(e);
    rc = sp_hex_parse(value, raw, n) ? sp_keystore_unwrap(raw, n, ret, e)
                                     : sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "%s is not hex", key);
    sp_wipe(raw, n);
    free(raw);
    return rc;
}

static enum sp_code
set_string(char **to, const char *value, struct sp_err *e)
{
    free(*to);
    *to = strdup(value);
    return *to == NULL ? sp_fail_nomem(e) : SP_OK;
}

/* Where a secret goes that is a text; NULL: the key is none. */
static char **
text_secret(struct sp_profile *p, const char *key)
{
    return strcmp(key, "share-password") == 0    ? &p->share_password
           : strcmp(key, "sftp-password") == 0   ? &p->sftp_password
           : strcmp(key, "sftp-passphrase") == 0 ? &p->sftp_passphrase
                                                 : NULL;
}

static enum sp_code
load_line(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct loading *l = arg;
    struct sp_profile *p = l->p;
    struct sp_buf secret = SP_BUF_INIT;
    char **text;
    enum sp_code rc = SP_OK;

    (void)section;
    (void)line;
    if (key == NULL)
        return SP_OK;
    if (strcmp(key, "address") == 0) {
        l->seen |= 1;
        return set_string(&p->address, value, e);
    }
    if (strcmp(key, "host-name") == 0) {
        l->seen |= 2;
        return set_string(&p->host_name, value, e);
    }
    if (strcmp(key, "share-user") == 0)
        return set_string(&p->share_user, value, e);
    if (strncmp(key, "sftp-", 5) == 0 && text_secret(p, key) == NULL)
        return sp_sftp_set(&p->sftp, key + 5, value, e);
    if (strcmp(key, "repository") == 0) {
        l->seen |= 4;
        return parse_fixed(key, value, p->repository, 16, e);
    }
    if (strcmp(key, "host") == 0) {
        l->seen |= 8;
        return parse_fixed(key, value, p->host, 16, e);
    }
    if (strcmp(key, "authority-fingerprint") == 0) {
        p->is_server = true;
        return parse_fixed(key, value, p->authority_fingerprint, 32, e);
    }
    if (strcmp(key, "signing-secret") == 0) {
        l->seen |= 16;
        if ((rc = parse_secret(key, value, &secret, e)) == SP_OK && secret.len != 32)
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "%s has a wrong length", key);
        if (rc == SP_OK)
            memcpy(p->signing_secret, secret.data, 32);
    } else if (strcmp(key, "secrets") == 0) {
        l->seen |= 32;
        sp_keys_free(p->keys);
        p->keys = NULL;
        if ((rc = parse_secret(key, value, &secret, e)) == SP_OK)
            rc = sp_keys_decode(secret.data, secret.len, &p->keys, e);
    }
    if ((text = text_secret(p, key)) != NULL &&
        (rc = parse_secret(key, value, &secret, e)) == SP_OK) {
        sp_buf_put_u8(&secret, 0);
        if ((rc = sp_buf_ok(&secret, e)) == SP_OK)
            rc = set_string(text, (const char *)secret.data, e);
    }
    sp_buf_wipe(&secret);
    return rc;
}

static enum sp_code
load_folder(const struct sp_env *env, const char *folder, struct sp_profile **ret, struct sp_err *e)
{
    struct sp_profile *p = calloc(1, sizeof(*p));
    struct loading l = {p, 0};
    uint8_t *text = NULL;
    size_t n = 0;
    enum sp_code rc;

    if (p == NULL)
        return sp_fail_nomem(e);
    if ((rc = set_string(&p->folder, folder, e)) != SP_OK ||
        (rc = set_string(&p->share_user, "", e)) != SP_OK ||
        (rc = set_string(&p->share_password, "", e)) != SP_OK)
        goto out;
    if ((rc = profile_read(env, folder, "profile", &text, &n, e)) != SP_OK)
        goto out;
    rc = sp_ini_parse("profile", (const char *)text, n, load_line, &l, e);
    if (rc == SP_OK && l.seen != 63)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "the profile is not complete");
    if (rc == SP_OK)
        rc = profile_read(env, folder, "conf", &p->conf, &p->conf_len, e);
    if (rc == SP_OK && p->is_server)
        rc = profile_read_pair(env, folder, &p->tls_chain, &p->tls_key, e);
    if (rc == SP_OK && p->is_server)
        rc = profile_read_text(env, folder, "authority.crt", &p->tls_authority, e);
    if (rc != SP_OK)
        goto out;
    *ret = p;
    p = NULL;
out:
    if (text != NULL)
        sp_wipe(text, n);
    free(text);
    if (rc != SP_OK && rc != SP_NOMEM)
        sp_err_context(e, "%s", folder);
    sp_profile_free(p);
    return rc;
}

enum sp_code
sp_profile_load_id(const struct sp_env *env, const uint8_t repository[16], struct sp_profile **ret,
    struct sp_err *e)
{
    char *folder = NULL;
    enum sp_code rc;

    if ((rc = profile_store_folder(repository, &folder, e)) == SP_OK)
        rc = load_folder(env, folder, ret, e);
    free(folder);
    return rc;
}
