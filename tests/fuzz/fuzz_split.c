#include <stdlib.h>

#include "storage/split.h"
#include "tests/fuzz/fuzz.h"

/* `u8 flags ‖ u8 × 3 sizes ‖ u8 times ‖ data`: the data, so many times, cut at once and in pieces:
 * the same cuts, which cover it exactly and keep to the limits. */

enum { IMAGE = 1 };
#define MOST (256u << 10)

static size_t
cut(const struct sp_splitter *s, bool image, const uint8_t *p, size_t n, struct fuzz_dice *dice,
    size_t *ret, size_t room)
{
    struct sp_split st;
    size_t at = 0, open = 0, count = 0;

    sp_split_start(&st, s, image);
    while (at < n) {
        size_t piece = n - at, used;
        bool end = false;

        if (dice != NULL)
            piece = 1 + fuzz_below(dice, piece < 700 ? piece : 700);
        used = sp_split_next(&st, p + at, piece, &end);
        FUZZ_MUST(used <= piece && (end || used == piece) && (used > 0 || end));
        at += used;
        open += used;
        if (!end)
            continue;
        FUZZ_MUST(open > 0 && count < room);
        ret[count++] = open;
        open = 0;
    }
    if (open > 0 && count < room)
        ret[count++] = open;
    return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t whole[8192], pieces[8192];
    static const uint8_t key[32] = {6};
    struct fuzz_dice dice = fuzz_dice_of(data, size);
    struct fuzz_in in = {data, size};
    bool image = (fuzz_u8(&in) & IMAGE) != 0;
    struct sp_split_params params;
    struct sp_splitter *s = NULL;
    struct sp_err e = {0};
    size_t n = 0, count, sum = 0, times;
    uint8_t *p = malloc(MOST);

    FUZZ_MUST(p != NULL);
    params.file_min = 64 + 8u * fuzz_u8(&in);
    params.file_avg = 1u << (7 + fuzz_u8(&in) % 8);
    params.file_max = params.file_avg + 1 + 64u * fuzz_u8(&in);
    params.image_chunk = 4096;
    times = 1 + fuzz_u8(&in);
    while (times-- > 0 && in.n > 0 && in.n <= MOST - n) {
        memcpy(p + n, in.p, in.n);
        n += in.n;
    }
    (void)sp_split_is_image((const char *)in.p, in.n / 2, in.p, in.n);
    if (FUZZ_TRY(sp_splitter_new(&params, key, &s, &e)) != SP_OK) {
        FUZZ_MUST(!sp_split_params_valid(&params));
    } else {
        count = cut(s, image, p, n, NULL, whole, 8192);
        FUZZ_MUST(cut(s, image, p, n, &dice, pieces, 8192) == count);
        for (size_t i = 0; i < count; i++) {
            FUZZ_MUST(whole[i] == pieces[i] && whole[i] <= sp_split_max(s, image));
            FUZZ_MUST(i + 1 == count || whole[i] >= (image ? 4096 : params.file_min));
            sum += whole[i];
        }
        FUZZ_MUST(sum == n);
    }
    sp_splitter_free(s);
    free(p);
    return 0;
}
