/* Making, opening and refreshing a repository: see repository.h. */

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/text.h"
#include "storage/repository_impl.h"

#define OWNER_FORM "server "

static enum sp_code
refuse_object(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)arg;
    (void)size;
    return sp_fail(e, SP_EXISTS, SP_DOM_STORE,
        "there is something here already (%.100s); a repository is made in an empty place", name);
}

enum sp_code
sp_repository_create(struct sp_backend *b, const struct sp_env *env,
    const struct sp_repository_conf *conf, const uint8_t *server_id, struct sp_err *e)
{
    static const uint8_t unset[16];
    struct sp_repository_conf c = *conf;
    struct sp_buf text = SP_BUF_INIT, owner = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_backend_list(b, "", refuse_object, NULL, e)) != SP_OK)
        goto out;
    if (memcmp(c.id, unset, sizeof(unset)) == 0 &&
        (rc = sp_random_fill(env->random, c.id, sizeof(c.id), e)) != SP_OK)
        goto out;
    if ((rc = sp_repository_conf_encode(&c, &text, e)) != SP_OK)
        goto out;
    /* The owner first, also for a power cut: there is never a moment in which others may write. */
    if (server_id != NULL) {
        sp_buf_printf(&owner, OWNER_FORM "%s\n", sp_hex16(server_id).s);
        if ((rc = sp_buf_ok(&owner, e)) != SP_OK ||
            (rc = sp_backend_put(b, SP_OWNER_NAME, owner.data, owner.len, e)) != SP_OK ||
            (rc = sp_backend_sync(b, e)) != SP_OK)
            goto out;
    }
    if ((rc = sp_backend_put(b, SP_CONF_NAME, text.data, text.len, e)) != SP_OK)
        goto out;
    rc = sp_backend_sync(b, e);
out:
    sp_buf_free(&owner);
    sp_buf_free(&text);
    return rc;
}

static enum sp_code
read_conf(struct sp_repository *r, struct sp_err *e)
{
    enum sp_code rc =
        sp_backend_get_all(r->backend, SP_CONF_NAME, SP_SMALL_OBJECT, &r->conf_text, &r->conf_n, e);

    if (rc == SP_ABSENT)
        return sp_fail(e, SP_ABSENT, SP_DOM_STORE,
            "there is no repository here (no " SP_CONF_NAME
            "); is the file system mounted? A new one is made with init");
    if (rc != SP_OK)
        return rc;
    return sp_repository_conf_decode(r->conf_text, r->conf_n, &r->conf, e);
}

/* Who may write: nobody but the server that the owner object names. */
static enum sp_code
check_owner(struct sp_repository *r, const uint8_t *server_id, struct sp_err *e)
{
    uint8_t *text = NULL, owner[16];
    char line[64] = "";
    size_t n, form = strlen(OWNER_FORM);
    enum sp_code rc;

    rc = sp_backend_get_all(r->backend, SP_OWNER_NAME, SP_SMALL_OBJECT, &text, &n, e);
    if (rc == SP_ABSENT)
        return SP_OK;
    if (rc != SP_OK)
        return rc;
    if (n == form + 33 && text[n - 1] == '\n' && memcmp(text, OWNER_FORM, form) == 0)
        memcpy(line, text + form, 32);
    free(text);
    if (!sp_hex_parse(line, owner, sizeof(owner)))
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "a server fronts this repository, but its owner object is damaged; open it read-only");
    if (server_id == NULL)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "this repository is fronted by server %s; back up through it, or open it read-only",
            line);
    if (memcmp(owner, server_id, sizeof(owner)) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "this repository is fronted by another server (%s); only one may write to it", line);
    return SP_OK;
}

enum sp_code
sp_repository_open(struct sp_backend *b, const struct sp_env *env,
    const struct sp_repository_options *o, struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository *r = calloc(1, sizeof(*r));
    size_t lost;
    enum sp_code rc;

    if (r == NULL) {
        sp_backend_free(b);
        return sp_fail_nomem(e);
    }
    r->backend = b;
    r->env = env;
    r->write = o->write;
    atomic_init(&r->cancelled, false);
    sp_mutex_init(&r->commit);
    sp_mutex_init(&r->index_io);
    sp_mutex_init(&r->lock);
    if ((rc = sp_index_set_init(&r->index, e)) != SP_OK ||
        (rc = sp_random_fill(env->random, r->seed, sizeof(r->seed), e)) != SP_OK ||
        (rc = sp_memtable_new(r->seed, &r->memtable, e)) != SP_OK ||
        (rc = sp_presence_new(&r->presence, e)) != SP_OK)
        goto out;
    if ((rc = read_conf(r, e)) != SP_OK)
        goto out;
    if (o->write && (rc = check_owner(r, o->server_id, e)) != SP_OK)
        goto out;
    if (o->write && !b->caps.writable) {
        rc = sp_fail(e, SP_DENIED, SP_DOM_STORE, "the repository cannot be written to");
        goto out;
    }
    if ((rc = sp_index_cache_open(env, o->cache_dir, r->conf.id, &r->cache, e)) != SP_OK)
        goto out;
    if ((rc = sp_repository_refresh(r, &lost, e)) != SP_OK)
        goto out;
    if (o->write) /* to a reader and a check each block speaks for itself */
        sp_distrust_load(r);
    *ret = r;
    r = NULL;
out:
    sp_repository_free(r);
    return rc;
}

