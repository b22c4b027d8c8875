#ifndef SP_STORAGE_RECORD_IMPL_H
#define SP_STORAGE_RECORD_IMPL_H

/* The parts of storage/record.h: the messages inside a record (record.c, the one file with
 * protobuf-c), what is around them (record_sign.c: envelope, signature, seal), and their rules
 * (record_rules.c). */

#include "storage/record.h"

#define SP_RECORD_MAX_OBJECT (16u << 20)
#define SP_RECORD_MAX_CLEAR (64u << 10)
#define SP_RECORD_MAX_SEALED (1000u << 10) /* plaintext; one chunk may be 1 MiB */
#define SP_RECORD_MAX_LIST 10000           /* roots, volumes, excludes */

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
