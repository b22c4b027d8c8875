#include <stdlib.h>

#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "vss/journal.h"

/* A journal of shadows: which of them a later run may remove. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_files *files = fuzz_files_new();
    const struct sp_env *env = fuzz_files_env(files);
    struct sp_journal j = {0}, again = {0};
    struct sp_err e = {0};

    fuzz_files_put(files, "/j/1.shadows", data, size);
    if (FUZZ_TRY(sp_journal_read(env, "/j/1.shadows", &j, &e)) == SP_OK) {
        for (size_t i = 0; i < j.n; i++)
            FUZZ_MUST(j.paths[i][0] == '/' && strchr(j.paths[i], '\n') == NULL);
        FUZZ_OK(
            sp_journal_write(env, "/j/2.shadows", (const char *const *)(void *)j.paths, j.n, &e));
        FUZZ_OK(sp_journal_read(env, "/j/2.shadows", &again, &e));
        FUZZ_MUST(again.alive && again.n == j.n); /* this process lives */
        for (size_t i = 0; i < j.n; i++)
            FUZZ_MUST(strcmp(j.paths[i], again.paths[i]) == 0);
        sp_journal_clear(&again);
        sp_journal_clear(&j);
    } else {
        FUZZ_MUST(e.code == SP_CORRUPT);
    }
    fuzz_files_free(files);
    return 0;
}
