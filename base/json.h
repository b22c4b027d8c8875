#ifndef SP_BASE_JSON_H
#define SP_BASE_JSON_H

/* A streaming JSON writer (RFC 8259) for --json, into an sp_buf that the caller empties when it likes.
 * Commas and nesting are kept by the writer (at most 32 deep; deeper is our own mistake: assert).
 * Strings that are not UTF-8 get each bad byte as U+DC80..U+DCFF, as Python's surrogateescape, so that
 * names survive a round trip. 64-bit integers are written as numbers. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct sp_json {
    struct sp_buf *out;
    unsigned depth;
    uint32_t more;  /* bit per level: a comma is due */
    bool after_key;
};

void sp_json_init(struct sp_json *j, struct sp_buf *out);
void sp_json_object(struct sp_json *j);
void sp_json_object_end(struct sp_json *j);
void sp_json_array(struct sp_json *j);
void sp_json_array_end(struct sp_json *j);
void sp_json_key(struct sp_json *j, const char *key);
void sp_json_str(struct sp_json *j, const char *s);
void sp_json_strn(struct sp_json *j, const void *s, size_t n);
void sp_json_u64(struct sp_json *j, uint64_t v);
void sp_json_i64(struct sp_json *j, int64_t v);
void sp_json_bool(struct sp_json *j, bool v);
void sp_json_null(struct sp_json *j);
void sp_json_hex(struct sp_json *j, const void *p, size_t n);
void sp_json_time(struct sp_json *j, int64_t wall_ns); /* RFC 3339, UTC */

/* Key and value in one. */
void sp_json_kstr(struct sp_json *j, const char *key, const char *s);
void sp_json_ku64(struct sp_json *j, const char *key, uint64_t v);
void sp_json_kbool(struct sp_json *j, const char *key, bool v);

#endif
