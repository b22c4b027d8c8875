#include "client/copy_init.h"

#include <stdlib.h>
#include <string.h>

#include "client/store_remote.h"
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

static enum sp_code
make(struct sp_cli *c, const char *address, const struct sp_repository_conf *conf,
    struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository_options o = {.write = true};
    struct sp_backend *backend = NULL;
    char *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_backend_dir_open(c->env, address, true, &backend, e)) != SP_OK)
        return rc;
    rc = sp_repository_create(backend, c->env, conf, NULL, e);
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

/* The profile of FROM under the new repository's id and address: the same host, the same keys. */
static enum sp_code
save_profile(struct sp_cli *c, struct sp_profile *p, const char *address, struct sp_repository *r,
    struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT, slots = SP_BUF_INIT;
    enum sp_code rc;

    free(p->folder);
    free(p->address);
    free(p->conf);
    p->folder = NULL;
    p->conf = NULL;
    p->conf_len = 0;
    p->is_server = false;
    memcpy(p->repository, sp_repository_conf(r)->id, 16);
    if ((p->address = strdup(address)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_repository_conf_encode(sp_repository_conf(r), &text, e)) == SP_OK)
        rc = sp_buf_take(&text, &p->conf, &p->conf_len, e);
    if (rc == SP_OK)
        rc = sp_profile_save(c->env, p, e);
    if (rc == SP_OK)
        rc = sp_repository_slots(r, sp_keys_group(p->keys), add_slot, &slots, e);
    if (rc == SP_OK)
        rc = sp_profile_save_slots(c->env, p, slots.data, slots.len, e);
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
    char *address = NULL;
    enum sp_code rc;

    if ((rc = sp_cli_open(c, like, SP_OPEN_LOOK, &from, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_address(c->repository, &address, e)) != SP_OK ||
        (rc = sp_copy_side_of(&from, &side, e)) != SP_OK ||
        (rc = conf_of(&from, &conf, e)) != SP_OK ||
        (rc = sp_random_fill(c->env->random, conf.id, sizeof(conf.id), e)) != SP_OK ||
        (rc = make(c, address, &conf, &to, e)) != SP_OK ||
        (rc = sp_copy_keys(&side, to, e)) != SP_OK)
        goto out;
    if (from.profile != NULL)
        rc = save_profile(c, from.profile, address, to, e);
    if (rc == SP_OK)
        tell(r, from.address, address, to, from.profile != NULL);
out:
    sp_repository_free(to);
    free(address);
    sp_cli_close(&from);
    return rc;
}
