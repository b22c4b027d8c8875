#include "client/profile_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/keystore.h"
#include "proto/cert.h"

/* The TLS key and its certificate on disk: two files that have to be a pair after every cut. */

/* The key goes through the platform's key store, as the profile's secrets do. */
static enum sp_code
read_keys(const struct sp_env *env, const char *folder, char **ret, struct sp_err *e)
{
    struct sp_buf keys = SP_BUF_INIT;
    uint8_t *wrapped = NULL, *text = NULL;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = profile_read(env, folder, "tls.key", &wrapped, &n, e)) != SP_OK)
        return rc;
    if ((rc = sp_keystore_unwrap(wrapped, n, &keys, e)) == SP_OK) {
        sp_buf_put_u8(&keys, 0);
        if ((rc = sp_buf_ok(&keys, e)) == SP_OK && (text = malloc(keys.len)) == NULL)
            rc = sp_fail_nomem(e);
    }
    if (rc == SP_OK) {
        memcpy(text, keys.data, keys.len);
        *ret = (char *)text;
    }
    sp_buf_wipe(&keys);
    sp_wipe(wrapped, n);
    free(wrapped);
    return rc;
}

static enum sp_code
write_keys(const struct sp_env *env, const char *folder, const void *p, size_t n, struct sp_err *e)
{
    struct sp_buf wrapped = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_keystore_wrap(p, n, &wrapped, e)) == SP_OK)
        rc = profile_write(env, folder, "tls.key", wrapped.data, wrapped.len, e);
    sp_buf_wipe(&wrapped);
    return rc;
}

/* The host's certificate and, of the keys that are kept, the one that belongs to it. */
enum sp_code
profile_read_pair(const struct sp_env *env, const char *folder, char **ret_chain, char **ret_key,
    struct sp_err *e)
{
    static const char begin[] = "-----BEGIN ";
    struct sp_err ignored = {0};
    char *chain = NULL, *keys = NULL, *second;
    size_t n;
    enum sp_code rc;

    if ((rc = read_keys(env, folder, &keys, e)) != SP_OK)
        return rc;
    if ((rc = profile_read_text(env, folder, "tls.crt", &chain, e)) != SP_OK) {
        sp_pem_free(keys);
        return rc;
    }
    n = strlen(keys);
    second = strstr(keys, begin);
    if (second != NULL)
        second = strstr(second + 1, begin);
    if (second != NULL) {
        if (sp_cert_matches(chain, second, &ignored) == SP_OK)
            memmove(keys, second, strlen(second) + 1);
        else
            *second = '\0';
        sp_wipe(keys + strlen(keys), n - strlen(keys));
    }
    *ret_chain = chain;
    *ret_key = keys;
    return SP_OK;
}

/* The keys that tls.crt may belong to: the new one and, until tls.crt is written as well, the one
 * before. Two files cannot be replaced as one; whatever happens in between, there is a pair. */
static enum sp_code
write_tls_keys(const struct sp_env *env, const struct sp_profile *p, struct sp_err *e)
{
    struct sp_buf keys = SP_BUF_INIT;
    struct sp_err ignored = {0};
    char *chain = NULL, *before = NULL;
    enum sp_code rc;

    sp_buf_put_str(&keys, p->tls_key);
    if (profile_read_pair(env, p->folder, &chain, &before, &ignored) == SP_OK &&
        strcmp(before, p->tls_key) != 0)
        sp_buf_put_str(&keys, before);
    if ((rc = sp_buf_ok(&keys, e)) == SP_OK)
        rc = write_keys(env, p->folder, keys.data, keys.len, e);
    sp_pem_free(before);
    free(chain);
    sp_buf_wipe(&keys);
    return rc;
}

enum sp_code
profile_write_tls(const struct sp_env *env, const struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = write_tls_keys(env, p, e)) != SP_OK)
        return rc;
    if ((rc = profile_write(env, p->folder, "tls.crt", p->tls_chain, strlen(p->tls_chain), e)) !=
        SP_OK)
        return rc;
    if ((rc = write_keys(env, p->folder, p->tls_key, strlen(p->tls_key), e)) != SP_OK)
        return rc;
    return profile_write(
        env, p->folder, "authority.crt", p->tls_authority, strlen(p->tls_authority), e);
}
