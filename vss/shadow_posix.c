#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "base/text.h"
#include "vss/btrfs_linux.h"
#include "vss/journal.h"
#include "vss/mounts_linux.h"
#include "vss/volumes.h"

/* --- which volumes there are ----------------------------------------------------------------- */

struct search {
    struct sp_shadow *s;
    const char *below; /* subvolumes at or below this path count */
};

static enum sp_code
add_subvolume(struct sp_shadow *s, const char *subvolume, struct sp_err *e)
{
    struct volume *v;
    enum sp_code rc;

    if ((rc = volumes_add(s, subvolume, "btrfs", &v, e)) != SP_OK)
        return rc;
    if (v->subvolume == NULL && (v->subvolume = strdup(subvolume)) == NULL)
        return sp_fail_nomem(e);
    return SP_OK;
}

static enum sp_code
found_nested(void *arg, const char *path, struct sp_err *e)
{
    struct search *search = arg;

    if (strstr(path, "/" BTRFS_SHADOW_PREFIX) != NULL) /* a shadow of ours or of another run */
        return SP_OK;
    return path_within(search->below, path) ? add_subvolume(search->s, path, e) : SP_OK;
}

/* The subvolume of `start` and those below it; what cannot have a shadow becomes a live volume with
 * the reason. */
static enum sp_code
add_btrfs(struct sp_shadow *s, const char *start, const char *mount_point, struct sp_err *e)
{
    struct search search = {s, start};
    struct sp_err why = {0};
    struct volume *v;
    char *subvolume = NULL;
    enum sp_code rc;

    rc = btrfs_subvolume_root(start, mount_point, &subvolume, &why);
    if (rc == SP_OK)
        rc = btrfs_nested(subvolume, found_nested, &search, &why);
    if (rc == SP_OK)
        rc = add_subvolume(s, subvolume, e);
    else if (rc != SP_NOMEM && (rc = volumes_add(s, mount_point, "btrfs", &v, e)) == SP_OK)
        rc = volume_set_reason(v, why.text, e);
    free(subvolume);
    return rc;
}

static enum sp_code
add_mount(struct sp_shadow *s, const struct mount *m, const char *start, bool shadows, bool is_root,
    struct sp_err *e)
{
    struct volume *v;
    char reason[160];
    enum sp_code rc;

    if (strcmp(m->type, "btrfs") == 0 && shadows)
        return add_btrfs(s, start, m->path, e);
    if ((rc = volumes_add(s, m->path, m->type, &v, e)) != SP_OK)
        return rc;
    v->v.pseudo = mount_is_pseudo(m) && !is_root;
    if (shadows)
        (void)snprintf(
            reason, sizeof(reason), "shadows of %s are not possible: only btrfs has them", m->type);
    else
        (void)snprintf(reason, sizeof(reason), "no shadow was asked for");
    return volume_set_reason(v, reason, e);
}

static enum sp_code
find_volumes(struct sp_shadow *s, const struct sp_shadow_options *o, struct sp_err *e)
{
    struct mounts mounts = {NULL, 0};
    struct sp_buf path = SP_BUF_INIT;
    bool shadows = o->want != SP_SHADOW_NONE;
    size_t i, k;
    enum sp_code rc;

    if ((rc = mounts_read(&mounts, e)) != SP_OK)
        return rc;
    for (i = 0; i < o->nroots && rc == SP_OK; i++) {
        sp_buf_reset(&path);
        sp_key_to_path(o->roots[i].key, o->roots[i].key_len, &path);
        if ((rc = sp_buf_ok(&path, e)) != SP_OK)
            break;
        rc = add_mount(
            s, mounts_cover(&mounts, sp_buf_str(&path)), sp_buf_str(&path), shadows, true, e);
        for (k = 0; k < mounts.n && rc == SP_OK && !o->one_file_system; k++) {
            if (path_within(sp_buf_str(&path), mounts.m[k].path) &&
                strcmp(sp_buf_str(&path), mounts.m[k].path) != 0)
                rc = add_mount(s, &mounts.m[k], mounts.m[k].path, shadows, false, e);
        }
    }
    sp_buf_free(&path);
    mounts_clear(&mounts);
    volumes_sort(s);
    return rc;
}

/* --- making them ----------------------------------------------------------------------------- */

static enum sp_code
name_shadows(struct sp_shadow *s, const char *token, const char *journal_dir, size_t *ret_n,
    struct sp_err *e)
{
    char **paths = calloc(s->n > 0 ? s->n : 1, sizeof(*paths));
    char name[192];
    size_t i, n = 0;
    enum sp_code rc = SP_OK;

