/* A server on loopback, driven by the raw protocol: what a host may do, and what it may not. */

#include "peer.h"

#include "storage/crypto.h"

struct fixture {
    struct place place;
    struct running r;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    place_make(&f->place);
    place_init(&f->place);
    running_start(&f->r, &f->place);
    /* Tokens want an address: the first heartbeat says the port. */
    {
        char out[4096];
        int i;

        for (i = 0; i < 100; i++) {
            assert_int_equal(
                place_run(&f->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
            if (strstr(out, "\"port\":") != NULL)
                break;
            sp_sleep_ms(20);
        }
        assert_non_null(strstr(out, "\"running\":true"));
    }
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    running_stop(&f->r);
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

static size_t
ids_asked(struct peer *p, struct sp_msg *m, const struct sp_id *ids, size_t n)
{
    struct sp_frame f;

    peer_ask(p, m, ids, n * sizeof(*ids), SP_MSG_DONE, &f);
    return peer_items(p, f.msg.tag);
}

/* --- the good path
 * ---------------------------------------------------------------------------------- */

static void
test_backup_and_read(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct peer_set one, two;
    struct sp_frame r;
    struct sp_msg msg;
    struct sp_id ids[3];
    struct sp_opened *opened = NULL;
    char out[4096];

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    assert_true(p.ready);
    assert_memory_equal(p.hello.server_hello.host, m.host, 16);
    assert_string_equal(p.hello.server_hello.host_name, "desk");
    assert_true(p.hello.server_hello.has_group);
    assert_memory_equal(p.hello.server_hello.group, m.group, 16);
    assert_true(p.hello.server_hello.writable);
    assert_true(p.hello_payload_len > 0);
    assert_int_equal(p.hello.server_hello.put_credit, 24u << 20);

    msg = request(SP_MSG_HEAD);
    memcpy(msg.head.job, "files", 6);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_HEAD_REPLY, &r);
    assert_false(r.msg.head_reply.has_set);
    peer_backup(&p, &m, "files", 1, NULL, &one);
    assert_int_equal(p.ack_data, 1); /* said before the commit's reply */
    assert_int_equal(p.ack_nodes, 1);
    peer_backup(&p, &m, "files", 2, one.hash, &two);

    peer_ask(&p, &msg, NULL, 0, SP_MSG_HEAD_REPLY, &r);
    assert_true(r.msg.head_reply.has_set);
    assert_true(r.msg.head_reply.set_whole);
    assert_false(r.msg.head_reply.has_checkpoint);
    assert_int_equal(r.payload_len, r.msg.head_reply.set_len);
    {
        uint8_t hash[32];

        assert_ok(sp_record_hash(r.payload, r.payload_len, hash, e));
        assert_memory_equal(hash, two.hash, 32);
    }

    msg = request(SP_MSG_HAVE);
    ids[0] = one.data;
    ids[1] = one.root; /* a node, asked as data */
    memset(&ids[2], 0xee, sizeof(ids[2]));
    peer_ask(&p, &msg, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
    assert_int_equal(r.payload_len, 3);
    assert_int_equal(r.payload[0], 1);
    assert_int_equal(r.payload[1], 0);
    assert_int_equal(r.payload[2], 0);

    msg = request(SP_MSG_GET);
    peer_ask(&p, &msg, ids, sizeof(ids), SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 2);
    for (size_t i = 0; i < p.n; i++) {
        const struct sp_frame *b = &p.inbox[i];
        struct sp_chunk c;
        uint32_t at;

        if (b->msg.type != SP_MSG_BLOCK)
            continue;
        assert_int_equal(b->msg.block.wanted, 1);
        at = sp_le32(b->payload);
        assert_true(at < 2);
        assert_ok(sp_block_open(m.opener, b->payload + 4, b->payload_len - 4, &opened, e));
        assert_true(sp_opened_find(opened, &ids[at], &c));
        sp_opened_free(opened);
    }

    msg = request(SP_MSG_LIST);
    msg.list.all_hosts = true;
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 2);
    msg = request(SP_MSG_MISSING);
    memcpy(msg.missing.set_id, one.set_id, 16);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_MISSING_REPLY, &r);
    assert_int_equal(r.payload_len, 0);
    msg.missing.set_id[0] ^= 1;
    peer_refused(&p, &msg, NULL, 0, SP_ABSENT);
    msg = request(SP_MSG_SLOTS);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 1);
    msg = request(SP_MSG_HOST);
    memcpy(msg.host.host, m.host, 16);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_HOST_REPLY, &r);
    {
        struct sp_host h;

        assert_ok(sp_host_decode(r.payload, r.payload_len, m.keys, &h, e));
        assert_memory_equal(h.id, m.host, 16);
    }
    msg = request(SP_MSG_CHECK);
    msg.check.depth = 1;
    peer_ask(&p, &msg, NULL, 0, SP_MSG_CHECK_DONE, &r);
    assert_int_equal(r.msg.check_done.faults, 0);
    assert_int_equal(r.msg.check_done.sets, 2);
    assert_true(r.msg.check_done.bytes_read > 0);
    peer_close(&p);

    assert_int_equal(place_run(&f->place, out, sizeof(out), "sets", "desk"), SP_EXIT_DONE);
    assert_string_equal(last_line(out), "2 sets");
    assert_int_equal(place_run(&f->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "\"job\":\"files\""));
    member_clear(&m);
}

