/* Windows' table of VSS, row by row, against the vssapi.dll of the tests (run.sh): what goes in
 * comes out, what VSS answers is handed on as it came, and all that was given out is given back. */

#include "tests/vss/vssapi/sequence.h"

static void
writers_are_told_in_full(const struct sp_vss_writer *w, bool instance_name)
{
    const struct sp_vss_component *c = w->components;
    char path[MAX_PATH], windows[MAX_PATH];

    assert_string_equal(w->class_id, SQL);
    assert_string_equal(w->instance_id, INSTANCE);
    assert_string_equal(w->name, "SqlServerWriter");
    assert_string_equal(w->instance_name, instance_name ? "INST" : "");
    assert_int_equal(w->usage, 3);
    assert_int_equal(w->source, 1);
    assert_int_equal(w->schema, 0x10);
    assert_int_equal(w->xml_len, strlen(w->xml));
    assert_true(w->xml_len > 20);
    assert_int_equal(w->nexcludes, 1);
    assert_string_equal(w->excludes[0].path, "C:\\data");
    assert_string_equal(w->excludes[0].spec, "*.tmp");
    assert_false(w->excludes[0].recursive);

    assert_int_equal(w->ncomponents, 2);
    assert_int_equal(c->type, SP_VSS_TYPE_FILEGROUP);
    assert_string_equal(c->logical_path, "SRV\\INST");
    assert_string_equal(c->name, "DB1");
    assert_string_equal(c->caption, "the first, \xc3\xbc");
    assert_true(c->selectable && c->selectable_for_restore && c->notify);
    assert_int_equal(c->nfiles, 3);
    /* variables, no backslash at the end */
    assert_true(GetWindowsDirectoryA(windows, MAX_PATH) > 0);
    (void)snprintf(path, sizeof(path), "%.200s\\data", windows);
    assert_int_equal(_stricmp(c->files[0].path, path), 0);
    assert_string_equal(c->files[0].spec, "*");
    assert_true(c->files[0].recursive);
    assert_int_equal(_stricmp(c->files[0].alternate, "C:\\other"), 0);
    assert_int_equal(c->files[0].kind, SP_VSS_FILE);
    assert_string_equal(c->files[1].path, "C:\\data");
    assert_string_equal(c->files[1].spec, "DB1.mdf");
    assert_string_equal(c->files[1].alternate, "");
    assert_int_equal(c->files[1].kind, SP_VSS_DATABASE_FILE);
    assert_string_equal(c->files[2].path, "C:\\");
    assert_int_equal(c->files[2].kind, SP_VSS_LOG_FILE);
    assert_int_equal(c->ndependencies, 1);
    assert_string_equal(c->dependencies[0].writer_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
    assert_string_equal(c->dependencies[0].logical_path, "");
    assert_string_equal(c->dependencies[0].name, "Host");

    assert_int_equal(c[1].type, SP_VSS_TYPE_DATABASE);
    assert_string_equal(c[1].logical_path, "");
    assert_string_equal(c[1].caption, "");
    assert_false(c[1].selectable || c[1].notify);
}

static bool
readable(const char *device, const char *name)
{
    char path[400], bytes[8] = "";
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s\\live\\%s", device, name);
    if ((f = fopen(path, "rb")) == NULL)
        return false;
    (void)fread(bytes, 1, sizeof(bytes) - 1, f);
    (void)fclose(f);
    return strcmp(bytes, "frozen") == 0;
}

static void
the_whole_sequence(void **state)
{
    const struct sp_vss_api *api = use("");
    struct run r;
    const char *row;
    FILETIME now;
    int64_t now_s;

    (void)state;
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(go(&r, api, &row), 0);
    assert_string_equal(row, "free_status");
    assert_int_equal(r.nwriters, 1);
    writers_are_told_in_full(&r.writer, true);
    assert_true(r.supported);
    assert_int_equal(strlen(r.set), 36);
    assert_string_equal(r.status.class_id, SQL);
    assert_string_equal(r.status.instance_id, INSTANCE);
    assert_string_equal(r.status.name, "SqlServerWriter");
    assert_int_equal(r.status.state, SP_VSS_STABLE);
    assert_int_equal(r.status.hresult, 0);
    assert_int_equal(r.status.app_hresult, 7);
    assert_string_equal(r.status.app_text, "all written");
    assert_int_equal(r.nstatuses, 1);
    assert_true(r.report.failure_known && r.report.stamped);
    assert_int_equal(r.report.failure, SP_VSS_E_WRITER_NOT_RETRYABLE);
    assert_int_equal(r.report.app_failure, 0x80040001u);
    assert_string_equal(r.report.failure_text, "out of luck");
    assert_true(strncmp(r.shadow.device, DEVICE, strlen(DEVICE)) == 0);
    assert_string_equal(r.shadow.provider_id, "b5946137-7b9f-4925-af80-51abd60b20d5");
    GetSystemTimeAsFileTime(&now);
    now_s = (int64_t)(((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) / 10000000 -
                      11644473600u);
    assert_in_range(r.shadow.created_ns / 1000000000, now_s - 60, now_s);
    assert_true(readable(r.shadow.device, "file"));
    assert_int_equal(r.document_len, strlen(r.document));
    assert_non_null(strstr(r.document, "DB1"));
    clear(&r);
    api->end(api->self);
    all_is_given_back();
}

/* Each row once with a failure: its caller gets that one. */
static void
what_vss_answers_is_handed_on(void **state)
{
    struct run r;
    const char *row;
    char line[80];

    (void)state;
    for (size_t i = 1; i < nrows; i++) {
        const struct sp_vss_api *api;
        bool first = true;

        for (size_t k = 1; k < i; k++)
            first = first && strcmp(rows[k].name, rows[i].name) != 0;
        if (!first)
            continue;
        (void)snprintf(line, sizeof(line), "fail %s 0x80042306", rows[i].name);
        api = use(line);
        assert_int_equal(api->start(api->self, &err), SP_OK);
        assert_int_equal(go(&r, api, &row), SP_VSS_E_PROVIDER_VETO);
        assert_string_equal(row, rows[i].name);
        clear(&r);
        api->end(api->self);
        all_is_given_back();
    }
}

/* And what the waits give in the end. */
static void
what_comes_of_a_wait_is_handed_on(void **state)
{
    static const char *const calls[] = {
        "gather_metadata", "prepare", "gather_status", "do_snapshot", "complete"};
    struct run r;
    const char *row;
    char line[80];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const struct sp_vss_api *api;

        (void)snprintf(line, sizeof(line), "fail %s.async 0x8004231F", calls[i]);
        api = use(line);
        assert_int_equal(api->start(api->self, &err), SP_OK);
        assert_int_equal(go(&r, api, &row), SP_VSS_E_NO_STORAGE);
        assert_string_equal(row, calls[i]);
        clear(&r);
        api->end(api->self);
        all_is_given_back();
    }
}

static void
a_wait_ends_in_time_and_can_be_cancelled(void **state)
{
    const struct sp_vss_api *api = use("pend gather_metadata.async forever");
    struct sp_vss_session *s;
    struct sp_vss_async *a;
    uint32_t status = 0;
    ULONGLONG begun = GetTickCount64();

    (void)state;
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(api->create(api->self, &s), 0);
    assert_int_equal(api->initialize_for_backup(s), 0);
    assert_int_equal(api->set_context(s, SP_VSS_CTX_BACKUP), 0);
    assert_int_equal(api->set_backup_state(s, true, false, SP_VSS_BT_COPY, false), 0);
    assert_int_equal(api->gather_metadata(s, &a), 0);
    assert_int_equal(api->wait(a, 300, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_PENDING);
    assert_in_range(GetTickCount64() - begun, 250, 20000);
    assert_int_equal(api->cancel(a), 0);
    assert_int_equal(api->wait(a, 300, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_CANCELLED);
    api->release_async(a);
    api->release(s);
    api->end(api->self);
    all_is_given_back();
    api->release(NULL);
    api->release_async(NULL);
}

/* Without Ex and Ex3 there is less to tell, and no failure. */
static void
an_old_vss_tells_less(void **state)
{
    const struct sp_vss_api *api = use("");
    struct run r;
    const char *row;

    (void)state;
    assert_true(SetEnvironmentVariableA("STILLPOINT_TEST_VSS_OLD", "yes"));
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(go(&r, api, &row), 0);
    assert_true(SetEnvironmentVariableA("STILLPOINT_TEST_VSS_OLD", NULL));
    writers_are_told_in_full(&r.writer, false);
    assert_int_equal(r.status.state, SP_VSS_STABLE);
    assert_int_equal(r.status.app_hresult, 0);
    assert_null(r.status.app_text);
    assert_false(r.report.failure_known);
    assert_true(r.report.stamped);
    clear(&r);
    api->end(api->self);
    all_is_given_back();
}

static void
a_component_that_was_not_added_has_no_report(void **state)
{
    const struct sp_vss_api *api = use("");
    struct sp_vss_component_ref other = DB1, nonsense = DB1;
    struct run r;
    const char *row;

    (void)state;
    other.name = "DB10";
    nonsense.writer_id = "no GUID";
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(go(&r, api, &row), 0);
    sp_vss_component_report_clear(&r.report);
    assert_int_equal(api->component_report(r.s, &other, &r.report), SP_VSS_E_NOT_FOUND);
    assert_int_equal(api->component_report(r.s, &PLAIN, &r.report), 0);
    assert_true(r.report.failure_known);
    assert_int_equal(r.report.failure, 0);
    assert_false(r.report.stamped);
    sp_vss_component_report_clear(&r.report);
    assert_int_equal(api->component_report(r.s, &nonsense, &r.report), SP_VSS_E_INVALIDARG);
    assert_int_equal(api->add_component(r.s, &nonsense), SP_VSS_E_INVALIDARG);
    assert_int_equal(api->succeeded(r.s, &nonsense, true), SP_VSS_E_INVALIDARG);
    assert_false(r.report.failure_known);
    clear(&r);
    api->end(api->self);
    all_is_given_back();
}

/* What is missing is said, with the way out; and a later start may do better. */
static void
start_says_what_is_missing(void **state)
{
    static const struct {
        const char *line;
        enum sp_code rc;
        const char *word;
    } rules[] = {{"no-start x", SP_UNSUPPORTED, "there is no VSS in this system"},
        {"no-start x denied", SP_DENIED, "administrator"},
        {"fail create 0x80080005", SP_IO, "VSS does not start: 0x80080005"}};
    const struct sp_vss_api *api;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        api = use(rules[i].line);
        assert_int_equal(api->start(api->self, &err), rules[i].rc);
        assert_int_equal(err.domain, SP_DOM_SHADOW);
        assert_non_null(strstr(err.text, rules[i].word));
    }
    assert_true(SetEnvironmentVariableA("STILLPOINT_TEST_VSS", NULL));
    assert_int_equal(api->start(api->self, &err), SP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "there is no VSS in this system"));
    assert_non_null(strstr(err.text, "shadow = none"));
    api = use("");
    assert_int_equal(api->start(api->self, &err), SP_OK);
    api->end(api->self);
    all_is_given_back();
}

static void
a_disabled_service_is_said(void **state)
{
    const struct sp_vss_api *api = use("");
    SC_HANDLE scm = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS), service;

    (void)state;
    assert_non_null(scm);
    service = CreateServiceW(scm, L"VSS", L"Volume Shadow Copy", SERVICE_ALL_ACCESS,
        SERVICE_WIN32_OWN_PROCESS, SERVICE_DISABLED, SERVICE_ERROR_NORMAL,
        L"C:\\windows\\system32\\vssvc.exe", NULL, NULL, NULL, NULL, NULL);
    assert_non_null(service);
    assert_int_equal(api->start(api->self, &err), SP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "disabled"));
    assert_non_null(strstr(err.text, "sc config VSS start= demand"));
    assert_true(ChangeServiceConfigW(service, SERVICE_NO_CHANGE, SERVICE_DEMAND_START,
        SERVICE_NO_CHANGE, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    assert_int_equal(api->start(api->self, &err), SP_OK);
    api->end(api->self);
    assert_true(DeleteService(service));
    assert_true(CloseServiceHandle(service) && CloseServiceHandle(scm));
    all_is_given_back();
}

/* The first session is the one that start made to see whether it can; pairs nest. */
static void
starts_nest(void **state)
{
    const struct sp_vss_api *api = use("fail create 0x80042301 at=3");
    struct sp_vss_session *one, *two, *three;

    (void)state;
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(api->create(api->self, &one), 0);
    assert_int_equal(api->create(api->self, &two), 0);
    assert_int_equal(api->create(api->self, &three), SP_VSS_E_BAD_STATE);
    api->release(two);
    api->end(api->self);
    api->release(one);
    assert_int_equal(api->create(api->self, &three), 0);
    api->release(three);
    api->end(api->self);
    all_is_given_back();
}

static enum sp_code
count_mount(void *arg, const char *mount, const char *volume, struct sp_err *e)
{
    (void)e;
    assert_true(strlen(mount) > 0);
    assert_non_null(volume);
    ++*(unsigned *)arg;
    return SP_OK;
}

static void
volumes_have_names(void **state)
{
    static const char *const paths[] = {"C:\\", "c:\\windows\\system32", "C:/windows/no such file"};
    const struct sp_vss_api *api = sp_vss_here();
    char *mount, *volume, *first = NULL, *name;
    unsigned n = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(api->covering(api->self, paths[i], &mount, &volume, &err), SP_OK);
        assert_string_equal(mount, "C:\\");
        assert_true(strncmp(volume, "\\\\?\\Volume{", 11) == 0);
        assert_int_equal(volume[strlen(volume) - 1], '\\');
        if (first != NULL)
            assert_string_equal(volume, first);
        assert_false(api->remote(api->self, mount));
        assert_non_null(name = api->file_system(api->self, mount));
        assert_true(strlen(name) > 0);
        free(name);
        free(mount);
        free(first);
        first = volume;
    }
    free(first);
    assert_int_equal(
        api->covering(api->self, "relative?\\*", &mount, &volume, &err), SP_OK); /* made absolute */
    free(mount);
    free(volume);
    assert_int_equal(api->below(api->self, "C:\\windows", count_mount, &n, &err), SP_OK);
    assert_int_equal(n, 0);
    assert_true(api->remote(api->self, "\\\\server\\share"));
}

