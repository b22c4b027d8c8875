/* VSS as a shadow source (vss/shadow.h), its journals and its janitor, over the model. */

#include "tests/unit/vss/requester_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "vss/journal.h"
#include "vss/pattern.h"
#include "vss/shadow.h"

static const struct sp_vss_api *here; /* as the platform would give it */

const struct sp_vss_api *
sp_vss_here(void)
{
    return here;
}

static struct sp_shadow_root roots[2];
static struct sp_shadow *s;

static struct sp_shadow_options
options(struct kit *k, enum sp_shadow_want want)
{
    for (int i = 0; i < 2; i++)
        roots[i] = (struct sp_shadow_root){k->keys[i].data, k->keys[i].len};
    here = k->api;
    return (struct sp_shadow_options){.roots = roots,
        .nroots = 2,
        .want = want,
        .journal_dir = k->journal,
        .limits = &k->o.limits,
        .say = k->o.say,
        .cancelled = k->o.cancelled,
        .arg = k};
}

static enum sp_code
plan(struct kit *k, const struct sp_shadow_options *o)
{
    s = NULL;
    return sp_shadow_plan(&sp_env_system, o, &s, &k->err);
}

static enum sp_code
take(struct kit *k, enum sp_shadow_want want)
{
    struct sp_shadow_options o = options(k, want);
    enum sp_code rc = plan(k, &o);

    return rc == SP_OK ? sp_shadow_take(s, &k->err) : rc;
}

static void
release(struct kit *k)
{
    assert_int_equal(sp_shadow_release(s, &k->err), SP_OK);
    s = NULL;
}

/* --- taking ---------------------------------------------------------------------------------- */

static void
test_the_instant(void **state)
{
    const struct sp_shadow_volume *v;
    struct kit k;
    bool well = false;

    (void)state;
    kit_new(&k);
    kit_write(k.c, "a", "frozen");
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(take(&k, SP_SHADOW_AUTO), SP_OK);
    kit_write(k.c, "a", "changed");
    assert_int_equal(sp_shadow_count(s), 2);
    for (size_t i = 0; i < 2; i++) {
        v = sp_shadow_volume(s, i);
        assert_int_equal(v->key_len, k.keys[i].len);
        assert_memory_equal(v->key, k.keys[i].data, v->key_len);
        assert_string_equal(v->source, "vss");
        assert_int_equal(v->level, SP_LEVEL_CRASH);
        assert_string_equal(v->reason, "");
        assert_true(v->instant_ns != 0);
        assert_false(v->failed || v->pseudo);
    }
    kit_expect(sp_shadow_volume(s, 0)->read_path, "a", "frozen");
    kit_expect(k.c, "a", "changed");
    assert_int_equal(sp_shadow_weakest(s), SP_LEVEL_CRASH);
    assert_true(sp_shadow_verdict(s)->vss);
    assert_false(sp_shadow_verdict(s)->confirmed);
    assert_int_equal(sp_shadow_finish(s, true, &k.err), SP_OK);
    assert_true(sp_shadow_verdict(s)->confirmed);
    assert_true(model_succeeded(k.m, "DB", &well) && well);
    kit_expect(sp_shadow_volume(s, 0)->read_path, "a", "frozen"); /* until release */
    release(&k);
    kit_free(&k);
}

static void
test_not_committed(void **state)
{
    struct kit k;
    bool well;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(take(&k, SP_SHADOW_REQUIRE), SP_OK);
    assert_int_equal(sp_shadow_finish(s, false, &k.err), SP_OK);
    release(&k);
    assert_int_equal(kit_count(&k, "abort"), 1);
    assert_false(model_succeeded(k.m, "DB", &well));
    kit_check(&k);
    assert_int_equal(take(&k, SP_SHADOW_AUTO), SP_OK); /* and without finish */
    release(&k);
    assert_int_equal(kit_count(&k, "abort"), 2);
    kit_free(&k);
}

/* --- what cannot be had ---------------------------------------------------------------------- */

static void
expect_live(bool failed, const char *reason)
{
    assert_int_equal(sp_shadow_count(s), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct sp_shadow_volume *v = sp_shadow_volume(s, i);

        assert_null(v->read_path);
        assert_int_equal(v->level, SP_LEVEL_LIVE);
        assert_string_equal(v->source, "none");
        assert_int_equal(v->instant_ns, 0);
        assert_int_equal(v->failed, failed);
        if (strstr(v->reason, reason) == NULL)
            fail_msg("'%s' is not the reason: '%s'", reason, v->reason);
    }
    assert_int_equal(sp_shadow_weakest(s), SP_LEVEL_LIVE);
}

