/* The calls of a session. Order and injected failures are model_enter's; here is what a call does,
 * and the errors that are not about order: what is not there, what is there already. */

#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

static void
fact(struct model_session *s, enum model_fact f)
{
    s->facts |= 1u << f;
}

static bool
has(const struct model_session *s, enum model_fact f)
{
    return s->facts >> f & 1;
}

uint32_t
model_create(struct model *m, struct model_session **ret)
{
    struct model_session *s = calloc(1, sizeof *s);
    uint32_t hr;

    if (!s)
        abort();
    s->m = m;
    s->number = m->sessions + 1;
    hr = model_enter(s, MODEL_create);
    model_left(s, MODEL_create, hr);
    if (hr) {
        free(s);
        return hr;
    }
    m->sessions++;
    m->sessions_open++;
    s->next = m->first;
    m->first = s;
    *ret = s;
    return 0;
}

struct model *
model_of(const struct model_session *s)
{
    return s->m;
}

static void
forget(struct model_session *s)
{
    struct model_session **at = &s->m->first;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    for (size_t i = 0; i < s->nwanted; i++)
        free(s->wanted[i].device);
    free(s->wanted);
    free(s->added);
    free(s->present);
    free(s->statuses);
    free(s->document.p);
    free(s);
}

/* AbortBackup's page wants it from StartSnapshotSet on. */
void
model_release(struct model_session *s)
{
    struct model *m;

    if (!s)
        return;
    m = s->m;
    (void)model_enter(s, MODEL_release);
    if (s->running)
        s->running->s = NULL;
    if (m->creating == s)
        m->creating = NULL;
    if (has(s, FACT_SET) && !has(s, FACT_COMPLETE_BEGUN) && !has(s, FACT_ABORTED)) {
        m->unended++;
        model_line(m, "illegal %u neither BackupComplete nor AbortBackup", s->number);
    }
    model_sets_release(s);
    m->sessions_open--;
    model_left(s, MODEL_release, 0);
    forget(s);
}

uint32_t
model_initialize_for_backup(struct model_session *s)
{
    uint32_t hr = model_enter(s, MODEL_initialize_for_backup);

    if (!hr)
        fact(s, FACT_INITIALIZED);
    return model_left(s, MODEL_initialize_for_backup, hr);
}

uint32_t
model_set_context(struct model_session *s, int32_t context)
{
    uint32_t hr = model_enter(s, MODEL_set_context);

    if (!hr) {
        fact(s, FACT_CONTEXT);
        s->context = context;
    }
    return model_leave(s, MODEL_set_context, hr, "%d", (int)context);
}

uint32_t
model_set_backup_state(
    struct model_session *s, bool select, bool bootable, uint32_t type, bool partial)
{
    uint32_t hr = model_enter(s, MODEL_set_backup_state);

    if (!hr && (type < 1 || type > 6))
        hr = SP_VSS_E_INVALIDARG;
    if (!hr) {
        fact(s, FACT_STATE);
        if (select)
            fact(s, FACT_BY_COMPONENTS);
        s->type = type;
    }
    return model_leave(
        s, MODEL_set_backup_state, hr, "%d %d %u %d", select, bootable, (unsigned)type, partial);
}

static uint32_t
begin(
    struct model_session *s, enum model_call call, enum model_fact begun, struct model_async **ret)
{
    uint32_t hr = model_enter(s, call);

    if (!hr) {
        fact(s, begun);
        if (call == MODEL_prepare)
            s->attempt = ++s->m->attempts;
        if (call == MODEL_gather_metadata)
            s->gathering = ++s->m->gatherings;
        hr = model_begin(s, call, ret);
    } else if (hr != SP_VSS_E_BAD_STATE && call == MODEL_prepare)
        s->m->attempts++; /* one that failed at once is an attempt, too */
    return model_left(s, call, hr);
}

uint32_t
model_gather_metadata(struct model_session *s, struct model_async **ret)
{
    return begin(s, MODEL_gather_metadata, FACT_META_BEGUN, ret);
}

uint32_t
model_metadata_count(struct model_session *s, uint32_t *ret)
{
    uint32_t hr = model_enter(s, MODEL_metadata_count);

    if (!hr)
        *ret = (uint32_t)s->npresent;
    return model_left(s, MODEL_metadata_count, hr);
}

uint32_t
model_metadata(struct model_session *s, uint32_t i, const struct model_writer **ret)
{
    uint32_t hr = model_enter(s, MODEL_metadata);

    if (!hr && i >= s->npresent)
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr)
        *ret = s->present[i];
    return model_leave(s, MODEL_metadata, hr, "%u", (unsigned)i);
}

uint32_t
model_free_metadata(struct model_session *s)
{
    uint32_t hr = model_enter(s, MODEL_free_metadata);

    if (!hr)
        fact(s, FACT_META_FREED);
    return model_left(s, MODEL_free_metadata, hr);
}

uint32_t
model_start_set(struct model_session *s, char ret_id[37])
{
    uint32_t hr = model_enter(s, MODEL_start_set);

    if (!hr && s->m->creating && s->m->creating != s)
        hr = SP_VSS_E_SET_IN_PROGRESS;
    if (!hr) {
        fact(s, FACT_SET);
        s->m->creating = s;
        model_new_id(s->m, 1, s->set);
        memcpy(ret_id, s->set, 37);
    }
    return model_leave(s, MODEL_start_set, hr, "%s", s->set);
}

static const struct model_volume *
volume(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->nvolumes; i++)
        if (model_same(m->volumes[i].name, name))
            return &m->volumes[i];
    return NULL;
}

