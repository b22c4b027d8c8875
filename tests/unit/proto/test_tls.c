#include "pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/text.h"

/* One end and what became of it. */
struct end {
    struct sp_tls *t;
    enum sp_code rc;
    struct sp_err e;
    uint8_t got[64];
    size_t ngot;
};

struct link {
    struct end client, server;
    size_t piece;          /* bytes handed over at once */
    bool client_was_ready; /* when its failure came */
};

static void
link_new(struct link *l, struct sp_tls_context *client, struct sp_tls_context *server)
{
    memset(l, 0, sizeof(*l));
    l->piece = 65536;
    assert_ok(sp_tls_new(client, &l->client.t, e));
    assert_ok(sp_tls_new(server, &l->server.t, e));
    sp_tls_context_free(client); /* the connection keeps what it needs */
    sp_tls_context_free(server);
}

static void
link_free(struct link *l)
{
    sp_tls_free(l->client.t);
    sp_tls_free(l->server.t);
}

static void
end_read(struct end *x)
{
    size_t n = 1;

    while (x->rc == SP_OK && n > 0) {
        n = 0;
        assert_true(x->ngot < sizeof(x->got));
        x->rc = sp_tls_read(x->t, x->got + x->ngot, sizeof(x->got) - x->ngot, &n, &x->e);
        x->ngot += n;
    }
}

static bool
carry(struct link *l, struct end *from, struct end *to)
{
    uint8_t buf[65536];
    size_t n = sp_tls_take(from->t, buf, l->piece);
    struct sp_err e = {0};

    if (n == 0)
        return false;
    if (to->rc == SP_OK)
        assert_int_equal(sp_tls_feed(to->t, buf, n, &e), SP_OK);
    end_read(to);
    return true;
}

static void
link_pump(struct link *l)
{
    bool moved;

    end_read(&l->client);
    do {
        bool was_ready = sp_tls_ready(l->client.t);
        bool was_ok = l->client.rc == SP_OK;

        moved = carry(l, &l->client, &l->server);
        moved = carry(l, &l->server, &l->client) || moved;
        if (was_ok && l->client.rc != SP_OK)
            l->client_was_ready = was_ready;
    } while (moved);
}

static void
assert_up(struct link *l)
{
    link_pump(l);
    if (l->client.rc != SP_OK || l->server.rc != SP_OK)
        fail_msg("client: %s; server: %s", l->client.e.text, l->server.e.text);
    assert_true(sp_tls_ready(l->client.t) && sp_tls_ready(l->server.t));
}

static void
assert_refused(struct link *l, enum sp_code client, const char *client_says, enum sp_code server,
    const char *server_says)
{
    link_pump(l);
    assert_int_equal(l->client.rc, client);
    assert_int_equal(l->server.rc, server);
    assert_contains(l->client.e.text, client_says);
    assert_contains(l->server.e.text, server_says);
    assert_false(sp_tls_ready(l->server.t));
    assert_null(sp_tls_peer(l->server.t));
}

static void
talk(struct link *l)
{
    size_t used = 0;

    assert_ok(sp_tls_write(l->client.t, "question", 8, &used, e));
    assert_int_equal(used, 8);
    assert_ok(sp_tls_write(l->server.t, "answer", 6, &used, e));
    assert_int_equal(used, 6);
    link_pump(l);
    assert_int_equal(l->server.ngot, 8);
    assert_memory_equal(l->server.got, "question", 8);
    assert_int_equal(l->client.ngot, 6);
    assert_memory_equal(l->client.got, "answer", 6);
}

static void
mutual(void **state)
{
    struct pki p;

    (void)state;
    pki_new(&p);
    for (size_t piece = 1; piece <= 65536; piece *= 256) {
        struct link l;
        const struct sp_tls_peer *peer;
        struct sp_cert_info info;

        link_new(&l, pki_client(&p), pki_server(&p, true, NULL, NULL));
        l.piece = piece;
        assert_up(&l);
        talk(&l);
        peer = sp_tls_peer(l.server.t);
        assert_int_equal(peer->service, SP_SERVICE_NORMAL);
        assert_true(peer->has_certificate);
        assert_false(peer->expired);
        assert_string_equal(peer->cert.name, "aabb0000000000000000000000000000");
        assert_ok(sp_cert_info(p.host, &info, e));
        assert_memory_equal(peer->cert.fingerprint, info.fingerprint, 32);
        assert_string_equal(sp_tls_peer(l.client.t)->cert.name, "Stillpoint server");
        link_free(&l);
    }
    pki_free(&p);
}

