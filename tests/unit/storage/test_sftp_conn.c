/* A connection to the fake server: requests of every type, many at once, from several threads;
 * cuts, stalls and an end from outside. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "sftp_fake.h"

static struct fake_server *server;
static struct sp_sftp_conn *conn;

static int
set_up(void **state)
{
    (void)state;
    server = fake_new("/home/u");
    conn = fake_conn(server);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    sp_sftp_conn_free(conn);
    fake_free(server);
    conn = NULL;
    server = NULL;
    return 0;
}

static enum sp_code
ask(struct sp_sftp_request *q)
{
    return sp_sftp_conn_call(conn, q, &err);
}

static void
open_file(struct sp_sftp_request *q, const char *path, uint32_t flags)
{
    memset(q, 0, sizeof(*q));
    q->type = SP_SFTP_OPEN;
    q->path = path;
    q->flags = flags;
    ok(ask(q));
}

/* --- one after the other --------------------------------------------------------------------- */

static void
a_file_is_written_and_read(void **state)
{
    struct sp_sftp_request q;
    struct sp_buf there = SP_BUF_INIT;
    char back[16] = "";

    (void)state;
    open_file(&q, "a", SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL);
    q.type = SP_SFTP_WRITE;
    q.from = "content";
    q.n = 7;
    ok(ask(&q));
    q.offset = 7;
    ok(ask(&q));
    q.type = SP_SFTP_FSTAT;
    ok(ask(&q));
    assert_true(q.attrs.has_size && q.attrs.has_mode && q.attrs.has_times);
    assert_int_equal(q.attrs.size, 14);
    assert_int_equal(q.attrs.mtime, fake_now(server));
    q.type = SP_SFTP_FSYNC;
    ok(ask(&q));
    q.type = SP_SFTP_CLOSE;
    ok(ask(&q));
    assert_int_equal(fake_handles(server), 0);
    assert_true(fake_read(server, "/home/u/a", &there));
    assert_int_equal(there.len, 14);
    assert_memory_equal(there.data, "contentcontent", 14);

    open_file(&q, "/home/u/a", SP_SFTP_F_READ);
    q.type = SP_SFTP_READ;
    q.to = back;
    q.offset = 4;
    q.n = sizeof(back);
    ok(ask(&q));
    assert_int_equal(q.got, 10);
    assert_string_equal(back, "entcontent");
    q.offset = 14;
    ok(ask(&q));
    assert_int_equal(q.got, 0);
    q.type = SP_SFTP_CLOSE;
    ok(ask(&q));
    sp_buf_free(&there);
}

static bool
gather(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a)
{
    struct sp_buf *names = q->to;

    sp_buf_printf(names, "%s%s ", name, (a->mode & 0170000) == 040000 ? "/" : "");
    return true;
}

static void
folders_are_made_listed_and_removed(void **state)
{
    struct sp_sftp_request q = {.type = SP_SFTP_MKDIR, .path = "f"};
    struct sp_buf names = SP_BUF_INIT;

    (void)state;
    ok(ask(&q));
    gives(SP_IO, ask(&q));
    fake_put(server, "f/one", "1", 1);
    fake_put(server, "f/two/three", "3", 1);
    q.type = SP_SFTP_OPENDIR;
    ok(ask(&q));
    q.type = SP_SFTP_READDIR;
    q.name = gather;
    q.to = &names;
    ok(ask(&q));
    assert_int_equal(q.got, 4);
    assert_string_equal(sp_buf_str(&names), "./ ../ one two/ ");
    ok(ask(&q));
    assert_int_equal(q.got, 0);
    q.type = SP_SFTP_CLOSE;
    ok(ask(&q));
    q.type = SP_SFTP_RMDIR;
    gives(SP_IO, ask(&q));
    assert_true(fake_delete(server, "f/two"));
    q.type = SP_SFTP_REMOVE;
    q.path = "f/one";
    ok(ask(&q));
    q.type = SP_SFTP_RMDIR;
    q.path = "f";
    ok(ask(&q));
    assert_false(fake_there(server, "f"));
    sp_buf_free(&names);
}

