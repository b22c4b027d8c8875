#include <windows.h>

#include <winnetwk.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"
#include "client/share.h"

bool
sp_address_is_share(const char *address)
{
    return strncmp(address, "//", 2) == 0 && address[2] != '?' && address[2] != '.' &&
           address[2] != '\0';
}

/* "//server/share/folder" → "\\server\share" */
static enum sp_code
share_of(const char *address, WCHAR **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint16_t *wide = NULL;
    size_t n = 0;
    unsigned slashes = 0;
    enum sp_code rc;

    for (const char *p = address; *p != '\0' && (*p != '/' || ++slashes < 4); p++)
        sp_buf_put_u8(&b, *p == '/' ? (uint8_t)'\\' : (uint8_t)*p);
    sp_buf_put_u8(&b, 0);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_wtf8_to_utf16((const char *)b.data, b.len, &wide, &n, e);
    sp_buf_free(&b);
    if (rc == SP_OK)
        *ret = (WCHAR *)wide;
    return rc;
}

static enum sp_code
explain(const char *address, const char *user, DWORD why, struct sp_err *e)
{
    switch (why) {
    case NO_ERROR:
        return SP_OK;
    case ERROR_ACCESS_DENIED:
    case ERROR_LOGON_FAILURE:
    case ERROR_INVALID_PASSWORD:
    case ERROR_ACCOUNT_RESTRICTION:
    case ERROR_PASSWORD_EXPIRED:
    case ERROR_ACCOUNT_DISABLED:
    case ERROR_ACCOUNT_LOCKED_OUT:
        return sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "%s does not let %s in (error %lu); keep the right login with: stillpoint login -r %s "
            "--user NAME",
            address, user, (unsigned long)why, address);
    case ERROR_SESSION_CREDENTIAL_CONFLICT:
        return sp_fail(e, SP_BUSY, SP_DOM_STORE,
            "%s: this Windows session is connected to that server as another user than %s; end "
            "that "
            "connection (net use, net use /delete) or let the service do the backup",
            address, user);
    default:
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE, "%s cannot be connected (error %lu)",
            address, (unsigned long)why);
    }
}

enum sp_code
sp_share_connect(const char *address, const char *user, const char *password, struct sp_err *e)
{
    NETRESOURCEW share = {.dwType = RESOURCETYPE_DISK};
    uint16_t *wide_user = NULL, *wide_password = NULL;
    WCHAR *name = NULL;
    size_t n = 0, password_n = 0;
    enum sp_code rc;

    if (user[0] == '\0')
        return SP_OK;
    if ((rc = share_of(address, &name, e)) == SP_OK &&
        (rc = sp_wtf8_to_utf16(user, strlen(user) + 1, &wide_user, &n, e)) == SP_OK &&
        (rc = sp_wtf8_to_utf16(password, strlen(password) + 1, &wide_password, &password_n, e)) ==
            SP_OK) {
        share.lpRemoteName = name;
        rc = explain(address, user,
            WNetAddConnection2W(
                &share, (WCHAR *)wide_password, (WCHAR *)wide_user, CONNECT_TEMPORARY),
            e);
    }
    if (wide_password != NULL)
        sp_wipe(wide_password, password_n * sizeof *wide_password);
    free(wide_password);
    free(wide_user);
    free(name);
    return rc;
}
