/* The session without a connection: how it begins, what it sends, byte by byte, and its end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sftp_hex.h"

/* --- the beginning --------------------------------------------------------------------------- */

static void
limits_are_asked_for_before_anything_else(void **state)
{
    static struct sp_sftp_request q; /* done by tear_down */

    (void)state;
    q = request(SP_SFTP_STAT, "x", 0);
    sent_is("00000005 01 00000003");
    sp_sftp_submit(session, &q);
    sent_is("");
    ok(feed_hex("00000020 02 00000003 00000012 6c696d697473406f70656e7373682e636f6d 00000001 31"));
    assert_false(sp_sftp_ready(session));
    sent_is("0000001b c8 00000001 00000012 6c696d697473406f70656e7373682e636f6d");
    ok(feed_hex("00000025 c9 00000001 0000000000040000 0000000000020000 000000000003fc00 00000000"
                "00000064"));
    assert_true(sp_sftp_ready(session));
    assert_int_equal(sp_sftp_read_max(session), 0x20000);
    assert_int_equal(sp_sftp_write_max(session), 0x3fc00);
    take_all();
    assert_int_equal(sent.len, 4 + 1 + 4 + 4 + 1);
}

static void
a_version_before_the_question_is_none(void **state)
{
    (void)state;
    gives(SP_PROTOCOL, feed_hex("00000005 02 00000003"));
    assert_non_null(sp_sftp_session_ended(session));
}

static void
other_versions(void **state)
{
    (void)state;
    take_all();
    gives(SP_UNSUPPORTED, feed_hex("00000005 02 00000006"));
}

static void
a_shell_that_prints_is_named(void **state)
{
    static const char motd[] = "Welcome!\r\n";

    (void)state;
    take_all();
    gives(SP_PROTOCOL, sp_sftp_feed(session, motd, sizeof(motd) - 1, &err));
    assert_non_null(strstr(err.text, "does the account's shell print something?"));
}

/* --- what is sent ---------------------------------------------------------------------------- */

static void
packets_are_as_the_draft_has_them(void **state)
{
    static struct sp_sftp_request q[8]; /* done by tear_down */
    char id[9], want[400];

    (void)state;
    q[0] = request(SP_SFTP_OPEN, "ab", 0);
    q[0].flags = SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL;
    sp_sftp_submit(session, &q[0]);
    take_all();
    id_of(&q[0], id);
    snprintf(want, sizeof(want), "00000017 03 %s 00000002 6162 0000002a 00000004 00000180", id);
    sent_is(want);
    q[1] = request(SP_SFTP_RENAME, "a", 1);
    q[1].path2 = "b";
    sp_sftp_submit(session, &q[1]);
    take_all();
    id_of(&q[1], id);
    snprintf(want, sizeof(want), "0000000f 12 %s 00000001 61 00000001 62", id);
    sent_is(want);
    q[2] = request(SP_SFTP_READ, NULL, 2);
    memcpy(q[2].handle, "hh", 2);
    q[2].handle_len = 2;
    q[2].offset = UINT64_C(0x1122334455667788);
    q[2].n = 0x8000;
    sp_sftp_submit(session, &q[2]);
    take_all();
    id_of(&q[2], id);
    snprintf(want, sizeof(want), "00000017 05 %s 00000002 6868 1122334455667788 00008000", id);
    sent_is(want);
    q[3] = request(SP_SFTP_FSYNC, NULL, 3);
    memcpy(q[3].handle, "h", 1);
    q[3].handle_len = 1;
    sp_sftp_submit(session, &q[3]);
    take_all();
    id_of(&q[3], id);
    snprintf(want, sizeof(want),
        "0000001f c8 %s 00000011 6673796e63406f70656e7373682e636f6d 00000001 68", id);
    sent_is(want);
    q[4] = request(SP_SFTP_MKDIR, "d", 4);
    sp_sftp_submit(session, &q[4]);
    take_all();
    id_of(&q[4], id);
    snprintf(want, sizeof(want), "00000012 0e %s 00000001 64 00000004 000001c0", id);
    sent_is(want);
}

