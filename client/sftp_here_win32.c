#include <windows.h>

#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/path.h"
#include "base/sys_win32.h"
#include "client/sftp_here.h"

/* OpenSSH for Windows keeps a user's files in %USERPROFILE%\.ssh and the machine's in
 * %ProgramData%\ssh:
 * learn.microsoft.com/windows-server/administration/openssh/openssh-server-configuration. A service
 * that runs as LocalSystem has a profile of its own. */

#define NAME_MOST 256 /* UNLEN: GetUserNameW */

/* A folder that an environment variable names, and what is below it; *ret NULL: it is not set. */
static enum sp_code
below(const wchar_t *variable, const char *name, char **ret, struct sp_err *e)
{
    wchar_t value[MAX_PATH];
    DWORD n = GetEnvironmentVariableW(variable, value, MAX_PATH);
    char *text = NULL, *folder = NULL;
    enum sp_code rc;

    *ret = NULL;
    if (n == 0 || n >= MAX_PATH)
        return SP_OK;
    if ((rc = sp_win32_narrow(value, &text, e)) == SP_OK)
        rc = sp_os_absolute(text, &folder, e);
    if (rc == SP_OK && (*ret = sp_path_join(folder, name)) == NULL)
        rc = sp_fail_nomem(e);
    free(folder);
    free(text);
    return rc;
}

enum sp_code
sp_sftp_own_name(char **ret, struct sp_err *e)
{
    wchar_t name[NAME_MOST + 1];
    DWORD n = NAME_MOST + 1;

    if (!GetUserNameW(name, &n))
        return sp_fail_os(e, SP_DOM_CONFIG, (int)GetLastError(), "this user's name");
    return sp_win32_narrow(name, ret, e);
}

enum sp_code
sp_sftp_folders(char **ret_user, char **ret_system, struct sp_err *e)
{
    char *user = NULL, *system = NULL;
    enum sp_code rc;

    if ((rc = below(L"USERPROFILE", ".ssh", &user, e)) == SP_OK)
        rc = below(L"ProgramData", "ssh", &system, e);
    if (rc == SP_OK && system == NULL && (system = strdup("C:/ProgramData/ssh")) == NULL)
        rc = sp_fail_nomem(e);
    if (rc != SP_OK) {
        free(user);
        free(system);
        return rc;
    }
    *ret_user = user;
    *ret_system = system;
    return SP_OK;
}
