#ifndef SP_STORAGE_LEASE_H
#define SP_STORAGE_LEASE_H

/* Leases, marks and temporary files (design §7, docs/format.md §13). All times here are the store's
 * own (R9): the times that it gave to files of ours, never this machine's clock.
 *
 * Lease: `leases/<run, 32 hex>-<n>`, n counts from 0; a run that writes has one, renewed (the next
 * n, then the one before is removed) when SP_LEASE_RENEW passed on the monotonic clock, whenever
 * the run puts or commits. It is advice: removal asks it only to wait longer, never to be safe. A
 * lease whose newest object is older than SP_LEASE_DEAD by the store's clock is dead.
 *
 * Mark: `marks/<32 hex>`: a list of packs that a removal is going to take. Uploaders treat them as
 * absent (have, closure), and readers do not care. One that cannot be read or understood is refused
 * for writing: nobody can know what it takes.
 *
 * A run that was suspended (R8): from the listing that its commit rechecked against to its record's
 * name no more than SP_GRACE / 2 may have passed by the store's clock; else it lists and rechecks
 * again, before naming; and when naming itself took longer, the record is rechecked behind it and
 * taken back when something is gone.
 */

#include "storage/repository.h"

#define SP_LEASE_RENEW (INT64_C(600) * 1000000000)
#define SP_LEASE_DEAD (INT64_C(7200) * 1000000000)
#define SP_GRACE (INT64_C(72) * 3600 * 1000000000)

struct sp_lease;
/* Writes the lease. A store that is full has none: that is no failure (R19: *ret is then an empty
 * one). */
enum sp_code sp_lease_take(
    struct sp_backend *b, const struct sp_env *env, struct sp_lease **ret, struct sp_err *e);
/* Renews when it is due; a failure is only logged by the caller: advice. */
enum sp_code sp_lease_renew(struct sp_lease *l, struct sp_err *e);
/* The store's clock as of the last renewal, moved on by the monotonic one: for ages in listings,
 * never for deciding. */
int64_t sp_lease_store_now(const struct sp_lease *l);
void sp_lease_free(struct sp_lease *l); /* removes it; NULL is harmless */
/* Removes temporary files of runs whose lease is dead or gone, and dead leases. A file without a
 * lease goes when it is older than SP_LEASE_DEAD (a run writes its lease before its first temporary
 * file). Failures harm nobody. */
void sp_lease_sweep(struct sp_backend *b, const struct sp_lease *own);

/* Marks: encode and decode (docs/format.md §13). */
struct sp_mark {
    uint8_t id[16];
    struct sp_mark_pack {
        uint8_t kind, name[32];
    } * packs; /* sorted by kind and name, unique; malloc'd */
    size_t n;
};
enum sp_code sp_mark_encode(const struct sp_mark *m, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_mark_decode(const void *p, size_t n, struct sp_mark *ret, struct sp_err *e);
void sp_mark_free(struct sp_mark *m);

#endif
