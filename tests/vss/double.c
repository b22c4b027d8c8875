/* The model as a table of vss/api.h: each row passes on, and turns the model's types into the
 * product's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vss/double_internal.h"

/* The product's opaque types are the model's. */
static struct model_session *
in(struct sp_vss_session *s)
{
    return (struct model_session *)(void *)s;
}

static struct sp_vss_async **
out(struct model_async **a)
{
    return (struct sp_vss_async **)(void *)a;
}

static char *
copy(const char *s)
{
    char *p = malloc(strlen(s) + 1);

    if (!p)
        abort();
    return strcpy(p, s);
}

static enum sp_code
d_start(void *self, struct sp_err *e)
{
    bool denied;
    const char *why = model_start(self, &denied);

    if (!why)
        return SP_OK;
    return sp_fail(e, denied ? SP_DENIED : SP_UNSUPPORTED, SP_DOM_SHADOW, "%s", why);
}

static void
d_end(void *self)
{
    model_end(self);
}

/* What lies on no volume of the script lies on one that no shadow can be made of. */
#define REST "\\\\?\\Volume{00000000-0000-0000-0000-000000000000}\\"

static enum sp_code
d_covering(void *self, const char *path, char **ret_mount, char **ret_volume, struct sp_err *e)
{
    const struct model_volume *v = model_covering(self, path);

    (void)e;
    *ret_mount = copy(v ? v->mount : "/");
    *ret_volume = copy(v ? v->name : REST);
    return SP_OK;
}

static enum sp_code
d_below(void *self, const char *path,
    enum sp_code (*each)(void *arg, const char *mount, const char *volume, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    const struct model_volume *v;
    size_t n = model_volumes(self, &v);
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < n && rc == SP_OK; i++)
        if (model_below(self, path, v[i].mount, false))
            rc = each(arg, v[i].mount, v[i].name, e);
    return rc;
}

static bool
d_remote(void *self, const char *mount)
{
    const struct model_volume *v = model_covering(self, mount);

    return v && v->remote;
}

static char *
d_file_system(void *self, const char *mount)
{
    const struct model_volume *v = model_covering(self, mount);

    return copy(v ? v->file_system : "unknown");
}

static uint32_t
d_create(void *self, struct sp_vss_session **ret)
{
    return model_create(self, (struct model_session **)(void *)ret);
}

static void
d_release(struct sp_vss_session *s)
{
    model_release(in(s));
}

static uint32_t
d_initialize(struct sp_vss_session *s)
{
    return model_initialize_for_backup(in(s));
}

static uint32_t
d_context(struct sp_vss_session *s, int32_t context)
{
    return model_set_context(in(s), context);
}

static uint32_t
d_state(struct sp_vss_session *s, bool select, bool bootable, uint32_t type, bool partial)
{
    return model_set_backup_state(in(s), select, bootable, type, partial);
}

static uint32_t
d_gather_metadata(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    struct model_async *a;
    uint32_t hr = model_gather_metadata(in(s), &a);

    if (!hr)
        *ret = *out(&a);
    return hr;
}

static uint32_t
d_metadata_count(struct sp_vss_session *s, uint32_t *ret)
{
    return model_metadata_count(in(s), ret);
}

static uint32_t
d_metadata(struct sp_vss_session *s, uint32_t i, struct sp_vss_writer *ret)
{
    const struct model_writer *w;
    uint32_t hr = model_metadata(in(s), i, &w);

    if (!hr)
        double_writer(w, ret);
    return hr;
}

static uint32_t
d_free_metadata(struct sp_vss_session *s)
{
    return model_free_metadata(in(s));
}

static uint32_t
d_start_set(struct sp_vss_session *s, char ret_id[37])
{
    return model_start_set(in(s), ret_id);
}

static uint32_t
d_supported(struct sp_vss_session *s, const char *volume, bool *ret)
{
    if (strcmp(volume, REST) == 0) {
        *ret = false;
        return 0;
    }
    return model_volume_supported(in(s), volume, ret);
}

static uint32_t
d_add_volume(struct sp_vss_session *s, const char *volume, char ret_shadow_id[37])
{
    return model_add_volume(in(s), volume, ret_shadow_id);
}

static struct model_ref
ref(const struct sp_vss_component_ref *c)
{
    return (struct model_ref){c->writer_id, c->instance_id, c->type, c->logical_path, c->name};
}

static uint32_t
d_add_component(struct sp_vss_session *s, const struct sp_vss_component_ref *c)
{
    struct model_ref r = ref(c);

    return model_add_component(in(s), &r);
}

static uint32_t
d_prepare(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    struct model_async *a;
    uint32_t hr = model_prepare(in(s), &a);

    if (!hr)
        *ret = *out(&a);
    return hr;
}

static uint32_t
d_gather_status(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    struct model_async *a;
    uint32_t hr = model_gather_status(in(s), &a);

    if (!hr)
        *ret = *out(&a);
    return hr;
}

static uint32_t
d_status_count(struct sp_vss_session *s, uint32_t *ret)
{
    return model_status_count(in(s), ret);
}

static uint32_t
d_status(struct sp_vss_session *s, uint32_t i, struct sp_vss_status *ret)
{
    struct model_status st;
    uint32_t hr = model_status(in(s), i, &st);

    if (hr)
        return hr;
    memset(ret, 0, sizeof *ret);
    memcpy(ret->class_id, st.writer->class_id, 37);
    memcpy(ret->instance_id, st.writer->instance_id, 37);
    ret->name = copy(st.writer->name);
    ret->state = st.state;
    ret->hresult = st.hresult;
    ret->app_hresult = st.app;
    ret->app_text = st.text ? copy(st.text) : NULL;
    return 0;
}