uint32_t
model_volume_supported(struct model_session *s, const char *name, bool *ret)
{
    const struct model_volume *v = volume(s->m, name);
    uint32_t hr = model_enter(s, MODEL_volume_supported);

    if (!hr && !v)
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr)
        *ret = !v->unsupported && !v->remote;
    return model_leave(s, MODEL_volume_supported, hr, "%s", name);
}

uint32_t
model_add_volume(struct model_session *s, const char *name, char ret_shadow_id[37])
{
    const struct model_volume *v = volume(s->m, name);
    uint32_t hr = model_enter(s, MODEL_add_volume);

    if (!hr && *name == '\0') /* no form of a name that the call's page knows */
        hr = SP_VSS_E_INVALIDARG;
    if (!hr && !v)
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr && (v->unsupported || v->remote))
        hr = SP_VSS_E_VOLUME_UNSUPPORTED;
    for (size_t i = 0; !hr && i < s->nwanted; i++)
        if (s->wanted[i].volume == v)
            hr = SP_VSS_E_EXISTS;
    if (!hr) {
        fact(s, FACT_VOLUME);
        s->wanted = model_more(s->wanted, &s->nwanted, sizeof *s->wanted);
        s->wanted[s->nwanted - 1].volume = v;
        model_new_id(s->m, 2, s->wanted[s->nwanted - 1].id);
        memcpy(ret_shadow_id, s->wanted[s->nwanted - 1].id, 37);
    }
    return model_leave(s, MODEL_add_volume, hr, "%s", name);
}

uint32_t
model_prepare(struct model_session *s, struct model_async **ret)
{
    return begin(s, MODEL_prepare, FACT_PREPARE_BEGUN, ret);
}

uint32_t
model_gather_status(struct model_session *s, struct model_async **ret)
{
    uint32_t hr = begin(s, MODEL_gather_status, FACT_ASKED, ret);

    if (hr == SP_VSS_E_BAD_STATE)
        return hr;
    if (has(s, FACT_COMPLETED))
        fact(s, FACT_COMPLETE_ASKED);
    else if (has(s, FACT_SNAP))
        fact(s, FACT_SNAP_ASKED);
    else if (has(s, FACT_PREPARED))
        fact(s, FACT_PREPARED_ASKED);
    return hr;
}

uint32_t
model_status_count(struct model_session *s, uint32_t *ret)
{
    uint32_t hr = model_enter(s, MODEL_status_count);

    if (!hr)
        *ret = (uint32_t)s->nstatuses;
    return model_left(s, MODEL_status_count, hr);
}

uint32_t
model_status(struct model_session *s, uint32_t i, struct model_status *ret)
{
    uint32_t hr = model_enter(s, MODEL_status);

    if (!hr && i >= s->nstatuses)
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr)
        *ret = s->statuses[i];
    return model_leave(s, MODEL_status, hr, "%u", (unsigned)i);
}

uint32_t
model_free_status(struct model_session *s)
{
    uint32_t hr = model_enter(s, MODEL_free_status);

    if (!hr) {
        s->facts &= ~(1u << FACT_STATUS);
        s->nstatuses = 0;
    }
    return model_left(s, MODEL_free_status, hr);
}

uint32_t
model_do_snapshot(struct model_session *s, struct model_async **ret)
{
    return begin(s, MODEL_do_snapshot, FACT_SNAP_BEGUN, ret);
}

static bool
stands(const struct model_session *s)
{
    for (size_t i = 0; i < s->m->nsets; i++)
        if (strcmp(s->m->sets[i].id, s->set) == 0)
            return true;
    return false;
}

uint32_t
model_properties(struct model_session *s, const char *shadow_id, struct model_shadow *ret)
{
    uint32_t hr = model_enter(s, MODEL_properties);
    size_t i = 0;

    while (i < s->nwanted && !model_same(s->wanted[i].id, shadow_id))
        i++;
    if (!hr && (i == s->nwanted || !stands(s)))
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr) {
        memcpy(ret->id, s->wanted[i].id, 37);
        memcpy(ret->set, s->set, 37);
        ret->device = s->wanted[i].device;
        ret->volume = s->wanted[i].volume->name;
        ret->created_ms = s->created_ms;
    }
    return model_leave(s, MODEL_properties, hr, "%s", shadow_id);
}

uint32_t
model_complete(struct model_session *s, struct model_async **ret)
{
    return begin(s, MODEL_complete, FACT_COMPLETE_BEGUN, ret);
}

/* learn.microsoft.com/windows/win32/vss/vssgloss-a: what was begun is undone; the shadow set goes.
 */
uint32_t
model_abort(struct model_session *s)
{
    uint32_t hr = model_enter(s, MODEL_abort);

    if (!hr) {
        fact(s, FACT_ABORTED);
        if (s->m->creating == s)
            s->m->creating = NULL;
        model_sets_release(s);
    }
    return model_left(s, MODEL_abort, hr);
}

uint32_t
model_document(struct model_session *s, const char **ret, size_t *ret_n)
{
    uint32_t hr = model_enter(s, MODEL_document);

    if (!hr) {
        model_session_document(s);
        *ret = s->document.p;
        *ret_n = s->document.n;
    }
    return model_left(s, MODEL_document, hr);
}

uint32_t
model_delete_set(struct model_session *s, const char *set_id, int32_t *ret_deleted)
{
    uint32_t hr = model_enter(s, MODEL_delete_set);
    size_t i = 0;

    while (i < s->m->nsets && !model_same(s->m->sets[i].id, set_id))
        i++;
    if (!hr && i == s->m->nsets)
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr) {
        *ret_deleted = (int32_t)s->m->sets[i].ncopies;
        model_sets_drop(s->m, i);
    }
    return model_leave(s, MODEL_delete_set, hr, "%s", set_id);
}
