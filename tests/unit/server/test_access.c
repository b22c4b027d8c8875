/* Who gets in, and how sessions end: certificates, revocation, limits, quota, stopping. */

#include "peer.h"

#include "storage/crypto.h"

struct fixture {
    struct place place;
    struct running r;
};

/* Adds lines to the configuration. */
static void
configure(struct place *p, const char *more)
{
    struct sp_buf b = SP_BUF_INIT;
    char file[400];
    uint8_t *text = NULL;
    size_t n;

    (void)snprintf(file, sizeof(file), "%s/stillpointd.conf", p->home);
    assert_ok(sp_os_read_file(&sp_os_system, file, 65536, &text, &n, e));
    sp_buf_put(&b, text, n);
    sp_buf_put_str(&b, more);
    assert_ok(sp_os_write_file(&sp_os_system, file, b.data, b.len, e));
    sp_buf_free(&b);
    free(text);
}

static void
start(struct fixture *f)
{
    char out[4096];

    running_start(&f->r, &f->place);
    for (int i = 0; i < 100; i++) { /* the first heartbeat says the port */
        char want[32];

        (void)snprintf(want, sizeof(want), "\"port\":%u,", (unsigned)f->r.port);
        assert_int_equal(place_run(&f->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
        if (strstr(out, want) != NULL)
            return;
        sp_sleep_ms(20);
    }
    fail_msg("no heartbeat: %s", out);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    place_make(&f->place);
    place_init(&f->place);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    place_remove(&f->place);
    free(f);
    return 0;
}

static struct sp_msg
request(enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    return m;
}

static void
assert_refused(struct peer *p, enum sp_code code, const char *word)
{
    assert_true(p->closed);
    if (p->why.code != code || strstr(p->why.text, word) == NULL)
        fail_msg("%s: %s", sp_code_word(p->why.code), p->why.text);
}

/* --- revoked
 * ---------------------------------------------------------------------------------------- */

static void
test_revoked(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, other = {.keys = NULL};
    struct peer p, q;
    struct peer_set set;
    struct sp_frame r;
    struct sp_msg list = request(SP_MSG_LIST);
    char out[4096];
    int64_t begun;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_enroll(&f->r, "lap", &other);
    peer_open(&p, &f->r, &m);
    peer_open(&q, &f->r, &other);
    peer_backup(&p, &m, "files", 1, NULL, &set);
    assert_int_equal(
        place_run(&f->place, out, sizeof(out), "host", "revoke", "desk"), SP_EXIT_DONE);
    /* The open session ends within about a second, with the reason. */
    begun = sp_clock_mono(&sp_clock_system);
    assert_true(peer_wait(&p, peer_is_closed, 5000));
    assert_true(sp_clock_mono(&sp_clock_system) - begun < 3 * SP_SECOND);
    assert_true(p.by_peer);
    assert_refused(&p, SP_AUTH, "revoked");
    peer_close(&p);
    /* It does not come in again. */
    peer_open(&p, &f->r, &m);
    assert_refused(&p, SP_AUTH, "revoked");
    peer_close(&p);
    /* The other one notices nothing, and the sets stay. */
    peer_ask(&q, &list, NULL, 0, SP_MSG_DONE, &r);
    peer_close(&q);
    assert_int_equal(place_run(&f->place, out, sizeof(out), "sets", "desk"), SP_EXIT_DONE);
    assert_string_equal(last_line(out), "1 set");
    running_stop(&f->r);
    member_clear(&m);
    member_clear(&other);
}

/* Revoked, and at once a commit: the loop need not have heard of it. */
static void
test_commit_of_revoked(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct sp_buf node = SP_BUF_INIT, record = SP_BUF_INIT;
    struct sp_msg commit = request(SP_MSG_COMMIT);
    struct peer p;
    struct sp_id root;
    uint8_t set_id[16];
    char out[4096];
    uint32_t tag;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    member_block(&m, SP_BLOCK_NODES, NULL, 0, NULL, 100, &node, &root);
    member_set(&m, SP_RECORD_SET, "files", 1, NULL, &root, &record, set_id);
    peer_put(&p, true, &node);
    peer_run(&p, 100);
    assert_int_equal(
        place_run(&f->place, out, sizeof(out), "host", "revoke", "desk"), SP_EXIT_DONE);
    commit.commit.type = 1;
    tag = peer_send(&p, &commit, record.data, record.len);
    assert_true(peer_wait(&p, peer_is_closed, 5000));
    for (size_t i = 0; i < p.n; i++)
        if (p.inbox[i].msg.tag == tag)
            assert_int_equal(p.inbox[i].msg.error.code, SP_AUTH);
    peer_close(&p);
    assert_int_equal(place_run(&f->place, out, sizeof(out), "sets"), SP_EXIT_DONE);
    assert_string_equal(last_line(out), "0 sets");
    running_stop(&f->r);
    sp_buf_free(&node);
    sp_buf_free(&record);
    member_clear(&m);
}

/* A new machine takes over: the old certificate is refused, the new one is this host. */
static void
test_replaced(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, fresh;
    struct peer p;
    struct peer_set set;
    struct sp_token t;
    struct sp_msg msg;
    struct sp_frame r;
    struct sp_buf end = SP_BUF_INIT;
    char *csr = NULL;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    peer_backup(&p, &m, "files", 1, NULL, &set);
    peer_close(&p);
    place_token(&f->place, "replace", "desk", &t);
    member_make(&fresh, &m); /* it opened the group with its recovery key */
    peer_open(&p, &f->r, NULL);
    member_csr(&fresh, &csr);
    member_enroll_message(&fresh, &t, NULL, &msg);
    peer_ask(&p, &msg, csr, strlen(csr), SP_MSG_ENROLL_REPLY, &r);
    member_take_reply(&fresh, &r.msg, r.payload, r.payload_len);
    assert_memory_equal(fresh.host, m.host, 16);
    member_end_message(&fresh, 0, &msg, &end);
    peer_ask(&p, &msg, end.data, end.len, SP_MSG_DONE, &r);
    peer_close(&p);
    peer_open(&p, &f->r, &m);
    assert_refused(&p, SP_AUTH, "revoked");
    peer_close(&p);
    peer_open(&p, &f->r, &fresh);
    assert_true(p.ready);
    peer_backup(&p, &fresh, "files", 2, set.hash, &set); /* the chain goes on */
    msg = request(SP_MSG_LIST);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 2);
    peer_close(&p);
    running_stop(&f->r);
    sp_pem_free(csr);
    sp_buf_free(&end);
    member_clear(&m);
    member_clear(&fresh);
}

/* --- certificates
 * ----------------------------------------------------------------------------------- */

static void
test_expired_renews(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct sp_msg msg;
    struct sp_frame r;
    char *csr = NULL;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    atomic_store(&f->place.ahead_ns, 100 * DAY_NS);
    peer_open(&p, &f->r, &m);
    assert_true(p.ready);
    assert_true(p.hello.server_hello.renew_only);
    msg = request(SP_MSG_RENEW);
    member_csr(&m, &csr);
    peer_ask(&p, &msg, csr, strlen(csr), SP_MSG_RENEW_REPLY, &r);
    free(m.tls_chain);
    m.tls_chain = strndup((const char *)r.payload, r.payload_len);
    assert_non_null(m.tls_chain);
    peer_close(&p);
    /* The client's own clock would find the new one not valid yet; only the server's counts here.
     */
    peer_open(&p, &f->r, &m);
    assert_true(p.ready);
    assert_false(p.hello.server_hello.renew_only);
    msg = request(SP_MSG_LIST);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    peer_close(&p);
    running_stop(&f->r);
    sp_pem_free(csr);
    member_clear(&m);
}

/* A certificate of the authority that the state does not know, and one of another authority. */
static void
test_unknown(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, stranger;
    struct peer p;
    struct sp_home home;
    struct sp_validity v = sp_validity_of(sp_clock_wall(&sp_clock_system), DAY_NS);
    char *csr = NULL, *authority = NULL, *key = NULL;
    uint8_t id[16] = {4};

    start(f);
    peer_enroll(&f->r, "desk", &m);
    member_make(&stranger, NULL);
    member_csr(&stranger, &csr);
    assert_ok(sp_home_open(&f->place.env, f->place.home, &home, e));
    assert_ok(sp_cert_issue(
        home.authority, home.authority_key, csr, strlen(csr), id, v, &stranger.tls_chain, NULL, e));
    sp_home_close(&home);
    peer_open(&p, &f->r, &stranger);
    assert_true(p.closed);
    assert_int_equal(p.why.code, SP_AUTH);
    peer_close(&p);
    sp_pem_free(stranger.tls_chain);
    stranger.tls_chain = NULL;
    assert_ok(sp_cert_authority(v, &authority, &key, e));
    assert_ok(
        sp_cert_issue(authority, key, csr, strlen(csr), m.host, v, &stranger.tls_chain, NULL, e));
    peer_open(&p, &f->r, &stranger);
    assert_true(p.closed);
    assert_int_equal(p.why.code, SP_AUTH);
    peer_close(&p);
    running_stop(&f->r);
    sp_pem_free(authority);
    sp_pem_free(key);
    sp_pem_free(csr);
    member_clear(&stranger);
    member_clear(&m);
}

/* Keys of another group than the server knows for the host. */
static void
test_wrong_group(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    m.group[0] ^= 1;
    peer_open(&p, &f->r, &m);
    assert_true(peer_wait(&p, peer_is_closed, 5000));
    assert_refused(&p, SP_REFUSED, "key group");
    peer_close(&p);
    running_stop(&f->r);
    member_clear(&m);
}

/* --- limits
 * ----------------------------------------------------------------------------------------- */

static void
test_session_limits(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, other = {.keys = NULL};
    struct peer p[3];

    configure(&f->place, "sessions = 3\nsessions-per-host = 2\n");
    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_enroll(&f->r, "lap", &other);
    peer_open(&p[0], &f->r, &m);
    peer_open(&p[1], &f->r, &m);
    peer_open(&p[2], &f->r, &m);
    assert_true(peer_wait(&p[2], peer_is_closed, 5000));
    assert_refused(&p[2], SP_BUSY, "this host has its 2 sessions");
    peer_close(&p[2]);
    peer_open(&p[2], &f->r, &other);
    assert_true(p[2].ready && !p[2].closed);
    {
        struct peer fourth;

        peer_open(&fourth, &f->r, &other);
        assert_true(peer_wait(&fourth, peer_is_closed, 5000));
        assert_refused(&fourth, SP_BUSY, "3 sessions");
        peer_close(&fourth);
    }
    /* One that ends makes room. */
    peer_close(&p[0]);
    sp_sleep_ms(300);
    peer_open(&p[0], &f->r, &m);
    peer_run(&p[0], 200);
    assert_true(p[0].ready && !p[0].closed);
    for (int i = 0; i < 3; i++)
        peer_close(&p[i]);
    running_stop(&f->r);
    member_clear(&m);
    member_clear(&other);
}

static bool
puts_failed(struct peer *p)
{
    return p->puts.code != SP_OK;
}

static void
test_quota(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg flush = request(SP_MSG_FLUSH), get = request(SP_MSG_GET);
    struct peer p;
    struct sp_id id, first;
    struct sp_frame r;

    configure(&f->place, "host-quota = 150K\n");
    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 100000, &block, &first);
    peer_put(&p, false, &block);
    peer_ask(&p, &flush, NULL, 0, SP_MSG_FLUSHED, &r);
    assert_int_equal(r.msg.ack.data, 1);
    peer_close(&p);
    sp_sleep_ms(200);
    /* It counts over sessions; reading goes on. */
    peer_open(&p, &f->r, &m);
    sp_buf_reset(&block);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 100000, &block, &id);
    peer_put(&p, false, &block);
    assert_true(peer_wait(&p, puts_failed, 5000));
    assert_int_equal(p.puts.code, SP_FULL);
    peer_ask(&p, &get, first.b, 32, SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 1);
    peer_close(&p);
    running_stop(&f->r);
    sp_buf_free(&block);
    member_clear(&m);
}

