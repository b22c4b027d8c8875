#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "vss/explain.h"
#include "vss/requester_impl.h"

#define SLICE_MS 1000u /* `cancelled` is asked at least that often */
#define MS INT64_C(1000000)

bool
rq_cancelled(const struct sp_requester *r)
{
    return r->o.cancelled != NULL && r->o.cancelled(r->o.arg);
}

static enum sp_code
fail_cancelled(const char *what, struct sp_err *e)
{
    return sp_fail(e, SP_CANCELLED, SP_DOM_SHADOW, "interrupted during %s of VSS", what);
}

struct rq_code
rq_code(uint32_t hresult)
{
    const struct sp_vss_hresult *known = sp_vss_hresult_find(hresult);
    struct rq_code c;

    (void)snprintf(c.s, sizeof c.s, "0x%08x%s%s", hresult, known != NULL ? " " : "",
        known != NULL ? known->name : "");
    return c;
}

void
rq_say(struct sp_requester *r, const char *fmt, ...)
{
    char text[SP_ERR_TEXT];
    struct sp_err ignored;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* No memory for a note is no reason to lose what it is about. */
    (void)sp_verdict_note(&r->verdict, &ignored, "%s", text);
    if (r->o.say != NULL)
        r->o.say(r->o.arg, text);
}

enum sp_code
rq_pause(struct sp_requester *r, uint32_t ms, struct sp_err *e)
{
    int64_t until = sp_clock_mono(r->o.env->clock) + ms * MS;

    for (;;) {
        int64_t left = until - sp_clock_mono(r->o.env->clock);

        if (rq_cancelled(r))
            return fail_cancelled("a pause", e);
        if (left <= 0)
            return SP_OK;
        left = (left + MS - 1) / MS;
        sp_sleep_ms(left < SLICE_MS ? (uint32_t)left : SLICE_MS);
    }
}

/* After Cancel the operation may still be ending; what follows must not meet it
 * (learn.microsoft.com/windows/win32/api/vss/nf-vss-ivssasync-cancel). */
static void
cancel(const struct sp_vss_api *api, struct sp_vss_async *a)
{
    uint32_t status = SP_VSS_S_ASYNC_PENDING;

    if (!sp_vss_failed(api->cancel(a)))
        (void)api->wait(a, SLICE_MS, &status);
}

static enum sp_code
wait_for(struct sp_requester *r, struct sp_vss_async *a, uint32_t limit_ms, const char *what,
    uint32_t *ret_hr, struct sp_err *e)
{
    const struct sp_vss_api *api = rq_api(r);
    int64_t until = sp_clock_mono(r->o.env->clock) + limit_ms * MS;

    for (;;) {
        uint32_t status = SP_VSS_S_ASYNC_PENDING, hr;
        int64_t left = until - sp_clock_mono(r->o.env->clock);

        if (left <= 0) {
            cancel(api, a);
            return sp_fail(e, SP_TIMEOUT, SP_DOM_SHADOW,
                "VSS: %s did not end within %u s and was cancelled. Look for the cause in the "
                "event log (VSS, VolSnap) and at `vssadmin list writers`; restarting the service "
                "\"Volume Shadow Copy\" often helps",
                what, (limit_ms + 999) / 1000);
        }
        if (rq_cancelled(r)) {
            cancel(api, a);
            return fail_cancelled(what, e);
        }
        left = (left + MS - 1) / MS;
        hr = api->wait(a, left < SLICE_MS ? (uint32_t)left : SLICE_MS, &status);
        if (sp_vss_failed(hr))
            status = hr;
        if (status != SP_VSS_S_ASYNC_PENDING) {
            *ret_hr = status == SP_VSS_S_ASYNC_FINISHED || status == SP_VSS_S_OK ? 0 : status;
            return SP_OK;
        }
    }
}

enum sp_code
rq_async(struct sp_requester *r, struct sp_vss_session *s,
    uint32_t (*call)(struct sp_vss_session *, struct sp_vss_async **), uint32_t limit_ms,
    const char *what, uint32_t *ret_hr, struct sp_err *e)
{
    struct sp_vss_async *a = NULL;
    uint32_t hr = call(s, &a);
    enum sp_code rc;

    if (sp_vss_failed(hr)) {
        *ret_hr = hr;
        return SP_OK;
    }
    rc = wait_for(r, a, limit_ms, what, ret_hr, e);
    rq_api(r)->release_async(a);
    return rc;
}
