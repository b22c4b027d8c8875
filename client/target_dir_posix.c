#include "client/target_impl_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/stat_posix.h"

/* Folders of the target: handles, and how a closed descriptor comes back. */

/* --- opening
 * ------------------------------------------------------------------------------------------- */

static enum sp_code
open_folder(int up, const char *name, int *ret_fd, uint64_t *ret_device, uint64_t *ret_inode,
    struct sp_err *e)
{
    struct statx st;
    int fd, why;

    do
        fd = openat(up, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    why = errno;
    if (fd < 0 && (why == ENOTDIR || why == ELOOP))
        return sp_fail(
            e, SP_REFUSED, SP_DOM_DESTINATION, "something that is no folder is in its place");
    if (fd < 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, why, "the folder cannot be opened");
    if (sp_source_stat(fd, "", &st) != 0) {
        why = errno;
        (void)close(fd);
        return sp_fail_os(e, SP_DOM_DESTINATION, why, "the folder cannot be looked at");
    }
    *ret_device = sp_stat_device(&st);
    *ret_inode = st.stx_ino;
    *ret_fd = fd;
    return SP_OK;
}

static enum sp_code
open_again(struct target_node *n, struct target_node *up, struct sp_err *e)
{
    struct sp_target_dir *d = (struct sp_target_dir *)n;
    uint64_t device, inode;
    int fd = -1;
    enum sp_code rc;

    if ((rc = open_folder(((struct sp_target_dir *)up)->fd, d->name, &fd, &device, &inode, e)) !=
        SP_OK)
        return rc;
    if (device != d->device || inode != d->inode) {
        (void)close(fd);
        return sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "another folder was put in the place of one that is being restored");
    }
    d->fd = fd;
    return SP_OK;
}

/* An O_PATH descriptor has nothing to lose in its close. */
static void
close_node(struct target_node *n)
{
    struct sp_target_dir *d = (struct sp_target_dir *)n;

    (void)close(d->fd);
    d->fd = -1;
}

enum sp_code
target_dir_use(struct sp_target_dir *d, int *ret_fd, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = target_handles_use(&d->t->handles, &d->node, e)) == SP_OK)
        *ret_fd = d->fd;
    return rc;
}

void
target_dir_unuse(struct sp_target_dir *d)
{
    target_handles_unuse(&d->t->handles, &d->node);
}

static struct sp_target_dir *
dir_new(struct sp_target *t, struct sp_target_dir *up, const char *name)
{
    size_t n = strlen(name);
    struct sp_target_dir *d = calloc(1, sizeof *d + n + 1);

    if (d == NULL)
        return NULL;
    memcpy(d->name, name, n + 1);
    atomic_init(&d->refs, 1);
    d->t = t;
    d->up = up != NULL ? sp_target_dir_hold(up) : NULL;
    d->node.up = up != NULL ? &up->node : NULL;
    d->fd = -1;
    return d;
}

/* Opens `name` in the folder `up`, whose descriptor the caller has in use. */
static enum sp_code
take(struct sp_target_dir *up, int up_fd, const char *name, bool existed,
    struct sp_target_dir **ret, struct sp_err *e)
{
    struct sp_target_dir *d = dir_new(up->t, up, name);
    int fd = -1;
    enum sp_code rc;

    if (d == NULL)
        return sp_fail_nomem(e);
    if ((rc = open_folder(up_fd, name, &fd, &d->device, &d->inode, e)) != SP_OK) {
        sp_target_dir_release(d);
        return rc;
    }
    d->existed = existed;
    d->fd = fd;
    target_handles_add(&d->t->handles, &d->node, false);
    *ret = d;
    return SP_OK;
}

enum sp_code
sp_target_dir_make(struct sp_target_dir *up, const char *name, const struct sp_entry *en,
    struct sp_target_dir **ret, struct sp_err *e)
{
    int fd;
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(up, &fd, e)) != SP_OK)
        return rc;
    if (mkdirat(fd, name, 0700) != 0)
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "the folder cannot be made");
    else if ((rc = take(up, fd, name, false, ret, e)) == SP_OK && en != NULL)
        target_ntfs_prepare(*ret, en);
    target_dir_unuse(up);
    return rc;
}

enum sp_code
sp_target_dir_enter(
    struct sp_target_dir *up, const char *name, struct sp_target_dir **ret, struct sp_err *e)
{
    int fd;
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(up, &fd, e)) != SP_OK)
        return rc;
    rc = take(up, fd, name, true, ret, e);
    target_dir_unuse(up);
    return rc;
}

bool
sp_target_dir_is_new(const struct sp_target_dir *d)
{
    return !d->existed;
}