static void
an_orderly_end_is_seen(void **state)
{
    struct pki p;
    struct link l;
    size_t used;

    (void)state;
    pki_new(&p);
    link_new(&l, pki_client(&p), pki_server(&p, true, NULL, NULL));
    assert_up(&l);
    assert_false(sp_tls_ended(l.server.t));
    assert_ok(sp_tls_write(l.client.t, "last", 4, &used, e));
    sp_tls_end(l.client.t);
    link_pump(&l);
    assert_int_equal(l.server.rc, SP_OK);
    assert_int_equal(l.server.ngot, 4);
    assert_true(sp_tls_ended(l.server.t));
    link_free(&l);
    pki_free(&p);
}

static void
enrolling_needs_no_client_certificate(void **state)
{
    struct pki p;
    struct link l;

    (void)state;
    pki_new(&p);
    link_new(&l, pki_client_enrolling(&p), pki_server(&p, true, NULL, NULL));
    assert_up(&l);
    talk(&l);
    assert_int_equal(sp_tls_peer(l.server.t)->service, SP_SERVICE_ENROLL);
    assert_false(sp_tls_peer(l.server.t)->has_certificate);
    link_free(&l);

    link_new(&l, pki_client_enrolling(&p), pki_server(&p, false, NULL, NULL));
    assert_refused(
        &l, SP_UNSUPPORTED, "does not offer this service", SP_UNSUPPORTED, "is not offered");
    link_free(&l);

    p.fingerprint[31] ^= 1; /* the pin counts here, too */
    link_new(&l, pki_client_enrolling(&p), pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "not the server that the host was enrolled with", SP_AUTH,
        "does not trust this server");
    link_free(&l);
    pki_free(&p);
}

