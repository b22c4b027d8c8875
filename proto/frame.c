/* Frames: see frame.h. */

#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void
sp_frame_clear(struct sp_frame *f)
{
    free(f->payload);
    sp_wipe(f, sizeof(*f)); /* an enrolment's secret may have been in the message */
}

/* --- encoding ------------------------------------------------------------------------------ */

enum sp_code
sp_frame_encode(const struct sp_msg *m, size_t total, size_t offset, struct sp_buf *ret,
    size_t *ret_slice, struct sp_err *e)
{
    size_t start = ret->len, header, slice;
    enum sp_code rc;

    if (total > SP_PAYLOAD_MAX || offset > total)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a payload of %zu bytes is too long", total);
    if ((rc = sp_msg_check_payload(m, total, e)) != SP_OK) {
        e->code = SP_INVALID; /* here it is our own mistake */
        e->domain = SP_DOM_SELF;
        return SP_INVALID;
    }
    slice = total - offset;
    if (slice > SP_FRAME_PAYLOAD_MAX)
        slice = SP_FRAME_PAYLOAD_MAX;
    sp_buf_put_zero(ret, SP_FRAME_PREFIX);
    if ((rc = sp_buf_ok(ret, e)) != SP_OK)
        return rc;
    if ((rc = sp_msg_encode(m, total, offset, ret, e)) != SP_OK) {
        ret->len = start;
        return rc;
    }
    header = ret->len - start - SP_FRAME_PREFIX;
    sp_store_le32(ret->data + start, (uint32_t)header);
    sp_store_le32(ret->data + start + 4, (uint32_t)slice);
    *ret_slice = slice;
    return SP_OK;
}

/* --- decoding ------------------------------------------------------------------------------ */

enum part { IN_PREFIX, IN_HEADER, IN_PAYLOAD };

struct sp_frame_decoder {
    sp_frame_admit_fn admit;
    void *admit_arg;
    enum part at;
    uint8_t prefix[SP_FRAME_PREFIX];
    struct sp_buf header;
    size_t have, want;     /* bytes of the part that we are in */
    size_t frame_payload;  /* of this frame */
    bool open;             /* `frame` is a message whose payload is not whole */
    struct sp_frame frame; /* payload_len: the whole; allocated at once */
    size_t filled;         /* bytes of its payload that are here */
    struct sp_err failed;
};

enum sp_code
sp_frame_decoder_new(
    sp_frame_admit_fn admit, void *arg, struct sp_frame_decoder **ret, struct sp_err *e)
{
    struct sp_frame_decoder *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return sp_fail_nomem(e);
    d->admit = admit;
    d->admit_arg = arg;
    d->want = SP_FRAME_PREFIX;
    *ret = d;
    return SP_OK;
}

void
sp_frame_decoder_free(struct sp_frame_decoder *d)
{
    if (d == NULL)
        return;
    sp_buf_wipe(&d->header);
    sp_frame_clear(&d->frame);
    free(d);
}

bool
sp_frame_decoder_idle(const struct sp_frame_decoder *d)
{
    return d->at == IN_PREFIX && d->have == 0 && !d->open && d->failed.code == SP_OK;
}

size_t
sp_frame_decoder_length(const struct sp_frame_decoder *d)
{
    size_t header = d->at == IN_PREFIX ? 0 : d->at == IN_HEADER ? d->want : d->header.len;

    return SP_FRAME_PREFIX + header + (d->open ? d->frame.payload_len : 0);
}

static enum sp_code
end_prefix(struct sp_frame_decoder *d, struct sp_err *e)
{
    uint32_t header = sp_le32(d->prefix), payload = sp_le32(d->prefix + 4);

    if (header == 0 || header > SP_FRAME_HEADER_MAX)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "a frame with a header of %u bytes; it has 1 to %u", (unsigned)header,
            (unsigned)SP_FRAME_HEADER_MAX);
    if (payload > SP_FRAME_PAYLOAD_MAX)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "a frame with a payload of %u bytes; at most %u are allowed", (unsigned)payload,
            (unsigned)SP_FRAME_PAYLOAD_MAX);
    d->frame_payload = payload;
    sp_buf_reset(&d->header);
    if (!sp_buf_reserve(&d->header, header))
        return sp_fail_nomem(e);
    d->at = IN_HEADER;
    d->have = 0;
    d->want = header;
    return SP_OK;
}

