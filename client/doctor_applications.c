#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/doctor.h"
#include "client/present.h"
#include "client/present_verdict.h"
#include "vss/survey.h"

/* What `stillpoint doctor` says of applications: their VSS writers, and what the jobs ask of them.
 */

static void
tell_failed(struct sp_doctor *d, const struct sp_vss_survey_writer *w)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(w->status.hresult);
    const char *name = w->writer != NULL ? w->writer->name : w->status.name;

    sp_doctor_tell(d, SP_HEALTH_WARNING, "applications",
        h != NULL
            ? h->advice
            : "restart the application's service; 'vssadmin list writers' shows whether it is "
              "well then",
        "%s failed the last time it was asked: state %" PRIu32 " (%s), 0x%08" PRIx32 "%s%s%s%s "
        "('vssadmin list writers' shows the same)",
        name != NULL ? name : "a writer", w->status.state, sp_vss_state_word(w->status.state),
        w->status.hresult, h != NULL ? " " : "", h != NULL ? h->name : "", h != NULL ? ", " : "",
        h != NULL ? h->meaning : "");
}

static void
tell_writers(struct sp_doctor *d, const struct sp_vss_survey *s)
{
    size_t failed = 0, silent = 0;

    for (size_t i = 0; i < s->n; i++) {
        failed += sp_vss_survey_failed(&s->v[i]);
        silent += !s->v[i].answered;
        if (sp_vss_survey_failed(&s->v[i]))
            tell_failed(d, &s->v[i]);
        else if (!s->v[i].answered && s->v[i].writer != NULL)
            sp_doctor_tell(d, SP_HEALTH_WARNING, "applications",
                "restart the application's service; 'vssadmin list writers' shows whether it "
                "answers then",
                "%s gave no status when it was asked", s->v[i].writer->name);
    }
    if (s->n == 0)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "applications",
            "restart the service 'Volume Shadow Copy'; Windows itself has several writers always",
            "VSS knows no writer");
    else if (failed + silent == 0)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "applications", NULL,
            "%s, none failed ('stillpoint vss plan' tells what takes part)",
            sp_present_count(s->n, "VSS writer", "VSS writers").s);
}

static bool
cancelled(void *arg)
{
    (void)arg;
    return sp_signals_stop(NULL);
}

static void
look_at_writers(struct sp_doctor *d, const struct sp_vss_api *api)
{
    struct sp_vss_survey_options o = {.env = d->c->env, .api = api, .cancelled = cancelled};
    struct sp_vss_survey s = {0};
    struct sp_err e = {0};

    if (sp_vss_survey(&o, &s, &e) != SP_OK) {
        sp_doctor_tell(d, SP_HEALTH_WARNING, "applications",
            "without VSS files are read live and no application takes part", "%s", e.text);
        return;
    }
    tell_writers(d, &s);
    sp_vss_survey_clear(&s);
}

/* COPY leaves an application's logs and other tools' chains alone
 * (learn.microsoft.com/windows/win32/vss/vss-backup-state). */
static void
look_at_types(struct sp_doctor *d)
{
    const struct sp_config *config = d->c->config;
    char type[24];
    size_t copies = 0;

    for (size_t i = 0; i < config->njobs; i++) {
        const struct sp_job *j = &config->jobs[i];

        if (j->backup_type == 0 || j->backup_type == SP_VSS_BT_COPY) {
            copies++;
            continue;
        }
        sp_present_backup_type(j->backup_type, type);
        sp_doctor_tell(d, SP_HEALTH_WARNING, "applications",
            "fine where nothing else backs up these applications; else take the line out of the "
            "job: the default, copy, leaves their logs and the other tool's sets alone",
            "[%s] backup-type = %s: databases truncate their logs, or count their differences from "
            "this job's sets",
            j->name, type);
    }
    if (copies > 0 && copies == config->njobs)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "applications", NULL,
            "every job makes copies: no logs are truncated, other tools' sets are left alone");
}

/* Asked for where nothing can give it: every run of the job would fail. */
static void
look_at_demands(struct sp_doctor *d)
{
    const struct sp_config *config = d->c->config;

    for (size_t i = 0; i < config->njobs; i++) {
        if (config->jobs[i].application.n > 0)
            sp_doctor_tell(d, SP_HEALTH_WARNING, "applications",
                "take the 'application' lines out of the job; its commands 'before' and 'after' "
                "can "
                "stop an application, or export its data",
                "[%s] asks for applications, and this machine has no VSS to tell them",
                config->jobs[i].name);
    }
}

/* VSS's documents, which a restore by the writers needs: each run keeps its own here and in its
 * set. */
static void
look_at_documents(struct sp_doctor *d)
{
    struct sp_err e = {0};
    char *folder = NULL;
    size_t n = 0;

    if (sp_doctor_count(d, "vss", "", &n, &folder, &e) != SP_OK)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "applications", NULL, "%s", e.text);
    else if (n > 0)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "applications", NULL,
            "the writers' documents of %s are in %s, and in each set",
            sp_present_count(n, "job's last run", "jobs' last runs").s, folder);
    free(folder);
}

void
sp_doctor_applications(struct sp_doctor *d)
{
    const struct sp_vss_api *api = sp_vss_here();

    if (api != NULL)
        look_at_writers(d, api);
    if (d->c->config == NULL) /* told already */
        return;
    if (api == NULL) {
        look_at_demands(d);
        return;
    }
    look_at_types(d);
    look_at_documents(d);
}
