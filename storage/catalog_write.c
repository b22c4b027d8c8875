#include "storage/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/catalog_cut.h"

/* Each level gathers the items of its open node; a closed node becomes an item of the level above.
 * What is open is bounded by the largest node times the number of levels. A checkpoint finishes a
 * copy of that, so it is what finish would give and disturbs nothing. */

struct level {
    struct sp_entry **entries;      /* level 0; owned */
    struct sp_tree_child *children; /* above; their keys owned */
    size_t n, cap;
    uint64_t weight;
    size_t made; /* nodes closed so far, and the last of them */
    struct sp_id last;
};

struct sp_catalog_writer {
    const struct sp_node_sink *sink;
    struct sp_hasher *hasher;
    struct sp_cutter *cutter;
    struct sp_node_coder coder;
    struct level levels[SP_TREE_LEVELS];
    struct sp_buf last; /* key of the last entry */
    struct sp_catalog_totals totals;
    bool finished, broken;
};

enum sp_code
sp_catalog_writer_new(const struct sp_keys *k, const struct sp_node_sink *sink,
    struct sp_catalog_writer **ret, struct sp_err *e)
{
    struct sp_catalog_writer *w = calloc(1, sizeof *w);
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->sink = sink;
    if ((rc = sp_hasher_new(k, &w->hasher, e)) != SP_OK ||
        (rc = sp_cutter_new(k, &w->cutter, e)) != SP_OK)
        goto out;
    *ret = w;
    w = NULL;
out:
    sp_catalog_writer_free(w);
    return rc;
}

/* --- levels ----------------------------------------------------------------------------------- */

static void
empty_level(struct level *v)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->entries != NULL)
            free(v->entries[i]);
        if (v->children != NULL)
            free((void *)(uintptr_t)v->children[i].first);
    }
    v->n = 0;
    v->weight = 0;
}

static void
free_levels(struct level levels[SP_TREE_LEVELS])
{
    for (unsigned l = 0; l < SP_TREE_LEVELS; l++) {
        empty_level(&levels[l]);
        free(levels[l].entries);
        free(levels[l].children);
        levels[l].entries = NULL;
        levels[l].children = NULL;
    }
}

void
sp_catalog_writer_free(struct sp_catalog_writer *w)
{
    if (w == NULL)
        return;
    free_levels(w->levels);
    sp_hasher_free(w->hasher);
    sp_cutter_free(w->cutter);
    sp_node_coder_free(&w->coder);
    sp_buf_free(&w->last);
    free(w);
}

static enum sp_code
grow(struct level *v, unsigned l, size_t cap, struct sp_err *e)
{
    void *p;

    if (l == 0)
        p = realloc(v->entries, cap * sizeof(struct sp_entry *));
    else
        p = realloc(v->children, cap * sizeof v->children[0]);
    if (p == NULL)
        return sp_fail_nomem(e);
    if (l == 0)
        v->entries = p;
    else
        v->children = p;
    v->cap = cap;
    return SP_OK;
}

static enum sp_code
append_entry(struct level *v, const struct sp_entry *en, struct sp_err *e)
{
    enum sp_code rc;

    if (v->n == v->cap && (rc = grow(v, 0, v->cap == 0 ? 256 : v->cap * 2, e)) != SP_OK)
        return rc;
    if ((rc = sp_entry_copy(en, &v->entries[v->n], e)) != SP_OK)
        return rc;
    v->n++;
    return SP_OK;
}

static enum sp_code
append_child(struct level *v, unsigned l, const struct sp_tree_child *c, struct sp_err *e)
{
    uint8_t *key;
    enum sp_code rc;

    if (v->n == v->cap && (rc = grow(v, l, v->cap == 0 ? 256 : v->cap * 2, e)) != SP_OK)
        return rc;
    if ((key = malloc(c->first_len + 1)) == NULL)
        return sp_fail_nomem(e);
    if (c->first_len > 0)
        memcpy(key, c->first, c->first_len);
    v->children[v->n] = *c;
    v->children[v->n].first = key;
    v->n++;
    return SP_OK;
}

