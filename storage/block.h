#ifndef SP_STORAGE_BLOCK_H
#define SP_STORAGE_BLOCK_H

/* Chunks, their ids, and sealed blocks (docs/format.md §6): the unit of compression, encryption and
 * transfer. Builder: gathers chunks until the limit of its kind. Sealer: one per connection or run, the
 * only place where salt and counter live (R27). Opener: decrypts, unpacks and recomputes every id (R13,
 * R16, R18, R22). Header parsing needs no key and is what a server knows of a block. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"
#include "storage/keys.h"

#define SP_ID_SIZE 32
struct sp_id {
    uint8_t b[SP_ID_SIZE];
};
int sp_id_cmp(const void *a, const void *b); /* of two struct sp_id; for qsort */

enum sp_chunk_kind {
    SP_CHUNK_DATA = 1,
    SP_CHUNK_LIST = 2,
    SP_CHUNK_TREE = 3,
    SP_CHUNK_RECORD = 4,
    SP_CHUNK_DOCUMENT = 5
};
enum sp_block_kind {
    SP_BLOCK_FILES = 1,
    SP_BLOCK_IMAGES = 2,
    SP_BLOCK_NODES = 3,
    SP_BLOCK_RECORD = 4,
    SP_BLOCK_DOCUMENTS = 5
};

#define SP_BLOCK_MAX_IDS 1024
#define SP_BLOCK_MAX_HEADER (4u << 20)
#define SP_BLOCK_MAX_SEALED (4u << 20)
#define SP_BLOCK_MAX_RAW (4u << 20)

/* --- ids ----------------------------------------------------------------------------------------- */

struct sp_hasher; /* computes ids; one per thread */
enum sp_code sp_hasher_new(const struct sp_keys *k, struct sp_hasher **ret, struct sp_err *e);
void sp_hasher_free(struct sp_hasher *h);
/* refs sorted and unique; NULL, 0 for kinds without. */
enum sp_code sp_hasher_id(struct sp_hasher *h, enum sp_chunk_kind kind, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n, struct sp_id *ret, struct sp_err *e);

/* --- clear header -------------------------------------------------------------------------------- */

struct sp_block_header {
    enum sp_block_kind kind;
    size_t nids;
    const uint8_t *ids; /* nids * 32, sorted, unique; inside the block's memory */
    uint32_t header_len, sealed_len;
    const uint8_t *group, *salt;
    uint32_t epoch;
    uint64_t counter;
    const uint8_t *nrefs; /* nodes: nids u32 little endian; else NULL */
    const uint8_t *refs;  /* nodes: all refs */
    size_t refs_total;
};
/* Parses and checks everything that can be checked without a key: lengths, order, uniqueness. `n` must
 * cover the header; *ret points into p. SP_CORRUPT otherwise. */
enum sp_code sp_block_header_parse(const void *p, size_t n, struct sp_block_header *ret,
    struct sp_err *e);
/* The whole block's length from its first 16 bytes, bounded; SP_CORRUPT when impossible. */
enum sp_code sp_block_length(const void *first16, size_t n, size_t *ret, struct sp_err *e);
/* Refs of the i-th id: *ret_n ids at the returned address. (For i rising it costs O(1) each when
 * called through the iterator below; this one is O(i).) */
const uint8_t *sp_block_refs(const struct sp_block_header *h, size_t i, size_t *ret_n);
struct sp_block_walk { /* the iterator: ids in their order, each with its refs */
    const struct sp_block_header *header;
    size_t i;
    const uint8_t *refs;
};
void sp_block_walk_start(struct sp_block_walk *w, const struct sp_block_header *h);
/* False at the end. Kinds without refs give NULL, 0. */
bool sp_block_walk_next(struct sp_block_walk *w, const uint8_t **ret_id, const uint8_t **ret_refs,
    size_t *ret_nrefs);

/* --- building ------------------------------------------------------------------------------------ */

struct sp_block_builder; /* raw, unsealed chunks of one block kind */
enum sp_code sp_block_builder_new(enum sp_block_kind kind, struct sp_block_builder **ret,
    struct sp_err *e);
void sp_block_builder_free(struct sp_block_builder *b);
/* False: the chunk does not fit beside what is inside (limit of the kind, or 1024 ids); seal first. An
 * empty builder takes any chunk up to 1 MiB. */
bool sp_block_builder_fits(const struct sp_block_builder *b, size_t chunk_len);
bool sp_block_builder_empty(const struct sp_block_builder *b);
size_t sp_block_builder_raw(const struct sp_block_builder *b);
/* Copies content and refs. The same id twice in one block is the caller's mistake: SP_INVALID at seal. */
enum sp_code sp_block_builder_add(struct sp_block_builder *b, enum sp_chunk_kind kind,
    const struct sp_id *id, const struct sp_id *refs, size_t nrefs, const void *p, size_t n,
    struct sp_err *e);
void sp_block_builder_reset(struct sp_block_builder *b);

struct sp_sealer; /* thread-safe: salt, counter, epoch */
enum sp_code sp_sealer_new(const struct sp_keys *k, const struct sp_random *r, struct sp_sealer **ret,
    struct sp_err *e);
void sp_sealer_free(struct sp_sealer *s);
uint64_t sp_sealer_count(struct sp_sealer *s); /* blocks sealed so far */

struct sp_compressor;
struct sp_opener;
/* Compresses, pads, seals and — with `verify` (an opener of this thread; R13) — opens it again and
 * recomputes every id. Appends the whole block to `ret`. */
enum sp_code sp_block_seal(struct sp_sealer *s, struct sp_compressor *c, struct sp_opener *verify,
    const struct sp_block_builder *b, struct sp_buf *ret, struct sp_err *e);

/* --- opening ------------------------------------------------------------------------------------- */

/* One per thread: keys (which must outlive it), hasher, zstd context, a small cache of connection keys. */
struct sp_opener;
enum sp_code sp_opener_new(const struct sp_keys *k, struct sp_opener **ret, struct sp_err *e);
void sp_opener_free(struct sp_opener *o);

struct sp_chunk { /* views into the opened block */
    const struct sp_id *id;
    enum sp_chunk_kind kind;
    const uint8_t *data;
    size_t len;
    const struct sp_id *refs;
    size_t nrefs;
};
struct sp_opened; /* owns the plaintext */
/* SP_CORRUPT: does not authenticate, malformed, or an id differs. SP_AUTH: sealed by another key group
 * or under an epoch that these keys do not have. */
enum sp_code sp_block_open(struct sp_opener *o, const void *block, size_t n, struct sp_opened **ret,
    struct sp_err *e);
/* The same, only until the opener opens another block or goes: what was not compressed is not copied. */
enum sp_code sp_block_peek(struct sp_opener *o, const void *block, size_t n, struct sp_opened **ret,
    struct sp_err *e);
size_t sp_opened_count(const struct sp_opened *b);
void sp_opened_get(const struct sp_opened *b, size_t i, struct sp_chunk *ret);
/* By id (binary search); false when it is not in this block. */
bool sp_opened_find(const struct sp_opened *b, const struct sp_id *id, struct sp_chunk *ret);
size_t sp_opened_bytes(const struct sp_opened *b); /* memory it holds */
void sp_opened_free(struct sp_opened *b); /* wipes nothing: content is the user's, keys are not inside */

/* PADMÉ length of n (docs/format.md §6.2). */
size_t sp_padme(size_t n);

#endif