/* A machine without VSS is read live and says why; whoever asked for more is refused. */
static void
test_vss_cannot_start(void **state)
{
    static const char *const starts[] = {"no-start \"the service VSS is disabled\"\n",
        "no-start \"the service VSS is disabled\" denied\n"};
    struct sp_vss_pattern *asked = NULL;
    struct sp_shadow_options o;
    struct kit k;

    (void)state;
    for (int i = 0; i < 2; i++) {
        kit_new(&k);
        KIT_MACHINE(&k, SMALL, starts[i]);
        assert_int_equal(take(&k, SP_SHADOW_AUTO), SP_OK);
        expect_live(false, "the service VSS is disabled");
        assert_false(sp_shadow_verdict(s)->vss);
        assert_int_equal(sp_shadow_finish(s, true, &k.err), SP_OK);
        release(&k);
        assert_int_equal(take(&k, SP_SHADOW_REQUIRE), i == 0 ? SP_UNSUPPORTED : SP_DENIED);
        assert_null(s);
        assert_non_null(strstr(k.err.text, "the service VSS is disabled"));
        o = options(&k, SP_SHADOW_AUTO);
        assert_int_equal(sp_vss_pattern_new("vm:web01", &asked, &k.err), SP_OK);
        o.asked = &asked;
        o.nasked = 1;
        assert_int_equal(plan(&k, &o), i == 0 ? SP_UNSUPPORTED : SP_DENIED);
        assert_null(s);
        sp_vss_pattern_free(asked);
        kit_free(&k);
    }
}

/* VSS is there, was asked, and failed: never in silence (R30). */
static void
test_vss_fails(void **state)
{
    static const char *const faults[] = {"fail do_snapshot.async 0x80042306\n",
        "fail gather_metadata 0x8000ffff\n", "pend prepare.async forever\n"};
    struct kit k;

    (void)state;
    for (int i = 0; i < 3; i++) {
        kit_new(&k);
        KIT_MACHINE(&k, SMALL, faults[i]);
        assert_int_equal(take(&k, SP_SHADOW_AUTO), SP_OK);
        expect_live(true, "VSS");
        assert_true(kit_said(&k, sp_shadow_volume(s, 0)->reason));
        if (i != 1) {
            assert_true(sp_shadow_verdict(s)->vss);
            for (size_t c = 0; c < sp_shadow_verdict(s)->ncomponents; c++)
                assert_int_equal(sp_shadow_verdict(s)->components[c].level, SP_LEVEL_LIVE);
        }
        assert_int_equal(sp_shadow_finish(s, true, &k.err), SP_OK);
        release(&k);
        kit_free(&k);

        kit_new(&k);
        KIT_MACHINE(&k, SMALL, faults[i]);
        assert_int_not_equal(take(&k, SP_SHADOW_REQUIRE), SP_OK);
        release(&k);
        kit_free(&k);
    }
}

static void
test_required_and_one_volume_cannot(void **state)
{
    static const char *const volumes[] = {
        "volume \"\\\\?\\Volume{f0000000-0000-4000-8000-000000000004}\\\" @C@/odd remote\n",
        "volume \"\\\\?\\Volume{f0000000-0000-4000-8000-000000000004}\\\" @C@/odd unsupported\n",
        "fail add_volume 0x8004230c at=2\n"};
    struct kit k;

    (void)state;
    for (int i = 0; i < 3; i++) {
        kit_new(&k);
        KIT_MACHINE(&k, SMALL, volumes[i]);
        assert_int_equal(take(&k, SP_SHADOW_REQUIRE), SP_UNSUPPORTED);
        assert_non_null(strstr(k.err.text, i < 2 ? "/c/odd" : "/d (NTFS)"));
        if (i < 2)
            assert_int_equal(kit_count(&k, "start_set"), 0); /* nobody was frozen for nothing */
        release(&k);
        kit_check(&k);
        if (i < 2) {
            assert_int_equal(take(&k, SP_SHADOW_AUTO), SP_OK); /* live, and no fault */
            assert_int_equal(sp_shadow_count(s), 3);
            assert_null(sp_shadow_volume(s, 1)->read_path);
            assert_non_null(strstr(sp_shadow_volume(s, 1)->reason, i == 0 ? "share" : "VSS"));
            assert_false(sp_shadow_volume(s, 1)->failed);
            assert_non_null(sp_shadow_volume(s, 0)->read_path);
            release(&k);
        }
        kit_free(&k);
    }
}

