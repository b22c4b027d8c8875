#include <stdlib.h>

#include "tests/fuzz/conversation.h"
#include "tests/fuzz/fuzz.h"

/* `u8 flags ‖ u8 n ‖ n × u8 request ‖ stream`: one side of a connection and what its peer sends, at
 * once and in pieces: the same events, the same bytes sent. The server answers what it is asked;
 * the client asks the requests first. */

struct run {
    struct talk_server t;
    struct sp_buf log;
    struct fuzz_in requests;
    bool closed;
};

static void
drain(struct run *r)
{
    const uint8_t *p;
    size_t n;

    while (sp_session_output(r->t.s, &p, &n)) {
        sp_buf_put(&r->log, p, n);
        sp_session_sent(r->t.s, TALK_NOW, n);
    }
    FUZZ_MUST(sp_session_queued(r->t.s) == 0);
}

static void
event(struct run *r, struct sp_event *ev)
{
    struct sp_err e = {0};

    if (ev->type == SP_EVENT_NONE)
        return;
    FUZZ_MUST(!r->closed); /* nothing comes behind the end */
    sp_buf_put_u32(&r->log, (uint32_t)ev->type);
    sp_buf_put(&r->log, &ev->frame.msg, sizeof(ev->frame.msg));
    sp_buf_put(&r->log, ev->frame.payload, ev->frame.payload_len);
    if (ev->type == SP_EVENT_CLOSED) {
        r->closed = true;
        sp_buf_put_str(&r->log, ev->why.text);
    } else if (ev->type == SP_EVENT_READY && (r->t.flags & TALK_CLIENT) != 0) {
        while (r->requests.n > 0)
            talk_ask(r->t.s, fuzz_u8(&r->requests));
    } else if (ev->type == SP_EVENT_MESSAGE && (r->t.flags & TALK_CLIENT) == 0) {
        talk_answer(&r->t, &ev->frame);
    } else if (ev->type == SP_EVENT_MESSAGE &&
               sp_msg_info(ev->frame.msg.type)->kind == SP_KIND_ITEM) {
        FUZZ_OK(sp_session_consumed(r->t.s, ev->frame.payload_len, &e));
    }
    sp_event_clear(ev);
    drain(r);
}

static void
run(struct run *r, const uint8_t *p, size_t n, struct fuzz_dice *dice)
{
    struct sp_event ev;

    r->t.s = talk_session(r->t.flags);
    drain(r);
    for (size_t at = 0; at < n;) {
        size_t piece = n - at, used = 0;

        if (dice != NULL && piece > 1)
            piece = 1 + fuzz_below(dice, piece < 50 ? piece : 50);
        memset(&ev, 0, sizeof(ev));
        sp_session_feed(r->t.s, TALK_NOW, p + at, piece, &used, &ev);
        FUZZ_MUST(used <= piece && (used == piece || ev.type != SP_EVENT_NONE));
        at += used;
        event(r, &ev);
    }
    drain(r);
    /* A peer that says no more is gone after a while, and a ping is asked for before. */
    for (int64_t later = TALK_NOW; !r->closed; later += 20 * SP_SECOND) {
        FUZZ_MUST(later < TALK_NOW + 1000 * SP_SECOND);
        memset(&ev, 0, sizeof(ev));
        sp_session_tick(r->t.s, later, &ev);
        event(r, &ev);
    }
    memset(&ev, 0, sizeof(ev));
    sp_session_end(r->t.s, NULL, &ev);
    FUZZ_MUST(ev.type == SP_EVENT_NONE && sp_session_is_closed(r->t.s));
    sp_session_free(r->t.s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_dice dice = fuzz_dice_of(data, size);
    struct fuzz_in in = {data, size};
    struct run whole = {.log = SP_BUF_INIT}, pieces = {.log = SP_BUF_INIT};

    whole.t.flags = pieces.t.flags = fuzz_u8(&in);
    whole.requests = pieces.requests = fuzz_take(&in, fuzz_u8(&in));
    run(&whole, in.p, in.n, NULL);
    run(&pieces, in.p, in.n, &dice);
    FUZZ_MUST(whole.log.len == pieces.log.len);
    FUZZ_MUST(memcmp(whole.log.data, pieces.log.data, whole.log.len) == 0);
    sp_buf_free(&whole.log);
    sp_buf_free(&pieces.log);
    return 0;
}