static uint32_t
d_free_status(struct sp_vss_session *s)
{
    return model_free_status(in(s));
}

static uint32_t
d_report(struct sp_vss_session *s, const struct sp_vss_component_ref *c,
    struct sp_vss_component_report *ret)
{
    struct model_ref r = ref(c);
    struct model_report report;
    uint32_t hr = model_component_report(in(s), &r, &report);

    if (hr)
        return hr;
    memset(ret, 0, sizeof *ret);
    ret->failure_known = report.known;
    ret->failure = report.failure;
    ret->app_failure = report.app;
    ret->failure_text = report.text ? copy(report.text) : NULL;
    ret->stamped = report.stamped;
    return 0;
}

static uint32_t
d_do_snapshot(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    struct model_async *a;
    uint32_t hr = model_do_snapshot(in(s), &a);

    if (!hr)
        *ret = *out(&a);
    return hr;
}

static uint32_t
d_properties(struct sp_vss_session *s, const char shadow_id[37], struct sp_vss_shadow *ret)
{
    struct model_shadow shadow;
    uint32_t hr = model_properties(in(s), shadow_id, &shadow);

    if (hr)
        return hr;
    memset(ret, 0, sizeof *ret);
    ret->device = copy(shadow.device);
    /* The system's own provider: learn.microsoft.com/windows/win32/vss/providers */
    strcpy(ret->provider_id, "b5946137-7b9f-4925-af80-51abd60b20d5");
    ret->created_ns = (int64_t)shadow.created_ms * 1000000;
    return 0;
}

static uint32_t
d_succeeded(struct sp_vss_session *s, const struct sp_vss_component_ref *c, bool well)
{
    struct model_ref r = ref(c);

    return model_set_succeeded(in(s), &r, well);
}

static uint32_t
d_complete(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    struct model_async *a;
    uint32_t hr = model_complete(in(s), &a);

    if (!hr)
        *ret = *out(&a);
    return hr;
}

static uint32_t
d_abort(struct sp_vss_session *s)
{
    return model_abort(in(s));
}

static uint32_t
d_document(struct sp_vss_session *s, char **ret, size_t *ret_n)
{
    const char *p;
    size_t n;
    uint32_t hr = model_document(in(s), &p, &n);

    if (!hr) {
        *ret = copy(p);
        *ret_n = n;
    }
    return hr;
}

static uint32_t
d_delete_set(struct sp_vss_session *s, const char set_id[37], int32_t *ret_deleted)
{
    return model_delete_set(in(s), set_id, ret_deleted);
}

static enum sp_code
d_events(void *self, int64_t from_ns, int64_t to_ns, const char *const *writers, size_t nwriters,
    enum sp_code (*each)(void *arg, const struct sp_verdict_event *event, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    const struct model_event *v;
    size_t n = model_events(self, &v);
    enum sp_code rc = SP_OK;

    (void)from_ns;
    (void)writers;
    (void)nwriters;
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        struct sp_verdict_event event = {.at_ns = to_ns,
            .log = v[i].log,
            .source = v[i].source,
            .text = v[i].text,
            .id = v[i].id,
            .severity = v[i].severity};

        rc = each(arg, &event, e);
    }
    return rc;
}

static enum sp_code
d_guest_version(void *self, const char *component_name, char **ret, struct sp_err *e)
{
    const char *version = model_guest(self, component_name);

    (void)e;
    *ret = version ? copy(version) : NULL;
    return SP_OK;
}

static uint32_t
d_wait(struct sp_vss_async *a, uint32_t timeout_ms, uint32_t *ret_status)
{
    return model_wait((struct model_async *)(void *)a, timeout_ms, ret_status);
}

static uint32_t
d_cancel(struct sp_vss_async *a)
{
    return model_cancel((struct model_async *)(void *)a);
}

static void
d_release_async(struct sp_vss_async *a)
{
    model_release_async((struct model_async *)(void *)a);
}

static const struct sp_vss_api table = {.start = d_start,
    .end = d_end,
    .covering = d_covering,
    .below = d_below,
    .remote = d_remote,
    .file_system = d_file_system,
    .create = d_create,
    .release = d_release,
    .initialize_for_backup = d_initialize,
    .set_context = d_context,
    .set_backup_state = d_state,
    .gather_metadata = d_gather_metadata,
    .metadata_count = d_metadata_count,
    .metadata = d_metadata,
    .free_metadata = d_free_metadata,
    .start_set = d_start_set,
    .volume_supported = d_supported,
    .add_volume = d_add_volume,
    .add_component = d_add_component,
    .prepare = d_prepare,
    .gather_status = d_gather_status,
    .status_count = d_status_count,
    .status = d_status,
    .free_status = d_free_status,
    .component_report = d_report,
    .do_snapshot = d_do_snapshot,
    .properties = d_properties,
    .succeeded = d_succeeded,
    .complete = d_complete,
    .abort = d_abort,
    .document = d_document,
    .delete_set = d_delete_set,
    .events = d_events,
    .guest_version = d_guest_version,
    .wait = d_wait,
    .cancel = d_cancel,
    .release_async = d_release_async};

struct sp_vss_api *
double_table(
    const char *script, const struct model_host *host, struct model **ret_model, char why[256])
{
    struct model *m = model_new(script, host, why);
    struct sp_vss_api *api;

    if (!m)
        return NULL;
    api = malloc(sizeof *api);
    if (!api)
        abort();
    *api = table;
    api->self = m;
    *ret_model = m;
    return api;
}

void
double_free(const struct sp_vss_api *api)
{
    if (!api)
        return;
    model_free(api->self);
    free((void *)(uintptr_t)api);
}
