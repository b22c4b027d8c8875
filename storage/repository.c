/* Making, opening and refreshing a repository: see repository.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "storage/repository_impl.h"

#define OWNER_FORM "server "
#define LATELY (10 * SP_SECOND) /* what opening listed is still what a run begins with */

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

/* --- opening -------------------------------------------------------------------------------- */

struct answer { /* a small object as the store has it */
    struct sp_backend_fetch fetch;
    bool asked; /* … and not heard yet */
    enum sp_code rc;
    struct sp_err why;
    uint8_t *bytes;
    size_t n;
};

/* Of a store far away: the answer is waited for later. */
static void
ask(struct sp_repository *r, const char *object, struct answer *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->fetch = (struct sp_backend_fetch){.name = object, .whole = true, .limit = SP_SMALL_OBJECT};
    ret->rc =
        r->backend->ahead > 0 ? sp_backend_fetch_start(r->backend, &ret->fetch, &ret->why) : SP_OK;
    ret->asked = r->backend->ahead > 0 && ret->rc == SP_OK;
}

static void
hear(struct sp_repository *r, struct answer *a)
{
    if (a->asked) {
        a->rc = sp_backend_fetch_finish(r->backend, &a->fetch, &a->why);
        a->bytes = a->rc == SP_OK ? a->fetch.bytes : NULL;
        a->n = a->fetch.n;
    } else if (r->backend->ahead == 0) {
        a->rc = sp_backend_get_all(
            r->backend, a->fetch.name, SP_SMALL_OBJECT, &a->bytes, &a->n, &a->why);
    }
    a->asked = false;
}

/* Nobody wants it any more. */
static void
unask(struct sp_repository *r, struct answer *a)
{
    if (a->asked)
        hear(r, a);
    free(a->bytes);
    a->bytes = NULL;
}

static enum sp_code
read_conf(struct sp_repository *r, struct answer *a, struct sp_err *e)
{
    hear(r, a);
    if (a->rc == SP_ABSENT)
        return sp_fail(e, SP_ABSENT, SP_DOM_STORE,
            "there is no repository here (no " SP_CONF_NAME
            "); is the file system mounted? A new one is made with init");
    if (a->rc != SP_OK) {
        *e = a->why;
        return a->rc;
    }
    r->conf_text = a->bytes;
    r->conf_n = a->n;
    a->bytes = NULL;
    return sp_repository_conf_decode(r->conf_text, r->conf_n, &r->conf, e);
}