static void
the_bytes_of_a_write_are_sent_from_where_they_are(void **state)
{
    static const char payload[] = "0123456789";
    static struct sp_sftp_request q, b; /* done by tear_down */
    struct sp_span v;

    (void)state;
    q = request(SP_SFTP_WRITE, NULL, 0);
    b = request(SP_SFTP_STAT, "x", 1);
    q.handle_len = 1;
    q.from = payload;
    q.n = 10;
    sp_sftp_submit(session, &q);
    sp_sftp_submit(session, &b);
    v = sp_sftp_take(session);
    assert_int_equal(v.n, 4 + 1 + 4 + 4 + 1 + 8 + 4);
    assert_int_equal(((const uint8_t *)v.p)[3], v.n - 4 + 10);
    sp_sftp_sent(session, v.n - 3);
    v = sp_sftp_take(session);
    assert_int_equal(v.n, 3);
    sp_sftp_sent(session, 3);
    v = sp_sftp_take(session);
    assert_ptr_equal(v.p, payload);
    assert_int_equal(v.n, 10);
    sp_sftp_sent(session, 4);
    v = sp_sftp_take(session);
    assert_ptr_equal(v.p, payload + 4);
    assert_int_equal(v.n, 6);
    sp_sftp_sent(session, 6);
    v = sp_sftp_take(session);
    assert_int_equal(v.n, 4 + 1 + 4 + 4 + 1);
}

/* --- the end --------------------------------------------------------------------------------- */

static void
an_end_is_everybodys_in_order(void **state)
{
    struct sp_sftp_request q[10];
    struct sp_err why = {0};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        q[i] = request(SP_SFTP_STAT, "x", i);
        sp_sftp_submit(session, &q[i]);
        if (i < 6)
            take_all(); /* the others wait */
    }
    ok(answer(&q[2], "00000009 65", "00000004"));
    norder = 0;
    sp_fail(&why, SP_UNREACHABLE, SP_DOM_NET, "gone");
    sp_sftp_session_end(session, &why);
    assert_int_equal(norder, 9);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(order[i], i < 2 ? i : i + 1);
    assert_int_equal(q[9].error.code, SP_UNREACHABLE);
    assert_int_equal(q[2].error.code, SP_IO);
    sp_sftp_submit(session, &q[0]);
    assert_int_equal(norder, 10);
    assert_string_equal(q[0].error.text, "gone");
    assert_int_equal(sp_sftp_take(session).n, 0);
}

static void
bytes_in_a_view_are_not_done_before_it_is_given_back(void **state)
{
    static const char payload[] = "0123456789";
    struct sp_sftp_request q = request(SP_SFTP_WRITE, NULL, 0), p = request(SP_SFTP_STAT, "x", 1);
    struct sp_err why = {0};
    struct sp_span v;

    (void)state;
    q.handle_len = 1;
    q.from = payload;
    q.n = 10;
    sp_sftp_submit(session, &q);
    sp_sftp_submit(session, &p);
    v = sp_sftp_take(session);
    sp_sftp_sent(session, v.n);
    v = sp_sftp_take(session);
    assert_ptr_equal(v.p, payload);
    sp_fail(&why, SP_CANCELLED, SP_DOM_SELF, "enough");
    sp_sftp_session_end(session, &why);
    assert_int_equal(norder, 1); /* the other one */
    assert_int_equal(order[0], 1);
    assert_int_equal(sp_sftp_under_way(session), 1);
    sp_sftp_sent(session, 10);
    assert_int_equal(norder, 2);
    assert_int_equal(q.error.code, SP_CANCELLED);
    assert_int_equal(sp_sftp_under_way(session), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BEGINS(limits_are_asked_for_before_anything_else),
        BEGINS(a_version_before_the_question_is_none),
        BEGINS(other_versions),
        BEGINS(a_shell_that_prints_is_named),
        READY(packets_are_as_the_draft_has_them),
        READY(the_bytes_of_a_write_are_sent_from_where_they_are),
        READY(an_end_is_everybodys_in_order),
        READY(bytes_in_a_view_are_not_done_before_it_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
