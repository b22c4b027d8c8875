#ifndef SP_TESTS_CONFORMANCE_H
#define SP_TESTS_CONFORMANCE_H

/* The contract of storage/backend.h as tests: every backend must pass the same ones. */

#include "storage/backend.h"

struct conformance {
    const char *kind;
    /* A backend over a new, empty store; each test asks for one and frees it. */
    enum sp_code (*make)(void *arg, struct sp_backend **ret, struct sp_err *e);
    /* The store of the last `make`, opened by somebody else; NULL when there is no such thing. */
    enum sp_code (*again)(void *arg, struct sp_backend **ret, struct sp_err *e);
    void *arg;
};

/* Runs all of them; gives the number of failures. */
int conformance_run(const struct conformance *c);

#endif
