#include "net.h"

#include "pair.h"

/* --- life ---------------------------------------------------------------------------------- */

static void
hello_and_goodbye(void **state)
{
    struct net n;
    struct peer c = {0};
    struct sp_listener_stats stats;
    uint64_t in, out;

    (void)state;
    net_new(&n, NULL);
    net_connect(&n, &c);
    net_until_count(&n, &c.ready, 1);
    net_until_count(&n, &n.servers[0].ready, 1);
    assert_int_equal(c.secured, 1);
    assert_int_equal(n.servers[0].secured, 1);
    assert_string_equal(
        sp_channel_peer(n.servers[0].c)->cert.name, "aabb0000000000000000000000000000");
    assert_contains(sp_channel_address(n.servers[0].c), "127.0.0.1:");
    assert_contains(sp_channel_address(c.c), "127.0.0.1:");
    sp_channel_counts(c.c, &in, &out);
    assert_true(in > 1000 && out > 1000);
    sp_listener_stats(n.listener, &stats);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.open, 1);
    assert_int_equal(stats.half_open, 0);

    sp_channel_close(c.c, NULL);
    assert_int_equal(c.closed, 0); /* not from inside a call */
    net_until_count(&n, &c.closed, 1);
    net_until_count(&n, &n.servers[0].closed, 1);
    assert_int_equal(c.why.code, SP_OK);
    assert_false(c.by_peer);
    assert_int_equal(n.servers[0].why.code, SP_OK);
    assert_true(n.servers[0].by_peer);
    sp_listener_stats(n.listener, &stats);
    assert_int_equal(stats.open, 0);
    assert_int_equal(stats.handshakes_failed, 0);
    net_free(&n);
}

static void
a_goodbye_says_why(void **state)
{
    struct net n;
    struct peer c = {0};
    struct sp_err why = {0};

    (void)state;
    net_new(&n, NULL);
    net_connect(&n, &c);
    net_until_count(&n, &n.servers[0].ready, 1);
    (void)sp_fail(&why, SP_BUSY, SP_DOM_STORE, "the server goes down for repairs");
    sp_channel_close(n.servers[0].c, &why);
    sp_channel_close(n.servers[0].c, NULL); /* the first counts */
    net_until_count(&n, &c.closed, 1);
    net_until_count(&n, &n.servers[0].closed, 1);
    assert_int_equal(c.why.code, SP_BUSY);
    assert_string_equal(c.why.text, "the server goes down for repairs");
    assert_true(c.by_peer);
    assert_int_equal(n.servers[0].why.code, SP_BUSY);
    assert_false(n.servers[0].by_peer);
    net_free(&n);
}

static void
a_cut_connection(void **state)
{
    struct net n;
    struct peer a = {0}, b = {0};

    (void)state;
    net_new(&n, NULL);
    net_connect(&n, &a);
    net_until_count(&n, &n.servers[0].ready, 1);
    sp_channel_abort(a.c);
    net_until_count(&n, &n.servers[0].closed, 1);
    net_until_count(&n, &a.closed, 1);
    assert_int_equal(a.why.code, SP_CANCELLED);
    assert_int_equal(n.servers[0].why.code, SP_UNREACHABLE);
    assert_contains(n.servers[0].why.text, "without a goodbye");
    assert_false(n.servers[0].by_peer);

    net_connect(&n, &b);
    net_until_count(&n, &n.servers[1].ready, 1);
    sp_channel_abort(n.servers[1].c);
    net_until_count(&n, &b.closed, 1);
    assert_int_equal(b.why.code, SP_UNREACHABLE);
    net_free(&n);
}

