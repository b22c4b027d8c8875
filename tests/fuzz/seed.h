#ifndef SP_TESTS_FUZZ_SEED_H
#define SP_TESTS_FUZZ_SEED_H

/* First inputs of the targets, made from real objects: fuzz_seed GOLDEN OUT writes OUT/TARGET/NAME
 * from the golden repository (tests/golden/v1), from a conversation of two sessions, and from what
 * this machine would keep. To be minimised with what the fuzzer found (see docs/testing.md). */

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"

/* OUT/target/name; empties the buffer. */
void seed_put(const char *target, const char *name, struct sp_buf *b);
void seed_part(struct sp_buf *b, const void *p, size_t n); /* `u16 length ‖ bytes` */

void seed_golden(const char *folder);
void seed_nodes(void);
void seed_talk(void);
void seed_local(void);

#endif
