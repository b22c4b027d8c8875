#include "client/copy_init.h"

#include <stdlib.h>
#include <string.h>

#include "client/place.h"
#include "client/store_remote.h"
#include "proto/cert.h"
#include "storage/copy.h"

enum sp_code
sp_copy_side_of(const struct sp_opened_store *o, struct sp_copy_side *ret, struct sp_err *e)
{
    memset(ret, 0, sizeof(*ret));
    if ((ret->repository = sp_store_repository(o->store)) != NULL)
        return SP_OK;
    if (o->profile == NULL || o->keys == NULL)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a server was opened without a profile");
    ret->store = o->store;
    memcpy(ret->host, o->profile->host, 16);
    memcpy(ret->group, sp_keys_group(o->keys), 16);
    return SP_OK;
}

/* A server says its repository.conf in its hello. */
static enum sp_code
conf_of(const struct sp_opened_store *o, struct sp_repository_conf *ret, struct sp_err *e)
{
    struct sp_repository *r = sp_store_repository(o->store);
    struct sp_remote_hello hello;

    if (r != NULL) {
        *ret = *sp_repository_conf(r);
        return SP_OK;
    }
    sp_store_remote_hello(o->store, &hello);
    return sp_repository_conf_decode(hello.conf, hello.conf_len, ret, e);
}

static void
warn(void *arg, const struct sp_place_remark *r)
{
    if (r->advice != NULL)
        sp_cli_warn(arg, "%s; %s", r->text, r->advice);
}

/* p NULL: this machine cannot use what it makes. */
static enum sp_code
make(struct sp_cli *c, const char *address, const struct sp_profile *p,
    const struct sp_repository_conf *conf, struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository_options o = {.write = true};
    struct sp_backend *backend = NULL;
    char *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_place_login(c, address, p, false, e)) != SP_OK ||
        (rc = sp_place_open(c, address, p, true, &backend, e)) != SP_OK)
        return rc;
    rc = sp_repository_create(backend, c->env, conf, NULL, e);
    if (rc == SP_OK)
        rc = sp_place_remarks(backend, warn, c, e);
    if (rc == SP_OK)
        rc = sp_os_place(SP_PLACE_CACHE, &cache, e);
    if (rc != SP_OK) {
        sp_backend_free(backend);
        return rc;
    }
    o.cache_dir = cache;
    rc = sp_repository_open(backend, c->env, &o, ret, e);
    free(cache);
    return rc;
}

static enum sp_code
add_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_buf *b = arg;

    sp_buf_put_u32(b, (uint32_t)n);
    sp_buf_put(b, slot, n);
    return sp_buf_ok(b, e);
}

static void
drop(char **secret)
{
    if (*secret != NULL)
        sp_wipe(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

/* The profile of FROM for another address: the same host, the same keys, none of what FROM's place
 * needs. *ret = NULL: this machine does not know FROM. */
static enum sp_code
begin_profile(struct sp_cli *c, const struct sp_opened_store *from, const char *address,
    struct sp_profile **ret, struct sp_err *e)
{
    struct sp_profile *p = NULL;
    enum sp_code rc;

    *ret = NULL;
    if (from->profile == NULL)
        return SP_OK;
    if ((rc = sp_profile_load_id(c->env, from->repository, &p, e)) != SP_OK)
        return rc;
    free(p->folder);
    free(p->address);
    p->folder = NULL;
    p->is_server = false;
    drop(&p->share_user);
    drop(&p->share_password);
    sp_sftp_clear(&p->sftp);
    drop(&p->sftp_password);
    drop(&p->sftp_passphrase);
    sp_pem_free(p->tls_key);
    p->tls_key = NULL;
    if ((p->address = strdup(address)) == NULL) {
        sp_profile_free(p);
        return sp_fail_nomem(e);
    }
    *ret = p;
    return SP_OK;
}

static enum sp_code
save_profile(struct sp_cli *c, struct sp_profile *p, struct sp_repository *r, struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT, slots = SP_BUF_INIT;
    enum sp_code rc;

    free(p->conf);
    p->conf = NULL;
    p->conf_len = 0;
    memcpy(p->repository, sp_repository_conf(r)->id, 16);
    if ((rc = sp_repository_conf_encode(sp_repository_conf(r), &text, e)) == SP_OK)
        rc = sp_buf_take(&text, &p->conf, &p->conf_len, e);
    if (rc == SP_OK)
        rc = sp_place_keep(c, p, e);
    if (rc == SP_OK)
        rc = sp_profile_save(c->env, p, e);
    if (rc == SP_OK)
        rc = sp_repository_slots(r, sp_keys_group(p->keys), add_slot, &slots, e);
    if (rc == SP_OK)
        rc = sp_profile_save_slots(c->env, p, slots.data, slots.len, e);
    if (rc == SP_OK)
        sp_place_tell_unattended(c, p);
    sp_buf_free(&slots);
    sp_buf_free(&text);
    return rc;
}

static void
tell(struct sp_report *r, const char *like, const char *address, struct sp_repository *to,
    bool known)
{
    if (r->j != NULL) {
        sp_json_kstr(r->j, "repository", sp_hex16(sp_repository_conf(to)->id).s);
        sp_json_kstr(r->j, "address", address);
        sp_json_kstr(r->j, "like", like);
        sp_json_kbool(r->j, "known_here", known);
    }
    sp_cli_say(r->c, "made the repository %s in %s for copies of %s; next: stillpoint copy %s %s",
        sp_hex16(sp_repository_conf(to)->id).s, address, like, like, address);
}

enum sp_code
sp_copy_init(struct sp_report *r, const char *like, struct sp_err *e)
{
    struct sp_cli *c = r->c;
    struct sp_opened_store from;
    struct sp_repository_conf conf;
    struct sp_repository *to = NULL;
    struct sp_copy_side side;
    struct sp_profile *p = NULL;
    char *address = NULL;
    enum sp_code rc;

    if ((rc = sp_cli_open(c, like, SP_OPEN_LOOK, &from, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_address(c->repository, &address, e)) != SP_OK ||
        (rc = sp_copy_side_of(&from, &side, e)) != SP_OK ||
        (rc = conf_of(&from, &conf, e)) != SP_OK ||
        (rc = sp_random_fill(c->env->random, conf.id, sizeof(conf.id), e)) != SP_OK ||
        (rc = begin_profile(c, &from, address, &p, e)) != SP_OK ||
        (rc = make(c, address, p, &conf, &to, e)) != SP_OK ||
        (rc = sp_copy_keys(&side, to, e)) != SP_OK)
        goto out;
    if (p != NULL)
        rc = save_profile(c, p, to, e);
    if (rc == SP_OK)
        tell(r, from.address, address, to, p != NULL);
out:
    sp_profile_free(p);
    sp_repository_free(to);
    free(address);
    sp_cli_close(&from);
    return rc;
}
