#include "client/recent.h"

#include <stdlib.h>
#include <string.h>

/* Two generations of an open-addressing table of 16-byte prefixes (128 bits of a keyed hash). When
 * the young one is full the old one is dropped. */

#define SLOTS 131072u
#define PREFIX 16

struct table {
    uint8_t key[SLOTS][PREFIX];
    uint8_t used[SLOTS];
    size_t count;
};

struct sp_recent {
    struct table *young, *old;
};

enum sp_code
sp_recent_new(struct sp_recent **ret, struct sp_err *e)
{
    struct sp_recent *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return sp_fail_nomem(e);
    r->young = calloc(1, sizeof(*r->young));
    r->old = calloc(1, sizeof(*r->old));
    if (r->young == NULL || r->old == NULL) {
        sp_recent_free(r);
        return sp_fail_nomem(e);
    }
    *ret = r;
    return SP_OK;
}

void
sp_recent_free(struct sp_recent *r)
{
    if (r == NULL)
        return;
    free(r->young);
    free(r->old);
    free(r);
}

/* The slot of the id: used when it is there, free otherwise. */
static size_t
find(const struct table *t, const struct sp_id *id)
{
    size_t i = sp_le32(id->b + 16) % SLOTS;

    while (t->used[i] && memcmp(t->key[i], id->b, PREFIX) != 0)
        i = (i + 1) % SLOTS;
    return i;
}

bool
sp_recent_add(struct sp_recent *r, const struct sp_id *id)
{
    struct table *t;
    size_t i = find(r->young, id);

    if (r->young->used[i])
        return true;
    if (r->old->used[find(r->old, id)])
        return true;
    if (r->young->count == SP_RECENT_KEEP) {
        t = r->old;
        r->old = r->young;
        r->young = t;
        memset(t->used, 0, sizeof(t->used));
        t->count = 0;
        i = find(t, id);
    }
    memcpy(r->young->key[i], id->b, PREFIX);
    r->young->used[i] = 1;
    r->young->count++;
    return false;
}

void
sp_recent_clear(struct sp_recent *r)
{
    memset(r->young->used, 0, sizeof(r->young->used));
    memset(r->old->used, 0, sizeof(r->old->used));
    r->young->count = 0;
    r->old->count = 0;
}
