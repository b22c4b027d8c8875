#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vss/describe.h"
#include "vss/requester_impl.h"

/* What is read beside VSS, and what it writes of itself. None of it fails a run: what cannot be had
 * is a note. */

static enum sp_code
keep_event(void *arg, const struct sp_verdict_event *event, struct sp_err *e)
{
    struct sp_verdict *v = arg, one = {.events = NULL, .nevents = 1}, copy = {0};
    struct sp_verdict_event plain = *event, *to;
    enum sp_code rc;

    one.events = &plain;
    if ((rc = sp_verdict_copy(&one, &copy, e)) != SP_OK)
        return rc;
    if ((rc = sp_verdict_add_event(v, &to, e)) == SP_OK) {
        *to = copy.events[0];
        copy.nevents = 0;
    }
    sp_verdict_clear(&copy);
    return rc;
}

void
rq_read_events(struct sp_requester *r)
{
    const struct sp_vss_api *api = rq_api(r);
    const char **writers = calloc(r->metadata.nwriters + 1, sizeof *writers);
    int64_t now = sp_clock_wall(r->o.env->clock);
    struct sp_err why = {0};
    size_t n = 0;

    if (writers == NULL)
        return;
    for (size_t i = 0; i < r->metadata.nwriters; i++) {
        if (r->verdict.writers[i].concerned)
            writers[n++] = r->metadata.writers[i].name;
    }
    if (api->events(api->self, r->heard_ns != 0 ? r->heard_ns : r->began_ns, now, writers, n,
            keep_event, &r->verdict, &why) != SP_OK)
        rq_say(r, "the event logs around the shadow could not be read: %s", why.text);
    r->heard_ns = now;
    free(writers);
}

void
rq_read_versions(struct sp_requester *r)
{
    const struct sp_vss_api *api = rq_api(r);

    for (size_t i = 0; i < r->verdict.ncomponents; i++) {
        struct sp_verdict_component *c = &r->verdict.components[i];
        struct sp_err why = {0};
        char *version = NULL;

        if (c->kind != SP_UNIT_VM || c->writer == SP_NO_INDEX ||
            !sp_vss_is_hyper_v(r->verdict.writers[c->writer].class_id))
            continue;
        /* What did not answer for one is not waited for again for each of the others. */
        if (api->guest_version(api->self, c->name, &version, &why) != SP_OK) {
            rq_say(r, "the version of the guest services of %s could not be read: %s", c->unit,
                why.text);
            return;
        }
        free(c->version);
        c->version = version;
    }
}

void
rq_keep_document(struct sp_requester *r, struct rq_session *ses)
{
    char *text = NULL;
    size_t n = 0;
    uint32_t hr = rq_api(r)->document(ses->s, &text, &n);

    if (sp_vss_failed(hr)) {
        rq_say(r,
            "VSS: the document of shadow set %s could not be had (%s): a restore by the writers "
            "needs it",
            ses->set_id, rq_code(hr).s);
        return;
    }
    free(ses->document);
    ses->document = text;
    ses->document_len = n;
}
