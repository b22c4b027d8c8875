/* The dir backend: the contract of all backends, and what only a folder has: how it is opened, what
 * its file system can do, what counts as absent, what it lists, and its tmp/. Flushing: see
 * test_backend_dir_flush.c. */

#include "conformance.h"
#include "dirstore.h"
#include "storage/lease.h"

#include <time.h>

/* --- opening --------------------------------------------------------------------------------- */

static void
an_empty_folder_is_no_repository(void **state)
{
    struct sp_backend *b = NULL;

    (void)state;
    gives(SP_ABSENT, sp_backend_dir_open(&sp_env_system, at("none"), false, &b, &err));
    assert_false(there("none"));
    assert_int_equal(mkdir(at("mnt"), 0700), 0);
    gives(SP_ABSENT, sp_backend_dir_open(&sp_env_system, at("mnt"), false, &b, &err));
    assert_non_null(strstr(err.text, "mounted"));
    assert_int_equal(entries("mnt"), 0);
    assert_int_equal(mkdir(at("mnt/repository.conf"), 0700), 0);
    gives(SP_ABSENT, sp_backend_dir_open(&sp_env_system, at("mnt"), false, &b, &err));
    assert_null(b);
}

static void
create_wants_an_empty_folder(void **state)
{
    struct sp_backend *b = NULL;

    (void)state;
    /* Twice: the first run died before it wrote anything. */
    for (int i = 0; i < 2; i++) {
        ok(sp_backend_dir_open(&sp_env_system, at("a/b/c"), true, &b, &err));
        assert_true(b->caps.writable && b->caps.exclusive);
        assert_true(b->caps.flush_file && b->caps.flush_folder);
        sp_backend_free(b);
    }
    b = NULL;
    write_plain("a/b/c/other", "x");
    gives(SP_EXISTS, sp_backend_dir_open(&sp_env_system, at("a/b/c"), true, &b, &err));
    assert_non_null(strstr(err.text, "other"));
    /* What is not ours alone nobody is told to remove. */
    write_plain("a/b/c/hosts", "x");
    gives(SP_EXISTS, sp_backend_dir_open(&sp_env_system, at("a/b/c"), true, &b, &err));
    assert_null(strstr(err.text, "remove"));
    gives(SP_EXISTS, sp_backend_dir_open(&sp_env_system, at("a/b/c/other"), true, &b, &err));
    make_repository();
    gives(SP_EXISTS, sp_backend_dir_open(&sp_env_system, at("repo"), true, &b, &err));
    assert_null(b);
}

static void
create_flushes_new_folders_above(void **state)
{
    struct store s;

    (void)state;
    store_init(&s);
    ok(sp_backend_dir_open(&s.env, at("x/y/z"), true, &s.b, &err));
    assert_int_equal(faulty_count(&s.table, "sync_dir "), 5); /* the last by the probe */
    assert_non_null(strstr(sp_buf_str(&s.table.log), "/x/y\nsync_dir "));
    assert_non_null(strstr(sp_buf_str(&s.table.log), "/x\nsync_dir "));
    store_free(&s);

    /* Its owner may have made it by hand just now. */
    assert_int_equal(mkdir(at("u"), 0700), 0);
    store_init(&s);
    ok(sp_backend_dir_open(&s.env, at("u"), true, &s.b, &err));
    assert_int_equal(faulty_count(&s.table, "sync_dir "), 2);
    store_free(&s);

    store_init(&s);
    set_fault(&s, 0, "sync_dir", "/v", EIO, 1);
    gives(SP_IO, sp_backend_dir_open(&s.env, at("v/w"), true, &s.b, &err));
    store_free(&s);
}