struct sp_target_dir *
sp_target_dir_hold(struct sp_target_dir *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void
sp_target_dir_release(struct sp_target_dir *d)
{
    /* A loop, not a recursion: a chain may be as deep as the tree. */
    while (d != NULL && atomic_fetch_sub(&d->refs, 1) == 1) {
        struct sp_target_dir *up = d->up;

        target_handles_remove(&d->t->handles, &d->node);
        free(d);
        d = up;
    }
}

/* --- the target itself
 * --------------------------------------------------------------------------------- */

/* Links in this path are the user's own and are followed. */
static int
open_root(const char *path)
{
    int fd;

    do
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum sp_code
make_root(const char *path, bool *ret_made, struct sp_err *e)
{
    char *copy = strdup(path);
    enum sp_code rc = SP_OK;

    if (copy == NULL)
        return sp_fail_nomem(e);
    for (char *p = copy + 1; *p != '\0' && rc == SP_OK; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "cannot make the folder %.400s", copy);
        *p = '/';
    }
    if (rc == SP_OK) {
        *ret_made = mkdir(path, 0700) == 0;
        if (!*ret_made && errno != EEXIST)
            rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "cannot make the folder %.400s", path);
    }
    free(copy);
    return rc;
}

static enum sp_code
enter_root(struct sp_target *t, const struct sp_target_options *o, struct sp_err *e)
{
    const char *path = o->path != NULL ? o->path : "/";
    struct sp_target_dir *d;
    struct statx st;
    int fd = open_root(path);
    enum sp_code rc;

    if (fd < 0 && errno == ENOENT && o->make) {
        if ((rc = make_root(path, &t->made, e)) != SP_OK)
            return rc;
        fd = open_root(path);
    }
    if (fd < 0)
        return sp_fail_os(
            e, SP_DOM_DESTINATION, errno, "the target folder %.400s cannot be opened", path);
    if (sp_source_stat(fd, "", &st) != 0) {
        rc = sp_fail_os(
            e, SP_DOM_DESTINATION, errno, "the target folder %.400s cannot be looked at", path);
        (void)close(fd);
        return rc;
    }
    if ((d = dir_new(t, NULL, "")) == NULL) {
        (void)close(fd);
        return sp_fail_nomem(e);
    }
    d->device = sp_stat_device(&st);
    d->inode = st.stx_ino;
    d->existed = !t->made;
    d->fd = fd;
    target_handles_add(&t->handles, &d->node, true);
    t->root = d;
    return SP_OK;
}

static enum sp_code
read_groups(struct sp_target *t, struct sp_err *e)
{
    int n = getgroups(0, NULL);

    if (n < 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "the groups of this process cannot be read");
    if ((t->groups = calloc((size_t)n + 1, sizeof *t->groups)) == NULL)
        return sp_fail_nomem(e);
    if (n > 0 && (n = getgroups(n, t->groups)) < 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "the groups of this process cannot be read");
    t->groups[n] = getegid();
    t->ngroups = (size_t)n + 1;
    return SP_OK;
}

enum sp_code
sp_target_open(const struct sp_env *env, const struct sp_target_options *o, struct sp_target **ret,
    struct sp_err *e)
{
    struct sp_target *t = calloc(1, sizeof *t);
    enum sp_code rc;

    if (t == NULL)
        return sp_fail_nomem(e);
    t->env = env;
    t->numeric_owner = o->numeric_owner;
    t->euid = geteuid();
    target_handles_init(&t->handles, TARGET_HANDLES, open_again, close_node);
    target_notes_init(&t->notes, o->note, o->arg);
    if ((rc = target_temp_init(&t->temp, env, e)) != SP_OK)
        goto out;
    if ((rc = read_groups(t, e)) != SP_OK)
        goto out;
    if ((rc = target_ids_new(&t->ids, e)) != SP_OK)
        goto out;
    if ((rc = enter_root(t, o, e)) != SP_OK)
        goto out;
    if (o->probe)
        target_probe_folding(t);
    *ret = t;
    t = NULL;
out:
    sp_target_free(t);
    return rc;
}

void
sp_target_free(struct sp_target *t)
{
    if (t == NULL)
        return;
    sp_target_dir_release(t->root);
    target_ids_free(t->ids);
    target_notes_destroy(&t->notes);
    target_handles_destroy(&t->handles);
    free(t->groups);
    free(t);
}

struct sp_target_dir *
sp_target_root(struct sp_target *t)
{
    return t->root;
}

bool
sp_target_made(const struct sp_target *t)
{
    return t->made;
}

bool
sp_target_folds(const struct sp_target_dir *d)
{
    return d->t->folds;
}

uint64_t
sp_target_unsupported(const struct sp_target *t)
{
    return atomic_load(&t->notes.count);
}
