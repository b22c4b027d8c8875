#ifndef SP_TESTS_CUTSTORE_H
#define SP_TESTS_CUTSTORE_H

/* A store in memory that writes down every operation, so that what a power cut after any of them may
 * leave can be made from its log, without running anything again.
 *
 * Operations are numbered from 1: begin, write, publish, abort, sync, remove, move. A cut after k has
 * seen 1…k. What a store of each kind may then show, object by object, and why:
 *
 *   what was done                | flushes both | no folder flush | no file flush | write-back
 *   caps flush_file/flush_folder |  yes / yes   |    yes / no     |   no / yes    |  no / no
 *   -----------------------------+--------------+-----------------+---------------+-----------
 *   begin, write, no publish     |  nothing is seen of it: it has no name but in tmp/ (R3)
 *   published, a sync behind it  |  whole       |  whole, gone    |  whole, torn  |  any
 *   published, no sync behind it |  whole, gone |  whole, gone    |  any          |  any
 *   removed, a sync behind it    |  gone        |  gone, there    |  gone         |  gone, there
 *   removed, no sync behind it   |  gone, there |  gone, there    |  gone, there  |  gone, there
 *   moved, a sync behind it      |  new         |  old, new, both |  new          |  any, neither
 *   moved, no sync behind it     |  old, new, both                |  … any, neither
 *   untouched since it was idle  |  whole, always: write-back has a period, and it was over
 *
 *  - "gone" is the name that never reached the disk, "there" the removal that did not. Flushing a
 *    folder is what makes either last, and sync promises no more than that (backend.h, R2).
 *  - "torn" (empty, any shorter length, half, the right length with a tail of zeros, all zeros) needs
 *    bytes that were not on the disk when the name was: sp_backend_publish flushes them before (R3),
 *    so only a store that cannot flush a file shows it. A cut never changes single bytes; what does
 *    is tests/damage's.
 *  - Names are independent of each other: a later object survives an earlier one. Of one name, what
 *    was done last is lost first (a prefix survives), as in any journal or folder written in place.
 *  - "both" is a move made of link and unlink (backend_dir_write.c: os->publish), of which the second
 *    was lost; the new name goes first, so never neither where the store keeps any order at all.
 *  - sync covers what was done through the same handle, and what that handle had listed (backend.h):
 *    a program may have been killed between a name and its barrier, and another relies on it now.
 *  - A store that is killed, not cut, keeps all that was visible: cut nothing, and open it again.
 */

#include "base/buf.h"
#include "storage/backend.h"

struct cutstore;
struct cut_plan;

struct cutstore *cutstore_new(bool flush_file, bool flush_folder);
/* Survivors of it go before. */
void cutstore_free(struct cutstore *c);
/* A handle on it; freed as a backend, before the store. */
struct sp_backend *cutstore_open(struct cutstore *c);
uint64_t cutstore_operations(const struct cutstore *c);
/* Hours pass: everything is on the disk. */
void cutstore_idle(struct cutstore *c);
/* Every call after this many operations fails, as of a store whose power is gone; 0: none does. */
void cutstore_die_after(struct cutstore *c, uint64_t operations);
/* The first sync after this many operations fails, once, and covers nothing: a disk that could not
 * write. All else goes on. 0: none does. */
void cutstore_refuse_sync(struct cutstore *c, uint64_t operations);
/* What operation k was: "publish packs/…"; valid as long as the store. */
const char *cutstore_operation(const struct cutstore *c, uint64_t k);
bool cutstore_is_sync(const struct cutstore *c, uint64_t k);

/* --- what may survive a cut after k ------------------------------------------------------------ */

enum cut_tear { CUT_WHOLE, CUT_EMPTY, CUT_HALF, CUT_SHORT, CUT_ZERO_TAIL, CUT_ZEROS, CUT_TEARS };

/* Everything that is not sure after k, worked out once for many residues. */
struct cut_plan *cut_plan_new(const struct cutstore *c, uint64_t after);
void cut_plan_free(struct cut_plan *p);
size_t cut_plan_names(const struct cut_plan *p); /* whose last steps are not sure */
const char *cut_plan_name(const struct cut_plan *p, size_t name);
/* Its publishing is what is not sure, nothing that followed. */
bool cut_plan_newborn(const struct cut_plan *p, size_t name);
size_t cut_plan_steps(const struct cut_plan *p, size_t name); /* 0…this many may have survived */
size_t cut_plan_tearable(const struct cut_plan *p); /* objects whose bytes are not sure */

/* One residue: chosen, then made. A choice begins with all steps kept and nothing torn. */
void cut_plan_keep_all(struct cut_plan *p);
void cut_plan_lose_all(struct cut_plan *p);
void cut_plan_keep(struct cut_plan *p, size_t name, size_t steps);
/* `cut`: which byte, for SHORT and ZERO_TAIL; any number. */
void cut_plan_tear(struct cut_plan *p, size_t tearable, enum cut_tear how, uint64_t cut);
void cut_plan_random(struct cut_plan *p, uint64_t seed);
/* What the choice leaves, as a number: equal for equal objects. Makes the choice one that may be. */
uint64_t cut_plan_state(struct cut_plan *p);
/* Whether an object of the right length has other bytes: nobody sees that by looking at sizes. */
bool cut_plan_silent(struct cut_plan *p);
/* A store with that in it, operations counted from 0, everything on the disk. Outlived by the plan's
 * store. */
struct cutstore *cut_plan_survivor(struct cut_plan *p);
/* For people: every object that is not as it was. */
void cut_plan_tell(struct cut_plan *p, struct sp_buf *to);

#endif
