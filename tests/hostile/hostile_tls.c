/* What is no TLS, TLS that is not ours, and TLS that is odd. */

#include "hostile_client.h"

#include <openssl/err.h>

static void
no_tls(struct stage *s, const char *name, const void *p, size_t n)
{
    struct wire w;
    struct ending end;

    cases++;
    assert_true(wire_connect(&w, s->r.port, stage_from(s)));
    assert_true(wire_send_raw(&w, p, n, 1000));
    wire_ending(&w, &end, 5000);
    if (!end.closed)
        fail_msg("%s: not closed", name);
    if (w.got.len > 0 && w.got.data[0] != 21) /* an alert, nothing else */
        fail_msg("%s: %zu bytes came back", name, w.got.len);
    wire_close(&w);
}

static void
refused_tls(struct stage *s, const char *name, const struct wire_tls *o, int alert)
{
    struct wire w;
    struct ending end;
    bool shaken;

    cases++;
    assert_true(wire_connect(&w, s->r.port, stage_from(s)));
    shaken = wire_shake(&w, o, 5000);
    if (shaken && w.alert < 0)
        wire_ending(&w, &end, 5000); /* TLS 1.3: the first thing that is read */
    if (w.alert != alert || (alert < 0 && !w.eof))
        fail_msg("%s: alert %d (%s)", name, w.alert, w.error);
    if (w.got.len > 0)
        fail_msg("%s: %zu bytes were said to it", name, w.got.len);
    wire_close(&w);
}

