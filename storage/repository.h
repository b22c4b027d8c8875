#ifndef SP_STORAGE_REPOSITORY_H
#define SP_STORAGE_REPOSITORY_H

/* A repository: backend, configuration, present packs, index. Shared by all uploads of one process (the
 * server's sessions, or the one run of a client). No keys are needed here: everything about presence and
 * closure is in clear headers. Thread-safe.
 *
 * Presence. At open and at every refresh the packs are listed (name and size). A chunk counts as there
 * only when an index entry leads to a pack that is listed, not short, and not marked: the index is a hint
 * (R5). Packs that no segment speaks of are learnt from their trailers. Packs whose trailer cannot be read
 * count as absent and are remembered as faults for check.
 *
 * Known-whole. Closures proven in this process are remembered (set id → node ids) and hold until a refresh
 * finds that a pack has vanished.
 */

#include "base/os.h"
#include "storage/backend.h"
#include "storage/pack.h"
#include "storage/store.h"

struct sp_repository;

struct sp_repository_conf {
    uint8_t id[16];
    struct sp_split_params split;
    uint32_t pack_size;
};
/* docs/format.md §2, both ways. decode: SP_UNSUPPORTED names another version, SP_CORRUPT the line. */
enum sp_code sp_repository_conf_encode(const struct sp_repository_conf *c, struct sp_buf *ret,
    struct sp_err *e);
enum sp_code sp_repository_conf_decode(const void *p, size_t n, struct sp_repository_conf *ret,
    struct sp_err *e);

struct sp_repository_options {
    const char *cache_dir; /* local folder for index segments; made when missing; never NULL */
    bool write;            /* false: nothing in the repository is written */
    /* Writing: who fronts it. With server_id the `owner` object must be absent or name it; without, an
     * `owner` object makes it read-only (SP_REFUSED when write is asked for). */
    const uint8_t *server_id; /* 16 bytes or NULL */
    /* Whose records will be asked for (16 bytes or NULL): of a store far away they are listed along with the
     * packs. */
    const uint8_t *host;
};

/* Writes repository.conf (and owner) into an empty backend. pack_size 0 and zeroed split: defaults. */
enum sp_code sp_repository_create(struct sp_backend *b, const struct sp_env *env,
    const struct sp_repository_conf *conf, const uint8_t *server_id, struct sp_err *e);
/* Takes over `b` (also on failure). */
enum sp_code sp_repository_open(struct sp_backend *b, const struct sp_env *env,
    const struct sp_repository_options *o, struct sp_repository **ret, struct sp_err *e);
void sp_repository_free(struct sp_repository *r);

const struct sp_repository_conf *sp_repository_conf(const struct sp_repository *r);
struct sp_backend *sp_repository_backend(struct sp_repository *r);
/* Lists packs and index segments again. *ret_lost: packs that were there before and are not now. */
enum sp_code sp_repository_refresh(struct sp_repository *r, size_t *ret_lost, struct sp_err *e);

/* Small objects. put_* are create-only; the very same bytes being there already is success. */
enum sp_code sp_repository_put_slot(struct sp_repository *r, const uint8_t *slot, size_t n,
    struct sp_err *e);
enum sp_code sp_repository_slots(struct sp_repository *r, const uint8_t *group,
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e);
enum sp_code sp_repository_remove_slot(struct sp_repository *r, const uint8_t group[16],
    const uint8_t id[16], struct sp_err *e);
/* A host record is replaced when its machine is (the one object that has versions: written as
 * hosts/<id>, later ones as hosts/<id>.<n>; the highest n counts). */
enum sp_code sp_repository_put_host(struct sp_repository *r, const uint8_t *record, size_t n,
    struct sp_err *e);
enum sp_code sp_repository_host(struct sp_repository *r, const uint8_t host[16], uint8_t **ret,
    size_t *ret_n, struct sp_err *e);

/* --- reading --------------------------------------------------------------------------------------- */

struct sp_reader_scope { /* whose packs are seen: a host and its group; NULL members: everything */
    const uint8_t *host;  /* 16 bytes: its copies come first */
    const uint8_t *group; /* 16 bytes: packs of this group only */
};
/* As sp_store_get / have / list / missing / check. */
enum sp_code sp_repository_get(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *ids, size_t n, unsigned copy, sp_store_block_fn each, void *arg,
    struct sp_err *e);
enum sp_code sp_repository_list(struct sp_repository *r, const uint8_t *host, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e);
/* The newest set of a host and job, and the newest checkpoint after it. */
enum sp_code sp_repository_head(struct sp_repository *r, const uint8_t host[16],
    const uint8_t group[16], const char *job, struct sp_store_head *ret, struct sp_err *e);
/* What the closure of `root` lacks: data in packs of the group, nodes in packs of the host itself
 * (a member's node is never relied on). *ret malloc'd, sorted, at most 65536. */
enum sp_code sp_repository_closure(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *root, struct sp_id **ret_missing, size_t *ret_n, bool *ret_more,
    struct sp_err *e);
/* host NULL: everything; else that host's sets and packs. */
enum sp_code sp_repository_check(struct sp_repository *r, const uint8_t *host,
    const struct sp_check_options *o, sp_check_fn each, void *arg, struct sp_check_totals *ret,
    struct sp_err *e);

/* --- uploading: one object a session or run ---------------------------------------------------------- */

struct sp_upload;
enum sp_code sp_upload_new(struct sp_repository *r, const uint8_t host[16], const uint8_t group[16],
    struct sp_upload **ret, struct sp_err *e);
enum sp_code sp_upload_have(struct sp_upload *u, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e);
/* Blocks are numbered per kind of pack from 0 in the order they were put; these many of each are durable
 * (a prefix of each kind). A server acknowledges by it. */
struct sp_upload_durable {
    uint64_t data, nodes;
};
/* Writes the block into the open pack of its kind; a pack that is full (pack_size for data, a quarter of
 * it for nodes) is finished. A nodes block never waits for data and the other way round, so an uploader
 * that keeps what is not acknowledged holds at most 1.25 pack_size and what is in flight. */
enum sp_code sp_upload_put(struct sp_upload *u, const uint8_t *block, size_t n,
    struct sp_upload_durable *ret, struct sp_err *e);
/* Finishes the open packs and syncs: everything put is durable and known to the index. */
enum sp_code sp_upload_flush(struct sp_upload *u, struct sp_upload_durable *ret, struct sp_err *e);
/* As sp_store_commit. `signer` is the host's record. Checks signature, host, group and chain. */
enum sp_code sp_upload_commit(struct sp_upload *u, enum sp_record_type type, const uint8_t *record,
    size_t n, struct sp_commit_result *ret, struct sp_err *e);
/* As sp_store_complete. Nothing that was put is flushed for it. */
enum sp_code sp_upload_complete(
    struct sp_upload *u, const uint8_t *completion, size_t n, struct sp_err *e);
/* Flushes what it can (what was received stays useful for the next run), then frees. NULL is harmless. */
void sp_upload_free(struct sp_upload *u);

/* --- as a store ------------------------------------------------------------------------------------ */

/* Takes over r. host and group: who uploads (16 bytes each), or NULL for reading only. */
enum sp_code sp_store_repository_new(struct sp_repository *r, const char *address,
    const uint8_t *host, const uint8_t *group, struct sp_store **ret, struct sp_err *e);
/* The repository of such a store, still the store's; NULL: it is a server's. */
struct sp_repository *sp_store_repository(struct sp_store *s);

#endif