static enum sp_code
copy_levels(
    const struct level from[SP_TREE_LEVELS], struct level to[SP_TREE_LEVELS], struct sp_err *e)
{
    enum sp_code rc;

    for (unsigned l = 0; l < SP_TREE_LEVELS; l++) {
        to[l].weight = from[l].weight;
        to[l].made = from[l].made;
        to[l].last = from[l].last;
        for (size_t i = 0; i < from[l].n; i++) {
            rc = l == 0 ? append_entry(&to[l], from[l].entries[i], e)
                        : append_child(&to[l], l, &from[l].children[i], e);
            if (rc != SP_OK)
                return rc;
        }
    }
    return SP_OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static enum sp_code put_child(struct sp_catalog_writer *w, struct level *levels, unsigned l,
    const struct sp_tree_child *c, struct sp_err *e);

/* What the open node is to its parent, but for the id. */
static struct sp_tree_child
summary(const struct level *v, unsigned l)
{
    struct sp_tree_child c = {.first = (const uint8_t *)""};

    for (size_t i = 0; i < v->n; i++) {
        c.entries += l == 0 ? 1 : v->children[i].entries;
        c.bytes += l == 0 ? v->entries[i]->size : v->children[i].bytes;
    }
    if (v->n > 0) {
        c.first = l == 0 ? v->entries[0]->key : v->children[0].first;
        c.first_len = l == 0 ? v->entries[0]->key_len : v->children[0].first_len;
    }
    return c;
}

static enum sp_code
close_node(struct sp_catalog_writer *w, struct level *levels, unsigned l, struct sp_err *e)
{
    struct level *v = &levels[l];
    struct sp_tree_child c = summary(v, l);
    enum sp_code rc;

    rc = l == 0 ? sp_tree_encode_entries(&w->coder, v->entries, v->n, e)
                : sp_tree_encode_children(&w->coder, l, v->children, v->n, e);
    if (rc != SP_OK)
        return rc;
    rc = sp_node_store(&w->coder, SP_CHUNK_TREE, w->hasher, w->sink, &c.id, e);
    if (rc != SP_OK)
        return rc;
    v->made++;
    v->last = c.id;
    if (l + 1 == SP_TREE_LEVELS)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SOURCE, "a tree of too many levels");
    /* The parent copies the first key before it goes with the items. */
    if (v->n > 0 && (rc = put_child(w, levels, l + 1, &c, e)) != SP_OK)
        return rc;
    empty_level(v);
    return SP_OK;
}

/* Above level 0 a node is not closed before it has two children: every level is then smaller than
 * the one below, however long the keys are. */
static bool
may_close(const struct level *v, unsigned l)
{
    return v->n >= (l == 0 ? 1u : 2u);
}

static enum sp_code
close_before(struct sp_catalog_writer *w, struct level *levels, unsigned l, uint64_t weight,
    struct sp_err *e)
{
    if (!may_close(&levels[l], l) || levels[l].weight + weight <= SP_CUT_MOST)
        return SP_OK;
    return close_node(w, levels, l, e);
}

static enum sp_code
close_after(struct sp_catalog_writer *w, struct level *levels, unsigned l, const uint8_t *key,
    size_t n, uint64_t weight, struct sp_err *e)
{
    struct level *v = &levels[l];
    bool cut = false;
    enum sp_code rc;

    v->weight += weight;
    if (v->weight < SP_CUT_LEAST || !may_close(v, l))
        return SP_OK;
    if ((rc = sp_cutter_after(w->cutter, l, key, n, weight, &cut, e)) != SP_OK)
        return rc;
    return cut ? close_node(w, levels, l, e) : SP_OK;
}

static enum sp_code
put_child(struct sp_catalog_writer *w, struct level *levels, unsigned l,
    const struct sp_tree_child *c, struct sp_err *e)
{
    uint64_t weight = sp_child_weight(c);
    enum sp_code rc;

    if ((rc = close_before(w, levels, l, weight, e)) != SP_OK ||
        (rc = append_child(&levels[l], l, c, e)) != SP_OK)
        return rc;
    return close_after(w, levels, l, c->first, c->first_len, weight, e);
}

