#include <stdlib.h>
#include <string.h>

#include "vss/select_impl.h"

static bool
matches(const struct sp_vss_pattern *p, const struct node *n)
{
    const struct sp_vss_subject subject = {
        .writer = n->w->name,
        .writer_id = n->w->class_id,
        .logical_path = n->c->logical_path,
        .name = n->c->name,
        .kind = n->unit.kind,
        .unit = n->unit.name,
        .paths = (const char *const *)n->paths,
        .npaths = n->npaths,
    };

    return sp_vss_pattern_match(p, &subject);
}

/* What cannot be added by itself is asked for with what it comes with. */
static void
mark_asked(struct selection *s, size_t at)
{
    struct node *n = &s->nodes[at];

    n->asked = true;
    if (!n->c->selectable && n->selectable != NO_NODE)
        s->nodes[n->selectable].asked = true;
}

static enum sp_code
match_asked(struct selection *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->o->nasked && rc == SP_OK; i++) {
        bool any = false;

        for (size_t j = 0; j < s->n; j++) {
            if (matches(s->o->asked[i], &s->nodes[j])) {
                mark_asked(s, j);
                any = true;
            }
        }
        if (!any) {
            struct sp_buf b = SP_BUF_INIT;

            sp_buf_printf(&b,
                "nothing on this machine is '%s' (application = …); 'stillpoint vss writers' lists "
                "what "
                "there is",
                sp_vss_pattern_text(s->o->asked[i]));
            rc = select_say_lack(s, &b, e);
        }
    }
    return rc;
}

/* What comes with a selectable component shares what a pattern says of that one. */
static void
hand_down(struct selection *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct node *n = &s->nodes[s->tree[i]];

        for (size_t j = 0; j < s->o->nexcluded && !n->excluded; j++)
            n->excluded = matches(s->o->excluded[j], n);
        if (n->selectable == NO_NODE)
            continue;
        n->asked |= s->nodes[n->selectable].asked;
        n->excluded |= s->nodes[n->selectable].excluded;
    }
}

/* Some files of a volume's own folder would bring the whole volume. */
static bool
is_whole_volume(const struct sp_vss_files *f, const void *key, size_t n)
{
    return !f->recursive && select_files_are_pattern(f) &&
           sp_key_depth(key, n) <= (sp_path_backslash ? 1 : 0);
}

static enum sp_code
add_root(struct selection *s, struct scope *extra, const struct node *n,
    const struct sp_vss_files *f, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, why = SP_BUF_INIT;
    struct sp_err no_key;
    char *path = select_files_path(f, false);
    enum extent extent;
    enum sp_code rc = path != NULL ? SP_OK : sp_fail_nomem(e);

    if (rc == SP_OK)
        rc = select_scope_of_files(&s->scope, f, &extent, e);
    if (rc != SP_OK || extent == INSIDE)
        goto out;
    if ((rc = sp_key_from_path(path, &key, &no_key)) == SP_NOMEM) {
        *e = no_key;
        goto out;
    }
    if (rc == SP_OK && !is_whole_volume(f, key.data, key.len)) {
        rc = select_scope_add(extra, key.data, key.len, path, e);
        goto out;
    }
    select_put_node(&why, n);
    if (rc == SP_OK)
        sp_buf_printf(&why,
            " has files at '%s' that would bring the whole volume: name it as a root of the job",
            path);
    else
        sp_buf_printf(
            &why, " has files at '%s', which cannot be a root of the job: %s", path, no_key.text);
    rc = select_say_lack(s, &why, e);
out:
    free(path);
    sp_buf_free(&key);
    sp_buf_free(&why);
    return rc;
}

enum sp_code
select_asked(struct selection *s, struct sp_err *e)
{
    struct scope extra = {0};
    enum sp_code rc = match_asked(s, e);

    hand_down(s);
    for (size_t i = 0; i < s->o->nroots && rc == SP_OK; i++)
        rc = select_scope_add(&s->scope, s->o->roots[i].p, s->o->roots[i].n, NULL, e);
    select_scope_settle(&s->scope);
    for (size_t i = 0; i < s->n && rc == SP_OK; i++) {
        const struct node *n = &s->nodes[i];

        for (size_t j = 0; n->asked && !n->excluded && j < n->c->nfiles && rc == SP_OK; j++)
            rc = add_root(s, &extra, n, &n->c->files[j], e);
    }
    select_scope_settle(&extra);
    for (size_t i = 0; i < extra.n && rc == SP_OK; i++)
        rc = select_add_string(&s->plan.roots, &s->plan.nroots, strdup(extra.v[i].path), e);
    for (size_t i = 0; i < extra.n && rc == SP_OK; i++)
        rc = select_scope_take(&s->scope, &extra.v[i], e);
    select_scope_settle(&s->scope);
    select_scope_clear(&extra);
    return rc;
}
