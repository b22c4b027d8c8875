/* What COM has to know of this process before VSS is used: see api_win32.h. */

#include "vss/api_win32.h"

#include <sddl.h>
#include <stdlib.h>

/* Writers call back, under these accounts: without it they fail with event 8194 and 0x80070005
 * (learn.microsoft.com/windows/win32/vss/security-considerations-for-requestors). 3 is
 * COM_RIGHTS_EXECUTE and COM_RIGHTS_EXECUTE_LOCAL. CoInitializeSecurity takes an absolute
 * descriptor with owner and group only
 * (learn.microsoft.com/windows/win32/com/setting-processwide-security-with-coinitializesecurity).
 */
#define CALLERS L"O:BAG:BAD:(A;;0x3;;;BA)(A;;0x3;;;BO)(A;;0x3;;;SY)(A;;0x3;;;LS)(A;;0x3;;;NS)"

static DWORD
absolute(PSECURITY_DESCRIPTOR relative, void **ret)
{
    DWORD n = 0, dacl = 0, sacl = 0, owner = 0, group = 0, all;
    unsigned char *p;

    (void)MakeAbsoluteSD(relative, NULL, &n, NULL, &dacl, NULL, &sacl, NULL, &owner, NULL, &group);
    all = n + dacl + sacl + owner + group;
    if ((p = calloc(1, (size_t)all + 1)) == NULL)
        return ERROR_OUTOFMEMORY;
    if (!MakeAbsoluteSD(relative, (PSECURITY_DESCRIPTOR)p, &n, (PACL)(void *)(p + n), &dacl,
            (PACL)(void *)(p + n + dacl), &sacl, (PSID)(p + n + dacl + sacl), &owner,
            (PSID)(p + n + dacl + sacl + owner), &group)) {
        free(p);
        return GetLastError();
    }
    *ret = p;
    return ERROR_SUCCESS;
}

HRESULT
vss_secure(void)
{
    PSECURITY_DESCRIPTOR relative = NULL;
    void *callers = NULL;
    DWORD why = ERROR_SUCCESS;
    HRESULT hr;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
            CALLERS, SDDL_REVISION_1, &relative, NULL))
        return HRESULT_FROM_WIN32(GetLastError());
    why = absolute(relative, &callers);
    (void)LocalFree(relative);
    if (why != ERROR_SUCCESS)
        return HRESULT_FROM_WIN32(why);
    hr = CoInitializeSecurity(callers, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
        RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_DYNAMIC_CLOAKING, NULL);
    free(callers);
    return hr;
}

/* COM catches what goes wrong in calls into this process and goes on; we would rather fall
 * (learn.microsoft.com/windows/win32/api/objidl/nn-objidl-iglobaloptions). A system without that
 * option has nothing to be switched off. */
void
vss_let_exceptions_through(void)
{
    IGlobalOptions *options = NULL;

    if (FAILED(CoCreateInstance(&CLSID_GlobalOptions, NULL, CLSCTX_INPROC_SERVER,
            &IID_IGlobalOptions, (void **)&options)))
        return;
    (void)IGlobalOptions_Set(options, COMGLB_EXCEPTION_HANDLING, COMGLB_EXCEPTION_DONOT_HANDLE);
    (void)IGlobalOptions_Release(options);
}
