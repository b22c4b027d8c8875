#include "peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"

/* --- around --------------------------------------------------------------------------------------
 */

#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

size_t
heap_now(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
#endif
}

int64_t
now_ms(void)
{
    return sp_clock_mono(&sp_clock_system) / 1000000;
}

bool
hostile_long(void)
{
    const char *v = getenv("STILLPOINT_LONG");

    return v != NULL && *v != '\0' && *v != '0';
}

uint64_t
hostile_seed(void)
{
    const char *given = getenv("SP_SEED");

    return given != NULL ? strtoull(given, NULL, 10) : 20231;
}

uint64_t
hostile_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void
hostile_closing(const char *name, unsigned long cases, int64_t began_ms)
{
    int64_t ms = now_ms() - began_ms;

    print_message("%s: %lu cases, SP_SEED=%llu, %lld.%lld s\n", name, cases,
        (unsigned long long)hostile_seed(), (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

/* --- logs ----------------------------------------------------------------------------------------
 */

void
heard_init(struct heard *h)
{
    memset(h, 0, sizeof(*h));
    sp_mutex_init(&h->lock);
}

void
heard_free(struct heard *h)
{
    sp_buf_free(&h->text);
    sp_mutex_destroy(&h->lock);
}

void
heard_line(void *arg, enum sp_log_level level, const char *line)
{
    struct heard *h = arg;

    if (getenv("SP_TEST_LOG") != NULL)
        (void)fprintf(stderr, "log: %s\n", line);
    sp_mutex_lock(&h->lock);
    h->lines++;
    if (level <= SP_LOG_WARN)
        h->warnings++;
    sp_buf_printf(&h->text, "%s\n", line);
    sp_mutex_unlock(&h->lock);
}

unsigned
heard_warnings(struct heard *h)
{
    unsigned n;

    sp_mutex_lock(&h->lock);
    n = h->warnings;
    sp_mutex_unlock(&h->lock);
    return n;
}

unsigned
heard_with(struct heard *h, const char *part)
{
    unsigned n = 0;
    const char *at;

    sp_mutex_lock(&h->lock);
    for (at = sp_buf_str(&h->text); at != NULL && (at = strstr(at, part)) != NULL; n++)
        at = strchr(at, '\n');
    sp_mutex_unlock(&h->lock);
    return n;
}

/* --- a connection --------------------------------------------------------------------------------
 */

static bool
wait_for(const struct wire *w, short what, int ms)
{
    struct pollfd p = {.fd = w->fd, .events = what};

    return w->fd >= 0 && poll(&p, 1, ms) == 1;
}

bool
wire_connect(struct wire *w, uint16_t port, unsigned from)
{
    struct sockaddr_in at = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int one = 1;

    memset(w, 0, sizeof(*w));
    w->alert = -1;
    assert_ok(sp_frame_decoder_new(NULL, NULL, &w->decoder, e));
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->fd >= 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (from == 0 ? 1 : from));
    assert_int_equal(bind(w->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    if (connect(w->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        wire_close(w);
        return false;
    }
    (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return true;
}

void
wire_close(struct wire *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    SSL_free(w->ssl);
    SSL_CTX_free(w->ctx);
    w->ssl = NULL;
    w->ctx = NULL;
    sp_buf_free(&w->got);
    sp_frame_decoder_free(w->decoder);
    w->decoder = NULL;
}

bool
wire_send_raw(struct wire *w, const void *p, size_t n, int ms)
{
    const uint8_t *in = p;
    int64_t end = now_ms() + ms;

    while (n > 0) {
        ssize_t k = w->fd < 0 ? -1 : send(w->fd, in, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (k > 0) {
            in += k;
            n -= (size_t)k;
        } else if (k < 0 && (errno == EAGAIN || errno == EINTR) && now_ms() < end) {
            (void)wait_for(w, POLLOUT, 20);
        } else {
            return false;
        }
    }
    return true;
}

bool
wire_flush(struct wire *w, size_t n, int ms)
{
    uint8_t bytes[16384];
    size_t most = n == 0 ? SIZE_MAX : n;

    while (most > 0 && w->out != NULL && BIO_ctrl_pending(w->out) > 0) {
        int k = BIO_read(w->out, bytes, (int)(most < sizeof(bytes) ? most : sizeof(bytes)));

        assert_true(k > 0);
        if (!wire_send_raw(w, bytes, (size_t)k, ms))
            return false;
        most -= (size_t)k;
    }
    return true;
}

/* What OpenSSL says went wrong: an alert that came, or its own reason. */
static void
note_error(struct wire *w)
{
    unsigned long err = ERR_peek_error();
    int reason = ERR_GET_REASON(err);

    if (ERR_GET_LIB(err) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
        reason < SSL_AD_REASON_OFFSET + 256)
        w->alert = reason - SSL_AD_REASON_OFFSET;
    ERR_error_string_n(err, w->error, sizeof(w->error));
    ERR_clear_error();
}

static void
read_plain(struct wire *w)
{
    uint8_t bytes[16384];
    size_t n;

    ERR_clear_error();
    while (SSL_read_ex(w->ssl, bytes, sizeof(bytes), &n) == 1) {
        sp_buf_put(&w->got, bytes, n);
        if (w->tape != NULL)
            sp_buf_put(w->tape, bytes, n);
    }
    switch (SSL_get_error(w->ssl, 0)) {
    case SSL_ERROR_ZERO_RETURN:
        w->notified = true;
        break;
    case SSL_ERROR_WANT_READ:
        break;
    default:
        note_error(w);
    }
    ERR_clear_error();
}

bool
wire_fill(struct wire *w, int ms)
{
    uint8_t bytes[65536];
    ssize_t n;

    if (w->eof || !wait_for(w, POLLIN, ms))
        return false;
    n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        w->eof = true;
        return true;
    }
    if (w->ssl == NULL) {
        sp_buf_put(&w->got, bytes, (size_t)n);
        return true;
    }
    assert_int_equal(BIO_write(w->in, bytes, (int)n), n);
    if (w->shaken)
        read_plain(w);
    return true;
}

/* "a,b" as the list that OpenSSL wants. */
static void
set_alpn(SSL_CTX *ctx, const char *names)
{
    uint8_t list[256];
    size_t at = 0;

    while (*names != '\0') {
        size_t n = strcspn(names, ",");

        assert_true(n > 0 && n < 128 && at + n + 1 < sizeof(list));
        list[at++] = (uint8_t)n;
        memcpy(list + at, names, n);
        at += n;
        names += n + (names[n] == ',');
    }
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, list, (unsigned)at), 0);
}

static void
use_certificate(SSL_CTX *ctx, const char *chain, const char *key)
{
    BIO *b = BIO_new_mem_buf(chain, -1), *k = BIO_new_mem_buf(key, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL), *more;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);

    assert_non_null(x);
    assert_non_null(pkey);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, pkey), 1);
    while ((more = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL)
        assert_int_equal(SSL_CTX_add0_chain_cert(ctx, more), 1);
    ERR_clear_error();
    X509_free(x);
    EVP_PKEY_free(pkey);
    BIO_free(b);
    BIO_free(k);
}

void
wire_start_tls(struct wire *w, const struct wire_tls *o)
{
    int version = o->version != 0 ? o->version : TLS1_3_VERSION;

    w->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(w->ctx);
    SSL_CTX_set_security_level(w->ctx, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(w->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(w->ctx, version), 1);
    if (o->alpn != NULL)
        set_alpn(w->ctx, o->alpn);
    if (o->chain != NULL)
        use_certificate(w->ctx, o->chain, o->key);
    w->ssl = SSL_new(w->ctx);
    w->in = BIO_new(BIO_s_mem());
    w->out = BIO_new(BIO_s_mem());
    assert_true(w->ssl != NULL && w->in != NULL && w->out != NULL);
    SSL_set_bio(w->ssl, w->in, w->out);
    SSL_set_connect_state(w->ssl);
    ERR_clear_error();
    (void)SSL_do_handshake(w->ssl);
    ERR_clear_error();
}

bool
wire_shake(struct wire *w, const struct wire_tls *o, int ms)
{
    int64_t end = now_ms() + ms;
    int rc;

    if (w->ssl == NULL)
        wire_start_tls(w, o);
    for (;;) {
        ERR_clear_error();
        rc = SSL_do_handshake(w->ssl);
        if (rc != 1 && SSL_get_error(w->ssl, rc) != SSL_ERROR_WANT_READ) {
            note_error(w);
            (void)wire_flush(w, 0, 1000);
            return false;
        }
        if (!wire_flush(w, 0, 1000))
            return false;
        if (rc == 1) {
            w->shaken = true;
            read_plain(w);
            return w->alert < 0;
        }
        if (now_ms() > end || (!wire_fill(w, 50) && w->eof) || w->eof)
            return false;
    }
}

bool
wire_send(struct wire *w, const void *p, size_t n, int ms)
{
    const uint8_t *in = p;

    if (w->ssl == NULL)
        return wire_send_raw(w, p, n, ms);
    while (n > 0) {
        size_t step = n < 65536 ? n : 65536, used = 0;

        ERR_clear_error();
        if (SSL_write_ex(w->ssl, in, step, &used) != 1) {
            note_error(w);
            return false;
        }
        if (!wire_flush(w, 0, ms))
            return false;
        in += used;
        n -= used;
    }
    return true;
}

bool
wire_frame(struct wire *w, struct sp_frame *ret, int ms)
{
    int64_t end = now_ms() + ms;
    struct sp_err err = {0};

    for (;;) {
        size_t used = 0;
        bool whole = false;

        if (w->got.len > 0 &&
            sp_frame_feed(w->decoder, w->got.data, w->got.len, &used, &whole, ret, &err) != SP_OK)
            fail_msg("the server sent a frame that is none: %s", err.text);
        if (used > 0) {
            memmove(w->got.data, w->got.data + used, w->got.len - used);
            w->got.len -= used;
        }
        if (whole)
            return true;
        if (w->eof || (ms = (int)(end - now_ms())) <= 0)
            return false;
        (void)wire_fill(w, ms);
    }
}

void
wire_ending(struct wire *w, struct ending *ret, int ms)
{
    int64_t began = now_ms(), end = began + ms;
    struct sp_frame f;

    memset(ret, 0, sizeof(*ret));
    while (!w->eof && (ms = (int)(end - now_ms())) > 0) {
        if (w->ssl == NULL) { /* there are no frames */
            (void)wire_fill(w, ms);
            continue;
        }
        if (!wire_frame(w, &f, ms))
            continue;
        ret->frames++;
        if (f.msg.last)
            ret->last++;
        if (f.msg.type == SP_MSG_GOODBYE) {
            ret->goodbye = true;
            ret->bye = f.msg;
        }
        if (f.msg.type == SP_MSG_ERROR) {
            ret->errors++;
            ret->error = f.msg;
        }
        sp_frame_clear(&f);
    }
    while (w->ssl != NULL && wire_frame(w, &f, 0)) { /* what came with the end */
        ret->frames++;
        if (f.msg.type == SP_MSG_GOODBYE) {
            ret->goodbye = true;
            ret->bye = f.msg;
        }
        if (f.msg.type == SP_MSG_ERROR) {
            ret->errors++;
            ret->error = f.msg;
        }
        sp_frame_clear(&f);
    }
    ret->closed = w->eof;
    ret->took_ms = now_ms() - began;
}

/* --- frames --------------------------------------------------------------------------------------
 */

void
pb_varint(struct sp_buf *b, unsigned field, uint64_t v)
{
    uint64_t key = (uint64_t)field << 3;

    for (; key >= 0x80; key >>= 7)
        sp_buf_put_u8(b, (uint8_t)(key | 0x80));
    sp_buf_put_u8(b, (uint8_t)key);
    for (; v >= 0x80; v >>= 7)
        sp_buf_put_u8(b, (uint8_t)(v | 0x80));
    sp_buf_put_u8(b, (uint8_t)v);
}

void
pb_bytes(struct sp_buf *b, unsigned field, const void *p, size_t n)
{
    uint64_t key = (uint64_t)field << 3 | 2, v = n;

    for (; key >= 0x80; key >>= 7)
        sp_buf_put_u8(b, (uint8_t)(key | 0x80));
    sp_buf_put_u8(b, (uint8_t)key);
    for (; v >= 0x80; v >>= 7)
        sp_buf_put_u8(b, (uint8_t)(v | 0x80));
    sp_buf_put_u8(b, (uint8_t)v);
    sp_buf_put(b, p, n);
}

void
frame_raw(struct sp_buf *b, const void *header, size_t n, uint32_t claimed)
{
    sp_buf_put_u32(b, (uint32_t)n);
    sp_buf_put_u32(b, claimed);
    sp_buf_put(b, header, n);
}

void
frame_put(struct sp_buf *b, const struct sp_msg *m, const void *payload, size_t n)
{
    size_t at = 0, slice;

    do {
        assert_ok(sp_frame_encode(m, n, at, b, &slice, e));
        if (slice > 0)
            sp_buf_put(b, (const uint8_t *)payload + at, slice);
        at += slice;
    } while (at < n);
}

bool
wire_try_open(struct wire *w, const struct running *r, const struct member *m, unsigned from)
{
    const struct wire_tls tls = {
        .chain = m != NULL ? m->tls_chain : NULL,
        .key = m != NULL ? m->tls_key : NULL,
        .alpn = m != NULL ? WIRE_NORMAL : WIRE_ENROLL,
    };
    struct sp_msg hello = {.type = SP_MSG_CLIENT_HELLO,
        .client_hello = {.major = 1, .program = "hostile", .reply_credit = SP_REPLY_CREDIT}};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    bool good = false;

    if (wire_connect(w, r->port, from) && wire_shake(w, &tls, 10000) && wire_frame(w, &f, 10000)) {
        frame_put(&b, &hello, NULL, 0);
        good = f.msg.type == SP_MSG_SERVER_HELLO && wire_send(w, b.data, b.len, 1000);
        sp_frame_clear(&f);
    }
    sp_buf_free(&b);
    if (!good)
        wire_close(w);
    return good;
}

void
wire_open(struct wire *w, const struct running *r, const struct member *m, unsigned from)
{
    if (!wire_try_open(w, r, m, from))
        fail_msg("no session for the hostile client: %s", w->error);
}
