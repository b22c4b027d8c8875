#ifndef SP_TESTS_CONFORMANCE_THREADS_H
#define SP_TESTS_CONFORMANCE_THREADS_H

/* The parts of the suite beside conformance.c, and what all of them use. */

#include "conformance.h"

struct fixture {
    const struct conformance *c;
    struct sp_backend *b;
};

struct sp_backend *conformance_backend(void **state);
/* The same store, which gets a repository.conf, as somebody else opens it; NULL when there is no such
 * thing. */
struct sp_backend *conformance_again(void **state);
void conformance_fill(uint8_t *p, size_t n, uint64_t seed);
void conformance_put(struct sp_backend *b, const char *name, const char *text);

void one_of_two_wins(void **state);
void many_write_while_one_lists(void **state);
void listing_survives_vanishing(void **state);

/* conformance_far.c */
void the_clock_is_the_stores(void **state);
void asking_the_time_leaves_nothing(void **state);
void temporary_files_tell_their_run(void **state);
void what_was_swept_gets_no_name(void **state);
void fetches_may_overlap(void **state);
void fetches_fail_as_reads_do(void **state);
void list_all_lists_each_prefix(void **state);

#endif
