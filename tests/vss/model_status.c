/* What writers answer when they are asked for their status. */

#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

unsigned
model_stage(const struct model_session *s)
{
    if (s->facts >> FACT_COMPLETE_BEGUN & 1)
        return MODEL_COMPLETE;
    if (s->facts >> FACT_SNAP_BEGUN & 1)
        return MODEL_SNAPSHOT;
    if (s->facts >> FACT_PREPARE_BEGUN & 1)
        return MODEL_PREPARED;
    return MODEL_IDLE;
}

static bool
part(const struct model_session *s, const struct model_writer *w, const char *with)
{
    for (size_t i = 0; i < s->nadded; i++) {
        if (s->added[i].writer != w)
            continue;
        if (!with || model_same(s->added[i].component->name, with))
            return true;
    }
    return false;
}

const struct model_failure *
model_failing(
    const struct model_session *s, const struct model_writer *w, const struct model_component *c)
{
    unsigned stage = model_stage(s);
    bool others = false;

    if (stage == MODEL_IDLE)
        return NULL;
    for (size_t i = 0; i < s->nadded; i++)
        if (s->added[i].writer == w && s->added[i].component != c)
            others = true;
    for (size_t i = 0; i < c->nfailures; i++) {
        const struct model_failure *f = &c->failures[i];

        if (stage >= f->stage && (!f->attempt || f->attempt == s->attempt) && (f->alone || others))
            return f;
    }
    return NULL;
}

static bool
answer(const struct model_session *s, const struct model_writer *w, unsigned stage,
    struct model_status *ret)
{
    ret->writer = w;
    ret->state = SP_VSS_STABLE;
    if (s->facts >> FACT_ABORTED & 1)
        return true;
    if (w->silent) { /* learn.microsoft.com/windows/win32/api/vsbackup/nf-vsbackup-ivssbackupcomponents-getwriterstatus
                      */
        ret->state = SP_VSS_UNKNOWN;
        ret->hresult = SP_VSS_E_WRITER_SILENT;
        return true;
    }
    for (size_t i = 0; i < w->nanswers; i++) {
        const struct model_answer *a = &w->answers[i];

        if (a->stage != stage || (a->attempt && a->attempt != s->attempt) ||
            (a->with && !part(s, w, a->with)))
            continue;
        ret->state = a->state;
        ret->hresult = a->hresult;
        ret->app = a->app;
        ret->text = a->text;
        return !a->gone;
    }
    if (stage == MODEL_SNAPSHOT && !w->stable && part(s, w, NULL))
        ret->state = SP_VSS_WAITING_FOR_BACKUP_COMPLETE;
    for (size_t i = 0; i < s->nadded; i++) {
        const struct model_failure *f;

        if (s->added[i].writer != w)
            continue;
        f = model_failing(s, w, s->added[i].component);
        if (f && f->stage == stage)
            ret->hresult = SP_VSS_E_PARTIAL_FAILURE;
    }
    return true;
}

void
model_gather(struct model_session *s)
{
    unsigned stage = model_stage(s);

    s->nstatuses = 0;
    for (size_t i = 0; i < s->npresent; i++) {
        struct model_status st;

        memset(&st, 0, sizeof st);
        if (!answer(s, s->present[i], stage, &st))
            continue;
        s->statuses = model_more(s->statuses, &s->nstatuses, sizeof *s->statuses);
        s->statuses[s->nstatuses - 1] = st;
        model_line(s->m, "# %u %s is %s 0x%08lx", s->number, s->present[i]->name,
            st.state == SP_VSS_STABLE                        ? "stable"
            : st.state == SP_VSS_WAITING_FOR_BACKUP_COMPLETE ? "waiting"
                                                             : "elsewhere",
            (unsigned long)st.hresult);
    }
}
