#include "client/target_impl_win32.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/ntfs_here.h"

/* The target itself: the folder that is restored to, or, in place, what holds the drives. */

/* "C:/a/b" becomes "C:/a"; false: nothing but a drive or a share is left. */
static bool
cut(char *path, char **ret_name)
{
    char *end = strrchr(path, '/');
    size_t slashes = 0;

    for (const char *p = path; *p != '\0'; p++)
        slashes += *p == '/';
    if (end == NULL || end[1] == '\0' || (path[0] == '/' && slashes < 4))
        return false;
    *end = '\0';
    *ret_name = end + 1;
    return true;
}

/* A drive needs its slash: "C:" would be its current folder. */
static enum sp_code
open_path(struct sp_target *t, const char *path, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    const char *last = strrchr(path, '/');
    struct sp_buf b = SP_BUF_INIT;
    size_t slashes = 0;
    enum sp_code rc;

    for (const char *p = path; *p != '\0'; p++)
        slashes += *p == '/';
    sp_buf_put_str(&b, path);
    if (last == NULL || (path[0] == '/' && slashes < 4 && last[1] != '\0'))
        sp_buf_put_u8(&b, '/');
    (void)sp_buf_str(&b);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = fs->open_path(fs->self, (const char *)b.data, NTFS_LIST, ret, e);
    sp_buf_free(&b);
    return rc;
}

/* The last components of `path` that are not there, each in the one before it. */
static enum sp_code
make_below(struct sp_target *t, struct sp_ntfs_handle *at, char *missing, const char *end,
    struct sp_ntfs_handle **ret, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    enum sp_code rc = SP_OK;

    while (missing < end) {
        struct sp_ntfs_handle *next = NULL;

        rc = fs->create_at(fs->self, at, missing, true, 0, NULL, 0, &next, e);
        t->made = rc == SP_OK;
        if (rc == SP_EXISTS)
            rc = fs->open_at(fs->self, at, missing, NTFS_FOLDER, NTFS_LIST, &next, e);
        if (rc != SP_OK) {
            (void)target_fail(e, missing);
            (void)target_fail(e, "cannot make the folder");
        }
        target_close(t, at);
        at = next;
        if (rc != SP_OK)
            return rc;
        missing += strlen(missing) + 1;
    }
    *ret = at;
    return SP_OK;
}

static enum sp_code
make_path(struct sp_target *t, const char *path, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    size_t n = strlen(path);
    char *copy = malloc(n + 1), *missing = NULL;
    struct sp_ntfs_handle *at = NULL;
    enum sp_code rc = SP_ABSENT;

    if (copy == NULL)
        return sp_fail_nomem(e);
    memcpy(copy, path, n + 1);
    while (rc == SP_ABSENT && cut(copy, &missing))
        rc = open_path(t, copy, &at, e);
    if (rc == SP_OK)
        rc = make_below(t, at, missing, copy + n, ret, e);
    free(copy);
    return rc;
}

/* Without slashes at its end; a drive's own stays away too, open_path puts it back. */
static char *
trimmed(const char *path)
{
    size_t n = strlen(path);
    char *copy = malloc(n + 1);

    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i <= n; i++)
        copy[i] = path[i] == '\\' ? '/' : path[i];
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    return copy;
}

static enum sp_code
enter_path(struct sp_target *t, const struct sp_target_options *o, struct sp_target_dir *d,
    struct sp_err *e)
{
    char *path = trimmed(o->path);
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if (path == NULL)
        return sp_fail_nomem(e);
    rc = open_path(t, path, &h, e);
    if (rc == SP_ABSENT && o->make)
        rc = make_path(t, path, &h, e);
    free(path);
    if (rc != SP_OK) {
        sp_err_context(e, "the target folder %.400s cannot be opened", o->path);
        return target_fail(e, "restoring");
    }
    if ((rc = t->fs->info(t->fs->self, h, &info, e)) == SP_OK &&
        (info.attributes & NTFS_DIRECTORY) == 0)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION, "the target %.400s is no folder", o->path);
    if (rc != SP_OK) {
        target_close(t, h);
        return rc;
    }
    if ((rc = target_dir_begin(d, h, !t->made, e)) != SP_OK)
        return rc;
    d->point = false; /* the user's own choice */
    return SP_OK;
}

/* What a folder of this volume does that was not told otherwise. */
static void
probe(struct sp_target_dir *d)
{
    struct sp_err ignored = {0};
    bool sensitive = false;

    if (d->t->fs->case_sensitive(d->t->fs->self, d->h, &sensitive, &ignored) != SP_OK)
        sensitive = false;
    d->folds = target_probe_folding(d->t, d->h);
    d->would_fold = d->folds || sensitive;
}

enum sp_code
target_root_enter(struct sp_target *t, const struct sp_target_options *o, struct sp_err *e)
{
    struct sp_target_dir *d = target_dir_new(t, NULL, "");
    enum sp_code rc;

    if (d == NULL)
        return sp_fail_nomem(e);
    if (o->path == NULL) {
        d->is_virtual = d->existed = true;
        target_handles_add(&t->handles, &d->node, true);
    } else if ((rc = enter_path(t, o, d, e)) != SP_OK) {
        sp_target_dir_release(d);
        return rc;
    } else if (o->probe) {
        probe(d);
    }
    t->root = d;
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
    t->fs = sp_ntfs_here();
    t->may = t->fs->privileges(t->fs->self);
    t->in_place = o->path == NULL;
    t->probe = o->probe;
    target_handles_init(&t->handles, TARGET_HANDLES, target_dir_open_again, target_dir_close);
    target_notes_init(&t->notes, o->note, o->arg);
    if ((rc = target_temp_init(&t->temp, env, e)) != SP_OK)
        goto out;
    if ((rc = target_root_enter(t, o, e)) != SP_OK)
        goto out;
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
    target_notes_destroy(&t->notes);
    target_handles_destroy(&t->handles);
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
    return d->folds;
}

uint64_t
sp_target_unsupported(const struct sp_target *t)
{
    return atomic_load(&t->notes.count);
}

static enum sp_code
same_file(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    uint64_t *id = arg;

    (void)e;
    *id = l->info.file_id;
    return SP_OK;
}

/* By doing: a file, and a look at its name in capitals. Where nothing can be made nothing folds. */
bool
target_probe_folding(struct sp_target *t, struct sp_ntfs_handle *dir)
{
    const struct sp_ntfs *fs = t->fs;
    char name[TARGET_TEMP_NAME], twin[TARGET_TEMP_NAME];
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    struct sp_err ignored = {0};
    uint64_t id = 0;
    bool folds;

    target_temp_name(&t->temp, name);
    for (size_t i = 0; i < sizeof twin; i++)
        twin[i] = (char)toupper((unsigned char)name[i]);
    if (fs->create_at(fs->self, dir, name, false, 0, NULL, 0, &h, &ignored) != SP_OK)
        return false;
    folds = fs->info(fs->self, h, &info, &ignored) == SP_OK &&
            fs->find(fs->self, dir, twin, same_file, &id, &ignored) == SP_OK && id == info.file_id;
    target_discard(t, h);
    return folds;
}