/* The record's root claims what is not there: nothing is published until it is. */
static void
test_commit_names_the_missing(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct sp_buf data = SP_BUF_INIT, node = SP_BUF_INIT, record = SP_BUF_INIT;
    struct sp_msg commit = request(SP_MSG_COMMIT);
    struct sp_id id, root;
    struct sp_frame r;
    uint8_t set_id[16];

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000, &data, &id);
    member_block(&m, SP_BLOCK_NODES, &id, 1, NULL, 100, &node, &root);
    member_set(&m, SP_RECORD_SET, "files", 1, NULL, &root, &record, set_id);
    commit.commit.type = 1;
    peer_put(&p, true, &node);
    peer_ask(&p, &commit, record.data, record.len, SP_MSG_COMMIT_REPLY, &r);
    assert_int_equal(r.msg.commit_reply.published_ns, 0);
    assert_int_equal(r.payload_len, 32);
    assert_memory_equal(r.payload, id.b, 32);
    peer_put(&p, false, &data);
    peer_ask(&p, &commit, record.data, record.len, SP_MSG_COMMIT_REPLY, &r);
    assert_int_equal(r.payload_len, 0);
    /* The same again: the chain moved on. */
    peer_refused(&p, &commit, record.data, record.len, SP_REFUSED);
    peer_close(&p);
    sp_buf_free(&data);
    sp_buf_free(&node);
    sp_buf_free(&record);
    member_clear(&m);
}

/* Acknowledgements come by themselves when the client falls silent, and with Flush at once. */
static bool
one_durable(struct peer *p)
{
    return p->ack_data == 1;
}

static void
test_acknowledgements(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg flush = request(SP_MSG_FLUSH);
    struct sp_id id;
    struct sp_frame r;

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    peer_ask(&p, &flush, NULL, 0, SP_MSG_FLUSHED, &r); /* of nothing */
    assert_int_equal(r.msg.ack.data, 0);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000, &block, &id);
    peer_put(&p, false, &block);
    peer_run(&p, 500);
    assert_int_equal(p.ack_data, 0); /* not yet: packs are worth filling */
    assert_true(peer_wait(&p, one_durable, 6000));
    sp_buf_reset(&block);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000, &block, &id);
    peer_put(&p, false, &block);
    peer_ask(&p, &flush, NULL, 0, SP_MSG_FLUSHED, &r);
    assert_int_equal(r.msg.ack.data, 2);
    assert_int_equal(r.msg.ack.nodes, 0);
    peer_close(&p);
    sp_buf_free(&block);
    member_clear(&m);
}

