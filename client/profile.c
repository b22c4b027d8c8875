#include "client/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini.h"
#include "base/path.h"
#include "base/text.h"
#include "client/keystore.h"
#include "proto/cert.h"
#include "storage/crypto.h"

#define FILE_LIMIT (1u << 20)
#define STORES "stores"

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
    free(p->tls_chain);
    free(p->tls_authority);
    sp_wipe(p->signing_secret, sizeof(p->signing_secret));
    free(p);
}

static enum sp_code
join(const char *a, const char *b, char **ret, struct sp_err *e)
{
    *ret = sp_path_join(a, b);
    return *ret == NULL ? sp_fail_nomem(e) : SP_OK;
}

static enum sp_code
state_path(const char *name, char **ret, struct sp_err *e)
{
    char *state = NULL;
    enum sp_code rc;

    if ((rc = sp_os_place(SP_PLACE_STATE, &state, e)) != SP_OK)
        return rc;
    rc = join(state, name, ret, e);
    free(state);
    return rc;
}

static enum sp_code
store_folder(const uint8_t repository[16], char **ret, struct sp_err *e)
{
    char name[96];

    (void)snprintf(name, sizeof(name), STORES "/%s", sp_hex16(repository).s);
    return state_path(name, ret, e);
}

static enum sp_code
write_in(const struct sp_env *env, const char *folder, const char *name, const void *p, size_t n,
    struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc;

    if ((rc = join(folder, name, &path, e)) == SP_OK)
        rc = sp_os_write_file(env->os, path, p, n, e);
    free(path);
    return rc;
}

static enum sp_code
read_in(const struct sp_env *env, const char *folder, const char *name, uint8_t **ret,
    size_t *ret_n, struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc;

    if ((rc = join(folder, name, &path, e)) == SP_OK)
        rc = sp_os_read_file(env->os, path, FILE_LIMIT, ret, ret_n, e);
    free(path);
    return rc;
}

static enum sp_code
read_text(
    const struct sp_env *env, const char *folder, const char *name, char **ret, struct sp_err *e)
{
    uint8_t *p = NULL;
    char *text;
    size_t n;
    enum sp_code rc;

    if ((rc = read_in(env, folder, name, &p, &n, e)) != SP_OK)
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

/* The host's certificate and, of the keys that are kept, the one that belongs to it. */
static enum sp_code
read_pair(const struct sp_env *env, const char *folder, char **ret_chain, char **ret_key,
    struct sp_err *e)
{
    static const char begin[] = "-----BEGIN ";
    struct sp_err ignored = {0};
    char *chain = NULL, *keys = NULL, *second;
    size_t n;
    enum sp_code rc;

    if ((rc = read_text(env, folder, "tls.key", &keys, e)) != SP_OK)
        return rc;
    if ((rc = read_text(env, folder, "tls.crt", &chain, e)) != SP_OK) {
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

/* --- writing
 * ------------------------------------------------------------------------------------------- */

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
    if (read_pair(env, p->folder, &chain, &before, &ignored) == SP_OK &&
        strcmp(before, p->tls_key) != 0)
        sp_buf_put_str(&keys, before);
    if ((rc = sp_buf_ok(&keys, e)) == SP_OK)
        rc = write_in(env, p->folder, "tls.key", keys.data, keys.len, e);
    sp_pem_free(before);
    free(chain);
    sp_buf_wipe(&keys);
    return rc;
}

static enum sp_code
write_tls(const struct sp_env *env, const struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = write_tls_keys(env, p, e)) != SP_OK)
        return rc;
    if ((rc = write_in(env, p->folder, "tls.crt", p->tls_chain, strlen(p->tls_chain), e)) != SP_OK)
        return rc;
    if ((rc = write_in(env, p->folder, "tls.key", p->tls_key, strlen(p->tls_key), e)) != SP_OK)
        return rc;
    return write_in(env, p->folder, "authority.crt", p->tls_authority, strlen(p->tls_authority), e);
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

    if ((rc = store_folder(p->repository, &folder, e)) != SP_OK)
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
    if (p->is_server)
        put_hex(&b, "authority-fingerprint", p->authority_fingerprint, 32);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    if ((rc = write_in(env, folder, "conf", p->conf, p->conf_len, e)) != SP_OK)
        goto out;
    if (p->is_server && (rc = write_tls(env, p, e)) != SP_OK)
        goto out;
    rc = write_in(env, folder, "profile", b.data, b.len, e); /* with it the profile counts */
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
    return write_in(env, p->folder, "slots", slots, n, e);
}

/* --- reading
 * -------------------------------------------------------------------------------------------- */

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

static enum sp_code
load_line(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct loading *l = arg;
    struct sp_profile *p = l->p;
    struct sp_buf secret = SP_BUF_INIT;
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
    if ((rc = set_string(&p->folder, folder, e)) != SP_OK)
        goto out;
    if ((rc = read_in(env, folder, "profile", &text, &n, e)) != SP_OK)
        goto out;
    rc = sp_ini_parse("profile", (const char *)text, n, load_line, &l, e);
    if (rc == SP_OK && l.seen != 63)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "the profile is not complete");
    if (rc == SP_OK)
        rc = read_in(env, folder, "conf", &p->conf, &p->conf_len, e);
    if (rc == SP_OK && p->is_server)
        rc = read_pair(env, folder, &p->tls_chain, &p->tls_key, e);
    if (rc == SP_OK && p->is_server)
        rc = read_text(env, folder, "authority.crt", &p->tls_authority, e);
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

    if ((rc = store_folder(repository, &folder, e)) == SP_OK)
        rc = load_folder(env, folder, ret, e);
    free(folder);
    return rc;
}

