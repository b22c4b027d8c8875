/* No memory, at any allocation of what is done over SFTP: a failure that says so or the right
 * answer, and the connection lives or is over; nothing hangs, leaks or is half there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sftp_support.h"
#include "tests/unit/base/nomem.h"

enum { SOME = 700000 };

static _Thread_local bool own; /* what this thread allocates now is the test's */

static bool
is_own(void)
{
    return own;
}

static void
set_own(bool on)
{
    own = on;
}

static uint8_t back[SOME];

static enum sp_code
connect_again(void)
{
    struct sp_sftp_link *l;
    struct sp_sftp_conn *c = NULL;
    enum sp_code rc;

    own = true;
    ok(fake_connect(server, &l, &err));
    own = false;
    if ((rc = sp_sftp_conn_new(l, 10000, &c, &err)) == SP_OK)
        sp_sftp_conn_free(c);
    return rc;
}

static enum sp_code
resolve(void)
{
    struct sp_sftp_request q = {.type = SP_SFTP_REALPATH, .path = "f"};
    enum sp_code rc = sp_sftp_conn_call(conn, &q, &err);

    if (rc == SP_OK)
        assert_string_equal(q.resolved, "/r/f");
    free(q.resolved);
    return rc;
}

static enum sp_code
read_part(void)
{
    struct sp_sftp_job *j;
    enum sp_code rc;

    memset(back, 0, sizeof(back));
    if ((rc = sp_sftp_start_read(conn, "f/big", 0, back, SOME, &j, &err)) == SP_OK &&
        (rc = sp_sftp_job_wait(j, &err)) == SP_OK)
        assert_memory_equal(back, big, SOME);
    return rc;
}

static enum sp_code
read_whole(void)
{
    struct sp_sftp_job *j;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_sftp_start_read_all(conn, "f/big", SOME, &j, &err)) == SP_OK &&
        (rc = sp_sftp_job_bytes(j, &bytes, &n, &err)) == SP_OK) {
        assert_int_equal(n, SOME);
        assert_memory_equal(bytes, big, SOME);
        free(bytes);
    }
    return rc;
}

static enum sp_code
count(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static enum sp_code
list(void)
{
    static const char *const folders[] = {"f", "none"};
    size_t n = 0;
    enum sp_code rc = sp_sftp_list(conn, "/r", folders, 2, count, &n, &err);

    if (rc == SP_OK)
        assert_int_equal(n, 41);
    return rc;
}

static enum sp_code
write_file(void)
{
    struct sp_sftp_stream *w;
    static unsigned number;
    char path[32];
    bool flushed;
    enum sp_code rc;

    snprintf(path, sizeof(path), "new%u", number++); /* one that was given up may still be made */
    if ((rc = sp_sftp_stream_new(conn, path, 300000, &w, &err)) != SP_OK)
        return rc;
    if ((rc = sp_sftp_stream_write(w, big, SOME, &err)) == SP_OK &&
        (rc = sp_sftp_stream_finish(w, &flushed, &err)) == SP_OK)
        assert_true(flushed);
    sp_sftp_stream_free(w);
    return rc;
}

/* Over another connection, in the middle of it. */
static enum sp_code
go_on(void)
{
    struct sp_sftp_stream *w;
    struct sp_sftp_conn *old = conn;
    struct sp_buf there = SP_BUF_INIT;
    bool flushed;
    enum sp_code rc;

    own = true;
    fake_delete(server, "new");
    ok(sp_sftp_stream_new(conn, "new", 300000, &w, &err));
    ok(sp_sftp_stream_write(w, big, SOME - 1000, &err));
    fake_cut_now(server);
    conn = fake_conn(server);
    own = false;
    rc = sp_sftp_stream_resume(w, conn, &err);
    own = true;
    if (rc == SP_OK) {
        ok(sp_sftp_stream_write(w, big + SOME - 1000, 1000, &err));
        ok(sp_sftp_stream_finish(w, &flushed, &err));
        assert_true(fake_read(server, "new", &there));
        assert_int_equal(there.len, SOME);
        assert_memory_equal(there.data, big, SOME);
        sp_buf_free(&there);
    }
    sp_sftp_stream_free(w);
    sp_sftp_conn_free(old);
    own = false;
    return rc;
}

static void
every_allocation_fails_once(void **state)
{
    static enum sp_code (*const does[])(void) = {
        connect_again, resolve, read_part, read_whole, list, write_file, go_on};
    char path[32];

    (void)state;
    fake_put(server, "f/big", big, SOME);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(path, sizeof(path), "f/%u/%u", i % 5, i);
        fake_put(server, path, big, 3);
    }
    for (size_t i = 0; i < sizeof(does) / sizeof(does[0]); i++) {
        bool came = true;
        long n, failed = 0;

        for (n = 1; came; n++) {
            enum sp_code rc;

            nomem_at(n);
            rc = does[i]();
            came = nomem_came();
            if (rc != SP_OK && rc != SP_NOMEM && rc != SP_INTERNAL)
                fail_msg("call %zu, allocation %ld: %s (%s)", i, n, sp_code_word(rc), err.text);
            assert_true(came || rc == SP_OK);
            failed += rc != SP_OK;
            if (sp_sftp_conn_state(conn, &err) != SP_OK)
                again();
        }
        assert_true(failed > 0 && n < 2000);
        again();
        assert_int_equal(fake_handles(server), 0);
    }
}

static int
set_up_spared(void **state)
{
    nomem_unless(is_own);
    fake_own_memory = set_own;
    return set_up(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_fails_once, set_up_spared, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