/* More than the credit, in the order of a real upload: acknowledgements keep it going. */
static void
test_much(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg flush = request(SP_MSG_FLUSH), get = request(SP_MSG_GET);
    struct sp_id ids[64];
    struct sp_frame r;
    size_t i;

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    for (i = 0; i < 64; i++) {
        sp_buf_reset(&block);
        member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000000, &block, &ids[i]);
        while (!sp_session_put_fits(sp_channel_session(p.channel), block.len)) {
            assert_false(p.closed);
            (void)uv_run(&p.loop, UV_RUN_ONCE);
        }
        peer_put(&p, false, &block);
    }
    peer_ask(&p, &flush, NULL, 0, SP_MSG_FLUSHED, &r);
    assert_int_equal(r.msg.ack.data, 64);
    assert_int_equal(ids_asked(&p, &get, ids, 64), 64);
    peer_close(&p);
    sp_buf_free(&block);
    member_clear(&m);
}

/* --- streams
 * ---------------------------------------------------------------------------------------- */

/* A client that takes no items: its reply waits, all else goes on; Cancel ends it. */
static void
test_slow_reader(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg flush = request(SP_MSG_FLUSH), get = request(SP_MSG_GET);
    struct sp_id ids[40], more;
    struct sp_frame r;
    uint32_t tag, second;
    size_t i, items;

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    for (i = 0; i < 40; i++) {
        sp_buf_reset(&block);
        member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000000, &block, &ids[i]);
        while (!sp_session_put_fits(sp_channel_session(p.channel), block.len))
            (void)uv_run(&p.loop, UV_RUN_ONCE);
        peer_put(&p, false, &block);
    }
    peer_ask(&p, &flush, NULL, 0, SP_MSG_FLUSHED, &r);
    p.hold = true;
    tag = peer_send(&p, &get, ids, sizeof(ids));
    second = peer_send(&p, &get, ids, sizeof(ids[0]));
    do {
        items = peer_items(&p, tag);
        peer_run(&p, 1000);
    } while (peer_items(&p, tag) > items);
    assert_in_range(items, 10, 20); /* 20 MiB of credit */
    assert_int_equal(peer_items(&p, second), 0);
    /* Puts are stored and acknowledged meanwhile. */
    sp_buf_reset(&block);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 1000, &block, &more);
    peer_put(&p, false, &block);
    peer_ask(&p, &flush, NULL, 0, SP_MSG_FLUSHED, &r);
    assert_int_equal(r.msg.ack.data, 41);
    assert_ok(sp_session_cancel(sp_channel_session(p.channel), tag, e));
    sp_channel_flush(p.channel);
    peer_reply(&p, tag, &r);
    assert_int_equal(r.msg.type, SP_MSG_ERROR);
    assert_int_equal(r.msg.error.code, SP_CANCELLED);
    /* The next one goes on when the client gives credit again. */
    p.hold = false;
    for (i = 0; i < items; i++)
        assert_ok(sp_session_consumed(sp_channel_session(p.channel), 1000000, e));
    sp_channel_flush(p.channel);
    peer_reply(&p, second, &r);
    assert_int_equal(r.msg.type, SP_MSG_DONE);
    assert_int_equal(peer_items(&p, second), 1);
    peer_close(&p);
    sp_buf_free(&block);
    member_clear(&m);
}

/* The client is cut in the middle of a stream: nothing hangs, the server ends in order (teardown).
 */
static void
test_cut_stream(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL};
    struct peer p;
    struct sp_buf block = SP_BUF_INIT;
    struct sp_msg get = request(SP_MSG_GET), have = request(SP_MSG_HAVE);
    struct sp_id ids[40];
    struct sp_frame r;
    size_t i;

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    for (i = 0; i < 40; i++) {
        sp_buf_reset(&block);
        member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 700000, &block, &ids[i]);
        while (!sp_session_put_fits(sp_channel_session(p.channel), block.len))
            (void)uv_run(&p.loop, UV_RUN_ONCE);
        peer_put(&p, false, &block);
    }
    p.hold = true;
    peer_ask(&p, &have, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r); /* all were taken */
    (void)peer_send(&p, &get, ids, sizeof(ids));
    peer_run(&p, 200);
    sp_channel_abort(p.channel);
    assert_true(peer_wait(&p, peer_is_closed, 5000));
    peer_close(&p);
    /* What had come was made durable when the connection broke. */
    sp_sleep_ms(500);
    peer_open(&p, &f->r, &m);
    peer_ask(&p, &have, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
    for (i = 0; i < 40; i++)
        assert_int_equal(r.payload[i], 1);
    peer_close(&p);
    sp_buf_free(&block);
    member_clear(&m);
}

