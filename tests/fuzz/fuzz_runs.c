#include <stdlib.h>

#include "base/path.h"
#include "base/runs.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

/* `u16 memory ‖ (u8 length ‖ key ‖ u8 length ‖ value ‖ u8 times) …`: sorted outside of memory as
 * inside. */

#define MOST 4096

struct record {
    struct fuzz_in key, value;
    size_t number;
};

static int
by_key(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int order = sp_key_cmp(x->key.p, x->key.n, y->key.p, y->key.n);

    return order != 0 ? order : x->number < y->number ? -1 : 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record all[MOST];
    struct fuzz_files *files = fuzz_files_new();
    struct fuzz_in in = {data, size};
    struct sp_runs *r = NULL;
    struct sp_err e = {0};
    const void *key, *value;
    size_t n = 0, key_n, value_n;
    bool more = true;

    FUZZ_OK(sp_runs_new(fuzz_files_env(files), "/tmp/runs", fuzz_u16(&in), &r, &e));
    while (in.n > 0 && n < MOST) {
        struct fuzz_in k = fuzz_take(&in, fuzz_u8(&in)), v = fuzz_take(&in, fuzz_u8(&in));

        for (size_t times = 1 + fuzz_u8(&in); times > 0 && n < MOST; times--) {
            all[n] = (struct record){k, v, n};
            FUZZ_OK(sp_runs_add(r, k.p, k.n, v.p, v.n, &e));
            n++;
        }
    }
    FUZZ_MUST(sp_runs_count(r) == n);
    qsort(all, n, sizeof(all[0]), by_key);
    FUZZ_OK(sp_runs_sort(r, &e));
    for (size_t i = 0; i <= n; i++) {
        FUZZ_OK(sp_runs_next(r, &key, &key_n, &value, &value_n, &more, &e));
        FUZZ_MUST(more == (i < n));
        if (!more)
            break;
        FUZZ_MUST(sp_key_cmp(key, key_n, all[i].key.p, all[i].key.n) == 0);
        FUZZ_MUST(sp_key_cmp(value, value_n, all[i].value.p, all[i].value.n) == 0);
    }
    sp_runs_free(r);
    fuzz_files_free(files);
    return 0;
}
