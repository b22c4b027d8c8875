/* The bytes that a session wants to send: see session.h. Payloads are sent from where they are. */

#include "proto/session_impl.h"

#include <stdlib.h>

static void
output_free(struct output *o)
{
    free(o->head);
    free(o->payload);
    free(o);
}

/* One frame of a message: the payload's bytes from `offset`. */
static enum sp_code
output_new(const struct sp_msg *m, const uint8_t *payload, size_t n, size_t offset,
    struct output **ret, struct sp_err *e)
{
    struct sp_buf head = SP_BUF_INIT;
    struct output *o = calloc(1, sizeof(*o));
    enum sp_code rc;

    if (o == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_frame_encode(m, n, offset, &head, &o->slice_len, e)) != SP_OK)
        goto out;
    if ((rc = sp_buf_take(&head, &o->head, &o->head_len, e)) != SP_OK)
        goto out;
    if (o->slice_len > 0)
        o->slice = payload + offset;
    o->pong = m->type == SP_MSG_PONG;
    *ret = o;
    o = NULL;
out:
    sp_buf_free(&head);
    if (o != NULL)
        output_free(o);
    return rc;
}

static void
free_list(struct output *list)
{
    while (list != NULL) {
        struct output *next = list->next;

        output_free(list);
        list = next;
    }
}

enum sp_code
sp_session_queue(
    struct sp_session *s, const struct sp_msg *m, uint8_t *payload, size_t n, struct sp_err *e)
{
    struct output *list = NULL, **end = &list, *last = NULL;
    size_t offset = 0, bytes = 0;
    enum sp_code rc;

    do {
        if ((rc = output_new(m, payload, n, offset, end, e)) != SP_OK) {
            free_list(list);
            return rc;
        }
        last = *end;
        offset += last->slice_len;
        bytes += last->head_len + last->slice_len;
        end = &last->next;
    } while (offset < n);
    last->payload = payload;
    if (s->out == NULL)
        s->moved = s->now;
    *s->out_end = list;
    s->out_end = end;
    s->queued += bytes;
    if (m->type == SP_MSG_PONG)
        s->pong_waits = true;
    return SP_OK;
}

void
sp_session_drop_output(struct sp_session *s)
{
    free_list(s->out);
    s->out = NULL;
    s->out_end = &s->out;
    s->out_sent = 0;
    s->queued = 0;
    s->pong_waits = false;
}

bool
sp_session_output(struct sp_session *s, const uint8_t **ret, size_t *ret_n)
{
    const struct output *o = s->out;

    if (o == NULL)
        return false;
    if (s->out_sent < o->head_len) {
        *ret = o->head + s->out_sent;
        *ret_n = o->head_len - s->out_sent;
    } else {
        *ret = o->slice + (s->out_sent - o->head_len);
        *ret_n = o->slice_len - (s->out_sent - o->head_len);
    }
    return true;
}

void
sp_session_sent(struct sp_session *s, int64_t now_ns, size_t n)
{
    s->now = now_ns;
    if (n > 0)
        s->moved = now_ns;
    while (n > 0 && s->out != NULL) {
        struct output *o = s->out;
        size_t left = o->head_len + o->slice_len - s->out_sent;
        size_t step = n < left ? n : left;

        n -= step;
        s->out_sent += step;
        s->queued -= step;
        if (step < left)
            break;
        s->out = o->next;
        if (s->out == NULL)
            s->out_end = &s->out;
        s->out_sent = 0;
        if (o->pong)
            s->pong_waits = false;
        output_free(o);
    }
}

size_t
sp_session_queued(const struct sp_session *s)
{
    return s->queued;
}
