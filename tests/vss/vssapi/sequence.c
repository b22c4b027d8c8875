/* See sequence.h. */

#include "tests/vss/vssapi/sequence.h"

struct sp_err err;
static unsigned scripts;
char world[300]; /* of run.sh */

/* The machine: drive C:, of which only the folder "live" is copied; a writer with an instance name
 * and two components. */
static const char machine[] =
    "volume %s C:\\ covers=%s\\live\n"
    "shadows %s\\globalroot\\Device\n"
    "device \\\\?\\GLOBALROOT\\Device\\\n"
    "writer {A65FAA63-5EA8-4EBC-9DBD-A0C4DB26912A} " INSTANCE
    " SqlServerWriter instance-name=INST\n"
    "component filegroup SRV\\INST DB1 caption=\"the first, \xc3\xbc\" notify\n"
    "file %%SystemRoot%%\\data\\ * recursive alternate=%%SystemDrive%%\\other\\\n"
    "database C:\\data DB1.mdf\n"
    "log C:\\ DB1_log.ldf\n"
    "depends 66841cd4-6ded-4f4b-8f17-fd23f8ddc3de \"\" Host\n"
    "stamp\n"
    "failure 0x800423F4 app=0x80040001 text=\"out of luck\" alone\n"
    "component database \"\" plain unselectable\n"
    "exclude C:\\data *.tmp\n"
    "status complete 1 0 app=7 text=\"all written\"\n";

typedef void counts_of(unsigned ret[6]);

static void
counts(unsigned ret[6])
{
    HMODULE dll = GetModuleHandleW(L"vssapi.dll");
    counts_of *call =
        dll != NULL ? (counts_of *)(void (*)(void))GetProcAddress(dll, "VssTestCounts") : NULL;

    assert_non_null(call);
    call(ret);
}

/* No call out of order, all ended and given back. */
void
all_is_given_back(void)
{
    static const unsigned none[6];
    unsigned n[6];

    counts(n);
    assert_memory_equal(n, none, sizeof(n));
}

/* A machine of its own, with `more` lines; what the table gives is left to the test. */
const struct sp_vss_api *
use(const char *more)
{
    const struct sp_vss_api *api = sp_vss_here();
    char name[340], trace[340], *mount, *volume;
    FILE *f;

    assert_non_null(api);
    (void)snprintf(name, sizeof(name), "%s\\script%u", world, ++scripts);
    (void)snprintf(trace, sizeof(trace), "%s\\trace%u", world, scripts);
    assert_int_equal(api->covering(api->self, "C:\\", &mount, &volume, &err), SP_OK);
    assert_non_null(f = fopen(name, "wb"));
    (void)fprintf(f, machine, volume, "C:", world);
    (void)fprintf(f, "%s\n", more);
    assert_int_equal(fclose(f), 0);
    free(mount);
    free(volume);
    assert_true(SetEnvironmentVariableA("STILLPOINT_TEST_VSS", name));
    assert_true(SetEnvironmentVariableA("STILLPOINT_TEST_VSS_TRACE", trace));
    return api;
}

/* --- the sequence, as far as a row */
const struct sp_vss_component_ref DB1 = {SQL, INSTANCE, SP_VSS_TYPE_FILEGROUP, "SRV\\INST", "DB1"};

static uint32_t
ended(struct run *r, uint32_t hr, struct sp_vss_async *a)
{
    uint32_t status = 0;

    if (hr != 0)
        return hr;
    assert_int_equal(r->api->wait(a, 5000, &status), 0);
    r->api->release_async(a);
    return status == SP_VSS_S_ASYNC_FINISHED ? 0 : status;
}

#define ASYNC(name)                                                                                \
    static uint32_t go_##name(struct run *r)                                                       \
    {                                                                                              \
        struct sp_vss_async *a = NULL;                                                             \
        uint32_t hr = r->api->name(r->s, &a);                                                      \
                                                                                                   \
        return ended(r, hr, a);                                                                    \
    }
