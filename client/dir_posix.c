#include "client/dir_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "client/owner_posix.h"
#include "client/stat_posix.h"

struct sp_source_dir {
    atomic_uint refs;
    struct sp_dirs *pool;
    struct sp_source_dir *up; /* counted; NULL: an anchor, whose name is a path */
    struct sp_dir_kind kind;
    uint64_t device, inode;
    /* Under the pool's lock. Open and not in use: in the pool's list, where the oldest is closed
     * first. */
    int fd;
    unsigned users;
    struct sp_source_dir *older, *newer;
    char name[];
};

struct sp_dirs {
    atomic_uint refs;
    struct sp_mutex lock;
    size_t nopen, most_open;
    struct sp_source_dir *oldest, *newest;
    struct sp_owners *owners;
};

enum sp_code
sp_dirs_new(size_t most_open, struct sp_dirs **ret, struct sp_err *e)
{
    struct sp_dirs *p = calloc(1, sizeof *p);
    enum sp_code rc;

    if (p == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_owners_new(&p->owners, e)) != SP_OK) {
        free(p);
        return rc;
    }
    atomic_init(&p->refs, 1);
    sp_mutex_init(&p->lock);
    p->most_open = most_open;
    *ret = p;
    return SP_OK;
}

void
sp_dirs_release(struct sp_dirs *p)
{
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    sp_owners_free(p->owners);
    sp_mutex_destroy(&p->lock);
    free(p);
}

