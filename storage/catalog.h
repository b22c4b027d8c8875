#ifndef SP_STORAGE_CATALOG_H
#define SP_STORAGE_CATALOG_H

/* The file tree of a set: entries sorted by key in a content-split search tree (a prolly tree;
 * docs/format.md §10). Equal runs of entries in two sets are the same nodes, so a difference is found by
 * skipping equal nodes, and one path in O(log n) reads. One thread per object. */

#include "storage/entry.h"
#include "storage/node.h"

/* --- writing ------------------------------------------------------------------------------------- */

struct sp_catalog_writer;
enum sp_code sp_catalog_writer_new(const struct sp_keys *k, const struct sp_node_sink *sink,
    struct sp_catalog_writer **ret, struct sp_err *e);
void sp_catalog_writer_free(struct sp_catalog_writer *w);
/* Keys must rise strictly (SP_INVALID). Copies what it needs. */
enum sp_code sp_catalog_writer_add(struct sp_catalog_writer *w, const struct sp_entry *en,
    struct sp_err *e);
struct sp_catalog_totals {
    uint64_t entries, files, bytes; /* files: regular files; bytes: sum of their sizes */
};
/* A root for what was added so far, without disturbing what follows: equal to what finish would give
 * now. For checkpoints. */
enum sp_code sp_catalog_writer_checkpoint(struct sp_catalog_writer *w, struct sp_id *ret_root,
    struct sp_catalog_totals *ret, struct sp_err *e);
enum sp_code sp_catalog_writer_finish(struct sp_catalog_writer *w, struct sp_id *ret_root,
    struct sp_catalog_totals *ret, struct sp_err *e);

/* --- reading ------------------------------------------------------------------------------------- */

struct sp_catalog; /* a cursor over one tree, in key order */
/* `source` must outlive the cursor. Reads ahead in batches. Nodes are checked as they are read: grammar, order of keys, agreement of
 * children with what their parent says, at most 12 levels; SP_CORRUPT names node and key (R18). */
enum sp_code sp_catalog_open(const struct sp_node_source *source, const struct sp_id *root,
    struct sp_catalog **ret, struct sp_err *e);
void sp_catalog_free(struct sp_catalog *c);
/* The next entry, or *ret = NULL at the end. Valid until the next call on c. After SP_ABSENT or
 * SP_CORRUPT for one node, sp_catalog_skip goes on behind that node (R11). */
enum sp_code sp_catalog_next(struct sp_catalog *c, const struct sp_entry **ret, struct sp_err *e);
enum sp_code sp_catalog_skip(struct sp_catalog *c, struct sp_err *e);
/* Goes to the first entry whose key is not below `key`; next gives it. */
enum sp_code sp_catalog_seek(struct sp_catalog *c, const void *key, size_t n, struct sp_err *e);
/* SP_ABSENT when there is no such entry (a missing node is SP_CORRUPT here). Valid until the next call on
 * c; next goes on behind it. */
enum sp_code sp_catalog_find(struct sp_catalog *c, const void *key, size_t n,
    const struct sp_entry **ret, struct sp_err *e);
/* Number of entries and bytes of files in the whole tree, as the root says; `files` is 0: it does not
 * say. */
enum sp_code sp_catalog_totals(struct sp_catalog *c, struct sp_catalog_totals *ret, struct sp_err *e);

/* --- difference ----------------------------------------------------------------------------------- */

/* Calls each for every entry that differs, in key order: (old, NULL) removed, (NULL, new) added, (old,
 * new) changed (sp_entry_same says no). Equal nodes are never read. A code other than SP_OK ends it. */
typedef enum sp_code (*sp_catalog_diff_fn)(void *arg, const struct sp_entry *old,
    const struct sp_entry *now, struct sp_err *e);
enum sp_code sp_catalog_diff(const struct sp_node_source *source, const struct sp_id *old_root,
    const struct sp_id *new_root, sp_catalog_diff_fn each, void *arg, struct sp_err *e);

#endif
