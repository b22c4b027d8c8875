#include "server/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "proto/cert.h"
#include "proto/token.h"

#define PEM_MAX (256u << 10)
#define BACKDATE_NS (300 * SP_SECOND) /* clocks differ */

/* Validity from five minutes ago. */
static struct sp_validity
valid_for(const struct sp_env *env, int64_t lifetime_ns)
{
    int64_t now_ns = sp_clock_wall(env->clock);
    struct sp_validity v = {now_ns - BACKDATE_NS, now_ns + lifetime_ns};

    return v;
}

enum sp_code
sp_home_path(const struct sp_home *h, const char *name, char **ret, struct sp_err *e)
{
    char *path = sp_path_join(h->dir, name);

    if (path == NULL)
        return sp_fail_nomem(e);
    *ret = path;
    return SP_OK;
}

void
sp_home_close(struct sp_home *h)
{
    free(h->dir);
    sp_server_config_clear(&h->config);
    sp_pem_free(h->authority);
    sp_pem_free(h->authority_key);
    sp_pem_free(h->chain);
    sp_pem_free(h->key);
    memset(h, 0, sizeof(*h));
}

/* --- files
 * ------------------------------------------------------------------------------------------ */

static enum sp_code
read_pem(const struct sp_env *env, const struct sp_home *h, const char *name, char **ret,
    struct sp_err *e)
{
    char *path = NULL, *text;
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_home_path(h, name, &path, e)) != SP_OK)
        return rc;
    if ((rc = sp_os_read_file(env->os, path, PEM_MAX, &p, &n, e)) != SP_OK)
        goto out;
    /* As the library's own texts are: with a NUL, freed by sp_pem_free. */
    if ((text = realloc(p, n + 1)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    p = NULL;
    text[n] = '\0';
    *ret = text;
out:
    free(p);
    free(path);
    return rc;
}

static enum sp_code
write_pem(const struct sp_env *env, const struct sp_home *h, const char *name, const char *text,
    struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc = sp_home_path(h, name, &path, e);

    if (rc == SP_OK)
        rc = sp_os_write_file(env->os, path, text, strlen(text), e);
    free(path);
    return rc;
}

/* Reads the pair; SP_ABSENT when the certificate is not there. A certificate without its key is no
 * answer to that: SP_IO-like failures stay what they are. */
static enum sp_code
read_pair(const struct sp_env *env, const struct sp_home *h, const char *crt, const char *key,
    char **ret_crt, char **ret_key, struct sp_err *e)
{
    char *c = NULL, *k = NULL;
    enum sp_code rc;

    if ((rc = read_pem(env, h, crt, &c, e)) != SP_OK)
        return rc;
    rc = read_pem(env, h, key, &k, e);
    if (rc == SP_ABSENT)
        rc =
            sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "%s/%s is there but %s is not", h->dir, crt, key);
    if (rc == SP_OK && (rc = sp_cert_matches(c, k, e)) != SP_OK)
        sp_err_context(e, "%s/%s", h->dir, crt);
    if (rc != SP_OK) {
        sp_pem_free(c);
        sp_pem_free(k);
        return rc;
    }
    *ret_crt = c;
    *ret_key = k;
    return SP_OK;
}

/* The key first: a certificate that is there has its key. */
static enum sp_code
write_pair(const struct sp_env *env, const struct sp_home *h, const char *crt, const char *key,
    const char *crt_text, const char *key_text, struct sp_err *e)
{
    enum sp_code rc = write_pem(env, h, key, key_text, e);

    return rc != SP_OK ? rc : write_pem(env, h, crt, crt_text, e);
}

/* --- certificates
 * ----------------------------------------------------------------------------------- */

static enum sp_code
name_authority(struct sp_home *h, struct sp_err *e)
{
    struct sp_cert_info info;
    enum sp_code rc = sp_cert_info(h->authority, &info, e);

    if (rc != SP_OK)
        return rc;
    memcpy(h->fingerprint, info.fingerprint, sizeof(h->fingerprint));
    memcpy(h->server_id, info.fingerprint, sizeof(h->server_id));
    return SP_OK;
}

static enum sp_code
ensure_authority(const struct sp_env *env, struct sp_home *h, struct sp_err *e)
{
    enum sp_code rc =
        read_pair(env, h, "authority.crt", "authority.key", &h->authority, &h->authority_key, e);

    if (rc == SP_ABSENT) {
        rc = sp_cert_authority(
            valid_for(env, SP_VALID_AUTHORITY_NS), &h->authority, &h->authority_key, e);
        if (rc == SP_OK)
            rc = write_pair(
                env, h, "authority.crt", "authority.key", h->authority, h->authority_key, e);
    }
    return rc != SP_OK ? rc : name_authority(h, e);
}

static enum sp_code
issue_server(const struct sp_env *env, struct sp_home *h, struct sp_err *e)
{
    const char *names[4];
    char host[256], *own = NULL, *chain = NULL, *key = NULL;
    uint16_t port;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = sp_address_parse(h->config.name, host, &port, e)) != SP_OK ||
        (rc = sp_os_hostname(&own, e)) != SP_OK)
        return rc;
    names[n++] = host;
    if (strcmp(own, host) != 0)
        names[n++] = own;
    if (strcmp("localhost", host) != 0 && strcmp("localhost", own) != 0)
        names[n++] = "localhost";
    rc = sp_cert_server(h->authority, h->authority_key, names, n,
        valid_for(env, SP_VALID_SERVER_NS), &chain, &key, e);
    if (rc != SP_OK ||
        (rc = write_pair(env, h, "server.crt", "server.key", chain, key, e)) != SP_OK)
        goto out;
    sp_pem_free(h->chain);
    sp_pem_free(h->key);
    h->chain = chain;
    h->key = key;
    chain = key = NULL;
