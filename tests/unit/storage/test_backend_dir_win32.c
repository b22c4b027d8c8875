/* The dir backend on Windows: the contract of all backends, and what the numbers of Windows do to
 * it. test_backend_dir.c asks the same with those of POSIX. */

#include "conformance.h"
#include "dirstore.h"

#include <windows.h>

#include "base/sys_win32.h"

static unsigned made;

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    char name[40];

    (void)arg;
    (void)snprintf(name, sizeof(name), "conformance-%u", ++made);
    return sp_backend_dir_open(&sp_env_system, at(name), true, ret, e);
}

static enum sp_code
again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    char name[40];

    (void)arg;
    (void)snprintf(name, sizeof(name), "conformance-%u", made);
    return sp_backend_dir_open(&sp_env_system, at(name), false, ret, e);
}

static void
a_write_protected_medium_opens_for_reading(void **state)
{
    static const char *const ops[] = {"create", "mkdir", "publish"};
    static const int numbers[] = {
        ERROR_WRITE_PROTECT, ERROR_ACCESS_DENIED, ERROR_PRIVILEGE_NOT_HELD};
    char byte;

    (void)state;
    make_repository();
    for (size_t i = 0; i < 3; i++) {
        struct store s;

        store_init(&s);
        set_fault(&s, 0, ops[i], "/tmp", numbers[i], ALWAYS);
        store_open(&s);
        assert_false(s.b->caps.writable);
        ok(sp_backend_get(s.b, "packs/00/a", 0, &byte, 1, &err));
        gives(SP_ABSENT, sp_backend_get(s.b, "packs/00/b", 0, &byte, 1, &err));
        gives(SP_ABSENT, sp_backend_get(s.b, "packs/00/a/b", 0, &byte, 1, &err));
        gives(SP_ABSENT, sp_backend_get(s.b, "packs/00", 0, &byte, 1, &err));
        gives(SP_DENIED, sp_backend_put(s.b, "packs/00/b", "b", 1, &err));
        store_free(&s);
    }
}

static void
a_name_is_given_when_the_scanner_lets_go(void **state)
{
    static const struct {
        int os, refusals;
        enum sp_code want;
    } cases[] = {{ERROR_SHARING_VIOLATION, 3, SP_OK}, {ERROR_LOCK_VIOLATION, 1, SP_OK},
        {ERROR_ACCESS_DENIED, 3, SP_OK}, {ERROR_WRITE_PROTECT, 1, SP_DENIED},
        {ERROR_PRIVILEGE_NOT_HELD, 1, SP_DENIED}, {ERROR_CRC, 1, SP_IO},
        {ERROR_DISK_FULL, 1, SP_FULL}, {ERROR_NETNAME_DELETED, 1, SP_UNREACHABLE},
        {ERROR_SHARING_VIOLATION, 99, SP_BUSY}};

    (void)state;
    make_repository();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[32];
        struct store s;

        store_init(&s);
        store_open(&s);
        (void)snprintf(name, sizeof(name), "packs/01/%zu", i);
        set_fault(&s, 0, "publish", "/packs/", cases[i].os, cases[i].refusals);
        assert_int_equal(sp_backend_put(s.b, name, "x", 1, &err), cases[i].want);
        if (cases[i].want == SP_OK)
            assert_int_equal(s.faults.list[0].times, 0);
        else
            assert_int_equal(s.faults.list[0].times, cases[i].refusals == 99 ? 89 : 0);
        store_free(&s);
    }
}

/* What the probe saw of flushing folders is tolerated, exactly that: no other number, never a
 * failure. */
static void
only_what_the_probe_saw_is_tolerated(void **state)
{
    static const int cannot[] = {ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED,
        ERROR_INVALID_PARAMETER, ERROR_CALL_NOT_IMPLEMENTED};

    (void)state;
    make_repository();
    for (size_t i = 0; i < 4; i++) {
        struct store s;

        store_init(&s);
        set_fault(&s, 0, "sync_dir", "/", cannot[i], ALWAYS);
        store_open(&s);
        assert_true(s.b->caps.writable);
        assert_false(s.b->caps.flush_folder);
        ok(sp_backend_put(s.b, (char[]){'o', (char)('a' + i), '\0'}, "b", 1, &err));
        ok(sp_backend_sync(s.b, &err));
        ok(sp_backend_put(s.b, (char[]){'p', (char)('a' + i), '\0'}, "b", 1, &err));
        set_fault(&s, 0, "sync_dir", "/", cannot[(i + 1) % 4], ALWAYS);
        assert_true(sp_backend_sync(s.b, &err) != SP_OK);
        store_free(&s);
    }
    for (size_t i = 0; i < 3; i++) {
        const int failures[] = {ERROR_IO_DEVICE, ERROR_NETNAME_DELETED, ERROR_WRITE_FAULT};
        struct store s;

        store_init(&s);
        set_fault(&s, 0, "sync_dir", "/", failures[i], ALWAYS);
        assert_true(sp_backend_dir_open(&s.env, at("repo"), false, &s.b, &err) != SP_OK);
        store_free(&s);
    }
}

/* A scanner in another part of the machine, and no double: a new object is held for 300 ms. */
static void
a_held_object_is_removed(void **state)
{
    struct sp_backend *b = NULL;
    wchar_t *path = NULL;
    HANDLE h;

    (void)state;
    make_repository();
    ok(sp_backend_dir_open(&sp_env_system, at("repo"), false, &b, &err));
    ok(sp_win32_path(at("repo/packs/00/a"), &path, &err));
    h = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(h != INVALID_HANDLE_VALUE);
    gives(SP_BUSY, sp_backend_remove(b, "packs/00/a", &err));
    assert_true(CloseHandle(h));
    ok(sp_backend_remove(b, "packs/00/a", &err));
    free(path);
    sp_backend_free(b);
}

int
main(void)
{
    struct conformance c = {.kind = "folder", .make = make, .again = again};
#define TEST(test) cmocka_unit_test_setup_teardown(test, make_base, drop_base)
    const struct CMUnitTest tests[] = {
        TEST(a_write_protected_medium_opens_for_reading),
        TEST(a_name_is_given_when_the_scanner_lets_go),
        TEST(only_what_the_probe_saw_is_tolerated),
        TEST(a_held_object_is_removed),
    };
    void *state = NULL;
    int failed;

    if (make_base(&state) != 0)
        return 1;
    failed = conformance_run(&c);
    if (drop_base(&state) != 0)
        return 1;
    return failed + cmocka_run_group_tests_name("dir on Windows", tests, NULL, NULL);
}
