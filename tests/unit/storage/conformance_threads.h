#ifndef SP_TESTS_CONFORMANCE_THREADS_H
#define SP_TESTS_CONFORMANCE_THREADS_H

/* The part of the suite with more than one thread, and what both parts use. */

#include "conformance.h"

struct fixture {
    const struct conformance *c;
    struct sp_backend *b;
};

struct sp_backend *conformance_backend(void **state);
void conformance_fill(uint8_t *p, size_t n, uint64_t seed);
void conformance_put(struct sp_backend *b, const char *name, const char *text);

void one_of_two_wins(void **state);
void many_write_while_one_lists(void **state);
void listing_survives_vanishing(void **state);

#endif
