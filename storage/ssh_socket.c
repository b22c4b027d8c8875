/* The socket of an SSH link: see ssh_impl.h.
 *
 * libuv carries it because it does so on every platform; libssh2 sees only the two buffers, through
 * its callbacks. What is sent is gathered and handed to the kernel in pieces as large as there are,
 * not packet by packet. */

#include "storage/ssh_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define MS INT64_C(1000000)
#define IN_BYTES ((size_t)512 << 10)
#define FLUSH_BYTES ((size_t)256 << 10) /* so much at once is worth a call of the kernel */
#define KEEPALIVE_S 60u
/* The pump stops long before: only a server that wants answers and does not read them comes here.
 */
#define OUT_MAX ((size_t)4 << 20)

struct out {
    struct sp_buf bytes;
    size_t at;
};

struct sp_ssh_socket {
    uv_loop_t loop;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_async_t async;
    uv_getaddrinfo_t resolve_req;
    uv_connect_t connect_req;
    uv_write_t write_req;
    bool has_loop, has_tcp, has_handles, reading, writing, waiting_for_name;
    int resolved, connected; /* status; 1: not yet */
    struct addrinfo *addresses;
    int broken; /* a status of libuv; UV_EOF: the other side ended it */
    struct out filling, going;
    uint8_t *in;
    size_t in_at, in_len;
    uint64_t received, sent;
};

enum sp_code
sp_ssh_patience(const struct sp_ssh_patience *p, struct sp_err *e)
{
    if (p->stop != NULL && p->stop(p->arg))
        return sp_fail(e, SP_CANCELLED, SP_DOM_NET, "stopped");
    if (sp_clock_mono(p->clock) >= p->until_ns)
        return sp_fail(e, SP_TIMEOUT, SP_DOM_NET, "no answer in time");
    return SP_OK;
}

/* --- the loop ------------------------------------------------------------------------------ */

static void
on_timer(uv_timer_t *timer)
{
    (void)timer; /* it ends the turn, that is all */
}

static void
on_async(uv_async_t *async)
{
    (void)async;
}

static void
turn(struct sp_ssh_socket *s, uint32_t wait_ms)
{
    if (wait_ms != 0)
        (void)uv_timer_start(&s->timer, on_timer, wait_ms, 0);
    (void)uv_run(&s->loop, wait_ms != 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    (void)uv_timer_stop(&s->timer);
}

static void
breaks(struct sp_ssh_socket *s, int status)
{
    if (s->broken == 0)
        s->broken = status;
}

void
sp_ssh_socket_kick(struct sp_ssh_socket *s)
{
    (void)uv_async_send(&s->async);
}

/* --- out ----------------------------------------------------------------------------------- */

static void
on_written(uv_write_t *req, int status)
{
    struct sp_ssh_socket *s = req->data;

    s->writing = false;
    if (status != 0)
        breaks(s, status);
    s->sent += s->going.bytes.len - s->going.at;
    sp_buf_reset(&s->going.bytes);
}

static void
flush(struct sp_ssh_socket *s)
{
    struct out *o = &s->filling, swap;
    uv_buf_t buf;
    int n;

    if (s->writing || s->broken != 0 || o->bytes.len == 0)
        return;
    buf = uv_buf_init((char *)o->bytes.data, (unsigned int)o->bytes.len);
    n = uv_try_write((uv_stream_t *)&s->tcp, &buf, 1);
    if (n < 0 && n != UV_EAGAIN) {
        breaks(s, n);
        return;
    }
    if (n > 0)
        s->sent += (uint64_t)n;
    if (n > 0 && (size_t)n == o->bytes.len) {
        sp_buf_reset(&o->bytes);
        return;
    }
    o->at = n > 0 ? (size_t)n : 0;
    swap = s->going;
    s->going = s->filling;
    s->filling = swap;
    buf = uv_buf_init((char *)s->going.bytes.data + s->going.at,
        (unsigned int)(s->going.bytes.len - s->going.at));
    s->write_req.data = s;
    if ((n = uv_write(&s->write_req, (uv_stream_t *)&s->tcp, &buf, 1, on_written)) != 0)
        breaks(s, n);
    else
        s->writing = true;
}

ssize_t
sp_ssh_socket_send(struct sp_ssh_socket *s, const void *p, size_t n)
{
    if (s->broken != 0)
        return -1;
    sp_buf_put(&s->filling.bytes, p, n);
    if (s->filling.bytes.failed || s->filling.bytes.len > OUT_MAX) {
        breaks(s, s->filling.bytes.failed ? UV_ENOMEM : UV_ENOBUFS);
        return -1;
    }
    if (s->filling.bytes.len >= FLUSH_BYTES)
        flush(s);
    return (ssize_t)n;
}

size_t
sp_ssh_socket_waiting(const struct sp_ssh_socket *s)
{
    return s->filling.bytes.len + s->going.bytes.len;
}

/* --- in ------------------------------------------------------------------------------------ */

static void
on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    struct sp_ssh_socket *s = handle->data;

    (void)wanted;
    if (s->in_at == s->in_len) {
        s->in_at = s->in_len = 0;
    } else if (s->in_at > IN_BYTES / 2) {
        memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
        s->in_len -= s->in_at;
        s->in_at = 0;
    }
    *buf = uv_buf_init((char *)s->in + s->in_len, (unsigned int)(IN_BYTES - s->in_len));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct sp_ssh_socket *s = stream->data;

    (void)buf;
    if (n > 0) {
        s->in_len += (size_t)n;
        s->received += (uint64_t)n;
    } else if (n < 0) {
        breaks(s, (int)n);
    }
    if (n < 0 || s->in_len - s->in_at >= IN_BYTES / 4) { /* first this */
        (void)uv_read_stop(stream);
        s->reading = false;
    }
}