static void
a_read_only_folder_opens_for_reading(void **state)
{
    static const char *const ops[] = {"create", "mkdir", "publish"};
    static const int numbers[] = {EROFS, EACCES, EPERM};
    char byte;

    (void)state;
    make_repository();
    for (size_t i = 0; i < 3; i++) {
        struct store s;
        struct sp_backend_writer *w;

        store_init(&s);
        set_fault(&s, 0, ops[i], "/tmp", numbers[i], ALWAYS);
        store_open(&s);
        assert_false(s.b->caps.writable);
        assert_false(s.b->caps.exclusive || s.b->caps.flush_file || s.b->caps.flush_folder);
        ok(sp_backend_get(s.b, "packs/00/a", 0, &byte, 1, &err));
        gives(SP_ABSENT, sp_backend_get(s.b, "packs/00/b", 0, &byte, 1, &err));
        gives(SP_DENIED, sp_backend_begin(s.b, &w, &err));
        gives(SP_DENIED, sp_backend_put(s.b, "packs/00/b", "b", 1, &err));
        gives(SP_DENIED, sp_backend_remove(s.b, "packs/00/a", &err));
        gives(SP_DENIED, sp_backend_move(s.b, "packs/00/a", "trash/a", &err));
        ok(sp_backend_sync(s.b, &err));
        sp_backend_free(s.b);
        s.b = NULL;
        gives(SP_DENIED, sp_backend_dir_open(&s.env, at("new"), true, &s.b, &err));
        store_free(&s);
    }
    assert_int_equal(entries("repo/tmp"), 0);
}

/* A repository copied to a medium without its tmp/. */
static void
a_read_only_copy_knows_absence(void **state)
{
    struct store s;
    char byte;

    (void)state;
    make_repository();
    assert_int_equal(rmdir(at("repo/tmp")), 0);
    store_init(&s);
    set_fault(&s, 0, "mkdir", "/tmp", EROFS, ALWAYS);
    store_open(&s);
    assert_false(s.b->caps.writable);
    gives(SP_ABSENT, sp_backend_get(s.b, "packs/00/b", 0, &byte, 1, &err));
    store_free(&s);
}

static void
a_full_store_opens_and_can_be_emptied(void **state)
{
    static const char *const ops[] = {"create", "write_at"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct store s;

        make_repository();
        store_init(&s);
        set_fault(&s, 0, ops[i], "/tmp", i == 0 ? ENOSPC : EDQUOT, ALWAYS);
        store_open(&s);
        assert_true(s.b->caps.writable && s.b->caps.flush_folder && s.b->caps.exclusive);
        gives(SP_FULL, sp_backend_put(s.b, "packs/00/b", "b", 1, &err));
        assert_int_equal(entries("repo/tmp"), 0);
        ok(sp_backend_move(s.b, "packs/00/a", "trash/a", &err));
        ok(sp_backend_sync(s.b, &err));
        ok(sp_backend_remove(s.b, "trash/a", &err));
        store_free(&s);
        ok(sp_os_remove_tree(&sp_os_system, at("repo"), &err));
    }
}

static void
a_lying_store_is_refused(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    store_init(&s);
    s.table.flip_reads = true;
    gives(SP_REFUSED, sp_backend_dir_open(&s.env, at("repo"), false, &s.b, &err));
    assert_non_null(strstr(err.text, "other bytes"));
    store_free(&s);
    assert_int_equal(entries("repo/tmp"), 0);
}

static void
a_publish_that_replaces_is_seen(void **state)
{
    struct store s;
    char bytes[4];

    (void)state;
    make_repository();
    store_init(&s);
    s.table.publish_replaces = true;
    store_open(&s);
    assert_true(s.b->caps.writable);
    assert_false(s.b->caps.exclusive);
    /* Then at least a look comes first. */
    gives(SP_EXISTS, sp_backend_put(s.b, "packs/00/a", "b", 1, &err));
    ok(sp_backend_get(s.b, "packs/00/a", 0, bytes, 4, &err));
    assert_memory_equal(bytes, "aaaa", 4);
    ok(sp_backend_put(s.b, "packs/01/b", "b", 1, &err));
    gives(SP_EXISTS, sp_backend_move(s.b, "packs/01/b", "packs/00/a", &err));
    store_free(&s);
    assert_int_equal(entries("repo/tmp"), 0);
}

/* --- absence and other failures -------------------------------------------------------------- */

