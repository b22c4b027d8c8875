#ifndef SP_TESTS_FAULT_SWEEP_H
#define SP_TESTS_FAULT_SWEEP_H

/* The commands that are swept, and what must be true after each, whichever call failed. */

#include "tests/fault/trap.h"
#include "tests/fault/world.h"

enum command_kind { BACKUP, RESTORE, LOOK, CHECK, INIT, KEYS };

struct scenario {
    const char *name;
    const char *from; /* what `live` is at the beginning */
    enum command_kind kind;
    const char *argv[12];
};

struct sweep {
    struct world w;
    bool memory;   /* allocations fail, not files */
    uint64_t seed; /* advances */
    size_t cases, failures, fired, survived;
    const struct scenario *now;
    const char *op;     /* only sites of this operation, */
    const char *within; /* below this function; NULL: all */
    bool first;         /* one wrong case is enough */
    struct ending unfaulted;
};

/* A scenario's cases: so many of them, chosen by the seed; each call site once before any twice.
 * most 0: each call of each site, each number, once and for ever. */
void sweep_scenario(struct sweep *s, const struct scenario *c, size_t most);
/* Makes what the scenarios begin with. */
void sweep_prepare(struct sweep *s);

extern const struct scenario scenarios[];
extern const size_t nscenarios;

uint64_t sweep_random(struct sweep *s);
/* As the environment says: SP_SEED, STILLPOINT_LONG. `argv`: SCENARIO [CASES [OPERATION
 * [FUNCTION]]] chooses, and then the first wrong case ends it.
 * Runs all; `cases`: how many of each in a slice. Prints the closing line; how many cases were
 * wrong. */
size_t sweep_all(const char *name, bool memory, size_t cases, char **argv);

#endif
