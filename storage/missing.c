/* Ids that are not there, each once and a bounded number of them: see repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

void
sp_missing_init(struct sp_missing *m, struct sp_repository *r)
{
    memset(m, 0, sizeof(*m));
    sp_keyset_init(&m->seen, r->seed);
}

void
sp_missing_free(struct sp_missing *m)
{
    free(m->ids);
    m->ids = NULL;
    m->n = m->cap = 0;
    sp_keyset_clear(&m->seen);
}

enum sp_code
sp_missing_add(struct sp_missing *m, const uint8_t id[32], struct sp_err *e)
{
    bool fresh;
    enum sp_code rc;

    if (m->n == SP_MISSING_MAX) {
        m->more = m->more || !sp_keyset_has(&m->seen, id);
        return SP_OK;
    }
    if (m->n == m->cap) {
        size_t cap = m->cap == 0 ? 64 : m->cap * 2;
        struct sp_id *more = realloc(m->ids, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        m->ids = more;
        m->cap = cap;
    }
    if ((rc = sp_keyset_add(&m->seen, id, &fresh, e)) == SP_OK && fresh)
        memcpy(m->ids[m->n++].b, id, SP_ID_SIZE);
    return rc;
}

void
sp_missing_take(struct sp_missing *m, struct sp_id **ret, size_t *ret_n, bool *ret_more)
{
    if (m->n > 0)
        qsort(m->ids, m->n, sizeof(*m->ids), sp_id_cmp);
    *ret = m->ids;
    *ret_n = m->n;
    *ret_more = m->more;
    m->ids = NULL;
    m->n = m->cap = 0;
}