static void
test_without_shadows(void **state)
{
    struct sp_shadow_options o;
    struct sp_vss_pattern *asked = NULL;
    struct kit k;
    size_t n;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(take(&k, SP_SHADOW_NONE), SP_OK);
    assert_int_equal(kit_count(&k, "start"), 0);
    assert_false(sp_shadow_verdict(s)->vss);
    assert_null(sp_shadow_roots(s, &n));
    assert_int_equal(n, 0);
    release(&k);
    o = options(&k, SP_SHADOW_NONE);
    assert_int_equal(sp_vss_pattern_new("vm:web01", &asked, &k.err), SP_OK);
    o.asked = &asked;
    o.nasked = 1;
    assert_int_equal(plan(&k, &o), SP_UNSUPPORTED);
    assert_non_null(strstr(k.err.text, "shadow = none"));
    sp_vss_pattern_free(asked);
    kit_free(&k);
}

/* --- what was asked for ---------------------------------------------------------------------- */

static void
test_applications_by_name(void **state)
{
    struct sp_vss_pattern *asked[2] = {NULL, NULL};
    struct sp_shadow_options o;
    const char *const *list;
    char path[128];
    struct kit k;
    size_t n;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "sql");
    assert_int_equal(sp_vss_pattern_new("database:SRV\\ALPHA/DB1", &asked[0], &k.err), SP_OK);
    assert_int_equal(sp_vss_pattern_new("vm:nobody", &asked[1], &k.err), SP_OK);
    o = options(&k, SP_SHADOW_AUTO);
    o.nroots = 1; /* C alone */
    o.asked = asked;
    o.nasked = 1;
    assert_int_equal(plan(&k, &o), SP_OK);
    list = sp_shadow_roots(s, &n);
    assert_int_equal(n, 1); /* its log is on C */
    (void)snprintf(path, sizeof path, "%s/sql/alpha/db1/DB1.mdf", k.d);
    assert_string_equal(list[0], path);
    assert_true(sp_shadow_has_writer(s, "sqlserverWRITER"));
    assert_false(sp_shadow_has_writer(s, "SqlServer"));
    list = sp_shadow_excludes(s, &n);
    assert_true(n >= 1 && strstr(list[0], "tempdb") != NULL);
    assert_int_equal(sp_shadow_take(s, &k.err), SP_OK);
    assert_int_equal(sp_shadow_count(s), 2); /* D is in the set for its sake */
    assert_non_null(sp_shadow_volume(s, 1)->read_path);
    for (size_t i = 0; i < sp_shadow_verdict(s)->ncomponents; i++) {
        if (strcmp(sp_shadow_verdict(s)->components[i].unit, "SRV\\ALPHA/DB1") != 0)
            continue;
        list = sp_shadow_files(s, i, &n);
        assert_int_equal(n, 2);
        (void)snprintf(path, sizeof path, "%s/sql/alpha/db1/DB1.mdf", k.d);
        assert_string_equal(list[0], path);
    }
    assert_null(sp_shadow_files(s, 99, &n));
    release(&k);
    o.nasked = 2;
    assert_int_equal(plan(&k, &o), SP_ABSENT);
    assert_non_null(strstr(k.err.text, "'vm:nobody'"));
    assert_null(s);
    sp_vss_pattern_free(asked[0]);
    sp_vss_pattern_free(asked[1]);
    kit_free(&k);
}

static void
test_patterns_of_files(void **state)
{
    static const char *const expected[] = {
        "/x/with\\ blank/\\[a\\].dat", "/x/all/*", "!/x/all/*/", "/x/some/**/a*.log", "!/x/some/**/a*.log/"};
    const char *const *list;
    struct sp_shadow_options o;
    struct kit k;
    size_t n;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k,
        "writer aaaaaaaa-0000-4000-8000-000000000001 11111111-0000-4000-8000-000000000001 W\n"
        "  component filegroup \"\" One\n"
        "    file \"@C@/x/with blank\" [a].dat\n"
        "    file @C@/x/all *.*\n"
        "    file @C@/x/some a*.log recursive\n");
    o = options(&k, SP_SHADOW_AUTO);
    assert_int_equal(plan(&k, &o), SP_OK);
    list = sp_shadow_files(s, 0, &n);
    assert_int_equal(n, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < n; i++) {
        bool back = expected[i][0] == '!'; /* the folders of such names, which are not the component's */

        assert_int_equal(list[i][0] == '!', back);
        assert_memory_equal(list[i] + back, k.c, strlen(k.c));
        assert_string_equal(list[i] + back + strlen(k.c), expected[i] + back);
    }
    release(&k);
    kit_free(&k);
}

