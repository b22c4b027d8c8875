#ifndef SP_BASE_SCM_WIN32_H
#define SP_BASE_SCM_WIN32_H

/* Windows' service manager and Event Log, as both programs use them.
 * https://learn.microsoft.com/en-us/windows/win32/services/services
 * https://learn.microsoft.com/en-us/windows/win32/eventlog/event-logging */

#include <windows.h>

#include "base/buf.h"
#include "base/err.h"

struct sp_scm_spec {
    const wchar_t *name, *display, *description;
    const char *program;       /* its path, without quotes */
    const wchar_t *arguments;  /* behind it, quoted as they need */
    const wchar_t *account;    /* NULL: LocalSystem */
    const wchar_t *privileges; /* names, each with its NUL, and one more NUL: all it gets */
    DWORD preshutdown_ms;      /* what a shutdown of the machine waits for it */
};
enum sp_scm_state { SP_SCM_ABSENT, SP_SCM_STOPPED, SP_SCM_RUNNING, SP_SCM_CHANGING };

/* Automatic start (delayed), restarted three times after a failure. One that is there is brought up
 * to this. SP_DENIED everywhere: not elevated. */
enum sp_code sp_scm_install(const struct sp_scm_spec *s, struct sp_buf *said, struct sp_err *e);
/* Stops it first. SP_ABSENT: there is none. */
enum sp_code sp_scm_remove(const wchar_t *name, DWORD wait_ms, struct sp_err *e);
enum sp_code sp_scm_start(const wchar_t *name, DWORD wait_ms, struct sp_err *e); /* until it runs */
enum sp_code
sp_scm_stop(const wchar_t *name, DWORD wait_ms, struct sp_err *e); /* until it stopped */
/* *ret_same: whether it starts this program with these arguments. */
enum sp_code
sp_scm_look(const struct sp_scm_spec *s, enum sp_scm_state *ret, bool *ret_same, struct sp_err *e);

/* Gives the process to the service manager, which calls `body` in a thread of its own; `stop` and
 * `wake` (after sleep) come from another one. Returns what body returned. SP_UNSUPPORTED: the
 * process was not started by the service manager. Once in a process. */
struct sp_scm_service {
    const wchar_t *name;
    enum sp_code (*body)(void *arg, struct sp_err *e);
    void (*stop)(void *arg);
    void (*wake)(void *arg);
    void *arg;
    DWORD stop_ms; /* how long stopping may take */
};
enum sp_code sp_scm_dispatch(const struct sp_scm_service *s, struct sp_err *e);

/* --- Event Log (eventlog_win32.c)
 * ---------------------------------------------------------------------- */

/* A source of its own in the Application log; its texts are resources of `program`
 * (cmake/windows/events.mc). */
enum sp_code sp_eventlog_register(const wchar_t *source, const char *program, struct sp_err *e);
enum sp_code sp_eventlog_unregister(const wchar_t *source, struct sp_err *e); /* absent is fine */
struct sp_eventlog;
enum sp_code sp_eventlog_open(const wchar_t *source, struct sp_eventlog **ret, struct sp_err *e);
void sp_eventlog_close(struct sp_eventlog *l); /* NULL is harmless */
/* type: EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, EVENTLOG_ERROR_TYPE; id as in events.mc.
 */
void sp_eventlog_write(struct sp_eventlog *l, WORD type, WORD id, const char *text);

#endif
