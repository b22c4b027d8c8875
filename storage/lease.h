#ifndef SP_STORAGE_LEASE_H
#define SP_STORAGE_LEASE_H

/* Leases, marks and temporary files (design §7, docs/format.md §13). All times here are the store's
 * own (R9): the times that it gave to files of ours, never this machine's clock.
 *
 * Lease: `leases/<run, 32 hex>-<n>`, n counts from 0; a run has one from its first temporary file on,
 * renewed (the next n, then the one before is removed) when SP_LEASE_RENEW passed on the monotonic
 * clock: by a thread of its own, and whenever the run puts or commits. It is advice: removal asks it
 * only to wait longer, never to be safe. A lease whose newest object is older than SP_LEASE_DEAD by the
 * store's clock is dead.
 *
 * Temporary files: one goes when it is older than SP_LEASE_DEAD and its run has no lease that lives. So
 * nothing hangs on the lease being there before the file: for a store that is far away (`ahead` of the
 * backend is not 0) it is written beside the upload, and nobody waits for it.
 *
 * Mark: `marks/<32 hex>`: a list of packs that a removal is going to take. Uploaders treat them as
 * absent (have, closure), and readers do not care. One that cannot be read or understood is refused
 * for writing: nobody can know what it takes.
 *
 * A run that was suspended (R8): from the listing that its commit rechecked against to its record's
 * name no more than SP_GRACE / 2 may have passed by the store's clock; else it lists and rechecks
 * again, before naming; and when naming itself took longer, the record is rechecked behind it and
 * taken back when something is gone. See commit.c, and docs/format.md §13 for what a removal owes. */

#include "storage/repository.h"

#define SP_LEASE_RENEW (INT64_C(600) * 1000000000)
#define SP_LEASE_DEAD (INT64_C(7200) * 1000000000)
#define SP_GRACE (INT64_C(72) * 3600 * 1000000000)

struct sp_lease;
/* Of an opening for writing; nothing is written yet. `b` and `env` outlive it. A store that is far away
 * is asked for its clock, and for what dead runs left, beside what else is done. */
enum sp_code sp_lease_new(
    struct sp_backend *b, const struct sp_env *env, struct sp_lease **ret, struct sp_err *e);
/* Before a run's first temporary file, and when it ends: from the first to the last of them there is a
 * lease. A store that is full, or from which nothing can be removed, has none: that is no failure
 * (R19). */
void sp_lease_hold(struct sp_lease *l);
void sp_lease_release(struct sp_lease *l);
/* Renews when it is held and that is due. */
void sp_lease_renew(struct sp_lease *l);
/* A time that the store's clock has shown, not after this call. Of a store that is far away it is what
 * that said last, at the latest when it was opened: nobody waits for it. */
enum sp_code sp_lease_since(struct sp_lease *l, int64_t *ret_ns, struct sp_err *e);
/* The store's clock, asked now. */
enum sp_code sp_lease_ask(struct sp_lease *l, int64_t *ret_ns, struct sp_err *e);
/* The store's clock as it was told last, moved on by the monotonic one; 0: it was not told. For ages in
 * listings, never for deciding. */
int64_t sp_lease_store_now(struct sp_lease *l);
/* The store cannot be reached any more: nobody waits for it once more to take the lease away, which is dead
 * in SP_LEASE_DEAD by itself. NULL is harmless. */
void sp_lease_leave(struct sp_lease *l);
void sp_lease_free(struct sp_lease *l); /* removes what is there of it; NULL is harmless */
/* Removes old temporary files of runs that have no lease or a dead one, and dead leases. Failures harm
 * nobody. */
void sp_lease_sweep(struct sp_backend *b);
/* `leases/<run>-<n>` both ways. */
void sp_lease_object_name(const uint8_t run[16], uint64_t n, char to[96]);
bool sp_lease_object_parse(const char *object, uint8_t ret_run[16], uint64_t *ret_n);

/* Marks: encode and decode (docs/format.md §13). */
#define SP_MARK_PACKS 1000000u /* at most, in one */
#define SP_MARKS_PACKS (2u * SP_MARK_PACKS) /* … and in all that there are: 32 TB under removal */
#define SP_MARK_MAX (60u + SP_MARK_PACKS * 33u)

struct sp_mark_pack {
    uint8_t kind, name[32]; /* enum sp_pack_kind */
};
struct sp_mark {
    uint8_t id[16];
    struct sp_mark_pack *packs; /* sorted by kind and name, unique; malloc'd */
    size_t n;
};
/* SP_INVALID: not sorted, not unique, too many, no such kind. */
enum sp_code sp_mark_encode(const struct sp_mark *m, struct sp_buf *ret, struct sp_err *e);
/* SP_CORRUPT, or SP_UNSUPPORTED of a version that this program does not know. */
enum sp_code sp_mark_decode(const void *p, size_t n, struct sp_mark *ret, struct sp_err *e);
void sp_mark_free(struct sp_mark *m);
int sp_mark_pack_cmp(const void *a, const void *b);
bool sp_mark_has(const struct sp_mark *m, uint8_t kind, const uint8_t name[32]);
/* `marks/<id>` both ways. */
void sp_mark_object_name(const uint8_t id[16], char to[96]);
bool sp_mark_object_parse(const char *object, uint8_t ret_id[16]);

#endif