/* --- who may what
 * ----------------------------------------------------------------------------------- */

static void
test_foreign_host(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, thief = {.keys = NULL};
    struct peer p;
    struct peer_set set;
    struct sp_buf buf = SP_BUF_INIT;
    struct sp_msg msg;
    struct sp_frame r;
    struct sp_id ids[2], root;
    uint8_t set_id[16];

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    peer_backup(&p, &m, "files", 1, NULL, &set);
    peer_close(&p);

    peer_enroll(&f->r, "thief", &thief);
    peer_open(&p, &f->r, &thief);
    msg = request(SP_MSG_LIST);
    msg.list.all_hosts = msg.list.checkpoints = true;
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 0);
    msg = request(SP_MSG_HEAD);
    memcpy(msg.head.job, "files", 6);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_HEAD_REPLY, &r);
    assert_false(r.msg.head_reply.has_set);
    ids[0] = set.data;
    ids[1] = set.root;
    msg = request(SP_MSG_GET);
    assert_int_equal(ids_asked(&p, &msg, ids, 2), 0);
    for (int nodes = 0; nodes < 2; nodes++) {
        msg = request(SP_MSG_HAVE);
        msg.have.nodes = nodes != 0;
        peer_ask(&p, &msg, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
        assert_int_equal(r.payload[0], 0);
        assert_int_equal(r.payload[1], 0);
    }
    msg = request(SP_MSG_MISSING);
    memcpy(msg.missing.set_id, set.set_id, 16);
    peer_refused(&p, &msg, NULL, 0, SP_ABSENT);
    msg = request(SP_MSG_HOST);
    memcpy(msg.host.host, m.host, 16);
    peer_refused(&p, &msg, NULL, 0, SP_ABSENT);
    msg = request(SP_MSG_SLOTS);
    msg.slots.has_group = true;
    memcpy(msg.slots.group, m.group, 16);
    peer_refused(&p, &msg, NULL, 0, SP_DENIED);
    msg = request(SP_MSG_CHECK);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_CHECK_DONE, &r);
    assert_int_equal(r.msg.check_done.sets, 0);

    /* It cannot claim the other's chunk: the closure of its own set lacks it. */
    member_block(&thief, SP_BLOCK_NODES, &set.data, 1, NULL, 100, &buf, &root);
    peer_put(&p, true, &buf);
    sp_buf_reset(&buf);
    member_set(&thief, SP_RECORD_SET, "mine", 1, NULL, &root, &buf, set_id);
    msg = request(SP_MSG_COMMIT);
    msg.commit.type = 1;
    peer_ask(&p, &msg, buf.data, buf.len, SP_MSG_COMMIT_REPLY, &r);
    assert_int_equal(r.payload_len, 32);
    assert_memory_equal(r.payload, set.data.b, 32);
    /* Nor publish in the other's name, nor add to the other's group. */
    sp_buf_reset(&buf);
    member_set(&m, SP_RECORD_SET, "files", 2, set.hash, &set.root, &buf, set_id);
    peer_refused(&p, &msg, buf.data, buf.len, SP_REFUSED);
    sp_buf_reset(&buf);
    assert_ok(sp_slot_seal_recovery(m.keys, thief.identity, "x", 1, &sp_random_system, &buf, e));
    msg = request(SP_MSG_PUT_SLOT);
    peer_refused(&p, &msg, buf.data, buf.len, SP_DENIED);
    sp_buf_reset(&buf);
    member_record(&m, &buf);
    msg = request(SP_MSG_HOST_PUT);
    peer_refused(&p, &msg, buf.data, buf.len, SP_INVALID);
    /* Nor drop its own old keys. */
    sp_buf_reset(&buf);
    thief.identity[0] ^= 1;
    member_record(&thief, &buf);
    peer_refused(&p, &msg, buf.data, buf.len, SP_REFUSED);
    thief.identity[0] ^= 1;
    peer_close(&p);

    /* A block of another group is refused, and ends the uploads of that session alone. */
    peer_open(&p, &f->r, &thief);
    sp_buf_reset(&buf);
    member_block(&m, SP_BLOCK_FILES, NULL, 0, NULL, 100, &buf, &ids[0]);
    peer_put(&p, false, &buf);
    peer_run(&p, 300);
    assert_int_equal(p.puts.code, SP_REFUSED);
    msg = request(SP_MSG_LIST);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    peer_close(&p);
    sp_buf_free(&buf);
    member_clear(&m);
    member_clear(&thief);
}

