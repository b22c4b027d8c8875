#ifndef SP_CLIENT_BACKUP_READER_H
#define SP_CLIENT_BACKUP_READER_H

/* Inside the backup pipeline: a reader (backup_read.c) and how it reads content (backup_content.c).
 */

#include "client/backup_run.h"

#define BACKUP_READ_SIZE (512u << 10)
#define BACKUP_BUFFER_SIZE (BACKUP_READ_SIZE + (1u << 20)) /* a chunk is at most 1 MiB */

struct reader {
    struct backup *b;
    struct sp_hasher *hasher;
    struct sp_list_writer *list;
    struct sp_nodes *nodes; /* of its own: the parent's chunk lists */
    struct whole_nodes whole;
    struct sp_node_source source;
    struct sp_node_sink sink;
    uint8_t *buffer;
    bool other_holes; /* the file read last has not the holes that its old entry says */
};

/* What was read of one file, holes included. */
struct content {
    uint64_t size;  /* of its own bytes */
    uint64_t extra; /* behind them */
    bool shrunk;    /* it ended before it did when it was opened */
};

/* The content of the file, once: its chunks go to the gatherers and into r->list. */
enum sp_code backup_read_content(struct reader *r, struct work *w, struct sp_reading *reading,
    struct content *ret, struct sp_err *e);

#endif
