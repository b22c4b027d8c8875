/* The session without a connection: what it sends, byte by byte, and what it makes of bytes in any
 * fragmentation. The answers are written here by hand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "storage/sftp_packet.h"

static struct sp_sftp_session *session;
static struct sp_buf sent; /* all that was taken */

static void
take_all(void)
{
    struct sp_span v;

    while ((v = sp_sftp_take(session)).n > 0) {
        sp_buf_put(&sent, v.p, v.n);
        sp_sftp_sent(session, v.n);
    }
}

static void
put_hex(struct sp_buf *b, const char *hex)
{
    for (; *hex != '\0'; hex++) {
        char two[3] = {hex[0], hex[1], '\0'};

        if (*hex == ' ')
            continue;
        sp_buf_put_u8(b, (uint8_t)strtoul(two, NULL, 16));
        hex++;
    }
}

static enum sp_code
feed_hex(const char *hex)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    put_hex(&b, hex);
    rc = sp_sftp_feed(session, b.data, b.len, &err);
    sp_buf_free(&b);
    return rc;
}

static void
sent_is(const char *hex)
{
    struct sp_buf b = SP_BUF_INIT;

    take_all();
    put_hex(&b, hex);
    assert_int_equal(sent.len, b.len);
    if (b.len > 0)
        assert_memory_equal(sent.data, b.data, b.len);
    sp_buf_reset(&sent);
    sp_buf_free(&b);
}

static int
set_up(void **state)
{
    (void)state;
    ok(sp_sftp_session_new(&session, &err));
    return 0;
}

static int
set_up_ready(void **state)
{
    (void)set_up(state);
    sent_is("00000005 01 00000003");
    ok(feed_hex("00000005 02 00000003"));
    assert_true(sp_sftp_ready(session));
    return 0;
}

static int
tear_down(void **state)
{
    struct sp_err why = {0};

    (void)state;
    sp_fail(&why, SP_CANCELLED, SP_DOM_SELF, "over");
    sp_sftp_session_end(session, &why);
    sp_sftp_sent(session, 0);
    sp_sftp_session_free(session);
    sp_buf_free(&sent);
    return 0;
}

static unsigned order[64], norder;

static void
note(struct sp_sftp_request *q)
{
    if (norder < 64)
        order[norder] = *(const unsigned *)q->arg;
    norder++;
}

static unsigned numbers[64];

static struct sp_sftp_request
request(enum sp_sftp_type type, const char *path, unsigned number)
{
    struct sp_sftp_request q = {.type = type, .path = path, .done = note, .arg = &numbers[number]};

    numbers[number] = number;
    norder = 0;
    return q;
}

/* The id of the n-th packet that was sent, all of which are as long as the first. */
static void
id_of(const struct sp_sftp_request *q, char hex[9])
{
    snprintf(hex, 9, "%08x", (unsigned)q->id);
}

static enum sp_code
answer(const struct sp_sftp_request *q, const char *length_and_type, const char *rest)
{
    char text[600], id[9];

    id_of(q, id);
    snprintf(text, sizeof(text), "%s %s %s", length_and_type, id, rest);
    return feed_hex(text);
}

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

#define BEGINS(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)
#define READY(x) cmocka_unit_test_setup_teardown(x, set_up_ready, tear_down)

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
        READY(answers_in_any_fragmentation_and_order),
        READY(bytes_are_in_place_before_their_packet_is_whole),
        READY(more_bytes_than_asked_for_are_refused),
        READY(packets_are_bounded),
        READY(names_that_are_none_are_passed_over),
        READY(statuses_without_texts_are_taken),
        READY(an_answer_before_its_request_was_sent_is_a_lie),
        READY(an_answer_behind_the_requests_end_is_a_lie),
        READY(an_end_is_everybodys_in_order),
        READY(bytes_in_a_view_are_not_done_before_it_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
