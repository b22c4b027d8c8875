/* Where a job stands, and what a set lacks: see repository.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/repository_impl.h"

/* The closure of one record's root into the head's missing ids. */
static enum sp_code
judge(struct sp_repository *r, const struct sp_reader_scope *scope, const uint8_t *p, size_t n,
    struct sp_missing *m, bool *ret_whole, struct sp_err *e)
{
    struct sp_set set;
    enum sp_code rc = sp_set_record_decode(p, n, &set, e);

    return rc != SP_OK ? rc : sp_closure_walk(r, scope, &set.root, NULL, m, ret_whole, e);
}

enum sp_code
sp_repository_head(struct sp_repository *r, const uint8_t host[16], const uint8_t group[16],
    const char *job, struct sp_store_head *ret, struct sp_err *e)
{
    const struct sp_reader_scope scope = {host, group};
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_chain chain;
    struct sp_store_head h;
    struct sp_missing m;
    size_t lost;
    enum sp_code rc;

    memset(&h, 0, sizeof(h));
    memset(&chain, 0, sizeof(chain));
    sp_missing_init(&m, r);
    if ((rc = sp_repository_refresh_lately(r, &lost, e)) != SP_OK ||
        (rc = sp_records_list(r, host, &names, e)) != SP_OK ||
        (rc = sp_chain_head(r, &names, job, &chain, e)) != SP_OK)
        goto out;
    if (chain.set != NULL) {
        h.has_set = true;
        h.set = chain.set;
        h.set_len = chain.set_len;
        chain.set = NULL;
        if ((rc = judge(r, &scope, h.set, h.set_len, &m, &h.set_whole, e)) != SP_OK)
            goto out;
    }
    memcpy(h.set_hash, chain.hash, sizeof(h.set_hash));
    rc = sp_chain_checkpoint(r, &names, job, &chain, &h.checkpoint, &h.checkpoint_len, e);
    if (rc == SP_OK) {
        h.has_checkpoint = true;
        rc = judge(r, &scope, h.checkpoint, h.checkpoint_len, &m, &h.checkpoint_whole, e);
    } else if (rc == SP_ABSENT) {
        sp_err_clear(e);
        rc = SP_OK;
    }
    if (rc != SP_OK)
        goto out;
    sp_known_save(r, host, group);
    sp_missing_take(&m, &h.missing, &h.nmissing, &h.missing_more);
    *ret = h;
    memset(&h, 0, sizeof(h));
out:
    sp_store_head_clear(&h);
    sp_missing_free(&m);
    sp_chain_free(&chain);
    sp_records_free(&names);
    return rc;
}

enum sp_code
sp_repository_set_missing(struct sp_repository *r, const uint8_t set_id[16], struct sp_id **ret,
    size_t *ret_n, bool *ret_more, struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_reader_scope scope;
    struct sp_set set;
    uint8_t *p = NULL;
    size_t i, n, lost;
    enum sp_code rc;

    if ((rc = sp_repository_refresh(r, &lost, e)) != SP_OK ||
        (rc = sp_records_list(r, NULL, &names, e)) != SP_OK)
        return rc;
    for (i = 0; i < names.n; i++)
        if (names.v[i].type <= SP_RECORD_CHECKPOINT &&
            memcmp(names.v[i].set_id, set_id, sizeof(names.v[i].set_id)) == 0)
            break;
    if (i == names.n) {
        rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no set %s", sp_hex16(set_id).s);
        goto out;
    }
    if ((rc = sp_record_read(r, &names.v[i], &p, &n, e)) != SP_OK ||
        (rc = sp_set_record_decode(p, n, &set, e)) != SP_OK)
        goto out;
    scope.host = set.host;
    scope.group = set.group;
    rc = sp_repository_closure(r, &scope, &set.root, ret, ret_n, ret_more, e);
out:
    free(p);
    sp_records_free(&names);
    return rc;
}
