#include "client/profile_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "storage/crypto.h"

/* The profile in memory, where its files are, and how one of them is read and written. */

#define FILE_LIMIT (1u << 20)

void
sp_profile_free(struct sp_profile *p)
{
    if (p == NULL)
        return;
    free(p->folder);
    free(p->address);
    free(p->host_name);
    sp_keys_free(p->keys);
    free(p->conf);
    if (p->tls_key != NULL)
        sp_wipe(p->tls_key, strlen(p->tls_key));
    free(p->tls_key);
    if (p->share_password != NULL)
        sp_wipe(p->share_password, strlen(p->share_password));
    free(p->share_password);
    free(p->share_user);
    sp_sftp_clear(&p->sftp);
    if (p->sftp_password != NULL)
        sp_wipe(p->sftp_password, strlen(p->sftp_password));
    free(p->sftp_password);
    if (p->sftp_passphrase != NULL)
        sp_wipe(p->sftp_passphrase, strlen(p->sftp_passphrase));
    free(p->sftp_passphrase);
    free(p->tls_chain);
    free(p->tls_authority);
    sp_wipe(p->signing_secret, sizeof(p->signing_secret));
    free(p);
}

enum sp_code
profile_join(const char *a, const char *b, char **ret, struct sp_err *e)
{
    *ret = sp_path_join(a, b);
    return *ret == NULL ? sp_fail_nomem(e) : SP_OK;
}

enum sp_code
profile_state_path(const char *name, char **ret, struct sp_err *e)
{
    char *state = NULL;
    enum sp_code rc;

    if ((rc = sp_os_place(SP_PLACE_STATE, &state, e)) != SP_OK)
        return rc;
    rc = profile_join(state, name, ret, e);
    free(state);
    return rc;
}

enum sp_code
profile_store_folder(const uint8_t repository[16], char **ret, struct sp_err *e)
{
    char name[96];

    (void)snprintf(name, sizeof(name), PROFILE_STORES "/%s", sp_hex16(repository).s);
    return profile_state_path(name, ret, e);
}

enum sp_code
profile_write(const struct sp_env *env, const char *folder, const char *name, const void *p,
    size_t n, struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc;

    if ((rc = profile_join(folder, name, &path, e)) == SP_OK)
        rc = sp_os_write_file(env->os, path, p, n, e);
    free(path);
    return rc;
}

enum sp_code
profile_read(const struct sp_env *env, const char *folder, const char *name, uint8_t **ret,
    size_t *ret_n, struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc;

    if ((rc = profile_join(folder, name, &path, e)) == SP_OK)
        rc = sp_os_read_file(env->os, path, FILE_LIMIT, ret, ret_n, e);
    free(path);
    return rc;
}

enum sp_code
profile_read_text(
    const struct sp_env *env, const char *folder, const char *name, char **ret, struct sp_err *e)
{
    uint8_t *p = NULL;
    char *text;
    size_t n;
    enum sp_code rc;

    if ((rc = profile_read(env, folder, name, &p, &n, e)) != SP_OK)
        return rc;
    /* Not realloc: it may move the text of a key and leave the old place as it is. */
    if ((text = malloc(n + 1)) != NULL) {
        memcpy(text, p, n);
        text[n] = '\0';
    }
    sp_wipe(p, n);
    free(p);
    if (text == NULL)
        return sp_fail_nomem(e);
    *ret = text;
    return SP_OK;
}

enum sp_code
sp_profile_cache(const struct sp_env *env, const uint8_t repository[16], const char *job,
    char **ret, struct sp_err *e)
{
    char *place = NULL, name[160];
    uint8_t hash[32];
    enum sp_code rc;

    (void)env;
    if (job != NULL) {
        if ((rc = sp_sha256(job, strlen(job), hash, e)) != SP_OK)
            return rc;
        (void)snprintf(name, sizeof(name), "%s/jobs/%s", sp_hex16(repository).s, sp_hex8(hash).s);
    } else {
        (void)snprintf(name, sizeof(name), "%s", sp_hex16(repository).s);
    }
    if ((rc = sp_os_place(SP_PLACE_CACHE, &place, e)) == SP_OK)
        rc = profile_join(place, name, ret, e);
    free(place);
    return rc;
}