/* Members of a group share chunks; each sees its own sets. */
static void
test_member(void **state)
{
    struct fixture *f = *state;
    struct member m = {.keys = NULL}, second;
    struct peer p;
    struct peer_set set;
    struct sp_token t;
    struct sp_buf buf = SP_BUF_INIT;
    struct sp_msg msg;
    struct sp_frame r;
    struct sp_id ids[2];
    uint8_t secret[32];
    char *csr = NULL;

    peer_enroll(&f->r, "desk", &m);
    peer_open(&p, &f->r, &m);
    peer_backup(&p, &m, "files", 1, NULL, &set);
    assert_ok(sp_random_fill(&sp_random_system, secret, 32, e));
    assert_ok(sp_slot_seal_invitation(
        m.keys, secret, "lap", sp_clock_wall(&sp_clock_system), &sp_random_system, &buf, e));
    msg = request(SP_MSG_PUT_SLOT);
    peer_ask(&p, &msg, buf.data, buf.len, SP_MSG_DONE, &r);
    peer_close(&p);

    place_token(&f->place, "add", "lap", &t);
    member_make(&second, &m);
    peer_open(&p, &f->r, NULL);
    member_csr(&second, &csr);
    member_enroll_message(&second, &t, secret, &msg);
    peer_ask(&p, &msg, csr, strlen(csr), SP_MSG_ENROLL_REPLY, &r);
    assert_true(r.msg.enroll_reply.has_group);
    assert_int_equal(r.msg.enroll_reply.slot_len, 4 + buf.len);
    assert_int_equal(sp_le32(r.payload + r.payload_len - buf.len - 4), buf.len);
    assert_memory_equal(r.payload + r.payload_len - buf.len, buf.data, buf.len);
    member_take_reply(&second, &r.msg, r.payload, r.payload_len);
    sp_buf_reset(&buf);
    member_end_message(&second, 0, &msg, &buf);
    peer_ask(&p, &msg, buf.data, buf.len, SP_MSG_DONE, &r);
    peer_close(&p);

    peer_open(&p, &f->r, &second);
    assert_true(p.ready);
    ids[0] = set.data;
    ids[1] = set.root;
    msg = request(SP_MSG_HAVE);
    peer_ask(&p, &msg, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
    assert_int_equal(r.payload[0], 2);
    msg.have.nodes = true;
    peer_ask(&p, &msg, ids, sizeof(ids), SP_MSG_HAVE_REPLY, &r);
    assert_int_equal(r.payload[1], 0); /* never said of nodes */
    msg = request(SP_MSG_GET);
    assert_int_equal(ids_asked(&p, &msg, ids, 1), 1);
    msg = request(SP_MSG_LIST);
    msg.list.all_hosts = true;
    peer_ask(&p, &msg, NULL, 0, SP_MSG_DONE, &r);
    assert_int_equal(peer_items(&p, r.msg.tag), 0);
    msg = request(SP_MSG_HOST);
    memcpy(msg.host.host, m.host, 16);
    peer_ask(&p, &msg, NULL, 0, SP_MSG_HOST_REPLY, &r);
    peer_close(&p);
    sp_pem_free(csr);
    sp_buf_free(&buf);
    member_clear(&m);
    member_clear(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_backup_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commit_names_the_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_acknowledgements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_member, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
