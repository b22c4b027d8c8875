#ifndef SP_CLIENT_TARGET_SHARE_H
#define SP_CLIENT_TARGET_SHARE_H

/* What the targets of all platforms have in common beside their handles (target_handles.h): temporary
 * names, and telling once for each kind what a target cannot hold. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"
#include "base/thread.h"

#define TARGET_TEMP_NAME 64

struct target_temp { /* names of this run: a random part, then counted */
    uint64_t base;
    atomic_uint_fast64_t next;
};
enum sp_code target_temp_init(struct target_temp *t, const struct sp_env *env, struct sp_err *e);
void target_temp_name(struct target_temp *t, char to[TARGET_TEMP_NAME]);
/* A temporary name of another run. */
bool target_temp_foreign(struct target_temp *t, const char *name);

struct target_notes {
    struct sp_mutex lock;
    unsigned noted; /* kinds that were told */
    void (*note)(void *arg, const char *sentence);
    void *arg;
    atomic_uint_fast64_t count;
};
void target_notes_init(
    struct target_notes *n, void (*note)(void *arg, const char *sentence), void *arg);
void target_notes_destroy(struct target_notes *n);
/* Counts it, and tells it when it is the first of its kind (below 32). */
void target_notes_add(struct target_notes *n, unsigned kind, const char *sentence);

#endif
