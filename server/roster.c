#include "server/roster.h"

#include <stdlib.h>
#include <string.h>

struct sp_roster {
    uint64_t order;
    struct sp_state_certificate *v; /* in the order of fingerprints */
    size_t n, cap;
};

static enum sp_code
take(void *arg, const struct sp_state_certificate *c, struct sp_err *e)
{
    struct sp_roster *r = arg;

    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 64 : r->cap * 2;
        struct sp_state_certificate *more = realloc(r->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        r->v = more;
        r->cap = cap;
    }
    r->v[r->n++] = *c;
    return SP_OK;
}

enum sp_code
sp_roster_load(struct sp_state *s, uint64_t order, struct sp_roster **ret, struct sp_err *e)
{
    struct sp_roster *r = calloc(1, sizeof(*r));
    enum sp_code rc;

    if (r == NULL)
        return sp_fail_nomem(e);
    r->order = order;
    if ((rc = sp_state_certificates(s, take, r, e)) != SP_OK) {
        sp_roster_free(r);
        return rc;
    }
    *ret = r;
    return SP_OK;
}

void
sp_roster_free(struct sp_roster *r)
{
    if (r == NULL)
        return;
    free(r->v);
    free(r);
}

uint64_t
sp_roster_order(const struct sp_roster *r)
{
    return r->order;
}

static int
compare(const void *key, const void *at)
{
    const struct sp_state_certificate *c = at;

    return memcmp(key, c->fingerprint, sizeof(c->fingerprint));
}

const struct sp_state_certificate *
sp_roster_find(const struct sp_roster *r, const uint8_t fingerprint[32])
{
    return r->n == 0 ? NULL : bsearch(fingerprint, r->v, r->n, sizeof(*r->v), compare);
}
