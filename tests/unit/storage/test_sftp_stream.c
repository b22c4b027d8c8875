/* Streams over the fake server: honest, far, out of order, in fragments; failing, cut at any
 * request, and gone on with over another connection (R3, R14). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sftp_support.h"

/* --- streams --------------------------------------------------------------------------------- */

static void
check_file(const char *path, size_t n)
{
    struct sp_buf there = SP_BUF_INIT;

    assert_true(fake_read(server, path, &there));
    assert_int_equal(there.len, n);
    assert_memory_equal(there.data, big, n);
    sp_buf_free(&there);
}

/* big's first n bytes in calls of `step`, from `at` on; *at: what was taken. */
static enum sp_code
write_on(struct sp_sftp_stream *w, size_t *at, size_t n, size_t step)
{
    enum sp_code rc = SP_OK;

    while (*at < n && rc == SP_OK) {
        size_t some = n - *at < step ? n - *at : step;

        rc = sp_sftp_stream_write(w, big + *at, some, &err);
        *at += some;
    }
    return rc;
}

static void
a_stream_is_in_the_file(void **state)
{
    static const size_t sizes[] = {0, 1, 261120, 261121, BIG}, steps[] = {BIG, 70001};
    struct sp_sftp_stream *w;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        fake_set(server, &kinds[i]);
        again();
        for (size_t s = 0; s < 10; s++) {
            bool flushed = false;
            size_t at = 0;

            ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
            ok(write_on(w, &at, sizes[s / 2], steps[s % 2]));
            ok(sp_sftp_stream_finish(w, &flushed, &err));
            assert_true(flushed);
            gives(SP_INVALID, sp_sftp_stream_finish(w, &flushed, &err));
            sp_sftp_stream_free(w);
            check_file("new", sizes[s / 2]);
            assert_int_equal(fake_handles(server), 0);
            assert_true(fake_delete(server, "new"));
        }
    }
    assert_int_equal(fake_requests(server, SP_FXP_RENAME), 0);
}

/* Over as many connections as it takes. */
static enum sp_code
resume(struct sp_sftp_stream *w, struct sp_sftp_conn **old)
{
    enum sp_code rc;

    do {
        struct sp_sftp_conn *next = fake_conn(server);

        rc = sp_sftp_stream_resume(w, next, &err);
        sp_sftp_conn_free(*old);
        *old = next;
    } while (rc == SP_UNREACHABLE);
    return rc;
}

/* Every failure of writing is one of the stream. */
static void
nothing_is_finished_that_failed(void **state)
{
    static const struct fake_options bad[] = {{.write_fails_at = 1}, {.write_fails_at = 12},
        {.fsync_fails = true}, {.close_fails = true}, {.close_fails = true, .no_fsync = true},
        {.full_at = 200000}, {.read_only = true}};
    struct sp_sftp_stream *w;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bool flushed = false;
        size_t at = 0;
        enum sp_code rc;

        fake_set(server, &bad[i]);
        again();
        ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
        if ((rc = write_on(w, &at, BIG, 100000)) == SP_OK)
            rc = sp_sftp_stream_finish(w, &flushed, &err);
        assert_int_equal(rc, bad[i].read_only ? SP_DENIED : SP_IO);
        assert_false(flushed);
        /* And stays so: no second flush or close is proof. */
        set((struct fake_options){0});
        gives(rc, sp_sftp_stream_finish(w, &flushed, &err));
        assert_false(flushed);
        if (bad[i].fsync_fails || bad[i].close_fails)
            gives(SP_IO, resume(w, &conn));
        sp_sftp_stream_free(w);
        again();
        assert_int_equal(fake_handles(server), 0);
        fake_delete(server, "new");
    }
}

static void
a_server_that_cannot_flush_is_told(void **state)
{
    struct sp_sftp_stream *w;
    bool flushed = true;
    size_t at = 0;

    (void)state;
    set((struct fake_options){.no_fsync = true});
    again();
    ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
    ok(write_on(w, &at, BIG, BIG));
    ok(sp_sftp_stream_finish(w, &flushed, &err));
    assert_false(flushed);
    sp_sftp_stream_free(w);
    check_file("new", BIG);
}

static void
the_window_is_kept(void **state)
{
    struct sp_sftp_stream *w;
    bool flushed;
    size_t at = 0;

    (void)state;
    set((struct fake_options){.delay_ms = 20});
    ok(sp_sftp_stream_new(conn, "new", 600000, &w, &err));
    while (at < BIG) {
        ok(write_on(w, &at, at + 300000 < BIG ? at + 300000 : BIG, BIG));
        sp_sftp_conn_lock(conn);
        assert_true(sp_sftp_under_way(sp_sftp_conn_session(conn)) <= 1 + 600000 / 261120);
        sp_sftp_conn_unlock(conn);
    }
    ok(sp_sftp_stream_finish(w, &flushed, &err));
    sp_sftp_stream_free(w);
    check_file("new", BIG);
}

static void
an_existing_file_is_not_written_to(void **state)
{
    struct sp_sftp_stream *w;
    bool flushed;

    (void)state;
    fake_put(server, "new", big, 10);
    ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
    gives(SP_IO, sp_sftp_stream_finish(w, &flushed, &err));
    sp_sftp_stream_free(w);
    check_file("new", 10);
}

