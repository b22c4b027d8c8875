/* What the requester does about a gathering: see judge.h. */

#include "vss/judge.h"

#include <string.h>

#include "vss/hresult.h"

enum { FAILED = 1, LEANS = 2 };

/* All that depends on a failed one, however far. */
static void
mark_dependents(const struct sp_verdict *v, uint8_t *marks)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < v->ncomponents; i++) {
            const struct sp_verdict_component *c = &v->components[i];

            for (size_t k = 0; k < c->ndepends && marks[i] == 0; k++) {
                if (c->depends[k] < v->ncomponents && marks[c->depends[k]] != 0) {
                    marks[i] = LEANS;
                    changed = true;
                }
            }
        }
    }
}

/* Whether another added one of the same writer neither failed nor needs one that did. */
static bool
others_can(const struct sp_verdict *v, uint32_t writer, const uint8_t *marks)
{
    for (size_t i = 0; i < v->ncomponents; i++) {
        if (v->components[i].writer == writer && v->components[i].added && marks[i] == 0)
            return true;
    }
    return false;
}

/* Marks its failed components; RETRY where a new shadow set may mend it. */
static enum sp_vss_next
ask_writer(const struct sp_verdict *v, uint32_t index, enum sp_stage stage, uint8_t *marks)
{
    const struct sp_verdict_status *s = &v->writers[index].stages[stage];
    enum sp_vss_next next = SP_VSS_GO_ON;

    if (!s->asked)
        return SP_VSS_GO_ON;
    if (!s->answered || sp_vss_silent(s->hresult) || sp_vss_retryable(s->hresult))
        return SP_VSS_RETRY;
    if (s->hresult != SP_VSS_E_PARTIAL_FAILURE)
        return SP_VSS_GO_ON;
    for (size_t i = 0; i < v->ncomponents; i++) {
        const struct sp_verdict_component *c = &v->components[i];

        if (c->writer != index || !c->added || !c->failure_known ||
            sp_vss_failure(c->failure, c->app_failure) == 0)
            continue;
        marks[i] = FAILED;
        if (sp_vss_retryable(c->failure))
            next = SP_VSS_RETRY;
    }
    return next;
}

enum sp_vss_next
sp_vss_next_step(const struct sp_verdict *v, enum sp_stage stage, uint8_t *ret_failed)
{
    enum sp_vss_next next = SP_VSS_GO_ON;

    memset(ret_failed, 0, v->ncomponents);
    if (stage == SP_STAGE_COMPLETE)
        return SP_VSS_GO_ON;
    for (size_t i = 0; i < v->nwriters; i++) {
        bool concerned = false;

        for (size_t k = 0; k < v->ncomponents && !concerned; k++)
            concerned = v->components[k].writer == i && v->components[k].added;
        if (concerned && ask_writer(v, (uint32_t)i, stage, ret_failed) == SP_VSS_RETRY)
            next = SP_VSS_RETRY;
    }
    mark_dependents(v, ret_failed);
    for (size_t i = 0; i < v->ncomponents && next == SP_VSS_GO_ON; i++) {
        if (ret_failed[i] == FAILED && others_can(v, v->components[i].writer, ret_failed))
            next = SP_VSS_GO_WITHOUT;
    }
    for (size_t i = 0; i < v->ncomponents; i++)
        ret_failed[i] = ret_failed[i] == FAILED;
    return next;
}
