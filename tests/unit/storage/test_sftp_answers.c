/* What the session makes of bytes in any fragmentation and order, and of lies in them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sftp_hex.h"

/* --- what is received ------------------------------------------------------------------------ */

static bool
one_name(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a)
{
    assert_string_equal(name, "n");
    assert_true(a->has_size && a->has_mode && !a->has_times);
    assert_int_equal(a->size, 7);
    assert_int_equal(a->mode, 0100000); /* from the line */
    q->flags++;
    return true;
}

static void
answers_in_any_fragmentation_and_order(void **state)
{
    struct sp_buf all = SP_BUF_INIT;
    char id[9];

    (void)state;
    for (size_t piece = 1; piece < 90; piece++) {
        struct sp_sftp_request q[4];
        uint8_t to[10] = {0};

        q[0] = request(SP_SFTP_READ, NULL, 0);
        q[0].handle_len = 1;
        q[0].to = to;
        q[0].n = 9;
        q[1] = request(SP_SFTP_STAT, "x", 1);
        q[2] = request(SP_SFTP_READDIR, NULL, 2);
        q[2].handle_len = 1;
        q[2].name = one_name;
        q[3] = request(SP_SFTP_OPEN, "x", 3);
        for (int i = 0; i < 4; i++)
            sp_sftp_submit(session, &q[i]);
        take_all();
        sp_buf_reset(&all);
        put_hex(&all, "0000001f 68");
        id_of(&q[2], id);
        put_hex(&all, id);
        put_hex(&all, "00000001 00000001 6e 00000001 2d 00000001 0000000000000007");
        put_hex(&all, "00000012 67");
        id_of(&q[0], id);
        put_hex(&all, id);
        put_hex(&all, "00000009 313233343536373839");
        put_hex(&all, "00000011 65");
        id_of(&q[1], id);
        put_hex(&all, id);
        put_hex(&all, "00000002 00000000 00000000");
        put_hex(&all, "0000000b 66");
        id_of(&q[3], id);
        put_hex(&all, id);
        put_hex(&all, "00000002 ffff");
        for (size_t at = 0; at < all.len; at += piece)
            ok(sp_sftp_feed(
                session, all.data + at, all.len - at < piece ? all.len - at : piece, &err));
        assert_int_equal(norder, 4);
        assert_int_equal(order[0], 2);
        assert_int_equal(order[1], 0);
        assert_int_equal(order[2], 1);
        assert_int_equal(order[3], 3);
        assert_int_equal(q[0].got, 9);
        assert_memory_equal(to, "123456789", 10);
        assert_int_equal(q[1].error.code, SP_ABSENT);
        assert_int_equal(q[2].got, 1);
        assert_int_equal(q[2].flags, 1);
        assert_int_equal(q[3].handle_len, 2);
        assert_int_equal(sp_sftp_under_way(session), 0);
    }
    sp_buf_free(&all);
}

static void
bytes_are_in_place_before_their_packet_is_whole(void **state)
{
    struct sp_sftp_request q = request(SP_SFTP_READ, NULL, 0);
    uint8_t to[8] = {0};

    (void)state;
    q.handle_len = 1;
    q.to = to;
    q.n = 8;
    sp_sftp_submit(session, &q);
    take_all();
    ok(answer(&q, "0000000d 67", "00000004 4142"));
    assert_memory_equal(to, "AB", 3);
    assert_int_equal(norder, 0);
    ok(feed_hex("4344"));
    assert_int_equal(norder, 1);
    assert_int_equal(q.got, 4);
}

static void
more_bytes_than_asked_for_are_refused(void **state)
{
    struct sp_sftp_request q = request(SP_SFTP_READ, NULL, 0);
    uint8_t *to = malloc(3);

    (void)state;
    assert_non_null(to);
    memset(to, 0xee, 3);
    q.handle_len = 1;
    q.to = to;
    q.n = 3;
    sp_sftp_submit(session, &q);
    take_all();
    gives(SP_PROTOCOL, answer(&q, "0000000d 67", "00000004 41424344"));
    assert_int_equal(q.error.code, SP_PROTOCOL);
    assert_int_equal(to[0], 0xee);
    free(to);
}

static void
packets_are_bounded(void **state)
{
    struct sp_sftp_request q = request(SP_SFTP_REMOVE, "a", 0);

    (void)state;
    sp_sftp_submit(session, &q);
    take_all();
    gives(SP_PROTOCOL, feed_hex("00040401 65")); /* 256 KiB + 1 KiB + 1, before any of it */
    assert_int_equal(q.error.code, SP_PROTOCOL);
}

static bool
no_name(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a)
{
    (void)a;
    q->flags++;
    assert_string_equal(name, "n");
    return true;
}

static void
names_that_are_none_are_passed_over(void **state)
{
    struct sp_sftp_request q = request(SP_SFTP_READDIR, NULL, 0);

    (void)state;
    q.handle_len = 1;
    q.name = no_name;
    sp_sftp_submit(session, &q);
    take_all();
    ok(answer(&q, "00000040 68",
        "00000004 00000003 612f62 00000000 00000000 00000000 00000000 00000000"
        "00000003 610062 00000000 00000000 00000001 6e 00000000 00000000"));
    assert_int_equal(norder, 1);
    assert_int_equal(q.got, 4);
    assert_int_equal(q.flags, 1);
}

static void
statuses_without_texts_are_taken(void **state)
{
    struct sp_sftp_request q = request(SP_SFTP_REMOVE, "a", 0);

    (void)state;
    sp_sftp_submit(session, &q);
    take_all();
    ok(answer(&q, "00000009 65", "00000003"));
    assert_int_equal(q.error.code, SP_DENIED);
    assert_string_equal(q.error.text, "removing a: the server says: permission denied (3)");
}

static void
an_answer_before_its_request_was_sent_is_a_lie(void **state)
{
    static const char payload[] = "0123456789";
    struct sp_sftp_request q = request(SP_SFTP_WRITE, NULL, 0);
    struct sp_span v;

    (void)state;
    q.handle_len = 1;
    q.from = payload;
    q.n = 10;
    sp_sftp_submit(session, &q);
    v = sp_sftp_take(session);
    sp_sftp_sent(session, v.n);
    v = sp_sftp_take(session);
    sp_sftp_sent(session, 9);
    gives(SP_PROTOCOL, answer(&q, "00000009 65", "00000000"));
    assert_int_equal(q.error.code, SP_PROTOCOL);
}

static void
an_answer_behind_the_requests_end_is_a_lie(void **state)
{
    struct sp_sftp_request q = request(SP_SFTP_REMOVE, "a", 0), p = request(SP_SFTP_REMOVE, "b", 1);

    (void)state;
    sp_sftp_submit(session, &q);
    take_all();
    ok(answer(&q, "00000009 65", "00000000"));
    sp_sftp_submit(session, &p);
    take_all();
    assert_int_not_equal(p.id, q.id); /* the slot is the same */
    gives(SP_PROTOCOL, answer(&q, "00000009 65", "00000000"));
    assert_int_equal(p.error.code, SP_PROTOCOL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        READY(answers_in_any_fragmentation_and_order),
        READY(bytes_are_in_place_before_their_packet_is_whole),
        READY(more_bytes_than_asked_for_are_refused),
        READY(packets_are_bounded),
        READY(names_that_are_none_are_passed_over),
        READY(statuses_without_texts_are_taken),
        READY(an_answer_before_its_request_was_sent_is_a_lie),
        READY(an_answer_behind_the_requests_end_is_a_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