/* --- two at once, and the end
 * ----------------------------------------------------------------------- */

static void
test_two_sessions(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, other = {.keys = NULL};
    struct sp_msg check = request(SP_MSG_CHECK);
    struct peer p, q;
    struct peer_set a, b;
    struct sp_frame r;
    uint32_t tag;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_enroll(&f->r, "lap", &other);
    peer_open(&p, &f->r, &m);
    peer_open(&q, &f->r, &other);
    peer_backup(&p, &m, "files", 1, NULL, &a);
    peer_backup(&q, &other, "files", 1, NULL, &b);
    peer_backup(&p, &m, "files", 2, a.hash, &a);
    /* The same job over a second connection of the same host: the chain has one head. */
    peer_close(&q);
    peer_open(&q, &f->r, &m);
    peer_backup(&q, &m, "files", 3, a.hash, &a);
    /* Checks at once: one after the other in the server, and both come to their end. */
    tag = peer_send(&p, &check, NULL, 0);
    peer_ask(&q, &check, NULL, 0, SP_MSG_CHECK_DONE, &r);
    assert_int_equal(r.msg.check_done.sets, 3);
    peer_reply(&p, tag, &r);
    assert_int_equal(r.msg.type, SP_MSG_CHECK_DONE);
    assert_int_equal(r.msg.check_done.faults, 0);
    peer_close(&p);
    peer_close(&q);
    running_stop(&f->r);
    member_clear(&m);
    member_clear(&other);
}

