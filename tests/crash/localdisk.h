#ifndef SP_TESTS_LOCALDISK_H
#define SP_TESTS_LOCALDISK_H

/* A machine's local disk in memory, for cache folders: a table of file operations that remembers
 * when everything came about, so that it can be had again as it was. It is never cut: what is local
 * is a hint (R5), and one that is whole while the store lost something is the harder case. One
 * thread. */

#include "base/os.h"

struct localdisk;

struct localdisk *localdisk_new(uint64_t (*now)(void *arg), void *arg); /* now NULL: always 0 */
void localdisk_free(struct localdisk *d);
const struct sp_os *localdisk_os(struct localdisk *d);
/* A disk with what was there when `now` said `at`, or less; outlived by `d`. */
struct localdisk *localdisk_at(const struct localdisk *d, uint64_t at);
/* Its files as a number: equal for equal ones. */
uint64_t localdisk_state(const struct localdisk *d, uint64_t at);

#endif
