#ifndef SP_CLIENT_LIVE_COMPARE_H
#define SP_CLIENT_LIVE_COMPARE_H

/* Holds a set against the live source: both come in the order of keys and are merged. Same size:
 * the content is read and compared chunk by chunk, by ids, whatever the times say. What the set's
 * job left out by pattern is no difference, nor is a folder's time. */

#include "client/set_reader.h"

struct sp_live_options {
    const struct sp_bytes *roots; /* keys to compare, sorted, none within another */
    size_t nroots;
    const struct sp_set_sealed *sealed; /* of the set: volumes, excludes */
    bool cachedir_tag;                  /* as the job's */
};

struct sp_live_stats {
    uint64_t files, bytes; /* compared */
    uint64_t added, removed, changed, unreadable;
};

struct sp_live_events { /* any may be NULL */
    /* `what`: '+' live only, '-' in the set only, 'M' differs, '?' could not be read. `text`: in
     * what, or why. */
    void (*difference)(
        void *arg, char what, const void *key, size_t n, bool is_dir, const char *text);
    void (*progress)(void *arg, const struct sp_live_stats *so_far, const void *key, size_t n);
    void *arg;
};

enum sp_code sp_live_compare(struct sp_cli *c, const struct sp_keys *keys,
    struct sp_set_reader *reader, const struct sp_live_options *o,
    const struct sp_live_events *events, struct sp_live_stats *ret, struct sp_err *e);

#endif
