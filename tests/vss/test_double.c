/* The model as the table of vss/api.h, with a disk: copies are of one instant, what a dead process
 * left is found, and the machines in scripts/ can be put together. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/vss/double_internal.h"
#include "tests/vss/script_file.h"

static char root[] = "/tmp/sp-model-XXXXXX";

static void
put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void
expect_text(const char *path, const char *text)
{
    char buf[64] = "";
    FILE *f = fopen(path, "rb");

    if (!f)
        fail_msg("%s is not there", path);
    buf[fread(buf, 1, sizeof buf - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(buf, text);
}

static char *
machine(void)
{
    static const char *const parts[] = {"machine", "hyper-v", "hyper-v-2008", "sql", "exchange",
        "system", "third", "slow", "broken", NULL};
    static char c[64], d[64], shadows[64];
    struct script_place places[] = {{"C", c}, {"D", d}, {"SHADOWS", shadows}};

    snprintf(c, sizeof c, "%s/c", root);
    snprintf(d, sizeof d, "%s/d", root);
    snprintf(shadows, sizeof shadows, "%s/c/shadows", root);
    mkdir(c, 0700);
    mkdir(d, 0700);
    return script_make(parts, places, 3);
}

static void
wait_for(const struct sp_vss_api *api, struct sp_vss_async *a)
{
    uint32_t status = SP_VSS_S_ASYNC_PENDING;

    for (int i = 0; i < 100 && status == SP_VSS_S_ASYNC_PENDING; i++)
        assert_int_equal(api->wait(a, 100, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_FINISHED);
    api->release_async(a);
}

static struct sp_vss_session *
shadowed(const struct sp_vss_api *api, char *ret_set, struct sp_vss_shadow *ret)
{
    struct sp_vss_session *s;
    struct sp_vss_async *a;
    char *mount, *volume, shadow[37], path[64];
    struct sp_err e;
    uint32_t n;

    snprintf(path, sizeof path, "%s/c/some/file", root);
    assert_int_equal(api->start(api->self, &e), SP_OK);
    assert_int_equal(api->covering(api->self, path, &mount, &volume, &e), SP_OK);
    assert_int_equal(api->create(api->self, &s), 0);
    assert_int_equal(api->initialize_for_backup(s), 0);
    assert_int_equal(api->set_context(s, SP_VSS_CTX_BACKUP), 0);
    assert_int_equal(api->set_backup_state(s, true, true, SP_VSS_BT_COPY, false), 0);
    assert_int_equal(api->gather_metadata(s, &a), 0);
    wait_for(api, a);
    assert_int_equal(api->metadata_count(s, &n), 0);
    assert_int_equal(n, 9);
    assert_int_equal(api->start_set(s, ret_set), 0);
    assert_int_equal(api->add_volume(s, volume, shadow), 0);
    assert_int_equal(api->prepare(s, &a), 0);
    wait_for(api, a);
    assert_int_equal(api->gather_status(s, &a), 0);
    wait_for(api, a);
    assert_int_equal(api->free_status(s), 0);
    assert_int_equal(api->do_snapshot(s, &a), 0);
    wait_for(api, a);
    assert_int_equal(api->properties(s, shadow, ret), 0);
    free(mount);
    free(volume);
    return s;
}

static void
test_copies_are_of_one_instant(void **state)
{
    char file[64], frozen[256], set[37];
    char *script = machine();
    struct model *m;
    const struct sp_vss_api *api = double_new(script, &m);
    struct sp_vss_session *s;
    struct sp_vss_shadow shadow;

    (void)state;
    snprintf(file, sizeof file, "%s/c/file", root);
    put(file, "before");
    s = shadowed(api, set, &shadow);
    put(file, "after");
    snprintf(frozen, sizeof frozen, "%s/file", shadow.device);
    expect_text(frozen, "before");
    expect_text(file, "after");
    snprintf(frozen, sizeof frozen, "%s/shadows", shadow.device);
    assert_int_not_equal(access(frozen, F_OK), 0); /* shadows are not in shadows */
    assert_int_equal(model_shadows(m), 1);
    assert_int_equal(api->abort(s), 0);
    assert_int_equal(model_shadows(m), 0);
    assert_int_not_equal(access(shadow.device, F_OK), 0);
    free(shadow.device);
    api->release(s);
    assert_int_equal(model_illegal(m), 0);
    double_free(api);
    free(script);
}

static void
test_shadows_of_a_dead_process(void **state)
{
    char set[37], *script = machine(), device[256];
    struct model *dead, *m;
    const struct sp_vss_api *api = double_new(script, &dead);
    struct sp_vss_shadow shadow;
    struct sp_vss_session *s = shadowed(api, set, &shadow);
    const struct sp_vss_api *later = double_new(script, &m);
    struct sp_vss_session *janitor;
    int32_t n;

    (void)state;
    snprintf(device, sizeof device, "%s", shadow.device);
    free(shadow.device);
    assert_int_equal(model_shadows(m), 1); /* the first has not let it go */
    assert_int_equal(later->create(later->self, &janitor), 0);
    assert_int_equal(later->initialize_for_backup(janitor), 0);
    assert_int_equal(later->delete_set(janitor, set, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(later->delete_set(janitor, set, &n), SP_VSS_E_NOT_FOUND);
    assert_int_equal(model_shadows(m), 0);
    assert_int_not_equal(access(device, F_OK), 0);
    later->release(janitor);
    double_free(later);
    assert_int_equal(api->abort(s), 0);
    api->release(s);
    double_free(api);
    free(script);
}

static void
test_fixtures(void **state)
{
    char *script = machine();
    struct model *m;
    const struct sp_vss_api *api = double_new(script, &m);
    struct sp_vss_session *s;
    struct sp_vss_async *a;
    struct sp_vss_writer w;
    char *version;
    struct sp_err e;

    (void)state;
    assert_int_equal(api->create(api->self, &s), 0);
    assert_int_equal(api->initialize_for_backup(s), 0);
    assert_int_equal(api->gather_metadata(s, &a), 0);
    wait_for(api, a);
    assert_int_equal(api->metadata(s, 0, &w), 0);
    assert_string_equal(w.class_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
    assert_int_equal(w.ncomponents, 9);
    assert_string_equal(w.components[1].caption, "Online\\web01");
    assert_string_equal(w.components[8].caption, "Offline\\web08");
    assert_int_equal(strncmp(w.components[1].files[0].path, root, strlen(root)), 0);
    assert_int_equal(api->guest_version(api->self, w.components[1].name, &version, &e), SP_OK);
    assert_non_null(version);
    free(version);
    assert_non_null(strstr(w.xml, "Online\\web01"));
    {
        struct sp_vss_metadata all = {.writers = malloc(sizeof w), .nwriters = 1};

        assert_non_null(all.writers);
        all.writers[0] = w;
        sp_vss_metadata_clear(&all);
    }
    api->release(s);
    double_free(api);
    free(script);
}

static int
make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int
remove_root(void **state)
{
    (void)state;
    double_host.remove(NULL, root);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_are_of_one_instant),
        cmocka_unit_test(test_shadows_of_a_dead_process),
        cmocka_unit_test(test_fixtures),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
