/* Rate limits by address: see rate.h. */

#include "proto/rate.h"

#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

#define WAYS 8
#define ROWS (SP_RATE_ADDRESSES / WAYS)
#define MINUTE INT64_C(60000000000)

struct place {
    uint8_t address[16];
    int64_t full_at; /* 0: free */
};

struct sp_rate {
    int64_t step, most; /* ns that one try costs; ns that may be owed */
    uint64_t seed;
    struct place rows[ROWS][WAYS];
};

enum sp_code
sp_rate_new(
    unsigned burst, unsigned per_minute, uint64_t seed, struct sp_rate **ret, struct sp_err *e)
{
    struct sp_rate *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return sp_fail_nomem(e);
    r->step = MINUTE / per_minute;
    r->most = r->step * (int64_t)burst;
    r->seed = seed;
    *ret = r;
    return SP_OK;
}

void
sp_rate_free(struct sp_rate *r)
{
    free(r);
}

static struct place *
row_of(struct sp_rate *r, const uint8_t address[16])
{
    uint64_t h = r->seed ^ UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i < 16; i++)
        h = (h ^ address[i]) * UINT64_C(0x100000001b3);
    return r->rows[(h ^ h >> 29) % ROWS];
}

bool
sp_rate_allow(struct sp_rate *r, const uint8_t address[16], int64_t now_ns)
{
    struct place *row = row_of(r, address), *p = &row[0];
    int64_t full_at;

    for (int i = 0; i < WAYS; i++) {
        if (row[i].full_at != 0 && memcmp(row[i].address, address, 16) == 0) {
            p = &row[i];
            break;
        }
        if (row[i].full_at < p->full_at)
            p = &row[i];
    }
    if (p->full_at == 0 || memcmp(p->address, address, 16) != 0) {
        memcpy(p->address, address, 16);
        p->full_at = 0;
    }
    full_at = (p->full_at > now_ns ? p->full_at : now_ns) + r->step;
    if (full_at - now_ns > r->most)
        return false;
    p->full_at = full_at;
    return true;
}
