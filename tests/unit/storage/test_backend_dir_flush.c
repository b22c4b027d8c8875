/* How the dir backend flushes (R3): in which order, which folders, and what a failed flush means.
 */

#include <time.h>

#include "dirstore.h"

static void
a_folder_flush_that_cannot_be_is_tolerated(void **state)
{
    static const int numbers[] = {EINVAL, ENOTSUP, ENOSYS};

    (void)state;
    make_repository();
    for (size_t i = 0; i < 3; i++) {
        static const int fatal[] = {EIO, ESTALE, ENOSPC};
        struct store s;

        store_init(&s);
        set_fault(&s, 0, "sync_dir", "/repo", numbers[i], ALWAYS);
        store_open(&s);
        assert_true(s.b->caps.writable && s.b->caps.flush_file);
        assert_false(s.b->caps.flush_folder);
        ok(sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
        ok(sp_backend_sync(s.b, &err));
        ok(sp_backend_put(s.b, "packs/00/y", "y", 1, &err));
        ok(sp_backend_sync(s.b, &err));
        /* Exactly what the probe saw, and nothing else. */
        ok(sp_backend_put(s.b, "packs/00/z", "z", 1, &err));
        set_fault(&s, 0, "sync_dir", "/repo", fatal[i], 1);
        assert_int_not_equal(sp_backend_sync(s.b, &err), SP_OK);
        assert_int_equal(err.os, fatal[i]);
        ok(sp_backend_remove(s.b, "packs/00/x", &err));
        ok(sp_backend_remove(s.b, "packs/00/y", &err));
        ok(sp_backend_remove(s.b, "packs/00/z", &err));
        store_free(&s);
    }
}

static void
another_refusal_than_the_probe_saw_is_not_tolerated(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    assert_true(s.b->caps.flush_folder);
    ok(sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
    set_fault(&s, 0, "sync_dir", "/repo", EINVAL, 1);
    assert_int_not_equal(sp_backend_sync(s.b, &err), SP_OK);
    store_free(&s);

    store_init(&s);
    set_fault(&s, 0, "sync_dir", "/repo", EINVAL, ALWAYS);
    store_open(&s);
    ok(sp_backend_put(s.b, "packs/00/y", "y", 1, &err));
    set_fault(&s, 0, "sync_dir", "/repo", ENOTSUP, 1);
    gives(SP_UNSUPPORTED, sp_backend_sync(s.b, &err));
    store_free(&s);
}

static void
a_broken_flush_is_no_capability(void **state)
{
    static const struct {
        const char *op;
        int number;
        enum sp_code code;
    } cases[] = {{"sync_dir", EIO, SP_IO}, {"sync_dir", ESTALE, SP_UNREACHABLE},
        {"sync", EIO, SP_IO}, {"close", EIO, SP_IO}, {"publish", EIO, SP_IO},
        {"read_at", EIO, SP_IO}};

    (void)state;
    make_repository();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store s;

        store_init(&s);
        set_fault(&s, 0, cases[i].op, "/repo", cases[i].number, 1);
        gives(cases[i].code, sp_backend_dir_open(&s.env, at("repo"), false, &s.b, &err));
        assert_null(s.b);
        store_free(&s);
        assert_int_equal(entries("repo/tmp"), 0);
    }
}

static void
a_file_flush_that_cannot_be_is_named(void **state)
{
    struct store s;
    uint64_t size;

    (void)state;
    make_repository();
    store_init(&s);
    set_fault(&s, 0, "sync", "/tmp", EINVAL, ALWAYS);
    store_open(&s);
    assert_false(s.b->caps.flush_file);
    assert_true(s.b->caps.flush_folder);
    ok(sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
    set_fault(&s, 0, "sync", "/tmp", EIO, 1);
    gives(SP_IO, sp_backend_put(s.b, "packs/00/y", "y", 1, &err));
    gives(SP_ABSENT, sp_backend_size(s.b, "packs/00/y", &size, &err));
    store_free(&s);
}

static void
a_failed_folder_flush_is_final(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    ok(sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
    set_fault(&s, 0, "sync_dir", "/repo", EIO, 1);
    gives(SP_IO, sp_backend_sync(s.b, &err));
    /* The kernel would now say yes (R3). */
    faulty_reset_log(&s.table);
    gives(SP_IO, sp_backend_sync(s.b, &err));
    ok(sp_backend_put(s.b, "packs/00/y", "y", 1, &err));
    gives(SP_IO, sp_backend_sync(s.b, &err));
    assert_int_equal(faulty_count(&s.table, "sync_dir "), 0);
    store_free(&s);
}

static void
a_put_goes_in_order(void **state)
{
    static const char *const order[] = {"create ", "write_at ", "sync ", "close ", "publish "};
    struct store s;
    const char *log;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    faulty_reset_log(&s.table);
    ok(sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
    log = sp_buf_str(&s.table.log);
    for (size_t i = 0; i < 5; i++) {
        char line[500];

        (void)snprintf(
            line, sizeof(line), "%s%s", order[i], at(i < 4 ? "repo/tmp/" : "repo/packs/00/x"));
        assert_int_equal(strncmp(log, line, strlen(line)), 0);
        log = strchr(log, '\n') + 1;
    }
    assert_int_equal(*log, '\0');
    store_free(&s);
}

static void
a_failed_step_leaves_nothing(void **state)
{
    static const struct {
        const char *op;
        int number;
        enum sp_code code;
    } cases[] = {{"write_at", ENOSPC, SP_FULL}, {"write_at", EIO, SP_IO}, {"sync", EIO, SP_IO},
        {"sync", EINVAL, SP_IO}, {"close", EIO, SP_IO}, {"close", EDQUOT, SP_FULL},
        {"publish", EIO, SP_IO}, {"create", EIO, SP_IO}};

    (void)state;
    make_repository();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store s;
        uint64_t size;

        store_init(&s);
        store_open(&s);
        faulty_reset_log(&s.table);
        set_fault(&s, 0, cases[i].op, "/repo", cases[i].number, 1);
        gives(cases[i].code, sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
        assert_true(faulty_count(&s.table, "sync ") <= 1);
        assert_int_equal(
            faulty_count(&s.table, "publish "), strcmp(cases[i].op, "publish") == 0 ? 1 : 0);
        assert_int_equal(entries("repo/tmp"), 0);
        gives(SP_ABSENT, sp_backend_size(s.b, "packs/00/x", &size, &err));
        ok(sp_backend_put(s.b, "packs/00/x", "x", 1, &err));
        ok(sp_backend_sync(s.b, &err));
        ok(sp_backend_remove(s.b, "packs/00/x", &err));
        store_free(&s);
    }
}

static void
what_was_written_after_a_fault_is_not_published(void **state)
{
    struct store s;
    struct sp_backend_writer *w;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    ok(sp_backend_begin(s.b, &w, &err));
    set_fault(&s, 0, "write_at", "/repo", EIO, 1);
    gives(SP_IO, sp_backend_write(s.b, w, "one", 3, &err));
    gives(SP_IO, sp_backend_write(s.b, w, "two", 3, &err));
    faulty_reset_log(&s.table);
    gives(SP_IO, sp_backend_publish(s.b, w, "packs/00/x", &err));
    assert_int_equal(faulty_count(&s.table, "publish "), 0);
    assert_int_equal(entries("repo/tmp"), 0);
    store_free(&s);
}

static void
assert_flushed(struct store *s, size_t n, const char *const *folders)
{
    faulty_reset_log(&s->table);
    ok(sp_backend_sync(s->b, &err));
    assert_int_equal(faulty_count(&s->table, "sync_dir "), n);
    for (size_t i = 0; i < n; i++) {
        char line[500];

        (void)snprintf(line, sizeof(line), "sync_dir %s\n", at(folders[i]));
        if (strstr(sp_buf_str(&s->table.log), line) == NULL)
            fail_msg("not flushed: %s", folders[i]);
    }
}
#define FOLDERS(...) ((const char *const[]){__VA_ARGS__})

static void
sync_flushes_the_folders_that_got_names(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    assert_flushed(&s, 0, FOLDERS(""));
    ok(sp_backend_put(s.b, "packs/ab/x", "x", 1, &err));
    ok(sp_backend_put(s.b, "packs/ab/y", "y", 1, &err));
    assert_flushed(&s, 3, FOLDERS("repo/packs/ab", "repo/packs", "repo"));
    assert_flushed(&s, 0, FOLDERS(""));
    ok(sp_backend_put(s.b, "packs/ab/z", "z", 1, &err));
    assert_flushed(&s, 1, FOLDERS("repo/packs/ab"));
    ok(sp_backend_put(s.b, "packs/ac/z", "z", 1, &err));
    assert_flushed(&s, 2, FOLDERS("repo/packs/ac", "repo/packs"));
    /* A folder that was there: whoever made it may not have lived to flush its name. */
    ok(sp_backend_put(s.b, "packs/00/z", "z", 1, &err));
    assert_flushed(&s, 2, FOLDERS("repo/packs/00", "repo/packs"));
    ok(sp_backend_put(s.b, "owner", "z", 1, &err));
    assert_flushed(&s, 1, FOLDERS("repo"));
    ok(sp_backend_move(s.b, "packs/ab/z", "trash/z", &err));
    assert_flushed(&s, 3, FOLDERS("repo/packs/ab", "repo/trash", "repo"));
    /* Nor may who made one that is there already: it is relied on from now on. */
    gives(SP_EXISTS, sp_backend_put(s.b, "packs/ab/x", "x", 1, &err));
    assert_flushed(&s, 1, FOLDERS("repo/packs/ab"));
    /* What failed got no name. */
    gives(SP_ABSENT, sp_backend_move(s.b, "packs/ab/none", "marks/none", &err));
    assert_flushed(&s, 0, FOLDERS(""));
    assert_false(there("repo/marks"));
    store_free(&s);
}

/* A share that had gone was not asked to flush: it is when it is back. */
static void
a_share_that_comes_back_is_flushed(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    ok(sp_backend_put(s.b, "packs/ab/x", "x", 1, &err));
    assert_int_equal(rename(at("repo"), at("away")), 0);
    gives(SP_UNREACHABLE, sp_backend_sync(s.b, &err));
    gives(SP_UNREACHABLE, sp_backend_sync(s.b, &err));
    assert_int_equal(rename(at("away"), at("repo")), 0);
    assert_flushed(&s, 3, FOLDERS("repo/packs/ab", "repo/packs", "repo"));
    store_free(&s);
}

static enum sp_code
count_one(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    (*(size_t *)arg)++;
    return SP_OK;
}

static void
list_packs(struct store *s, size_t want)
{
    size_t n = 0;

    ok(sp_backend_list(s->b, "packs", count_one, &n, &err));
    assert_int_equal(n, want);
}

/* Who named it was killed before its barrier, or has one coming; who lists it relies on it. */
static void
sync_flushes_the_folders_that_were_listed(void **state)
{
    struct store other, s;
    struct timespec long_ago[2];

    (void)state;
    make_repository();
    store_init(&other);
    store_open(&other);
    ok(sp_backend_put(other.b, "packs/ab/x", "x", 1, &err));
    ok(sp_backend_put(other.b, "packs/cd/x", "x", 1, &err));
    (void)clock_gettime(CLOCK_REALTIME, &long_ago[0]);
    long_ago[0].tv_sec -= 2 * 3600;
    long_ago[1] = long_ago[0];
    assert_int_equal(utimensat(AT_FDCWD, at("repo/packs/cd"), long_ago, 0), 0);

    store_init(&s);
    store_open(&s);
    list_packs(&s, 3); /* and one of the making */
    assert_flushed(&s, 4, FOLDERS("repo/packs/ab", "repo/packs/00", "repo/packs", "repo"));
    list_packs(&s, 3);
    assert_flushed(&s, 0, FOLDERS(""));
    /* While this one runs. */
    ok(sp_backend_put(other.b, "packs/cd/y", "y", 1, &err));
    list_packs(&s, 4);
    assert_flushed(&s, 2, FOLDERS("repo/packs/cd", "repo/packs"));
    /* What it is not told of it does not rely on. */
    ok(sp_backend_put(other.b, "packs/ef/y", "y", 1, &err));
    assert_flushed(&s, 0, FOLDERS(""));
    store_free(&s);
    store_free(&other);
}

/* Names an object in a folder, in its place of the listing. */
static enum sp_code
name_meanwhile(void *arg, const char *op, const char *path, struct sp_err *e)
{
    struct store *other = arg;

    (void)e;
    if (strcmp(op, "list") == 0 && strcmp(path, at("repo/packs/cd")) == 0)
        ok(sp_backend_put(other->b, "packs/cd/y", "y", 1, &err));
    return SP_OK;
}

static void
set_time(const char *name, const struct timespec *at_time)
{
    const struct timespec both[2] = {*at_time, *at_time};

    assert_int_equal(utimensat(AT_FDCWD, at(name), both, 0), 0);
}

/* The folder above was read before, and said that nothing had changed for long. */
static void
a_name_given_while_it_is_listed_is_flushed(void **state)
{
    struct store other, s;
    struct timespec now, long_ago;

    (void)state;
    make_repository();
    store_init(&other);
    store_open(&other);
    ok(sp_backend_put(other.b, "packs/cd/x", "x", 1, &err));
    (void)clock_gettime(CLOCK_REALTIME, &now);
    long_ago = now;
    long_ago.tv_sec -= 2 * 3600;
    set_time("repo/packs/cd", &long_ago);
    set_time("repo/packs/00", &long_ago);
    set_time("repo/packs", &long_ago);

    store_init(&s);
    store_open(&s);
    s.table.before = name_meanwhile;
    s.table.arg = &other;
    list_packs(&s, 3);
    s.table.before = meet;
    s.table.arg = &s.faults;
    assert_flushed(&s, 3, FOLDERS("repo/packs/cd", "repo/packs", "repo"));

    /* Clocks of file systems are coarse: two names of one time. */
    set_time("repo/packs/cd", &now);
    list_packs(&s, 3);
    assert_flushed(&s, 1, FOLDERS("repo/packs/cd"));
    ok(sp_backend_put(other.b, "packs/cd/z", "z", 1, &err));
    set_time("repo/packs/cd", &now);
    list_packs(&s, 4);
    assert_flushed(&s, 1, FOLDERS("repo/packs/cd"));
    list_packs(&s, 4);
    assert_flushed(&s, 0, FOLDERS(""));
    store_free(&s);
    store_free(&other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, drop_base)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_flush_that_cannot_be_is_tolerated),
        TEST(another_refusal_than_the_probe_saw_is_not_tolerated),
        TEST(a_broken_flush_is_no_capability),
        TEST(a_file_flush_that_cannot_be_is_named),
        TEST(a_failed_folder_flush_is_final),
        TEST(a_put_goes_in_order),
        TEST(a_failed_step_leaves_nothing),
        TEST(what_was_written_after_a_fault_is_not_published),
        TEST(sync_flushes_the_folders_that_got_names),
        TEST(a_share_that_comes_back_is_flushed),
        TEST(sync_flushes_the_folders_that_were_listed),
        TEST(a_name_given_while_it_is_listed_is_flushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