static void
a_peer_that_errs_hears_why(void **state)
{
    struct net n;
    struct peer c = {0};
    struct sp_msg m = {.type = SP_MSG_FLUSH};
    struct sp_err why = {0};
    struct pair p = {.piece = SIZE_MAX, .now = (int64_t)uv_hrtime()};
    uint32_t tag;

    (void)state;
    net_new(&n, NULL);
    net_connect(&n, &c);
    net_until_count(&n, &n.servers[0].ready, 1);
    /* A server that sends what nobody asked: our own session refuses, so its client is made to
     * forget the request. */
    assert_ok(sp_session_request(sp_channel_session(c.c), &m, NULL, 0, &tag, e));
    sp_channel_flush(c.c);
    for (unsigned i = 0; i < 20; i++)
        net_turn(&n);
    (void)sp_fail(&why, SP_IO, SP_DOM_STORE, "x");
    assert_ok(sp_session_reply_error(sp_channel_session(n.servers[0].c), tag, &why, e));
    p.client.s = sp_channel_session(c.c);
    side_feed_message(&p, &p.client, &(struct sp_msg){.type = SP_MSG_FLUSHED, .tag = tag}, 0);
    sp_event_clear(&p.client.last);
    sp_buf_free(&p.client.log);
    sp_channel_flush(n.servers[0].c);
    net_until_count(&n, &c.closed, 1);
    net_until_count(&n, &n.servers[0].closed, 1);
    assert_int_equal(c.why.code, SP_PROTOCOL);
    assert_contains(c.why.text, "nobody asked");
    assert_int_equal(n.servers[0].why.code, SP_PROTOCOL);
    assert_true(n.servers[0].by_peer);
    assert_contains(n.servers[0].why.text, "nobody asked");
    net_free(&n);
}

/* --- those that never get there ------------------------------------------------------------ */

static void
a_refused_host_reads_why(void **state)
{
    struct net n;
    struct pki other;
    struct peer c = {0};
    struct sp_tls_context *tls;
    struct sp_listener_stats stats;

    (void)state;
    net_new(&n, NULL);
    pki_new(&other);
    memcpy(other.fingerprint, n.pki.fingerprint, 32);
    tls = pki_client(&other);
    net_connect_as(&n, &c, tls, NULL, 0, 0);
    sp_tls_context_free(tls);
    net_until_count(&n, &c.closed, 1);
    net_until_count(&n, &n.servers[0].closed, 1);
    assert_int_equal(c.why.code, SP_AUTH);
    assert_contains(c.why.text, "the server does not know the certificate of this host");
    assert_int_equal(n.servers[0].why.code, SP_AUTH);
    assert_int_equal(n.servers[0].secured, 0);
    sp_listener_stats(n.listener, &stats);
    assert_int_equal(stats.handshakes_failed, 1);
    assert_int_equal(stats.open + stats.half_open, 0);
    pki_free(&other);
    net_free(&n);
}

static void
enrolling_over_a_channel(void **state)
{
    struct net n;
    struct peer c = {0};
    struct sp_tls_context *tls;

    (void)state;
    net_new(&n, NULL);
    tls = pki_client_enrolling(&n.pki);
    net_connect_as(&n, &c, tls, NULL, 0, 0);
    sp_tls_context_free(tls);
    net_until_count(&n, &n.servers[0].ready, 1);
    assert_int_equal(sp_channel_peer(n.servers[0].c)->service, SP_SERVICE_ENROLL);
    assert_false(sp_channel_peer(n.servers[0].c)->has_certificate);
    sp_channel_close(c.c, NULL);
    net_until_count(&n, &c.closed, 1);
    net_free(&n);
}

static void
nobody_listens(void **state)
{
    struct net n;
    struct peer c = {0}, bad = {0};
    char address[64];
    struct sp_listener *gone = NULL;
    struct sp_listen o = {.address = "127.0.0.1"};
    struct sp_connect wrong = {.address = "no address", .session = client_options()};

    (void)state;
    net_new(&n, NULL);
    o.tls = n.server_tls;
    assert_ok(sp_listener_new(&n.loop, &o, &gone, e));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", sp_listener_port(gone));
    sp_listener_close(gone, NULL, NULL);
    net_turn(&n);
    net_connect_as(&n, &c, n.client_tls, address, 0, 0);
    net_until_count(&n, &c.closed, 1);
    assert_int_equal(c.why.code, SP_UNREACHABLE);
    assert_contains(c.why.text, "cannot connect to 127.0.0.1:");
    assert_contains(c.why.text, "connection refused");

    wrong.tls = n.client_tls;
    assert_code(SP_INVALID, sp_channel_connect(&n.loop, &wrong, NULL, NULL, &bad.c, e));
    assert_code(SP_BUSY,
        sp_listener_new(&n.loop,
            &(struct sp_listen){.address = "127.0.0.1", .port = n.port, .tls = n.server_tls}, &gone,
            e));
    net_free(&n);
}

