#ifndef SP_STORAGE_TREE_NODE_H
#define SP_STORAGE_TREE_NODE_H

/* The bytes of nodes: TreeNode and ListNode of format.proto in canonical form (docs/format.md §10),
 * by base/wire.h alone. What is written here has one encoding; what is read is checked as a whole
 * before any of it is given (R18): grammar, fields in rising order, order and validity of keys,
 * ordinals in range and every ref used, sums that do not overflow, and agreement with what the
 * parent says. Unknown fields are ignored. Internal to storage/. */

#include "base/wire.h"
#include "storage/entry.h"
#include "storage/node.h"
#include "storage/refs.h"

#define SP_TREE_LEVELS 12
#define SP_LIST_LEVELS 8
#define SP_NODE_MAX (1u << 20) /* bytes of one node's plaintext */

struct sp_tree_child { /* `first` is a view */
    const uint8_t *first;
    size_t first_len;
    struct sp_id id;
    uint64_t entries, bytes;
};

/* NULL, or what is wrong with the entry whatever its place: for both directions. */
const char *sp_entry_problem(const struct sp_entry *en);

/* --- writing ---------------------------------------------------------------------------------- */

struct sp_node_coder { /* zero-initialised is empty; out and refs hold the last node */
    struct sp_buf out, item, part;
    struct sp_refs refs;
};
void sp_node_coder_free(struct sp_node_coder *k);
enum sp_code sp_tree_encode_entries(
    struct sp_node_coder *k, struct sp_entry *const *entries, size_t n, struct sp_err *e);
enum sp_code sp_tree_encode_children(struct sp_node_coder *k, unsigned level,
    const struct sp_tree_child *children, size_t n, struct sp_err *e);
/* At levels above 0 each segment stands for a child and is no hole. */
enum sp_code sp_list_encode(struct sp_node_coder *k, unsigned level,
    const struct sp_segment *segments, size_t n, struct sp_err *e);
/* Names what the coder holds and gives it to the sink. */
enum sp_code sp_node_store(const struct sp_node_coder *k, enum sp_chunk_kind kind,
    struct sp_hasher *hasher, const struct sp_node_sink *sink, struct sp_id *ret, struct sp_err *e);
/* One node from the source, which is not trusted to give what it was asked for. */
enum sp_code sp_node_fetch(const struct sp_node_source *source, const struct sp_id *id,
    struct sp_node **ret, struct sp_err *e);
/* At least as many bytes as the entry takes in a node. */
size_t sp_entry_encoded_max(const struct sp_entry *en);

/* --- reading ---------------------------------------------------------------------------------- */

/* SP_CORRUPT naming node and key (none with length 0). */
enum sp_code sp_node_corrupt(
    const struct sp_node *n, const void *key, size_t key_len, const char *what, struct sp_err *e);
/* A Segment or ListChild. */
bool sp_segment_decode(struct sp_cur c, struct sp_ref_use *use, struct sp_segment *ret);
enum sp_code sp_tree_level(const struct sp_node *n, unsigned *ret, struct sp_err *e);
enum sp_code sp_list_level(const struct sp_node *n, unsigned *ret, struct sp_err *e);

struct sp_tree_claim { /* what the parent says of a node; a root is checked without */
    unsigned level;
    const struct sp_tree_child *child;
    const uint8_t *upper; /* all keys are below; NULL: no bound */
    size_t upper_len;
};

/* The children of a node above level 0, into *array (of *cap, grown as needed; views of `n`). */
enum sp_code
sp_tree_children(const struct sp_node *n, const struct sp_tree_claim *claim, struct sp_ref_use *use,
    struct sp_tree_child **array, size_t *cap, size_t *ret_n, struct sp_err *e);

struct sp_tree_reader; /* the entries of one level-0 node after the other, in reused memory */
enum sp_code sp_tree_reader_new(struct sp_tree_reader **ret, struct sp_err *e);
void sp_tree_reader_free(struct sp_tree_reader *r);
/* Checks the whole node, which must outlive its reading. */
enum sp_code sp_tree_reader_open(struct sp_tree_reader *r, const struct sp_node *n,
    const struct sp_tree_claim *claim, struct sp_err *e);
/* The next entry, valid until the next call; NULL at the end. */
enum sp_code
sp_tree_reader_next(struct sp_tree_reader *r, const struct sp_entry **ret, struct sp_err *e);

/* A list node's segments (level 0) or children, one by one. */
struct sp_list_iter {
    struct sp_cur cur;
    uint32_t last; /* number of the field before */
    unsigned level;
};
/* Checks the whole node; *ret_total is the sum of its lengths. */
enum sp_code sp_list_open(const struct sp_node *n, struct sp_ref_use *use, struct sp_list_iter *ret,
    uint64_t *ret_total, struct sp_err *e);
/* false: the end (or a node that sp_list_open did not accept). */
bool sp_list_next(struct sp_list_iter *it, struct sp_ref_use *use, struct sp_segment *ret);

#endif
