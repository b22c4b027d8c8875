#ifndef SP_BASE_RUNS_INTERNAL_H
#define SP_BASE_RUNS_INTERNAL_H

/* The two halves of base/runs.c that touch the disk. A spill is a temporary file of sorted runs; a
 * merge reads some neighbouring runs of one as one. A record is `u32 key length, u32 value length,
 * key, value`, in memory as on disk. */

#include "base/os.h"

#define SP_RUN_HEAD 8
#define SP_RUN_MAX (1u << 30) /* bytes of a key, bytes of a value */

struct sp_spill;
/* `buffer`: bytes gathered before they are written. Makes `folder`. */
enum sp_code sp_spill_new(const struct sp_env *env, const char *folder, size_t buffer,
    struct sp_spill **ret, struct sp_err *e);
enum sp_code sp_spill_put(struct sp_spill *s, const void *record, size_t n, struct sp_err *e);
enum sp_code sp_spill_end_run(struct sp_spill *s, struct sp_err *e);
size_t sp_spill_runs(const struct sp_spill *s);
/* Where run i lies. */
void sp_spill_run(const struct sp_spill *s, size_t i, uint64_t *ret_from, uint64_t *ret_to);
enum sp_code
sp_spill_read(struct sp_spill *s, uint64_t offset, void *to, size_t n, struct sp_err *e);
void sp_spill_free(struct sp_spill *s); /* removes the file */

struct sp_merge;
/* Reads runs [first, first + n) of s with about `memory` bytes of buffers. */
enum sp_code sp_merge_new(struct sp_spill *s, size_t first, size_t n, size_t memory,
    struct sp_merge **ret, struct sp_err *e);
/* The next record, valid until the next call; NULL at the end. */
enum sp_code sp_merge_next(struct sp_merge *m, const uint8_t **ret, struct sp_err *e);
void sp_merge_free(struct sp_merge *m);
/* Merges neighbours, pass by pass, until what is left can be merged at once. Replaces *s. */
enum sp_code sp_merge_reduce(struct sp_spill **s, const struct sp_env *env, const char *folder,
    size_t memory, struct sp_err *e);

#endif