/* Who may write: nobody but the server that the owner object names. */
static enum sp_code
check_owner(struct sp_repository *r, struct answer *a, const uint8_t *server_id, struct sp_err *e)
{
    uint8_t *text, owner[16];
    char line[64] = "";
    size_t n, form = strlen(OWNER_FORM);

    hear(r, a);
    if (a->rc == SP_ABSENT)
        return SP_OK;
    if (a->rc != SP_OK) {
        *e = a->why;
        return a->rc;
    }
    text = a->bytes;
    n = a->n;
    if (n == form + 33 && text[n - 1] == '\n' && memcmp(text, OWNER_FORM, form) == 0)
        memcpy(line, text + form, 32);
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

/* --- what is there -------------------------------------------------------------------------- */

struct listing {
    struct sp_repository *r;
    struct sp_index_listing index;
    struct sp_along along;
};

static enum sp_code
see(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_repository *r = l->r;
    enum sp_pack_kind kind;
    uint8_t name[32];
    bool along;
    enum sp_code rc;

    if ((rc = sp_along_see(&l->along, object, size, &along, e)) != SP_OK || along)
        return rc;
    if ((rc = sp_index_see(&l->index, object, size, e)) != SP_OK)
        return rc;
    if ((rc = sp_marks_see(r, object, e)) != SP_OK)
        return rc;
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

/* Packs and index segments, and what goes along. */
static enum sp_code
list_all(struct listing *l, bool packs, struct sp_err *e)
{
    const char *prefixes[8] = {"packs", "nodes", "index"};
    size_t n = packs ? 3 : 0;
    struct sp_repository *r = l->r;
    enum sp_code rc;

    if (r->backend->ahead > 0)
        n += sp_along_prefixes(r, &l->along, packs && r->write, prefixes + n);
    if (packs && r->write)
        prefixes[n++] = "marks";
    if (packs) {
        sp_marks_begin(r);
        sp_mutex_lock(&r->lock);
        sp_presence_list_begin(r->presence);
        sp_mutex_unlock(&r->lock);
    }
    rc = sp_backend_list_all(r->backend, prefixes, n, see, l, e);
    if (rc == SP_OK && packs)
        rc = see_fresh(r, e);
    return rc;
}

/* A complete listing comes into force. index_io is held. */
static enum sp_code
take_listing(struct listing *l, size_t *ret_lost, struct sp_err *e)
{
    struct sp_repository *r = l->r;
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    sp_presence_list_end(r->presence, ret_lost);
    if (*ret_lost > 0)
        sp_known_forget(r);
    sp_mutex_unlock(&r->lock);
    if ((rc = sp_marks_end(r, e)) != SP_OK)
        return rc;
    if (r->backend->ahead > 0)
        sp_along_keep(r, &l->along);
    if ((rc = sp_index_refresh(r, &l->index, e)) != SP_OK)
        return rc;
    return sp_repository_learn(r, e);
}

static void
listing_clear(struct listing *l)
{
    free(l->index.v);
    sp_along_clear(&l->along);
}

/* R20: what was unmounted while we ran must not look like a repository that lost everything. */
static enum sp_code
still_there(struct sp_repository *r, struct answer *far, struct sp_err *e)
{
    uint64_t size;
    enum sp_code rc;

    if (r->backend->ahead > 0) {
        hear(r, far);
        rc = far->rc;
        *e = far->why;
    } else {
        rc = sp_backend_size(r->backend, SP_CONF_NAME, &size, e);
    }
    if (rc == SP_ABSENT)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE,
            SP_CONF_NAME " is not there any more; was the file system unmounted?");
    return rc;
}

enum sp_code
sp_repository_refresh(struct sp_repository *r, size_t *ret_lost, struct sp_err *e)
{
    bool far = r->backend->ahead > 0;
    struct listing l = {.r = r};
    struct answer conf;
    size_t lost = 0;
    enum sp_code rc;

    if (!far && (rc = still_there(r, NULL, e)) != SP_OK)
        return rc;
    atomic_store(&r->just_opened, false);
    sp_mutex_lock(&r->index_io);
    /* Far away both are asked at once, and the answer that it is there comes after the listing. */
    ask(r, SP_CONF_NAME, &conf);
    rc = list_all(&l, true, e);
    if (rc == SP_OK && far)
        rc = still_there(r, &conf, e);
    if (rc == SP_OK && (rc = take_listing(&l, &lost, e)) == SP_OK) {
        atomic_store(&r->unlisted, false);
        *ret_lost = lost;
    }
    sp_mutex_unlock(&r->index_io);
    unask(r, &conf);
    listing_clear(&l);
    return rc;
}

enum sp_code
sp_repository_refresh_lately(struct sp_repository *r, size_t *ret_lost, struct sp_err *e)
{
    int64_t since_ns = sp_clock_mono(r->env->clock) - r->opened_ns;

    if (!atomic_exchange(&r->just_opened, false) || since_ns < 0 || since_ns > LATELY)
        return sp_repository_refresh(r, ret_lost, e);
    *ret_lost = 0;
    return SP_OK;
}

enum sp_code
sp_repository_ready(struct sp_repository *r, struct sp_err *e)
{
    size_t lost;
    enum sp_code rc = SP_OK;

    if (!atomic_load(&r->unlisted))
        return SP_OK;
    sp_mutex_lock(&r->first);
    if (atomic_load(&r->unlisted))
        rc = sp_repository_refresh(r, &lost, e);
    sp_mutex_unlock(&r->first);
    return rc;
}

/* Configuration and owner, and what is there: of a store far away all asked at once. */
static enum sp_code
take_in(struct sp_repository *r, const struct sp_repository_options *o, struct sp_err *e)
{
    bool far = r->backend->ahead > 0, packs = !far || o->write;
    struct listing l = {.r = r};
    struct answer conf, owner, host = {.asked = false};
    char object[64];
    struct sp_err why = {0};
    size_t lost;
    enum sp_code rc, listed = SP_OK;

    ask(r, SP_CONF_NAME, &conf);
    ask(r, SP_OWNER_NAME, &owner);
    if (far && o->host != NULL) { /* asked for next, nearly always */
        (void)snprintf(object, sizeof(object), "hosts/%.32s", sp_hex16(o->host).s);
        ask(r, object, &host);
    }
    if (far)
        listed = list_all(&l, packs, &why);
    if (far && o->host != NULL) {
        hear(r, &host);
        if (host.rc == SP_OK)
            sp_kept_put(r, object, host.bytes, host.n);
    }
    if ((rc = read_conf(r, &conf, e)) != SP_OK)
        goto out;
    if (o->write && (rc = check_owner(r, &owner, o->server_id, e)) != SP_OK)
        goto out;
    if (o->write && (rc = sp_backend_may_write(r->backend, e)) != SP_OK)
        goto out;
    if (o->write && !r->backend->caps.writable) {
        rc = sp_fail(e, SP_DENIED, SP_DOM_STORE, "the repository cannot be written to");
        goto out;
    }
    if (!far && o->write)
        unask(r, &owner);
    if ((rc = sp_index_cache_open(r->env, o->cache_dir, r->conf.id, &r->cache, e)) != SP_OK)
        goto out;
    if (!far) {
        rc = sp_repository_refresh(r, &lost, e);
        goto out;
    }
    if ((rc = listed) != SP_OK) {
        *e = why;
        goto out;
    }
    atomic_store(&r->unlisted, !packs);
    atomic_store(&r->just_opened, packs);
    r->opened_ns = sp_clock_mono(r->env->clock);
    if (packs)
        rc = take_listing(&l, &lost, e);
    else
        sp_along_keep(r, &l.along);
out:
    unask(r, &conf);
    unask(r, &owner);
    unask(r, &host);
    listing_clear(&l);
    return rc;
}

enum sp_code
sp_repository_open(struct sp_backend *b, const struct sp_env *env,
    const struct sp_repository_options *o, struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository *r = calloc(1, sizeof(*r));
    enum sp_code rc;

    if (r == NULL) {
        sp_backend_free(b);
        return sp_fail_nomem(e);
    }
    r->backend = b;
    r->env = env;
    r->write = o->write;
    atomic_init(&r->cancelled, false);
    atomic_init(&r->unlisted, false);
    atomic_init(&r->just_opened, false);
    sp_mutex_init(&r->first);
    sp_mutex_init(&r->commit);
    sp_mutex_init(&r->index_io);
    sp_mutex_init(&r->lock);
    if ((rc = sp_index_set_init(&r->index, e)) != SP_OK ||
        (rc = sp_random_fill(env->random, r->seed, sizeof(r->seed), e)) != SP_OK ||
        (rc = sp_memtable_new(r->seed, &r->memtable, e)) != SP_OK ||
        (rc = sp_presence_new(&r->presence, e)) != SP_OK)
        goto out;
    if (o->host != NULL)
        sp_along_host(r, o->host);
    if ((rc = take_in(r, o, e)) != SP_OK)
        goto out;
    if (o->write && b->ahead == 0) /* a store far away is swept beside the first upload */
        sp_lease_sweep(b);
    if (o->write && (rc = sp_lease_new(b, env, &r->lease, e)) != SP_OK)
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
    size_t i;

    if (r == NULL)
        return;
    sp_lease_free(r->lease);
    sp_known_free(r);
    sp_marks_free(r);
    sp_index_set_clear(&r->index);
    sp_memtable_free(r->memtable);
    sp_memtable_free(r->frozen);
    sp_presence_free(r->presence);
    sp_index_cache_close(&r->cache);
    sp_mutex_destroy(&r->lock);
    sp_mutex_destroy(&r->index_io);
    sp_mutex_destroy(&r->commit);
    sp_mutex_destroy(&r->first);
    sp_along_clear(&r->along);
    for (i = 0; i < SP_KEPT_OBJECTS; i++)
        free(r->kept[i].bytes);
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
