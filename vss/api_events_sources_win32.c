/* Which events have to do with a shadow: see api_events_win32.h. */

#include "vss/api_events_win32.h"

#include <stdlib.h>
#include <wchar.h>

/* "x*": what begins so. */
static bool
matches(const wchar_t *pattern, const wchar_t *text)
{
    size_t n = wcslen(pattern);

    if (n > 0 && pattern[n - 1] == L'*')
        return wcslen(text) >= n - 1 &&
               CompareStringOrdinal(pattern, (int)n - 1, text, (int)n - 1, TRUE) == CSTR_EQUAL;
    return CompareStringOrdinal(pattern, -1, text, -1, TRUE) == CSTR_EQUAL;
}

/* learn.microsoft.com/windows-server/storage/file-server/troubleshoot/, "troubleshoot VSS errors";
 * the names are those under HKLM\SYSTEM\CurrentControlSet\Services\EventLog. */
static const wchar_t *const always[] = {L"VSS", L"volsnap",
    L"Microsoft-Windows-VolumeSnapshot-Driver", L"disk", L"Ntfs", L"Microsoft-Windows-Ntfs",
    L"ReFS", L"Microsoft-Windows-Backup", L"storahci", L"stornvme"};

/* Writers that log under another name than their own. */
static const struct {
    const wchar_t *writer, *source;
} of_writers[] = {
    {L"SqlServerWriter", L"SQLWRITER"},
    {L"SqlServerWriter", L"SQLVDI"},
    {L"SqlServerWriter", L"MSSQLSERVER"},
    {L"SqlServerWriter", L"MSSQL$*"},
    {L"Microsoft Exchange*", L"MSExchange*"},
    {L"Microsoft Exchange*", L"ESE"},
    {L"Microsoft Hyper-V VSS Writer", L"Microsoft-Windows-Hyper-V-*"},
    {L"NTDS", L"NTDS*"},
    {L"NTDS", L"Microsoft-Windows-ActiveDirectory_DomainService"},
    {L"NTDS", L"ESENT"},
    {L"System Writer", L"Microsoft-Windows-CAPI2"},
    {L"WMI Writer", L"Microsoft-Windows-WMI"},
    {L"DFS Replication*", L"DFSR"},
    {L"Certificate Authority", L"Microsoft-Windows-CertificationAuthority"},
    {L"SharePoint*", L"Microsoft-SharePoint*"},
    {L"Oracle*", L"Oracle*"},
    {L"VMware*", L"VMware*"},
};

bool
event_source_wanted(const wchar_t *source, const char *const *writers, size_t n)
{
    struct sp_err ignored;
    bool wanted = false;

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]) && !wanted; i++)
        wanted = matches(always[i], source);
    for (size_t i = 0; i < n && !wanted; i++) {
        wchar_t *name;

        if (sp_win32_wide(writers[i], &name, &ignored) != SP_OK)
            continue;
        wanted = matches(name, source);
        for (size_t k = 0; k < sizeof(of_writers) / sizeof(of_writers[0]) && !wanted; k++)
            wanted = matches(of_writers[k].writer, name) && matches(of_writers[k].source, source);
        free(name);
    }
    return wanted;
}

bool
event_log_wanted(const wchar_t *log)
{
    static const wchar_t *const wanted[] = {L"Microsoft-Windows-Hyper-V-VMMS*",
        L"Microsoft-Windows-Hyper-V-Worker*", L"Microsoft-Windows-Hyper-V-Integration*",
        L"Microsoft-Windows-Hyper-V-Guest*"};
    size_t n = wcslen(log);

    /* Analytic and debug logs cannot be asked while they are written
     * (learn.microsoft.com/windows/win32/wes/querying-for-events). */
    if ((n > 8 && wcscmp(log + n - 8, L"Analytic") == 0) ||
        (n > 5 && wcscmp(log + n - 5, L"Debug") == 0))
        return false;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (matches(wanted[i], log))
            return true;
    return false;
}

bool
event_calls_load(struct event_calls *ret)
{
    HMODULE dll = vss_system_dll(L"wevtapi.dll");

    if (dll == NULL)
        return false;
#define EVENT_FIND(name)                                                                           \
    if ((ret->name = (__typeof__(name) *)(void (*)(void))GetProcAddress(dll, #name)) == NULL)      \
        return false;
    EVENT_CALLS(EVENT_FIND)
#undef EVENT_FIND
    return true;
}
