/* Random bytes from Windows: see random.h. */

#include "base/random.h"

#include <windows.h>

#include <bcrypt.h>

#define MOST_AT_ONCE ((size_t)1 << 30)

static enum sp_code
system_fill(void *self, void *to, size_t n, struct sp_err *e)
{
    uint8_t *out = to;

    (void)self;
    while (n > 0) {
        size_t part = n < MOST_AT_ONCE ? n : MOST_AT_ONCE;
        NTSTATUS status = BCryptGenRandom(NULL, out, (ULONG)part, BCRYPT_USE_SYSTEM_PREFERRED_RNG);

        if (status != 0)
            return sp_fail(e, SP_IO, SP_DOM_SELF,
                "the system gives no random bytes: status 0x%08lx", (unsigned long)status);
        out += part;
        n -= part;
    }
    return SP_OK;
}

const struct sp_random sp_random_system = {system_fill, NULL};
