/* The memory backend against the contract. */

#include "conformance.h"

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    (void)arg;
    return sp_backend_memory_new(ret, e);
}

int
main(void)
{
    const struct conformance c = {.kind = "memory", .make = make};

    sp_backend_free(NULL);
    return conformance_run(&c);
}
