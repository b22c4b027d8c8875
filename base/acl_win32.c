/* Who may touch what we make, and who made what we find: see sys_win32.h. */

#include "base/sys_win32.h"

#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/os.h"

/* The user whom this process acts for; *ret malloc'd, the SID inside. */
static enum sp_code
this_user(TOKEN_USER **ret, struct sp_err *e)
{
    HANDLE token = NULL;
    TOKEN_USER *user = NULL;
    DWORD n = 0;
    enum sp_code rc = SP_OK;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "cannot ask who this process is");
    (void)GetTokenInformation(token, TokenUser, NULL, 0, &n);
    if ((user = calloc(1, (size_t)n + 1)) == NULL)
        rc = sp_fail_nomem(e);
    else if (!GetTokenInformation(token, TokenUser, user, n, &n))
        rc = sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "cannot ask who this process is");
    (void)CloseHandle(token);
    if (rc != SP_OK)
        free(user);
    else
        *ret = user;
    return rc;
}

/* D:P is a list that takes nothing from above; FA full access; SY SYSTEM, BA Administrators; OICI:
 * what is made inside takes it over
 * (learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format). */
enum sp_code
sp_win32_tight(bool folder, PSECURITY_DESCRIPTOR *ret, struct sp_err *e)
{
    const wchar_t *inherit = folder ? L"OICI" : L"";
    PSECURITY_DESCRIPTOR descriptor = NULL;
    TOKEN_USER *user = NULL;
    wchar_t *sid = NULL, text[400];
    enum sp_code rc;

    if ((rc = this_user(&user, e)) != SP_OK)
        return rc;
    if (!ConvertSidToStringSidW(user->User.Sid, &sid) ||
        _snwprintf(text, sizeof(text) / sizeof(text[0]),
            L"D:P(A;%ls;FA;;;SY)(A;%ls;FA;;;BA)(A;%ls;FA;;;%ls)", inherit, inherit, inherit,
            sid) < 0 ||
        !ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text, SDDL_REVISION_1, &descriptor, NULL))
        rc = sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "cannot write down who may read this");
    else
        *ret = descriptor;
    (void)LocalFree(sid);
    free(user);
    return rc;
}

static bool
is_known(PSID owner, WELL_KNOWN_SID_TYPE type)
{
    return IsWellKnownSid(owner, type) != 0;
}

/* NT SERVICE\TrustedInstaller, which owns the system's own folders. */
static bool
is_installer(PSID owner)
{
    PSID installer = NULL;
    bool is = ConvertStringSidToSidW(
                  L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", &installer) &&
              EqualSid(owner, installer);

    (void)LocalFree(installer);
    return is;
}

/* The right to put something into a folder, to take it away, or to give oneself that right. */
#define CHANGES                                                                                    \
    (FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | FILE_DELETE_CHILD | DELETE | WRITE_DAC |              \
        WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)

/* Those whom nobody is named by. A single user's entry is an administrator's decision: what that
 * user makes himself, he owns. */
static bool
is_many(PSID sid)
{
    static const WELL_KNOWN_SID_TYPE many[] = {WinWorldSid, WinBuiltinUsersSid,
        WinAuthenticatedUserSid, WinInteractiveSid, WinNetworkSid, WinLocalSid, WinAnonymousSid,
        WinBuiltinGuestsSid, WinBuiltinPowerUsersSid, WinAccountDomainUsersSid,
        WinAccountDomainGuestsSid};

    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        if (is_known(sid, many[i]))
            return true;
    return false;
}

/* What is made in %ProgramData% by hand takes over its list, by which every user may put files
 * there (learn.microsoft.com/windows/win32/secauthz/access-control-lists). No list: everyone may do
 * all. What is only handed down (CREATOR OWNER) is whose the thing made is. */
static bool
others_may_change(PACL list)
{
    ACE_HEADER *ace;

    if (list == NULL)
        return true;
    for (DWORD i = 0; i < list->AceCount; i++) {
        if (!GetAce(list, i, (LPVOID *)&ace))
            return true;
        if (ace->AceType != ACCESS_ALLOWED_ACE_TYPE || (ace->AceFlags & INHERIT_ONLY_ACE) != 0)
            continue;
        ACCESS_ALLOWED_ACE *allowed = (ACCESS_ALLOWED_ACE *)(void *)ace;

        if ((allowed->Mask & CHANGES) != 0 && is_many(&allowed->SidStart))
            return true;
    }
    return false;
}

/* Whether another user may change what is in a folder. */
static enum sp_code
open_to_others(const wchar_t *path, bool *ret, struct sp_err *e)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    PACL list = NULL;
    DWORD rc_win;
    enum sp_code rc = SP_OK;

    rc_win = GetNamedSecurityInfoW((LPWSTR)(uintptr_t)path, SE_FILE_OBJECT,
        DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL, &descriptor);
    if (rc_win != ERROR_SUCCESS)
        rc = sp_fail_os(e, SP_DOM_CONFIG, (int)rc_win, "cannot ask who may change a folder");
    else
        *ret = others_may_change(list);
    (void)LocalFree(descriptor);
    return rc;
}