/* Takes connections and says nothing. */
static void
on_silent_connection(uv_stream_t *s, int status)
{
    uv_tcp_t *client = s->data;

    assert_int_equal(status, 0);
    assert_int_equal(uv_tcp_init(s->loop, client), 0);
    assert_int_equal(uv_accept(s, (uv_stream_t *)client), 0);
}

static void
a_server_that_says_nothing(void **state)
{
    struct net n;
    struct peer c = {0};
    uv_tcp_t silent, accepted;
    struct sockaddr_in here;
    int len = sizeof(here);
    char address[64];

    (void)state;
    net_new(&n, NULL);
    uv_tcp_init(&n.loop, &silent);
    silent.data = &accepted;
    uv_ip4_addr("127.0.0.1", 0, &here);
    assert_int_equal(uv_tcp_bind(&silent, (struct sockaddr *)&here, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&silent, 1, on_silent_connection), 0);
    uv_tcp_getsockname(&silent, (struct sockaddr *)&here, &len);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
        (unsigned)(here.sin_port >> 8 | (here.sin_port & 0xff) << 8));
    net_connect_as(&n, &c, n.client_tls, address, 0, 100);
    net_until_count(&n, &c.closed, 1);
    assert_int_equal(c.why.code, SP_TIMEOUT);
    assert_contains(c.why.text, "the handshake with the server took too long");
    uv_close((uv_handle_t *)&silent, NULL);
    uv_close((uv_handle_t *)&accepted, NULL);
    net_free(&n);
}

static void
giving_up_at_every_stage(void **state)
{
    struct net n;

    (void)state;
    net_new(&n, NULL);
    for (unsigned turns = 0; turns < 25; turns++) {
        struct peer c = {0};

        net_connect(&n, &c);
        for (unsigned i = 0; i < turns; i++)
            net_turn(&n);
        if (c.c != NULL) {
            if (turns % 2 == 0)
                sp_channel_abort(c.c);
            else
                sp_channel_close(c.c, NULL);
            assert_int_equal(c.closed, 0);
        }
        net_until_count(&n, &c.closed, 1);
        if (n.nservers > 0)
            net_until_count(&n, &n.servers[n.nservers - 1].closed, 1);
    }
    net_free(&n);
}

/* --- limits -------------------------------------------------------------------------------- */

static void
too_many_too_fast(void **state)
{
    struct net n;
    struct peer c[5];
    struct sp_listen o = {.address = "127.0.0.1", .rate_burst = 3, .rate_per_minute = 1};
    struct sp_listener_stats stats;

    (void)state;
    memset(c, 0, sizeof(c));
    net_new(&n, &o);
    for (unsigned i = 0; i < 5; i++) {
        net_connect(&n, &c[i]);
        if (i < 3)
            net_until_count(&n, &c[i].ready, 1);
        else
            net_until_count(&n, &c[i].closed, 1);
    }
    assert_int_equal(c[4].why.code, SP_UNREACHABLE);
    sp_listener_stats(n.listener, &stats);
    assert_int_equal(stats.accepted, 3);
    assert_int_equal(stats.refused_rate, 2);
    for (unsigned i = 0; i < 3; i++)
        sp_channel_abort(c[i].c);
    net_free(&n);
}

