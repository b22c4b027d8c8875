/* The platform's table of a whole program: the machine that the script in the file
 * STILLPOINT_TEST_VSS describes. Its object comes before the libraries on the linker's line, so
 * that theirs (vss/api_posix.c) is not taken. What is left when the program ends is the last line
 * of the trace: "end illegal=0 sessions=0 asyncs=0 shadows=0 unended=0".
 *
 * STILLPOINT_TEST_VSS_HASTE=1: time passes without anybody waiting for it: sp_sleep_ms and waits
 * for asyncs that pend only set the monotonic clock forward (--wrap of the linker), so that
 * deadlines of minutes are seen in a moment. STILLPOINT_TEST_VSS_SETS: the folder of the store
 * where a committed set appears; that a component was backed up well may not be reported before
 * there is one file more in it ("illegal"). */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/vss/double_internal.h"

static struct model *model;
static int64_t ahead_ns;
static const char *sets;
static unsigned sets_before;
static uint32_t (*succeeded)(
    struct sp_vss_session *s, const struct sp_vss_component_ref *c, bool well);

int64_t __real_sp_clock_mono(const struct sp_clock *c);
int64_t __wrap_sp_clock_mono(const struct sp_clock *c);
void __real_sp_sleep_ms(uint32_t ms);
void __wrap_sp_sleep_ms(uint32_t ms);

static bool
haste(void)
{
    return getenv("STILLPOINT_TEST_VSS_HASTE") != NULL;
}

int64_t
__wrap_sp_clock_mono(const struct sp_clock *c)
{
    return __real_sp_clock_mono(c) + ahead_ns;
}

void
__wrap_sp_sleep_ms(uint32_t ms)
{
    if (haste())
        ahead_ns += (int64_t)ms * 1000000;
    else
        __real_sp_sleep_ms(ms);
}

static unsigned
count_below(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *de;
    unsigned n = 0;

    while (d && (de = readdir(d))) {
        size_t len = strlen(de->d_name);
        char below[4096];

        if (len > 4 && strcmp(de->d_name + len - 4, ".set") == 0)
            n++;
        else if (de->d_name[0] != '.' &&
                 snprintf(below, sizeof below, "%s/%s", folder, de->d_name) > 0)
            n += count_below(below);
    }
    if (d)
        closedir(d);
    return n;
}

static uint32_t
watched(struct sp_vss_session *s, const struct sp_vss_component_ref *c, bool well)
{
    if (well && count_below(sets) <= sets_before)
        model_breach(model, "succeeded: no set was committed before it");
    return succeeded(s, c, well);
}

static void
host_sleep(void *arg, uint32_t ms)
{
    (void)arg;
    __wrap_sp_sleep_ms(ms);
}

static uint64_t
host_now(void *arg)
{
    return double_host.now_ms(arg) + (uint64_t)(ahead_ns / 1000000);
}

static char *
script(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *p = NULL;
    size_t n = 0, got = 0;

    while (f) {
        p = realloc(p, n + 4097);
        if (!p)
            abort();
        got = fread(p + n, 1, 4096, f);
        n += got;
        p[n] = '\0';
        if (!got)
            break;
    }
    if (f)
        fclose(f);
    return p;
}

static void
account(void)
{
    char line[160];

    snprintf(line, sizeof line, "end illegal=%u sessions=%u asyncs=%u shadows=%u unended=%u",
        model_illegal(model), model_sessions_open(model), model_asyncs_open(model),
        model_shadows(model), model_unended(model));
    model_remark(model, line);
}

const struct sp_vss_api *
sp_vss_here(void)
{
    static struct sp_vss_api *api;
    struct model_host host = double_host;
    const char *path = getenv("STILLPOINT_TEST_VSS"), *trace = getenv("STILLPOINT_TEST_VSS_TRACE");
    char why[256], *text;

    if (api || !path)
        return api;
    text = script(path);
    if (!text) {
        fprintf(stderr, "STILLPOINT_TEST_VSS: %s cannot be read\n", path);
        exit(99);
    }
    host.sleep_ms = host_sleep;
    host.now_ms = host_now;
    api = double_table(text, &host, &model, why);
    free(text);
    if (!api) {
        fprintf(stderr, "STILLPOINT_TEST_VSS: %s: %s\n", path, why);
        exit(99);
    }
    if (trace)
        model_trace_to(model, trace);
    if ((sets = getenv("STILLPOINT_TEST_VSS_SETS"))) {
        sets_before = count_below(sets);
        succeeded = api->succeeded;
        api->succeeded = watched;
    }
    atexit(account);
    return api;
}