out:
    sp_pem_free(chain);
    sp_pem_free(key);
    free(own);
    return rc;
}

/* A server certificate that is absent, torn between two writes, or of another authority is made
 * anew: nobody pins it. */
static enum sp_code
ensure_server(const struct sp_env *env, struct sp_home *h, struct sp_err *e)
{
    char *last = NULL;
    enum sp_code rc = read_pair(env, h, "server.crt", "server.key", &h->chain, &h->key, e);
    struct sp_cert_info info;

    if (rc == SP_OK && (rc = sp_cert_last(h->chain, &last, e)) == SP_OK) {
        rc = sp_cert_info(last, &info, e);
        sp_pem_free(last);
        if (rc == SP_OK && memcmp(info.fingerprint, h->fingerprint, sizeof(h->fingerprint)) == 0)
            return SP_OK;
    }
    if (rc == SP_OK || rc == SP_ABSENT || rc == SP_CORRUPT || rc == SP_INVALID)
        return issue_server(env, h, e);
    return rc;
}

enum sp_code
sp_home_renew(const struct sp_env *env, struct sp_home *h, bool *ret_renewed, struct sp_err *e)
{
    struct sp_cert_info info;
    bool due;
    enum sp_code rc = sp_cert_info(h->chain, &info, e);

    if (rc != SP_OK)
        return rc;
    due = sp_validity_renew(&info.valid, sp_clock_wall(env->clock));
    if (due && (rc = issue_server(env, h, e)) != SP_OK)
        return rc;
    *ret_renewed = due;
    return SP_OK;
}

/* --- opening and making
 * ----------------------------------------------------------------------------- */

static enum sp_code
has_config(const struct sp_env *env, const struct sp_home *h, bool *ret, struct sp_err *e)
{
    struct sp_os_stat st;
    char *path = NULL;
    enum sp_code rc = sp_home_path(h, "stillpointd.conf", &path, e);

    if (rc != SP_OK)
        return rc;
    rc = env->os->stat(env->os->self, path, &st, e);
    *ret = rc == SP_OK;
    free(path);
    return rc == SP_ABSENT ? SP_OK : rc;
}

enum sp_code
sp_home_create(const struct sp_env *env, const char *dir, struct sp_server_config *config,
    struct sp_home *ret, struct sp_err *e)
{
    struct sp_home h = {0};
    bool there = false;
    enum sp_code rc;

    if ((rc = sp_os_absolute(dir, &h.dir, e)) != SP_OK)
        return rc;
    if ((rc = sp_os_mkdirs(env->os, h.dir, e)) != SP_OK ||
        (rc = has_config(env, &h, &there, e)) != SP_OK)
        goto out;
    if (there) {
        rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "%s is a server's folder already; change its stillpointd.conf, or give another with -D",
            h.dir);
        goto out;
    }
    h.config = *config;
    memset(config, 0, sizeof(*config));
    if ((rc = ensure_authority(env, &h, e)) != SP_OK || (rc = ensure_server(env, &h, e)) != SP_OK)
        goto out;
    *ret = h;
    memset(&h, 0, sizeof(h));
out:
    sp_home_close(&h);
    return rc;
}

enum sp_code
sp_home_finish(const struct sp_env *env, const struct sp_home *h, struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc = sp_home_path(h, "stillpointd.conf", &path, e);

    if (rc == SP_OK)
        rc = sp_server_config_write(env, path, &h->config, e);
    free(path);
    return rc;
}

enum sp_code
sp_home_open(const struct sp_env *env, const char *dir, struct sp_home *ret, struct sp_err *e)
{
    struct sp_home h = {0};
    char *path = NULL;
    enum sp_code rc;

    if ((rc = sp_os_absolute(dir, &h.dir, e)) != SP_OK ||
        (rc = sp_home_path(&h, "stillpointd.conf", &path, e)) != SP_OK ||
        (rc = sp_server_config_load(env, path, &h.config, e)) != SP_OK)
        goto out;
    rc = read_pair(env, &h, "authority.crt", "authority.key", &h.authority, &h.authority_key, e);
    if (rc == SP_ABSENT)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG,
            "%s has no authority.crt: without its authority this server is nobody to its hosts; "
            "put back authority.crt and authority.key from a copy",
            h.dir);
    if (rc != SP_OK || (rc = name_authority(&h, e)) != SP_OK ||
        (rc = ensure_server(env, &h, e)) != SP_OK)
        goto out;
    *ret = h;
    memset(&h, 0, sizeof(h));
out:
    free(path);
    sp_home_close(&h);
    return rc;
}

enum sp_code
sp_home_address(const struct sp_home *h, uint16_t running_port, char ret[256], struct sp_err *e)
{
    char host[256], bare[256];
    uint16_t port, listen = h->config.port != 0 ? h->config.port : running_port;
    bool v6, has_port;
    int n;
    enum sp_code rc;

    if ((rc = sp_address_parse(h->config.name, host, &port, e)) != SP_OK)
        return rc;
    v6 = strchr(host, ':') != NULL;
    n = snprintf(bare, sizeof(bare), "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
    has_port = n > 0 && strlen(h->config.name) > (size_t)n;
    if (!has_port && listen == 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "the server listens on any free port: run it first, or give a port in its "
            "configuration");
    n = snprintf(ret, 256, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
        has_port ? (unsigned)port : (unsigned)listen);
    if (n < 0 || n >= 256)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the server's name is too long");
    return SP_OK;
}