/* The stop: what was put is durable and acknowledged, the goodbye says why; the next server has it.
 */
static void
test_stop(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg have = request(SP_MSG_HAVE);
    struct peer p, idle;
    struct sp_id ids[5];
    struct sp_frame r;
    int64_t begun;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_open(&idle, &f->r, &m);
    peer_open(&p, &f->r, &m);
    for (int i = 0; i < 5; i++) {
        sp_buf_reset(&block);
        member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 300000, &block, &ids[i]);
        peer_put(&p, false, &block);
    }
    peer_ask(&p, &have, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r); /* they have come */
    begun = sp_clock_mono(&sp_clock_system);
    sp_server_stop(f->r.server);
    assert_true(peer_wait(&p, peer_is_closed, 9000));
    assert_true(peer_wait(&idle, peer_is_closed, 9000));
    assert_refused(&p, SP_UNREACHABLE, "being stopped");
    assert_refused(&idle, SP_UNREACHABLE, "being stopped");
    assert_int_equal(p.ack_data, 5);
    peer_close(&p);
    peer_close(&idle);
    sp_thread_join(f->r.thread);
    assert_int_equal(f->r.end.code, SP_OK);
    assert_true(sp_clock_mono(&sp_clock_system) - begun < 7 * SP_SECOND);
    sp_server_free(f->r.server);
    sp_log_free(f->r.log);

    start(f);
    peer_open(&p, &f->r, &m);
    peer_ask(&p, &have, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
    for (int i = 0; i < 5; i++)
        assert_int_equal(r.payload[i], 1);
    peer_close(&p);
    running_stop(&f->r);
    sp_buf_free(&block);
    member_clear(&m);
}