static void
too_many_at_once(void **state)
{
    struct net n;
    struct peer c[3];
    struct sp_listen o = {.address = "127.0.0.1", .connections_max = 2};
    struct sp_listener_stats stats;

    (void)state;
    memset(c, 0, sizeof(c));
    net_new(&n, &o);
    net_connect(&n, &c[0]); /* one after the other: servers[0] is its other end */
    net_until_count(&n, &c[0].ready, 1);
    net_connect(&n, &c[1]);
    net_until_count(&n, &c[1].ready, 1);
    net_connect(&n, &c[2]);
    net_until_count(&n, &c[2].closed, 1);
    sp_listener_stats(n.listener, &stats);
    assert_int_equal(stats.refused_full, 1);
    sp_channel_abort(c[0].c);
    net_until_count(&n, &n.servers[0].closed, 1);
    memset(&c[2], 0, sizeof(c[2]));
    net_connect(&n, &c[2]); /* there is a place again */
    net_until_count(&n, &c[2].ready, 1);
    sp_channel_abort(c[1].c);
    sp_channel_abort(c[2].c);
    net_free(&n);
}

static void
connected(uv_connect_t *req, int status)
{
    (void)req;
    (void)status;
}

static void
too_many_half_open(void **state)
{
    struct net n;
    struct peer c = {0};
    uv_tcp_t silent[2];
    uv_connect_t req[2];
    struct sockaddr_in here;
    struct sp_listen o = {.address = "127.0.0.1", .half_open_max = 2};
    struct sp_listener_stats stats;

    (void)state;
    net_new(&n, &o);
    uv_ip4_addr("127.0.0.1", n.port, &here);
    for (unsigned i = 0; i < 2; i++) { /* connect and say nothing */
        uv_tcp_init(&n.loop, &silent[i]);
        assert_int_equal(
            uv_tcp_connect(&req[i], &silent[i], (struct sockaddr *)&here, connected), 0);
    }
    net_until_count(&n, &n.nservers, 2);
    net_connect(&n, &c);
    net_until_count(&n, &c.closed, 1);
    sp_listener_stats(n.listener, &stats);
    assert_int_equal(stats.half_open, 2);
    assert_int_equal(stats.refused_half_open, 1);
    uv_close((uv_handle_t *)&silent[0], NULL);
    net_until_count(&n, &n.servers[0].closed, 1);
    assert_int_equal(n.servers[0].why.code, SP_UNREACHABLE);
    memset(&c, 0, sizeof(c));
    net_connect(&n, &c);
    net_until_count(&n, &c.ready, 1);
    uv_close((uv_handle_t *)&silent[1], NULL);
    sp_channel_abort(c.c);

    n.refuse_accept = true; /* and a user that takes nobody */
    memset(&c, 0, sizeof(c));
    net_connect(&n, &c);
    net_until_count(&n, &c.closed, 1);
    net_free(&n);
}

static void
the_listener_may_go_first(void **state)
{
    struct net n;
    struct peer c = {0};
    bool gone = false;
    struct sp_listen o = {.address = ""};

    (void)state;
    net_new(&n, NULL);
    net_connect(&n, &c);
    net_until_count(&n, &n.servers[0].ready, 1);
    sp_listener_close(n.listener, NULL, &gone);
    for (unsigned i = 0; i < 10; i++)
        net_turn(&n);
    sp_channel_close(c.c, NULL);
    net_until_count(&n, &n.servers[0].closed, 1);
    net_until_count(&n, &c.closed, 1);
    o.tls = n.server_tls; /* something for net_free to close; all addresses, any port */
    assert_ok(sp_listener_new(&n.loop, &o, &n.listener, e));
    assert_true(sp_listener_port(n.listener) != 0);
    net_free(&n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_and_goodbye),
        cmocka_unit_test(a_goodbye_says_why),
        cmocka_unit_test(a_cut_connection),
        cmocka_unit_test(a_peer_that_errs_hears_why),
        cmocka_unit_test(a_refused_host_reads_why),
        cmocka_unit_test(enrolling_over_a_channel),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_server_that_says_nothing),
        cmocka_unit_test(giving_up_at_every_stage),
        cmocka_unit_test(too_many_too_fast),
        cmocka_unit_test(too_many_at_once),
        cmocka_unit_test(too_many_half_open),
        cmocka_unit_test(the_listener_may_go_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
