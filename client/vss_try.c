#include "client/vss_cmds.h"

#include <stdlib.h>
#include <string.h>

#include "client/present.h"
#include "client/show_verdict.h"
#include "vss/shadow.h"

/* stillpoint vss test: a shadow set with all that takes part, as a backup would make it; what each
 * writer did is read back, and the set ends by AbortBackup: no application is told that it was
 * backed up. Nothing is shown before the shadows are gone, so that they are held no longer than
 * they must. */

struct outcome {
    struct sp_verdict verdict;
    struct sp_volume *volumes;
    size_t nvolumes;
    bool live;  /* a volume without a shadow */
    bool lacks; /* what the job asks for is not there */
};

static void
outcome_clear(struct outcome *o)
{
    for (size_t i = 0; i < o->nvolumes; i++) {
        free(o->volumes[i].path);
        free(o->volumes[i].file_system);
        free(o->volumes[i].reason);
    }
    free(o->volumes);
    sp_verdict_clear(&o->verdict);
}

static enum sp_code
keep_volumes(const struct sp_requester *r, struct outcome *o, struct sp_err *e)
{
    const struct sp_requester_volume *from;
    size_t n = sp_requester_volumes(r, &from);

    if ((o->volumes = calloc(n + 1, sizeof(*o->volumes))) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n; i++) {
        struct sp_volume *to = &o->volumes[o->nvolumes++];

        to->path = strdup(from[i].mount);
        to->file_system = strdup(from[i].file_system);
        to->reason = strdup(from[i].reason != NULL ? from[i].reason : "");
        if (to->path == NULL || to->file_system == NULL || to->reason == NULL)
            return sp_fail_nomem(e);
        to->source = (char *)(uintptr_t)(from[i].device != NULL ? "vss" : "none");
        to->consistency = from[i].device != NULL ? SP_LEVEL_CRASH : SP_LEVEL_LIVE;
        to->instant_ns = from[i].instant_ns;
        o->live = o->live || from[i].device == NULL;
    }
    return SP_OK;
}

static enum sp_code
make(struct vss_command *v, const struct vss_subject *s, struct outcome *ret, struct sp_err *e)
{
    struct sp_requester_options o;
    struct sp_requester *r = NULL;
    struct sp_err late = {0};
    size_t removed = 0;
    enum sp_code rc;

    vss_subject_options(v, s, &o);
    if (sp_shadow_janitor(v->c->env, s->journal_dir, &removed, &late) != SP_OK)
        sp_cli_warn(v->c, "shadows of an earlier run: %s", late.text);
    if ((rc = sp_requester_plan(&o, &r, e)) != SP_OK)
        return rc;
    if ((rc = sp_requester_take(r, e)) == SP_OK)
        rc = sp_verdict_copy(sp_requester_verdict(r), &ret->verdict, e);
    ret->lacks = rc == SP_OK && sp_requester_choice(r)->nlacks > 0;
    if (rc == SP_OK)
        rc = keep_volumes(r, ret, e);
    if (rc == SP_OK)
        rc = sp_requester_finish(r, false, e);
    sp_requester_free(r);
    return rc;
}

static enum sp_exit
judge(const struct outcome *o)
{
    for (size_t i = 0; i < o->verdict.ncomponents; i++) {
        if (o->verdict.components[i].level != SP_LEVEL_APPLICATION)
            return SP_EXIT_PARTLY;
    }
    return o->live || o->lacks ? SP_EXIT_PARTLY : SP_EXIT_DONE;
}

static void
tell(struct vss_command *v, const struct vss_subject *s, struct outcome *o)
{
    struct sp_show_subject show = {
        .verdict = &o->verdict, .volumes = o->volumes, .nvolumes = o->nvolumes};

    /* The end was meant to come here: there is nothing left to confirm. */
    o->verdict.confirmed = true;
    if (v->r.j != NULL) {
        sp_json_object(v->r.j);
        sp_json_kstr(v->r.j, "of", s->name);
        sp_show_json_volumes(v->r.j, o->volumes, o->nvolumes);
        sp_show_json_verdict(v->r.j, &o->verdict);
        sp_json_object_end(v->r.j);
        sp_report_flow(&v->r);
        return;
    }
    sp_present_print_text(s->name);
    (void)fputs(": ", stdout);
    sp_show_consistency(&show, v->c->verbose);
    sp_cli_say(v->c,
        "%s: the test ended by AbortBackup: no application was told that it was backed "
        "up, no set was made",
        s->name);
}

enum sp_code
vss_try(struct vss_command *v, enum sp_exit *ret_code, struct sp_err *e)
{
    struct vss_subjects s = {0};
    enum sp_exit code = SP_EXIT_DONE;
    enum sp_code rc;

    if ((rc = vss_subjects_find(v, &s, e)) != SP_OK)
        return rc;
    if (v->r.j != NULL) {
        sp_json_key(v->r.j, "tests");
        sp_json_array(v->r.j);
    }
    for (size_t i = 0; i < s.n && rc == SP_OK; i++) {
        struct outcome o = {0};

        if ((rc = make(v, &s.v[i], &o, e)) == SP_OK) {
            if (judge(&o) != SP_EXIT_DONE)
                code = SP_EXIT_PARTLY;
            tell(v, &s.v[i], &o);
        }
        outcome_clear(&o);
    }
    if (v->r.j != NULL)
        sp_json_array_end(v->r.j);
    vss_subjects_clear(&s);
    *ret_code = code;
    return rc;
}