/* Closes what is open from below until one level has made a single node: the root. */
static enum sp_code
close_all(struct sp_catalog_writer *w, struct level *levels, struct sp_id *ret, struct sp_err *e)
{
    enum sp_code rc;

    for (unsigned l = 0; l < SP_TREE_LEVELS; l++) {
        struct level *v = &levels[l];

        /* A tree without an entry is one empty node. */
        if ((v->n > 0 || (l == 0 && v->made == 0)) && (rc = close_node(w, levels, l, e)) != SP_OK)
            return rc;
        if (v->made == 1) {
            *ret = v->last;
            return SP_OK;
        }
    }
    assert(!"close_node refuses one level too many");
    return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a tree without a root");
}

/* --- the contract ----------------------------------------------------------------------------- */

static enum sp_code
check_content(const struct sp_entry *en, struct sp_err *e)
{
    uint64_t total = 0;

    if (en->type != SP_ENTRY_FILE || en->has_list)
        return SP_OK;
    if (en->nsegments == 0 && (en->flags & SP_ENTRY_UNREADABLE) != 0)
        return SP_OK;
    for (size_t i = 0; i < en->nsegments; i++) {
        uint64_t n = en->segments[i].length;

        if (n == 0 || n > UINT64_MAX - total)
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a segment of an impossible length");
        total += n;
    }
    if (total != sp_entry_content(en))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "segments that do not add up to the file");
    return SP_OK;
}

static enum sp_code
check_entry(const struct sp_catalog_writer *w, const struct sp_entry *en, struct sp_err *e)
{
    const char *problem = sp_entry_problem(en);

    if (problem != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "%s", problem);
    if (en->key_len > 0 && !sp_key_valid(en->key, en->key_len))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "an impossible key");
    if (en->key_len > SP_KEY_MAX || sp_entry_encoded_max(en) > SP_ENTRY_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SOURCE, "a path or attributes too long to be kept");
    if (w->totals.entries > 0 && sp_key_cmp(w->last.data, w->last.len, en->key, en->key_len) >= 0)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a key that is not above the one before it");
    if (en->size > UINT64_MAX - w->totals.bytes)
        return sp_fail(e, SP_INVALID, SP_DOM_SOURCE, "sizes that no number holds");
    return check_content(en, e);
}

static enum sp_code
check_state(const struct sp_catalog_writer *w, struct sp_err *e)
{
    if (w->finished || w->broken)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a catalog goes on after its end or a failure");
    return SP_OK;
}

enum sp_code
sp_catalog_writer_add(struct sp_catalog_writer *w, const struct sp_entry *en, struct sp_err *e)
{
    uint64_t weight = sp_entry_weight(en);
    enum sp_code rc;

    if ((rc = check_state(w, e)) != SP_OK || (rc = check_entry(w, en, e)) != SP_OK)
        return rc;
    if ((rc = close_before(w, w->levels, 0, weight, e)) != SP_OK ||
        (rc = append_entry(&w->levels[0], en, e)) != SP_OK ||
        (rc = close_after(w, w->levels, 0, en->key, en->key_len, weight, e)) != SP_OK)
        goto out;
    sp_buf_reset(&w->last);
    sp_buf_put(&w->last, en->key, en->key_len);
    if ((rc = sp_buf_ok(&w->last, e)) != SP_OK)
        goto out;
    w->totals.entries++;
    w->totals.files += en->type == SP_ENTRY_FILE;
    w->totals.bytes += en->size;
out:
    if (rc != SP_OK)
        w->broken = true;
    return rc;
}

enum sp_code
sp_catalog_writer_checkpoint(struct sp_catalog_writer *w, struct sp_id *ret_root,
    struct sp_catalog_totals *ret, struct sp_err *e)
{
    struct level copy[SP_TREE_LEVELS] = {{0}};
    enum sp_code rc;

    if ((rc = check_state(w, e)) != SP_OK)
        return rc;
    if ((rc = copy_levels(w->levels, copy, e)) != SP_OK ||
        (rc = close_all(w, copy, ret_root, e)) != SP_OK)
        goto out;
    *ret = w->totals;
out:
    free_levels(copy);
    return rc;
}

enum sp_code
sp_catalog_writer_finish(struct sp_catalog_writer *w, struct sp_id *ret_root,
    struct sp_catalog_totals *ret, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = check_state(w, e)) != SP_OK)
        return rc;
    w->finished = true;
    if ((rc = close_all(w, w->levels, ret_root, e)) != SP_OK)
        return rc;
    *ret = w->totals;
    return SP_OK;
}