#define SIMPLE(name, ...)                                                                          \
    static uint32_t go_##name(struct run *r)                                                       \
    {                                                                                              \
        return r->api->name(__VA_ARGS__);                                                          \
    }
ASYNC(gather_metadata)
ASYNC(prepare)
ASYNC(gather_status)
ASYNC(do_snapshot)
ASYNC(complete)
SIMPLE(create, r->api->self, &r->s)
SIMPLE(initialize_for_backup, r->s)
SIMPLE(set_context, r->s, SP_VSS_CTX_BACKUP)
SIMPLE(set_backup_state, r->s, true, false, SP_VSS_BT_COPY, false)
SIMPLE(metadata_count, r->s, &r->nwriters)
SIMPLE(metadata, r->s, 0, &r->writer)
SIMPLE(free_metadata, r->s)
SIMPLE(start_set, r->s, r->set)
SIMPLE(volume_supported, r->s, r->volume, &r->supported)
SIMPLE(add_volume, r->s, r->volume, r->shadow_id)
SIMPLE(add_component, r->s, &DB1)
SIMPLE(status_count, r->s, &r->nstatuses)
SIMPLE(status, r->s, 0, &r->status)
SIMPLE(free_status, r->s)
SIMPLE(component_report, r->s, &DB1, &r->report)
SIMPLE(properties, r->s, r->shadow_id, &r->shadow)
SIMPLE(succeeded, r->s, &DB1, true)
SIMPLE(document, r->s, &r->document, &r->document_len)

/* One without a logical path, which is no empty one. */
const struct sp_vss_component_ref PLAIN = {SQL, INSTANCE, SP_VSS_TYPE_DATABASE, "", "plain"};

static uint32_t
go_add_plain(struct run *r)
{
    return r->api->add_component(r->s, &PLAIN);
}

static uint32_t
go_plain_succeeded(struct run *r)
{
    return r->api->succeeded(r->s, &PLAIN, false);
}

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, go_##name                                                                           \
    }
const struct row rows[] = {ROW(create), ROW(initialize_for_backup), ROW(set_context),
    ROW(set_backup_state), ROW(gather_metadata), ROW(metadata_count), ROW(metadata),
    ROW(free_metadata), ROW(start_set), ROW(volume_supported), ROW(add_volume), ROW(add_component),
    {"add_component", go_add_plain}, ROW(prepare), ROW(gather_status), ROW(free_status),
    ROW(do_snapshot), ROW(gather_status), ROW(component_report), ROW(free_status), ROW(properties),
    ROW(succeeded), {"succeeded", go_plain_succeeded}, ROW(complete), ROW(gather_status),
    ROW(status_count), ROW(status), ROW(document), ROW(free_status)};
const size_t nrows = sizeof(rows) / sizeof(rows[0]);

/* Stops behind the first row that fails; what that gave. */
uint32_t
go(struct run *r, const struct sp_vss_api *api, const char **ret_row)
{
    uint32_t hr = 0;

    *r = (struct run){.api = api};
    assert_int_equal(api->covering(api->self, "C:\\", &r->mount, &r->volume, &err), SP_OK);
    for (size_t i = 0; i < nrows && hr == 0; i++) {
        *ret_row = rows[i].name;
        hr = rows[i].go(r);
        r->begun = r->begun || (hr == 0 && strcmp(rows[i].name, "start_set") == 0);
        r->over = r->over || (hr == 0 && strcmp(rows[i].name, "complete") == 0);
    }
    return hr;
}

void
clear(struct run *r)
{
    struct sp_vss_metadata one = {calloc(1, sizeof(struct sp_vss_writer)), 1};

    if (r->begun && !r->over)
        assert_int_equal(r->api->abort(r->s), 0);
    r->api->release(r->s);
    assert_non_null(one.writers);
    one.writers[0] = r->writer;
    sp_vss_metadata_clear(&one);
    sp_vss_status_clear(&r->status);
    sp_vss_component_report_clear(&r->report);
    free(r->shadow.device);
    free(r->document);
    free(r->mount);
    free(r->volume);
}
