/* The Event Log: see scm_win32.h. */

#include "base/scm_win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/sys_win32.h"

#define SOURCES L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\"
#define TEXT_MOST                                                                                  \
    30000 /* of 31839 characters:                                                                  \
             https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-reporteventw   \
           */

struct sp_eventlog {
    HANDLE handle;
};

static enum sp_code
fail(struct sp_err *e, LSTATUS why)
{
    if (why == ERROR_ACCESS_DENIED)
        return sp_fail(e, SP_DENIED, SP_DOM_CONFIG,
            "Windows lets only administrators register sources of the Event Log: open the console "
            "with 'Run as administrator' and run it again");
    return sp_fail_os(e, SP_DOM_SELF, (int)why, "cannot register the source in the Event Log");
}

static void
key_of(const wchar_t *source, wchar_t to[200])
{
    (void)swprintf(to, 200, SOURCES L"%ls", source);
}

/* https://learn.microsoft.com/en-us/windows/win32/eventlog/event-sources */
enum sp_code
sp_eventlog_register(const wchar_t *source, const char *program, struct sp_err *e)
{
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    wchar_t key[200], *path = NULL;
    HKEY handle = NULL;
    LSTATUS why;
    enum sp_code rc;

    if ((rc = sp_win32_wide(program, &path, e)) != SP_OK)
        return rc;
    for (wchar_t *p = path; *p != 0; p++)
        *p = *p == L'/' ? L'\\' : *p;
    key_of(source, key);
    why = RegCreateKeyExW(HKEY_LOCAL_MACHINE, key, 0, NULL, 0, KEY_SET_VALUE, NULL, &handle, NULL);
    if (why == ERROR_SUCCESS)
        why = RegSetValueExW(handle, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)path,
            (DWORD)((wcslen(path) + 1) * sizeof(*path)));
    if (why == ERROR_SUCCESS)
        why = RegSetValueExW(
            handle, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof(types));
    if (handle != NULL)
        (void)RegCloseKey(handle);
    free(path);
    return why == ERROR_SUCCESS ? SP_OK : fail(e, why);
}

enum sp_code
sp_eventlog_unregister(const wchar_t *source, struct sp_err *e)
{
    wchar_t key[200];
    LSTATUS why;

    key_of(source, key);
    why = RegDeleteKeyW(HKEY_LOCAL_MACHINE, key);
    return why == ERROR_SUCCESS || why == ERROR_FILE_NOT_FOUND ? SP_OK : fail(e, why);
}

enum sp_code
sp_eventlog_open(const wchar_t *source, struct sp_eventlog **ret, struct sp_err *e)
{
    struct sp_eventlog *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return sp_fail_nomem(e);
    l->handle = RegisterEventSourceW(NULL, source);
    if (l->handle == NULL) {
        free(l);
        return sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "the Event Log does not answer");
    }
    *ret = l;
    return SP_OK;
}

void
sp_eventlog_close(struct sp_eventlog *l)
{
    if (l == NULL)
        return;
    (void)DeregisterEventSource(l->handle);
    free(l);
}

void
sp_eventlog_write(struct sp_eventlog *l, WORD type, WORD id, const char *text)
{
    /* A message's number carries its severity: winnt.h, and cmake/windows/events.mc. */
    DWORD severity = type == EVENTLOG_ERROR_TYPE ? 3u : type == EVENTLOG_WARNING_TYPE ? 2u : 1u;
    struct sp_err ignored = {0};
    wchar_t *wide = NULL;
    const wchar_t *strings[1];

    if (l == NULL || sp_win32_wide(text, &wide, &ignored) != SP_OK)
        return;
    if (wcslen(wide) > TEXT_MOST)
        wide[TEXT_MOST] = 0;
    strings[0] = wide;
    (void)ReportEventW(l->handle, type, 0, severity << 30 | id, NULL, 1, 0, strings, NULL);
    free(wide);
}
