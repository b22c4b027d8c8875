#ifndef SP_TESTS_HOSTILE_REPOSITORIES_H
#define SP_TESTS_HOSTILE_REPOSITORIES_H

/* What an attacker with a valid key can write: catalogs, chunk lists and blocks that no honest
 * writer makes, on top of the sets made by hand (tests/unit/client/sets.h); a place to restore to
 * with a second tree beside it in which nothing may change; and bounds of time and memory. Whatever
 * goes wrong fails the test. */

#include "tests/unit/client/sets.h"
#include "tests/unit/client/tree.h"

/* --- bounds -------------------------------------------------------------------------------------
 */

bool hostile_long(void);       /* STILLPOINT_LONG=1 */
uint64_t hostile_seed(void);   /* SP_SEED, or of the day; printed once */
uint64_t hostile_random(void); /* from the seed */
void hostile_case(void);       /* counts one */
void hostile_closing(const char *suite);

/* The process ends when what follows takes longer, or more memory of malloc at a time (what OpenSSL
 * and zstd take is not seen), than this. */
void bounds_begin(const char *what, unsigned seconds, size_t most_bytes);
void bounds_end(void);
size_t bounds_peak(void); /* of the last bounds */

/* --- a watched place ----------------------------------------------------------------------------
 */

struct place {
    struct tree
        ground; /* target/, outside/ with files, folders and links, and what is beside them */
    char target[96], outside[96];
    struct sp_buf before;
};

void place_new(struct place *p); /* the target is there, empty */
void place_new_in(struct place *p, const char *folder);
/* Everything but the target is what it was, down to inode numbers and times of change. */
void place_unharmed(struct place *p);
void place_watch(struct place *p); /* as it is now: after the test itself changed something */
void place_free(struct place *p);
/* All names below the target, each with a line feed, sorted, shown as a terminal would. */
void place_listing(const struct place *p, struct sp_buf *ret);
void assert_listing(const struct place *p, const char *want);

/* --- by hand ------------------------------------------------------------------------------------
 */

struct raw_piece {
    uint64_t length;
    const struct sp_id *id; /* NULL: a hole */
};
struct raw_attribute {
    const void *name;
    size_t name_len;
    const void *value;
    size_t len;
    const struct sp_id *id;
};
struct raw {         /* an entry as its fields; what is zero is left out */
    const void *key; /* the whole key; what it shares with the one before is found out */
    size_t key_len;
    uint64_t type, flags, size;
    int64_t mtime_ns;
    uint64_t file_id, device, links, mode, uid, gid;
    const char *user, *group;
    uint64_t rdev;
    const void *target;
    size_t target_len;
    const struct raw_piece *pieces;
    size_t npieces;
    const struct sp_id *list;
    const struct raw_attribute *attributes;
    size_t nattributes;
};
#define KEY(s) .key = s, .key_len = sizeof s - 1
#define FOLDER(s)                                                                                  \
    {                                                                                              \
        KEY(s), .type = SP_ENTRY_DIR, .mode = 0755, .mtime_ns = SET_TIME                           \
    }
#define EMPTY(s)                                                                                   \
    {                                                                                              \
        KEY(s), .type = SP_ENTRY_FILE, .mode = 0644, .mtime_ns = SET_TIME                          \
    }
#define LINK(s, to)                                                                                \
    {                                                                                              \
        KEY(s), .type = SP_ENTRY_LINK, .mode = 0777, .mtime_ns = SET_TIME, .target = to,           \
                .target_len = sizeof to - 1                                                        \
    }

struct sp_id raw_leaf(struct set *s, const struct raw *entries, size_t n);

struct raw_child {
    const void *first;
    size_t first_len;
    struct sp_id id;
    uint64_t entries, bytes;
};
struct sp_id raw_parent(struct set *s, unsigned level, const struct raw_child *c, size_t n);
/* A list node: level 0 of pieces, above it of children. */
struct sp_id raw_list(struct set *s, unsigned level, const struct raw_piece *p, size_t n);
/* Bytes of a node as they are; refs are sorted here. */
struct sp_id raw_node(struct set *s, enum sp_chunk_kind kind, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n);
/* A catalog of three leaves: "", "a", "a/good" (a file "good"); then "m" and `evil`; then "z",
 * "z/good". The set's root is its root. */
void raw_around(struct set *s, const struct raw *evil, size_t n);
/* The set's root is one leaf. */
void raw_root(struct set *s, const struct raw *entries, size_t n);

/* A block by hand under the right keys, into the store: ids as given, `plain` what is sealed. */
void raw_block(struct set *s, enum sp_block_kind kind, const struct sp_id *ids, size_t nids,
    const struct sp_id *refs, const uint32_t *nrefs, const void *plain, size_t n);
/* What is sealed in a block of one chunk, not compressed; `raw` says its lengths. */
void raw_plain(struct sp_buf *to, enum sp_chunk_kind kind, const void *p, size_t n);

#endif