static void
a_server_of_another_authority(void **state)
{
    struct pki p, other;
    struct link l;

    (void)state;
    pki_new(&p);
    pki_new(&other);
    link_new(&l, pki_client(&p), pki_server(&other, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "not the server that the host was enrolled with", SP_AUTH,
        "does not trust this server");
    link_free(&l);

    /* One that shows the right authority's certificate, too, but was not issued by it. */
    {
        char *forged = malloc(strlen(other.server) + strlen(p.authority) + 1);

        strcpy(forged, other.server);
        strcat(forged, p.authority);
        free(other.server);
        other.server = forged;
    }
    link_new(&l, pki_client(&p), pki_server(&other, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "certificate of the server cannot be trusted", SP_AUTH,
        "does not trust this server");
    link_free(&l);
    pki_free(&p);
    pki_free(&other);
}

/* A host's certificate must not do for a server, even though the authority issued it. */
static void
a_host_that_plays_the_server(void **state)
{
    struct pki p, fake;
    struct link l;

    (void)state;
    pki_new(&p);
    fake = p;
    fake.clock.self = &fake;
    fake.server = p.host;
    fake.server_key = p.host_key;
    link_new(&l, pki_client(&p), pki_server(&fake, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "certificate of the server cannot be trusted", SP_AUTH,
        "does not trust this server");
    link_free(&l);
    pki_free(&p);
}

/* In TLS 1.3 the client's handshake is over before the server looked at its certificate: the
 * refusal comes with the first read, while the hello is awaited. */
static void
a_refused_host_is_told_why(void **state)
{
    struct pki p, other;
    struct link l;

    (void)state;
    pki_new(&p);
    pki_new(&other);
    memcpy(other.fingerprint, p.fingerprint, 32); /* knows the server, comes from elsewhere */
    link_new(&l, pki_client(&other), pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "the server does not know the certificate of this host", SP_AUTH,
        "the certificate of a client was refused");
    assert_true(sp_tls_ready(l.client.t));
    link_free(&l);

    /* The server's own certificate is no client's. */
    free(other.host);
    sp_pem_free(other.host_key);
    other.host = p.server;
    other.host_key = p.server_key;
    link_new(&l, pki_client(&other), pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "the server refused the certificate of this host", SP_AUTH,
        "the certificate of a client was refused");
    link_free(&l);
    free(other.authority);
    sp_pem_free(other.authority_key);
    free(other.server);
    sp_pem_free(other.server_key);
    pki_free(&p);
}

static void
no_client_certificate(void **state)
{
    struct pki p;
    struct link l;
    struct sp_tls_client o = {.service = SP_SERVICE_NORMAL};
    struct sp_tls_context *c = NULL;

    (void)state;
    pki_new(&p);
    o.clock = &p.clock;
    memcpy(o.authority, p.fingerprint, 32);
    assert_ok(sp_tls_client_new(&o, &c, e));
    link_new(&l, c, pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "enroll this host first", SP_AUTH, "showed no certificate");
    link_free(&l);
    pki_free(&p);
}

struct admitted {
    enum sp_code answer;
    struct sp_tls_peer peer;
    unsigned calls;
};

static enum sp_code
judge(void *arg, const struct sp_tls_peer *p, struct sp_err *e)
{
    struct admitted *a = arg;

    a->peer = *p;
    a->calls++;
    if (a->answer == SP_OK)
        return SP_OK;
    return sp_fail(e, a->answer, SP_DOM_STORE, "by test");
}

static void
an_expired_host_passes_only_when_admitted(void **state)
{
    struct pki p;
    struct link l;
    struct admitted a = {.answer = SP_OK};

    (void)state;
    pki_new(&p);
    p.now = PKI_NOW + SP_VALID_HOST_NS + 100 * SP_SECOND;
    link_new(&l, pki_client(&p), pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "the certificate of this host expired", SP_AUTH, "it expired");
    link_free(&l);

    link_new(&l, pki_client(&p), pki_server(&p, true, judge, &a));
    assert_up(&l);
    assert_true(sp_tls_peer(l.server.t)->expired);
    assert_int_equal(a.calls, 1);
    assert_true(a.peer.expired);
    link_free(&l);

    a.answer = SP_AUTH;
    link_new(&l, pki_client(&p), pki_server(&p, true, judge, &a));
    assert_refused(&l, SP_AUTH, "the certificate of this host expired", SP_AUTH, "by test");
    link_free(&l);

    /* A stranger's expired one never comes so far. */
    {
        struct pki other;

        pki_new(&other);
        other.now = p.now;
        memcpy(other.fingerprint, p.fingerprint, 32);
        a = (struct admitted){.answer = SP_OK};
        link_new(&l, pki_client(&other), pki_server(&p, true, judge, &a));
        assert_refused(&l, SP_AUTH, "does not know the certificate", SP_AUTH, "was refused");
        assert_int_equal(a.calls, 0);
        link_free(&l);
        pki_free(&other);
    }
    pki_free(&p);
}

static void
admit_refuses_for_reasons(void **state)
{
    static const struct {
        enum sp_code answer;
        const char *client;
        enum sp_code code;
    } cases[] = {
        {SP_AUTH, "the server revoked the certificate of this host", SP_AUTH},
        {SP_ABSENT, "does not know the certificate of this host", SP_AUTH},
        {SP_IO, "the server ended the connection", SP_PROTOCOL},
    };
    struct pki p;

    (void)state;
    pki_new(&p);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct admitted a = {.answer = cases[i].answer};
        struct link l;

        link_new(&l, pki_client(&p), pki_server(&p, true, judge, &a));
        assert_refused(&l, cases[i].code, cases[i].client, cases[i].answer, "by test");
        assert_contains(l.server.e.text, "aabb0000");
        link_free(&l);
    }
    pki_free(&p);
}

static void
clocks_that_are_wrong(void **state)
{
    struct pki p;
    struct link l;
    struct pki client;

    (void)state;
    pki_new(&p);
    client = p;
    client.clock.self = &client;
    client.now = PKI_NOW + SP_VALID_SERVER_NS + 100 * SP_SECOND;
    link_new(&l, pki_client(&client), pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "expired, or the clock", SP_AUTH, "does not trust this server");
    link_free(&l);
    client.now = PKI_NOW - 3 * 86400 * SP_SECOND;
    link_new(&l, pki_client(&client), pki_server(&p, true, NULL, NULL));
    assert_refused(&l, SP_AUTH, "not valid yet", SP_AUTH, "does not trust this server");
    link_free(&l);
    pki_free(&p);
}

/* --- foreign TLS --------------------------------------------------------------------------- */

/* Plain OpenSSL as the client of our server; gives what our server says. */
static void
foreign_client(struct pki *p, int version, const char *alpn, enum sp_code *ret_rc, char text[640])
{
    struct sp_tls_context *server = pki_server(p, true, NULL, NULL);
    struct end s = {.rc = SP_OK};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    ssl = SSL_new(ctx);
    if (alpn != NULL)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned int)strlen(alpn));
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    assert_ok(sp_tls_new(server, &s.t, e));
    for (unsigned i = 0; i < 10 && s.rc == SP_OK; i++) {
        uint8_t buf[65536];
        int n;

        (void)SSL_do_handshake(ssl);
        ERR_clear_error();
        while ((n = BIO_read(out, buf, sizeof(buf))) > 0)
            assert_ok(sp_tls_feed(s.t, buf, (size_t)n, e));
        end_read(&s);
        while ((n = (int)sp_tls_take(s.t, buf, sizeof(buf))) > 0)
            assert_int_equal(BIO_write(in, buf, n), n);
    }
    *ret_rc = s.rc;
    strcpy(text, s.e.text);
    assert_false(sp_tls_ready(s.t));
    sp_tls_free(s.t);
    sp_tls_context_free(server);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void
foreign_clients(void **state)
{
    struct pki p;
    enum sp_code rc;
    char text[640];

    (void)state;
    pki_new(&p);
    foreign_client(&p, TLS1_2_VERSION, "\x0cstillpoint/1", &rc, text);
    assert_int_equal(rc, SP_PROTOCOL);
    assert_contains(text, "does not speak TLS 1.3");
    foreign_client(&p, TLS1_3_VERSION, "\x02h2\x08http/1.1", &rc, text);
    assert_int_equal(rc, SP_UNSUPPORTED);
    assert_contains(text, "service that is not offered");
    foreign_client(&p, TLS1_3_VERSION, "\x0dstillpoint/11", &rc, text);
    assert_int_equal(rc, SP_UNSUPPORTED);
    foreign_client(&p, TLS1_3_VERSION, NULL, &rc, text); /* no ALPN: a certificate is wanted */
    assert_int_equal(rc, SP_AUTH);
    pki_free(&p);
}

static void
no_tls_at_all(void **state)
{
    static const char *const noise[] = {"GET / HTTP/1.1\r\nHost: nas\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03zzzzzzzzzzzzzzzz"};
    struct pki p;
    struct chance c = chance_new("no_tls_at_all");

    (void)state;
    pki_new(&p);
    for (unsigned i = 0; i < 200; i++) {
        struct end s = {.rc = SP_OK};
        uint8_t junk[2000];
        size_t n = i < 3 ? strlen(noise[i]) : 1 + chance_below(&c, sizeof(junk));
        struct sp_tls_context *server = pki_server(&p, true, NULL, NULL);

        if (i < 3)
            memcpy(junk, noise[i], n);
        else
            chance_fill(&c, junk, n);
        assert_ok(sp_tls_new(server, &s.t, e));
        assert_ok(sp_tls_feed(s.t, junk, n, e));
        end_read(&s);
        assert_true(s.rc == SP_OK || s.rc == SP_PROTOCOL);
        if (i < 2)
            assert_int_equal(s.rc, SP_PROTOCOL);
        if (s.rc != SP_OK) /* a failure stays */
            assert_code(SP_PROTOCOL, sp_tls_feed(s.t, junk, n, e));
        sp_tls_free(s.t);
        sp_tls_context_free(server);
    }
    pki_free(&p);
}

/* --- amounts ------------------------------------------------------------------------------- */

static void
writing_is_bounded(void **state)
{
    struct pki p;
    struct link l;
    uint8_t *data = any_payload(4 << 20), *to = malloc(4 << 20), buf[65536];
    size_t at = 0, got = 0, most = 0, used = 77;

    (void)state;
    pki_new(&p);
    link_new(&l, pki_client(&p), pki_server(&p, true, NULL, NULL));
    assert_ok(sp_tls_write(l.client.t, data, 10, &used, e));
    assert_int_equal(used, 0); /* not before the handshake */
    assert_up(&l);
    while (got < 4 << 20) {
        size_t n = 1;

        if (at < 4 << 20) {
            assert_ok(sp_tls_write(l.client.t, data + at, (4 << 20) - at, &used, e));
            at += used;
        }
        if (sp_tls_waiting(l.client.t) > most)
            most = sp_tls_waiting(l.client.t);
        n = sp_tls_take(l.client.t, buf, sizeof(buf));
        assert_true(n > 0);
        assert_ok(sp_tls_feed(l.server.t, buf, n, e));
        while (n > 0) {
            assert_ok(sp_tls_read(l.server.t, to + got, (4 << 20) - got, &n, e));
            got += n;
            if (got == 4 << 20)
                break;
        }
    }
    assert_memory_equal(data, to, 4 << 20);
    assert_true(most < SP_CIPHERTEXT_HIGH + (20 << 10));
    free(data);
    free(to);
    link_free(&l);
    pki_free(&p);
}

static void
ciphertext_that_was_touched(void **state)
{
    struct pki p;
    struct link l;
    uint8_t buf[1000];
    size_t n, used;

    (void)state;
    pki_new(&p);
    link_new(&l, pki_client(&p), pki_server(&p, true, NULL, NULL));
    assert_up(&l);
    assert_ok(sp_tls_write(l.client.t, "secret", 6, &used, e));
    n = sp_tls_take(l.client.t, buf, sizeof(buf));
    assert_true(n > 6);
    buf[n - 1] ^= 1;
    assert_ok(sp_tls_feed(l.server.t, buf, n, e));
    end_read(&l.server);
    assert_int_equal(l.server.rc, SP_PROTOCOL);
    assert_int_equal(l.server.ngot, 0);
    link_free(&l);
    pki_free(&p);
}

static void
keys_that_do_not_fit(void **state)
{
    struct pki p;
    struct sp_tls_context *c = NULL;
    struct sp_tls_server o;

    (void)state;
    pki_new(&p);
    o = (struct sp_tls_server){p.server, p.host_key, p.authority, true, NULL, NULL, &p.clock};
    assert_code(SP_INVALID, sp_tls_server_new(&o, &c, e));
    o = (struct sp_tls_server){p.server, p.server_key, "nothing", true, NULL, NULL, &p.clock};
    assert_code(SP_INVALID, sp_tls_server_new(&o, &c, e));
    assert_null(c);
    sp_tls_context_free(NULL);
    sp_tls_free(NULL);
    pki_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutual),
        cmocka_unit_test(an_orderly_end_is_seen),
        cmocka_unit_test(enrolling_needs_no_client_certificate),
        cmocka_unit_test(a_server_of_another_authority),
        cmocka_unit_test(a_host_that_plays_the_server),
        cmocka_unit_test(a_refused_host_is_told_why),
        cmocka_unit_test(no_client_certificate),
        cmocka_unit_test(an_expired_host_passes_only_when_admitted),
        cmocka_unit_test(admit_refuses_for_reasons),
        cmocka_unit_test(clocks_that_are_wrong),
        cmocka_unit_test(foreign_clients),
        cmocka_unit_test(no_tls_at_all),
        cmocka_unit_test(writing_is_bounded),
        cmocka_unit_test(ciphertext_that_was_touched),
        cmocka_unit_test(keys_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
