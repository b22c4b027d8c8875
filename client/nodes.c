#include "client/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/thread.h"
#include "client/nodecache.h"

#define COPIES 8       /* bad copies of one node are passed over up to this many times */
#define OPENED_KEPT 16 /* blocks: neighbours in a block are asked for one after the other */
#define BESIDE_KEPT 2  /* and lists, which is what is read beside, one by one */

struct shared { /* by all sources beside each other */
    const struct sp_env *env;
    struct sp_mutex lock; /* also: sealers add blocks while others read */
    char *folder;
    struct sp_nodecache *cache; /* opened when first needed */
    unsigned users;
};

struct sp_nodes {
    struct shared *shared;
    struct sp_store *store;
    const struct sp_keys *keys;
    struct sp_opener *opener;
    struct sp_opened *kept[OPENED_KEPT];
    size_t keep, next_kept;
};

static enum sp_code
shared_new(const struct sp_env *env, const char *folder, struct shared **ret, struct sp_err *e)
{
    struct shared *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return sp_fail_nomem(e);
    if (folder != NULL && (s->folder = strdup(folder)) == NULL) {
        free(s);
        return sp_fail_nomem(e);
    }
    s->env = env;
    sp_mutex_init(&s->lock);
    *ret = s;
    return SP_OK;
}

static void
shared_release(struct shared *s)
{
    bool last;

    sp_mutex_lock(&s->lock);
    last = --s->users == 0;
    sp_mutex_unlock(&s->lock);
    if (!last)
        return;
    sp_nodecache_free(s->cache);
    sp_mutex_destroy(&s->lock);
    free(s->folder);
    free(s);
}

static enum sp_code
new_over(struct shared *s, struct sp_store *store, const struct sp_keys *keys, size_t keep,
    struct sp_nodes **ret, struct sp_err *e)
{
    struct sp_nodes *n = calloc(1, sizeof(*n));
    enum sp_code rc;

    if (n == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_opener_new(keys, &n->opener, e)) != SP_OK) {
        free(n);
        return rc;
    }
    n->store = store;
    n->keys = keys;
    n->keep = keep;
    n->shared = s;
    sp_mutex_lock(&s->lock);
    s->users++;
    sp_mutex_unlock(&s->lock);
    *ret = n;
    return SP_OK;
}

enum sp_code
sp_nodes_new(const struct sp_env *env, struct sp_store *store, const struct sp_keys *keys,
    const char *cache_dir, struct sp_nodes **ret, struct sp_err *e)
{
    struct shared *s;
    enum sp_code rc;

    if ((rc = shared_new(env, cache_dir, &s, e)) != SP_OK)
        return rc;
    if ((rc = new_over(s, store, keys, OPENED_KEPT, ret, e)) != SP_OK) {
        s->users = 1;
        shared_release(s);
    }
    return rc;
}

enum sp_code
sp_nodes_beside(const struct sp_nodes *other, struct sp_nodes **ret, struct sp_err *e)
{
    return new_over(other->shared, other->store, other->keys, BESIDE_KEPT, ret, e);
}

void
sp_nodes_free(struct sp_nodes *n)
{
    size_t i;

    if (n == NULL)
        return;
    for (i = 0; i < OPENED_KEPT; i++)
        sp_opened_free(n->kept[i]);
    sp_opener_free(n->opener);
    shared_release(n->shared);
    free(n);
}

/* Under the lock. NULL: there is none. */
static struct sp_nodecache *
cache(struct shared *s)
{
    struct sp_err ignored = {0};

    if (s->cache == NULL && s->folder != NULL &&
        sp_nodecache_open(s->env, s->folder, &s->cache, &ignored) != SP_OK) {
        free(s->folder);
        s->folder = NULL;
    }
    return s->cache;
}

static void
keep(struct sp_nodes *n, struct sp_opened *opened)
{
    sp_opened_free(n->kept[n->next_kept]);
    n->kept[n->next_kept] = opened;
    n->next_kept =
        (n->next_kept + 1) % n->keep; // NOLINT(clang-analyzer-core.DivideZero): at least one
}

static bool
is_node(const struct sp_chunk *c)
{
    return c->kind == SP_CHUNK_TREE || c->kind == SP_CHUNK_LIST;
}

static void
use(struct shared *s, const struct sp_id *id)
{
    sp_mutex_lock(&s->lock);
    if (cache(s) != NULL)
        sp_nodecache_use(s->cache, id);
    sp_mutex_unlock(&s->lock);
}

