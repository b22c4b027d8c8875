#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "vss/select_impl.h"

/* --- growing ---------------------------------------------------------------------------------- */

enum sp_code
select_add_string(char ***v, size_t *n, char *s, struct sp_err *e)
{
    char **more = *v;

    if (s == NULL)
        return sp_fail_nomem(e);
    if ((*n & (*n - 1)) == 0 &&
        (more = realloc(*v, (*n == 0 ? 1 : 2 * *n) * sizeof *more)) == NULL) {
        free(s);
        return sp_fail_nomem(e);
    }
    *v = more;
    more[(*n)++] = s;
    return SP_OK;
}

enum sp_code
select_say_lack(struct selection *s, struct sp_buf *sentence, struct sp_err *e)
{
    enum sp_code rc = sp_buf_ok(sentence, e);

    if (rc == SP_OK)
        rc = select_add_string(&s->plan.lacks, &s->plan.nlacks, strdup(sp_buf_str(sentence)), e);
    sp_buf_free(sentence);
    return rc;
}

void
select_put_node(struct sp_buf *b, const struct node *n)
{
    sp_buf_printf(b, "%s (%s)", n->unit.name, n->w->name);
}

/* --- one component ---------------------------------------------------------------------------- */

/* The name is one part, whatever is in it; empty parts say nothing. */
static enum sp_code
make_key(struct node *n, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    const char *p = n->c->logical_path;
    enum sp_code rc;

    while (*p != '\0') {
        size_t len = strcspn(p, "\\");

        if (len > 0)
            sp_key_push(&key, p, len);
        p += len;
        p += *p != '\0';
    }
    n->path_len = key.len;
    if (n->c->name[0] != '\0')
        sp_key_push(&key, n->c->name, strlen(n->c->name));
    n->key_len = key.len;
    sp_buf_put_u8(&key, 0);
    rc = sp_buf_take(&key, &n->key, &(size_t){0}, e);
    sp_buf_free(&key);
    return rc;
}

/* What is told of its files: each once after the other, nothing below a folder that is told whole.
 */
static enum sp_code
make_paths(struct node *n, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < n->c->nfiles && rc == SP_OK; i++) {
        char *path = select_files_path(&n->c->files[i], false);

        if (path != NULL && n->npaths > 0 && strcmp(n->paths[n->npaths - 1], path) == 0)
            free(path);
        else
            rc = select_add_string(&n->paths, &n->npaths, path, e);
    }
    return rc;
}

/* --- all -------------------------------------------------------------------------------------- */

static int
by_writer_and_key(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int way;

    if (x->writer != y->writer)
        return x->writer < y->writer ? -1 : 1;
    way = sp_key_cmp(x->key, x->key_len, y->key, y->key_len);
    return way != 0 ? way : (x->component > y->component) - (x->component < y->component);
}

bool
select_is_above(const struct selection *s, size_t above, size_t node)
{
    const struct node *a = &s->nodes[above], *n = &s->nodes[node];

    return a->writer == n->writer && a->key_len > 0 && a->key_len < n->key_len &&
           sp_key_within(a->key, a->key_len, n->key, n->key_len);
}

/* Those above come first: the nearest is the last one before it, or above that one. */
static void
link_up(struct selection *s)
{
    size_t last = NO_NODE;

    for (size_t i = 0; i < s->n; i++) {
        struct node *n = &s->nodes[s->tree[i]];

        while (last != NO_NODE && !select_is_above(s, last, s->tree[i]))
            last = s->nodes[last].up;
        n->up = last;
        if (last != NO_NODE)
            n->selectable = s->nodes[last].c->selectable ? last : s->nodes[last].selectable;
        last = s->tree[i];
    }
}

static enum sp_code
sort_tree(struct selection *s, struct sp_err *e)
{
    struct node **order = calloc(s->n + 1, sizeof *order);

    if (order == NULL || (s->tree = calloc(s->n + 1, sizeof *s->tree)) == NULL) {
        free(order);
        return sp_fail_nomem(e);
    }
    for (size_t i = 0; i < s->n; i++)
        order[i] = &s->nodes[i];
    qsort(order, s->n, sizeof(struct node *), by_writer_and_key);
    for (size_t i = 0; i < s->n; i++)
        s->tree[i] = (size_t)(order[i] - s->nodes);
    free(order);
    return SP_OK;
}

enum sp_code
select_tree_new(struct selection *s, struct sp_err *e)
{
    size_t n = 0;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->m->nwriters; i++)
        n += s->m->writers[i].ncomponents;
    if ((s->nodes = calloc(n + 1, sizeof *s->nodes)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < s->m->nwriters; i++) {
        const struct sp_vss_writer *w = &s->m->writers[i];

        for (size_t j = 0; j < w->ncomponents && rc == SP_OK; j++) {
            struct node *node = &s->nodes[s->n++];

            *node = (struct node){.writer = i,
                .component = j,
                .w = w,
                .c = &w->components[j],
                .up = NO_NODE,
                .selectable = NO_NODE,
                .below_outside = NO_NODE,
                .below_dark = NO_NODE,
                .below_excluded = NO_NODE,
                .because = NO_NODE,
                .with = NO_NODE,
                .choice = SIZE_MAX};
            if ((rc = make_key(node, e)) == SP_OK && (rc = make_paths(node, e)) == SP_OK)
                rc = sp_vss_describe(w, node->c, &node->unit, e);
        }
    }
    if (rc == SP_OK && (rc = sort_tree(s, e)) == SP_OK)
        link_up(s);
    return rc;
}

void
select_tree_clear(struct selection *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct node *n = &s->nodes[i];

        free(n->key);
        sp_unit_clear(&n->unit);
        for (size_t j = 0; j < n->npaths; j++)
            free(n->paths[j]);
        free(n->paths);
        free(n->depends);
    }
    free(s->nodes);
    free(s->tree);
}

bool
select_takes_part(const struct node *n)
{
    return n->added || n->with != NO_NODE;
}
