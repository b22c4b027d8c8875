#include "client/profile_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* All profiles of this machine, and which of them is meant. */

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
    if ((rc = profile_state_path("default", &path, e)) != SP_OK)
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
    if ((rc = profile_state_path(PROFILE_STORES, &folder, e)) != SP_OK)
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

    if ((rc = profile_state_path("default", &path, e)) == SP_OK)
        rc = sp_os_write_file(env->os, path, id.s, strlen(id.s), e);
    free(path);
    return rc;
}
