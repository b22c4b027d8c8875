#ifndef SP_CLIENT_CONTENT_CHECK_H
#define SP_CLIENT_CONTENT_CHECK_H

/* Proves that the content of files is in a store: every chunk that their entries name is fetched,
 * opened and its id recomputed. Entries come in any order and are gathered in windows; a window's
 * blocks are fetched in pack order and opened by a few threads, each block once. Chunks seen before
 * are not fetched again, as far as a bounded memory of them goes. What is bad in one copy is looked
 * for in the others. Memory does not grow with the number of files. */

#include "client/nodes.h"
#include "storage/chunklist.h"

struct sp_content_stats {
    uint64_t files, bytes;          /* checked, damaged ones included */
    uint64_t chunks, bytes_fetched; /* chunks proven; bytes of blocks */
    uint64_t damaged;               /* files */
};

struct sp_content_events { /* called on the caller's thread; may be NULL */
    void (*damaged)(void *arg, const void *key, size_t n, const char *why);
    void (*progress)(void *arg, const struct sp_content_stats *so_far, const void *key, size_t n);
    void *arg;
};

struct sp_content_check;
/* `lists`: where chunk lists are read from: not from a cache, when it shall prove something. */
enum sp_code sp_content_check_new(struct sp_store *store, const struct sp_keys *keys,
    const struct sp_node_source *lists, const struct sp_content_events *events,
    struct sp_content_check **ret, struct sp_err *e);
enum sp_code
sp_content_check_add(struct sp_content_check *c, const struct sp_entry *en, struct sp_err *e);
/* What is left; then the stats are complete. */
enum sp_code
sp_content_check_finish(struct sp_content_check *c, struct sp_content_stats *ret, struct sp_err *e);
void sp_content_check_free(struct sp_content_check *c);

#endif