struct sp_owners *
sp_dirs_owners(struct sp_dirs *p)
{
    return p->owners;
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

struct sp_dirs *
sp_dir_pool(const struct sp_source_dir *d)
{
    return d->pool;
}

uint64_t
sp_dir_device(const struct sp_source_dir *d)
{
    return d->device;
}

/* Only the owner and root may leave the time of access alone. */
static int
open_kindly(int dir, const char *name, int flags)
{
    int fd, more = O_NOATIME;

    do {
        fd = openat(dir, name, flags | more | O_CLOEXEC);
        if (fd >= 0 || (errno == EPERM && more == 0) || (errno != EPERM && errno != EINTR))
            return fd;
        if (errno == EPERM)
            more = 0;
    } while (true);
}

int
sp_source_openat(int dir, const char *name, int flags)
{
    return open_kindly(dir, name, flags | O_NOFOLLOW | O_NOCTTY);
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

/* Closes what is not in use until `most` are left. A folder was only read: its close tells nothing.
 */
static void
trim(struct sp_dirs *p, size_t most)
{
    while (p->nopen > most && p->oldest != NULL) {
        struct sp_source_dir *d = p->oldest;

        list_take(p, d);
        (void)close(d->fd);
        d->fd = -1;
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

/* A descriptor that was just opened; d has none and is not in use. */
static void
give_descriptor(struct sp_source_dir *d, int fd)
{
    d->fd = fd;
    d->users = 1;
    d->pool->nopen++;
    trim(d->pool, d->pool->most_open);
}

/* --- opening -------------------------------------------------------------------------------------
 */

/* When the process has no descriptor left, ours that merely wait go first. `up` AT_FDCWD: an
 * anchor. */
static int
open_folder(struct sp_dirs *p, int up, const char *name, int flags)
{
    int fd;

    flags |= O_DIRECTORY | (up == AT_FDCWD ? 0 : O_NOFOLLOW);
    fd = open_kindly(up, name, flags);

    if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    sp_mutex_lock(&p->lock);
    trim(p, 0);
    sp_mutex_unlock(&p->lock);
    return open_kindly(up, name, flags);
}

/* No link is followed and only a folder is taken: anything else in its place answers ENOTDIR or
 * ELOOP. */
static enum sp_code
fail_open(struct sp_err *e, int why)
{
    if (why == ENOTDIR || why == ELOOP)
        return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it is no longer a folder");
    return sp_fail_os(e, sp_source_domain(why), why, "the folder cannot be opened");
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
    d->fd = -1;
    *ret = d;
    return SP_OK;
}

/* Which folder it is that was opened, for the first time (a new one) or again. */
static enum sp_code
identify(int fd, uint64_t *ret_device, uint64_t *ret_inode, struct sp_err *e)
{
    struct statx st;

    if (sp_source_stat(fd, "", &st) != 0)
        return sp_fail_os(e, sp_source_domain(errno), errno, "the folder cannot be looked at");
    *ret_device = sp_stat_device(&st);
    *ret_inode = st.stx_ino;
    return SP_OK;
}

/* The first opening of d, which ends up in use. */
static enum sp_code
open_first(struct sp_source_dir *d, int up, bool search, struct sp_err *e)
{
    int fd = open_folder(d->pool, up, d->name, O_RDONLY);
    enum sp_code rc;

    if (fd < 0 && errno == EACCES && search)
        fd = open_folder(d->pool, up, d->name, O_PATH);
    if (fd < 0)
        return fail_open(e, errno);
    if ((rc = identify(fd, &d->device, &d->inode, e)) != SP_OK) {
        (void)close(fd);
        return rc;
    }
    sp_mutex_lock(&d->pool->lock);
    give_descriptor(d, fd);
    sp_mutex_unlock(&d->pool->lock);
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
    if ((rc = open_first(d, AT_FDCWD, true, e)) != SP_OK) {
        sp_err_context(e, "'%.400s'", path);
        sp_dir_release(d);
        return rc;
    }
    sp_dir_unuse(d);
    *ret = d;
    return SP_OK;
}

enum sp_code
sp_dir_open(struct sp_source_dir *up, const char *name, const struct statx *seen, bool search,
    struct sp_source_dir **ret, int *ret_fd, struct sp_err *e)
{
    struct sp_source_dir *d = NULL;
    int fd;
    enum sp_code rc;

    if ((rc = sp_dir_use(up, &fd, e)) != SP_OK)
        return rc;
    if ((rc = dir_new(up->pool, up, name, &up->kind, &d, e)) != SP_OK)
        goto out;
    if ((rc = open_first(d, fd, search, e)) != SP_OK)
        goto out;
    if (seen != NULL && (d->device != sp_stat_device(seen) || d->inode != seen->stx_ino)) {
        sp_dir_unuse(d);
        rc = sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "another folder has taken its place");
        goto out;
    }
    *ret_fd = d->fd;
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
        if (d->fd >= 0) {
            list_take(p, d);
            p->nopen--;
        }
        sp_mutex_unlock(&p->lock);
        if (d->fd >= 0)
            (void)close(d->fd);
        free(d);
        sp_dirs_release(p);
        d = up;
    }
}

/* --- using ---------------------------------------------------------------------------------------
 */

/* O_PATH: nothing is listed through a folder that was opened again. */
static enum sp_code
open_again(const struct sp_source_dir *d, int up, int *ret_fd, struct sp_err *e)
{
    uint64_t device, inode;
    int fd = open_folder(d->pool, up, d->name, O_PATH);
    enum sp_code rc;

    if (fd < 0)
        return fail_open(e, errno);
    if ((rc = identify(fd, &device, &inode, e)) == SP_OK &&
        (device != d->device || inode != d->inode))
        rc = sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "another folder has taken its place");
    if (rc != SP_OK) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return SP_OK;
}

/* From `at` (in use, for us; NULL: nothing is open) down to its grandchild chain[0]; chain[n - 1]
 * is its child. What was opened on the way stays open as long as there is room: a walk that comes
 * up again needs it next. */
static enum sp_code
walk_down(struct sp_dirs *p, struct sp_source_dir *at, struct sp_source_dir **chain, size_t n,
    int *ret_fd, struct sp_err *e)
{
    int up = at != NULL ? at->fd : AT_FDCWD;
    enum sp_code rc = SP_OK;

    while (n-- > 0 && rc == SP_OK) {
        struct sp_source_dir *d = chain[n];
        int fd = -1;

        rc = open_again(d, up, &fd, e);
        sp_mutex_lock(&p->lock);
        if (rc == SP_OK && d->fd < 0) {
            give_descriptor(d, fd);
            fd = -1;
        } else if (rc == SP_OK) { /* another thread was faster */
            begin_use(d);
        }
        if (at != NULL)
            end_use(at);
        if (rc == SP_OK) {
            at = d;
            up = d->fd;
        }
        sp_mutex_unlock(&p->lock);
        if (fd >= 0)
            (void)close(fd);
    }
    if (rc == SP_OK)
        *ret_fd = up;
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
sp_dir_use(struct sp_source_dir *d, int *ret_fd, struct sp_err *e)
{
    struct sp_dirs *p = d->pool;
    struct sp_source_dir *at, **chain;
    size_t n = 0;
    enum sp_code rc;

    sp_mutex_lock(&p->lock);
    if (d->fd >= 0) {
        begin_use(d);
        *ret_fd = d->fd;
        sp_mutex_unlock(&p->lock);
        return SP_OK;
    }
    sp_mutex_unlock(&p->lock);
    if ((rc = chain_new(d, &chain, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&p->lock);
    for (at = d; at != NULL && at->fd < 0; at = at->up)
        chain[n++] = at;
    if (at != NULL)
        begin_use(at);
    sp_mutex_unlock(&p->lock);
    /* n = 0: another thread opened it just now. */
    rc = walk_down(p, at, chain, n, ret_fd, e);
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
