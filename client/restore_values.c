#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/restore_run.h"

/* Values of attributes that are chunks, for all but files: their windows bring them along. */

struct values {
    struct restore *r;
    struct sp_opener *opener;
    const struct sp_id *ids;
    uint8_t **data;
    size_t *len;
};

static enum sp_code
take_values(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct values *v = arg;
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err bad = {0};
    enum sp_code rc;

    sp_mutex_lock(&v->r->tell_lock);
    v->r->stats.bytes_fetched += n;
    sp_mutex_unlock(&v->r->tell_lock);
    rc = sp_block_open(v->opener, block, n, &opened, &bad);
    if (rc == SP_NOMEM) { /* nothing is known of the block */
        *e = bad;
        return rc;
    }
    if (rc != SP_OK)
        return SP_OK; /* another copy may be good */
    for (size_t i = 0; i < nwanted && rc == SP_OK; i++) {
        uint8_t **to = &v->data[wanted[i]];

        if (*to != NULL || !sp_opened_find(opened, &v->ids[wanted[i]], &chunk) ||
            chunk.kind != SP_CHUNK_DATA || chunk.len > SP_TARGET_ATTRIBUTE_MAX)
            continue;
        if ((*to = malloc(chunk.len + 1)) == NULL) {
            rc = sp_fail_nomem(e);
            break;
        }
        if (chunk.len > 0)
            memcpy(*to, chunk.data, chunk.len);
        v->len[wanted[i]] = chunk.len;
    }
    sp_opened_free(opened);
    return rc;
}

/* Few have any: one at a time. */
static enum sp_code
get_value(struct values *v, const struct sp_attribute *a, struct sp_err *flaw, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    v->ids = &a->id;
    for (unsigned copy = 0; copy < RESTORE_COPIES && rc == SP_OK && *v->data == NULL; copy++) {
        rc = sp_store_get(v->r->store, &a->id, 1, copy, take_values, v, e);
        if (rc == SP_ABSENT || rc == SP_CORRUPT)
            rc = SP_OK;
    }
    if (rc == SP_OK && *v->data == NULL)
        (void)sp_fail(flaw, SP_ABSENT, SP_DOM_STORE,
            "the value of its attribute %.200s (chunk %s) is missing from the repository, or "
            "damaged",
            a->name, sp_hex8(a->id.b).s);
    return rc;
}

static enum sp_code
fill_values(struct values *v, const struct sp_entry *en, struct sp_attribute *to, size_t *ret_n,
    struct sp_err *flaw, struct sp_err *e)
{
    uint8_t **data = v->data;
    size_t *len = v->len, external = 0;
    enum sp_code rc;

    for (size_t i = 0; i < en->nattributes; i++) {
        struct sp_attribute a = en->attributes[i];

        if (a.external && external++ >= SP_TARGET_LONG_ATTRIBUTES) {
            (void)sp_fail(flaw, SP_UNSUPPORTED, SP_DOM_STORE, "it has too many long attributes");
            break;
        }
        if (a.external) {
            v->data = &data[i];
            v->len = &len[i];
            if ((rc = get_value(v, &en->attributes[i], flaw, e)) != SP_OK)
                return rc;
            if (data[i] == NULL)
                continue;
            a.external = false;
            a.value = data[i];
            a.len = len[i];
        }
        to[(*ret_n)++] = a;
    }
    return SP_OK;
}

static bool
has_external(const struct sp_entry *en)
{
    for (size_t i = 0; i < en->nattributes; i++)
        if (en->attributes[i].external)
            return true;
    return false;
}

enum sp_code
fetch_attributes(struct restore *r, const struct sp_entry *en, struct sp_entry **ret,
    struct sp_err *flaw, struct sp_err *e)
{
    struct sp_attribute *attributes = NULL;
    uint8_t **data = NULL;
    struct values v = {.r = r};
    struct sp_entry full = *en;
    size_t n = 0, *len = NULL;
    enum sp_code rc = SP_OK;

    if (!has_external(en))
        return sp_entry_copy(en, ret, e);
    attributes = calloc(en->nattributes, sizeof *attributes);
    data = calloc(en->nattributes, sizeof *data);
    len = calloc(en->nattributes, sizeof *len);
    if (attributes == NULL || data == NULL || len == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    v.data = data;
    v.len = len;
    if ((rc = sp_opener_new(r->keys, &v.opener, e)) != SP_OK)
        goto out;
    if ((rc = fill_values(&v, en, attributes, &n, flaw, e)) != SP_OK)
        goto out;
    full.attributes = attributes;
    full.nattributes = n;
    rc = sp_entry_copy(&full, ret, e);
out:
    for (size_t i = 0; data != NULL && i < en->nattributes; i++)
        free(data[i]);
    sp_opener_free(v.opener);
    free(attributes);
    free(data);
    free(len);
    return rc;
}
