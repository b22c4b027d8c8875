#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* The parent: entries of the last set; when a run died after a checkpoint, the checkpoint's up to
 * its last key and the set's behind that. Both are sorted as the walk is, so the three are merged
 * as streams. */

/* A tree whose root is gone or damaged is no parent: everything below it is read again (R6, R11). */
static enum sp_code
open_tree(struct parent *p, const struct sp_id *root, struct sp_catalog **ret, struct sp_err *e)
{
    enum sp_code rc = sp_catalog_open(&p->source, root, ret, e);

    return rc == SP_ABSENT || rc == SP_CORRUPT ? SP_OK : rc;
}

enum sp_code
parent_open(struct backup *b, struct sp_err *e)
{
    struct parent *p = &b->parent;
    enum sp_code rc;

    memset(p, 0, sizeof(*p));
    p->source = sp_nodes_source(b->nodes);
    if (b->use_checkpoint) {
        if ((rc = open_tree(p, &b->root_checkpoint, &p->first, e)) != SP_OK)
            return rc;
        p->last_key = b->checkpoint_key;
        p->last_key_len = b->checkpoint_key_len;
    }
    if (b->use_set) {
        if ((rc = open_tree(p, &b->root_set, &p->second, e)) != SP_OK)
            return rc;
    }
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
    enum sp_code rc;

    for (;;) {
        rc = sp_catalog_next(c, ret, e);
        if (rc != SP_ABSENT && rc != SP_CORRUPT)
            return rc;
        if ((rc = sp_catalog_skip(c, e)) != SP_OK) {
            if (rc != SP_ABSENT && rc != SP_CORRUPT)
                return rc;
            *ret = NULL; /* not even the root can be read */
            return SP_OK;
        }
    }
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
        p->second_sought = true;
        rc = sp_catalog_seek(p->second, p->last_key, p->last_key_len, e);
        if (rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT)
            return rc;
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

bool
backup_id_missing(const struct backup *b, const struct sp_id *id)
{
    return b->nmissing > 0 && bsearch(id, b->missing, b->nmissing, sizeof(*id), sp_id_cmp) != NULL;
}
