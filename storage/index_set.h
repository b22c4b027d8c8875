#ifndef SP_STORAGE_INDEX_SET_H
#define SP_STORAGE_INDEX_SET_H

/* The segments in use. Looked up through a *view*, an immutable list that any number of threads
 * read without a lock while the next one replaces it. Their packs are mapped to ordinals of the
 * presence registry when a segment comes in, so that an entry counts exactly when its pack does.
 *
 * The caller's lock guards everything but the views themselves. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/index.h"
#include "storage/presence.h"

#define SP_INDEX_FILTER_BUDGET                                                                     \
    (8u << 20) /* bytes of filters held in memory, all segments together */

struct sp_index_use { /* one segment in use */
    atomic_uint refs;
    struct sp_index_segment *segment;
    uint32_t *ordinals; /* of its packs; SP_NO_PACK: there is another of that name */
    bool local;         /* not in the repository (yet) */
    bool own;           /* published by this process: in use although no listing shows it yet */
};

struct sp_index_view {
    atomic_uint refs;
    size_t n;
    struct sp_index_use *uses[]; /* newest first */
};

struct sp_index_set {
    struct sp_index_view *view; /* never NULL */
    size_t filters;             /* bytes held in memory */
};

enum sp_code sp_index_set_init(struct sp_index_set *s, struct sp_err *e);
void sp_index_set_clear(struct sp_index_set *s);
/* Another reference; given back without the lock. */
struct sp_index_view *sp_index_set_view(struct sp_index_set *s);
void sp_index_view_free(struct sp_index_view *v); /* NULL is harmless */

const struct sp_index_use *sp_index_set_find(const struct sp_index_set *s, const uint8_t name[32]);
/* Whether a segment in use says that it replaces this one. */
bool sp_index_set_superseded(const struct sp_index_set *s, const uint8_t name[32]);
/* Whether a segment opened now may keep its filter in memory. */
bool sp_index_set_keep_filter(const struct sp_index_set *s);
/* Maps the packs and puts the segment first. Takes it over, also on failure. */
enum sp_code sp_index_set_add(struct sp_index_set *s, struct sp_presence *p,
    struct sp_index_segment *segment, bool local, bool own, struct sp_err *e);
/* Takes out every segment that `drop` says yes to. */
enum sp_code sp_index_set_drop(struct sp_index_set *s,
    bool (*drop)(void *arg, const struct sp_index_use *u), void *arg, struct sp_err *e);
/* Says `indexed` of every pack that the segments speak of. */
void sp_index_set_mark(const struct sp_index_set *s, struct sp_presence *p);

#endif
