#include <string.h>

#include "base/ini.h"
#include "tests/fuzz/fuzz.h"

/* Configuration files come from people: any bytes parse or are refused with a sentence. */

struct seen {
    unsigned line;
};

static enum sp_code
each(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct seen *s = arg;
    (void)e;
    FUZZ_MUST(section && (key == NULL) == (value == NULL));
    FUZZ_MUST(line >= s->line); /* in the order of the file */
    s->line = line;
    return SP_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_err e = {0};
    struct seen s = {0};
    enum sp_code rc = sp_ini_parse("fuzz.conf", (const char *)data, size, each, &s, &e);
    FUZZ_MUST((rc == SP_OK) == (e.code == SP_OK));
    FUZZ_MUST(rc == SP_OK || (rc == e.code && strstr(e.text, "fuzz.conf")));
    return 0;
}
