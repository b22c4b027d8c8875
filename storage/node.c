#include "storage/node.h"

#include <stdlib.h>
#include <string.h>

#include "storage/tree_node.h"

enum sp_code
sp_node_copy(const struct sp_chunk *c, struct sp_node **ret, struct sp_err *e)
{
    struct sp_node *n;
    uint8_t *p;

    if (c->nrefs > (SIZE_MAX / 2 - sizeof *n) / sizeof(struct sp_id) ||
        c->len > SIZE_MAX / 2 - sizeof *n - c->nrefs * sizeof(struct sp_id))
        return sp_fail_nomem(e);
    n = malloc(sizeof *n + c->nrefs * sizeof(struct sp_id) + c->len);
    if (n == NULL)
        return sp_fail_nomem(e);
    /* struct sp_id is bytes: it may lie anywhere. */
    p = (uint8_t *)(n + 1);
    n->id = *c->id;
    n->kind = c->kind;
    n->nrefs = c->nrefs;
    n->len = c->len;
    n->refs = (const struct sp_id *)(const void *)p;
    n->data = p + c->nrefs * sizeof(struct sp_id);
    if (c->nrefs > 0)
        memcpy(p, c->refs, c->nrefs * sizeof(struct sp_id));
    if (c->len > 0)
        memcpy(p + c->nrefs * sizeof(struct sp_id), c->data, c->len);
    *ret = n;
    return SP_OK;
}

enum sp_code
sp_node_fetch(const struct sp_node_source *source, const struct sp_id *id, struct sp_node **ret,
    struct sp_err *e)
{
    struct sp_node *n = NULL;
    enum sp_code rc;

    if ((rc = source->get(source->self, id, 1, &n, e)) != SP_OK)
        return rc;
    if (sp_id_cmp(&n->id, id) != 0) {
        rc = sp_node_corrupt(n, NULL, 0, "is not the one that was asked for", e);
        free(n);
        return rc;
    }
    *ret = n;
    return SP_OK;
}