static void
names_are_resolved_and_changed(void **state)
{
    struct sp_sftp_request q = {.type = SP_SFTP_REALPATH, .path = "."};

    (void)state;
    ok(ask(&q));
    assert_string_equal(q.resolved, "/home/u");
    free(q.resolved);
    fake_put(server, "a", "a", 1);
    fake_put(server, "b", "b", 1);
    q.type = SP_SFTP_RENAME;
    q.path = "a";
    q.path2 = "b";
    gives(SP_IO, ask(&q)); /* never replaces */
    q.path2 = "c";
    ok(ask(&q));
    assert_false(fake_there(server, "a"));
    q.type = SP_SFTP_LSTAT;
    gives(SP_ABSENT, ask(&q));
    assert_non_null(strstr(err.text, "looking at a"));
    q.path = "c";
    ok(ask(&q));
    q.type = SP_SFTP_STATVFS;
    q.path = ".";
    ok(ask(&q));
    assert_true(q.space.total_bytes == UINT64_C(1) << 40);
    assert_true(q.space.free_bytes < q.space.total_bytes && q.space.free_bytes > 0);
}

static void
refusals_are_told_apart(void **state)
{
    struct sp_sftp_request q = {.type = SP_SFTP_REMOVE, .path = "a\nb"};
    const struct fake_options o = {.remove_denied = true, .no_fsync = true, .no_statvfs = true};
    char *long_path = malloc(5000);

    (void)state;
    gives(SP_ABSENT, ask(&q));
    assert_non_null(strstr(err.text, "removing a\\nb"));
    fake_set(server, &o);
    gives(SP_DENIED, ask(&q));
    assert_int_equal(q.status, SP_FX_PERMISSION_DENIED);
    q.type = SP_SFTP_STATVFS;
    gives(SP_UNSUPPORTED, ask(&q));
    assert_non_null(long_path);
    memset(long_path, 'x', 4999);
    long_path[4999] = '\0';
    q.path = long_path;
    gives(SP_INVALID, ask(&q));
    free(long_path);
}

static void
what_is_offered_is_known(void **state)
{
    const struct fake_options o = {
        .no_fsync = true, .no_limits = true, .read_max = 1 << 20, .write_max = 1000};
    const struct fake_options small = {.no_statvfs = true, .read_max = 65536, .write_max = 1000};
    struct sp_sftp_session *s;

    (void)state;
    sp_sftp_conn_lock(conn);
    s = sp_sftp_conn_session(conn);
    assert_true(sp_sftp_offers(s, SP_SFTP_FSYNC) && sp_sftp_offers(s, SP_SFTP_STATVFS));
    assert_int_equal(sp_sftp_read_max(s), 261120);
    assert_int_equal(sp_sftp_write_max(s), 261120);
    sp_sftp_conn_unlock(conn);
    sp_sftp_conn_free(conn);

    fake_set(server, &o);
    conn = fake_conn(server);
    s = sp_sftp_conn_session(conn);
    assert_false(sp_sftp_offers(s, SP_SFTP_FSYNC));
    assert_true(sp_sftp_offers(s, SP_SFTP_STATVFS));
    assert_int_equal(sp_sftp_read_max(s), 32768);
    sp_sftp_conn_free(conn);

    fake_set(server, &small);
    conn = fake_conn(server);
    s = sp_sftp_conn_session(conn);
    assert_true(sp_sftp_offers(s, SP_SFTP_FSYNC));
    assert_false(sp_sftp_offers(s, SP_SFTP_STATVFS));
    assert_int_equal(sp_sftp_read_max(s), 65536);
    assert_int_equal(sp_sftp_write_max(s), 32768);
}

/* --- many at once ---------------------------------------------------------------------------- */

enum { MANY = 6000 }; /* more than have a slot */

