/* Deadlines of a session: see session.h and docs/protocol.md §6. */

#include "proto/session_impl.h"

#include <string.h>

#include "base/text.h"

static void
earlier(int64_t *at, int64_t other)
{
    if (other < *at)
        *at = other;
}

/* A message that has begun is whole in the time that silence has, and a second more for each
 * SP_MESSAGE_RATE bytes of it: a peer that sends a byte now and then is not silent, but keeps
 * memory and a session all the same. */
static int64_t
message_deadline(const struct sp_session *s)
{
    return s->begun + s->idle_ns +
           (int64_t)(sp_frame_decoder_length(s->decoder) / SP_MESSAGE_RATE) * INT64_C(1000000000);
}

int64_t
sp_session_deadline(const struct sp_session *s)
{
    int64_t at = INT64_MAX;

    if (s->tell)
        return s->now;
    if (s->state == SESSION_CLOSED)
        return INT64_MAX;
    if (s->state == SESSION_HELLO)
        earlier(&at, s->started + s->handshake_ns);
    if (s->service == SP_SERVICE_ENROLL)
        earlier(&at, s->started + s->enroll_ns);
    if (s->queued > 0)
        earlier(&at, s->moved + s->stall_ns);
    if (!s->paused && s->state == SESSION_READY) {
        earlier(&at, s->heard + s->idle_ns);
        if (s->begun != 0)
            earlier(&at, message_deadline(s));
        if (!s->pinging)
            earlier(&at, s->heard + s->ping_ns);
    }
    return at;
}

static void
time_out(struct sp_session *s, const char *what, int64_t after_ns)
{
    struct sp_err why = {0};

    (void)sp_fail(&why, SP_TIMEOUT, SP_DOM_NET, "%s %s for %s", sp_session_peer_word(s), what,
        sp_text_duration(after_ns).s);
    sp_session_goodbye(s, &why);
}

static void
ping(struct sp_session *s)
{
    struct sp_msg m = {.type = SP_MSG_PING, .ping = {.nonce = s->ping_nonce + 1}};
    struct sp_err e = {0};

    if (sp_session_queue(s, &m, NULL, 0, &e) != SP_OK) {
        sp_session_break(s, &e);
        return;
    }
    s->ping_nonce = m.ping.nonce;
    s->pinging = true;
}

void
sp_session_tick(struct sp_session *s, int64_t now_ns, struct sp_event *ret)
{
    memset(ret, 0, sizeof(*ret));
    s->now = now_ns;
    if (s->state == SESSION_HELLO && now_ns >= s->started + s->handshake_ns)
        time_out(s, "did not say hello", s->handshake_ns);
    else if (s->service == SP_SERVICE_ENROLL && now_ns >= s->started + s->enroll_ns)
        time_out(s, "did not finish enrolling", s->enroll_ns);
    else if (s->queued > 0 && now_ns >= s->moved + s->stall_ns)
        time_out(s, "took nothing", s->stall_ns);
    else if (!s->paused && s->state == SESSION_READY) {
        if (now_ns >= s->heard + s->idle_ns)
            time_out(s, "was silent", s->idle_ns);
        else if (s->begun != 0 && now_ns >= message_deadline(s))
            time_out(s, "did not finish a message", now_ns - s->begun);
        else if (!s->pinging && now_ns >= s->heard + s->ping_ns)
            ping(s);
    }
    sp_session_tell(s, ret);
}

void
sp_session_pause(struct sp_session *s, bool paused, int64_t now_ns)
{
    if (s->paused && !paused) {
        s->heard = now_ns;
        if (s->begun != 0)
            s->begun += now_ns - s->paused_at;
    } else if (!s->paused && paused) {
        s->paused_at = now_ns;
    }
    s->paused = paused;
    s->now = now_ns;
}