static enum sp_code
no_event(void *arg, const struct sp_verdict_event *event, struct sp_err *e)
{
    (void)event;
    (void)e;
    ++*(unsigned *)arg;
    return SP_OK;
}

/* Wine has neither logs nor Hyper-V: the first is said, the second is not known. */
static void
what_is_beside_vss_is_not_to_be_had_here(void **state)
{
    const struct sp_vss_api *api = use("");
    static const char *const writers[] = {"SqlServerWriter"};
    char unset[] = "unset", *version = unset;
    unsigned n = 0;

    (void)state;
    assert_int_equal(api->start(api->self, &err), SP_OK);
    assert_int_equal(api->events(api->self, 0, INT64_C(1) << 60, writers, 1, no_event, &n, &err),
        SP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "cannot be read"));
    assert_int_equal(n, 0);
    assert_int_equal(
        api->guest_version(api->self, "8A1B2C3D-0000-1111-2222-333344445555", &version, &err),
        SP_OK);
    assert_null(version);
    version = unset;
    assert_int_equal(api->guest_version(api->self, "' or 1=1", &version, &err), SP_OK);
    assert_null(version);
    api->end(api->self);
    all_is_given_back();
}

static int
set_up(void **state)
{
    char name[340];
    FILE *f;

    (void)state;
    if (GetEnvironmentVariableA("STILLPOINT_TEST_WORLD", world, sizeof(world)) == 0)
        return -1;
    (void)CreateDirectoryA("C:\\live", NULL);
    (void)snprintf(name, sizeof(name), "C:\\live\\file");
    if ((f = fopen(name, "wb")) == NULL || fputs("frozen", f) < 0 || fclose(f) != 0)
        return -1;
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volumes_have_names),
        cmocka_unit_test(the_whole_sequence),
        cmocka_unit_test(what_vss_answers_is_handed_on),
        cmocka_unit_test(what_comes_of_a_wait_is_handed_on),
        cmocka_unit_test(a_wait_ends_in_time_and_can_be_cancelled),
        cmocka_unit_test(an_old_vss_tells_less),
        cmocka_unit_test(a_component_that_was_not_added_has_no_report),
        cmocka_unit_test(start_says_what_is_missing),
        cmocka_unit_test(a_disabled_service_is_said),
        cmocka_unit_test(starts_nest),
        cmocka_unit_test(what_is_beside_vss_is_not_to_be_had_here),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
