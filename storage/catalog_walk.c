#include "storage/catalog_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

struct frame { /* an open node above level 0 */
    struct sp_node *node;
    unsigned level;
    struct sp_tree_child *children;
    size_t n, cap;
    size_t at; /* the child where w is, or whose node is open below; n: behind the last */
};

struct sp_walk {
    const struct sp_node_source *source;
    const struct sp_walk *other;
    struct frame frames[SP_TREE_LEVELS]; /* [0] is the root, when it is not a leaf */
    unsigned depth;

    struct sp_tree_reader *reader;
    struct sp_ref_use use;
    struct sp_node *leaf, *root_leaf; /* the same when the root is a leaf */
    const struct sp_entry *entry;     /* where w is, inside the leaf; NULL: the leaf has ended */

    /* Leaves read ahead: children [first, first + count) of the innermost frame; each goes to
     * `leaf` once. */
    struct sp_node **ahead;
    size_t ahead_max, ahead_first, ahead_count, window;
    size_t singly; /* children below this one are read one by one: a batch with them failed */
};

/* --- opening and closing nodes ---------------------------------------------------------------- */

static void
drop_ahead(struct sp_walk *w)
{
    for (size_t i = 0; i < w->ahead_count; i++) {
        free(w->ahead[i]);
        w->ahead[i] = NULL;
    }
    w->ahead_count = 0;
}

static void
close_leaf(struct sp_walk *w)
{
    if (w->leaf != w->root_leaf)
        free(w->leaf);
    w->leaf = NULL;
    w->entry = NULL;
}

static void
pop(struct sp_walk *w)
{
    struct frame *f = &w->frames[--w->depth];

    drop_ahead(w);
    w->singly = 0;
    free(f->node);
    f->node = NULL;
}

void
sp_walk_free(struct sp_walk *w)
{
    if (w == NULL)
        return;
    close_leaf(w);
    while (w->depth > 0)
        pop(w);
    for (unsigned i = 0; i < SP_TREE_LEVELS; i++)
        free(w->frames[i].children);
    free(w->root_leaf);
    free(w->ahead);
    sp_ref_use_free(&w->use);
    sp_tree_reader_free(w->reader);
    free(w);
}

/* Where the child of the frame must end: at its sibling, or where the frame itself must. */
static void
upper_of(const struct sp_walk *w, unsigned depth, struct sp_tree_claim *claim)
{
    claim->upper = NULL;
    claim->upper_len = 0;
    while (depth-- > 0) {
        const struct frame *f = &w->frames[depth];

        if (f->at + 1 < f->n) {
            claim->upper = f->children[f->at + 1].first;
            claim->upper_len = f->children[f->at + 1].first_len;
            return;
        }
    }
}

/* Takes the node: it is in the walk or freed. */
static enum sp_code
open_node(struct sp_walk *w, struct sp_node *n, const struct sp_tree_claim *claim, struct sp_err *e)
{
    struct frame *f = &w->frames[w->depth];
    unsigned level;
    enum sp_code rc;

    if ((rc = sp_tree_level(n, &level, e)) != SP_OK)
        goto out;
    if (level == 0) {
        if ((rc = sp_tree_reader_open(w->reader, n, claim, e)) != SP_OK ||
            (rc = sp_tree_reader_next(w->reader, &w->entry, e)) != SP_OK)
            goto out;
        w->leaf = n;
    } else {
        rc = sp_tree_children(n, claim, &w->use, &f->children, &f->cap, &f->n, e);
        if (rc != SP_OK)
            goto out;
        f->node = n;
        f->level = level;
        f->at = 0;
        w->depth++;
    }
    n = NULL;
out:
    free(n);
    return rc;
}

enum sp_code
sp_walk_new(const struct sp_node_source *source, const struct sp_id *root, size_t ahead,
    struct sp_walk **ret, struct sp_err *e)
{
    struct sp_walk *w = calloc(1, sizeof *w);
    struct sp_node *n = NULL;
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->source = source;
    w->ahead_max = ahead;
    w->window = 1;
    if ((w->ahead = calloc(ahead, sizeof(struct sp_node *))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_tree_reader_new(&w->reader, e)) != SP_OK ||
        (rc = sp_node_fetch(source, root, &n, e)) != SP_OK ||
        (rc = open_node(w, n, NULL, e)) != SP_OK)
        goto out;
    w->root_leaf = w->leaf;
    *ret = w;
    w = NULL;
out:
    sp_walk_free(w);
    return rc;
}

