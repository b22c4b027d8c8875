/* Where things are on Windows, and who we are: see os.h. */

#include "base/os.h"

#include <initguid.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/sys_win32.h"

#include <knownfolders.h>
#include <shlobj.h>

/* An administrator whose token is not elevated has that group only to be denied by
 * (learn.microsoft.com/windows/win32/api/securitybaseapi/nf-securitybaseapi-checktokenmembership).
 * SYSTEM is in it. */
bool
sp_os_is_admin(void)
{
    SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
    PSID administrators = NULL;
    BOOL is = FALSE;

    if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID,
            DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0, 0, 0, &administrators))
        return false;
    if (!CheckTokenMembership(NULL, administrators, &is))
        is = FALSE;
    (void)FreeSid(administrators);
    return is != FALSE;
}

/* A variable that is set and not empty; *ret NULL otherwise, malloc'd. */
static enum sp_code
env(const wchar_t *name, char **ret, struct sp_err *e)
{
    DWORD n = GetEnvironmentVariableW(name, NULL, 0), got;
    wchar_t *value;
    enum sp_code rc = SP_OK;

    *ret = NULL;
    if (n == 0)
        return SP_OK;
    if ((value = calloc(n, sizeof(*value))) == NULL)
        return sp_fail_nomem(e);
    got = GetEnvironmentVariableW(name, value, n);
    if (got > 0 && got < n)
        rc = sp_win32_narrow(value, ret, e);
    free(value);
    return rc;
}

/* KF_FLAG_DONT_VERIFY: the path, whether or not it is there now. */
static enum sp_code
known_folder(const KNOWNFOLDERID *id, const char *what, char **ret, struct sp_err *e)
{
    PWSTR path = NULL;
    HRESULT hr = SHGetKnownFolderPath(id, KF_FLAG_DONT_VERIFY, NULL, &path);
    enum sp_code rc;

    if (hr != S_OK)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "Windows does not say where %s is (HRESULT 0x%08lx)", what, (unsigned long)hr);
    else
        rc = sp_win32_narrow(path, ret, e);
    CoTaskMemFree(path);
    return rc;
}

static const struct {
    const wchar_t *own; /* ours, before everything */
    const char *below;
} places[] = {
    [SP_PLACE_CONFIG] = {L"STILLPOINT_CONFIG_DIR", "config"},
    [SP_PLACE_STATE] = {L"STILLPOINT_STATE_DIR", "state"},
    [SP_PLACE_CACHE] = {L"STILLPOINT_CACHE_DIR", "cache"},
};

enum sp_code
sp_os_place(enum sp_os_place which, char **ret, struct sp_err *e)
{
    char *given = NULL, *base = NULL, *ours = NULL, *path = NULL;
    bool admin = sp_os_is_admin();
    enum sp_code rc;

    if ((rc = env(places[which].own, &given, e)) != SP_OK)
        return rc;
    if (given != NULL) {
        rc = sp_os_absolute(given, ret, e);
        goto out;
    }
    rc = admin ? known_folder(&FOLDERID_ProgramData, "%ProgramData%", &base, e)
               : known_folder(&FOLDERID_LocalAppData, "%LocalAppData%", &base, e);
    if (rc != SP_OK)
        goto out;
    if ((ours = sp_path_join(base, "Stillpoint")) == NULL ||
        (path = sp_path_join(ours, places[which].below)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if (admin && ((rc = sp_win32_check_ours(ours, e)) != SP_OK ||
                     (rc = sp_win32_check_ours(path, e)) != SP_OK))
        goto out;
    rc = sp_os_absolute(path, ret, e);
out:
    free(given);
    free(base);
    free(ours);
    free(path);
    return rc;
}

enum sp_code
sp_os_hostname(char **ret, struct sp_err *e)
{
    wchar_t name[257];
    DWORD n = sizeof(name) / sizeof(name[0]);

    if (!GetComputerNameExW(ComputerNameDnsHostname, name, &n))
        return sp_fail_os(
            e, SP_DOM_SELF, (int)GetLastError(), "cannot ask for the name of this machine");
    return sp_win32_narrow(name, ret, e);
}

enum sp_code
sp_os_stream(const char *path, FILE **ret, struct sp_err *e)
{
    wchar_t *wide = NULL;
    FILE *f;
    enum sp_code rc;

    /* A pipe has no folder: its name goes to the system as it is. */
    if (strncmp(path, "\\\\.\\pipe\\", 9) == 0)
        rc = sp_win32_wide(path, &wide, e);
    else
        rc = sp_win32_path(path, &wide, e);
    if (rc != SP_OK)
        return rc;
    if ((f = _wfopen(wide, L"rb")) == NULL) {
        rc = sp_fail_os(e, SP_DOM_CONFIG, (int)_doserrno, "%s", path);
    } else {
        *ret = f;
    }
    free(wide);
    return rc;
}
