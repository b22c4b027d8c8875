#ifndef SP_STORAGE_PACK_H
#define SP_STORAGE_PACK_H

/* Packs (docs/format.md §7): an immutable file of many blocks of one uploader, with a trailer that says
 * where each chunk lies. A pack is written as a stream, and its trailer can be read without the rest.
 * Its name is the SHA-256 of all of it that is no block: header, trailer, footer. The trailer has the
 * SHA-256 of each block, so the name speaks for every byte, and a block that was read alone can be held
 * against it. */

#include <stdint.h>

#include "storage/backend.h"
#include "storage/block.h"
#include "storage/crypto.h"

enum sp_pack_kind { SP_PACK_DATA = 1, SP_PACK_NODES = 3 };

struct sp_pack_origin { /* stamped into the trailer */
    uint8_t uploader[16], group[16], repository[16];
};

/* name32 → "packs/ab/ab…" or "nodes/ab/ab…"; at least 80 bytes. */
void sp_pack_object_name(enum sp_pack_kind kind, const uint8_t name[32], char to[96]);
/* The reverse; false when it is not the name of a pack. */
bool sp_pack_object_parse(const char *object, enum sp_pack_kind *ret_kind, uint8_t ret_name[32]);
enum sp_pack_kind sp_pack_kind_of(enum sp_block_kind kind);

/* --- writing ------------------------------------------------------------------------------------- */

struct sp_pack_writer;
struct sp_pack_place { /* where one block came to lie */
    uint32_t offset, length;
};
enum sp_code sp_pack_writer_new(struct sp_backend *b, enum sp_pack_kind kind,
    const struct sp_pack_origin *origin, struct sp_pack_writer **ret, struct sp_err *e);
/* The block's header must parse (it is checked) and its group be the origin's. */
enum sp_code sp_pack_writer_add(struct sp_pack_writer *w, const void *block, size_t n,
    struct sp_pack_place *ret, struct sp_err *e);
uint64_t sp_pack_writer_size(const struct sp_pack_writer *w); /* bytes of blocks so far */
size_t sp_pack_writer_blocks(const struct sp_pack_writer *w);
/* Trailer, flush, name. `conf` and `slots` (encoded, one after the other with lengths) go into the
 * trailers of node packs; ignored for data. Frees w in every case. A pack without blocks is SP_INVALID.
 * When the very same pack exists already that is success. */
enum sp_code sp_pack_writer_finish(struct sp_pack_writer *w, const void *conf, size_t conf_n,
    const struct sp_span *slots, size_t nslots, uint8_t ret_name[32], uint64_t *ret_size,
    struct sp_err *e);
void sp_pack_writer_abort(struct sp_pack_writer *w); /* NULL is harmless */

struct sp_pack_extra { /* what finish takes beside the blocks */
    const void *conf;
    size_t conf_n;
    const struct sp_span *slots;
    size_t nslots;
};
/* Writes what the pack `name` holds once more, and its first block so many `times` again behind the
 * others, so that it is another pack: for blocks that come a second time, without being sealed anew,
 * while a removal is going to take the pack that they made the first time. Reads all of the old one.
 * *name and *size become the new one's. */
enum sp_code sp_pack_write_again(struct sp_backend *b, enum sp_pack_kind kind,
    const struct sp_pack_origin *origin, const struct sp_pack_extra *extra, unsigned times,
    uint8_t name[32], uint64_t *size, struct sp_err *e);

/* --- reading ------------------------------------------------------------------------------------- */

struct sp_pack_block {
    uint32_t offset, length, nids;
    const uint8_t *sha256; /* 32 */
    const uint8_t *ids;    /* nids * 32 */
};
struct sp_pack_trailer; /* owns its bytes */
/* Reads footer and trailer only; checks it against the name, its grammar, that the blocks fill
 * the file exactly, and bounds the memory (a trailer is at most 64 MiB). `size` as the backend lists it. */
enum sp_code sp_pack_trailer_read(struct sp_backend *b, enum sp_pack_kind kind,
    const uint8_t name[32], uint64_t size, struct sp_pack_trailer **ret, struct sp_err *e);
/* The same in steps, for who reads many side by side (pack_trailers.c). So many bytes at the end of a pack hold
 * most trailers; so many the trailer and its footer have, by the n last bytes of the pack; and the trailer, from
 * the last bytes and, when they are too few, the rest of it before them. */
size_t sp_pack_tail(uint64_t size);
enum sp_code sp_pack_trailer_length(const uint8_t name[32], uint64_t size, const uint8_t *tail, size_t n,
    size_t *ret, struct sp_err *e);
enum sp_code sp_pack_trailer_parse(enum sp_pack_kind kind, const uint8_t name[32], uint64_t size,
    struct sp_span rest, struct sp_span tail, struct sp_pack_trailer **ret, struct sp_err *e);
void sp_pack_trailer_free(struct sp_pack_trailer *t);
const struct sp_pack_origin *sp_pack_trailer_origin(const struct sp_pack_trailer *t);
size_t sp_pack_trailer_count(const struct sp_pack_trailer *t);
void sp_pack_trailer_block(const struct sp_pack_trailer *t, size_t i, struct sp_pack_block *ret);
/* Copies of repository.conf and key slots; NULL, 0 in data packs. */
struct sp_span sp_pack_trailer_conf(const struct sp_pack_trailer *t);
size_t sp_pack_trailer_slots(const struct sp_pack_trailer *t);
struct sp_span sp_pack_trailer_slot(const struct sp_pack_trailer *t, size_t i);

/* Reads the whole pack in pieces of at most 1 MiB: the trailer is the one of the name, every block has the hash
 * that the trailer says, its header agrees with the trailer. For each block `each` (may be NULL) gets the
 * bytes. SP_CORRUPT names the pack and the first bad block. */
typedef enum sp_code (*sp_pack_block_fn)(void *arg, const struct sp_pack_block *place,
    const uint8_t *block, struct sp_err *e);
enum sp_code sp_pack_verify(struct sp_backend *b, enum sp_pack_kind kind, const uint8_t name[32],
    uint64_t size, sp_pack_block_fn each, void *arg, struct sp_err *e);
/* The same of a pack whose bytes are here. */
enum sp_code sp_pack_verify_bytes(enum sp_pack_kind kind, const uint8_t name[32], const uint8_t *bytes,
    size_t n, sp_pack_block_fn each, void *arg, struct sp_err *e);

/* --- the trailers of many packs (pack_trailers.c) -------------------------------------------------- */

struct sp_pack_ref {
    uint8_t name[32];
    uint64_t size;
    enum sp_pack_kind kind;
    uint32_t tag; /* the caller's */
};
/* One trailer, which becomes the callee's; NULL: reading it failed with `rc` and `why`, which it may take for its
 * own. A code other than SP_OK ends all and is returned. */
typedef enum sp_code (*sp_pack_trailer_fn)(void *arg, const struct sp_pack_ref *pack,
    struct sp_pack_trailer *t, enum sp_code rc, const struct sp_err *why, struct sp_err *e);
/* Reads them side by side where the store is far; in the order given, but trailers that are longer than most come
 * a little later there. */
enum sp_code sp_pack_trailers(struct sp_backend *b, const struct sp_pack_ref *v, size_t n,
    sp_pack_trailer_fn each, void *arg, struct sp_err *e);

#endif