static enum sp_code
ignore(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static void
an_unmounted_share_is_not_an_empty_one(void **state)
{
    struct sp_backend *b;
    struct sp_backend_writer *w;
    struct sp_os_space space;
    uint64_t size;
    size_t n = 0;
    char byte;

    (void)state;
    make_repository();
    ok(sp_backend_dir_open(&sp_env_system, at("repo"), false, &b, &err));
    ok(sp_backend_put(b, "packs/11/x", "x", 1, &err));
    ok(sp_backend_begin(b, &w, &err));
    ok(sp_backend_write(b, w, "w", 1, &err));
    /* The mount point below it shows. */
    assert_int_equal(rename(at("repo"), at("elsewhere")), 0);
    assert_int_equal(mkdir(at("repo"), 0700), 0);

    gives(SP_UNREACHABLE, sp_backend_get(b, "packs/00/a", 0, &byte, 1, &err));
    assert_non_null(strstr(err.text, "mounted"));
    gives(SP_UNREACHABLE, sp_backend_size(b, "packs/00/a", &size, &err));
    gives(SP_UNREACHABLE, sp_backend_list(b, "", ignore, &n, &err));
    gives(SP_UNREACHABLE, sp_backend_list(b, "packs", ignore, &n, &err));
    gives(SP_UNREACHABLE, sp_backend_remove(b, "packs/00/a", &err));
    gives(SP_UNREACHABLE, sp_backend_move(b, "packs/00/a", "trash/a", &err));
    gives(SP_UNREACHABLE, sp_backend_put(b, "packs/00/b", "b", 1, &err));
    gives(SP_UNREACHABLE, sp_backend_space(b, &space, &err));
    gives(SP_UNREACHABLE, sp_backend_publish(b, w, "packs/00/b", &err));
    gives(SP_UNREACHABLE, sp_backend_sync(b, &err));
    assert_int_equal(n, 0);
    assert_int_equal(entries("repo"), 0);
    sp_backend_free(b);
}

static void
absent_is_only_what_the_store_said(void **state)
{
    static const struct {
        int number;
        enum sp_code code;
    } cases[] = {{EIO, SP_IO}, {EACCES, SP_DENIED}, {ESTALE, SP_UNREACHABLE},
        {ENOTCONN, SP_UNREACHABLE}, {ETIMEDOUT, SP_TIMEOUT}};
    struct store s;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t size;
        size_t n = 0;
        char byte;

        set_fault(&s, 0, "open_read", "/packs", cases[i].number, ALWAYS);
        set_fault(&s, 1, "stat", "/packs", cases[i].number, ALWAYS);
        set_fault(&s, 2, "list", "/packs", cases[i].number, ALWAYS);
        set_fault(&s, 3, "remove", "/packs", cases[i].number, ALWAYS);
        gives(cases[i].code, sp_backend_get(s.b, "packs/00/none", 0, &byte, 1, &err));
        gives(cases[i].code, sp_backend_size(s.b, "packs/00/none", &size, &err));
        gives(cases[i].code, sp_backend_list(s.b, "packs", ignore, &n, &err));
        gives(cases[i].code, sp_backend_list(s.b, "", ignore, &n, &err));
        gives(cases[i].code, sp_backend_remove(s.b, "packs/00/none", &err));
        gives(cases[i].code, sp_backend_move(s.b, "packs/00/none", "trash/x", &err));
        /* Nothing is known of the folder either: no way to call the object absent. */
        set_fault(&s, 0, "stat", "/repo/tmp", cases[i].number, ALWAYS);
        gives(cases[i].code, sp_backend_get(s.b, "keys/none", 0, &byte, 1, &err));
        gives(cases[i].code, sp_backend_list(s.b, "keys", ignore, &n, &err));
    }
    store_free(&s);
}

static void
a_link_is_no_object(void **state)
{
    struct sp_backend *b;
    uint64_t size;
    size_t n = 0;
    char byte;

    (void)state;
    make_repository();
    write_plain("outside", "secret");
    assert_int_equal(symlink(at("outside"), at("repo/packs/00/l")), 0);
    ok(sp_backend_dir_open(&sp_env_system, at("repo"), false, &b, &err));
    gives(SP_REFUSED, sp_backend_get(b, "packs/00/l", 0, &byte, 1, &err));
    gives(SP_REFUSED, sp_backend_size(b, "packs/00/l", &size, &err));
    ok(sp_backend_list(b, "packs", ignore, &n, &err));
    assert_int_equal(n, 1);
    gives(SP_EXISTS, sp_backend_put(b, "packs/00/l", "x", 1, &err));
    sp_backend_free(b);
}

/* --- listing --------------------------------------------------------------------------------- */