void
test_tls(void **state)
{
    struct stage *s = *state;
    struct sp_validity v = sp_validity_of(sp_clock_wall(&sp_clock_system), DAY_NS);
    struct wire_tls o = {.alpn = WIRE_NORMAL};
    struct sp_home home;
    char *authority = NULL, *key = NULL, *csr = NULL, *chain = NULL, *chain2 = NULL,
         *own_key = NULL;
    const char *names[] = {"127.0.0.1"};
    char *server_chain = NULL, *server_key = NULL;
    uint8_t noise[4096], id[16] = {4};
    uint64_t seed = hostile_seed();

    no_tls(s, "HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    no_tls(s, "SSH", "SSH-2.0-OpenSSH_9.2\r\n", 21);
    no_tls(s, "zeros", (uint8_t[600]){0}, 600);
    no_tls(s, "a frame",
        "\x04\0\0\0\x03\0\0\0\x7a\x02\x08\x01"
        "abc",
        15);
    no_tls(s, "a record of 64 KiB", "\x16\x03\x01\xff\xff\x01\x00", 7);
    no_tls(s, "application data at once", "\x17\x03\x03\x00\x05hello", 10);
    no_tls(s, "an alert at once", "\x15\x03\x03\x00\x02\x02\x28", 7);
    {
        static uint8_t record[5 + 16384] = "\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03";

        no_tls(s, "a ClientHello of 16 MiB", record, sizeof(record));
    }
    for (int i = 0; i < (hostile_long() ? 200 : 10); i++) {
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)hostile_random(&seed);
        noise[0] = 0xfe; /* never a record that waits for more */
        no_tls(s, "noise", noise, sizeof(noise));
    }

    o.version = TLS1_2_VERSION;
    refused_tls(s, "TLS 1.2", &o, SSL_AD_PROTOCOL_VERSION);
    o.version = TLS1_VERSION;
    refused_tls(s, "TLS 1.0", &o, SSL_AD_PROTOCOL_VERSION);
    o.version = 0;
    refused_tls(s, "no certificate", &o, SSL_AD_CERTIFICATE_REQUIRED);
    o.chain = s->mallory.tls_chain;
    o.key = s->mallory.tls_key;
    o.alpn = NULL; /* OpenSSL has no word for it: the connection just ends */
    refused_tls(s, "no ALPN", &o, -1);
    o.alpn = "h2,http/1.1,stillpoint/2,stillpoint";
    refused_tls(s, "another ALPN", &o, SSL_AD_NO_APPLICATION_PROTOCOL);

    /* Another authority; our authority, but not known; a server's certificate; an authority's own.
     */
    assert_ok(sp_cert_key(&own_key, e));
    assert_ok(sp_cert_request(own_key, &csr, e));
    assert_ok(sp_cert_authority(v, &authority, &key, e));
    assert_ok(
        sp_cert_issue(authority, key, csr, strlen(csr), s->honest.m.host, v, &chain, NULL, e));
    o = (struct wire_tls){.alpn = WIRE_NORMAL, .chain = chain, .key = own_key};
    refused_tls(s, "another authority", &o, SSL_AD_UNKNOWN_CA);
    o.chain = authority;
    o.key = key;
    refused_tls(s, "an authority", &o, SSL_AD_UNKNOWN_CA);
    assert_ok(sp_home_open(&s->place.env, s->place.home, &home, e));
    assert_ok(sp_cert_issue(
        home.authority, home.authority_key, csr, strlen(csr), id, v, &chain2, NULL, e));
    o.chain = chain2;
    o.key = own_key;
    refused_tls(s, "not known", &o, SSL_AD_UNKNOWN_CA);
    assert_ok(sp_cert_server(
        home.authority, home.authority_key, names, 1, v, &server_chain, &server_key, e));
    o.chain = server_chain;
    o.key = server_key;
    {
        struct wire w;
        struct ending end;

        cases++;
        assert_true(wire_connect(&w, s->r.port, stage_from(s)));
        if (wire_shake(&w, &o, 5000) && w.alert < 0)
            wire_ending(&w, &end, 5000);
        assert_true(w.alert > 0);
        assert_int_equal(w.got.len, 0);
        wire_close(&w);
    }
    sp_home_close(&home);
    sp_pem_free(authority);
    sp_pem_free(key);
    sp_pem_free(csr);
    sp_pem_free(chain);
    sp_pem_free(chain2);
    sp_pem_free(own_key);
    sp_pem_free(server_chain);
    sp_pem_free(server_key);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* An honest handshake byte by byte; key updates; what follows a close_notify; a record that was
 * touched; no tickets, no early data, no renegotiation. */
void
test_tls_oddities(void **state)
{
    struct stage *s = *state;
    const struct wire_tls o = {
        .alpn = WIRE_NORMAL, .chain = s->mallory.tls_chain, .key = s->mallory.tls_key};
    struct ending end;
    struct sp_frame f;
    struct wire w;
    SSL_SESSION *session;

    assert_true(wire_connect(&w, s->r.port, stage_from(s)));
    wire_start_tls(&w, &o);
    for (int i = 0; i < 20000 && BIO_ctrl_pending(w.out) > 0; i++)
        assert_true(wire_flush(&w, 1, 1000));
    for (int64_t until = now_ms() + 8000; !w.shaken && now_ms() < until;) {
        (void)wire_fill(&w, 100);
        ERR_clear_error();
        w.shaken = SSL_do_handshake(w.ssl) == 1;
        while (BIO_ctrl_pending(w.out) > 0)
            assert_true(wire_flush(&w, 1, 1000));
    }
    assert_true(w.shaken);
    assert_true(wire_frame(&w, &f, 5000));
    assert_int_equal(f.msg.type, SP_MSG_SERVER_HELLO);
    sp_frame_clear(&f);
    session = SSL_get1_session(w.ssl);
    assert_int_equal(SSL_SESSION_is_resumable(session), 0); /* no ticket came */
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
    SSL_SESSION_free(session);
    assert_int_not_equal(SSL_renegotiate(w.ssl), 1);
    ERR_clear_error();
    wire_close(&w);
    cases++;

    /* Key updates are TLS 1.3. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    assert_int_equal(SSL_key_update(w.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    served(&w, "a key update");
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (int i = 0; i < 2000; i++) {
        ERR_clear_error();
        if (SSL_key_update(w.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
            SSL_do_handshake(w.ssl) != 1 || !wire_flush(&w, 0, 500))
            break;
    }
    served(&w, "two thousand key updates"); /* they cost what they are worth */

    /* Empty records. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    (void)wire_send_raw(&w, "\x17\x03\x03\x00\x00", 5, 500);
    wire_ending(&w, &end, 5000);
    assert_true(end.closed);
    assert_true(w.alert > 0);
    wire_close(&w);
    cases++;

    /* After the end: nothing is heard any more. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    (void)SSL_shutdown(w.ssl);
    ERR_clear_error();
    assert_true(wire_flush(&w, 0, 500));
    (void)wire_send_raw(&w, "garbage after the end, and more of it", 37, 500);
    wire_ending(&w, &end, 5000);
    assert_true(end.closed);
    assert_false(end.goodbye);
    wire_close(&w);
    cases++;

    /* A record that somebody touched. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    {
        struct sp_buf b = SP_BUF_INIT;
        struct sp_msg m = any_of(SP_MSG_FLUSH);
        uint8_t cipher[1024];
        size_t used;
        int n;

        frame_put(&b, &m, NULL, 0);
        assert_int_equal(SSL_write_ex(w.ssl, b.data, b.len, &used), 1);
        n = BIO_read(w.out, cipher, sizeof(cipher));
        assert_true(n > 10);
        cipher[n - 1] ^= 1;
        assert_true(wire_send_raw(&w, cipher, (size_t)n, 500));
        sp_buf_free(&b);
    }
    wire_ending(&w, &end, 5000);
    assert_true(end.closed);
    assert_int_equal(w.alert, SSL_AD_BAD_RECORD_MAC);
    assert_int_equal(end.last, 0); /* the Flush was not answered */
    wire_close(&w);
    cases++;
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}