static struct sp_sftp_request many[MANY];
static size_t many_done, many_failed;

static void
one_done(struct sp_sftp_request *q)
{
    many_done++;
    many_failed += q->error.code != SP_OK;
    sp_sftp_conn_wake(conn);
}

static void
submit_many(void)
{
    many_done = many_failed = 0;
    sp_sftp_conn_lock(conn);
    for (size_t i = 0; i < MANY; i++) {
        many[i] = (struct sp_sftp_request){
            .type = i % 2 ? SP_SFTP_LSTAT : SP_SFTP_STAT, .path = "a", .done = one_done};
        sp_sftp_conn_submit(conn, &many[i]);
    }
    sp_sftp_conn_unlock(conn);
}

static void
wait_many(void)
{
    sp_sftp_conn_lock(conn);
    while (many_done < MANY)
        sp_sftp_conn_wait(conn);
    assert_int_equal(sp_sftp_under_way(sp_sftp_conn_session(conn)), 0);
    sp_sftp_conn_unlock(conn);
    assert_int_equal(many_done, MANY);
}

static void
thousands_are_under_way(void **state)
{
    const struct fake_options o = {.reorder = true, .delay_ms = 30, .fragment = 77};

    (void)state;
    fake_put(server, "a", "a", 1);
    fake_set(server, &o);
    submit_many();
    wait_many();
    assert_int_equal(many_failed, 0);
    assert_true(fake_most_waiting(server) > 1000);
    assert_true(fake_rounds(server) < 10);
}

static void
a_cut_ends_all(void **state)
{
    struct sp_sftp_request q = {.type = SP_SFTP_STAT, .path = "a"};

    (void)state;
    fake_put(server, "a", "a", 1);
    fake_cut(server, SP_FXP_STAT, 100, true, false);
    submit_many();
    wait_many();
    assert_true(fake_was_cut(server));
    assert_true(many_failed > MANY / 2 && many_failed < MANY + 1);
    assert_int_equal(many[MANY - 1].error.code, SP_UNREACHABLE);
    gives(SP_UNREACHABLE, sp_sftp_conn_state(conn, &err));
    gives(SP_UNREACHABLE, ask(&q)); /* at once, and for good */
}

static void
a_cut_before_takes_no_effect_and_one_after_does(void **state)
{
    struct sp_sftp_request q = {.type = SP_SFTP_MKDIR, .path = "before"};

    (void)state;
    fake_cut(server, SP_FXP_MKDIR, 1, false, false);
    gives(SP_UNREACHABLE, ask(&q));
    assert_false(fake_there(server, "before"));
    sp_sftp_conn_free(conn);
    conn = fake_conn(server);
    fake_cut(server, SP_FXP_MKDIR, 1, true, false);
    q.path = "after";
    gives(SP_UNREACHABLE, ask(&q));
    assert_true(fake_there(server, "after"));
}

static void
a_silent_server_is_given_up(void **state)
{
    const struct fake_options o = {.lie = FAKE_SILENT, .stall_ms = 100};
    struct sp_sftp_request q = {.type = SP_SFTP_STAT, .path = "a"};

    (void)state;
    fake_set(server, &o);
    gives(SP_TIMEOUT, ask(&q));
}

static void
a_server_that_never_begins_is_given_up(void **state)
{
    const struct fake_options o = {.delay_ms = 5000};
    struct sp_sftp_conn *second = NULL;
    struct sp_sftp_link *l;

    (void)state;
    fake_set(server, &o);
    ok(fake_connect(server, &l, &err));
    gives(SP_TIMEOUT, sp_sftp_conn_new(l, 100, &second, &err));
    assert_null(second);
    assert_int_equal(fake_links(server), 1);
}