/* --- all of them
 * ------------------------------------------------------------------------------------------ */

struct listing {
    const struct sp_env *env;
    const char *folder;
    bool has_default;
    uint8_t default_id[16];
    enum sp_code (*each)(void *arg, const struct sp_profile *p, bool is_default, struct sp_err *e);
    void *arg;
    struct sp_err bad; /* the first profile that cannot be read */
};

static enum sp_code
list_one(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_profile *p = NULL;
    struct sp_err why = {0};
    uint8_t id[16];
    enum sp_code rc;

    (void)st;
    if (!sp_hex_parse(name, id, 16))
        return SP_OK;
    rc = sp_profile_load_id(l->env, id, &p, &why);
    if (rc == SP_ABSENT) /* a folder left by a set-up that did not finish */
        return SP_OK;
    if (rc == SP_CORRUPT || rc == SP_INVALID) { /* told at the end: the others are good */
        if (l->bad.code == SP_OK)
            l->bad = why;
        return SP_OK;
    }
    if (rc != SP_OK)
        *e = why;
    else
        rc = l->each(l->arg, p, l->has_default && memcmp(id, l->default_id, 16) == 0, e);
    sp_profile_free(p);
    return rc;
}

static enum sp_code
read_default(const struct sp_env *env, bool *ret_has, uint8_t ret[16], struct sp_err *e)
{
    char *path = NULL, text[33];
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    *ret_has = false;
    if ((rc = state_path("default", &path, e)) != SP_OK)
        return rc;
    rc = sp_os_read_file(env->os, path, 64, &p, &n, e);
    free(path);
    if (rc == SP_ABSENT)
        return SP_OK;
    if (rc != SP_OK)
        return rc;
    if (n >= 32) {
        memcpy(text, p, 32);
        text[32] = '\0';
        *ret_has = sp_hex_parse(text, ret, 16);
    }
    free(p);
    return SP_OK;
}

enum sp_code
sp_profile_list(const struct sp_env *env,
    enum sp_code (*each)(void *arg, const struct sp_profile *p, bool is_default, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct listing l = {.env = env, .each = each, .arg = arg};
    char *folder = NULL;
    enum sp_code rc;

    if ((rc = read_default(env, &l.has_default, l.default_id, e)) != SP_OK)
        return rc;
    if ((rc = state_path(STORES, &folder, e)) != SP_OK)
        return rc;
    l.folder = folder;
    rc = env->os->list(env->os->self, folder, false, list_one, &l, e);
    if (rc == SP_ABSENT)
        rc = SP_OK;
    if (rc == SP_OK && l.bad.code != SP_OK) {
        *e = l.bad;
        rc = l.bad.code;
    }
    free(folder);
    return rc;
}

struct wanted {
    const struct sp_env *env;
    const char *address; /* NULL: the default */
    bool found, ambiguous;
    uint8_t id[16];
    size_t count;
};

static bool
same_address(const char *a, const char *b)
{
    static const char scheme[] = "stillpoint://";
    size_t an, bn;

    if (strncmp(a, scheme, sizeof(scheme) - 1) == 0)
        a += sizeof(scheme) - 1;
    if (strncmp(b, scheme, sizeof(scheme) - 1) == 0)
        b += sizeof(scheme) - 1;
    an = strlen(a);
    bn = strlen(b);
    while (an > 1 && a[an - 1] == '/')
        an--;
    while (bn > 1 && b[bn - 1] == '/')
        bn--;
    return an == bn && memcmp(a, b, an) == 0;
}

static enum sp_code
match(void *arg, const struct sp_profile *p, bool is_default, struct sp_err *e)
{
    struct wanted *w = arg;

    (void)e;
    w->count++;
    if (w->address == NULL ? is_default
                           : same_address(w->address, p->address) ||
                                 strcmp(w->address, sp_hex16(p->repository).s) == 0) {
        w->found = true;
        memcpy(w->id, p->repository, 16);
    } else if (w->address == NULL && !w->found) {
        memcpy(w->id, p->repository, 16); /* the only one, if it stays the only one */
    }
    return SP_OK;
}

enum sp_code
sp_profile_load(
    const struct sp_env *env, const char *address, struct sp_profile **ret, struct sp_err *e)
{
    struct wanted w = {.env = env, .address = address};
    struct sp_err why = {0};
    enum sp_code rc;

    rc = sp_profile_list(env, match, &w, &why);
    if (rc != SP_OK && !(w.found && (rc == SP_CORRUPT || rc == SP_INVALID))) {
        *e = why;
        return rc;
    }
    if (w.found || (address == NULL && w.count == 1))
        return sp_profile_load_id(env, w.id, ret, e);
    if (address != NULL)
        return sp_fail(
            e, SP_ABSENT, SP_DOM_CONFIG, "this machine does not know the repository %s", address);
    if (w.count > 1)
        return sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "this machine knows %zu repositories and none is the default; say which with -r",
            w.count);
    return sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
        "no repository is set up here; make one with 'stillpoint init -r PATH', or join a server "
        "with "
        "'stillpoint enroll TOKEN'");
}

enum sp_code
sp_profile_set_default(const struct sp_env *env, const struct sp_profile *p, struct sp_err *e)
{
    char *path = NULL;
    struct sp_hex id = sp_hex16(p->repository);
    enum sp_code rc;

    if ((rc = state_path("default", &path, e)) == SP_OK)
        rc = sp_os_write_file(env->os, path, id.s, strlen(id.s), e);
    free(path);
    return rc;
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
        rc = join(place, name, ret, e);
    free(place);
    return rc;
}
