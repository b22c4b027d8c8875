#ifndef SP_STORAGE_SPLIT_H
#define SP_STORAGE_SPLIT_H

/* Splitting content into chunks (docs/format.md §10 end). No I/O: bytes are given in pieces of any
 * size; cut points come out and do not depend on how the bytes were given. FastCDC with normalised
 * chunking (Xia et al., USENIX ATC 2016), gear table keyed; or aligned fixed chunks for disk images. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_split_params {
    uint32_t file_min, file_avg, file_max; /* avg a power of two; 64 <= min < avg < max <= 1 MiB */
    uint32_t image_chunk;                  /* a power of two, 4 KiB … 256 KiB */
};
extern const struct sp_split_params sp_split_defaults; /* 65536 262144 786432 65536 */

struct sp_splitter; /* the tables: shared by all threads, immutable */
struct sp_split {   /* one file's state; zero-initialise through sp_split_start */
    const struct sp_splitter *s;
    bool image;
    uint64_t hash;
    uint32_t in_chunk; /* bytes of the open chunk already looked at */
};

enum sp_code sp_splitter_new(const struct sp_split_params *p, const uint8_t split_key[32],
    struct sp_splitter **ret, struct sp_err *e);
void sp_splitter_free(struct sp_splitter *s);
bool sp_split_params_valid(const struct sp_split_params *p);

void sp_split_start(struct sp_split *st, const struct sp_splitter *s, bool image);
/* Looks at n more bytes. Gives how many of them belong to the open chunk; *ret_cut says that the chunk
 * ends there (call again with the rest). Without a cut all n are consumed. */
size_t sp_split_next(struct sp_split *st, const uint8_t *p, size_t n, bool *ret_cut);
/* The open chunk ends here although no cut was found (end of file, hole). */
void sp_split_restart(struct sp_split *st);
uint32_t sp_split_max(const struct sp_splitter *s, bool image);
/* A file of this size is one chunk without looking for cuts. */
uint32_t sp_split_whole(const struct sp_splitter *s, bool image);

/* By the name's ending (any case) or the first bytes (as many as there are, up to 512). */
bool sp_split_is_image(const char *name, size_t name_n, const uint8_t *head, size_t head_n);

#endif