void
sp_walk_beside(struct sp_walk *w, const struct sp_walk *other)
{
    w->other = other;
}

/* --- reading ahead ---------------------------------------------------------------------------- */

/* Whether the leaf is sure not to be in the other tree: it begins where the other's open node lies,
 * and that does not have it. */
static bool
not_beside(const struct sp_walk *w, const struct sp_tree_child *c)
{
    const struct sp_walk *o = w->other;
    const struct frame *f;
    struct sp_tree_claim end;
    struct sp_walk_place p;

    if (o == NULL || !sp_walk_at(o, &p))
        return true;
    if (o->depth == 0 || o->frames[o->depth - 1].level != 1)
        return false;
    f = &o->frames[o->depth - 1];
    upper_of(o, o->depth - 1, &end);
    if (end.upper != NULL && sp_key_cmp(c->first, c->first_len, end.upper, end.upper_len) >= 0)
        return false;
    return bsearch(&c->id, f->node->refs, f->node->nrefs, sizeof c->id, sp_id_cmp) == NULL;
}

static enum sp_code
fetch_batch(struct sp_walk *w, const struct frame *f, size_t n, struct sp_err *e)
{
    struct sp_id ids[64];
    enum sp_code rc;

    for (size_t i = 0; i < n; i++)
        ids[i] = f->children[f->at + i].id;
    if ((rc = w->source->get(w->source->self, ids, n, w->ahead, e)) != SP_OK)
        return rc;
    w->ahead_first = f->at;
    w->ahead_count = n;
    for (size_t i = 0; i < n; i++) {
        if (sp_id_cmp(&w->ahead[i]->id, &ids[i]) == 0)
            continue;
        rc = sp_node_corrupt(w->ahead[i], NULL, 0, "is not the one that was asked for", e);
        drop_ahead(w);
        return rc;
    }
    return SP_OK;
}

/* The node of the child at the place, with some of those behind it; the window doubles as the walk
 * goes on. When a batch fails, its children are read one by one, so that only the bad one is in the
 * way. */
static enum sp_code
fetch_leaf(struct sp_walk *w, const struct frame *f, struct sp_node **ret, struct sp_err *e)
{
    size_t n = 1, most = w->window;
    struct sp_err batch = {0};
    enum sp_code rc;

    if (f->at >= w->ahead_first && f->at - w->ahead_first < w->ahead_count) {
        struct sp_node **slot = &w->ahead[f->at - w->ahead_first];

        if (*slot != NULL) {
            *ret = *slot;
            *slot = NULL;
            return SP_OK;
        }
    }
    drop_ahead(w);
    if (most > w->ahead_max || most > 64)
        most = w->ahead_max < 64 ? w->ahead_max : 64;
    w->window = most * 2;
    if (f->at < w->singly)
        return sp_node_fetch(w->source, &f->children[f->at].id, ret, e);
    while (n < most && f->at + n < f->n && not_beside(w, &f->children[f->at + n]))
        n++;
    if (n == 1)
        return sp_node_fetch(w->source, &f->children[f->at].id, ret, e);
    if ((rc = fetch_batch(w, f, n, &batch)) != SP_OK) {
        if (rc != SP_ABSENT && rc != SP_CORRUPT) {
            *e = batch;
            return rc;
        }
        w->singly = f->at + n;
        return sp_node_fetch(w->source, &f->children[f->at].id, ret, e);
    }
    *ret = w->ahead[0];
    w->ahead[0] = NULL;
    return SP_OK;
}

/* --- moving ----------------------------------------------------------------------------------- */

bool
sp_walk_at(const struct sp_walk *w, struct sp_walk_place *ret)
{
    const struct frame *f;
    const struct sp_tree_child *c;

    if (w->entry != NULL) {
        *ret = (struct sp_walk_place){
            .key = w->entry->key, .key_len = w->entry->key_len, .entry = w->entry};
        return true;
    }
    if (w->depth == 0)
        return false;
    f = &w->frames[w->depth - 1];
    if (f->at >= f->n)
        return false;
    c = &f->children[f->at];
    *ret = (struct sp_walk_place){
        .key = c->first, .key_len = c->first_len, .height = f->level, .id = &c->id};
    return true;
}

