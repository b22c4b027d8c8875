#include <stdlib.h>
#include <string.h>

#include "client/cli.h"
#include "client/place.h"
#include "client/share.h"
#include "client/store_remote.h"
#include "proto/cert.h"
#include "storage/crypto.h"
#include "storage/repository.h"

/* Opening a store: by what this machine knows of it, or with a secret that the user has. */

#define CONF_LIMIT 4096

static const char scheme[] = "stillpoint://";

bool
sp_address_is_server(const char *address)
{
    return strncmp(address, scheme, sizeof(scheme) - 1) == 0;
}

enum sp_code
sp_cli_address(const char *given, char **ret, struct sp_err *e)
{
    const char *colon = strstr(given, "://");

    if (sp_address_is_server(given)) {
        *ret = strdup(given);
        return *ret == NULL ? sp_fail_nomem(e) : SP_OK;
    }
    if (sp_address_is_sftp(given))
        return sp_place_canonical(given, ret, e);
    if (colon != NULL && strncmp(given, "file://", 7) != 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "'%s': this version knows folders (a path), SFTP accounts "
            "(sftp://[user@]host[:port]/path) and servers (stillpoint://host[:port])",
            given);
    return sp_os_absolute(colon != NULL ? given + 7 : given, ret, e);
}

/* --- a folder, or an SFTP account ------------------------------------------------------------- */

static enum sp_code
open_folder(struct sp_cli *c, const char *path, const struct sp_profile *p, bool write,
    struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository_options o = {.write = write};
    struct sp_backend *backend = NULL;
    struct sp_err ignored = {0};
    char *cache = NULL;
    bool writable;
    enum sp_code rc;

    if ((rc = sp_place_open(c, path, p, false, &backend, e)) != SP_OK)
        return rc;
    if (write)
        (void)sp_backend_may_write(backend, &ignored); /* a failure is told by opening */
    writable = backend->caps.writable;
    if ((rc = sp_os_place(SP_PLACE_CACHE, &cache, e)) != SP_OK) {
        sp_backend_free(backend);
        return rc;
    }
    o.cache_dir = cache;
    o.host = p != NULL ? p->host : NULL;
    rc = sp_repository_open(backend, c->env, &o, ret, e);
    if (rc == SP_DENIED && write && !writable)
        sp_err_context(e, "%s", path);
    free(cache);
    return rc;
}

/* A repository.conf that does not read: the profile has it as it was. */
static void
point_to_copy(struct sp_cli *c, const struct sp_profile *p, struct sp_err *e)
{
    struct sp_repository_conf conf;
    struct sp_backend *backend = NULL;
    struct sp_err why, ignored = {0};
    uint8_t *text = NULL;
    size_t n = 0;
    enum sp_code rc;

    if (sp_repository_conf_decode(p->conf, p->conf_len, &conf, &ignored) != SP_OK ||
        sp_place_open(c, p->address, p, false, &backend, &ignored) != SP_OK)
        return;
    rc = sp_backend_get_all(backend, "repository.conf", CONF_LIMIT, &text, &n, &ignored);
    if (rc == SP_OK)
        rc = sp_repository_conf_decode(text, n, &conf, &ignored);
    free(text);
    sp_backend_free(backend);
    if (rc != SP_CORRUPT)
        return;
    why = *e;
    (void)sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
        "%.150s: it is damaged. This machine keeps a copy of it: copy %.200s/conf to "
        "%.150s/repository.conf",
        why.text, p->folder, p->address);
}

static enum sp_code
as_store(struct sp_repository *r, struct sp_opened_store *o, const uint8_t *host,
    const uint8_t *group, struct sp_err *e)
{
    memcpy(o->repository, sp_repository_conf(r)->id, 16);
    return sp_store_repository_new(r, o->address, host, group, &o->store, e);
}

/* A folder's host records are small, and without this machine's one it can add no set: lost or
 * damaged it is written again. Keys of machines before this one are lost with it. */
static enum sp_code
keep_host_record(
    struct sp_cli *c, struct sp_repository *r, struct sp_opened_store *o, struct sp_err *e)
{
    const struct sp_profile *p = o->profile;
    struct sp_buf record = SP_BUF_INIT;
    struct sp_err why = {0};
    struct sp_host h;
    uint8_t *there = NULL;
    size_t n = 0;
    enum sp_code rc;

