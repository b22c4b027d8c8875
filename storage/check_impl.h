#ifndef SP_STORAGE_CHECK_IMPL_H
#define SP_STORAGE_CHECK_IMPL_H

/* What the files of check share; nobody else includes it. Nothing here writes to the repository
 * (R12). */

#include "storage/repository_impl.h"

struct sp_check {
    struct sp_repository *r;
    const uint8_t *host; /* NULL: everything */
    const struct sp_check_options *o;
    sp_check_fn each;
    void *arg;
    struct sp_check_totals totals;
    struct sp_check_progress progress;
    struct sp_place *bad; /* blocks whose bytes proved bad, by pack and offset */
    size_t nbad, bad_cap;
    /* The records, as the listing of all objects saw them: of a store far away, which is not listed again. */
    struct sp_record_names names;
    bool has_names;
};

/* Between any two things that take time: tells how far it is, and SP_CANCELLED when it shall end.
 */
enum sp_code sp_check_live(struct sp_check *c, struct sp_err *e);
/* Tells of a finding: object NULL: none; set_id NULL: none; ids may be NULL, 0. */
enum sp_code
sp_check_tell(struct sp_check *c, bool fault, const char *object, const uint8_t *set_id,
    const struct sp_id *ids, size_t nids, struct sp_err *e, const char *fmt, ...) SP_PRINTF(8, 9);
/* An object that could not be read or is bad, by what `why` says; ends the check when that is about
 * the store as a whole. */
enum sp_code sp_check_bad(struct sp_check *c, bool fault, const char *object, const uint8_t *set_id,
    enum sp_code rc, const struct sp_err *why, struct sp_err *e);

/* check_objects.c: names, repository.conf, owner, slots, hosts, index segments. */
enum sp_code sp_check_objects(struct sp_check *c, struct sp_err *e);
/* check_packs.c: trailers, their agreement with the index, and the bytes. */
enum sp_code sp_check_packs(struct sp_check *c, struct sp_err *e);
/* check_records.c: grammar, signatures, chains, completions, closures. */
enum sp_code sp_check_records(struct sp_check *c, struct sp_err *e);

/* check_index.c: whether trailers and segments say the same. */
struct sp_check_index;
enum sp_code sp_check_index_new(struct sp_check *c, struct sp_check_index **ret, struct sp_err *e);
void sp_check_index_free(struct sp_check_index *x);
/* One pack's trailer against every segment that speaks of the pack. */
enum sp_code sp_check_index_pack(struct sp_check_index *x, uint32_t ordinal, const char *object,
    const struct sp_pack_trailer *t, bool *ret_agrees, struct sp_err *e);
/* After all packs: entries that no trailer accounts for. */
enum sp_code sp_check_index_end(struct sp_check_index *x, struct sp_err *e);

/* check_chain.c */
struct sp_check_chain;
enum sp_code sp_check_chain_new(
    struct sp_check *c, const uint8_t host[16], struct sp_check_chain **ret, struct sp_err *e);
void sp_check_chain_free(struct sp_check_chain *h);
enum sp_code sp_check_chain_set(struct sp_check_chain *h, const char *object, int64_t published_ns,
    const struct sp_set *set, const uint8_t hash[32], struct sp_err *e);
/* A record of that time cannot be understood, which was told: a gap there is told as its doing. */
enum sp_code
sp_check_chain_damaged(struct sp_check_chain *h, int64_t published_ns, struct sp_err *e);
enum sp_code sp_check_chain_removal(
    struct sp_check_chain *h, const struct sp_removal *removal, struct sp_err *e);
/* Tells of gaps and forks. */
enum sp_code sp_check_chain_end(struct sp_check_chain *h, struct sp_err *e);

/* check_completions.c: those of one host. */
struct sp_check_completions;
enum sp_code sp_check_completions_new(struct sp_check *c, const uint8_t host[16],
    struct sp_check_completions **ret, struct sp_err *e);
void sp_check_completions_free(struct sp_check_completions *k);
/* A set that is there; hash NULL: its record is damaged, which was told. */
enum sp_code sp_check_completions_set(
    struct sp_check_completions *k, const uint8_t set_id[16], const uint8_t *hash, struct sp_err *e);
enum sp_code sp_check_completions_removal(
    struct sp_check_completions *k, const struct sp_removal *removal, struct sp_err *e);
enum sp_code sp_check_completions_seen(struct sp_check_completions *k,
    const struct sp_record_name *name, const struct sp_completion *completion, struct sp_err *e);
/* Tells of those that are of no set (a note: the set may have been removed), of another record (a fault), or come
 * second (a note). */
enum sp_code sp_check_completions_end(struct sp_check_completions *k, struct sp_err *e);

#endif
