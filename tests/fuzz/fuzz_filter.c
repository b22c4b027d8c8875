#include <stdlib.h>

#include "base/buf.h"
#include "base/path.h"
#include "client/filter.h"
#include "tests/fuzz/fuzz.h"

/* `u8 flags ‖ u16 length ‖ patterns, a line each ‖ path`. What selects a path lets the walk come
 * there. */

enum { FOLD = 1, FOLDER = 2 };
#define MOST 200 /* patterns */

static void
ask(const struct sp_filter *f, const uint8_t *key, size_t n, bool folder)
{
    bool selected;

    if (!sp_key_valid(key, n))
        return;
    (void)sp_filter_excludes(f, key, n, folder);
    selected = sp_filter_selects(f, key, n, folder);
    for (size_t i = 0; i < n; i++)
        if (selected && key[i] == 0)
            FUZZ_MUST(sp_filter_may_select_below(f, key, i));
    if (selected && n > 0)
        FUZZ_MUST(sp_filter_may_select_below(f, key, 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned flags = fuzz_u8(&in);
    struct fuzz_in part = fuzz_part(&in);
    const char *patterns[MOST];
    struct sp_filter *f = NULL;
    struct sp_buf text = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t *key = malloc(in.n + 1);
    char *save = NULL;
    size_t n = 0;

    FUZZ_MUST(key != NULL);
    sp_buf_put(&text, part.p, part.n);
    (void)sp_buf_str(&text);
    if (text.data != NULL)
        for (char *line = strtok_r((char *)text.data, "\n", &save); line != NULL && n < MOST;
             line = strtok_r(NULL, "\n", &save))
            patterns[n++] = line;
    if (FUZZ_TRY(sp_filter_new(patterns, n, (flags & FOLD) != 0, &f, &e)) == SP_OK) {
        for (size_t i = 0; i < in.n; i++)
            key[i] = in.p[i] == '/' ? 0 : in.p[i];
        ask(f, key, in.n, (flags & FOLDER) != 0);
        FUZZ_MUST(sp_filter_pattern(f, n) == NULL);
    } else {
        FUZZ_MUST(e.code == SP_INVALID);
    }
    sp_filter_free(f);
    sp_buf_free(&text);
    free(key);
    return 0;
}
