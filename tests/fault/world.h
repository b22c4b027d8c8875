#ifndef SP_TESTS_FAULT_WORLD_H
#define SP_TESTS_FAULT_WORLD_H

/* A machine with files, its own state, and a repository in a folder; the commands of stillpoint,
 * run in this program but each in a process of its own, over the table of files that the traps
 * stand in.
 *
 * Below the world's folder:
 *   files     what is backed up: never touched by a case
 *   was       as `files` were when the first set was made
 *   live      all that a command may change: repository, config, state, cache, out, sheet
 *   <name>    copies of `live`, to begin a case with */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#define WORLD_TEXT 65536

struct world {
    char dir[64];
    int64_t now_ns; /* what the clock shows; 0: the time. "3 s ago" would differ from run to run */
    bool plain;     /* files are asked for without the traps' table, which takes memory itself */
};

struct ending {
    int code;   /* of the command; -1: it ended by a signal or was found out by a sanitizer */
    int signal; /* 0: none; SIGALRM: it did not end in time */
    char out[WORLD_TEXT], err[WORLD_TEXT];
};

void world_new(struct world *w);
void world_free(struct world *w);
/* "@/x" is x in the world's folder; anything else is itself. To be freed. */
char *world_path(const struct world *w, const char *path);

/* The files of the first set, and what is changed for the second. */
void world_files(struct world *w);
void world_change_files(struct world *w);
/* Copies `live` to `name`, or `name` to `live`. */
void world_keep(struct world *w, const char *name);
void world_reset(struct world *w, const char *name);

/* Runs a command; the traps are as they are, unless `quietly`: then nothing is counted or fails. */
void world_run(struct world *w, const char *const *argv, bool quietly, struct ending *ret);
/* Runs it quietly; its exit code must be 0, or the words of what went wrong are in *why (and
 * false). */
bool world_does(struct world *w, char why[WORLD_TEXT], ...);
/* The same with a state of its own, as another machine. */
void world_as(struct world *w, const char *state);
/* The next commands die when a name that ends so is about to be given, and make a checkpoint
 * whenever they can until then; NULL: they do not. */
extern const char *world_die_at;

/* A, B: "@/…"; equal in everything. */
bool world_same(struct world *w, const char *a, const char *b, char why[WORLD_TEXT]);
/* Every file below `a` has the content of its like below `b`; names that begin with a dot and
 * "stillpoint" are unfinished files and do not count. */
bool world_whole(struct world *w, const char *a, const char *b, char why[WORLD_TEXT]);
void world_remove(struct world *w, const char *path);

#define WORLD_SETS 32
/* Ids of the sets in the repository, the oldest first. */
size_t world_sets(struct world *w, char ret[WORLD_SETS][40]);
/* Names and sizes of all objects, in one number. */
uint64_t world_objects(struct world *w);
size_t world_count(struct world *w, const char *folder, const char *ending);

#endif
