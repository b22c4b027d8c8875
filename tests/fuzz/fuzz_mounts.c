#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "vss/mounts_linux.h"

/* /proc/self/mountinfo, in which everyone who may mount writes paths. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mounts m = {NULL, 0};
    struct sp_err e = {0};
    char *text = malloc(size + 1);

    FUZZ_MUST(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (FUZZ_TRY(mounts_parse(text, &m, &e)) == SP_OK) {
        FUZZ_MUST(m.n > 0);
        for (size_t i = 0; i < m.n; i++) {
            const struct mount *over = mounts_cover(&m, m.m[i].path);

            FUZZ_MUST(i == 0 || strcmp(m.m[i - 1].path, m.m[i].path) < 0); /* each once */
            FUZZ_MUST(over != NULL && strcmp(over->path, m.m[i].path) == 0);
            (void)mount_is_pseudo(&m.m[i]);
        }
    }
    mounts_clear(&m);
    free(text);
    return 0;
}
