#ifndef SP_VSS_API_EVENTS_WIN32_H
#define SP_VSS_API_EVENTS_WIN32_H

/* The calls of wevtapi.dll, looked up when they are wanted, and which sources belong to a writer.
 */

#include "vss/api_win32.h"

#include <winevt.h>

#define EVENT_CALLS(X)                                                                             \
    X(EvtQuery)                                                                                    \
    X(EvtNext)                                                                                     \
    X(EvtRender)                                                                                   \
    X(EvtCreateRenderContext)                                                                      \
    X(EvtFormatMessage)                                                                            \
    X(EvtOpenPublisherMetadata)                                                                    \
    X(EvtOpenChannelEnum)                                                                          \
    X(EvtNextChannelPath)                                                                          \
    X(EvtClose)
struct event_calls {
#define EVENT_MEMBER(name) __typeof__(name) *name;
    EVENT_CALLS(EVENT_MEMBER)
#undef EVENT_MEMBER
};
/* false: GetLastError. The DLL stays loaded. */
bool event_calls_load(struct event_calls *ret);

/* Whether a source's errors and warnings are wanted: VSS, the volumes' drivers, and what these
 * writers log as. */
bool event_source_wanted(const wchar_t *source, const char *const *writers, size_t n);
/* A log whose events are all wanted: of Hyper-V's management service, workers and integration. */
bool event_log_wanted(const wchar_t *log);

#endif
