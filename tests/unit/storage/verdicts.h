#ifndef SP_TESTS_VERDICTS_H
#define SP_TESTS_VERDICTS_H

/* Verdicts for tests, by chance, and two of them held against each other. Include after cmocka.h.
 */

#include "base/verdict.h"
#include "entries.h"

/* Everything that a verdict can hold, with so many components and paths of each. */
struct sp_verdict verdict_draw(struct draws *d, size_t ncomponents, size_t npaths);
void verdict_same(const struct sp_verdict *a, const struct sp_verdict *b);

#endif