enum sp_code
sp_win32_owner_trusted(const wchar_t *path, bool *ret, struct sp_err *e)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    TOKEN_USER *user = NULL;
    PSID owner = NULL;
    DWORD rc_win;
    enum sp_code rc;

    if ((rc = this_user(&user, e)) != SP_OK)
        return rc;
    /* Through a handle that follows no link: a link's own owner is asked, not its target's. */
    HANDLE h =
        CreateFileW(path, READ_CONTROL, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    rc_win = h == INVALID_HANDLE_VALUE
                 ? GetLastError()
                 : GetSecurityInfo(h, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL,
                       NULL, NULL, &descriptor);
    if (rc_win != ERROR_SUCCESS)
        rc = sp_fail_os(e, SP_DOM_CONFIG, (int)rc_win, "cannot ask who owns a folder");
    else
        *ret = owner != NULL &&
               (EqualSid(owner, user->User.Sid) || is_known(owner, WinLocalSystemSid) ||
                   is_known(owner, WinBuiltinAdministratorsSid) || is_installer(owner));
    if (h != INVALID_HANDLE_VALUE)
        (void)CloseHandle(h);
    (void)LocalFree(descriptor);
    free(user);
    return rc;
}

enum sp_code
sp_win32_check_ours(const char *path, struct sp_err *e)
{
    struct sp_os_stat st;
    struct sp_err why = {0};
    wchar_t *wide = NULL;
    bool trusted = false, open = false;
    char *shown = NULL;
    enum sp_code rc = sp_os_system.stat(sp_os_system.self, path, &st, &why);

    if (rc == SP_ABSENT)
        return SP_OK;
    if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    if (st.type != SP_OS_DIR)
        return sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "%s is not a folder: what an administrator's runs obey must not be led elsewhere; "
            "remove "
            "it",
            path);
    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    if ((rc = sp_win32_owner_trusted(wide, &trusted, e)) == SP_OK && trusted &&
        !sp_win32_is_remote(wide))
        rc = open_to_others(wide, &open, e);
    free(wide);
    /* As icacls takes it: to it a slash begins an option. */
    if (rc == SP_OK && (!trusted || open) && (shown = strdup(path)) == NULL)
        rc = sp_fail_nomem(e);
    for (char *p = shown; p != NULL && *p != '\0'; p++)
        *p = *p == '/' ? '\\' : *p;
    if (rc == SP_OK && !trusted)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "%s belongs to another user, who could change what runs here with an administrator's "
            "rights; look at what is in it, then remove it or give it to the administrators "
            "(icacls \"%s\" /setowner *S-1-5-32-544 /T)",
            shown, shown);
    else if (rc == SP_OK && open)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "other users may put files into %s, and could so change what runs here with an "
            "administrator's rights; look at what is in it, then close it: icacls \"%s\" "
            "/inheritance:r /grant:r \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\" "
            "/remove:g *S-1-1-0 *S-1-5-11 *S-1-5-32-545",
            shown, shown);
    free(shown);
    return rc;
}