/* A client in the middle of a download that takes nothing, and one that just connects: neither
 * holds the server. */
static void
test_stop_with_stream(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg get = request(SP_MSG_GET), have = request(SP_MSG_HAVE);
    struct peer p;
    struct sp_id ids[30];
    struct sp_frame r;
    int64_t begun;

    start(f);
    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    for (int i = 0; i < 30; i++) {
        sp_buf_reset(&block);
        member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000000, &block, &ids[i]);
        while (!sp_session_put_fits(sp_channel_session(p.channel), block.len))
            (void)uv_run(&p.loop, UV_RUN_ONCE);
        peer_put(&p, false, &block);
    }
    peer_ask(&p, &have, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
    p.hold = true;
    (void)peer_send(&p, &get, ids, sizeof(ids));
    (void)peer_send(&p, &get, ids, sizeof(ids));
    peer_run(&p, 500);
    begun = sp_clock_mono(&sp_clock_system);
    sp_server_stop(f->r.server);
    assert_true(peer_wait(&p, peer_is_closed, 9000));
    assert_refused(&p, SP_UNREACHABLE, "being stopped");
    assert_int_equal(p.ack_data, 30);
    peer_close(&p);
    sp_thread_join(f->r.thread);
    assert_int_equal(f->r.end.code, SP_OK);
    assert_true(sp_clock_mono(&sp_clock_system) - begun < 7 * SP_SECOND);
    sp_server_free(f->r.server);
    sp_log_free(f->r.log);
    sp_buf_free(&block);
    member_clear(&m);
}

/* Only one server runs on a folder. */
static void
test_one_server(void **state)
{
    struct fixture *f = *state;
    struct sp_server_options o = {.env = &f->place.env, .dir = f->place.home};
    struct sp_server *second = NULL;

    start(f);
    assert_code(SP_REFUSED, sp_server_new(&o, &second, e));
    running_stop(&f->r);
    assert_ok(sp_server_new(&o, &second, e)); /* and a server that never served can be freed */
    sp_server_free(second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commit_of_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired_renews, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_with_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_server, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