    rc = sp_repository_host(r, p->host, &there, &n, &why);
    if (rc == SP_OK)
        rc = sp_host_decode(there, n, o->keys, &h, &why);
    free(there);
    if (rc == SP_OK)
        return SP_OK;
    if (rc != SP_ABSENT && rc != SP_CORRUPT) {
        *e = why;
        return rc;
    }
    memset(&h, 0, sizeof(h));
    memcpy(h.id, p->host, 16);
    memcpy(h.group, sp_keys_group(o->keys), 16);
    (void)snprintf(h.name, sizeof(h.name), "%s", p->host_name);
    h.nkeys = 1;
    if ((rc = sp_ed25519_public(p->signing_secret, h.keys[0], e)) == SP_OK &&
        (rc = sp_host_encode(&h, o->keys, &record, e)) == SP_OK)
        rc = sp_repository_put_host(r, record.data, record.len, e);
    if (rc == SP_OK)
        sp_cli_warn(c,
            "the record of this machine was missing from %s, or damaged: it was written again",
            o->address);
    sp_buf_free(&record);
    return rc;
}

static enum sp_code
open_known_folder(
    struct sp_cli *c, enum sp_open_mode mode, struct sp_opened_store *o, struct sp_err *e)
{
    struct sp_repository *r = NULL;
    enum sp_code rc;

    if ((rc = sp_share_connect(o->profile->address, o->profile->share_user,
             o->profile->share_password, e)) != SP_OK)
        return rc;
    rc = open_folder(c, o->profile->address, o->profile,
        mode == SP_OPEN_WRITE || mode == SP_OPEN_COPY, &r, e);
    if (rc != SP_OK) {
        if (rc == SP_CORRUPT)
            point_to_copy(c, o->profile, e);
        return rc;
    }
    if (memcmp(sp_repository_conf(r)->id, o->profile->repository, 16) != 0) {
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "%s holds another repository (%s) than the one this machine knows there (%s): is "
            "another "
            "volume mounted?",
            o->profile->address, sp_hex16(sp_repository_conf(r)->id).s,
            sp_hex16(o->profile->repository).s);
        sp_repository_free(r);
        return rc;
    }
    if (mode == SP_OPEN_WRITE && (rc = keep_host_record(c, r, o, e)) != SP_OK) {
        sp_repository_free(r);
        return rc;
    }
    if (mode == SP_OPEN_COPY)
        return as_store(r, o, NULL, NULL, e);
    return as_store(r, o, o->profile->host, sp_keys_group(o->keys), e);
}

/* --- a server
 * ---------------------------------------------------------------------------------------- */

static void
renewed(void *arg, const char *tls_key, const char *tls_chain)
{
    struct sp_opened_store *o = arg;
    struct sp_profile *p = NULL;
    struct sp_err e = {0};

    /* A copy from disk: the profile in memory is in use by others. Not kept: renewed again next
     * time. */
    if (sp_profile_load_id(&sp_env_system, o->repository, &p, &e) != SP_OK)
        return;
    sp_pem_free(p->tls_key);
    sp_pem_free(p->tls_chain);
    p->tls_key = strdup(tls_key);
    p->tls_chain = strdup(tls_chain);
    if (p->tls_key != NULL && p->tls_chain != NULL)
        (void)sp_profile_save(&sp_env_system, p, &e);
    sp_profile_free(p);
}

static void
notice(void *arg, const char *sentence)
{
    (void)arg;
    (void)fprintf(stderr, "stillpoint: %s\n", sentence);
}

static enum sp_code
open_server(struct sp_cli *c, struct sp_opened_store *o, struct sp_err *e)
{
    struct sp_profile *p = o->profile;
    struct sp_remote_options r = {0};
    struct sp_store_info info;
    enum sp_code rc;

    memcpy(o->repository, p->repository, 16);
    r.address = p->address;
    r.tls_key = p->tls_key;
    r.tls_chain = p->tls_chain;
    r.tls_authority = p->tls_authority;
    memcpy(r.authority_fingerprint, p->authority_fingerprint, 32);
    r.has_group = true;
    memcpy(r.group, sp_keys_group(p->keys), 16);
    r.renewed = renewed;
    r.notice = c->quiet ? NULL : notice;
    r.arg = o;
    if ((rc = sp_store_remote_open(c->env, &r, &o->store, e)) != SP_OK)
        return rc;
    if ((rc = sp_store_info(o->store, &info, e)) != SP_OK)
        return rc;
    if (memcmp(info.repository, p->repository, 16) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "the server %s now has another repository than this machine was enrolled for; if that "
            "is "
            "right, enroll again",
            p->address);
    return SP_OK;
}

/* --- somewhere else --------------------------------------------------------------------------- */

/* What logs in at one place is not shown to another. */
static void
forget_account(struct sp_profile *p)
{
    sp_sftp_clear(&p->sftp);
    if (p->sftp_password != NULL)
        sp_wipe(p->sftp_password, strlen(p->sftp_password));
    free(p->sftp_password);
    if (p->sftp_passphrase != NULL)
        sp_wipe(p->sftp_passphrase, strlen(p->sftp_passphrase));
    free(p->sftp_passphrase);
    p->sftp_password = p->sftp_passphrase = NULL;
}

/* A folder that is somewhere else than the profile says (mounted elsewhere, or the folder of a
 * server's repository) is known by its id. SP_ABSENT: no profile has it. */
