#include "client/target_share.h"

#include <inttypes.h>
#include <string.h>

#include "base/random.h"

#define PREFIX ".stillpoint-restore-"
#define OWN (sizeof PREFIX - 1 + 16) /* with the run's random part */

enum sp_code
target_temp_init(struct target_temp *t, const struct sp_env *env, struct sp_err *e)
{
    atomic_init(&t->next, 0);
    return sp_random_fill(env->random, &t->base, sizeof t->base, e);
}

void
target_temp_name(struct target_temp *t, char to[TARGET_TEMP_NAME])
{
    (void)snprintf(to, TARGET_TEMP_NAME, PREFIX "%016" PRIx64 "-%08" PRIx64, t->base,
        (uint64_t)atomic_fetch_add(&t->next, 1));
}

bool
target_temp_foreign(struct target_temp *t, const char *name)
{
    char own[TARGET_TEMP_NAME];

    (void)snprintf(own, sizeof own, PREFIX "%016" PRIx64, t->base);
    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 && strncmp(name, own, OWN) != 0;
}

void
target_notes_init(struct target_notes *n, void (*note)(void *arg, const char *sentence), void *arg)
{
    sp_mutex_init(&n->lock);
    n->noted = 0;
    n->note = note;
    n->arg = arg;
    atomic_init(&n->count, 0);
}

void
target_notes_destroy(struct target_notes *n)
{
    sp_mutex_destroy(&n->lock);
}

void
target_notes_add(struct target_notes *n, unsigned kind, const char *sentence)
{
    unsigned bit = 1u << kind;

    atomic_fetch_add(&n->count, 1);
    sp_mutex_lock(&n->lock);
    if ((n->noted & bit) == 0 && n->note != NULL)
        n->note(n->arg, sentence);
    n->noted |= bit;
    sp_mutex_unlock(&n->lock);
}
