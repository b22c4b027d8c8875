/* conformance_sftp KIND…: the contract of all backends over accounts of real servers. Every test
 * has a repository of its own there. */

#include "account.h"
#include "tests/unit/storage/conformance.h"

#include <stdio.h>

static unsigned made;

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    return account_open(arg, ++made, true, ret, e);
}

static enum sp_code
again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    return account_open(arg, made, false, ret, e);
}

int
main(int argc, char **argv)
{
    struct conformance c = {.make = make, .again = again};
    const char *address;
    int i, failed = 0;

    if (argc < 2 || account_address("key") == NULL) {
        (void)fputs("usage: with.sh conformance_sftp KIND…\n", stderr);
        return 2;
    }
    for (i = 1; i < argc; i++) {
        if ((address = account_address(argv[i])) == NULL) {
            (void)printf("%s: this machine has no such account\n", argv[i]);
            continue;
        }
        c.kind = argv[i];
        c.arg = (void *)(uintptr_t)address;
        failed += conformance_run(&c);
    }
    return failed != 0;
}
