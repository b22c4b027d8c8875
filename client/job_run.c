#include "client/job_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"

/* The order of a run. */

/* Opened again when there was a run to wait for: what was read of the repository is from before it. */
static enum sp_code
open_in_turn(struct run *r, struct sp_err *e)
{
    const char *address = r->job->repository[0] != '\0' && r->c->repository == NULL
                              ? r->job->repository
                              : NULL;
    char *folder = NULL;
    bool waited = false;
    enum sp_code rc;

    if ((rc = sp_cli_open(r->c, address, SP_OPEN_WRITE, &r->store, e)) != SP_OK)
        return rc;
    if ((folder = strdup(r->store.profile->folder)) == NULL)
        return sp_fail_nomem(e);
    rc = sp_run_lock_now(r->c, folder, r->job->name, &r->lock, e);
    if (rc == SP_BUSY) {
        waited = true;
        sp_cli_close(&r->store);
        sp_cli_warn(r->c, "%s", e->text);
        sp_err_clear(e);
        rc = sp_run_lock_wait(r->c, folder, r->job->name, &r->lock, e);
    }
    free(folder);
    if (rc == SP_OK && waited)
        rc = sp_cli_open(r->c, address, SP_OPEN_WRITE, &r->store, e);
    return rc;
}

static enum sp_code
prepare(struct run *r, struct sp_err *e)
{
    const struct sp_job *j = r->job;
    char *cache = NULL, *state = NULL;
    enum sp_code rc;

    if ((rc = job_make_filter(r, e)) != SP_OK)
        return rc;
    if (j->bandwidth[0] != '\0' &&
        (rc = sp_ratelimit_new(j->bandwidth, r->c->env->clock, &r->limit, e)) != SP_OK)
        return rc;
    if ((rc = sp_job_demands(j, &r->demands, e)) != SP_OK)
        return rc;
    if ((rc = job_find_roots(r, e)) != SP_OK)
        return rc;
    if ((rc = open_in_turn(r, e)) != SP_OK)
        return rc;
    rc = sp_profile_cache(r->c->env, r->store.repository, j->name, &r->cache_dir, e);
    if (rc == SP_OK)
        rc = sp_os_place(SP_PLACE_CACHE, &cache, e);
    if (rc == SP_OK && (r->temp_dir = sp_path_join(cache, "tmp")) == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK)
        rc = sp_os_mkdirs(r->c->env->os, r->temp_dir, e);
    if (rc == SP_OK)
        rc = sp_os_place(SP_PLACE_STATE, &state, e);
    if (rc == SP_OK && (r->state_dir = sp_path_join(state, "shadows")) == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK)
        rc = sp_os_mkdirs(r->c->env->os, r->state_dir, e);
    free(cache);
    free(state);
    return rc;
}

static enum sp_code
pipeline(struct run *r, bool reread, int64_t started_ns, struct sp_err *e)
{
    const struct sp_job *j = r->job;
    const struct sp_profile *p = r->store.profile;
    struct sp_backup_options o;
    struct sp_backup_events events;
    struct sp_err late = {0};
    enum sp_code rc;

    memset(&o, 0, sizeof(o));
    job_events(r, &events);
    o.job = j->name;
    memcpy(o.host, p->host, 16);
    o.host_name = p->host_name;
    o.signing_secret = p->signing_secret;
    o.source.roots = r->roots;
    o.source.nroots = r->nroots;
    o.source.views = r->views;
    o.source.nviews = r->nviews;
    o.source.filter = r->filter;
    o.source.one_file_system = j->one_file_system;
    o.source.cachedir_tag = j->cachedir_tag;
    o.source.started_ns = started_ns;
    o.source.temp_dir = r->temp_dir;
    o.volumes = r->volumes;
    o.nvolumes = r->nvolumes;
    o.applications = SP_LEVEL_NONE;
    o.files_level = sp_shadow_weakest(r->shadow);
    o.excludes = (const char *const *)r->patterns.s;
    o.nexcludes = r->patterns.n;
    o.compression = j->compression;
    o.audit = j->audit == 0 ? UINT_MAX : j->audit;
    o.reread = reread;
    o.usn = r->usn;
    o.checkpoint_ns = (uint64_t)j->checkpoint_ns;
    o.cache_dir = r->cache_dir;
    o.temp_dir = r->temp_dir;
    o.limit = r->limit;
    rc = sp_profile_head(r->c->env, p, j->name, &o.known_sequence, o.known_hash, e);
    if (rc != SP_OK)
        return rc;
    r->progress = sp_progress_new(r->c, j->name);
    rc = sp_backup_run(r->c->env, r->store.store, r->store.keys, &o, &events, sp_signals_stop, NULL,
        &r->result, e);
    sp_progress_free(r->progress);
    r->progress = NULL;
    if (rc == SP_OK && sp_profile_set_head(r->c->env, p, j->name, r->result.sequence,
                           r->result.record_hash, &late) != SP_OK) {
        /* The set is made and counts (R2); that it is the newest is for the next run to remember.
         */
        sp_cli_warn(r->c,
            "the set is made, but this machine cannot remember that it is the newest: %s",
            late.text);
        r->unclean = true;
    }
    return rc;
}