ssize_t
sp_ssh_socket_recv(struct sp_ssh_socket *s, void *to, size_t n)
{
    size_t have = s->in_len - s->in_at;

    if (have == 0)
        return s->broken == 0 ? -EAGAIN : s->broken == UV_EOF ? 0 : -1;
    if (n > have)
        n = have;
    memcpy(to, s->in + s->in_at, n);
    s->in_at += n;
    return (ssize_t)n;
}

void
sp_ssh_socket_turn(struct sp_ssh_socket *s, uint32_t wait_ms)
{
    int status;

    flush(s);
    if (s->broken == 0 && !s->reading && s->in_len - s->in_at < IN_BYTES / 4) {
        if ((status = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read)) != 0)
            breaks(s, status);
        else
            s->reading = true;
    }
    turn(s, s->broken != 0 ? 0 : wait_ms);
}

enum sp_code
sp_ssh_socket_state(const struct sp_ssh_socket *s, struct sp_err *e)
{
    if (s->broken == 0)
        return SP_OK;
    if (s->broken == UV_EOF)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "the server closed the connection");
    return sp_fail(e, s->broken == UV_ENOMEM ? SP_NOMEM : SP_UNREACHABLE, SP_DOM_NET,
        "the connection broke: %s", uv_strerror(s->broken));
}

uint64_t
sp_ssh_socket_moved(const struct sp_ssh_socket *s)
{
    return s->received + s->sent;
}

uint64_t
sp_ssh_socket_received(const struct sp_ssh_socket *s)
{
    return s->received;
}

uintptr_t
sp_ssh_socket_fd(const struct sp_ssh_socket *s)
{
    uv_os_fd_t fd;

    return uv_fileno((const uv_handle_t *)&s->tcp, &fd) == 0 ? (uintptr_t)fd : UINTPTR_MAX;
}

/* --- connecting ---------------------------------------------------------------------------- */

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct sp_ssh_socket *s = req->data;

    s->waiting_for_name = false;
    s->addresses = res;
    s->resolved = status != 0 ? status : res == NULL ? UV_EAI_NODATA : 0;
}

static void
on_connected(uv_connect_t *req, int status)
{
    struct sp_ssh_socket *s = req->data;

    s->connected = status;
}

static void
on_closed(uv_handle_t *handle)
{
    struct sp_ssh_socket *s = handle->data;

    s->has_tcp = false;
}

static void
close_tcp(struct sp_ssh_socket *s)
{
    if (!s->has_tcp)
        return;
    uv_close((uv_handle_t *)&s->tcp, on_closed);
    while (s->has_tcp) /* at once: closing waits for nobody */
        turn(s, 10);
}

/* *status: 1 until the callback came. */
static enum sp_code
wait_for(
    struct sp_ssh_socket *s, const int *status, const struct sp_ssh_patience *p, struct sp_err *e)
{
    enum sp_code rc;

    while (*status == 1) {
        if ((rc = sp_ssh_patience(p, e)) != SP_OK)
            return rc;
        turn(s, 100);
    }
    return SP_OK;
}

/* One address. SP_UNREACHABLE, SP_TIMEOUT: the next may do. */
static enum sp_code
try_address(struct sp_ssh_socket *s, const struct addrinfo *a, const struct sp_ssh_patience *p,
    struct sp_err *e)
{
    enum sp_code rc;