void
sp_repository_free(struct sp_repository *r)
{
    if (r == NULL)
        return;
    sp_known_free(r);
    sp_index_set_clear(&r->index);
    sp_memtable_free(r->memtable);
    sp_memtable_free(r->frozen);
    sp_presence_free(r->presence);
    sp_index_cache_close(&r->cache);
    sp_mutex_destroy(&r->lock);
    sp_mutex_destroy(&r->index_io);
    sp_mutex_destroy(&r->commit);
    free(r->conf_text);
    sp_backend_free(r->backend);
    free(r);
}

const struct sp_repository_conf *
sp_repository_conf(const struct sp_repository *r)
{
    return &r->conf;
}

struct sp_backend *
sp_repository_backend(struct sp_repository *r)
{
    return r->backend;
}

enum sp_code
sp_repository_live(struct sp_repository *r, struct sp_err *e)
{
    if (atomic_load(&r->cancelled))
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "interrupted");
    return SP_OK;
}

enum sp_code
sp_repository_may_write(struct sp_repository *r, struct sp_err *e)
{
    if (!r->write)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the repository was opened read-only");
    return SP_OK;
}

void
sp_repository_cancel(struct sp_repository *r)
{
    atomic_store(&r->cancelled, true);
}

bool
sp_store_fatal(enum sp_code rc)
{
    return rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT && rc != SP_IO && rc != SP_DENIED;
}

void
sp_repository_distrust(struct sp_repository *r, uint32_t pack)
{
    struct sp_pack_state *s;
    bool news;

    sp_mutex_lock(&r->lock);
    s = sp_presence_at(r->presence, pack);
    news = !s->bad;
    if (news) {
        s->bad = true;
        s->transient = false;
        sp_known_forget(r);
    }
    sp_mutex_unlock(&r->lock);
    if (news)
        sp_known_remove_files(r);
}

static enum sp_code
see_pack(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct sp_repository *r = arg;
    enum sp_pack_kind kind;
    uint8_t name[32];
    enum sp_code rc;

    if (!sp_pack_object_parse(object, &kind, name))
        return SP_OK; /* unknown names are ignored */
    if ((rc = sp_repository_live(r, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    rc = sp_presence_list_see(r->presence, kind, name, size, e);
    sp_mutex_unlock(&r->lock);
    return rc;
}

/* Listings lag: a pack that we just finished and that is not in the listing is asked for by name.
 */
static enum sp_code
see_fresh(struct sp_repository *r, struct sp_err *e)
{
    struct sp_err why = {0};
    char object[96];
    size_t i, n;
    uint64_t size;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->lock);
    n = sp_presence_count(r->presence);
    for (i = 0; i < n && rc == SP_OK; i++) {
        struct sp_pack_state s = *sp_presence_at(r->presence, (uint32_t)i);

        if (!s.fresh || !s.listed || sp_presence_seen(r->presence, (uint32_t)i))
            continue;
        sp_mutex_unlock(&r->lock);
        sp_pack_object_name((enum sp_pack_kind)s.kind, s.name, object);
        rc = sp_backend_size(r->backend, object, &size, &why);
        sp_mutex_lock(&r->lock);
        if (rc == SP_OK && size == s.size)
            sp_presence_keep(r->presence, (uint32_t)i);
        else if (sp_store_fatal(rc))
            *e = why;
        else
            rc = SP_OK;
    }
    sp_mutex_unlock(&r->lock);
    return rc;
}

/* R20: what was unmounted while we ran must not look like a repository that lost everything. */
static enum sp_code
still_there(struct sp_repository *r, struct sp_err *e)
{
    uint64_t size;
    enum sp_code rc = sp_backend_size(r->backend, SP_CONF_NAME, &size, e);

    if (rc == SP_ABSENT)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE,
            SP_CONF_NAME " is not there any more; was the file system unmounted?");
    return rc;
}

enum sp_code
sp_repository_refresh(struct sp_repository *r, size_t *ret_lost, struct sp_err *e)
{
    size_t lost;
    enum sp_code rc;

    if ((rc = still_there(r, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->index_io);
    sp_mutex_lock(&r->lock);
    sp_presence_list_begin(r->presence);
    sp_mutex_unlock(&r->lock);
    if ((rc = sp_backend_list(r->backend, "packs", see_pack, r, e)) != SP_OK ||
        (rc = sp_backend_list(r->backend, "nodes", see_pack, r, e)) != SP_OK ||
        (rc = see_fresh(r, e)) != SP_OK)
        goto out;
    sp_mutex_lock(&r->lock);
    sp_presence_list_end(r->presence, &lost);
    if (lost > 0)
        sp_known_forget(r);
    sp_mutex_unlock(&r->lock);
    if ((rc = sp_index_refresh(r, e)) != SP_OK || (rc = sp_repository_learn(r, e)) != SP_OK)
        goto out;
    *ret_lost = lost;
out:
    sp_mutex_unlock(&r->index_io);
    return rc;
}
