/* What a component needs of other writers' (learn.microsoft.com/windows/win32/api/vswriter/
 * nf-vswriter-ivsscreatewritermetadata-addcomponentdependency). Since all that has files in the set
 * is decided already, what is still to be added has none: components that only hold metadata. */

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "vss/select_impl.h"

/* --- finding by name -------------------------------------------------------------------------- */

struct name {
    struct sp_buf key; /* class, path and name, without case */
    size_t node;
};
struct names {
    struct name *v;
    size_t n;
};

static void
put_folded(struct sp_buf *b, const char *s, size_t n)
{
    while (n > 0) {
        uint32_t c = sp_fold_next(&s, &n);

        for (int shift = 24; shift >= 0; shift -= 8)
            sp_buf_put_u8(b, (uint8_t)(c >> shift));
    }
}

/* Parts are ended by what no character is. */
static void
put_name(struct sp_buf *b, const char *class_id, const char *logical_path, const char *name)
{
    put_folded(b, class_id, strlen(class_id));
    while (*logical_path != '\0') {
        size_t n = strcspn(logical_path, "\\");

        if (n > 0) {
            sp_buf_put_u32(b, UINT32_MAX);
            put_folded(b, logical_path, n);
        }
        logical_path += n;
        logical_path += *logical_path != '\0';
    }
    sp_buf_put_u32(b, UINT32_MAX);
    put_folded(b, name, strlen(name));
}

static int
by_name(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int way = sp_key_cmp(x->key.data, x->key.len, y->key.data, y->key.len);

    return way != 0 ? way : (x->node > y->node) - (x->node < y->node);
}

static void
names_clear(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        sp_buf_free(&names->v[i].key);
    free(names->v);
}

static enum sp_code
names_new(const struct selection *s, struct names *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if ((ret->v = calloc(s->n + 1, sizeof *ret->v)) == NULL)
        return sp_fail_nomem(e);
    for (ret->n = 0; ret->n < s->n && rc == SP_OK; ret->n++) {
        const struct node *n = &s->nodes[ret->n];

        ret->v[ret->n].node = ret->n;
        put_name(&ret->v[ret->n].key, n->w->class_id, n->c->logical_path, n->c->name);
        rc = sp_buf_ok(&ret->v[ret->n].key, e);
    }
    if (rc == SP_OK)
        qsort(ret->v, ret->n, sizeof *ret->v, by_name);
    return rc;
}

/* The first of that name, in any instance of the writer. */
static size_t
find(const struct names *names, const struct sp_buf *key)
{
    size_t low = 0, high = names->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sp_buf *k = &names->v[middle].key;

        if (sp_key_cmp(k->data, k->len, key->data, key->len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- following -------------------------------------------------------------------------------- */

struct walk {
    struct selection *s;
    struct names names;
    size_t *todo; /* nodes that take part, each once */
    size_t ntodo;
    bool *queued;
};

static void
queue(struct walk *w, size_t at)
{
    if (w->queued[at])
        return;
    w->queued[at] = true;
    w->todo[w->ntodo++] = at;
}

/* With all that comes with it then. */
static void
add(struct walk *w, size_t at)
{
    struct selection *s = w->s;

    s->nodes[at].added = true;
    for (size_t i = 0; i < s->n && s->nodes[at].c->selectable; i++) {
        if (select_is_above(s, at, i)) {
            s->nodes[i].added = false;
            s->nodes[i].with = at;
            queue(w, i);
        }
    }
    queue(w, at);
}

/* What has no file, and nothing against it, is added now; by itself, or with what it has to come
 * with. */
static void
try_to_add(struct walk *w, size_t at)
{
    struct node *n = &w->s->nodes[at];

    if (select_takes_part(n) || n->why != SP_WHY_UNKNOWN)
        return;
    if (!n->c->selectable && n->selectable != NO_NODE)
        add(w, n->selectable);
    else
        add(w, at);
}

static enum sp_code
add_edge(struct node *n, size_t to, struct sp_err *e)
{
    size_t *more = n->depends;

    for (size_t i = 0; i < n->ndepends; i++)
        if (n->depends[i] == to)
            return SP_OK;
    if ((n->ndepends & (n->ndepends - 1)) == 0) {
        more = realloc(n->depends, (n->ndepends == 0 ? 1 : 2 * n->ndepends) * sizeof *more);
        if (more == NULL)
            return sp_fail_nomem(e);
    }
    n->depends = more;
    more[n->ndepends++] = to;
    return SP_OK;
}

static enum sp_code
say_missing(struct walk *w, const struct node *n, const struct sp_vss_dependency *d,
    const struct node *target, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;

    select_put_node(&b, n);
    if (target == NULL) {
        sp_buf_printf(&b, " depends on %s%s%s of the writer %s, which is not on this machine",
            d->logical_path, d->logical_path[0] != '\0' ? "\\" : "", d->name, d->writer_id);
        return select_say_lack(w->s, &b, e);
    }
    sp_buf_put_str(&b, " depends on ");
    select_put_node(&b, target);
    if (target->why == SP_WHY_NOT_CHOSEN)
        sp_buf_put_str(&b, ", which the job leaves out of VSS's part (application-exclude)");
    else if (target->why == SP_WHY_NO_SHADOW)
        sp_buf_put_str(&b, ", which has files on a volume that gets no shadow");
    else
        sp_buf_put_str(&b, ", whose files are not all in the set");
    return select_say_lack(w->s, &b, e);
}

static enum sp_code
follow(struct walk *w, struct node *n, const struct sp_vss_dependency *d, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;
    size_t at;
    bool any = false;

    put_name(&key, d->writer_id, d->logical_path, d->name);
    if ((rc = sp_buf_ok(&key, e)) != SP_OK)
        goto out;
    for (at = find(&w->names, &key); at < w->names.n && rc == SP_OK; at++) {
        const struct name *name = &w->names.v[at];
        struct node *target = &w->s->nodes[name->node];

        if (sp_key_cmp(name->key.data, name->key.len, key.data, key.len) != 0)
            break;
        any = true;
        try_to_add(w, name->node);
        if (!select_takes_part(target))
            rc = say_missing(w, n, d, target, e);
        if (rc == SP_OK)
            rc = add_edge(n, name->node, e);
    }
    if (rc == SP_OK && !any)
        rc = say_missing(w, n, d, NULL, e);
out:
    sp_buf_free(&key);
    return rc;
}

enum sp_code
select_follow_dependencies(struct selection *s, struct sp_err *e)
{
    struct walk w = {.s = s};
    enum sp_code rc = names_new(s, &w.names, e);

    if (rc != SP_OK)
        goto out;
    w.todo = calloc(s->n + 1, sizeof *w.todo);
    w.queued = calloc(s->n + 1, sizeof *w.queued);
    if (w.todo == NULL || w.queued == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < s->n; i++)
        if (select_takes_part(&s->nodes[i]))
            queue(&w, i);
    for (size_t i = 0; i < w.ntodo && rc == SP_OK; i++) {
        struct node *n = &s->nodes[w.todo[i]];

        for (size_t j = 0; j < n->c->ndependencies && rc == SP_OK; j++)
            rc = follow(&w, n, &n->c->dependencies[j], e);
    }
out:
    names_clear(&w.names);
    free(w.todo);
    free(w.queued);
    return rc;
}