/* From the shadows to the commit. *ret_after: the command `after` has run. */
static enum sp_code
make_set(struct run *r, bool reread, int64_t started_ns, bool *ret_after, struct sp_err *e)
{
    bool shadowed = false;
    enum sp_code rc;

    if ((rc = job_plan_shadow(r, e)) != SP_OK || (rc = job_write_documents(r, e)) != SP_OK ||
        (rc = job_add_roots(r, e)) != SP_OK || (rc = job_make_filter(r, e)) != SP_OK ||
        (rc = job_begin_journals(r, e)) != SP_OK || (rc = job_take_shadow(r, e)) != SP_OK ||
        (rc = job_map_volumes(r, e)) != SP_OK || (rc = job_write_documents(r, e)) != SP_OK ||
        (rc = job_begin_verdict(r, e)) != SP_OK || (rc = job_meet_demands(r, JOB_TAKEN, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < r->nvolumes; i++)
        shadowed = shadowed || r->volumes[i].consistency > SP_LEVEL_LIVE;
    if (shadowed) {
        *ret_after = true;
        if ((rc = job_hook(r, "after", r->job->after, "running", e)) != SP_OK)
            return rc;
    }
    return pipeline(r, reread, started_ns, e);
}

/* before → plan → take → demands → after → read → commit → finish. Without a shadow `after` waits for the reading to
 * end. What fails before the commit lets the applications hear that there is no set. */
static enum sp_code
body(struct run *r, bool reread, struct sp_err *e)
{
    struct sp_err late = {0};
    int64_t started = sp_clock_wall(r->c->env->clock);
    bool after = false;
    enum sp_code rc;

    if ((rc = job_hook(r, "before", r->job->before, "running", e)) != SP_OK)
        return rc;
    if ((rc = make_set(r, reread, started, &after, e)) == SP_OK)
        job_finish(r);
    else if (r->taken && sp_shadow_finish(r->shadow, false, &late) != SP_OK)
        sp_cli_warn(r->c, "the applications could not be told that there is no set: %s", late.text);
    r->taken = false;
    if (rc == SP_OK && job_meet_demands(r, JOB_FINISHED, &late) != SP_OK) {
        sp_cli_warn(r->c, "what the job demands could not be looked at in the end: %s", late.text);
        r->unclean = true;
    }
    /* Whatever happened, what `before` stopped is started again. */
    if (!after && job_hook(r, "after", r->job->after, "running", &late) != SP_OK && rc == SP_OK) {
        sp_cli_warn(r->c, "%s", late.text);
        r->unclean = true; /* the set is made; the run is not clean */
    }
    return rc;
}

static void
run_clear(struct run *r)
{
    struct sp_err e = {0};
    size_t i;

    if (r->shadow != NULL && sp_shadow_release(r->shadow, &e) != SP_OK)
        sp_cli_warn(r->c, "a shadow could not be removed: %s; the next run tries again", e.text);
    for (i = 0; i < r->nroots; i++)
        free(r->roots[i].p);
    free(r->roots);
    job_free_plan(r);
    job_clear_verdict(r);
    sp_demands_clear(&r->demands);
    free(r->told);
    free(r->documents);
    sp_buf_free(&r->documents_key);
    for (i = 0; i < r->nvolumes; i++)
        free(r->volumes[i].path);
    free(r->volumes);
    free(r->views);
    sp_usn_free(r->usn);
    sp_filter_free(r->filter);
    sp_strings_clear(&r->patterns);
    sp_ratelimit_free(r->limit);
    sp_cli_close(&r->store);
    sp_run_lock_free(r->lock);
    free(r->cache_dir);
    free(r->temp_dir);
    free(r->state_dir);
}

enum sp_exit
sp_job_run(struct sp_cli *c, const struct sp_job *job, bool reread, struct sp_json *json)
{
    struct run r;
    struct sp_err e = {0};
    int64_t started = sp_clock_wall(c->env->clock);
    enum sp_exit code;
    enum sp_code rc;

    memset(&r, 0, sizeof(r));
    r.c = c;
    r.job = job;
    rc = prepare(&r, &e);
    if (rc == SP_OK)
        rc = body(&r, reread, &e);
    if (json != NULL) {
        sp_json_object(json);
        sp_json_kstr(json, "job", job->name);
    }
    if (rc != SP_OK) {
        sp_cli_tell_error(job->name, &e);
        (void)snprintf(r.closing, sizeof(r.closing), "%s", e.text);
        code = sp_cli_exit_code(&e);
        if (json != NULL) {
            sp_json_kstr(json, "error", e.text);
            sp_json_kstr(json, "code", sp_code_word(e.code));
            job_json_consistency(&r, json);
        }
    } else {
        job_say_result(&r);
        if (json != NULL)
            job_json_result(&r, json);
        code = r.result.state == SP_SET_INCOMPLETE || r.unclean || r.audits > 0 ||
                       r.result.chain_broken || r.below || job_writer_failed(&r)
                   ? SP_EXIT_PARTLY
                   : SP_EXIT_DONE;
        if (r.result.chain_broken)
            sp_cli_warn(c,
                "the repository does not hold the last set that this machine made for %s: sets were "
                "removed, or an older state of the repository was put back. A new set was made; find "
                "out who changed the repository",
                job->name);
    }
    if (json != NULL) {
        sp_json_ku64(json, "exit", (uint64_t)code);
        sp_json_object_end(json);
    }
    job_remember(&r, started, code);
    job_follow_up(&r, code == SP_EXIT_DONE || code == SP_EXIT_PARTLY,
        code == SP_EXIT_DONE ? "done" : code == SP_EXIT_PARTLY ? "partly" : "failed");
    run_clear(&r);
    return code;
}