/* From what was opened last, or from the cache. */
static enum sp_code
local(struct sp_nodes *n, const struct sp_id *id, struct sp_node **ret, struct sp_err *e)
{
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err ignored = {0};
    uint8_t *block = NULL;
    size_t i, len;
    bool got = false;
    enum sp_code rc;

    for (i = 0; i < n->keep; i++) {
        if (n->kept[i] != NULL && sp_opened_find(n->kept[i], id, &chunk) && is_node(&chunk)) {
            use(n->shared, id);
            return sp_node_copy(&chunk, ret, e);
        }
    }
    sp_mutex_lock(&n->shared->lock);
    if (cache(n->shared) != NULL) {
        sp_nodecache_use(n->shared->cache, id);
        got = sp_nodecache_get(n->shared->cache, id, &block, &len);
    }
    sp_mutex_unlock(&n->shared->lock);
    if (!got)
        return SP_OK;
    if (sp_block_open(n->opener, block, len, &opened, &ignored) == SP_OK) {
        rc = sp_opened_find(opened, id, &chunk) && is_node(&chunk) ? sp_node_copy(&chunk, ret, e)
                                                                   : SP_OK;
        keep(n, opened);
    } else {
        rc = SP_OK; /* a damaged cache: the store has it */
    }
    free(block);
    return rc;
}

struct fetch {
    struct sp_nodes *n;
    const struct sp_id *ids;
    struct sp_node **ret; /* of the same index as ids */
};

static enum sp_code
fetched(void *arg, const uint8_t *block, size_t len, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct fetch *f = arg;
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err bad = {0};
    enum sp_code rc = sp_block_open(f->n->opener, block, len, &opened, &bad);
    size_t i;

    if (rc == SP_NOMEM) { /* nothing is known of the block */
        *e = bad;
        return rc;
    }
    if (rc != SP_OK)
        return SP_OK; /* another copy may be good */
    for (i = 0; i < nwanted && rc == SP_OK; i++) {
        if (f->ret[wanted[i]] == NULL && sp_opened_find(opened, &f->ids[wanted[i]], &chunk) &&
            is_node(&chunk))
            rc = sp_node_copy(&chunk, &f->ret[wanted[i]], e);
    }
    keep(f->n, opened);
    sp_nodes_add_block(f->n, block, len);
    return rc;
}

static enum sp_code
from_store(struct sp_nodes *n, const struct sp_id *ids, size_t count, struct sp_node **ret,
    struct sp_err *e)
{
    struct sp_id *ask = calloc(count, sizeof(*ask));
    struct sp_node **got = calloc(count, sizeof(*got));
    size_t *where = calloc(count, sizeof(*where));
    struct fetch f = {n, ask, got};
    unsigned copy;
    size_t i, m;
    enum sp_code rc = SP_OK;

    if (ask == NULL || got == NULL || where == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (copy = 0; copy < COPIES; copy++) {
        for (i = m = 0; i < count; i++) {
            if (ret[i] == NULL) {
                ask[m] = ids[i];
                where[m++] = i;
            }
        }
        if (m == 0)
            break;
        memset(got, 0, m * sizeof(*got));
        rc = sp_store_get(n->store, ask, m, copy, fetched, &f, e);
        for (i = 0; i < m; i++)
            ret[where[i]] = got[i];
        if (rc != SP_OK)
            goto out;
    }
    for (i = 0; i < count; i++) {
        if (ret[i] == NULL) {
            rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE,
                "node %s is missing from the repository, or damaged", sp_hex8(ids[i].b).s);
            goto out;
        }
    }
out:
    free(ask);
    free(got);
    free(where);
    return rc;
}

static enum sp_code
nodes_get(void *self, const struct sp_id *ids, size_t count, struct sp_node **ret, struct sp_err *e)
{
    struct sp_nodes *n = self;
    struct sp_node **found = calloc(count > 0 ? count : 1, sizeof(*found));
    enum sp_code rc = SP_OK;
    size_t i;
    bool all = true;

    if (found == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < count && rc == SP_OK; i++) {
        rc = local(n, &ids[i], &found[i], e);
        all = all && found[i] != NULL;
    }
    if (rc == SP_OK && !all)
        rc = from_store(n, ids, count, found, e);
    for (i = 0; i < count; i++) {
        if (rc == SP_OK)
            ret[i] = found[i];
        else
            free(found[i]);
    }
    free(found);
    return rc;
}

struct sp_node_source
sp_nodes_source(struct sp_nodes *n)
{
    struct sp_node_source s = {nodes_get, n};

    return s;
}

void
sp_nodes_add_block(struct sp_nodes *n, const uint8_t *block, size_t len)
{
    sp_mutex_lock(&n->shared->lock);
    if (cache(n->shared) != NULL)
        sp_nodecache_add(n->shared->cache, block, len);
    sp_mutex_unlock(&n->shared->lock);
}

void
sp_nodes_trim(struct sp_nodes *n)
{
    sp_mutex_lock(&n->shared->lock);
    if (n->shared->cache != NULL)
        sp_nodecache_trim(n->shared->cache);
    sp_mutex_unlock(&n->shared->lock);
}
