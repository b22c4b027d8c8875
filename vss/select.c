/* Which components take part: see select.h. Here is the decision; what is in the set is
 * select_scope.c, the tree of logical paths select_tree.c, the job's patterns select_asked.c,
 * dependencies and excludes their own files. */

#include "vss/select.h"

#include <stdlib.h>
#include <string.h>

#include "vss/select_impl.h"

/* --- files of each ---------------------------------------------------------------------------- */

/* Writers name thousands of files in few folders: the last answer holds for the next. */
struct light {
    const char *folder, *why;
    bool on;
};

static bool
has_shadow(const struct selection *s, const char *folder, struct light *last)
{
    if (s->o->shadowed == NULL)
        return true;
    if (last->folder == NULL || strcmp(last->folder, folder) != 0) {
        last->folder = folder;
        last->why = NULL;
        last->on = s->o->shadowed(s->o->arg, folder, &last->why);
    }
    return last->on;
}

static enum sp_code
look_at_files(struct selection *s, struct sp_err *e)
{
    struct light last = {0};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->n && rc == SP_OK; i++) {
        struct node *n = &s->nodes[i];

        for (size_t j = 0; j < n->c->nfiles && rc == SP_OK; j++) {
            const struct sp_vss_files *f = &n->c->files[j];
            enum extent extent = OUTSIDE;

            rc = select_scope_of_files(&s->scope, f, &extent, e);
            n->touched |= extent != OUTSIDE;
            if (extent != INSIDE && n->outside == NULL)
                n->outside = f;
            if (extent != OUTSIDE && n->dark == NULL &&
                !has_shadow(s, select_files_folder(f), &last)) {
                n->dark = f;
                n->dark_why = last.why;
            }
        }
    }
    return rc;
}

/* From below upwards, so that the first in the tree's order comes to stand. */
static void
sum_up(struct selection *s)
{
    for (size_t i = s->n; i-- > 0;) {
        size_t at = s->tree[i];
        struct node *n = &s->nodes[at], *up = n->up != NO_NODE ? &s->nodes[n->up] : NULL;

        n->below_touched |= n->touched;
        if (n->outside != NULL)
            n->below_outside = at;
        if (n->dark != NULL)
            n->below_dark = at;
        if (n->excluded)
            n->below_excluded = at;
        if (up == NULL)
            continue;
        up->below_touched |= n->below_touched;
        if (n->below_outside != NO_NODE)
            up->below_outside = n->below_outside;
        if (n->below_dark != NO_NODE)
            up->below_dark = n->below_dark;
        if (n->below_excluded != NO_NODE)
            up->below_excluded = n->below_excluded;
    }
}

static int
by_writer_and_path(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

    if (x->writer != y->writer)
        return x->writer < y->writer ? -1 : 1;
    return sp_key_cmp(x->key, x->path_len, y->key, y->path_len);
}

static enum sp_code
look_beside(struct selection *s, struct sp_err *e)
{
    struct node **order = calloc(s->n + 1, sizeof *order);
    size_t i = 0, end;

    if (order == NULL)
        return sp_fail_nomem(e);
    for (; i < s->n; i++)
        order[i] = &s->nodes[i];
    qsort(order, s->n, sizeof(struct node *), by_writer_and_path);
    for (i = 0; i < s->n; i = end) {
        bool touched = false;

        for (end = i; end < s->n && by_writer_and_path(&order[i], &order[end]) == 0; end++)
            touched |= order[end]->touched;
        for (size_t j = i; j < end; j++)
            order[j]->beside = touched;
    }
    free(order);
    return SP_OK;
}

/* --- the decision ----------------------------------------------------------------------------- */

static void
set_why(struct node *n, enum sp_why why, size_t because)
{
    n->why = why;
    n->because = because;
}

/* A selectable component stands for all below it, any other for itself
 * (learn.microsoft.com/windows/win32/vss/working-with-selectability-and-logical-paths). */
static void
judge(struct selection *s, size_t at)
{
    struct node *n = &s->nodes[at];
    bool whole = n->c->selectable;

    if (n->excluded)
        set_why(n, SP_WHY_NOT_CHOSEN, at);
    else if (whole ? n->below_outside != NO_NODE : n->outside != NULL)
        set_why(n, SP_WHY_PARTLY_OUTSIDE, whole ? n->below_outside : at);
    else if (whole ? n->below_dark != NO_NODE : n->dark != NULL)
        set_why(n, SP_WHY_NO_SHADOW, whole ? n->below_dark : at);
    else if (whole && n->below_excluded != NO_NODE)
        set_why(n, SP_WHY_NOT_CHOSEN, n->below_excluded);
    else if (!whole && n->selectable != NO_NODE) /* it could come with that one only */
        set_why(n, s->nodes[n->selectable].why, s->nodes[n->selectable].because);
}

