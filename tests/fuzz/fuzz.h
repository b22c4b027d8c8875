#ifndef SP_TESTS_FUZZ_H
#define SP_TESTS_FUZZ_H

/* What a fuzz target is: any bytes are input, and none may make it crash, hang, take memory without
 * bound, or break a FUZZ_MUST. A target says at its top what its input means: some begin with a
 * byte of flags and with numbers, so that the fuzzer can reach what lies behind a seal or a hash,
 * which the target makes right. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert, in every build. */
#define FUZZ_MUST(x)                                                                               \
    ((x) ? (void)0                                                                                 \
         : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x), __builtin_trap()))

/* A call that takes &e and has to succeed. */
#define FUZZ_OK(call) fuzz_ok((call), __FILE__, __LINE__, &e)
static inline void
fuzz_ok(enum sp_code rc, const char *file, int line, const struct sp_err *e)
{
    if (rc != SP_OK) {
        fprintf(stderr, "%s:%d: %s\n", file, line, e->text);
        __builtin_trap();
    }
}

/* A call that may fail: then it says why, and the error is the one that it gives. */
#define FUZZ_TRY(call) fuzz_try((call), &e)
static inline enum sp_code
fuzz_try(enum sp_code rc, struct sp_err *e)
{
    FUZZ_MUST(rc == SP_OK || (rc == e->code && e->text[0] != '\0'));
    FUZZ_MUST(rc != SP_INTERNAL && rc != SP_NOMEM);
    return rc;
}

/* Numbers and parts taken from the front of the input; zeros once nothing is left. */
struct fuzz_in {
    const uint8_t *p;
    size_t n;
};

static inline uint8_t
fuzz_u8(struct fuzz_in *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

static inline uint16_t
fuzz_u16(struct fuzz_in *in)
{
    uint16_t low = fuzz_u8(in);

    return (uint16_t)(low | (unsigned)fuzz_u8(in) << 8);
}

static inline uint32_t
fuzz_u32(struct fuzz_in *in)
{
    uint32_t low = fuzz_u16(in);

    return low | (uint32_t)fuzz_u16(in) << 16;
}

/* At most n bytes. */
static inline struct fuzz_in
fuzz_take(struct fuzz_in *in, size_t n)
{
    struct fuzz_in part = {in->p, n < in->n ? n : in->n};

    in->p += part.n;
    in->n -= part.n;
    return part;
}

/* `u16 length ‖ bytes`. */
static inline struct fuzz_in
fuzz_part(struct fuzz_in *in)
{
    return fuzz_take(in, fuzz_u16(in));
}

/* Choices that depend on the input alone, for what is not to be said byte by byte. */
struct fuzz_dice {
    uint64_t state;
};

static inline struct fuzz_dice
fuzz_dice_of(const uint8_t *data, size_t size)
{
    struct fuzz_dice d = {UINT64_C(0xcbf29ce484222325)};

    for (size_t i = 0; i < size; i++)
        d.state = (d.state ^ data[i]) * UINT64_C(0x100000001b3);
    return d;
}

static inline size_t
fuzz_below(struct fuzz_dice *d, size_t n)
{
    d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(d->state >> 33) % n;
}

#endif
