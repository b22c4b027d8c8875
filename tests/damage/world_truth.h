#ifndef SP_TESTS_DAMAGE_WORLD_TRUTH_H
#define SP_TESTS_DAMAGE_WORLD_TRUTH_H

/* How world.c comes to know what is true; nobody else includes it. */

#include "tests/damage/world.h"

/* The files of a site as they are now, for the set that was just made of them. */
void truth_files(struct world *w, size_t site, struct known_set *set);
/* When all is made: packs, chunks, and what each set and file needs. */
void truth_read(struct world *w);
void ids_add(struct ids *l, uint32_t id);
void ids_clear(struct ids *l);
/* Local folders: all that is in `from` into `to`, which is made anew. */
void folder_copy(const char *from, const char *to);

#endif
