#ifndef SP_STORAGE_RECORD_IMPL_H
#define SP_STORAGE_RECORD_IMPL_H

/* The parts of storage/record.h: the messages inside a record (record.c: sets; record_verdict.c,
 * record_verdict_put.c: verdicts; record_completion.c), what is around them (record_sign.c:
 * envelope, signature, seal), and their rules (record_rules.c). */

#include "storage/record.h"

#define SP_RECORD_MAX_OBJECT (16u << 20)
#define SP_RECORD_MAX_CLEAR (64u << 10)
#define SP_RECORD_MAX_SEALED (1000u << 10) /* plaintext; one chunk may be 1 MiB */
#define SP_RECORD_MAX_LIST 10000           /* roots, volumes, excludes */

/* Of a verdict (docs/format.md §9.1). A writer of records leaves out what is over them and says so
 * in a note; a reader refuses it (R18). */
#define SP_VERDICT_MAX (768u << 10) /* bytes of the message: faults and roots need room, too */
#define SP_VERDICT_MAX_WRITERS 1000
#define SP_VERDICT_MAX_COMPONENTS 10000
#define SP_VERDICT_MAX_SHADOWS 100
#define SP_VERDICT_MAX_EVENTS 1000
#define SP_VERDICT_MAX_NOTES 1000
#define SP_VERDICT_MAX_PATHS 20000   /* of all components together */
#define SP_VERDICT_MAX_DEPENDS 20000 /* of all components together */
#define SP_VERDICT_MAX_TEXT 4096     /* bytes of any text in it */

/* Documents of a completion: name, number, and bytes of all together. */
#define SP_DOCUMENT_MAX_NAME 255
#define SP_DOCUMENTS_MAX 100
#define SP_DOCUMENTS_MAX_BYTES (8u << 20)
#define SP_DOCUMENT_CHUNK (1u << 20) /* bytes of a chunk, but the last */

enum sp_code sp_set_encode(const struct sp_set *s, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_set_decode(const void *p, size_t n, struct sp_set *ret, struct sp_err *e);
/* Leaves out the last faults when all together are too long. */
enum sp_code sp_set_sealed_encode(
    const struct sp_set_sealed *s, const uint8_t set_id[16], struct sp_buf *ret, struct sp_err *e);
enum sp_code
sp_set_sealed_decode(const void *p, size_t n, struct sp_set_sealed *ret, struct sp_err *e);
/* The host that the clear part of any record names. */
enum sp_code sp_record_host(
    enum sp_record_type type, const void *clear, size_t n, uint8_t ret_host[16], struct sp_err *e);

/* NULL, or what is wrong with it. */
const char *sp_set_problem(const struct sp_set *s);
const char *sp_set_sealed_problem(const struct sp_set_sealed *s);
/* Levels, identifiers and indices; that no component is, over others, its own parent. Counts and
 * lengths are not looked at. */
const char *sp_verdict_problem(const struct sp_verdict *v);

/* record_sign.c: message Record, as views; each part once and in order. */
struct sp_record_parts {
    struct sp_cur clear, sealed, signature;
};
enum sp_code
sp_record_split(const void *p, size_t n, struct sp_record_parts *ret, struct sp_err *e);
/* Signs, and appends the object. */
enum sp_code sp_record_put(enum sp_record_type type, const struct sp_buf *clear,
    const struct sp_buf *sealed, const uint8_t secret[32], struct sp_buf *ret, struct sp_err *e);
/* Appends a block with one chunk. */
enum sp_code sp_record_seal(enum sp_block_kind kind, enum sp_chunk_kind chunk, const void *p,
    size_t n, struct sp_sealer *sealer, struct sp_compressor *c, struct sp_opener *verify,
    struct sp_hasher *hasher, struct sp_id *ret_id, struct sp_buf *ret, struct sp_err *e);
/* Opens a block with one chunk of these kinds. */
enum sp_code sp_record_open_block(const void *p, size_t n, enum sp_block_kind kind,
    enum sp_chunk_kind chunk_kind, struct sp_opener *o, struct sp_opened **ret,
    struct sp_chunk *ret_chunk, struct sp_err *e);

struct sp_loan { /* what a message refers to while it is packed; zero-initialised is empty */
    void **p;
    size_t n, cap;
    bool no_memory;
};
void *sp_loan_take(struct sp_loan *l, size_t n); /* zeroed; NULL: no_memory is set */
/* Strings of a message are UTF-8; what is not (a name on a POSIX system) is shown escaped. */
char *sp_loan_text(struct sp_loan *l, const char *s);
void sp_loan_free(struct sp_loan *l);

#endif
