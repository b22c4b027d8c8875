/* The pump of an SSH link: see ssh.h.
 *
 * One thread, in a circle: what the session wants to send goes into a stage of some hundred
 * kilobytes, from there into SSH packets as large as the protocol has them, and into the socket's
 * buffer while that is not full; what came is drained completely; then the loop waits for the
 * socket, for a kick, or for the clock. The stage costs one copy, and saves a packet of its own for
 * each request's head. */

#include "storage/ssh_impl.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STALL_MS 120000u
#define SILENCE_NS (15 * SP_SECOND)
#define TURN_MS 1000u
#define MS INT64_C(1000000)
#define STAGE ((size_t)256 << 10)
#define PIECE ((size_t)256 << 10)
#define OUT_HIGH ((size_t)512 << 10) /* waits in the socket's buffer: enough */

struct link {
    struct sp_sftp_link link;
    const struct sp_clock *clock;
    struct sp_ssh_socket *socket;
    struct sp_ssh_wire *wire;
    struct sp_sftp_conn *conn;
    struct sp_thread *thread;
    struct sp_ssh_facts facts;
    atomic_bool ending;
    uint8_t *stage, *piece;
    size_t stage_at, stage_len;
    int64_t stall_ns, moved_at, kept_at;
    uint64_t moved;
    char at[320];
};

static void
lost(struct link *l, enum sp_code code, const char *what, const char *more)
{
    struct sp_err e = {0};

    (void)sp_fail(&e, code, SP_DOM_NET, "%s: %s%s", l->at, what, more);
    sp_sftp_conn_lost(l->conn, &e);
}

/* What libssh2 failed at. */
static void
broke(struct link *l)
{
    struct sp_err why = {0};
    const char *bye = sp_ssh_wire_farewell(l->wire);

    if (bye[0] != '\0')
        lost(l, SP_UNREACHABLE, "the server ended the connection: ", bye);
    else if (sp_ssh_socket_state(l->socket, &why) != SP_OK)
        lost(l, SP_UNREACHABLE, why.text, "");
    else
        lost(l, SP_UNREACHABLE, "the connection broke: ", sp_ssh_wire_words(l->wire));
}

/* Fills the stage anew, once it is empty: bytes that were offered to libssh2 must be offered again.
 */
static void
fill(struct link *l)
{
    l->stage_at = l->stage_len = 0;
    while (l->stage_len < STAGE) {
        struct sp_span s = sp_sftp_conn_take(l->conn);
        size_t n = s.n < STAGE - l->stage_len ? s.n : STAGE - l->stage_len;

        if (n == 0)
            break;
        memcpy(l->stage + l->stage_len, s.p, n);
        l->stage_len += n;
        sp_sftp_conn_sent(l->conn, n);
    }
}

/* false: the link is over. */
static bool
send_all(struct link *l, bool *ret_progress)
{
    while (sp_ssh_socket_waiting(l->socket) < OUT_HIGH) {
        ssize_t n;

        if (l->stage_at == l->stage_len)
            fill(l);
        if (l->stage_len == 0)
            return true;
        n = sp_ssh_wire_write(l->wire, l->stage + l->stage_at, l->stage_len - l->stage_at);
        if (n == -EAGAIN)
            return true;
        if (n < 0) {
            broke(l);
            return false;
        }
        l->stage_at += (size_t)n;
        *ret_progress = true;
    }
    return true;
}

static bool
receive_all(struct link *l, bool *ret_progress)
{
    for (;;) {
        ssize_t n = sp_ssh_wire_read(l->wire, l->piece, PIECE);

        if (n == -EAGAIN)
            return true;
        if (n < 0) {
            broke(l);
            return false;
        }
        if (n == 0) {
            lost(l, SP_UNREACHABLE, "the server ended the SFTP session", "");
            return false;
        }
        *ret_progress = true;
        if (sp_sftp_conn_feed(l->conn, l->piece, (size_t)n) != SP_OK)
            return false;
    }
}

/* Keepalive, and the deadline of a server that owes an answer. */
static bool
look_at_clock(struct link *l)
{
    int64_t now = sp_clock_mono(l->clock);
    uint64_t moved = sp_ssh_socket_moved(l->socket);

    if (moved != l->moved || !sp_sftp_conn_busy(l->conn)) {
        if (moved != l->moved)
            l->kept_at = now;
        l->moved = moved;
        l->moved_at = now;
    }
    if (now - l->moved_at >= l->stall_ns) {
        lost(l, SP_TIMEOUT, "the server owes an answer and has sent nothing for too long", "");
        return false;
    }
    if (now - l->kept_at >= SILENCE_NS) {
        l->kept_at = now;
        if (sp_ssh_wire_keepalive(l->wire) == SP_SSH_FAILED) {
            broke(l);
            return false;
        }
    }
    return true;
}

static uint32_t
patience_ms(const struct link *l)
{
    int64_t ms = l->stall_ns / MS / 4;

    return ms < 1 ? 1 : ms < TURN_MS ? (uint32_t)ms : TURN_MS;
}

static void
pump(void *arg)
{
    struct link *l = arg;

    l->moved_at = l->kept_at = sp_clock_mono(l->clock);
    l->moved = sp_ssh_socket_moved(l->socket);
    while (!atomic_load(&l->ending)) {
        bool progress = false;

        if (!send_all(l, &progress) || !receive_all(l, &progress) || !look_at_clock(l))
            break;
        sp_ssh_socket_turn(l->socket, progress ? 0 : patience_ms(l));
    }
}

static enum sp_code
link_start(struct sp_sftp_link *link, struct sp_sftp_conn *c, struct sp_err *e)
{
    struct link *l = (struct link *)link;

    l->conn = c;
    return sp_thread_start("sp-sftp", pump, l, &l->thread, e);
}

static void
link_kick(struct sp_sftp_link *link)
{
    sp_ssh_socket_kick(((struct link *)link)->socket);
}

static void
link_free(struct sp_sftp_link *link)
{
    struct link *l = (struct link *)link;

    if (l == NULL)
        return;
    atomic_store(&l->ending, true);
    sp_ssh_socket_kick(l->socket);
    sp_thread_join(l->thread);
    sp_ssh_wire_free(l->wire);
    sp_ssh_socket_free(l->socket);
    free(l->stage);
    free(l->piece);
    free(l);
}

static const struct sp_sftp_link_ops ops = {link_start, link_kick, link_free};

enum sp_code
sp_ssh_link_new(const struct sp_env *env, const struct sp_ssh_options *o, const char *at,
    struct sp_ssh_socket *socket, struct sp_ssh_wire *wire, const struct sp_ssh_facts *facts,
    struct sp_sftp_link **ret, struct sp_err *e)
{
    struct link *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        sp_ssh_wire_free(wire);
        sp_ssh_socket_free(socket);
        return sp_fail_nomem(e);
    }
    l->link.ops = &ops;
    l->socket = socket;
    l->wire = wire;
    l->clock = env->clock;
    l->facts = *facts;
    l->stall_ns = (o->stall_ms != 0 ? o->stall_ms : STALL_MS) * MS;
    (void)snprintf(l->at, sizeof(l->at), "%s", at);
    l->stage = malloc(STAGE);
    l->piece = malloc(PIECE);
    if (l->stage == NULL || l->piece == NULL) {
        link_free(&l->link);
        return sp_fail_nomem(e);
    }
    *ret = &l->link;
    return SP_OK;
}

const struct sp_ssh_facts *
sp_ssh_facts(const struct sp_sftp_link *l)
{
    return &((const struct link *)l)->facts;
}