static void
what_is_not_ours_is_not_listed(void **state)
{
    struct sp_backend *b;
    size_t n = 0;

    (void)state;
    make_repository();
    write_plain("repo/Thumbs.db", "x");
    write_plain("repo/packs/00/A B", "x");
    write_plain("repo/tmp/unfinished", "x");
    assert_int_equal(mkdir(at("repo/@eaDir"), 0700), 0);
    write_plain("repo/@eaDir/x", "x");
    assert_int_equal(mkdir(at("repo/a"), 0700), 0);
    assert_int_equal(mkdir(at("repo/a/b"), 0700), 0);
    assert_int_equal(mkdir(at("repo/a/b/c"), 0700), 0);
    assert_int_equal(mkdir(at("repo/a/b/c/d"), 0700), 0);
    write_plain("repo/a/b/c/d/too-deep", "x");
    ok(sp_backend_dir_open(&sp_env_system, at("repo"), false, &b, &err));
    ok(sp_backend_list(b, "", ignore, &n, &err));
    assert_int_equal(n, 2);
    sp_backend_free(b);
}

/* A folder that was there when the one above was listed goes before it is listed itself. */
static enum sp_code
vanish(void *arg, const char *op, const char *path, struct sp_err *e)
{
    (void)arg;
    if (strcmp(op, "list") == 0 && strstr(path, "/packs/00") != NULL)
        return sp_os_remove_tree(&sp_os_system, at("repo/packs/00"), e);
    return SP_OK;
}

static void
a_folder_may_vanish_while_it_is_listed(void **state)
{
    struct store s;
    size_t n = 0;

    (void)state;
    make_repository();
    store_init(&s);
    store_open(&s);
    s.table.before = vanish;
    ok(sp_backend_list(s.b, "", ignore, &n, &err));
    assert_int_equal(n, 1);
    store_free(&s);
}

/* --- a scanner that holds a new file --------------------------------------------------------- */

struct scanner {
    unsigned refusals, tries;
    int os;
};

static enum sp_code
scan(void *arg, const char *op, const char *path, struct sp_err *e)
{
    struct scanner *c = arg;

    if (strcmp(op, "publish") != 0 || strstr(path, "/packs/") == NULL || c->tries++ >= c->refusals)
        return SP_OK;
    return sp_fail_os(e, SP_DOM_STORE, c->os, "cannot publish %s", path);
}

static void
a_name_is_given_when_the_scanner_lets_go(void **state)
{
    static const struct {
        int os;
        unsigned refusals, tries;
        enum sp_code want;
    } cases[] = {{EBUSY, 3, 4, SP_OK}, {ETXTBSY, 1, 2, SP_OK}, {EACCES, 3, 4, SP_OK},
        {EPERM, 1, 1, SP_DENIED}, {EROFS, 1, 1, SP_DENIED}, {EIO, 1, 1, SP_IO},
        {ENOSPC, 1, 1, SP_FULL}, {EBUSY, 99, 10, SP_BUSY}};

    (void)state;
    make_repository();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scanner c = {cases[i].refusals, 0, cases[i].os};
        char name[32];
        struct store s;

        store_init(&s);
        store_open(&s);
        (void)snprintf(name, sizeof(name), "packs/01/first%zu", i); /* makes the folder */
        ok(sp_backend_put(s.b, name, "x", 1, &err));
        s.table.before = scan;
        s.table.arg = &c;
        (void)snprintf(name, sizeof(name), "packs/01/%zu", i);
        assert_int_equal(sp_backend_put(s.b, name, "x", 1, &err), cases[i].want);
        assert_int_equal(c.tries, cases[i].tries);
        store_free(&s);
    }
}

/* --- tmp/ ------------------------------------------------------------------------------------ */

static void
age(const char *rest, int minutes)
{
    struct timespec times[2];

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
    times[0].tv_sec -= (time_t)minutes * 60;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, at(rest), times, 0), 0);
}

#define OLD "repo/tmp/00112233445566778899aabbccddeeff-17"
#define OLD_PROBE "repo/tmp/probe-00112233445566778899aabbccddeeff-0"
#define OLD_FORM "repo/tmp/ee112233445566778899aabbccddeeff" /* as they were once called */
#define YOUNG "repo/tmp/ff112233445566778899aabbccddeeff-1"
#define FOREIGN "repo/tmp/somebody's"

