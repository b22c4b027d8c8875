#ifndef SP_TESTS_FUZZ_FILES_H
#define SP_TESTS_FUZZ_FILES_H

/* A platform in memory: files that the fuzzer wrote, a clock that stands still, random bytes that
 * are the same every time. One thread at a time. */

#include "base/os.h"
#include "base/random.h"

#define FUZZ_NOW_NS INT64_C(1790000000000000000)

struct fuzz_files;
struct fuzz_files *fuzz_files_new(void);
void fuzz_files_free(struct fuzz_files *f);
const struct sp_env *fuzz_files_env(const struct fuzz_files *f);
/* Makes or replaces it. */
void fuzz_files_put(struct fuzz_files *f, const char *path, const void *p, size_t n);
/* NULL: not there. */
const uint8_t *fuzz_files_get(const struct fuzz_files *f, const char *path, size_t *ret_n);

#endif
