/* Windows' table of VSS: the process made ready, and all rows by name; see api.h. */

#include "vss/api_win32.h"

#include "base/os.h"

/* COM and its security are the process's, and so is this. Threads that start at the same time wait
 * for each other. */
static struct {
    SRWLOCK lock;
    unsigned users;
    bool secured; /* by us: COM keeps the first answer for as long as the process lives */
    HMODULE dll;  /* once loaded it stays: threads of its own may be in it */
    HRESULT(STDAPICALLTYPE *create)(IVssBackupComponents **);
    void(APIENTRY *free_properties)(VSS_SNAPSHOT_PROP *);
    IVssBackupComponents *first; /* made by start to see that it can be had; the first session's */
} process = {.lock = SRWLOCK_INIT};

#define LIVE "With shadow = none in the job the files are read live, and the set says so"

static enum sp_code
start_com(struct sp_err *e)
{
    HRESULT hr;

    if (process.secured)
        return SP_OK;
    /* First of all that COM is used for: any other use may fix the security by itself. */
    if (hr = vss_secure(), hr == RPC_E_TOO_LATE)
        return sp_fail(e, SP_REFUSED, SP_DOM_SHADOW,
            "VSS cannot be used: something in this process has fixed the security of COM before, "
            "and without our own "
            "the applications could not answer (this would be event 8194 of VSS). Run the backup "
            "in a process of its "
            "own: stillpoint backup");
    if (FAILED(hr))
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "VSS cannot be used: the security of COM cannot be set up: %s", vss_words(hr).s);
    process.secured = true;
    vss_let_exceptions_through();
    return SP_OK;
}

/* Administrators and backup operators have it, when elevated
 * (learn.microsoft.com/windows/win32/secauthz/privilege-constants). */
static enum sp_code
take_privilege(struct sp_err *e)
{
    TOKEN_PRIVILEGES one = {.PrivilegeCount = 1};
    HANDLE token = NULL;
    DWORD why = ERROR_SUCCESS;

    one.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token) ||
        !LookupPrivilegeValueW(NULL, SE_BACKUP_NAME, &one.Privileges[0].Luid) ||
        !AdjustTokenPrivileges(token, FALSE, &one, 0, NULL, NULL) ||
        GetLastError() != ERROR_SUCCESS)
        why = GetLastError();
    if (token != NULL)
        (void)CloseHandle(token);
    if (why == ERROR_SUCCESS)
        return SP_OK;
    if (why != ERROR_NOT_ALL_ASSIGNED)
        return sp_fail_os(e, SP_DOM_SHADOW, (int)why,
            "VSS cannot be used: cannot take the right to back up files");
    return sp_fail(e, SP_DENIED, SP_DOM_SHADOW,
        "VSS is for administrators and backup operators, and this process has not their rights (it "
        "is not elevated). "
        "Run it as administrator, or let Stillpoint's service run the job. " LIVE);
}

/* A service that is not there is told by what COM answers. */
static enum sp_code
check_service(struct sp_err *e)
{
    union {
        QUERY_SERVICE_CONFIGW config;
        unsigned char room[8192]; /* its limit */
    } u;
    SC_HANDLE scm = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service = NULL;
    DWORD n = 0;
    bool disabled = false;

    if (scm != NULL && (service = OpenServiceW(scm, L"VSS", SERVICE_QUERY_CONFIG)) != NULL)
        disabled = QueryServiceConfigW(service, &u.config, sizeof(u), &n) != 0 &&
                   u.config.dwStartType == SERVICE_DISABLED;
    if (service != NULL)
        (void)CloseServiceHandle(service);
    if (scm != NULL)
        (void)CloseServiceHandle(scm);
    if (!disabled)
        return SP_OK;
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
        "the service \"Volume Shadow Copy\" (VSS) is disabled on this machine: set its start to "
        "manual, as Windows "
        "has it (sc config VSS start= demand). " LIVE);
}

/* A process of 32 bits on a system of 64 sees a VSS that makes no shadows
 * (learn.microsoft.com/windows/win32/vss/shadow-copy-creation-details). */
static enum sp_code
check_bits(struct sp_err *e)
{
    BOOL wow = FALSE;

    if (!IsWow64Process(GetCurrentProcess(), &wow) || !wow)
        return SP_OK;
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
        "this is the 32-bit program on a 64-bit Windows, where VSS serves 64-bit programs only: "
        "install Stillpoint for "
        "64 bits");
}