static void
old_temporary_files_go(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    write_plain(OLD, "x");
    write_plain(OLD_PROBE, "x");
    write_plain(OLD_FORM, "x");
    write_plain(YOUNG, "x");
    write_plain(FOREIGN, "x");
    age(OLD, 121);
    age(OLD_PROBE, 121);
    age(OLD_FORM, 121);
    age(YOUNG, 119);
    age(FOREIGN, 100000);

    /* Not while nothing can be written. */
    store_init(&s);
    set_fault(&s, 0, "create", "/tmp", EROFS, ALWAYS);
    store_open(&s);
    sp_lease_sweep(s.b);
    store_free(&s);
    assert_true(there(OLD));

    store_init(&s);
    store_open(&s);
    sp_lease_sweep(s.b);
    store_free(&s);
    assert_false(there(OLD));
    assert_false(there(OLD_PROBE));
    assert_false(there(OLD_FORM));
    assert_true(there(YOUNG));
    assert_true(there(FOREIGN));

    /* By the folder's clock, which here is two hours ahead of ours (R9). */
    store_init(&s);
    s.table.stat_skew_ns = 2 * 3600 * SP_SECOND;
    store_open(&s);
    sp_lease_sweep(s.b);
    store_free(&s);
    assert_false(there(YOUNG));
    assert_int_equal(entries("repo/tmp"), 1);
}

static void
an_old_file_that_stays_stops_nobody(void **state)
{
    struct store s;

    (void)state;
    make_repository();
    write_plain(OLD, "x");
    write_plain(OLD_PROBE, "x");
    age(OLD, 1000);
    age(OLD_PROBE, 1000);
    store_init(&s);
    set_fault(&s, 0, "remove", "/00112233", EACCES, ALWAYS);
    store_open(&s);
    assert_true(s.b->caps.writable);
    sp_lease_sweep(s.b);
    assert_true(there(OLD));
    assert_false(there(OLD_PROBE)); /* the others go */
    store_free(&s);
}

static void
tmp_is_made_again(void **state)
{
    struct sp_backend *b;
    uint64_t size;

    (void)state;
    make_repository();
    ok(sp_backend_dir_open(&sp_env_system, at("repo"), false, &b, &err));
    assert_int_equal(rmdir(at("repo/tmp")), 0);
    ok(sp_backend_put(b, "packs/00/x", "x", 1, &err));
    ok(sp_backend_size(b, "packs/00/x", &size, &err));
    sp_backend_free(b);
}

static void
an_unfinished_file_that_vanished_is_no_absence(void **state)
{
    struct sp_backend *b;
    struct sp_backend_writer *w;

    (void)state;
    make_repository();
    ok(sp_backend_dir_open(&sp_env_system, at("repo"), false, &b, &err));
    ok(sp_backend_begin(b, &w, &err));
    ok(sp_os_remove_tree(&sp_os_system, at("repo/tmp"), &err));
    assert_int_equal(mkdir(at("repo/tmp"), 0700), 0);
    gives(SP_IO, sp_backend_publish(b, w, "packs/77/x", &err));
    assert_false(there("repo/packs/77"));
    sp_backend_free(b);
}

/* --------------------------------------------------------------------------------------------- */

static enum sp_code
conform_make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    static int number;
    char *path = arg;

    (void)snprintf(path, 400, "%s/conform-%d", base, number++);
    return sp_backend_dir_open(&sp_env_system, path, true, ret, e);
}

static enum sp_code
conform_again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    return sp_backend_dir_open(&sp_env_system, arg, false, ret, e);
}

int
main(void)
{
    char path[400];
    const struct conformance c = {
        .kind = "dir", .make = conform_make, .again = conform_again, .arg = path};
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, drop_base)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_folder_is_no_repository),
        TEST(create_wants_an_empty_folder),
        TEST(create_flushes_new_folders_above),
        TEST(a_read_only_folder_opens_for_reading),
        TEST(a_read_only_copy_knows_absence),
        TEST(a_full_store_opens_and_can_be_emptied),
        TEST(a_lying_store_is_refused),
        TEST(a_publish_that_replaces_is_seen),
        TEST(an_unmounted_share_is_not_an_empty_one),
        TEST(absent_is_only_what_the_store_said),
        TEST(a_link_is_no_object),
        TEST(what_is_not_ours_is_not_listed),
        TEST(a_folder_may_vanish_while_it_is_listed),
        TEST(a_name_is_given_when_the_scanner_lets_go),
        TEST(old_temporary_files_go),
        TEST(an_old_file_that_stays_stops_nobody),
        TEST(tmp_is_made_again),
        TEST(an_unfinished_file_that_vanished_is_no_absence),
    };
    void *state = NULL;
    int failed;

    if (make_base(&state) != 0)
        return 1;
    failed = conformance_run(&c);
    if (drop_base(&state) != 0)
        return 1;
    return failed + cmocka_run_group_tests_name("dir only", tests, NULL, NULL);
}
