#include "client/set_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/present.h"

enum sp_code
sp_set_reader_open(struct sp_cli *c, struct sp_opened_store *o, const struct sp_set *set,
    bool cached, struct sp_set_reader *r, struct sp_err *e)
{
    char *cache = NULL;
    enum sp_code rc;

    memset(r, 0, sizeof(*r));
    if (memcmp(set->group, sp_keys_group(o->keys), 16) != 0)
        return sp_fail(e, SP_AUTH, SP_DOM_CRYPTO,
            "set %s belongs to another key group, whose key is not here; open the repository with "
            "its "
            "recovery key (--recovery-key-file)",
            sp_present_id(set->set_id).s);
    if (cached && o->profile != NULL && memcmp(set->host, o->profile->host, 16) == 0 &&
        (rc = sp_profile_cache(c->env, o->repository, set->job, &cache, e)) != SP_OK)
        return rc;
    rc = sp_nodes_new(c->env, o->store, o->keys, cache, &r->nodes, e);
    free(cache);
    if (rc != SP_OK)
        return rc;
    r->source = sp_nodes_source(r->nodes);
    if ((rc = sp_catalog_open(&r->source, &set->root, &r->catalog, e)) != SP_OK) {
        sp_err_context(e, "the catalog of set %s", sp_present_id(set->set_id).s);
        sp_set_reader_close(r);
    }
    return sp_set_reader_damage(rc, e);
}

void
sp_set_reader_close(struct sp_set_reader *r)
{
    sp_catalog_free(r->catalog);
    sp_nodes_free(r->nodes);
    r->catalog = NULL;
    r->nodes = NULL;
}

enum sp_code
sp_set_reader_damage(enum sp_code rc, struct sp_err *e)
{
    if (rc == SP_ABSENT && e->domain == SP_DOM_STORE)
        e->code = rc = SP_CORRUPT;
    return rc;
}

bool
sp_set_reader_goes_on(enum sp_code rc)
{
    return rc == SP_ABSENT || rc == SP_CORRUPT || rc == SP_UNSUPPORTED || rc == SP_AUTH;
}

enum sp_code
sp_set_reader_next(struct sp_set_reader *r, const struct sp_entry **ret, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc;

    while ((rc = sp_catalog_next(r->catalog, ret, &why)) != SP_OK) {
        if (rc != SP_ABSENT && rc != SP_CORRUPT) {
            *e = why;
            return rc;
        }
        if (r->damaged++ == 0)
            r->first = why;
        if ((rc = sp_catalog_skip(r->catalog, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

enum sp_code
sp_set_reader_leave(struct sp_set_reader *r, const void *key, size_t n, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err why = {0};
    enum sp_code rc;

    /* Everything inside begins with the key and a NUL; nothing else can. */
    sp_buf_put(&b, key, n);
    sp_buf_put_u8(&b, 1);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_catalog_seek(r->catalog, b.data, b.len, &why);
    sp_buf_free(&b);
    if (rc == SP_ABSENT || rc == SP_CORRUPT) { /* told by the next call */
        if (r->damaged++ == 0)
            r->first = why;
        return sp_catalog_skip(r->catalog, e);
    }
    if (rc != SP_OK && why.code != SP_OK)
        *e = why;
    return rc;
}

enum sp_code
sp_set_reader_verdict(const struct sp_set_reader *r, struct sp_err *e)
{
    if (r->damaged == 0)
        return SP_OK;
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
        "%" PRIu64 " parts of the catalog could not be read, what they hold is left out: %s; "
        "'stillpoint check' tells more",
        r->damaged, r->first.text);
}
