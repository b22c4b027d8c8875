/* The seam's calls: see store.h. */

#include "storage/store.h"

#include <stdlib.h>
#include <string.h>

void
sp_store_head_clear(struct sp_store_head *h)
{
    free(h->set);
    free(h->checkpoint);
    free(h->missing);
    memset(h, 0, sizeof(*h));
}

void
sp_commit_result_clear(struct sp_commit_result *r)
{
    free(r->missing);
    memset(r, 0, sizeof(*r));
}

enum sp_code
sp_store_info(struct sp_store *s, struct sp_store_info *ret, struct sp_err *e)
{
    return s->ops->info(s, ret, e);
}

enum sp_code
sp_store_slots(struct sp_store *s, const uint8_t group[16],
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    return s->ops->slots(s, group, each, arg, e);
}

enum sp_code
sp_store_put_slot(struct sp_store *s, const uint8_t *slot, size_t n, struct sp_err *e)
{
    return s->ops->put_slot(s, slot, n, e);
}

enum sp_code
sp_store_host(
    struct sp_store *s, const uint8_t host[16], uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    return s->ops->host(s, host, ret, ret_n, e);
}

enum sp_code
sp_store_head(struct sp_store *s, const char *job, struct sp_store_head *ret, struct sp_err *e)
{
    return s->ops->head(s, job, ret, e);
}

enum sp_code
sp_store_have(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e)
{
    if (n > 65536)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "%zu ids in one question", n);
    return n == 0 ? SP_OK : s->ops->have(s, nodes, ids, n, ret_answers, e);
}

enum sp_code
sp_store_put(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e)
{
    return s->ops->put(s, block, n, e);
}

enum sp_code
sp_store_flush(struct sp_store *s, struct sp_err *e)
{
    return s->ops->flush(s, e);
}

enum sp_code
sp_store_commit(struct sp_store *s, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    return s->ops->commit(s, type, record, n, ret, e);
}

enum sp_code
sp_store_complete(struct sp_store *s, const uint8_t *completion, size_t n, struct sp_err *e)
{
    return s->ops->complete(s, completion, n, e);
}

enum sp_code
sp_store_get(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    if (n > 65536)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "%zu ids in one question", n);
    return n == 0 ? SP_OK : s->ops->get(s, ids, n, copy, each, arg, e);
}

enum sp_code
sp_store_list(struct sp_store *s, bool all_hosts, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    return s->ops->list(s, all_hosts, checkpoints, each, arg, e);
}

enum sp_code
sp_store_missing(struct sp_store *s, const uint8_t set_id[16], struct sp_id **ret, size_t *ret_n,
    bool *ret_more, struct sp_err *e)
{
    return s->ops->missing(s, set_id, ret, ret_n, ret_more, e);
}

enum sp_code
sp_store_check(struct sp_store *s, const struct sp_check_options *o, sp_check_fn each, void *arg,
    struct sp_check_totals *ret, struct sp_err *e)
{
    if (o->parts > 0 && (o->part == 0 || o->part > o->parts))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "part %u of %u", o->part, o->parts);
    return s->ops->check(s, o, each, arg, ret, e);
}

void
sp_store_cancel(struct sp_store *s)
{
    s->ops->cancel(s);
}

void
sp_store_free(struct sp_store *s)
{
    if (s != NULL)
        s->ops->free(s);
}
