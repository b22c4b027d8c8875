/* A server that speaks no sense at all. */

#include "hostile_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

struct babble {
    const char *name;
    bool tls;
    const char *bytes;
    size_t n;
    bool hello; /* a right ServerHello before it */
    bool close; /* at the end; else it waits */
    enum sp_code code;
};

struct babbler {
    const struct babble *b;
    struct fake *f;
    struct sp_tls_context *tls;
    int fd;
};

static void
send_all(int fd, const void *p, size_t n)
{
    const char *in = p;

    while (n > 0) {
        ssize_t k = send(fd, in, n, MSG_NOSIGNAL);

        if (k <= 0)
            return;
        in += k;
        n -= (size_t)k;
    }
}

static void
pump(struct sp_tls *t, int fd)
{
    uint8_t bytes[16384];
    size_t n;

    while ((n = sp_tls_take(t, bytes, sizeof(bytes))) > 0)
        send_all(fd, bytes, n);
}

/* Reads for a while; false at the end. */
static bool
hear(struct sp_tls *t, int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t bytes[16384];
    struct sp_err err = {0};
    size_t got = 0;
    ssize_t n;

    if (poll(&p, 1, ms) != 1)
        return true;
    if ((n = recv(fd, bytes, sizeof(bytes), 0)) <= 0)
        return false;
    if (t != NULL && sp_tls_feed(t, bytes, (size_t)n, &err) == SP_OK) {
        while (sp_tls_read(t, bytes, sizeof(bytes), &got, &err) == SP_OK && got > 0)
            ;
        pump(t, fd);
    }
    return true;
}

static void
be_babbler(void *arg)
{
    struct babbler *x = arg;
    const struct babble *b = x->b;
    struct sp_tls *t = NULL;
    struct sp_err err = {0};
    int fd = accept(x->fd, NULL, NULL);
    struct sp_buf out = SP_BUF_INIT;
    size_t slice, used;

    if (fd < 0)
        return;
    if (b->tls) {
        sure(sp_tls_new(x->tls, &t, &err) == SP_OK);
        while (!sp_tls_ready(t) && hear(t, fd, 2000))
            ;
        if (b->hello) {
            struct sp_msg m = x->f->hello;

            m.server_hello.major = 1;
            m.server_hello.put_credit = SP_PUT_CREDIT;
            sure(sp_frame_encode(&m, x->f->conf.len, 0, &out, &slice, &err) == SP_OK);
            sp_buf_put(&out, x->f->conf.data, x->f->conf.len);
        }
        sp_buf_put(&out, b->bytes, b->n);
        (void)sp_tls_write(t, out.data, out.len, &used, &err);
        pump(t, fd);
    } else {
        send_all(fd, b->bytes, b->n);
    }
    for (int i = 0; !b->close && i < 100; i++)
        if (!hear(t, fd, 100))
            break;
    (void)close(fd);
    sp_tls_free(t);
    sp_buf_free(&out);
}

static enum sp_code
admit_all(void *arg, const struct sp_tls_peer *p, struct sp_err *e)
{
    (void)arg;
    (void)p;
    (void)e;
    return SP_OK;
}

void
test_babble(void **state)
{
#define B(s) s, sizeof(s) - 1
    static const struct babble rows[] = {
        {"closed at once", false, B(""), false, true, SP_UNREACHABLE},
        {"HTTP", false, B("HTTP/1.1 301 Moved\r\nLocation: https://evil/\r\n\r\n"), false, false,
            SP_PROTOCOL},
        {"zeros", false, B("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false, false, SP_PROTOCOL},
        {"an alert", false, B("\x15\x03\x03\x00\x02\x02\x28"), false, false, SP_PROTOCOL},
        {"nothing after TLS", true, B(""), false, true, SP_UNREACHABLE},
        {"silence after TLS", true, B(""), false, false, SP_TIMEOUT},
        {"a header of 4 GiB", true, B("\xff\xff\xff\xff\0\0\0\0"), false, false, SP_PROTOCOL},
        {"a payload of 4 GiB", true, B("\x04\0\0\0\xff\xff\xff\xff"), false, false, SP_PROTOCOL},
        {"a request", true, B("\x05\0\0\0\0\0\0\0\x08\x05\xa2\x01\x00"), false, false, SP_PROTOCOL},
        {"an answer before the hello", true, B("\x06\0\0\0\0\0\0\0\x08\x01\x9a\x03\x00\x00"), false,
            false, SP_PROTOCOL},
        {"half a hello", true, B("\x40\0\0\0\0\0\0\0\x52"), false, true, SP_UNREACHABLE},
        {"noise", true, B("\x10\0\0\0\x20\0\0\0qwertzuiopasdfghjklyxcvbnmqwertz"), false, false,
            SP_PROTOCOL},
    };
#undef B
    struct fake *f = fake_new();
    struct sp_tls_server t = {.chain_pem = f->server_chain,
        .key_pem = f->server_key,
        .authority_pem = f->authority,
        .enrolment = true,
        .admit = admit_all,
        .clock = &sp_clock_system};
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    struct babbler x = {.f = f};

    (void)state;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    x.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(x.fd >= 0);
    assert_int_equal(bind(x.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(x.fd, 8), 0);
    assert_int_equal(getsockname(x.fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    assert_ok(sp_tls_server_new(&t, &x.tls, e));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_remote_options o = fake_options(f);
        struct sp_thread *thread = NULL;
        struct sp_store *s = NULL;
        struct sp_err err = {0};
        int64_t began = sp_clock_mono(&sp_clock_system);
        enum sp_code rc;

        cases++;
        o.connect_ms = 700;
        x.b = &rows[i];
        assert_ok(sp_thread_start("babbler", be_babbler, &x, &thread, e));
        rc = fake_try(f, &o, &s, &err);
        if (rc == SP_OK) {
            fail_msg("%s: a store?", rows[i].name);
            sp_store_free(s);
        }
        if (rc != rows[i].code && !(rows[i].code == SP_TIMEOUT && rc == SP_UNREACHABLE))
            fail_msg("%s: %s: %s", rows[i].name, sp_code_word(rc), err.text);
        assert_true(strlen(err.text) > 10);
        began = sp_clock_mono(&sp_clock_system) - began;
        if (began > 9 * SP_SECOND)
            fail_msg("%s: it took too long", rows[i].name);
        if (getenv("SP_TEST_LOG") != NULL)
            print_message("%s: %d ms: %s\n", rows[i].name, (int)(began / 1000000), err.text);
        sp_thread_join(thread);
    }
    (void)close(x.fd);
    sp_tls_context_free(x.tls);
    fake_free(f);
}
