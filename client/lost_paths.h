#ifndef SP_CLIENT_LOST_PATHS_H
#define SP_CLIENT_LOST_PATHS_H

/* Which files of which sets need chunks that are lost: what `check` says to people. */

#include "client/sets.h"

/* A bounded, sorted set of ids. */
struct sp_lost_ids {
    struct sp_id *ids;
    size_t n, cap;
    bool more; /* there are others, which were not kept */
};
/* What a finding of a check says that a set lacks. A bad copy is no loss yet: another may be good,
 * or nobody may need it. */
enum sp_code
sp_lost_ids_take(struct sp_lost_ids *l, const struct sp_check_finding *f, struct sp_err *e);
void sp_lost_ids_sort(struct sp_lost_ids *l); /* after the last add */
void sp_lost_ids_clear(struct sp_lost_ids *l);

/* Calls `path` for the first files of the set that are affected, with a sentence; *ret_total counts
 * them all. A part of the catalog that cannot be read is told with an empty key, and counted in
 * *ret_parts. */
enum sp_code sp_lost_paths(struct sp_cli *c, struct sp_opened_store *o, const struct sp_set *set,
    const struct sp_lost_ids *lost,
    void (*path)(void *arg, const void *key, size_t n, const char *text), void *arg,
    uint64_t *ret_total, uint64_t *ret_parts, struct sp_err *e);

#endif
