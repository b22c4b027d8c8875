/* What is asked beside VSS: volumes of a cluster, and the event logs; against a resutils.dll and a
 * wevtapi.dll of the tests (run.sh). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "vss/api.h"

#define SHARED "\\\\?\\Volume{c1c1c1c1-0000-0000-0000-000000000001}\\"

static struct sp_err err;

static void
covered(const char *path, const char *mount, const char *volume)
{
    const struct sp_vss_api *api = sp_vss_here();
    char *its_mount, *its_volume;

    assert_int_equal(api->covering(api->self, path, &its_mount, &its_volume, &err), SP_OK);
    assert_string_equal(its_mount, mount);
    if (volume != NULL)
        assert_string_equal(its_volume, volume);
    else
        assert_string_not_equal(its_volume, SHARED);
    free(its_mount);
    free(its_volume);
}

struct found {
    const char *mount;
    unsigned n;
};

static enum sp_code
look(void *arg, const char *mount, const char *volume, struct sp_err *e)
{
    struct found *f = arg;

    (void)e;
    if (strcmp(volume, SHARED) == 0) {
        assert_string_equal(mount, f->mount);
        f->n++;
    }
    return SP_OK;
}

static unsigned
below(const char *path, const char *mount)
{
    const struct sp_vss_api *api = sp_vss_here();
    struct found f = {mount, 0};

    assert_int_equal(api->below(api->self, path, look, &f, &err), SP_OK);
    return f.n;
}

static void
volumes_of_a_cluster_have_names(void **state)
{
    (void)state;
    assert_true(CreateDirectoryW(L"C:\\ClusterStorage", NULL));
    assert_true(CreateDirectoryW(L"C:\\ClusterStorage\\Volume1", NULL));
    assert_true(CreateDirectoryW(L"C:\\ClusterStorage\\Volume1\\vms", NULL));
    assert_true(CreateDirectoryW(L"C:\\ClusterStorage\\folder", NULL));
    covered("C:\\ClusterStorage\\Volume1\\vms\\web01.vhdx", "C:\\ClusterStorage\\Volume1", SHARED);
    covered("c:\\clusterstorage\\volume1", "C:\\ClusterStorage\\Volume1", SHARED);
    covered("C:\\ClusterStorage\\Volume10", "C:\\", NULL);
    covered("C:\\ClusterStorage\\folder\\x", "C:\\", NULL);
    covered("C:\\ClusterStorage", "C:\\", NULL);
    covered("C:\\windows", "C:\\", NULL);
    assert_int_equal(below("C:\\", "C:\\ClusterStorage\\Volume1"), 1);
    assert_int_equal(below("C:\\clusterstorage", "C:\\clusterstorage\\Volume1"), 1);
    assert_int_equal(below("C:\\ClusterStorage\\folder", ""), 0);
    assert_int_equal(below("C:\\windows", ""), 0);
}

static struct sp_verdict_event seen[8];
static size_t nseen, wanted;

static enum sp_code
keep(void *arg, const struct sp_verdict_event *event, struct sp_err *e)
{
    (void)arg;
    if (nseen == wanted)
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
    seen[nseen] = *event;
    seen[nseen].log = strdup(event->log);
    seen[nseen].source = strdup(event->source);
    seen[nseen++].text = strdup(event->text);
    return SP_OK;
}

static void
forget(void)
{
    while (nseen > 0) {
        nseen--;
        free(seen[nseen].log);
        free(seen[nseen].source);
        free(seen[nseen].text);
    }
}

static void
is(const struct sp_verdict_event *e, const char *log, const char *source, uint32_t id,
    uint32_t severity, const char *text)
{
    assert_string_equal(e->log, log);
    assert_string_equal(e->source, source);
    assert_int_equal(e->id, id);
    assert_int_equal(e->severity, severity);
    assert_string_equal(e->text, text);
    assert_int_equal(e->at_ns, INT64_C(1795341660) * 1000000000);
}

static enum sp_code
ask(size_t at_most)
{
    static const char *const writers[] = {"Microsoft Hyper-V VSS Writer", "SqlServerWriter"};
    const struct sp_vss_api *api = sp_vss_here();

    wanted = at_most;
    return api->events(api->self, INT64_C(1795341600) * 1000000000 + 250000000,
        INT64_C(1795341900) * 1000000000, writers, 2, keep, NULL, &err);
}

typedef int opened(void);

static void
nothing_is_left_open(void)
{
    HMODULE dll = GetModuleHandleW(L"wevtapi.dll");
    opened *call =
        dll != NULL ? (opened *)(void (*)(void))GetProcAddress(dll, "WevtTestOpen") : NULL;

    assert_non_null(call);
    assert_int_equal(call(), 0);
}

static void
events_around_a_shadow_are_told(void **state)
{
    (void)state;
    assert_int_equal(ask(8), SP_OK);
    assert_int_equal(nseen, 4);
    is(&seen[0], "System", "volsnap", 25, 2, "The shadow copies of volume C: were aborted.");
    is(&seen[1], "Application", "VSS", 8194, 2, "0x80070005"); /* no message: what it came with */
    is(&seen[2], "Application", "SQLVDI", 1, 3, "of SQL  Server");
    is(&seen[3], "Microsoft-Windows-Hyper-V-VMMS-Admin", "Microsoft-Windows-Hyper-V-VMMS", 18590, 4,
        "a checkpoint");
    forget();
    nothing_is_left_open();
}

static void
who_has_enough_ends_it(void **state)
{
    (void)state;
    assert_int_equal(ask(1), SP_CANCELLED);
    assert_int_equal(nseen, 1);
    forget();
    nothing_is_left_open();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volumes_of_a_cluster_have_names),
        cmocka_unit_test(events_around_a_shadow_are_told),
        cmocka_unit_test(who_has_enough_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
