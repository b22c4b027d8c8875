#include "client/invitation.h"

#include <string.h>

#include "base/text.h"

static const char prefix[] = "spi.";

void
sp_invitation_print(const uint8_t secret[32], struct sp_buf *ret)
{
    sp_buf_put_str(ret, prefix);
    sp_base32_put(ret, secret, 32);
}

enum sp_code
sp_invitation_parse(const char *text, uint8_t ret_secret[32], struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "this is not an invitation: one begins with '%s' (stillpoint key invite)", prefix);
    rc = sp_base32_parse(text + sizeof(prefix) - 1, &b, e);
    if (rc == SP_OK && b.len != 32)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the invitation is not complete");
    if (rc == SP_OK)
        memcpy(ret_secret, b.data, 32);
    else
        e->domain = SP_DOM_CONFIG;
    sp_buf_wipe(&b);
    return rc;
}
