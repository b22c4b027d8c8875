/* A wevtapi.dll of the tests: two logs and one of Hyper-V's, with a handful of events, for what is
 * asked of them in the form that the real one wants (learn.microsoft.com/windows/win32/wes). What
 * is not closed is counted. */

#include <windows.h>

#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winevt.h>

struct event {
    const wchar_t *log, *source, *message, *value;
    WORD id;
    BYTE level;
};
static const struct event all[] = {
    {L"System", L"volsnap", L"The shadow copies of volume C: were aborted.\r\n\r\n", NULL, 25, 2},
    {L"System", L"Service Control Manager", L"not of ours", NULL, 7036, 2},
    {L"Application", L"VSS", NULL, L"0x80070005", 8194, 2},
    {L"Application", L"SQLVDI", L"of SQL\r\nServer", NULL, 1, 3},
    {L"Application", L"Elsewhere", L"of a writer that is not there", NULL, 1, 3},
    {L"Microsoft-Windows-Hyper-V-VMMS-Admin", L"Microsoft-Windows-Hyper-V-VMMS", L"a checkpoint",
        NULL, 18590, 4},
};
static const wchar_t *const logs[] = {L"Application", L"Microsoft-Windows-Hyper-V-VMMS-Admin",
    L"Microsoft-Windows-Hyper-V-VMMS-Analytic", L"System"};
#define EVENTS (sizeof(all) / sizeof(all[0]))

struct handle {
    size_t at;
    const wchar_t *text; /* log or source */
    DWORD flags;
    BOOL warnings; /* and worse only */
};
static int open_handles;

static EVT_HANDLE
new_handle(void)
{
    struct handle *h = calloc(1, sizeof(*h));

    if (h == NULL)
        abort();
    open_handles++;
    return h;
}

int WevtTestOpen(void);

int
WevtTestOpen(void)
{
    return open_handles;
}

/* Only what asks for a time in the form of the documentation is answered. */
EVT_HANDLE WINAPI
EvtQuery(EVT_HANDLE session, LPCWSTR log, LPCWSTR query, DWORD flags)
{
    struct handle *h;

    (void)session;
    if (flags != (EvtQueryChannelPath | EvtQueryForwardDirection) ||
        wcsncmp(query, L"*[System[", 9) != 0 ||
        wcsstr(query, L"TimeCreated[@SystemTime>='2026-11-22T10:00:00.250Z' and "
                      L"@SystemTime<='2026-11-22T10:05:00.000Z']]]") == NULL ||
        wcsstr(log, L"Analytic") != NULL) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    h = new_handle();
    h->text = log;
    h->warnings = wcsstr(query, L"(Level=1 or Level=2 or Level=3) and ") != NULL;
    return h;
}

WINBOOL WINAPI
EvtNext(EVT_HANDLE result, DWORD n, EVT_HANDLE *ret, DWORD timeout, DWORD flags, PDWORD ret_n)
{
    struct handle *h = result;

    (void)timeout;
    (void)flags;
    *ret_n = 0;
    for (; h->at < EVENTS && *ret_n < n; h->at++) {
        struct handle *event;

        if (wcscmp(all[h->at].log, h->text) != 0 || (h->warnings && all[h->at].level > 3))
            continue;
        event = new_handle();
        event->at = h->at;
        ret[(*ret_n)++] = event;
    }
    if (*ret_n > 0)
        return TRUE;
    SetLastError(ERROR_NO_MORE_ITEMS);
    return FALSE;
}

EVT_HANDLE WINAPI
EvtCreateRenderContext(DWORD n, LPCWSTR *paths, DWORD flags)
{
    struct handle *h = new_handle();

    (void)n;
    (void)paths;
    h->flags = flags;
    return h;
}

WINBOOL WINAPI
EvtRender(EVT_HANDLE context, EVT_HANDLE event, DWORD flags, DWORD size, PVOID to, PDWORD ret_size,
    PDWORD ret_n)
{
    const struct handle *c = context;
    const struct event *e = &all[((struct handle *)event)->at];
    EVT_VARIANT *v = to;
    BOOL system = c->flags == EvtRenderContextSystem;

    *ret_n = system ? EvtSystemPropertyIdEND : 1;
    *ret_size = *ret_n * (DWORD)sizeof(*v);
    if (flags != EvtRenderEventValues || size < *ret_size) {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return FALSE;
    }
    memset(v, 0, *ret_size);
    if (!system) {
        v[0].Type = e->value != NULL ? EvtVarTypeString : EvtVarTypeNull;
        v[0].StringVal = e->value;
        return TRUE;
    }
    v[EvtSystemProviderName].Type = EvtVarTypeString;
    v[EvtSystemProviderName].StringVal = e->source;
    v[EvtSystemChannel].Type = EvtVarTypeString;
    v[EvtSystemChannel].StringVal = e->log;
    v[EvtSystemEventID].Type = EvtVarTypeUInt16;
    v[EvtSystemEventID].UInt16Val = e->id;
    v[EvtSystemLevel].Type = EvtVarTypeByte;
    v[EvtSystemLevel].ByteVal = e->level;
    v[EvtSystemTimeCreated].Type = EvtVarTypeFileTime;
    v[EvtSystemTimeCreated].FileTimeVal =
        116444736000000000ull + 17953416600000000ull; /* 2026-11-22T10:01:00Z */
    return TRUE;
}

/* Of a source without a message there is no publisher. */
EVT_HANDLE WINAPI
EvtOpenPublisherMetadata(EVT_HANDLE session, LPCWSTR source, LPCWSTR file, LCID locale, DWORD flags)
{
    struct handle *h;

    (void)session;
    (void)file;
    (void)locale;
    (void)flags;
    if (wcscmp(source, L"VSS") == 0) {
        SetLastError(ERROR_FILE_NOT_FOUND);
        return NULL;
    }
    h = new_handle();
    h->text = source;
    return h;
}

WINBOOL WINAPI
EvtFormatMessage(EVT_HANDLE publisher, EVT_HANDLE event, DWORD id, DWORD nvalues,
    PEVT_VARIANT values, DWORD flags, DWORD n, LPWSTR to, PDWORD ret_n)
{
    const struct event *e = &all[((struct handle *)event)->at];

    (void)publisher;
    (void)id;
    (void)nvalues;
    (void)values;
    *ret_n = (DWORD)wcslen(e->message) + 1;
    if (flags != EvtFormatMessageEvent || n < *ret_n) {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return FALSE;
    }
    wcscpy(to, e->message);
    return TRUE;
}

EVT_HANDLE WINAPI
EvtOpenChannelEnum(EVT_HANDLE session, DWORD flags)
{
    (void)session;
    (void)flags;
    return new_handle();
}

WINBOOL WINAPI
EvtNextChannelPath(EVT_HANDLE handle, DWORD n, LPWSTR to, PDWORD ret_n)
{
    struct handle *h = handle;

    if (h->at == sizeof(logs) / sizeof(logs[0])) {
        SetLastError(ERROR_NO_MORE_ITEMS);
        return FALSE;
    }
    *ret_n = (DWORD)wcslen(logs[h->at]) + 1;
    if (*ret_n > n) {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return FALSE;
    }
    wcscpy(to, logs[h->at++]);
    return TRUE;
}

WINBOOL WINAPI
EvtClose(EVT_HANDLE handle)
{
    free(handle);
    open_handles--;
    return TRUE;
}
