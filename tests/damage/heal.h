#ifndef SP_TESTS_DAMAGE_HEAL_H
#define SP_TESTS_DAMAGE_HEAL_H

/* The next backup over a damaged repository: it succeeds, and its set is whole (R4, R6). */

#include "tests/damage/look.h"

/* `checked`: a check read everything before, by the same caches; `warm`: the caches are those of
 * the runs before the damage, else there are none. Changes what is in the backend. */
void heal(const struct look *l, size_t site, bool checked, bool warm);

#endif
