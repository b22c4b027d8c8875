#ifndef SP_STORAGE_PRESENCE_H
#define SP_STORAGE_PRESENCE_H

/* The registry of packs: which are there, how large, whose (docs/format.md §7). Filled by listing
 * the repository; the index only adds whose they are. A pack is its kind, name and size: one whose
 * size changed is another pack with another ordinal, so whatever spoke of the old one is void. An
 * ordinal stays a pack's for the life of the registry, also when the pack vanishes. About 80 bytes
 * a pack. The caller locks.
 *
 * A pack is relied on (have, closure) when it was in the last listing, is in no mark of a removal
 * (storage/lease.h) and has not proven bad; it is
 * read from (get) whenever it was in the last listing: one bad block does not take the others with
 * it (R11).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/pack.h"

#define SP_NO_PACK UINT32_MAX

struct sp_presence;

struct sp_pack_state {
    uint8_t name[32];
    uint64_t size;
    uint32_t origin;    /* ordinal of uploader and group */
    uint32_t seen;      /* the listing that saw it last */
    uint32_t proved_min; /* of node packs: when it was read whole, or written; minutes, 0: never */
    uint8_t kind;       /* enum sp_pack_kind */
    bool listed : 1;    /* in the last complete listing, or finished by us since */
    bool indexed : 1;   /* its entries are in a segment or the memtable; origin is known */
    bool fresh : 1;     /* finished by this process and in no listing yet: listings lag */
    bool bad : 1;       /* trailer or a block proved unreadable: not relied on (R6) */
    bool transient : 1; /* bad, but by a failed read: worth another look */
    bool proved : 1;    /* proved_min was this process */
    bool marked : 1;    /* a removal is going to take it: not relied on, but read from */
    bool was_marked : 1;
};

enum sp_code sp_presence_new(struct sp_presence **ret, struct sp_err *e);
void sp_presence_free(struct sp_presence *p);
size_t sp_presence_count(const struct sp_presence *p);
struct sp_pack_state *sp_presence_at(const struct sp_presence *p, uint32_t ordinal);
/* SP_NO_PACK when it was never heard of, whatever its size is. */
uint32_t
sp_presence_find(const struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32]);
/* What a segment says of a pack. *ret = SP_NO_PACK when the one that is listed has another size. */
enum sp_code sp_presence_mention(struct sp_presence *p, enum sp_pack_kind kind,
    const uint8_t name[32], uint64_t size, uint32_t *ret, struct sp_err *e);

/* Uploader and group as a small number. */
enum sp_code sp_presence_origin(struct sp_presence *p, const uint8_t uploader[16],
    const uint8_t group[16], uint32_t *ret, struct sp_err *e);
const uint8_t *sp_presence_uploader(const struct sp_presence *p, const struct sp_pack_state *s);
const uint8_t *sp_presence_group(const struct sp_presence *p, const struct sp_pack_state *s);

/* A listing: begin, one call for each object, end. Packs finished by us in between are not lost. A
 * size too small for a pack counts as absent. A pack whose size changed has to be learnt again. */
void sp_presence_list_begin(struct sp_presence *p);
enum sp_code sp_presence_list_see(struct sp_presence *p, enum sp_pack_kind kind,
    const uint8_t name[32], uint64_t size, struct sp_err *e);
/* Whether this listing saw it; and: it is there although the listing did not see it. */
bool sp_presence_seen(const struct sp_presence *p, uint32_t ordinal);
void sp_presence_keep(struct sp_presence *p, uint32_t ordinal);
/* *ret_lost: packs that were there before and are not now. */
void sp_presence_list_end(struct sp_presence *p, size_t *ret_lost);
/* A pack that we just finished. */
enum sp_code sp_presence_finished(struct sp_presence *p, enum sp_pack_kind kind,
    const uint8_t name[32], uint64_t size, uint32_t origin, uint32_t *ret, struct sp_err *e);

/* Marks: begin, one call for each pack of each mark, end. Gives how many packs that were there and good
 * are marked and were not before. */
void sp_presence_marks_begin(struct sp_presence *p);
void sp_presence_mark(struct sp_presence *p, enum sp_pack_kind kind, const uint8_t name[32]);
size_t sp_presence_marks_end(struct sp_presence *p);

#define SP_PACK_MIN_SIZE (8u + 64u + 56u + 48u) /* header, the least block, trailer, footer */

static inline bool
sp_pack_readable(const struct sp_pack_state *s)
{
    return s->listed && s->indexed && !s->bad;
}

static inline bool
sp_pack_relied(const struct sp_pack_state *s)
{
    return sp_pack_readable(s) && !s->marked;
}

#endif
