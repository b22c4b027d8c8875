#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

/* The parent: entries of the last set; when a run died after a checkpoint, the checkpoint's up to
 * its last key and the set's behind that. Both are sorted as the walk is, so the three are merged
 * as streams. */

bool
backup_id_missing(const struct backup *b, const struct sp_id *id)
{
    return b->nmissing > 0 && bsearch(id, b->missing, b->nmissing, sizeof(*id), sp_id_cmp) != NULL;
}

static enum sp_code
whole_get(void *self, const struct sp_id *ids, size_t n, struct sp_node **ret, struct sp_err *e)
{
    const struct whole_nodes *w = self;
    size_t i;
    enum sp_code rc;

    for (i = 0; i < n; i++) {
        if (backup_id_missing(w->b, &ids[i]))
            return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "node %s is missing from the repository",
                sp_hex8(ids[i].b).s);
    }
    if ((rc = w->below.get(w->below.self, ids, n, ret, e)) != SP_OK)
        return rc;
    for (i = 0; i < n; i++)
        gather_known(w->b, &ids[i]);
    return SP_OK;
}

struct sp_node_source
backup_whole_source(struct whole_nodes *w)
{
    struct sp_node_source s = {whole_get, w};

    return s;
}

/* A tree whose root is gone or damaged is no parent: everything below it is read again (R6, R11).
 */
static enum sp_code
open_tree(struct parent *p, const struct sp_id *root, struct sp_catalog **ret, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = sp_catalog_open(&p->source, root, ret, &why);

    if (rc == SP_OK || rc == SP_ABSENT || rc == SP_CORRUPT)
        return SP_OK;
    *e = why;
    return rc;
}

enum sp_code
parent_open(struct backup *b, struct sp_err *e)
{
    struct parent *p = &b->parent;
    enum sp_code rc;

    memset(p, 0, sizeof(*p));
    p->nodes.b = b;
    p->nodes.below = sp_nodes_source(b->nodes);
    p->source = backup_whole_source(&p->nodes);
    p->last_key = b->checkpoint_key;
    p->last_key_len = b->checkpoint_key_len;
    if (b->use_checkpoint && (rc = open_tree(p, &b->root_checkpoint, &p->first, e)) != SP_OK)
        return rc;
    if (b->use_set && (rc = open_tree(p, &b->root_set, &p->second, e)) != SP_OK)
        return rc;
    p->first_ended = p->first == NULL;
    p->ended = p->first == NULL && p->second == NULL;
    return SP_OK;
}

void
parent_close(struct parent *p)
{
    sp_catalog_free(p->first);
    sp_catalog_free(p->second);
    memset(p, 0, sizeof(*p));
    p->ended = true;
}

/* The next entry of one tree; what is missing or damaged of it is passed over: the files below look
 * new and are read again (R6, R11). */
static enum sp_code
next_of(struct sp_catalog *c, const struct sp_entry **ret, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc;

    while ((rc = sp_catalog_next(c, ret, &why)) == SP_ABSENT || rc == SP_CORRUPT) {
        if (sp_catalog_skip(c, &why) == SP_OK)
            continue;
        *ret = NULL; /* damaged in the middle of a node: there is no way on */
        return SP_OK;
    }
    if (rc != SP_OK)
        *e = why;
    return rc;
}

static enum sp_code
advance(struct parent *p, struct sp_err *e)
{
    enum sp_code rc;

    p->at = NULL;
    if (!p->first_ended) {
        if ((rc = next_of(p->first, &p->at, e)) != SP_OK)
            return rc;
        if (p->at != NULL) {
            p->from = p->first;
            return SP_OK;
        }
        p->first_ended = true;
    }
    if (p->second == NULL) {
        p->ended = true;
        return SP_OK;
    }
    if (p->first != NULL && !p->second_sought) {
        struct sp_err why = {0};

        p->second_sought = true;
        rc = sp_catalog_seek(p->second, p->last_key, p->last_key_len, &why);
        if (rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT) {
            *e = why;
            return rc;
        }
        /* the first entry may be last_key itself, which the checkpoint had */
    }
    if ((rc = next_of(p->second, &p->at, e)) != SP_OK)
        return rc;
    p->from = p->second;
    p->ended = p->at == NULL;
    return SP_OK;
}

enum sp_code
parent_find(
    struct backup *b, const uint8_t *key, size_t n, const struct sp_entry **ret, struct sp_err *e)
{
    struct parent *p = &b->parent;
    enum sp_code rc;
    int order;

    *ret = NULL;
    while (!p->ended) {
        if (p->at == NULL && (rc = advance(p, e)) != SP_OK)
            return rc;
        if (p->at == NULL)
            continue; /* ended is set now */
        order = sp_key_cmp(p->at->key, p->at->key_len, key, n);
        if (order > 0)
            return SP_OK;
        if (order == 0) {
            *ret = p->at;
            return SP_OK;
        }
        p->at = NULL;
    }
    return SP_OK;
}
