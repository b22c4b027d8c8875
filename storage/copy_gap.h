#ifndef SP_STORAGE_COPY_GAP_H
#define SP_STORAGE_COPY_GAP_H

/* Gaps that a copy left in the chain of a job (docs/format.md §9.3): which numbers, and from which
 * repository. Not signed: who copies has no key. So it proves nothing against a store that lies; it
 * tells check a gap that was left from a set that was lost. */

#include "storage/repository.h"

struct sp_gap {
    uint8_t host[16], source[16]; /* source: the id of the repository copied from */
    char job[256];
    uint64_t first, last; /* numbers, both inside */
};
struct sp_gaps {
    struct sp_gap *v;
    size_t n, cap;
};

/* "gaps/<host>/<32 digits>"; `to` has room for 96 bytes. Appends the object to `ret`. */
enum sp_code
sp_gap_encode(const struct sp_gap *g, char to[96], struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_gap_decode(const void *p, size_t n, struct sp_gap *ret, struct sp_err *e);
/* Those of a host that read and lie under their own name. */
enum sp_code sp_gaps_load(
    struct sp_repository *r, const uint8_t host[16], struct sp_gaps *ret, struct sp_err *e);
enum sp_code sp_gaps_add(struct sp_gaps *l, const struct sp_gap *g, struct sp_err *e);
/* One that covers all of first … last; NULL. */
const struct sp_gap *
sp_gaps_cover(const struct sp_gaps *l, const char *job, uint64_t first, uint64_t last);
void sp_gaps_clear(struct sp_gaps *l);

#endif
