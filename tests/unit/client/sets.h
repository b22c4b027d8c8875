#ifndef SP_TESTS_CLIENT_SETS_H
#define SP_TESTS_CLIENT_SETS_H

/* Backup sets made by hand for the tests of restore: entries of any kind, by the real writers, in a
 * store in memory; and restores of them with everything they tell. Whatever goes wrong fails the
 * test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <sys/stat.h>

#include "client/restore.h"
#include "storage/catalog.h"
#include "storage/chunklist.h"
#include "store_memory.h"

#define SET_TIME INT64_C(1500000000123456789) /* of everything, unless told otherwise */

struct set {
    struct sp_keys *keys;
    struct memory_store memory;
    struct sp_hasher *hasher;
    struct sp_sealer *sealer;
    struct sp_compressor *compressor;
    struct sp_opener *opener;
    struct sp_block_builder *data, *nodes;
    struct sp_id *seen; /* that are in blocks */
    size_t nseen, seen_cap;
    struct sp_entry **entries;
    size_t nentries, entries_cap;
    size_t block_chunks; /* a data block is sealed after this many; 0: as many as fit */
    size_t in_block;
    struct sp_node_sink sink;
    struct sp_id root;
};

void set_new(struct set *s);
void set_new_with(struct set *s, struct sp_keys *keys); /* takes the keys over */
void set_free(struct set *s);

/* An entry that the caller may change until set_commit. `path` has '/', none at its beginning; ""
 * is the root. Folders above are not made. */
struct sp_entry *set_entry(struct set *s, const char *path, enum sp_entry_type type);
struct sp_entry *set_dir(struct set *s, const char *path); /* 0755 */
struct sp_entry *
set_dirs(struct set *s, const char *path); /* and those above, as IMPLIED, but for "" */
struct sp_entry *set_symlink(struct set *s, const char *path, const char *target);
struct sp_entry *set_text(struct set *s, const char *path, const char *text); /* 0644 */

/* Content: pieces in order; p NULL is a hole. Cut into chunks of at most `chunk` bytes. */
struct content {
    const void *p;
    uint64_t n;
};
struct sp_entry *
set_file(struct set *s, const char *path, const struct content *c, size_t n, size_t chunk);
struct sp_entry *set_bytes(struct set *s, const char *path, const void *p, size_t n, size_t chunk);
void set_attribute(struct set *s, struct sp_entry *en, const char *name, const void *value,
    size_t n, bool external);
struct sp_id set_chunk(struct set *s, const void *p, size_t n); /* puts it in */
struct sp_id set_chunk_id(struct set *s, const void *p, size_t n);
void set_seal(struct set *s);       /* what comes now goes into other blocks */
void set_seal_nodes(struct set *s); /* what was put through s->sink, without set_commit */
void set_commit(struct set *s);     /* sorts, writes the catalog */

/* --- restoring
 * ------------------------------------------------------------------------------------ */

struct told {
    char path[512]; /* with '/' */
    char text[SP_ERR_TEXT];
};
struct outcome {
    enum sp_code code;
    struct sp_err err;
    struct sp_restore_stats stats;
    struct told faults[64], would[64];
    size_t nfaults, nwould, nnotes, nprogress;
    char notes[16][256];
};
/* `o` NULL: all to `target`. Prints what was not expected. */
void set_restore(
    struct set *s, const char *target, const struct sp_restore_options *o, struct outcome *ret);
/* And fails the test unless it did without any fault. */
void set_restore_well(
    struct set *s, const char *target, const struct sp_restore_options *o, struct outcome *ret);
const char *outcome_fault(const struct outcome *o, const char *path); /* text; NULL: none */
const char *outcome_would(const struct outcome *o, const char *path);

/* --- looking
 * --------------------------------------------------------------------------------------- */

struct stat look(const char *folder, const char *path); /* lstat */
bool exists(const char *folder, const char *path);
void assert_text(const char *folder, const char *path, const char *text);
void assert_bytes(const char *folder, const char *path, const void *p, size_t n);
size_t count_temporary(const char *folder); /* names of unfinished restores, at any depth */
size_t count_all(const char *folder);
void fill(void *p, size_t n, uint64_t seed);

#endif
