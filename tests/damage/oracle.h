#ifndef SP_TESTS_DAMAGE_ORACLE_H
#define SP_TESTS_DAMAGE_ORACLE_H

/* What a damage hits, worked out from the bytes of the damaged repository and what is true of the
 * whole one: which chunks can still be had, which objects are bad, which sets and files suffer.
 * Where the design leaves a choice there are two answers: what must be so, and what may be. */

#include "tests/damage/world.h"

enum verdict { CLEAN, MAY, MUST };
enum record_state { INTACT, MAYBE, BAD, GONE };

struct oracle {
    const struct world *w;
    const struct state *s;
    /* For each chunk, whether a good copy can be fetched: surely, perhaps. */
    uint8_t *get_lo, *get_hi;
    /* For each chunk and site, whether check counts on it for that site's sets, by depth. */
    uint8_t *use_lo[2][SITES], *use_hi[2][SITES];
    enum verdict object[2][OBJECTS_MOST]; /* whether check calls it damaged, by depth */
    enum record_state record[SETS_MOST];
    enum record_state host[SITES]; /* the record that is in force */
    bool opens;                    /* repository.conf is good */
    bool data_in_place;            /* a data block has other bytes, and nothing else tells of it */
    bool data_unseen;              /* the same of any part of a data pack */
};

void oracle_ask(const struct world *w, const struct state *s, struct oracle *o);
void oracle_clear(struct oracle *o);
/* Whether check names the set: the set itself, or one that follows a bad one. */
enum verdict oracle_set(const struct oracle *o, size_t set, int depth);
/* Whether the file of the set comes back: CLEAN surely, MUST surely not. */
enum verdict oracle_file(const struct oracle *o, const struct file *f);
/* Whether check names the file among those hit. */
enum verdict oracle_named(const struct oracle *o, size_t set, const struct file *f, int depth);
/* Whether check finds anything at all. */
enum verdict oracle_all(const struct oracle *o, int depth);
/* Whether a set is missing that only one who remembers it can miss: the newest of its chain. */
bool oracle_head_lost(const struct oracle *o, size_t site);

#endif
