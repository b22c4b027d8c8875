/* The event logs around a shadow: see api.h. Times are asked of the system's own index; sources are
 * sorted out here, because a query has room for about twenty names
 * (learn.microsoft.com/windows/win32/wes/consuming-events). */

#include "vss/api_events_win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct look {
    struct event_calls calls;
    const char *const *writers;
    size_t nwriters;
    vss_each_event *each;
    void *arg;
    EVT_HANDLE system, user; /* contexts: what to render */
    wchar_t query[300];
};

/* "2026-11-22T21:00:00.123Z" */
static void
time_text(int64_t ns, wchar_t ret[32])
{
    uint64_t ticks = (uint64_t)(ns / 100 + INT64_C(116444736000000000));
    FILETIME t = {.dwLowDateTime = (DWORD)ticks, .dwHighDateTime = (DWORD)(ticks >> 32)};
    SYSTEMTIME s;

    if (!FileTimeToSystemTime(&t, &s))
        memset(&s, 0, sizeof(s));
    (void)_snwprintf(ret, 32, L"%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", s.wYear, s.wMonth, s.wDay,
        s.wHour, s.wMinute, s.wSecond, s.wMilliseconds);
    ret[31] = 0;
}

/* Values in memory of their own; NULL: they cannot be had. */
static EVT_VARIANT *
render(struct look *l, EVT_HANDLE context, EVT_HANDLE event, DWORD *ret_n)
{
    DWORD size = 0;
    EVT_VARIANT *v;

    (void)l->calls.EvtRender(context, event, EvtRenderEventValues, 0, NULL, &size, ret_n);
    if (GetLastError() != ERROR_INSUFFICIENT_BUFFER ||
        (v = calloc(1, (size_t)size + sizeof(*v))) == NULL)
        return NULL;
    if (l->calls.EvtRender(context, event, EvtRenderEventValues, size, v, &size, ret_n))
        return v;
    free(v);
    return NULL;
}

/* The message of a source that is no longer installed is not to be had: then what the event came
 * with. */
static HRESULT
bare_text(struct look *l, EVT_HANDLE event, char **ret)
{
    DWORD n = 0;
    EVT_VARIANT *v = render(l, l->user, event, &n);
    struct sp_buf all = SP_BUF_INIT;
    struct sp_err e;
    uint8_t *bytes;
    size_t len;
    enum sp_code rc;

    for (DWORD i = 0; v != NULL && i < n; i++) {
        char *one = NULL;

        if (v[i].Type != EvtVarTypeString || v[i].StringVal == NULL ||
            FAILED(vss_text(v[i].StringVal, &one)))
            continue;
        sp_buf_printf(&all, "%s%s", all.len > 0 ? "; " : "", one);
        free(one);
    }
    free(v);
    sp_buf_put_u8(&all, '\0');
    if ((rc = sp_buf_take(&all, &bytes, &len, &e)) == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&all);
    return vss_of_code(rc);
}

/* What follows a message (line ends, blanks) goes; so do the line ends within. */
static HRESULT
one_line(wchar_t *message, char **ret)
{
    size_t n = wcslen(message);

    while (n > 0 && wcschr(L"\r\n\t ", message[n - 1]) != NULL)
        message[--n] = 0;
    for (size_t i = 0; i < n; i++)
        if (message[i] < L' ')
            message[i] = L' ';
    return vss_text(message, ret);
}

/* https://learn.microsoft.com/en-us/windows/win32/wes/formatting-event-messages: a message with a
 * value missing is given and called an error. */
static HRESULT
message_of(struct look *l, EVT_HANDLE event, const wchar_t *source, char **ret)
{
    EVT_HANDLE publisher = l->calls.EvtOpenPublisherMetadata(NULL, source, NULL, 0, 0);
    wchar_t *text = NULL;
    DWORD n = 0;
    HRESULT hr = E_FAIL;

    if (publisher != NULL) {
        (void)l->calls.EvtFormatMessage(
            publisher, event, 0, 0, NULL, EvtFormatMessageEvent, 0, NULL, &n);
        if (n > 0 && (text = calloc((size_t)n + 1, sizeof(*text))) != NULL &&
            (l->calls.EvtFormatMessage(
                 publisher, event, 0, 0, NULL, EvtFormatMessageEvent, n, text, &n) ||
                *text != 0))
            hr = one_line(text, ret);
        free(text);
        (void)l->calls.EvtClose(publisher);
    }
    return SUCCEEDED(hr) ? hr : bare_text(l, event, ret);
}

static enum sp_code
give(struct look *l, EVT_HANDLE event, const EVT_VARIANT *v, struct sp_err *e)
{
    struct sp_verdict_event one = {0};
    uint32_t level = v[EvtSystemLevel].Type == EvtVarTypeByte ? v[EvtSystemLevel].ByteVal : 0;
    enum sp_code rc;

    one.at_ns = sp_win32_time_ns(v[EvtSystemTimeCreated].FileTimeVal);
    one.id = v[EvtSystemEventID].UInt16Val;
    one.severity = level >= 1 && level <= 3 ? level : 4; /* 0: always logged; 5: verbose */
    if (FAILED(vss_text(v[EvtSystemChannel].StringVal, &one.log)) ||
        FAILED(vss_text(v[EvtSystemProviderName].StringVal, &one.source)) ||
        FAILED(message_of(l, event, v[EvtSystemProviderName].StringVal, &one.text)))
        rc = sp_fail_nomem(e);
    else
        rc = l->each(l->arg, &one, e);
    free(one.log);
    free(one.source);
    free(one.text);
    return rc;
}

