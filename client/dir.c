#include "client/dir.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "client/dir_os.h"

struct sp_source_dir {
    atomic_uint refs;
    struct sp_dirs *pool;
    struct sp_source_dir *up; /* counted; NULL: an anchor, whose name is a path */
    struct sp_dir_kind kind;
    struct sp_dir_known known;
    /* Under the pool's lock. Open and not in use: in the pool's list, where the oldest is closed
     * first. */
    bool open;
    union sp_dir_at at;
    unsigned users;
    struct sp_source_dir *older, *newer;
    char name[];
};

struct sp_dirs {
    atomic_uint refs;
    struct sp_mutex lock;
    size_t nopen, most_open;
    struct sp_source_dir *oldest, *newest;
    struct sp_source_host *host;
};

enum sp_code
sp_dirs_new(size_t most_open, struct sp_source_host *host, struct sp_dirs **ret, struct sp_err *e)
{
    struct sp_dirs *p = calloc(1, sizeof *p);

    if (p == NULL) {
        sp_source_host_free(host);
        return sp_fail_nomem(e);
    }
    atomic_init(&p->refs, 1);
    sp_mutex_init(&p->lock);
    p->most_open = most_open;
    p->host = host;
    *ret = p;
    return SP_OK;
}

void
sp_dirs_release(struct sp_dirs *p)
{
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    sp_source_host_free(p->host);
    sp_mutex_destroy(&p->lock);
    free(p);
}

struct sp_source_host *
sp_dirs_host(struct sp_dirs *p)
{
    return p->host;
}

size_t
sp_dirs_open_count(struct sp_dirs *p)
{
    size_t n;

    sp_mutex_lock(&p->lock);
    n = p->nopen;
    sp_mutex_unlock(&p->lock);
    return n;
}

const struct sp_dir_kind *
sp_dir_kind(const struct sp_source_dir *d)
{
    return &d->kind;
}

const struct sp_dir_known *
sp_dir_known(const struct sp_source_dir *d)
{
    return &d->known;
}

struct sp_dirs *
sp_dir_pool(const struct sp_source_dir *d)
{
    return d->pool;
}

/* --- under the lock ------------------------------------------------------------------------------
 */

static void
list_take(struct sp_dirs *p, struct sp_source_dir *d)
{
    *(d->older != NULL ? &d->older->newer : &p->oldest) = d->newer;
    *(d->newer != NULL ? &d->newer->older : &p->newest) = d->older;
    d->older = d->newer = NULL;
}

static void
list_put(struct sp_dirs *p, struct sp_source_dir *d)
{
    d->older = p->newest;
    d->newer = NULL;
    *(p->newest != NULL ? &p->newest->newer : &p->oldest) = d;
    p->newest = d;
}

/* Closes what is not in use until `most` are left. */
static void
trim(struct sp_dirs *p, size_t most)
{
    while (p->nopen > most && p->oldest != NULL) {
        struct sp_source_dir *d = p->oldest;

        list_take(p, d);
        sp_dir_os_close(p->host, d->at);
        d->open = false;
        p->nopen--;
    }
}

static void
begin_use(struct sp_source_dir *d)
{
    if (d->users++ == 0)
        list_take(d->pool, d);
}

static void
end_use(struct sp_source_dir *d)
{
    if (--d->users > 0)
        return;
    list_put(d->pool, d);
    trim(d->pool, d->pool->most_open);
}

/* It was just opened; d was neither open nor in use. */
static void
give_open(struct sp_source_dir *d, union sp_dir_at at)
{
    d->at = at;
    d->open = true;
    d->users = 1;
    d->pool->nopen++;
    trim(d->pool, d->pool->most_open);
}

/* --- opening -------------------------------------------------------------------------------------
 */

/* When the process has no room left, ours that merely wait go first. */
static enum sp_code
open_folder(struct sp_dirs *p, const union sp_dir_at *up, const char *name,
    enum sp_dir_purpose purpose, union sp_dir_at *ret, struct sp_err *e)
{
    enum sp_code rc = sp_dir_os_open(p->host, up, name, purpose, ret, e);

