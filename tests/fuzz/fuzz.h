#ifndef SP_TESTS_FUZZ_H
#define SP_TESTS_FUZZ_H

/* What a fuzz target is: any bytes are input, and none may make it crash, hang or break an assert.
 */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert, in every build. */
#define FUZZ_MUST(x) ((x) ? (void)0 : __builtin_trap())

#endif