static void
a_stream_that_is_given_up_leaves_nothing_open(void **state)
{
    struct sp_sftp_stream *w;

    (void)state;
    set((struct fake_options){.delay_ms = 10});
    for (size_t n = 0; n < BIG; n = n * 4 + 100000) {
        size_t at = 0;

        ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
        ok(write_on(w, &at, n, BIG));
        sp_sftp_stream_free(w);
        for (int i = 0; i < 500; i++) { /* each comes behind what is under way */
            struct sp_sftp_request q = {.type = SP_SFTP_STAT, .path = "new"};

            (void)sp_sftp_conn_call(conn, &q, &err);
            if (fake_requests(server, SP_FXP_CLOSE) == fake_requests(server, SP_FXP_OPEN))
                break;
        }
        assert_int_equal(fake_handles(server), 0);
        fake_delete(server, "new");
    }
    ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
    sp_sftp_stream_free(w);
    again(); /* with the OPEN under way */
}

/* --- going on -------------------------------------------------------------------------------- */

static void
cut_and_go_on(uint8_t type, unsigned k, bool after, unsigned again_at)
{
    struct sp_sftp_stream *w;
    bool flushed = false;
    size_t at = 0;
    enum sp_code rc;

    fake_cut(server, type, k, after, true);
    ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
    while ((rc = write_on(w, &at, BIG, 250000)) != SP_OK ||
           (rc = sp_sftp_stream_finish(w, &flushed, &err)) != SP_OK) {
        assert_int_equal(rc, SP_UNREACHABLE);
        if (again_at > 0)
            fake_cut(server, 0, again_at, after, true);
        again_at = 0;
        ok(resume(w, &conn));
    }
    assert_true(flushed && fake_was_cut(server));
    sp_sftp_stream_free(w);
    check_file("new", BIG);
    assert_true(fake_delete(server, "new"));
}

static void
a_stream_goes_on_over_another_connection(void **state)
{
    (void)state;
    for (unsigned k = 1; k <= 12; k += k < 4 ? 1 : 4)
        for (unsigned after = 0; after < 2; after++)
            cut_and_go_on(SP_FXP_WRITE, k, after, k == 8 ? 5 : 0);
    for (unsigned after = 0; after < 2; after++) {
        cut_and_go_on(SP_FXP_OPEN, 1, after, 0);
        cut_and_go_on(SP_FXP_CLOSE, 1, after, 3);
        cut_and_go_on(SP_FXP_EXTENDED, 1, after, 0); /* the flush */
    }
}

static void
a_stream_goes_on_out_of_order(void **state)
{
    (void)state;
    set((struct fake_options){.reorder = true, .delay_ms = 3, .short_reads = 100000});
    again();
    for (unsigned k = 5; k <= 11; k += 3)
        cut_and_go_on(SP_FXP_WRITE, k, k % 2 == 0, 7);
}

/* Writes 2 MB, has at least 1 MB of it acknowledged, and loses the connection. */
static struct sp_sftp_stream *
half_written(void)
{
    struct sp_sftp_stream *w;
    size_t at = 0;

    ok(sp_sftp_stream_new(conn, "new", WINDOW, &w, &err));
    ok(write_on(w, &at, 2500000, 250000));
    fake_cut_now(server);
    return w;
}

static void
what_a_server_lost_is_found(void **state)
{
    bool flushed;

    (void)state;
    for (int how = 0; how < 5; how++) {
        struct sp_sftp_stream *w = half_written();

        if (how == 0)
            fake_crash(server, UINT64_MAX);
        else if (how == 1)
            assert_true(fake_cut_file(server, "new", 700000));
        else if (how == 2)
            assert_true(fake_flip(server, "new", 1000000));
        else if (how == 3)
            assert_true(fake_flip(server, "new", 0));
        else
            assert_true(fake_delete(server, "new"));
        gives(SP_CORRUPT, resume(w, &conn));
        assert_non_null(strstr(err.text, "no longer has what it had acknowledged"));
        gives(SP_CORRUPT, resume(w, &conn)); /* for good */
        gives(SP_CORRUPT, sp_sftp_stream_finish(w, &flushed, &err));
        sp_sftp_stream_free(w);
        fake_delete(server, "new");
    }
}

static void
no_byte_is_taken_between_a_failure_and_a_resume(void **state)
{
    struct sp_sftp_stream *w = half_written();
    bool flushed = false;
    size_t at = 2500000;

    (void)state;
    while (sp_sftp_conn_state(conn, &err) == SP_OK)
        continue;
    /* More than a piece: also when all before was acknowledged, something has to be sent. Taken. */
    gives(SP_UNREACHABLE, sp_sftp_stream_write(w, big + at, 300000, &err));
    at += 300000;
    gives(SP_UNREACHABLE, sp_sftp_stream_write(w, big, 1000, &err)); /* not */
    gives(SP_UNREACHABLE, sp_sftp_stream_finish(w, &flushed, &err));
    ok(resume(w, &conn));
    ok(write_on(w, &at, BIG, BIG));
    ok(sp_sftp_stream_finish(w, &flushed, &err));
    sp_sftp_stream_free(w);
    check_file("new", BIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_is_in_the_file),
        TEST(nothing_is_finished_that_failed),
        TEST(a_server_that_cannot_flush_is_told),
        TEST(the_window_is_kept),
        TEST(an_existing_file_is_not_written_to),
        TEST(a_stream_that_is_given_up_leaves_nothing_open),
        TEST(a_stream_goes_on_over_another_connection),
        TEST(a_stream_goes_on_out_of_order),
        TEST(what_a_server_lost_is_found),
        TEST(no_byte_is_taken_between_a_failure_and_a_resume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
