#include "client/source_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/dir_os.h"

#define MOST_OPEN 64 /* folders; see dir.h */

static enum sp_code
fail_root(struct sp_err *e, const struct sp_bytes *root, enum sp_code code, const char *what)
{
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;

    sp_key_to_path(root->p, root->n, &path);
    sp_path_show(path.data, path.len, &shown);
    (void)sp_fail(e, code, code == SP_INVALID ? SP_DOM_CONFIG : SP_DOM_SOURCE, "'%.500s' %s",
        sp_buf_str(&shown), what);
    sp_buf_free(&path);
    sp_buf_free(&shown);
    return code;
}

enum sp_code
sp_source_set_key(
    struct sp_source *s, size_t folder_len, const void *name, size_t n, struct sp_err *e)
{
    s->key.len = folder_len;
    if (n > 0)
        sp_key_push(&s->key, name, n);
    (void)sp_buf_str(&s->key);
    return sp_buf_ok(&s->key, e);
}

static enum sp_code
copy_roots(struct sp_source *s, const struct sp_source_options *o, struct sp_err *e)
{
    if (o->nroots == 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "there is nothing to walk: no roots");
    if ((s->roots = calloc(o->nroots, sizeof *s->roots)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < o->nroots; i++) {
        const struct sp_bytes *root = &o->roots[i];

        if (!sp_key_valid(root->p, root->n))
            return fail_root(e, root, SP_INVALID, "is no valid path");
        if (i > 0 && sp_key_within(root[-1].p, root[-1].n, root->p, root->n))
            return fail_root(
                e, root, SP_INVALID, "lies in another of the paths, or is there twice");
        if (i > 0 && sp_key_cmp(root[-1].p, root[-1].n, root->p, root->n) > 0)
            return fail_root(e, root, SP_INVALID, "is out of order");
        if ((s->roots[i].p = malloc(root->n + 1)) == NULL)
            return sp_fail_nomem(e);
        if (root->n > 0)
            memcpy(s->roots[i].p, root->p, root->n);
        s->roots[i].n = root->n;
        s->nroots++;
    }
    return SP_OK;
}

/* Whether a root is there has to be known before anything is read. */
static enum sp_code
check_root(struct sp_source *s, const struct sp_bytes *root, struct sp_err *e)
{
    struct sp_place at = {0};
    struct sp_found found = {0};
    struct sp_found_how how = {.views = s->views, .host = sp_dirs_host(s->dirs)};
    enum sp_code rc;

    if ((rc = sp_source_set_key(s, 0, root->p, root->n, e)) != SP_OK)
        return rc;
    how.key = s->key.data;
    how.key_len = s->key.len;
    if ((rc = sp_views_find(s->views, (const char *)s->key.data, s->key.len, &at, e)) == SP_OK)
        rc = sp_found_look(&how, &at, &found, e);
    sp_found_clear(&found);
    if (rc == SP_OK && at.dir == NULL)
        rc = SP_UNSUPPORTED;
    sp_dir_release(at.dir);
    if (rc == SP_UNSUPPORTED)
        return fail_root(e, root, SP_INVALID, "is no folder of this system: name its drives");
    if (rc == SP_ABSENT)
        return fail_root(e, root, rc, "does not exist");
    if (rc == SP_CHANGED)
        return fail_root(e, root, SP_INVALID,
            "is reached through a symbolic link, or through something else that is no folder");
    if (rc != SP_OK) {
        struct sp_err why = *e;

        (void)fail_root(e, root, rc, why.text);
        e->domain = why.domain;
        e->os = why.os;
    }
    return rc;
}

enum sp_code
sp_source_open(const struct sp_env *env, const struct sp_source_options *o, struct sp_source **ret,
    struct sp_err *e)
{
    struct sp_source *s = calloc(1, sizeof *s);
    struct sp_source_host *host = NULL;
    enum sp_code rc;

    if (s == NULL || (s->folders.buffer = malloc(SP_LISTING_BUFFER)) == NULL ||
        (o->temp_dir != NULL && (s->temp_dir = strdup(o->temp_dir)) == NULL)) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    s->env = *env;
    s->filter = o->filter;
    s->one_file_system = o->one_file_system;
    s->left_out = o->left_out;
    s->left_out_arg = o->left_out_arg;
    s->folders.env = &s->env;
    s->folders.temp_dir = s->temp_dir;
    s->folders.cachedir_tag = o->cachedir_tag;
    if ((rc = copy_roots(s, o, e)) != SP_OK ||
        (rc = sp_source_host_new(&s->env, o, &host, e)) != SP_OK ||
        (rc = sp_dirs_new(MOST_OPEN, host, &s->dirs, e)) != SP_OK ||
        (rc = sp_views_new(o, s->dirs, &s->views, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < s->nroots; i++)
        if ((rc = check_root(s, &s->roots[i], e)) != SP_OK)
            goto out;
    *ret = s;
    s = NULL;
out:
    sp_source_free(s);
    return rc;
}

void
sp_source_free(struct sp_source *s)
{
    if (s == NULL)
        return;
    while (s->nframes > 0)
        sp_folder_leave(&s->frames[--s->nframes].folder);
    sp_views_free(s->views);
    sp_dirs_release(s->dirs);
    for (size_t i = 0; i < s->nroots; i++)
        free(s->roots[i].p);
    free(s->roots);
    free(s->folders.buffer);
    free(s->temp_dir);
    free(s->frames);
    free(s->devices);
    sp_buf_free(&s->key);
    free(s);
}

void
sp_source_counts(const struct sp_source *s, struct sp_source_counts *ret)
{
    *ret = s->counts;
}

bool
sp_source_note(struct sp_source *s, size_t i, struct sp_buf *ret)
{
    return sp_source_host_note(sp_dirs_host(s->dirs), i, ret);
}
