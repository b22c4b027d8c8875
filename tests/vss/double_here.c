/* The platform's table of a whole program: the machine that the script in the file
 * STILLPOINT_TEST_VSS describes. Its object comes before the libraries on the linker's line, so
 * that theirs (vss/api_posix.c) is not taken. What is left when the program ends is the last line
 * of the trace: "end illegal=0 sessions=0 asyncs=0 shadows=0 unended=0". */

#include <stdio.h>
#include <stdlib.h>

#include "tests/vss/double_internal.h"

static struct model *model;

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
    static const struct sp_vss_api *api;
    const char *path = getenv("STILLPOINT_TEST_VSS"), *trace = getenv("STILLPOINT_TEST_VSS_TRACE");
    char why[256], *text;

    if (api || !path)
        return api;
    text = script(path);
    if (!text) {
        fprintf(stderr, "STILLPOINT_TEST_VSS: %s cannot be read\n", path);
        exit(99);
    }
    api = double_table(text, &model, why);
    free(text);
    if (!api) {
        fprintf(stderr, "STILLPOINT_TEST_VSS: %s: %s\n", path, why);
        exit(99);
    }
    if (trace)
        model_trace_to(model, trace);
    atexit(account);
    return api;
}