static enum sp_code
find_by_id(struct sp_cli *c, const char *path, struct sp_profile **ret, struct sp_err *e)
{
    struct sp_repository_conf conf;
    struct sp_backend *backend = NULL;
    struct sp_profile *p = NULL;
    struct sp_err ignored = {0};
    uint8_t *text = NULL;
    size_t n;
    enum sp_code rc;

    if (sp_address_is_server(path) ||
        sp_place_open(c, path, NULL, false, &backend, &ignored) != SP_OK)
        return SP_ABSENT; /* opening tells why */
    rc = sp_backend_get_all(backend, "repository.conf", CONF_LIMIT, &text, &n, &ignored);
    if (rc == SP_OK)
        rc = sp_repository_conf_decode(text, n, &conf, &ignored);
    free(text);
    sp_backend_free(backend);
    if (rc != SP_OK || sp_profile_load_id(c->env, conf.id, &p, &ignored) != SP_OK)
        return SP_ABSENT;
    free(p->address);
    if ((p->address = strdup(path)) == NULL) {
        sp_profile_free(p);
        return sp_fail_nomem(e);
    }
    p->is_server = false;
    forget_account(p);
    *ret = p;
    return SP_OK;
}

static enum sp_code
open_unknown(struct sp_cli *c, enum sp_open_mode mode, struct sp_opened_store *o, struct sp_err *e)
{
    struct sp_repository *r = NULL;
    enum sp_code rc;

    if (sp_address_is_server(o->address))
        return sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "this machine is not enrolled with %s; ask its administrator for a token (stillpointd "
            "host "
            "add NAME) and run 'stillpoint enroll TOKEN'",
            o->address);
    if ((rc = open_folder(c, o->address, NULL, mode == SP_OPEN_COPY, &r, e)) != SP_OK)
        return rc;
    if (mode == SP_OPEN_WRITE) {
        sp_repository_free(r);
        return sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "this machine has no identity in the repository %s; get one with 'stillpoint key join "
            "-r "
            "%s'",
            o->address, o->address);
    }
    if ((rc = as_store(r, o, NULL, NULL, e)) != SP_OK)
        return rc;
    if (mode == SP_OPEN_COPY)
        return SP_OK;
    if (mode == SP_OPEN_LOOK && c->passphrase_file == NULL && c->recovery_key_file == NULL)
        return SP_OK;
    return sp_cli_unlock(c, o->store, o->address, &o->keys, e);
}

/* --- all together
 * ---------------------------------------------------------------------------------------- */

static enum sp_code
copy_keys(const struct sp_keys *from, struct sp_keys **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_keys_encode(from, &b, e)) == SP_OK)
        rc = sp_keys_decode(b.data, b.len, ret, e);
    sp_buf_wipe(&b);
    return rc;
}

enum sp_code
sp_cli_open(struct sp_cli *c, const char *address, enum sp_open_mode mode,
    struct sp_opened_store *ret, struct sp_err *e)
{
    struct sp_opened_store *o = ret;
    uint8_t id[16];
    enum sp_code rc;

    memset(o, 0, sizeof(*o));
    if (address == NULL)
        address = c->repository;
    if (address != NULL && sp_hex_parse(address, id, 16)) { /* by the repository's id */
        if ((o->address = strdup(address)) == NULL)
            return sp_fail_nomem(e);
    } else if (address != NULL && (rc = sp_cli_address(address, &o->address, e)) != SP_OK) {
        return rc;
    }
    rc = sp_profile_load(c->env, o->address, &o->profile, e);
    if (rc == SP_ABSENT && o->address != NULL) {
        sp_err_clear(e);
        if ((rc = sp_place_login(c, o->address, NULL, false, e)) == SP_OK) /* asked once */
            rc = find_by_id(c, o->address, &o->profile, e);
        else if (rc == SP_ABSENT) /* … of a file of the login, not of the profile */
            rc = SP_INVALID;
    }
    if (rc == SP_ABSENT && o->address != NULL) {
        sp_err_clear(e);
        rc = open_unknown(c, mode, o, e);
    } else if (rc == SP_OK) {
        free(o->address);
        if ((o->address = strdup(o->profile->address)) == NULL)
            rc = sp_fail_nomem(e);
        if (rc == SP_OK)
            rc = copy_keys(o->profile->keys, &o->keys, e);
        if (rc == SP_OK)
            rc = o->profile->is_server ? open_server(c, o, e) : open_known_folder(c, mode, o, e);
    }
    if (rc != SP_OK) {
        sp_cli_close(o);
        return rc;
    }
    sp_signals_store(o->store);
    return SP_OK;
}

void
sp_cli_close(struct sp_opened_store *o)
{
    sp_signals_store(NULL);
    sp_store_free(o->store);
    sp_keys_free(o->keys);
    sp_profile_free(o->profile);
    free(o->address);
    memset(o, 0, sizeof(*o));
}
