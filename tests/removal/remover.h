#ifndef SP_TESTS_REMOVER_H
#define SP_TESTS_REMOVER_H

/* What a removal does with the packs that no set needs (docs/format.md §13), for tests of those
 * that upload meanwhile: as slow and as simple as it can be. It reads everything anew in each step,
 * and keeps nothing but what lies in the repository. Any backend that can be written to. */

#include "storage/backend.h"
#include "storage/lease.h"

struct remover {
    struct sp_backend *b; /* borrowed */
    int64_t grace_ns;
    bool keep_temporaries; /* does not sweep: a remover that is wrong */
};

/* Marks the packs that no set and no checkpoint needs. *ret_n = 0: there are none, and no mark is
 * made. */
enum sp_code
remover_mark(const struct remover *x, uint8_t ret_id[16], size_t *ret_n, struct sp_err *e);
/* After the grace (SP_BUSY before): sweeps what began before, looks at every set once more, and
 * moves the packs of the mark that none needs to trash/<mark>/. Can be repeated. SP_REFUSED on
 * whatever it does not understand (R10). */
enum sp_code
remover_take(const struct remover *x, const uint8_t id[16], size_t *ret_n, struct sp_err *e);
/* Once more after the grace: what a set needs nevertheless comes back, the rest and the mark go. */
enum sp_code
remover_expire(const struct remover *x, const uint8_t id[16], size_t *ret_back, struct sp_err *e);
/* Sets and checkpoints of which something is not there; each is told of to stdout by `what`, if not
 * NULL. */
enum sp_code remover_broken(const struct remover *x, const char *what, size_t *ret_broken,
    size_t *ret_sets, struct sp_err *e);

#endif
