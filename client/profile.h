#ifndef SP_CLIENT_PROFILE_H
#define SP_CLIENT_PROFILE_H

/* What this machine (or this user) knows of one repository: address, identity, keys, certificates, the heads
 * of its chains. One folder a repository below the state folder, `stores/<repository id>/`, files with rights
 * for the owner only (R25), written whole and replaced (sp_os_write_file):
 *
 *   profile   INI: address, host id and name, signing secret, key group's secrets, server's fingerprint
 *   conf      a copy of repository.conf
 *   slots     copies of the group's key slots (u32 length ‖ slot …)
 *   tls.key, tls.crt, authority.crt   private key, certificate chain and the server's authority (servers
 *             only); while the pair is renewed, tls.key holds the key before as well
 *   heads     job → sequence and hash of its last set (R21)
 *
 * `default` in the state folder names the repository used when none is given. On Windows secrets are wrapped
 * by DPAPI (keystore_win32.c); here the file's rights protect them. */

#include "base/os.h"
#include "client/sftp_settings.h"
#include "storage/keys.h"

struct sp_profile { /* strings malloc'd; free with sp_profile_free */
    char *folder;
    char *address; /* as given: absolute path, stillpoint://host:port, or sftp://user@host/path */
    uint8_t repository[16];
    uint8_t host[16];
    char *host_name;
    uint8_t signing_secret[32];
    struct sp_keys *keys;
    uint8_t *conf;
    size_t conf_len;
    bool is_server;
    uint8_t authority_fingerprint[32]; /* SHA-256, pinned */
    char *share_user, *share_password; /* of the share that holds it (client/share.h); "": none */
    struct sp_sftp_settings sftp; /* what it was set up with; the server's key is pinned there */
    char *sftp_password, *sftp_passphrase; /* kept only where the user said so; NULL: not */
    char *tls_key, *tls_chain, *tls_authority; /* PEM */
};

void sp_profile_free(struct sp_profile *p); /* wipes */
/* Writes everything but heads. p->folder is set from the state folder and the repository id. */
enum sp_code sp_profile_save(const struct sp_env *env, struct sp_profile *p, struct sp_err *e);
/* address NULL: the default one, or the only one. Matches by address, then by 32 hex digits of an id.
 * SP_ABSENT tells what to do ("stillpoint init", "stillpoint enroll"). */
enum sp_code sp_profile_load(const struct sp_env *env, const char *address, struct sp_profile **ret,
    struct sp_err *e);
enum sp_code sp_profile_load_id(const struct sp_env *env, const uint8_t repository[16],
    struct sp_profile **ret, struct sp_err *e);
/* A profile that cannot be read does not hide the others: SP_CORRUPT or SP_INVALID after all of
 * them. */
enum sp_code sp_profile_list(const struct sp_env *env,
    enum sp_code (*each)(void *arg, const struct sp_profile *p, bool is_default, struct sp_err *e),
    void *arg, struct sp_err *e);
enum sp_code sp_profile_set_default(const struct sp_env *env, const struct sp_profile *p,
    struct sp_err *e);
enum sp_code sp_profile_save_slots(const struct sp_env *env, const struct sp_profile *p,
    const void *slots, size_t n, struct sp_err *e);

/* The chain's head of one job (R21). get: sequence 0 when nothing is remembered. */
enum sp_code sp_profile_head(const struct sp_env *env, const struct sp_profile *p, const char *job,
    uint64_t *ret_sequence, uint8_t ret_hash[32], struct sp_err *e);
enum sp_code sp_profile_set_head(const struct sp_env *env, const struct sp_profile *p,
    const char *job, uint64_t sequence, const uint8_t hash[32], struct sp_err *e);

/* All that are remembered. */
enum sp_code sp_profile_heads(const struct sp_env *env, const struct sp_profile *p,
    void (*each)(void *arg, const char *job, uint64_t sequence, const uint8_t hash[32]), void *arg,
    struct sp_err *e);

/* Cache folders: "<cache>/<repository id>" and, for nodes, "<cache>/<repository id>/jobs/<hash of job>". */
enum sp_code sp_profile_cache(const struct sp_env *env, const uint8_t repository[16], const char *job,
    char **ret, struct sp_err *e);

#endif
