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
        else if (!s->pinging && now_ns >= s->heard + s->ping_ns)
            ping(s);
    }
    sp_session_tell(s, ret);
}

void
sp_session_pause(struct sp_session *s, bool paused, int64_t now_ns)
{
    if (s->paused && !paused)
        s->heard = now_ns;
    s->paused = paused;
    s->now = now_ns;
}
