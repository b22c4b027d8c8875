#ifndef SP_STORAGE_CHUNKLIST_H
#define SP_STORAGE_CHUNKLIST_H

/* The chunks of one file in order: inside the entry while there are few, else in a tree of chunk-list
 * nodes (docs/format.md §10). Memory does not grow with the file. */

#include "storage/entry.h"
#include "storage/node.h"

#define SP_INLINE_SEGMENTS 32

struct sp_list_writer;
/* `sink` and `hasher` are borrowed and used by the calling thread only. Reusable for the next file after
 * finish or reset. */
enum sp_code sp_list_writer_new(struct sp_hasher *hasher, const struct sp_node_sink *sink,
    struct sp_list_writer **ret, struct sp_err *e);
void sp_list_writer_free(struct sp_list_writer *w);
/* Adjacent holes are joined. id NULL: a hole. */
enum sp_code sp_list_writer_add(struct sp_list_writer *w, uint64_t length, const struct sp_id *id,
    struct sp_err *e);
/* Gives what belongs into the entry: either *ret_segments (views into w, valid until the next add or
 * reset) or *ret_list. Starts over at the next add. */
enum sp_code sp_list_writer_finish(struct sp_list_writer *w, const struct sp_segment **ret_segments,
    size_t *ret_n, bool *ret_has_list, struct sp_id *ret_list, struct sp_err *e);
void sp_list_writer_reset(struct sp_list_writer *w);

struct sp_list_reader;
/* `en` and `source` must outlive the reader. Refuses a tree whose lengths do not add up to size and extra, deeper than 8
 * levels, or of the wrong kind (SP_CORRUPT). A few nodes that refer to each other many times can stand for more
 * pieces than anyone could read: two holes side by side, which no writer makes, and pieces of less than 512
 * bytes on average behind the first 65536 are refused too. */
enum sp_code sp_list_reader_new(const struct sp_node_source *source, const struct sp_entry *en,
    struct sp_list_reader **ret, struct sp_err *e);
void sp_list_reader_free(struct sp_list_reader *r);
/* The next segment and its offset in the file; *ret_more = false at the end. */
enum sp_code sp_list_reader_next(struct sp_list_reader *r, struct sp_segment *ret,
    uint64_t *ret_offset, bool *ret_more, struct sp_err *e);
/* From now on each node of the list is entered once: for who wants to know what the file refers to, and not
 * where. Segments of a node that comes again are left out; what is given takes as long as there are nodes. */
void sp_list_reader_once(struct sp_list_reader *r);
/* Goes on at the segment that covers `offset`. */
enum sp_code sp_list_reader_seek(struct sp_list_reader *r, uint64_t offset, struct sp_err *e);

#endif