static void
decide(struct selection *s)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t at = s->tree[i];
        struct node *n = &s->nodes[at];
        const struct node *up = n->selectable != NO_NODE ? &s->nodes[n->selectable] : NULL;
        bool in_set = n->c->nfiles > 0 ? n->touched : n->below_touched || n->beside || n->asked;

        judge(s, at);
        if (up != NULL && select_takes_part(up))
            n->with = up->added ? n->selectable : up->with;
        else if (in_set && n->why == SP_WHY_UNKNOWN && (n->c->selectable || up == NULL))
            n->added = true;
    }
}

/* --- told ------------------------------------------------------------------------------------- */

static enum sp_code
tell_why(const struct selection *s, const struct node *n, struct sp_vss_choice *c, struct sp_err *e)
{
    const struct node *because = &s->nodes[n->because];
    const struct sp_vss_files *f = n->why == SP_WHY_NO_SHADOW        ? because->dark
                                   : n->why == SP_WHY_PARTLY_OUTSIDE ? because->outside
                                                                     : NULL;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *text = NULL;
    enum sp_code rc;

    c->why = n->why;
    if (f != NULL) {
        char *path = select_files_path(f, true);

        if (path == NULL)
            return sp_fail_nomem(e);
        sp_buf_put_str(&b, path);
        free(path);
        if (n->why == SP_WHY_NO_SHADOW && because->dark_why != NULL)
            sp_buf_printf(&b, ": %s", because->dark_why);
    } else if (because != n) {
        select_put_node(&b, because);
    } else {
        return SP_OK;
    }
    sp_buf_put_u8(&b, 0);
    if ((rc = sp_buf_take(&b, &text, &(size_t){0}, e)) == SP_OK)
        c->detail = (char *)text;
    sp_buf_free(&b);
    return rc;
}

static void
make_choice(struct selection *s, struct node *n)
{
    struct sp_vss_choice *c = &s->plan.choices[n->choice];

    c->writer = n->writer;
    c->component = n->component;
    c->added = n->added;
    c->asked = n->asked;
    c->parent = n->with != NO_NODE ? s->nodes[n->with].choice : SIZE_MAX;
    for (size_t i = 0; i < n->ndepends; i++)
        if (s->nodes[n->depends[i]].choice != SIZE_MAX)
            n->depends[c->ndepends++] = s->nodes[n->depends[i]].choice;
    c->depends = n->depends;
    n->depends = NULL;
    c->paths = n->paths;
    c->npaths = n->npaths;
    n->paths = NULL;
    n->npaths = 0;
    c->unit = n->unit;
    n->unit = (struct sp_unit){0};
}

static enum sp_code
tell(struct selection *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if ((s->plan.choices = calloc(s->n + 1, sizeof *s->plan.choices)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < s->n; i++) {
        struct node *n = &s->nodes[i];

        if (select_takes_part(n) || ((n->touched || n->asked) && n->why != SP_WHY_UNKNOWN))
            n->choice = s->plan.nchoices++;
    }
    for (size_t i = 0; i < s->n && rc == SP_OK; i++) /* the sentences need the names that move */
        if (s->nodes[i].choice != SIZE_MAX && !select_takes_part(&s->nodes[i]))
            rc = tell_why(s, &s->nodes[i], &s->plan.choices[s->nodes[i].choice], e);
    for (size_t i = 0; i < s->n && rc == SP_OK; i++)
        if (s->nodes[i].choice != SIZE_MAX)
            make_choice(s, &s->nodes[i]);
    return rc;
}

enum sp_code
sp_vss_select(const struct sp_vss_metadata *m, const struct sp_vss_select_options *o,
    struct sp_vss_plan *ret, struct sp_err *e)
{
    struct selection s = {.m = m, .o = o};
    enum sp_code rc;

    if ((rc = select_tree_new(&s, e)) == SP_OK && (rc = select_asked(&s, e)) == SP_OK &&
        (rc = look_at_files(&s, e)) == SP_OK && (rc = look_beside(&s, e)) == SP_OK) {
        sum_up(&s);
        decide(&s);
        if ((rc = select_follow_dependencies(&s, e)) == SP_OK &&
            (rc = select_add_excludes(&s, e)) == SP_OK)
            rc = tell(&s, e);
    }
    select_tree_clear(&s);
    select_scope_clear(&s.scope);
    if (rc == SP_OK)
        *ret = s.plan;
    else
        sp_vss_plan_clear(&s.plan);
    return rc;
}

static void
clear_strings(char **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i]);
    free(v);
}

void
sp_vss_plan_clear(struct sp_vss_plan *p)
{
    for (size_t i = 0; i < p->nchoices; i++) {
        struct sp_vss_choice *c = &p->choices[i];

        sp_unit_clear(&c->unit);
        free(c->depends);
        free(c->detail);
        clear_strings(c->paths, c->npaths);
    }
    free(p->choices);
    clear_strings(p->roots, p->nroots);
    clear_strings(p->excludes, p->nexcludes);
    clear_strings(p->lacks, p->nlacks);
    *p = (struct sp_vss_plan){0};
}
