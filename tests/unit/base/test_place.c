#include "support.h"

#include <pwd.h>
#include <unistd.h>

static void
set(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void
place_is(enum sp_os_place which, const char *want)
{
    char *p = NULL;

    assert_ok(sp_os_place(which, &p, e));
    assert_string_equal(p, want);
    free(p);
}

static void
clear(void)
{
    set("STILLPOINT_CONFIG_DIR", NULL);
    set("STILLPOINT_STATE_DIR", NULL);
    set("STILLPOINT_CACHE_DIR", NULL);
    set("XDG_CONFIG_HOME", NULL);
    set("XDG_STATE_HOME", NULL);
    set("XDG_CACHE_HOME", NULL);
    set("HOME", "/home/someone");
}

static void
own_variables_come_first(void **state)
{
    char cwd[4096], want[5000];

    (void)state;
    clear();
    set("XDG_CONFIG_HOME", "/xdg");
    set("STILLPOINT_CONFIG_DIR", "/c/../conf//x/");
    set("STILLPOINT_STATE_DIR", "/s");
    set("STILLPOINT_CACHE_DIR", "rel/./dir");
    place_is(SP_PLACE_CONFIG, "/conf/x");
    place_is(SP_PLACE_STATE, "/s");
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    (void)snprintf(want, sizeof(want), "%s/rel/dir", strcmp(cwd, "/") == 0 ? "" : cwd);
    place_is(SP_PLACE_CACHE, want);
}

static void
root_has_the_systems_folders(void **state)
{
    (void)state;
    if (!sp_os_is_admin())
        skip();
    clear();
    set("XDG_CONFIG_HOME", "/xdg");
    set("STILLPOINT_CONFIG_DIR", "");
    place_is(SP_PLACE_CONFIG, "/etc/stillpoint");
    place_is(SP_PLACE_STATE, "/var/lib/stillpoint");
    place_is(SP_PLACE_CACHE, "/var/cache/stillpoint");
}

static void
a_user_has_xdg_folders(void **state)
{
    (void)state;
    clear();
    /* As root, the test is somebody else for a moment. */
    if (sp_os_is_admin() && seteuid(65534) != 0)
        skip();
    assert_false(sp_os_is_admin());
    place_is(SP_PLACE_CONFIG, "/home/someone/.config/stillpoint");
    place_is(SP_PLACE_STATE, "/home/someone/.local/state/stillpoint");
    place_is(SP_PLACE_CACHE, "/home/someone/.cache/stillpoint");
    set("XDG_CONFIG_HOME", "/xdg/c");
    set("XDG_STATE_HOME", "relative");
    set("XDG_CACHE_HOME", "");
    place_is(SP_PLACE_CONFIG, "/xdg/c/stillpoint");
    place_is(SP_PLACE_STATE, "/home/someone/.local/state/stillpoint");
    place_is(SP_PLACE_CACHE, "/home/someone/.cache/stillpoint");
    /* Without HOME, what the system knows of the user. */
    for (int i = 0; i < 2; i++) {
        const struct passwd *pw = getpwuid(geteuid());
        struct sp_err err = {0};
        char *p = NULL, want[5000];
        enum sp_code rc;

        set("HOME", i == 0 ? NULL : "relative");
        rc = sp_os_place(SP_PLACE_STATE, &p, &err);
        if (pw == NULL) {
            assert_int_equal(rc, SP_ABSENT);
            assert_non_null(strstr(err.text, "HOME"));
            continue;
        }
        assert_int_equal(rc, SP_OK);
        (void)snprintf(want, sizeof(want), "%s/.local/state/stillpoint", pw->pw_dir);
        assert_string_equal(p, want);
        free(p);
    }
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
}

static void
absolute_paths(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {{"/", "/"}, {"//", "/"}, {"/a", "/a"}, {"/a/", "/a"}, {"//a//b///", "/a/b"},
        {"/a/./b/.", "/a/b"}, {"/a/../b", "/b"}, {"/..", "/"}, {"/../../a", "/a"},
        {"/a/b/../..", "/"}, {"/a/...", "/a/..."}, {"/.a/b..", "/.a/b.."}};
    char *p = NULL, cwd[4096], want[5000];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ok(sp_os_absolute(cases[i].in, &p, e));
        assert_string_equal(p, cases[i].out);
        free(p);
    }
    p = NULL;
    assert_code(SP_INVALID, sp_os_absolute("", &p, e));
    assert_null(p);
    assert_int_equal(chdir("/tmp"), 0);
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    (void)snprintf(want, sizeof(want), "%s/x", cwd);
    assert_ok(sp_os_absolute("./y/../x", &p, e));
    assert_string_equal(p, want);
    free(p);
    assert_ok(sp_os_absolute(".", &p, e));
    assert_string_equal(p, cwd);
    free(p);
    assert_int_equal(chdir("/"), 0);
    assert_ok(sp_os_absolute("x", &p, e));
    assert_string_equal(p, "/x");
    free(p);
}

static void
the_machine_has_a_name(void **state)
{
    char *p, want[300] = "";

    (void)state;
    assert_int_equal(gethostname(want, sizeof(want) - 1), 0);
    assert_ok(sp_os_hostname(&p, e));
    assert_string_equal(p, want);
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_variables_come_first),
        cmocka_unit_test(root_has_the_systems_folders),
        cmocka_unit_test(a_user_has_xdg_folders),
        cmocka_unit_test(absolute_paths),
        cmocka_unit_test(the_machine_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