/* What one writer says of its files is nobody else's matter. */
static void
test_places_that_are_none(void **state)
{
    struct sp_shadow_options o;
    struct kit k;
    size_t n;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k,
        "writer aaaaaaaa-0000-4000-8000-000000000001 11111111-0000-4000-8000-000000000001 W\n"
        "  component filegroup \"\" One\n"
        "    file relative *\n"
        "    file @C@/x a.dat\n"
        "    file \"\" b.dat\n"
        "    file @C@/../y b.dat\n");
    o = options(&k, SP_SHADOW_AUTO);
    assert_int_equal(plan(&k, &o), SP_OK);
    (void)sp_shadow_files(s, 0, &n);
    assert_int_equal(n, 1);
    release(&k);
    kit_free(&k);
}

static void
test_overrides(void **state)
{
    const struct sp_shadow_override *v;
    struct sp_shadow_options o;
    struct sp_buf key = SP_BUF_INIT;
    char path[128];
    struct kit k;

    (void)state;
    kit_new(&k);
    (void)snprintf(path, sizeof path, "%s/one", k.d);
    kit_write(path, "a.dat", "as it was");
    KIT_MACHINE(&k,
        "writer aaaaaaaa-0000-4000-8000-000000000001 11111111-0000-4000-8000-000000000001 W\n"
        "  component filegroup \"\" One\n"
        "    file @D@/one a.dat\n"
        "    failure 0x800423f4\n"
        "  component filegroup \"\" Two\n"
        "    file @D@/two a.dat\n");
    o = options(&k, SP_SHADOW_AUTO);
    o.second_set = true;
    assert_int_equal(plan(&k, &o), SP_OK);
    assert_int_equal(sp_shadow_take(s, &k.err), SP_OK);
    kit_write(path, "a.dat", "changed");
    assert_int_equal(sp_shadow_overrides(s, &v), 1);
    (void)snprintf(path, sizeof path, "%s/one/a.dat", k.d);
    assert_int_equal(sp_key_from_path(path, &key, &k.err), SP_OK);
    assert_int_equal(v[0].key_len, key.len);
    assert_memory_equal(v[0].key, key.data, key.len);
    assert_int_equal(v[0].instant_ns, sp_shadow_verdict(s)->shadows[1].instant_ns);
    v[0].read_path[strlen(v[0].read_path) - strlen("/a.dat")] = '\0';
    kit_expect(v[0].read_path, "a.dat", "as it was");
    sp_buf_free(&key);
    release(&k);
    kit_free(&k);
}

/* --- journals -------------------------------------------------------------------------------- */

static struct kit *watched;
static uint32_t (*do_snapshot)(struct sp_vss_session *, struct sp_vss_async **);
static unsigned journals_then;

static uint32_t
watch_snapshot(struct sp_vss_session *session, struct sp_vss_async **ret)
{
    journals_then = kit_files_in(watched->journal);
    return do_snapshot(session, ret);
}

/* The name of a shadow set is on disk before there is one, and until it is gone. */
static void
test_the_journal_comes_first(void **state)
{
    struct sp_vss_api table;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    table = *k.api;
    do_snapshot = table.do_snapshot;
    table.do_snapshot = watch_snapshot;
    watched = &k;
    journals_then = 0;
    k.o.api = &table;
    assert_int_equal(kit_take(&k), SP_OK);
    assert_int_equal(journals_then, 1);
    assert_int_equal(kit_files_in(k.journal), 1);
    assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
    assert_int_equal(kit_files_in(k.journal), 1);
    kit_free(&k); /* where it is counted again */

    kit_new(&k); /* no journal, no shadow set */
    KIT_MACHINE(&k, SMALL);
    k.o.journal_dir = "/nowhere/at/all";
    assert_int_not_equal(kit_take(&k), SP_OK);
    assert_int_equal(kit_count(&k, "do_snapshot"), 0);
    kit_free(&k);
}