/* Behind the child where the innermost frame is, closing what has ended. The root stays: it is
 * where a seek begins. */
static void
next_child(struct sp_walk *w)
{
    while (w->depth > 0) {
        struct frame *f = &w->frames[w->depth - 1];

        if (++f->at < f->n || w->depth == 1)
            return;
        pop(w);
    }
}

enum sp_code
sp_walk_enter(struct sp_walk *w, struct sp_err *e)
{
    struct frame *f = &w->frames[w->depth - 1];
    struct sp_tree_claim claim = {.level = f->level - 1, .child = &f->children[f->at]};
    struct sp_node *n = NULL;
    enum sp_code rc;

    rc =
        f->level == 1 ? fetch_leaf(w, f, &n, e) : sp_node_fetch(w->source, &claim.child->id, &n, e);
    if (rc != SP_OK)
        return rc;
    upper_of(w, w->depth, &claim);
    return open_node(w, n, &claim, e);
}

enum sp_code
sp_walk_pass(struct sp_walk *w, struct sp_err *e)
{
    enum sp_code rc;

    if (w->entry == NULL) {
        next_child(w);
        return SP_OK;
    }
    if ((rc = sp_tree_reader_next(w->reader, &w->entry, e)) != SP_OK)
        return rc;
    if (w->entry == NULL) {
        close_leaf(w);
        next_child(w);
    }
    return SP_OK;
}

/* The last child that does not begin behind the key; the first when all do. */
static size_t
child_for(const struct frame *f, const void *key, size_t n)
{
    size_t low = 0, high = f->n;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (sp_key_cmp(f->children[mid].first, f->children[mid].first_len, key, n) <= 0)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* Keeps the open nodes on the way to the key and closes the others. */
static void
go_up(struct sp_walk *w, const void *key, size_t n)
{
    for (unsigned d = 0; d < w->depth; d++) {
        struct frame *f = &w->frames[d];
        size_t at = child_for(f, key, n);

        if (f->at == at && d + 1 < w->depth)
            continue;
        while (w->depth > d + 1)
            pop(w);
        f->at = at;
    }
}

enum sp_code
sp_walk_seek(struct sp_walk *w, const void *key, size_t n, struct sp_err *e)
{
    struct sp_walk_place p;
    enum sp_code rc;

    close_leaf(w);
    w->window = 1;
    go_up(w, key, n);
    if (w->root_leaf != NULL) {
        if ((rc = sp_tree_reader_open(w->reader, w->root_leaf, NULL, e)) != SP_OK ||
            (rc = sp_tree_reader_next(w->reader, &w->entry, e)) != SP_OK)
            return rc;
        w->leaf = w->root_leaf;
    }
    /* Down to a leaf, then on to the entry; when the leaf ends before, the one behind it begins
     * there. */
    while (w->leaf == NULL && sp_walk_at(w, &p)) {
        if ((rc = sp_walk_enter(w, e)) != SP_OK)
            return rc;
        if (w->leaf == NULL)
            w->frames[w->depth - 1].at = child_for(&w->frames[w->depth - 1], key, n);
    }
    while (w->entry != NULL && sp_key_cmp(w->entry->key, w->entry->key_len, key, n) < 0) {
        if ((rc = sp_walk_pass(w, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

enum sp_code
sp_walk_totals(struct sp_walk *w, uint64_t *ret_entries, uint64_t *ret_bytes, struct sp_err *e)
{
    const struct frame *f = &w->frames[0];
    const struct sp_entry *en = NULL;
    struct sp_tree_reader *r = NULL;
    uint64_t entries = 0, bytes = 0;
    enum sp_code rc = SP_OK;

    if (w->root_leaf == NULL) {
        for (size_t i = 0; i < f->n; i++) {
            entries += f->children[i].entries;
            bytes += f->children[i].bytes;
        }
    } else {
        if ((rc = sp_tree_reader_new(&r, e)) != SP_OK ||
            (rc = sp_tree_reader_open(r, w->root_leaf, NULL, e)) != SP_OK)
            goto out;
        while ((rc = sp_tree_reader_next(r, &en, e)) == SP_OK && en != NULL) {
            entries++;
            bytes += en->size;
        }
        if (rc != SP_OK)
            goto out;
    }
    *ret_entries = entries;
    *ret_bytes = bytes;
out:
    sp_tree_reader_free(r);
    return rc;
}