    if (paths == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < s->n; i++) {
        if (s->volumes[i].subvolume == NULL)
            continue;
        (void)snprintf(name, sizeof(name), BTRFS_SHADOW_PREFIX "%s-%zu", token, i);
        s->volumes[i].shadow = sp_path_join(s->volumes[i].subvolume, name);
        if (s->volumes[i].shadow == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        paths[n++] = s->volumes[i].shadow;
    }
    *ret_n = n;
    if (n == 0)
        goto out;
    (void)snprintf(name, sizeof(name), "%s" SP_JOURNAL_SUFFIX, token);
    s->journal = sp_path_join(journal_dir, name);
    rc = s->journal == NULL
             ? sp_fail_nomem(e)
             : sp_journal_write(s->env, s->journal, (const char *const *)paths, n, e);
out:
    free(paths);
    return rc;
}

static enum sp_code
make(struct sp_shadow *s, struct volume *v, enum sp_shadow_want want, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc;

    v->v.instant_ns = sp_clock_wall(s->env->clock);
    rc = btrfs_snapshot(v->subvolume, v->shadow, &why);
    if (rc == SP_OK) {
        v->v.source = "btrfs";
        v->v.level = SP_LEVEL_CRASH;
        v->v.read_path = strdup(v->shadow);
        return v->v.read_path == NULL ? sp_fail_nomem(e) : SP_OK;
    }
    free(v->shadow);
    v->shadow = NULL;
    v->v.instant_ns = 0;
    if (want == SP_SHADOW_REQUIRE) {
        *e = why;
        return rc;
    }
    return volume_set_reason(v, why.text, e);
}

enum sp_code
shadow_platform_plan(const struct sp_env *env, const struct sp_shadow_options *o,
    struct sp_shadow **ret, struct sp_err *e)
{
    struct sp_shadow *s;
    enum sp_code rc;

    if (o->nasked > 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "applications are asked for by name, and this machine has no VSS: name their files as "
            "paths, and stop or export them with 'before'");
    if ((s = calloc(1, sizeof(*s))) == NULL)
        return sp_fail_nomem(e);
    s->env = env;
    s->o = *o;
    if ((rc = find_volumes(s, o, e)) != SP_OK) {
        volumes_free(s);
        return rc;
    }
    *ret = s;
    return SP_OK;
}

enum sp_code
shadow_platform_take(struct sp_shadow *s, struct sp_err *e)
{
    uint8_t random[8];
    struct sp_hex token;
    size_t n = 0;
    enum sp_code rc;

    if (s->o.want == SP_SHADOW_NONE)
        return SP_OK;
    if ((rc = sp_random_fill(s->env->random, random, sizeof(random), e)) != SP_OK)
        return rc;
    token = sp_hex8(random);
    if ((rc = name_shadows(s, token.s, s->o.journal_dir, &n, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < s->n && rc == SP_OK; i++) {
        if (s->volumes[i].shadow != NULL)
            rc = make(s, &s->volumes[i], s->o.want, e);
    }
    if (rc == SP_OK && s->o.want == SP_SHADOW_REQUIRE)
        rc = volumes_required(s, ", or put the data on btrfs", e);
    return rc;
}

enum sp_code
shadow_platform_release(struct sp_shadow *s, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = SP_OK, one;
    size_t i;

    if (s == NULL)
        return SP_OK;
    for (i = s->n; i-- > 0;) { /* nested ones first */
        if (s->volumes[i].shadow == NULL)
            continue;
        one = btrfs_remove(s->volumes[i].shadow, &why);
        if (one != SP_OK && one != SP_ABSENT && rc == SP_OK) {
            rc = one;
            *e = why;
        }
    }
    if (rc == SP_OK && s->journal != NULL) {
        one = s->env->os->remove(s->env->os->self, s->journal, &why);
        if (one != SP_OK && one != SP_ABSENT) {
            rc = one;
            *e = why;
        }
    }
    volumes_free(s);
    return rc;
}

/* --- the janitor ----------------------------------------------------------------------------- */

struct sweep {
    const struct sp_env *env;
    size_t removed;
    struct sp_err first;
    enum sp_code rc;
};

static bool
ours(const char *path)
{
    const char *name = strrchr(path, '/');

    return name != NULL && strncmp(name + 1, BTRFS_SHADOW_PREFIX, strlen(BTRFS_SHADOW_PREFIX)) == 0;
}

static enum sp_code
sweep_one(void *arg, const char *file, struct sp_err *e)
{
    struct sweep *w = arg;
    struct sp_journal j;
    struct sp_err why = {0};
    enum sp_code rc;
    bool all = true;
    size_t i;

    if (sp_journal_read(w->env, file, &j, &why) != SP_OK)
        return SP_OK;             /* not readable as a journal: not ours to act on */
    if (j.alive || j.nsets > 0) { /* what VSS made VSS takes away */
        sp_journal_clear(&j);
        return SP_OK;
    }
    for (i = j.n; i-- > 0;) {
        if (!ours(j.paths[i]))
            continue;
        rc = btrfs_remove(j.paths[i], &why);
        if (rc == SP_OK)
            w->removed++;
        if (rc != SP_OK && rc != SP_ABSENT) {
            all = false;
            if (w->rc == SP_OK) {
                w->rc = rc;
                w->first = why;
            }
        }
    }
    sp_journal_clear(&j);
    if (all)
        (void)w->env->os->remove(w->env->os->self, file, &why);
    (void)e;
    return SP_OK;
}

enum sp_code
shadow_platform_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e)
{
    struct sweep w = {.env = env};
    enum sp_code rc = sp_journals(env, journal_dir, sweep_one, &w, e);

    if (rc == SP_OK && w.rc != SP_OK) {
        *e = w.first;
        rc = w.rc;
    }
    *ret_n = w.removed;
    return rc;
}