/* Makes a shadow set in a process that is then killed. */
static void
die_with_a_shadow(struct kit *k)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        KIT_MACHINE(k, SMALL);
        if (take(k, SP_SHADOW_AUTO) != SP_OK)
            _exit(1);
        (void)kill(getpid(), SIGKILL);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void
test_the_janitor(void **state)
{
    struct kit k;
    size_t n = 99;

    (void)state;
    kit_new(&k);
    die_with_a_shadow(&k);
    KIT_MACHINE(&k, SMALL);
    here = k.api;
    assert_int_equal(model_shadows(k.m), 1);
    assert_int_equal(kit_files_in(k.journal), 1);
    assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(model_shadows(k.m), 0);
    assert_int_equal(kit_files_in(k.journal), 0);
    assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_int_equal(n, 0);
    /* One that went by itself, as they do. */
    kit_write(k.journal, "vss-x.shadows",
        "stillpoint shadows 1\nprocess 4194304 1\nvss 12345678-0000-4000-8000-000000000001\n");
    assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(kit_files_in(k.journal), 0);
    assert_int_equal(sp_shadow_janitor(&sp_env_system, "/nowhere/at/all", &n, &k.err), SP_OK);
    kit_free(&k);
}

/* Nothing that no journal of a dead run names. */
static void
test_the_janitor_leaves_others(void **state)
{
    struct kit k;
    size_t n = 99;

    (void)state;
    kit_new(&k);
    die_with_a_shadow(&k);
    assert_int_equal(sp_os_remove_tree(&sp_os_system, k.journal, &k.err), SP_OK);
    KIT_MACHINE(&k, SMALL);
    here = k.api;
    kit_write(k.journal, "vss-broken.shadows", "something else\n");
    assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(model_shadows(k.m), 1); /* nobody knows that it was ours */
    assert_int_equal(kit_files_in(k.journal), 1);
    assert_int_equal(sp_os_remove_tree(&sp_os_system, k.journal, &k.err), SP_OK);

    assert_int_equal(sp_os_mkdirs(&sp_os_system, k.journal, &k.err), SP_OK);
    assert_int_equal(kit_take(&k), SP_OK); /* and the one of a run that goes on */
    assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(kit_count(&k, "delete_set"), 0);
    assert_int_equal(kit_files_in(k.journal), 1);
    sp_requester_free(k.r);
    k.r = NULL;
    assert_int_equal(model_shadows(k.m), 1);
    { /* so that the kit finds nothing left */
        char found[37] = "", path[160];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/sets", k.shadows);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(found, sizeof found, f));
        assert_int_equal(fclose(f), 0);
        (void)snprintf(
            path, sizeof path, "stillpoint shadows 1\nprocess 4194304 1\nvss %s\n", found);
        kit_write(k.journal, "late.shadows", path);
        assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
        assert_int_equal(n, 1);
    }
    kit_free(&k);
}

/* What could not be deleted stays in its journal, and is told. */
static void
test_the_janitor_fails(void **state)
{
    struct kit k;
    size_t n = 99;

    (void)state;
    kit_new(&k);
    die_with_a_shadow(&k);
    KIT_MACHINE(&k, SMALL, "fail delete_set 0x8000ffff\n");
    here = k.api;
    assert_int_not_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_non_null(strstr(k.err.text, "of an earlier run"));
    assert_int_equal(kit_files_in(k.journal), 1);
    assert_int_equal(sp_shadow_janitor(&sp_env_system, k.journal, &n, &k.err), SP_OK);
    assert_int_equal(n, 1);
    kit_free(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_instant),
        cmocka_unit_test(test_not_committed),
        cmocka_unit_test(test_vss_cannot_start),
        cmocka_unit_test(test_vss_fails),
        cmocka_unit_test(test_required_and_one_volume_cannot),
        cmocka_unit_test(test_without_shadows),
        cmocka_unit_test(test_applications_by_name),
        cmocka_unit_test(test_patterns_of_files),
        cmocka_unit_test(test_places_that_are_none),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_the_journal_comes_first),
        cmocka_unit_test(test_the_janitor),
        cmocka_unit_test(test_the_janitor_leaves_others),
        cmocka_unit_test(test_the_janitor_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