    if (rc == SP_OK || e->domain != SP_DOM_SELF)
        return rc;
    sp_mutex_lock(&p->lock);
    trim(p, 0);
    sp_mutex_unlock(&p->lock);
    return sp_dir_os_open(p->host, up, name, purpose, ret, e);
}

static enum sp_code
dir_new(struct sp_dirs *p, struct sp_source_dir *up, const char *name,
    const struct sp_dir_kind *kind, struct sp_source_dir **ret, struct sp_err *e)
{
    size_t n = strlen(name);
    struct sp_source_dir *d = calloc(1, sizeof *d + n + 1);

    if (d == NULL)
        return sp_fail_nomem(e);
    memcpy(d->name, name, n + 1);
    atomic_init(&d->refs, 1);
    atomic_fetch_add(&p->refs, 1);
    d->pool = p;
    d->up = up != NULL ? sp_dir_hold(up) : NULL;
    d->kind = *kind;
    *ret = d;
    return SP_OK;
}

/* The first opening of d, which ends up in use. `up` NULL: an anchor. */
static enum sp_code
open_first(struct sp_source_dir *d, const union sp_dir_at *up, bool search, struct sp_err *e)
{
    struct sp_dirs *p = d->pool;
    union sp_dir_at at;
    enum sp_code rc;

    rc = open_folder(p, up, d->name, search ? SP_DIR_EITHER : SP_DIR_LIST, &at, e);
    if (rc != SP_OK)
        return rc;
    rc = sp_dir_os_identify(p->host, at, d->up != NULL ? &d->up->known : NULL, &d->known, e);
    if (rc != SP_OK) {
        sp_dir_os_close(p->host, at);
        return rc;
    }
    sp_mutex_lock(&p->lock);
    give_open(d, at);
    sp_mutex_unlock(&p->lock);
    return SP_OK;
}

enum sp_code
sp_dir_anchor(struct sp_dirs *p, const char *path, const struct sp_dir_kind *kind,
    struct sp_source_dir **ret, struct sp_err *e)
{
    struct sp_source_dir *d = NULL;
    enum sp_code rc;

    if ((rc = dir_new(p, NULL, path, kind, &d, e)) != SP_OK)
        return rc;
    if ((rc = open_first(d, NULL, true, e)) != SP_OK) {
        sp_err_context(e, "'%.400s'", path);
        sp_dir_release(d);
        return rc;
    }
    sp_dir_unuse(d);
    *ret = d;
    return SP_OK;
}

static bool
same_folder(const struct sp_dir_known *a, const struct sp_dir_known *b)
{
    return a->device == b->device && a->file_id == b->file_id;
}

enum sp_code
sp_dir_open(struct sp_source_dir *up, const char *name, const struct sp_dir_known *seen,
    bool search, struct sp_source_dir **ret, union sp_dir_at *ret_at, struct sp_err *e)
{
    struct sp_source_dir *d = NULL;
    union sp_dir_at at;
    enum sp_code rc;

    if ((rc = sp_dir_use(up, &at, e)) != SP_OK)
        return rc;
    if ((rc = dir_new(up->pool, up, name, &up->kind, &d, e)) != SP_OK)
        goto out;
    if ((rc = open_first(d, &at, search, e)) != SP_OK)
        goto out;
    if (seen != NULL && !same_folder(&d->known, seen)) {
        sp_dir_unuse(d);
        rc = sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "another folder has taken its place");
        goto out;
    }
    *ret_at = d->at;
    *ret = d;
    d = NULL;
out:
    sp_dir_release(d);
    sp_dir_unuse(up);
    return rc;
}

