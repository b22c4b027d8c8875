/* Looking for damage without touching anything: see repository.h and check_impl.h. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/check_impl.h"

enum sp_code
sp_check_live(struct sp_check *c, struct sp_err *e)
{
    if (c->o->progress != NULL)
        c->o->progress(c->o->arg, &c->progress);
    if (c->o->stop != NULL && c->o->stop(c->o->arg))
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "interrupted");
    return sp_repository_live(c->r, e);
}

enum sp_code
sp_check_tell(struct sp_check *c, bool fault, const char *object, const uint8_t *set_id,
    const struct sp_id *ids, size_t nids, struct sp_err *e, const char *fmt, ...)
{
    struct sp_check_finding f;
    va_list ap;

    memset(&f, 0, sizeof(f));
    f.severity = fault ? SP_FINDING_FAULT : SP_FINDING_NOTE;
    if (object != NULL)
        (void)snprintf(f.object, sizeof(f.object), "%s", object);
    if (set_id != NULL)
        memcpy(f.set_id, set_id, sizeof(f.set_id));
    va_start(ap, fmt);
    (void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
    va_end(ap);
    f.ids = ids;
    f.nids = nids;
    if (fault)
        c->totals.faults++;
    return c->each(c->arg, &f, e);
}

enum sp_code
sp_check_bad(struct sp_check *c, bool fault, const char *object, const uint8_t *set_id,
    enum sp_code rc, const struct sp_err *why, struct sp_err *e)
{
    if (sp_store_fatal(rc)) {
        *e = *why;
        return rc;
    }
    return sp_check_tell(c, fault, object, set_id, NULL, 0, e, "%.380s", why->text);
}

enum sp_code
sp_repository_check(struct sp_repository *r, const uint8_t *host, const struct sp_check_options *o,
    sp_check_fn each, void *arg, struct sp_check_totals *ret, struct sp_err *e)
{
    struct sp_check c = {.r = r, .host = host, .o = o, .each = each, .arg = arg};
    size_t lost, i;
    enum sp_code rc;

    /* What is there now; it learns, and keeps what it learnt to itself and the cache folder. */
    if ((rc = sp_repository_refresh(r, &lost, e)) != SP_OK ||
        (rc = sp_check_objects(&c, e)) != SP_OK || (rc = sp_check_packs(&c, e)) != SP_OK ||
        (rc = sp_check_records(&c, e)) != SP_OK)
        goto out;
    *ret = c.totals;
out:
    /* From now on; during the check the good blocks of these packs counted, so that each set was
     * told exactly what it lost. */
    for (i = 0; i < c.nbad; i++)
        sp_repository_distrust(r, c.bad[i].pack);
    free(c.bad);
    sp_records_free(&c.names);
    return rc;
}
