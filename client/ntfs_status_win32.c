/* What ntdll's numbers mean to the table, and what the process may do. */
#include "client/ntfs_nt_win32.h"

/* Where the table is more exact than sp_os_code (err_win32.c), which knows nothing of what was
 * asked. */
static enum sp_code
code_of(DWORD os)
{
    switch (os) {
    case ERROR_NOT_A_REPARSE_POINT:
    case ERROR_JOURNAL_NOT_ACTIVE:
    case ERROR_JOURNAL_DELETE_IN_PROGRESS:
    case ERROR_JOURNAL_ENTRY_DELETED:
    case ERROR_OBJECT_NOT_FOUND:
        return SP_ABSENT;
    case ERROR_DUP_NAME: /* STATUS_DUPLICATE_NAME: an object id */
        return SP_EXISTS;
    case ERROR_INVALID_OWNER:
    case ERROR_INVALID_PRIMARY_GROUP:
        return SP_DENIED;
    case ERROR_NOT_SAME_DEVICE:
    case ERROR_TOO_MANY_LINKS:
    case ERROR_EAS_NOT_SUPPORTED:
        return SP_UNSUPPORTED;
    case ERROR_INVALID_PARAMETER:
    case ERROR_INVALID_HANDLE:
    case ERROR_DIRECTORY:
    case ERROR_INVALID_EA_NAME:
    case ERROR_EA_LIST_INCONSISTENT:
    case ERROR_INVALID_SECURITY_DESCR:
    case ERROR_INVALID_ACL:
    case ERROR_INVALID_SID:
    case ERROR_INVALID_REPARSE_DATA:
    case ERROR_REPARSE_TAG_INVALID:
    case ERROR_REPARSE_TAG_MISMATCH:
    case ERROR_REPARSE_ATTRIBUTE_CONFLICT:
        return SP_INVALID;
    default:
        return sp_os_code((int)os);
    }
}

enum sp_code
nt_fail_os(struct sp_err *e, DWORD os, const char *what)
{
    const enum sp_code rc =
        sp_fail(e, code_of(os), SP_DOM_NONE, "%s: %s", what, sp_os_text((int)os).s);
    e->os = (int)os;
    return rc;
}

bool
nt_unknown(NTSTATUS status)
{
    return status == NT_NOT_IMPLEMENTED || status == NT_INVALID_INFO_CLASS ||
           status == NT_INVALID_DEVICE_REQUEST || status == NT_NOT_SUPPORTED;
}

enum sp_code
nt_fail(struct sp_err *e, NTSTATUS status, const char *what)
{
    if (nt_unknown(status))
        return nt_fail_os(e, ERROR_NOT_SUPPORTED, what);
    if (status == NT_OBJECTID_NOT_FOUND || status == NT_NO_SUCH_FILE)
        return nt_fail_os(e, ERROR_FILE_NOT_FOUND, what);
    return nt_fail_os(e, RtlNtStatusToDosError(status), what);
}

static bool
enable(HANDLE token, const WCHAR *name)
{
    TOKEN_PRIVILEGES one = {.PrivilegeCount = 1};

    one.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    if (!LookupPrivilegeValueW(NULL, name, &one.Privileges[0].Luid))
        return false;
    /* learn.microsoft.com/en-us/windows/win32/api/securitybaseapi/nf-securitybaseapi-adjusttokenprivileges:
     * it succeeds although it enabled nothing; the error number tells. */
    return AdjustTokenPrivileges(token, FALSE, &one, 0, NULL, NULL) &&
           GetLastError() == ERROR_SUCCESS;
}

static BOOL CALLBACK
prepare(INIT_ONCE *once, void *arg, void **ret)
{
    static const struct {
        const WCHAR *name;
        unsigned bit;
    } wanted[] = {{SE_BACKUP_NAME, NTFS_MAY_BACKUP}, {SE_RESTORE_NAME, NTFS_MAY_RESTORE},
        {SE_SECURITY_NAME, NTFS_MAY_SECURITY}, {L"SeCreateSymbolicLinkPrivilege", NTFS_MAY_LINK}};
    uintptr_t may = 0;
    HANDLE token;

    (void)once;
    (void)arg;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token)) {
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (enable(token, wanted[i].name))
                may |= wanted[i].bit;
        CloseHandle(token);
    }
    /* Placeholders are shown as such, with tag and attributes (PHCM_EXPOSE_PLACEHOLDERS), from
     * Windows 10 1803 on: learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/
     * nf-ntifs-rtlsetprocessplaceholdercompatibilitymode */
    CHAR(NTAPI * expose)
    (CHAR) = (CHAR(NTAPI *)(CHAR))(void (*)(void))GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "RtlSetProcessPlaceholderCompatibilityMode");
    if (expose != NULL)
        expose(2);
    *ret = (void *)(may << INIT_ONCE_CTX_RESERVED_BITS);
    return TRUE;
}

unsigned
nt_privileges(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    void *may = NULL;

    if (!InitOnceExecuteOnce(&once, prepare, NULL, &may))
        return 0;
    return (unsigned)((uintptr_t)may >> INIT_ONCE_CTX_RESERVED_BITS);
}
