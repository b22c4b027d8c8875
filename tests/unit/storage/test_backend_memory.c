/* The memory backend against the contract. */

#include "conformance.h"
#include "storage/backend_memory.h"

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    struct sp_backend **last = arg;
    enum sp_code rc = sp_backend_memory_new(ret, e);

    *last = rc == SP_OK ? *ret : NULL;
    return rc;
}

static enum sp_code
again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    return sp_backend_memory_again(*(struct sp_backend **)arg, ret, e);
}

int
main(void)
{
    struct sp_backend *last = NULL;
    const struct conformance c = {.kind = "memory", .make = make, .again = again, .arg = &last};

    sp_backend_free(NULL);
    return conformance_run(&c);
}