static void
an_end_from_outside(void **state)
{
    const struct fake_options o = {.delay_ms = 3000};
    struct sp_err why = {0};

    (void)state;
    fake_set(server, &o);
    submit_many();
    sp_fail(&why, SP_CANCELLED, SP_DOM_SELF, "enough");
    sp_sftp_conn_end(conn, &why);
    wait_many();
    assert_int_equal(many_failed, MANY);
    assert_string_equal(many[0].error.text, "enough");
    gives(SP_CANCELLED, sp_sftp_conn_state(conn, &err));
}

/* --- threads --------------------------------------------------------------------------------- */

enum { THREADS = 6, TURNS = 60 };

struct worker {
    unsigned number;
    enum sp_code rc;
    struct sp_err e;
};

static enum sp_code
make_and_look(struct worker *w, unsigned turn)
{
    struct sp_sftp_request q = {.type = SP_SFTP_OPEN};
    char path[32], bytes[64], back[64] = "";
    enum sp_code rc;

    snprintf(path, sizeof(path), "w%u-%u", w->number, turn);
    snprintf(bytes, sizeof(bytes), "bytes of %s", path);
    q.path = path;
    q.flags = SP_SFTP_F_WRITE | SP_SFTP_F_READ | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL;
    if ((rc = sp_sftp_conn_call(conn, &q, &w->e)) != SP_OK)
        return rc;
    q.type = SP_SFTP_WRITE;
    q.from = bytes;
    q.n = sizeof(bytes);
    if ((rc = sp_sftp_conn_call(conn, &q, &w->e)) != SP_OK)
        return rc;
    q.type = SP_SFTP_READ;
    q.to = back;
    if ((rc = sp_sftp_conn_call(conn, &q, &w->e)) != SP_OK)
        return rc;
    if (q.got != sizeof(bytes) || strcmp(bytes, back) != 0)
        return sp_fail(&w->e, SP_CORRUPT, SP_DOM_STORE, "%s: \"%s\"", path, back);
    q.type = SP_SFTP_CLOSE;
    return sp_sftp_conn_call(conn, &q, &w->e);
}

static void
work(void *arg)
{
    struct worker *w = arg;

    for (unsigned turn = 0; turn < TURNS && w->rc == SP_OK; turn++)
        w->rc = make_and_look(w, turn);
}

static void
many_threads_share_a_connection(void **state)
{
    const struct fake_options o = {.reorder = true, .fragment = 1000};
    struct worker workers[THREADS] = {{0}};
    struct sp_thread *threads[THREADS];

    (void)state;
    fake_set(server, &o);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        ok(sp_thread_start("worker", work, &workers[i], &threads[i], &err));
    }
    for (unsigned i = 0; i < THREADS; i++)
        sp_thread_join(threads[i]);
    for (unsigned i = 0; i < THREADS; i++)
        if (workers[i].rc != SP_OK)
            fail_msg("%s", workers[i].e.text);
    assert_int_equal(fake_count(server, "/home/u"), THREADS * TURNS);
    assert_int_equal(fake_handles(server), 0);
}

static void
many_threads_meet_a_cut(void **state)
{
    struct worker workers[THREADS] = {{0}};
    struct sp_thread *threads[THREADS];

    (void)state;
    fake_cut(server, SP_FXP_WRITE, 20, true, false);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        ok(sp_thread_start("worker", work, &workers[i], &threads[i], &err));
    }
    for (unsigned i = 0; i < THREADS; i++)
        sp_thread_join(threads[i]);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].rc, SP_UNREACHABLE);
}

#define TEST(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_written_and_read),
        TEST(folders_are_made_listed_and_removed),
        TEST(names_are_resolved_and_changed),
        TEST(refusals_are_told_apart),
        TEST(what_is_offered_is_known),
        TEST(thousands_are_under_way),
        TEST(a_cut_ends_all),
        TEST(a_cut_before_takes_no_effect_and_one_after_does),
        TEST(a_silent_server_is_given_up),
        TEST(a_server_that_never_begins_is_given_up),
        TEST(an_end_from_outside),
        TEST(many_threads_share_a_connection),
        TEST(many_threads_meet_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
