#ifndef SP_TESTS_DAMAGE_LOOK_H
#define SP_TESTS_DAMAGE_LOOK_H

/* What the product says and does about a damaged repository, held against the oracle. Each fails
 * the test, naming the case, when something is missed, or is named that is not hit, or comes back
 * wrong. */

#include "tests/damage/oracle.h"

struct look {
    struct world *w;
    const struct state *s;
    const struct oracle *o;
    struct sp_backend *below;
    const char *what; /* the case, for messages */
};

/* Check at both depths: the verdict, the objects, the sets, the files. It writes nothing. */
void look_check(const struct look *l);
/* One set, found by its id: whole and equal, or short and told, or refused. */
void look_restore(const struct look *l, size_t set);
/* A set that was made after the damage, of the site's newest files; `whole`: nothing may be amiss.
 */
void look_new_set(const struct look *l, size_t site, const uint8_t set_id[16], bool whole);
/* After healing, check says nothing of this set. */
void look_clean(const struct look *l, size_t site, const uint8_t set_id[16]);
/* What is listed: every good record, nothing under another's name, and whether one is amiss. */
void look_list(const struct look *l);

/* A store over the backend as the site would read it, with a cache of its own that is empty. */
struct sp_store *look_open(const struct look *l, size_t site, struct sp_err *e);

#endif
