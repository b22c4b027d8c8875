#ifndef SP_CLIENT_RECALL_H
#define SP_CLIENT_RECALL_H

/* What this machine remembers of a repository, held against what is there. A store that lost the
 * newest set of a chain, or a key slot, looks whole to everybody else: nothing in it speaks of what
 * is gone (R21). Without a profile nothing is remembered. */

#include "client/sets.h"

/* A fault, as a check tells it: `f` is valid during the call. */
typedef void (*sp_recall_fn)(void *arg, const struct sp_check_finding *f);

/* The newest set of each job that was made here, among `sets` (of this host, all jobs). */
enum sp_code sp_recall_heads(struct sp_cli *c, const struct sp_opened_store *o,
    const struct sp_sets *sets, sp_recall_fn tell, void *arg, struct sp_err *e);
/* The group's key slots of which copies were kept here. Nothing takes a passphrase's or a recovery
 * key's slot away. */
enum sp_code sp_recall_slots(struct sp_cli *c, const struct sp_opened_store *o, sp_recall_fn tell,
    void *arg, struct sp_err *e);
/* The records of the group's hosts that have sets: only who has the key can tell whether they are
 * authentic. */
enum sp_code sp_recall_hosts(const struct sp_opened_store *o, const struct sp_sets *sets,
    sp_recall_fn tell, void *arg, struct sp_err *e);

#endif
