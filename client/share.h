#ifndef SP_CLIENT_SHARE_H
#define SP_CLIENT_SHARE_H

/* A repository on `\\server\share`, for which a service has no login of its own: the profile keeps user and
 * password (DPAPI), and the connection is made before the folder is opened, each time
 * (learn.microsoft.com/en-us/windows/win32/api/winnetwk/nf-winnetwk-wnetaddconnection2w). Windows connects
 * again by itself when the server was away; what fails meanwhile ends the run, as with any store. */

#include <stdbool.h>

#include "base/err.h"

bool sp_address_is_share(const char *address); /* "//server/share/…" on Windows, never on POSIX */
/* user "" : Windows' own login. SP_AUTH: the server refuses it; SP_UNREACHABLE; SP_BUSY: this session is
 * connected there as another user already. */
enum sp_code sp_share_connect(
    const char *address, const char *user, const char *password, struct sp_err *e);

#endif
