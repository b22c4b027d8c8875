#ifndef SP_STORAGE_RECORD_PB_H
#define SP_STORAGE_RECORD_PB_H

/* What record*.c share of protobuf-c, which shows nowhere else in storage/. What is unpacked may
 * take so much memory and no more, whatever the bytes say (R18): a message of two-byte fields would
 * else become a hundred times as large. */

#include "storage/format.pb-c.h"
#include "storage/record_impl.h"

#define SP_RECORD_VERSION 1

enum sp_code sp_pb_unpack(const ProtobufCMessageDescriptor *d, const void *p, size_t n,
    ProtobufCMessage **ret, struct sp_err *e);
void sp_pb_release(ProtobufCMessage *m); /* NULL is harmless */
/* Appends; SP_INVALID when it has more than `most` bytes. */
enum sp_code
sp_pb_pack(const ProtobufCMessage *m, size_t most, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_pb_check_version(uint32_t version, struct sp_err *e);

/* For writing: the pointer is taken only to be looked at. */
ProtobufCBinaryData sp_pb_view(const void *p, size_t n);
/* False: it is not so long, or no text that fits. */
bool sp_pb_take(const ProtobufCBinaryData *from, void *to, size_t n);
bool sp_pb_take_text(const char *from, char *to, size_t room);
/* Copies, malloc'd. False: no memory. Text that is no UTF-8 is a problem. */
bool sp_pb_keep_text(const char *from, char **to, const char **problem);
bool sp_pb_keep_bytes(const ProtobufCBinaryData *from, uint8_t **to, size_t *to_n);

/* record_verdict_put.c: on loan, at most `room` bytes with its tag and length; what is too much is
 * left out, the least telling first, and a note says so. NULL: no memory (l->no_memory). */
Sp__Format__Verdict *sp_verdict_message(struct sp_loan *l, const struct sp_verdict *v, size_t room);
/* record_verdict.c. False: no memory; what was taken is in *to in every case. */
bool sp_verdict_take(const Sp__Format__Verdict *m, struct sp_verdict *to, const char **problem);

#endif
