#include "client/share.h"

bool
sp_address_is_share(const char *address)
{
    (void)address;
    return false;
}

enum sp_code
sp_share_connect(const char *address, const char *user, const char *password, struct sp_err *e)
{
    (void)password;
    if (user[0] == '\0')
        return SP_OK;
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
        "a login for %s: this system mounts shares (mount.cifs, /etc/fstab); give the path where "
        "it is "
        "mounted",
        address);
}
