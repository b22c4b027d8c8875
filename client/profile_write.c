#include "client/profile_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "client/keystore.h"

/* Writing a profile: the file "profile" comes last, with it the others count. */

static void
put_line(struct sp_buf *b, const char *key, const char *value)
{
    const char *s;

    sp_buf_printf(b, "%s = \"", key);
    for (s = value; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            sp_buf_put_u8(b, '\\');
        sp_buf_put_u8(b, (uint8_t)*s);
    }
    sp_buf_put_str(b, "\"\n");
}

static void
put_hex(struct sp_buf *b, const char *key, const void *p, size_t n)
{
    sp_buf_printf(b, "%s = ", key);
    sp_buf_put_hex(b, p, n);
    sp_buf_put_u8(b, '\n');
}

/* Secrets go through the platform's key store first (DPAPI on Windows). */
static enum sp_code
put_secret(struct sp_buf *b, const char *key, const void *p, size_t n, struct sp_err *e)
{
    struct sp_buf wrapped = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_keystore_wrap(p, n, &wrapped, e)) == SP_OK)
        put_hex(b, key, wrapped.data, wrapped.len);
    sp_buf_wipe(&wrapped);
    return rc;
}

static void
put_setting(void *arg, const char *key, const char *value)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "sftp-%.40s", key);
    put_line(arg, name, value);
}

/* How to reach an SFTP account. */
static enum sp_code
put_sftp(struct sp_buf *b, const struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_sftp_each(&p->sftp, put_setting, b);
    if (p->sftp_password != NULL)
        rc = put_secret(b, "sftp-password", p->sftp_password, strlen(p->sftp_password), e);
    if (rc == SP_OK && p->sftp_passphrase != NULL)
        rc = put_secret(b, "sftp-passphrase", p->sftp_passphrase, strlen(p->sftp_passphrase), e);
    return rc;
}

/* This machine was another host there. */
static bool
was_another(const struct sp_env *env, const struct sp_profile *p)
{
    struct sp_profile *before = NULL;
    struct sp_err ignored = {0};
    bool another = sp_profile_load_id(env, p->repository, &before, &ignored) == SP_OK &&
                   memcmp(before->host, p->host, 16) != 0;

    sp_profile_free(before);
    return another;
}

/* The chains that are remembered are the other host's; this one has made no set yet. */
static enum sp_code
forget_heads(const struct sp_env *env, const struct sp_profile *p, struct sp_err *e)
{
    char *path = sp_path_join(p->folder, "heads");
    struct sp_err why = {0};
    enum sp_code rc;

    if (path == NULL)
        return sp_fail_nomem(e);
    rc = env->os->remove(env->os->self, path, &why);
    free(path);
    if (rc == SP_OK || rc == SP_ABSENT)
        return SP_OK;
    *e = why;
    return rc;
}

enum sp_code
sp_profile_save(const struct sp_env *env, struct sp_profile *p, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT, secrets = SP_BUF_INIT;
    char *folder = NULL;
    bool another = was_another(env, p);
    enum sp_code rc;

    if ((rc = profile_store_folder(p->repository, &folder, e)) != SP_OK)
        goto out;
    free(p->folder);
    p->folder = folder;
    if ((rc = sp_os_mkdirs(env->os, folder, e)) != SP_OK)
        goto out;
    sp_buf_put_str(&b,
        "# Stillpoint: what this machine knows of one repository. It holds keys: keep it "
        "secret.\n");
    put_line(&b, "address", p->address);
    put_hex(&b, "repository", p->repository, 16);
    put_hex(&b, "host", p->host, 16);
    put_line(&b, "host-name", p->host_name);
    if ((rc = put_secret(&b, "signing-secret", p->signing_secret, 32, e)) != SP_OK)
        goto out;
    if ((rc = sp_keys_encode(p->keys, &secrets, e)) != SP_OK)
        goto out;
    if ((rc = put_secret(&b, "secrets", secrets.data, secrets.len, e)) != SP_OK)
        goto out;
    if (p->share_user != NULL && p->share_user[0] != '\0') {
        put_line(&b, "share-user", p->share_user);
        rc = put_secret(&b, "share-password", p->share_password, strlen(p->share_password), e);
        if (rc != SP_OK)
            goto out;
    }
    if ((rc = put_sftp(&b, p, e)) != SP_OK)
        goto out;
    if (p->is_server)
        put_hex(&b, "authority-fingerprint", p->authority_fingerprint, 32);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    if ((rc = profile_write(env, folder, "conf", p->conf, p->conf_len, e)) != SP_OK)
        goto out;
    if (p->is_server && (rc = profile_write_tls(env, p, e)) != SP_OK)
        goto out;
    rc = profile_write(env, folder, "profile", b.data, b.len, e); /* with it the profile counts */
    if (rc == SP_OK && another)
        rc = forget_heads(env, p, e);
out:
    sp_buf_wipe(&b);
    sp_buf_wipe(&secrets);
    return rc;
}

enum sp_code
sp_profile_save_slots(const struct sp_env *env, const struct sp_profile *p, const void *slots,
    size_t n, struct sp_err *e)
{
    return profile_write(env, p->folder, "slots", slots, n, e);
}