struct sp_source_dir *
sp_dir_hold(struct sp_source_dir *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void
sp_dir_release(struct sp_source_dir *d)
{
    /* A loop, not a recursion: a chain may be as deep as the tree. */
    while (d != NULL && atomic_fetch_sub(&d->refs, 1) == 1) {
        struct sp_source_dir *up = d->up;
        struct sp_dirs *p = d->pool;

        /* No one has it any more, but the pool may be closing it for another. */
        sp_mutex_lock(&p->lock);
        if (d->open) {
            list_take(p, d);
            p->nopen--;
        }
        sp_mutex_unlock(&p->lock);
        if (d->open)
            sp_dir_os_close(p->host, d->at);
        free(d);
        sp_dirs_release(p);
        d = up;
    }
}

/* --- using ---------------------------------------------------------------------------------------
 */

/* Nothing is listed through a folder that was opened again. */
static enum sp_code
open_again(const struct sp_source_dir *d, const union sp_dir_at *up, union sp_dir_at *ret,
    struct sp_err *e)
{
    struct sp_dirs *p = d->pool;
    struct sp_dir_known now;
    union sp_dir_at at;
    enum sp_code rc;

    if ((rc = open_folder(p, up, d->name, SP_DIR_SEARCH, &at, e)) != SP_OK)
        return rc;
    rc = sp_dir_os_identify(p->host, at, d->up != NULL ? &d->up->known : NULL, &now, e);
    if (rc == SP_OK && !same_folder(&now, &d->known))
        rc = sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "another folder has taken its place");
    if (rc != SP_OK) {
        sp_dir_os_close(p->host, at);
        return rc;
    }
    *ret = at;
    return SP_OK;
}

/* From `from` (in use, for us; NULL: nothing is open) down to its grandchild chain[0]; chain[n - 1]
 * is its child. What was opened on the way stays open as long as there is room: a walk that comes
 * up again needs it next. */
static enum sp_code
walk_down(struct sp_dirs *p, struct sp_source_dir *from, struct sp_source_dir **chain, size_t n,
    union sp_dir_at *ret, struct sp_err *e)
{
    union sp_dir_at up = {0};
    enum sp_code rc = SP_OK;

    if (from != NULL)
        up = from->at;
    while (n-- > 0 && rc == SP_OK) {
        struct sp_source_dir *d = chain[n];
        union sp_dir_at at;
        bool spare = false;

        rc = open_again(d, from != NULL ? &up : NULL, &at, e);
        sp_mutex_lock(&p->lock);
        if (rc == SP_OK && !d->open) {
            give_open(d, at);
        } else if (rc == SP_OK) { /* another thread was faster */
            begin_use(d);
            spare = true;
        }
        if (from != NULL)
            end_use(from);
        if (rc == SP_OK) {
            from = d;
            up = d->at;
        }
        sp_mutex_unlock(&p->lock);
        if (spare)
            sp_dir_os_close(p->host, at);
    }
    if (rc == SP_OK)
        *ret = up;
    return rc;
}

/* d and the folders above it, as many as there are; an array of that size, not filled. */
static enum sp_code
chain_new(const struct sp_source_dir *d, struct sp_source_dir ***ret, struct sp_err *e)
{
    size_t n = 0;

    for (; d != NULL; d = d->up)
        n++;
    if ((*ret = malloc(n * sizeof **ret)) == NULL)
        return sp_fail_nomem(e);
    return SP_OK;
}

enum sp_code
sp_dir_use(struct sp_source_dir *d, union sp_dir_at *ret, struct sp_err *e)
{
    struct sp_dirs *p = d->pool;
    struct sp_source_dir *at, **chain;
    size_t n = 0;
    enum sp_code rc;

    sp_mutex_lock(&p->lock);
    if (d->open) {
        begin_use(d);
        *ret = d->at;
        sp_mutex_unlock(&p->lock);
        return SP_OK;
    }
    sp_mutex_unlock(&p->lock);
    if ((rc = chain_new(d, &chain, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&p->lock);
    for (at = d; at != NULL && !at->open; at = at->up)
        chain[n++] = at;
    if (at != NULL)
        begin_use(at);
    sp_mutex_unlock(&p->lock);
    /* n = 0: another thread opened it just now. */
    rc = walk_down(p, at, chain, n, ret, e);
    free(chain);
    return rc;
}

void
sp_dir_unuse(struct sp_source_dir *d)
{
    sp_mutex_lock(&d->pool->lock);
    end_use(d);
    sp_mutex_unlock(&d->pool->lock);
}