    if ((s->connected = uv_tcp_init(&s->loop, &s->tcp)) == 0) {
        s->tcp.data = s->connect_req.data = s;
        s->has_tcp = true;
        s->connected = uv_tcp_connect(&s->connect_req, &s->tcp, a->ai_addr, on_connected);
        if (s->connected == 0)
            s->connected = 1;
    }
    if ((rc = wait_for(s, &s->connected, p, e)) == SP_OK && s->connected == 0)
        return SP_OK;
    close_tcp(s);
    if (rc == SP_OK)
        rc = sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "%s", uv_strerror(s->connected));
    return rc;
}

static enum sp_code
try_addresses(struct sp_ssh_socket *s, const struct sp_ssh_patience *p, struct sp_err *e)
{
    enum sp_code rc = SP_UNREACHABLE;
    int64_t left = 0;

    for (const struct addrinfo *a = s->addresses; a != NULL; a = a->ai_next)
        left++;
    for (const struct addrinfo *a = s->addresses; a != NULL; a = a->ai_next, left--) {
        struct sp_ssh_patience part = *p;
        int64_t now = sp_clock_mono(p->clock);

        if (now >= p->until_ns)
            break;
        part.until_ns = now + (p->until_ns - now) / left;
        rc = try_address(s, a, &part, e);
        if (rc == SP_OK || rc == SP_CANCELLED)
            break;
    }
    return rc;
}

static enum sp_code
resolve(struct sp_ssh_socket *s, const char *host, uint16_t port, const struct sp_ssh_patience *p,
    struct sp_err *e)
{
    struct addrinfo hints;
    char port_text[8];
    enum sp_code rc;
    int status;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    s->resolve_req.data = s;
    s->resolved = 1;
    status = uv_getaddrinfo(&s->loop, &s->resolve_req, on_resolved, host, port_text, &hints);
    if (status != 0)
        s->resolved = status;
    else
        s->waiting_for_name = true;
    if ((rc = wait_for(s, &s->resolved, p, e)) != SP_OK)
        return rc;
    if (s->resolved != 0)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "the name cannot be resolved: %s",
            uv_strerror(s->resolved));
    return SP_OK;
}

static enum sp_code
new_socket(struct sp_ssh_socket **ret, struct sp_err *e)
{
    struct sp_ssh_socket *s = calloc(1, sizeof(*s));
    int status;

    if (s == NULL || (s->in = malloc(IN_BYTES)) == NULL) {
        free(s);
        return sp_fail_nomem(e);
    }
    if ((status = uv_loop_init(&s->loop)) == 0) {
        s->has_loop = true;
        s->loop.data = s;
        if ((status = uv_timer_init(&s->loop, &s->timer)) == 0 &&
            (status = uv_async_init(&s->loop, &s->async, on_async)) == 0)
            s->has_handles = true;
    }
    if (status != 0) {
        sp_ssh_socket_free(s);
        return sp_fail(e, status == UV_ENOMEM ? SP_NOMEM : SP_IO, SP_DOM_NET,
            "no event loop for a connection: %s", uv_strerror(status));
    }
    *ret = s;
    return SP_OK;
}

enum sp_code
sp_ssh_socket_connect(const char *host, uint16_t port, const struct sp_ssh_patience *p,
    struct sp_ssh_socket **ret, struct sp_err *e)
{
    struct sp_ssh_socket *s = NULL;
    enum sp_code rc;

    if ((rc = new_socket(&s, e)) != SP_OK)
        return rc;
    if ((rc = resolve(s, host, port, p, e)) != SP_OK || (rc = try_addresses(s, p, e)) != SP_OK) {
        sp_ssh_socket_free(s);
        return rc;
    }
    (void)uv_tcp_nodelay(&s->tcp, 1); /* what is sent is gathered here */
    (void)uv_tcp_keepalive(&s->tcp, 1, KEEPALIVE_S);
    *ret = s;
    return SP_OK;
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void
sp_ssh_socket_free(struct sp_ssh_socket *s)
{
    if (s == NULL)
        return;
    if (s->waiting_for_name)
        (void)uv_cancel((uv_req_t *)&s->resolve_req);
    if (s->has_tcp) {
        flush(s);
        close_tcp(s);
    }
    if (s->has_loop) {
        uv_walk(&s->loop, close_handle, NULL);
        /* A name that is being looked up cannot be left behind: the resolver's own deadlines hold.
         */
        (void)uv_run(&s->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&s->loop);
    }
    uv_freeaddrinfo(s->addresses);
    sp_buf_free(&s->filling.bytes);
    sp_buf_free(&s->going.bytes);
    free(s->in);
    free(s);
}
