#ifndef SP_BASE_RUNS_H
#define SP_BASE_RUNS_H

/* External sorting of records: keeps at most `memory` bytes, writes sorted runs to temporary files (no
 * name, or removed at once) in `folder` and merges them. For folders with millions of names and for
 * hard-link groups at restore. A record is a key and a value; records come out in order of their keys
 * (memcmp, then length); equal keys keep the order in which they were added. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"

struct sp_runs;

/* `folder` is made when the first run is written. */
enum sp_code sp_runs_new(const struct sp_env *env, const char *folder, size_t memory,
    struct sp_runs **ret, struct sp_err *e);
enum sp_code sp_runs_add(struct sp_runs *r, const void *key, size_t key_n, const void *value,
    size_t value_n, struct sp_err *e);
uint64_t sp_runs_count(const struct sp_runs *r);
/* No more adds; sorting happens here. */
enum sp_code sp_runs_sort(struct sp_runs *r, struct sp_err *e);
/* The next record; *ret_more = false at the end. The views live until the next call. */
enum sp_code sp_runs_next(struct sp_runs *r, const void **ret_key, size_t *ret_key_n,
    const void **ret_value, size_t *ret_value_n, bool *ret_more, struct sp_err *e);
void sp_runs_free(struct sp_runs *r); /* removes its files */

#endif
