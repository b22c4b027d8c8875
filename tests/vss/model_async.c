/* IVssAsync: begun by five of the calls, waited for, cancelled, released. What a call does it does
 * when its async is seen to have ended, so that a requester that does not wait gets nothing
 * (learn.microsoft.com/windows/win32/api/vss/nn-vss-ivssasync). */

#include <stdlib.h>

#include "tests/vss/model_internal.h"

static void
fact(struct model_session *s, enum model_fact f, bool on)
{
    if (on)
        s->facts |= 1u << f;
    else
        s->facts &= ~(1u << f);
}

uint32_t
model_begin(struct model_session *s, enum model_call call, struct model_async **ret)
{
    struct model *m = s->m;
    struct model_async *a = calloc(1, sizeof *a);
    unsigned n;

    if (!a)
        abort();
    a->m = m;
    a->s = s;
    a->call = call;
    n = ++m->asyncs_begun[call];
    a->due_ms = m->host.now_ms(m->host.arg);
    for (size_t i = 0; i < m->nrules; i++) {
        const struct model_rule *r = &m->rules[i];

        if (!r->async || r->call != call || n < r->at || (r->times > 0 && n >= r->at + r->times))
            continue;
        if (!r->pend)
            a->end = r->hresult;
        else if (r->ms == UINT64_MAX)
            a->forever = true;
        else
            a->due_ms += r->ms;
    }
    s->running = a;
    fact(s, FACT_RUNNING, true);
    m->asyncs_open++;
    *ret = a;
    return 0;
}

static void
take_effect(struct model_async *a)
{
    struct model_session *s = a->s;

    a->done = true;
    if (!s)
        return;
    s->running = NULL;
    fact(s, FACT_RUNNING, false);
    if (a->call == MODEL_do_snapshot) {
        if (s->m->creating == s)
            s->m->creating = NULL;
        if (!a->end && !model_sets_make(s))
            a->end = SP_VSS_E_PROVIDER_ERROR;
    }
    if (a->end)
        return;
    switch (a->call) {
    case MODEL_gather_metadata:
        fact(s, FACT_META, true);
        for (size_t i = 0; i < s->m->nwriters; i++) {
            const struct model_writer *w = &s->m->writers[i];

            if (w->only_attempt && w->only_attempt != s->gathering)
                continue;
            s->present = model_more(s->present, &s->npresent, sizeof *s->present);
            s->present[s->npresent - 1] = w;
        }
        break;
    case MODEL_prepare:
        fact(s, FACT_PREPARED, true);
        break;
    case MODEL_gather_status:
        fact(s, FACT_STATUS, true);
        model_gather(s);
        break;
    case MODEL_do_snapshot:
        fact(s, FACT_SNAP, true);
        break;
    case MODEL_complete:
        fact(s, FACT_COMPLETED, true);
        break;
    default:
        abort();
    }
}

static unsigned
number(const struct model_async *a)
{
    return a->s ? a->s->number : 0;
}

uint32_t
model_wait(struct model_async *a, uint32_t timeout_ms, uint32_t *ret_status)
{
    struct model *m = a->m;
    uint64_t now;

    m->calls[MODEL_wait]++;
    if (a->cancelled) {
        *ret_status = SP_VSS_S_ASYNC_CANCELLED;
        return 0;
    }
    if (!a->done) {
        now = m->host.now_ms(m->host.arg);
        if (a->forever || now < a->due_ms) {
            uint64_t left = a->forever ? UINT64_MAX : a->due_ms - now;

            if (timeout_ms && m->host.sleep_ms)
                m->host.sleep_ms(m->host.arg, left < timeout_ms ? (uint32_t)left : timeout_ms);
            now = m->host.now_ms(m->host.arg);
        }
        if (a->forever || now < a->due_ms) {
            *ret_status = SP_VSS_S_ASYNC_PENDING;
            return 0;
        }
        take_effect(a);
        model_line(m, "%u %s.async 0x%08lx", number(a), model_call_names[a->call],
            (unsigned long)(a->end ? a->end : SP_VSS_S_ASYNC_FINISHED));
    }
    *ret_status = a->end ? a->end : SP_VSS_S_ASYNC_FINISHED;
    return 0;
}

uint32_t
model_cancel(struct model_async *a)
{
    struct model *m = a->m;
    uint32_t hr = 0;

    m->calls[MODEL_cancel]++;
    if (a->cancelled)
        hr = SP_VSS_S_ASYNC_CANCELLED;
    else if (a->done)
        hr = SP_VSS_S_ASYNC_FINISHED;
    else {
        a->cancelled = true;
        if (a->s) {
            a->s->running = NULL;
            fact(a->s, FACT_RUNNING, false);
        }
    }
    model_line(m, "%u cancel %s 0x%08lx", number(a), model_call_names[a->call], (unsigned long)hr);
    return hr;
}

void
model_release_async(struct model_async *a)
{
    struct model *m;

    if (!a)
        return;
    m = a->m;
    m->calls[MODEL_release_async]++;
    if (!a->done && !a->cancelled) {
        if (a->s) {
            model_illegal_line(a->s, MODEL_release_async, "it has neither ended nor been cancelled",
                "api/vss/nn-vss-ivssasync");
            a->s->running = NULL;
            fact(a->s, FACT_RUNNING, false);
        } else
            model_breach(m, "release_async: it has neither ended nor been cancelled");
    }
    m->asyncs_open--;
    free(a);
}