static enum sp_code
load(struct sp_err *e)
{
    FARPROC create, free_properties;
    HMODULE dll;

    if (process.dll != NULL)
        return SP_OK;
    if ((dll = vss_system_dll(L"vssapi.dll")) == NULL)
        return sp_fail_os(e, SP_DOM_SHADOW, (int)GetLastError(),
            "there is no VSS in this system: vssapi.dll of the system folder cannot be "
            "loaded. " LIVE);
    create = GetProcAddress(dll, "CreateVssBackupComponentsInternal");
    free_properties = GetProcAddress(dll, "VssFreeSnapshotPropertiesInternal");
    if (create == NULL || free_properties == NULL) {
        (void)FreeLibrary(dll);
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "the VSS of this system is too old: Stillpoint needs that of Windows Vista or "
            "later. " LIVE);
    }
    process.create = (HRESULT(STDAPICALLTYPE *)(IVssBackupComponents **))(void (*)(void))create;
    process.free_properties =
        (void(APIENTRY *)(VSS_SNAPSHOT_PROP *))(void (*)(void))free_properties;
    process.dll = dll;
    return SP_OK;
}

/* Whether there is a VSS behind its DLL is seen by asking. */
static enum sp_code
make_first(struct sp_err *e)
{
    HRESULT hr;

    if (process.first != NULL || SUCCEEDED(hr = process.create(&process.first)))
        return SP_OK;
    process.first = NULL;
    if (hr == E_NOTIMPL || hr == REGDB_E_CLASSNOTREG)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "there is no VSS in this system (it answers %s): applications cannot be asked to take "
            "part, and no shadow "
            "can be made. " LIVE,
            vss_words(hr).s);
    if (hr == E_ACCESSDENIED)
        return sp_fail(e, SP_DENIED, SP_DOM_SHADOW,
            "VSS refuses this process (%s): it is for administrators and backup operators, "
            "elevated. Run it as "
            "administrator, or let Stillpoint's service run the job",
            vss_words(hr).s);
    return sp_fail(e, SP_IO, SP_DOM_SHADOW, /* it is there, and fails: no machine without VSS */
        "VSS does not start: %s. See the events of VSS in the Application log; vssadmin list "
        "writers shows whether it "
        "works at all",
        vss_words(hr).s);
}

static enum sp_code
start_locked(struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = check_bits(e)) != SP_OK || (rc = take_privilege(e)) != SP_OK ||
        (rc = check_service(e)) != SP_OK || (rc = load(e)) != SP_OK || (rc = start_com(e)) != SP_OK)
        return rc;
    return process.users == 0 ? make_first(e) : SP_OK;
}

static enum sp_code
start(void *self, struct sp_err *e)
{
    HRESULT hr = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    enum sp_code rc;

    (void)self;
    if (FAILED(hr))
        return sp_fail(
            e, SP_IO, SP_DOM_SHADOW, "VSS cannot be used: COM does not start: %s", vss_words(hr).s);
    AcquireSRWLockExclusive(&process.lock);
    if ((rc = start_locked(e)) == SP_OK)
        process.users++;
    ReleaseSRWLockExclusive(&process.lock);
    if (rc != SP_OK)
        CoUninitialize();
    return rc;
}

static void
end(void *self)
{
    IVssBackupComponents *unused = NULL;

    (void)self;
    AcquireSRWLockExclusive(&process.lock);
    if (--process.users == 0) {
        unused = process.first;
        process.first = NULL;
    }
    ReleaseSRWLockExclusive(&process.lock);
    if (unused != NULL)
        (void)IVssBackupComponents_Release(unused);
    CoUninitialize();
}

HRESULT
vss_create(IVssBackupComponents **ret)
{
    IVssBackupComponents *first;

    AcquireSRWLockExclusive(&process.lock);
    first = process.first;
    process.first = NULL;
    ReleaseSRWLockExclusive(&process.lock);
    if (first == NULL)
        return process.create(ret);
    *ret = first;
    return S_OK;
}

void
vss_free_properties(VSS_SNAPSHOT_PROP *p)
{
    process.free_properties(p);
}

static const struct sp_vss_api here = {NULL, start, end, vss_covering, vss_below, vss_remote,
    vss_file_system, vss_session_create, vss_session_release, vss_initialize, vss_set_context,
    vss_set_state, vss_gather_metadata, vss_metadata_count, vss_metadata, vss_free_metadata,
    vss_start_set, vss_volume_supported, vss_add_volume, vss_add_component, vss_prepare,
    vss_gather_status, vss_status_count, vss_status, vss_free_status, vss_component_report,
    vss_do_snapshot, vss_properties, vss_succeeded, vss_complete, vss_abort, vss_document,
    vss_delete_set, vss_events, vss_guest_version, vss_wait, vss_cancel, vss_release_async};

const struct sp_vss_api *
sp_vss_here(void)
{
    return &here;
}