static enum sp_code
look_at(struct look *l, EVT_HANDLE event, bool all, struct sp_err *e)
{
    DWORD n = 0;
    EVT_VARIANT *v = render(l, l->system, event, &n);
    enum sp_code rc = SP_OK;

    /* An event that cannot be read is no event of ours. */
    if (v != NULL && n > EvtSystemChannel && v[EvtSystemProviderName].Type == EvtVarTypeString &&
        (all || event_source_wanted(v[EvtSystemProviderName].StringVal, l->writers, l->nwriters)))
        rc = give(l, event, v, e);
    free(v);
    return rc;
}

#define NEXT_MS 10000 /* for the log service to give the next ones */

/* `all`: every level and source. */
static enum sp_code
look_into(struct look *l, const wchar_t *log, bool all, struct sp_err *e)
{
    wchar_t query[400];
    EVT_HANDLE events[16], result;
    DWORD n = 0, why;
    enum sp_code rc = SP_OK;

    (void)_snwprintf(query, 400, L"*[System[%ls%ls]]",
        all ? L"" : L"(Level=1 or Level=2 or Level=3) and ", l->query);
    SetLastError(ERROR_CALL_NOT_IMPLEMENTED); /* Wine's says nothing */
    result = l->calls.EvtQuery(NULL, log, query, EvtQueryChannelPath | EvtQueryForwardDirection);
    if (result == NULL) {
        why = GetLastError();
        if (all) /* a log of Hyper-V's that is switched off */
            return SP_OK;
        if (why == ERROR_ACCESS_DENIED)
            return sp_fail_os(e, SP_DOM_SHADOW, (int)why, "the log %ls cannot be read", log);
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "the event logs of this system cannot be read (%s): look there yourself",
            sp_os_text((int)why).s);
    }
    /* Not before there are events to render: Wine has no such call, and ends the process. */
    if (l->system == NULL)
        l->system = l->calls.EvtCreateRenderContext(0, NULL, EvtRenderContextSystem);
    if (l->user == NULL)
        l->user = l->calls.EvtCreateRenderContext(0, NULL, EvtRenderContextUser);
    if (l->system == NULL || l->user == NULL)
        rc = sp_fail_os(e, SP_DOM_SHADOW, (int)GetLastError(), "the log %ls cannot be read", log);
    while (rc == SP_OK && l->calls.EvtNext(result, 16, events, NEXT_MS, 0, &n)) {
        for (DWORD i = 0; i < n; i++) {
            if (rc == SP_OK)
                rc = look_at(l, events[i], all, e);
            (void)l->calls.EvtClose(events[i]);
        }
    }
    if (rc == SP_OK && (why = GetLastError()) != ERROR_NO_MORE_ITEMS)
        rc = sp_fail_os(e, SP_DOM_SHADOW, (int)why, "the log %ls cannot be read to its end", log);
    (void)l->calls.EvtClose(result);
    return rc;
}

/* Hyper-V's, by whatever names this version has them. */
static enum sp_code
look_into_hyperv(struct look *l, struct sp_err *e)
{
    EVT_HANDLE logs = l->calls.EvtOpenChannelEnum(NULL, 0);
    wchar_t log[512];
    DWORD n;
    enum sp_code rc = SP_OK;

    if (logs == NULL)
        return SP_OK;
    while (rc == SP_OK && l->calls.EvtNextChannelPath(logs, 512, log, &n))
        if (event_log_wanted(log))
            rc = look_into(l, log, true, e);
    (void)l->calls.EvtClose(logs);
    return rc;
}

enum sp_code
vss_events(void *self, int64_t from_ns, int64_t to_ns, const char *const *writers, size_t nwriters,
    vss_each_event *each, void *arg, struct sp_err *e)
{
    struct look l = {.writers = writers, .nwriters = nwriters, .each = each, .arg = arg};
    wchar_t from[32], to[32];
    enum sp_code rc;

    (void)self;
    if (!event_calls_load(&l.calls))
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "this system has no event logs that can be read (wevtapi.dll): look there yourself");
    time_text(from_ns, from);
    time_text(to_ns, to);
    (void)_snwprintf(
        l.query, 300, L"TimeCreated[@SystemTime>='%ls' and @SystemTime<='%ls']", from, to);
    if ((rc = look_into(&l, L"System", false, e)) == SP_OK &&
        (rc = look_into(&l, L"Application", false, e)) == SP_OK)
        rc = look_into_hyperv(&l, e);
    if (l.system != NULL)
        (void)l.calls.EvtClose(l.system);
    if (l.user != NULL)
        (void)l.calls.EvtClose(l.user);
    return rc;
}
