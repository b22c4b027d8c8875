/* Random bytes from the Linux kernel: see random.h. */

#include "base/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

static enum sp_code
system_fill(void *self, void *to, size_t n, struct sp_err *e)
{
    uint8_t *out = to;

    (void)self;
    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return sp_fail_os(
                e, SP_DOM_SELF, got < 0 ? errno : EIO, "the system gives no random bytes");
        out += got;
        n -= (size_t)got;
    }
    return SP_OK;
}

const struct sp_random sp_random_system = {system_fill, NULL};
