#ifndef SP_PROTO_FRAME_H
#define SP_PROTO_FRAME_H

/* Frames: what carries a message (docs/protocol.md §2).
 *
 *     u32le header length ‖ u32le payload length ‖ header ‖ payload
 *
 * A payload longer than SP_FRAME_PAYLOAD_MAX is cut into pieces of exactly that length and a rest;
 * the first frame's header says the total, the others follow directly and are continuations. The
 * decoder puts them together again: its user sees whole messages only.
 *
 * No memory is taken for a length that was not checked: the header's limit before its bytes come,
 * and the payload's by sp_msg_check_payload and the `admit` of the decoder's user before its
 * memory. */

#include "proto/message.h"

struct sp_frame {
    struct sp_msg msg;
    uint8_t *payload; /* malloc'd, NULL when payload_len is 0; take it by setting it to NULL */
    size_t payload_len;
};
void sp_frame_clear(struct sp_frame *f); /* frees the payload */

/* Appends the 8 bytes and the header of the frame for payload bytes from `offset` of `total` (first
 * call: offset 0). The caller sends *ret_slice bytes of the payload after them and, while offset +
 * slice < total, calls again. SP_INVALID: message and payload do not belong together. */
enum sp_code sp_frame_encode(const struct sp_msg *m, size_t total, size_t offset,
    struct sp_buf *ret, size_t *ret_slice, struct sp_err *e);

struct sp_frame_decoder;
/* `admit` hears of each message before memory is taken for its payload; a code other than SP_OK
 * refuses it. May be NULL. */
typedef enum sp_code (*sp_frame_admit_fn)(
    void *arg, const struct sp_msg *m, size_t payload_len, struct sp_err *e);
enum sp_code sp_frame_decoder_new(
    sp_frame_admit_fn admit, void *arg, struct sp_frame_decoder **ret, struct sp_err *e);
void sp_frame_decoder_free(struct sp_frame_decoder *d); /* NULL is harmless */
/* Takes bytes in any pieces. Stops after the first whole message: *ret_used says how many bytes
 * were taken, *ret_whole that *ret is filled (the caller clears it). Otherwise all n are taken.
 * After a failure (SP_PROTOCOL, admit's code, SP_NOMEM) every call gives it again. */
enum sp_code sp_frame_feed(struct sp_frame_decoder *d, const void *p, size_t n, size_t *ret_used,
    bool *ret_whole, struct sp_frame *ret, struct sp_err *e);
/* Bytes of the message that is coming, as far as its lengths are known. */
size_t sp_frame_decoder_length(const struct sp_frame_decoder *d);
/* Nothing of a next frame has come: here the stream may end. */
bool sp_frame_decoder_idle(const struct sp_frame_decoder *d);

#endif
