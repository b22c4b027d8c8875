#ifndef SP_STORAGE_COMPRESS_H
#define SP_STORAGE_COMPRESS_H

/* zstd, and the quick look that tells whether it will pay. One context per thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_compressor;

/* level 1..19; 3 is the default of the product. */
enum sp_code sp_compressor_new(int level, struct sp_compressor **ret, struct sp_err *e);
void sp_compressor_free(struct sp_compressor *c);

/* Compresses n bytes into `to` (room for `cap` bytes). *ret_n = 0: not worth it (a look at samples of
 * the data says so, or the result would save less than 3 %); store it as it is. */
enum sp_code sp_compress(struct sp_compressor *c, const void *p, size_t n, void *to, size_t cap,
    size_t *ret_n, struct sp_err *e);

/* Exactly raw_n bytes must come out, from one frame, with nothing behind it: else SP_CORRUPT. `d` is
 * any compressor (it holds both contexts). The frame's window is bounded by raw_n's limit (4 MiB). */
enum sp_code sp_decompress(struct sp_compressor *d, const void *p, size_t n, void *to, size_t raw_n,
    struct sp_err *e);

#endif