/* The first frame of a message: its whole length, and the memory for it. */
static enum sp_code
begin_message(struct sp_frame_decoder *d, const struct sp_msg *m, uint32_t total, struct sp_err *e)
{
    size_t whole = total != 0 ? total : d->frame_payload;
    uint8_t *payload = NULL;
    enum sp_code rc;

    if (total != 0 && (total <= SP_FRAME_PAYLOAD_MAX || d->frame_payload != SP_FRAME_PAYLOAD_MAX))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s that is cut at the wrong place",
            sp_msg_info(m->type)->name);
    if ((rc = sp_msg_check_payload(m, whole, e)) != SP_OK)
        return rc;
    if (d->admit != NULL && (rc = d->admit(d->admit_arg, m, whole, e)) != SP_OK)
        return rc;
    if (whole > 0 && (payload = malloc(whole)) == NULL)
        return sp_fail_nomem(e);
    d->frame.msg = *m;
    d->frame.payload = payload;
    d->frame.payload_len = whole;
    d->filled = 0;
    d->open = true;
    return SP_OK;
}

static enum sp_code
continue_message(struct sp_frame_decoder *d, uint32_t tag, struct sp_err *e)
{
    size_t left = d->open ? d->frame.payload_len - d->filled : 0;

    if (!d->open || tag != d->frame.msg.tag)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the continuation of no message");
    if (d->frame_payload != (left < SP_FRAME_PAYLOAD_MAX ? left : SP_FRAME_PAYLOAD_MAX))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s that is cut at the wrong place",
            sp_msg_info(d->frame.msg.type)->name);
    return SP_OK;
}

static enum sp_code
end_header(struct sp_frame_decoder *d, struct sp_err *e)
{
    struct sp_msg m;
    uint32_t total = 0;
    bool part = false;
    enum sp_code rc;

    if ((rc = sp_msg_decode(d->header.data, d->header.len, &m, &total, &part, e)) != SP_OK)
        return rc;
    if (part)
        rc = continue_message(d, m.tag, e);
    else if (d->open)
        rc = sp_fail(
            e, SP_PROTOCOL, SP_DOM_NET, "a %s inside another message", sp_msg_info(m.type)->name);
    else
        rc = begin_message(d, &m, total, e);
    sp_wipe(&m, sizeof(m));
    d->at = IN_PAYLOAD;
    d->have = 0;
    d->want = d->frame_payload;
    return rc;
}

static uint8_t *
place(struct sp_frame_decoder *d)
{
    switch (d->at) {
    case IN_PREFIX:
        return d->prefix + d->have;
    case IN_HEADER:
        return d->header.data + d->have;
    case IN_PAYLOAD:
        break;
    }
    return d->frame.payload != NULL ? d->frame.payload + d->filled : NULL;
}

/* The part that we are in is whole. *ret_whole: a message is. */
static enum sp_code
end_part(struct sp_frame_decoder *d, bool *ret_whole, struct sp_err *e)
{
    switch (d->at) {
    case IN_PREFIX:
        return end_prefix(d, e);
    case IN_HEADER:
        d->header.len = d->want;
        return end_header(d, e);
    case IN_PAYLOAD:
        d->at = IN_PREFIX;
        d->have = 0;
        d->want = SP_FRAME_PREFIX;
        *ret_whole = d->filled == d->frame.payload_len;
        break;
    }
    return SP_OK;
}

enum sp_code
sp_frame_feed(struct sp_frame_decoder *d, const void *p, size_t n, size_t *ret_used,
    bool *ret_whole, struct sp_frame *ret, struct sp_err *e)
{
    const uint8_t *in = p;
    size_t used = 0;
    bool whole = false;
    enum sp_code rc = SP_OK;

    if (d->failed.code != SP_OK) {
        *e = d->failed;
        return d->failed.code;
    }
    while (!whole && rc == SP_OK) {
        size_t step = d->want - d->have;

        if (step > n - used)
            step = n - used;
        if (step > 0) {
            memcpy(place(d), in + used, step);
            used += step;
            d->have += step;
            if (d->at == IN_PAYLOAD)
                d->filled += step;
        }
        if (d->have < d->want)
            break;
        rc = end_part(d, &whole, e);
    }
    if (rc != SP_OK) {
        d->failed = *e;
        return rc;
    }
    *ret_used = used;
    *ret_whole = whole;
    if (whole) {
        *ret = d->frame;
        memset(&d->frame, 0, sizeof(d->frame));
        d->open = false;
        d->filled = 0;
    }
    return SP_OK;
}
