/* What the numbers of POSIX mean: see err.h. */

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Not every platform has every name; the #ifdefs ask for the name, not for the platform. */
static const struct {
    int os;
    enum sp_code code;
} os_codes[] = {
    {ENOENT, SP_ABSENT},
    {EEXIST, SP_EXISTS},
    {ENOTEMPTY, SP_EXISTS}, /* POSIX lets rmdir and rename answer with either of the two */
    {ENOSPC, SP_FULL},
    {EACCES, SP_DENIED},
    {EPERM, SP_DENIED},
    {EROFS, SP_DENIED},
    {ENOMEM, SP_NOMEM},
    {ELOOP, SP_REFUSED}, /* O_NOFOLLOW met a link */
    {EBUSY, SP_BUSY},
    {ETXTBSY, SP_BUSY},
    {EAGAIN, SP_BUSY},
    {ENOSYS, SP_UNSUPPORTED},
    {ENOTSUP, SP_UNSUPPORTED},
    {ECANCELED, SP_CANCELLED},
    {ETIMEDOUT, SP_TIMEOUT},
    /* A share that was unmounted, a device that was pulled, a host that does not answer. */
    {ENODEV, SP_UNREACHABLE},
    {ENXIO, SP_UNREACHABLE},
    {ENOTCONN, SP_UNREACHABLE},
    {EPIPE, SP_UNREACHABLE},
    {ECONNREFUSED, SP_UNREACHABLE},
    {ECONNRESET, SP_UNREACHABLE},
    {ECONNABORTED, SP_UNREACHABLE},
    {EHOSTUNREACH, SP_UNREACHABLE},
    {ENETUNREACH, SP_UNREACHABLE},
    {ENETDOWN, SP_UNREACHABLE},
    {ENETRESET, SP_UNREACHABLE},
#ifdef EDQUOT
    {EDQUOT, SP_FULL},
#endif
#ifdef ESTALE
    {ESTALE, SP_UNREACHABLE},
#endif
#ifdef EHOSTDOWN
    {EHOSTDOWN, SP_UNREACHABLE},
#endif
#ifdef ESHUTDOWN
    {ESHUTDOWN, SP_UNREACHABLE},
#endif
#ifdef ENOMEDIUM
    {ENOMEDIUM, SP_UNREACHABLE},
#endif
};

enum sp_code
sp_os_code(int os)
{
    for (size_t i = 0; i < sizeof(os_codes) / sizeof(os_codes[0]); i++)
        if (os_codes[i].os == os)
            return os_codes[i].code;
    return SP_IO;
}

enum sp_os_reason
sp_os_reason(int os)
{
    switch (os) {
    case EROFS:
        return SP_OS_READ_ONLY;
    case ENOTDIR:
        return SP_OS_NOT_FOLDER;
    case EINVAL:
        return SP_OS_BAD_REQUEST;
    case EPERM:
        return SP_OS_NOT_PERMITTED;
    default:
        return SP_OS_NO_REASON;
    }
}

struct sp_os_text
sp_os_text(int os)
{
    struct sp_os_text t;

    /* strerror has a buffer per thread in glibc since 2.32, and is constant text in musl. */
    (void)snprintf(t.s, sizeof(t.s), "%s", strerror(os));
    return t;
}
