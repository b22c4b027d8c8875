#include "client/job_run.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/canonical.h"
#include "client/filter.h"
#include "client/hooks.h"
#include "client/job_files.h"
#include "client/ratelimit.h"
#include "client/run_turn.h"
#include "client/system_excludes.h"
#include "client/usn.h"

#define FAULTS_SHOWN 20

struct run {
    struct sp_cli *c;
    const struct sp_job *job;
    struct sp_opened_store store;
    struct sp_run_lock *lock; /* one run at a time per repository */
    struct sp_shadow *shadow;
    struct sp_usn *usn; /* NULL: not used */
    struct sp_filter *filter;
    struct sp_strings patterns; /* of the system and of the job */
    struct sp_ratelimit *limit;
    struct sp_progress *progress;
    struct sp_bytes *roots; /* keys, sorted, none within another */
    size_t nroots;
    struct sp_view_map *views;
    size_t nviews;
    struct sp_volume *volumes;
    size_t nvolumes;
    char *cache_dir, *temp_dir, *state_dir;
    uint64_t faults_shown, audits; /* differences that an audit found */
    bool unclean;
    char closing[SP_ERR_TEXT]; /* what the run did, in one line */
    struct sp_backup_result result;
};

/* --- what is backed up -------------------------------------------------------------------------------- */

static int
by_key(const void *a, const void *b)
{
    const struct sp_bytes *x = a, *y = b;

    return sp_key_cmp(x->p, x->n, y->p, y->n);
}

static enum sp_code
find_roots(struct run *r, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    char *path = NULL;
    size_t i, n = 0;
    enum sp_code rc = SP_OK;

    r->roots = calloc(r->job->paths.n, sizeof(*r->roots));
    if (r->roots == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < r->job->paths.n && rc == SP_OK; i++) {
        rc = sp_path_canonical(r->job->paths.s[i], &path, e);
        if (rc == SP_OK)
            rc = sp_key_from_path(path, &key, e);
        if (rc == SP_OK)
            rc = sp_buf_take(&key, &r->roots[r->nroots].p, &r->roots[r->nroots].n, e);
        if (rc == SP_OK)
            r->nroots++;
        free(path);
        path = NULL;
    }
    sp_buf_free(&key);
    if (rc != SP_OK)
        return rc;
    qsort(r->roots, r->nroots, sizeof(*r->roots), by_key);
    for (i = 0; i < r->nroots; i++) { /* what lies within another root is taken with it */
        if (n > 0 && sp_key_within(r->roots[n - 1].p, r->roots[n - 1].n, r->roots[i].p, r->roots[i].n))
            free(r->roots[i].p);
        else
            r->roots[n++] = r->roots[i];
    }
    r->nroots = n;
    return SP_OK;
}

static enum sp_code
take_shadow(struct run *r, struct sp_err *e)
{
    struct sp_shadow_options o = {0};
    struct sp_shadow_root *roots = calloc(r->nroots, sizeof(*roots));
    size_t i, removed = 0;
    struct sp_err janitor = {0};
    enum sp_code rc;

    if (roots == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < r->nroots; i++) {
        roots[i].key = r->roots[i].p;
        roots[i].key_len = r->roots[i].n;
    }
    o.roots = roots;
    o.nroots = r->nroots;
    o.want = r->job->shadow;
    o.one_file_system = r->job->one_file_system;
    o.journal_dir = r->state_dir;
    if (sp_shadow_janitor(r->c->env, r->state_dir, &removed, &janitor) != SP_OK)
        sp_cli_warn(r->c, "shadows of an earlier run: %s", janitor.text);
    else if (removed > 0)
        sp_cli_warn(r->c, "removed %zu shadows that an earlier run had left", removed);
    rc = sp_shadow_plan(r->c->env, &o, &r->shadow, e);
    if (rc == SP_OK)
        rc = sp_shadow_take(r->shadow, e);
    free(roots);
    return rc;
}

/* Before the shadow is there: what is written from now on belongs to the next run, too. */
static enum sp_code
begin_journals(struct run *r, struct sp_err *e)
{
    const struct sp_ntfs *t = sp_usn_here();
    struct sp_usn_options o = {.job = r->job->name,
        .roots = r->roots,
        .nroots = r->nroots,
        .patterns = (const char *const *)r->patterns.s,
        .npatterns = r->patterns.n,
        .one_file_system = r->job->one_file_system,
        .cachedir_tag = r->job->cachedir_tag};
    char *state = NULL, *folder = NULL;
    enum sp_code rc;

    if (t == NULL || !r->job->change_journal)
        return SP_OK;
    if ((rc = sp_os_place(SP_PLACE_STATE, &state, e)) != SP_OK)
        return rc;
    if ((folder = sp_path_join(state, "usn")) == NULL)
        rc = sp_fail_nomem(e);
    o.folder = folder;
    if (rc == SP_OK && (rc = sp_os_mkdirs(r->c->env->os, folder, e)) == SP_OK)
        rc = sp_usn_begin(r->c->env, t, &o, &r->usn, e);
    free(state);
    free(folder);
    return rc;
}

static enum sp_code
map_volumes(struct run *r, struct sp_err *e)
{
    const struct sp_shadow_volume *v;
    size_t i, n = sp_shadow_count(r->shadow);
    struct sp_view_map *view;
    struct sp_volume *record;

    r->views = calloc(n + 1, sizeof(*r->views));
    r->volumes = calloc(n + 1, sizeof(*r->volumes));
    if (r->views == NULL || r->volumes == NULL)
        return sp_fail_nomem(e);
    /* The longest match wins; the first one is for everything that no volume covers. */
    r->views[0].key = (const uint8_t *)"";
    r->nviews = 1;
    for (i = 0; i < n; i++) {
        struct sp_buf path = SP_BUF_INIT;

        v = sp_shadow_volume(r->shadow, i);
        view = &r->views[v->key_len == 0 ? 0 : r->nviews++];
        view->key = v->key;
        view->key_len = v->key_len;
        view->read_path = v->read_path;
        view->shadow = v->read_path != NULL;
        view->instant_ns = v->instant_ns;
        view->skip = v->pseudo;
        if (v->pseudo)
            continue;
        record = &r->volumes[r->nvolumes];
        sp_key_to_path(v->key, v->key_len, &path);
        record->path = strdup(sp_buf_str(&path));
        sp_buf_free(&path);
        if (record->path == NULL)
            return sp_fail_nomem(e);
        r->nvolumes++;
        record->file_system = v->file_system;
        record->source = (char *)(uintptr_t)v->source;
        record->reason = v->reason;
        record->consistency = v->level;
        record->instant_ns = v->instant_ns;
    }
    return SP_OK;
}

/* --- events ------------------------------------------------------------------------------------------------ */

static void
on_fault(void *arg, const struct sp_fault *f)
{
    struct run *r = arg;
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;

    if (r->c->quiet || ++r->faults_shown > FAULTS_SHOWN)
        return;
    sp_progress_clear(r->progress);
    sp_key_to_path(f->key, f->key_len, &path);
    sp_path_show(path.data, path.len, &shown);
    sp_cli_warn(r->c, "%s: %s", sp_buf_str(&shown), f->text);
    if (r->faults_shown == FAULTS_SHOWN)
        sp_cli_warn(r->c, "more files have warnings; 'stillpoint show SET' lists them all");
    sp_buf_free(&path);
    sp_buf_free(&shown);
}

static void
on_audit(void *arg, const void *key, size_t n)
{
    struct run *r = arg;
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;

    r->audits++;
    sp_progress_clear(r->progress);
    sp_key_to_path(key, n, &path);
    sp_path_show(path.data, path.len, &shown);
    sp_cli_warn(r->c,
        "%s: its content differs from the last set although size and times do not; it was backed up "
        "again. Failing hardware or a program that resets times may be the cause",
        sp_buf_str(&shown));
    sp_buf_free(&path);
    sp_buf_free(&shown);
}

static void
on_journal(void *arg, const void *key, size_t n)
{
    struct run *r = arg;
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;

    r->audits++;
    sp_progress_clear(r->progress);
    sp_key_to_path(key, n, &path);
    sp_path_show(path.data, path.len, &shown);
    sp_cli_warn(r->c,
        "%s: it changed, and the volume's change journal has no record of that; the journal is not believed any "
        "more, and the rest of the volume's files are looked at. What this run left out before because of it is "
        "looked at by the next",
        sp_buf_str(&shown));
    sp_buf_free(&path);
    sp_buf_free(&shown);
}

static void
on_progress(void *arg, const struct sp_backup_stats *s, const void *key, size_t n)
{
    struct run *r = arg;

    sp_progress_show(r->progress, s->files, s->bytes, s->bytes_total_guess, key, n);
}

static void
on_note(void *arg, const char *sentence)
{
    struct run *r = arg;

    sp_progress_clear(r->progress);
    sp_cli_warn(r->c, "%s", sentence);
}

/* --- the run --------------------------------------------------------------------------------------------- */

static enum sp_code
make_filter(struct run *r, struct sp_err *e)
{
    struct sp_system_excludes system = {0};
    enum sp_code rc = sp_system_excludes_get(&system, e);

    if (rc == SP_OK)
        rc = sp_job_patterns(r->job, &system, &r->patterns, e);
    sp_system_excludes_clear(&system);
    if (rc != SP_OK)
        return rc;
    return sp_filter_new((const char *const *)r->patterns.s, r->patterns.n, sp_paths_fold, &r->filter, e);
}

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

    if ((rc = make_filter(r, e)) != SP_OK)
        return rc;
    if (j->bandwidth[0] != '\0' &&
        (rc = sp_ratelimit_new(j->bandwidth, r->c->env->clock, &r->limit, e)) != SP_OK)
        return rc;
    if ((rc = find_roots(r, e)) != SP_OK)
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
    struct sp_backup_events events = {.fault = on_fault,
        .audit = on_audit,
        .journal = on_journal,
        .progress = on_progress,
        .note = on_note,
        .arg = r};
    struct sp_err late = {0};
    enum sp_code rc;

    memset(&o, 0, sizeof(o));
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

static enum sp_code
hook(struct run *r, const char *what, const char *command, const char *status, struct sp_err *e)
{
    const struct sp_hook_env vars[] = {{"STILLPOINT_JOB", r->job->name},
        {"STILLPOINT_REPOSITORY", r->store.address != NULL ? r->store.address : ""},
        {"STILLPOINT_STATUS", status},
        {"STILLPOINT_SET",
            r->result.sequence > 0 ? sp_hex16(r->result.set_id).s : ""},
        {NULL, NULL}};

    if (command[0] == '\0')
        return SP_OK;
    return sp_hook_run(what, command, vars, r->job->command_timeout_ns, e);
}

/* before → shadow → after → read → commit. Without a shadow `after` waits for the reading to end. */
static enum sp_code
body(struct run *r, bool reread, struct sp_err *e)
{
    struct sp_err late = {0};
    int64_t started = sp_clock_wall(r->c->env->clock);
    bool shadowed = false, began = false;
    size_t i;
    enum sp_code rc, after = SP_OK;

    if ((rc = hook(r, "before", r->job->before, "running", e)) != SP_OK)
        return rc;
    began = true;
    if ((rc = begin_journals(r, e)) != SP_OK)
        goto out;
    if ((rc = take_shadow(r, e)) != SP_OK)
        goto out;
    if ((rc = map_volumes(r, e)) != SP_OK)
        goto out;
    if (sp_shadow_weakest(r->shadow) < r->job->require) {
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "the job requires '%s' and this would be '%s': no set was made. %s",
            sp_level_word(r->job->require),
            sp_level_word(sp_shadow_weakest(r->shadow)),
            r->nvolumes > 0 ? r->volumes[0].reason : "");
        goto out;
    }
    for (i = 0; i < r->nvolumes; i++)
        shadowed = shadowed || r->volumes[i].consistency > SP_LEVEL_LIVE;
    if (shadowed) {
        began = false;
        if ((rc = hook(r, "after", r->job->after, "running", e)) != SP_OK)
            goto out;
    }
    rc = pipeline(r, reread, started, e);
out:
    if (began) /* whatever happened, what `before` stopped is started again */
        after = hook(r, "after", r->job->after, "running", &late);
    if (after != SP_OK && rc == SP_OK) {
        sp_cli_warn(r->c, "%s", late.text);
        r->unclean = true; /* the set is made; the run is not clean */
    }
    return rc;
}

static void
say_result(struct run *r)
{
    const struct sp_backup_result *b = &r->result;
    const struct sp_backup_stats *s = &b->stats;

    (void)snprintf(r->closing, sizeof(r->closing),
        "%s: set %s, %s files, %s (%s new, %s changed, %s unchanged); read %s, new %s, stored %s in "
        "%s; files are %s%s%s%s",
        r->job->name, sp_hex8(b->set_id).s, sp_text_count(s->files).s, sp_text_bytes(s->bytes).s,
        sp_text_count(s->files_new).s, sp_text_count(s->files_changed).s,
        sp_text_count(s->files_unchanged + s->files_audited).s, sp_text_bytes(s->bytes_read).s,
        sp_text_bytes(s->bytes_new).s, sp_text_bytes(s->bytes_stored).s,
        sp_text_duration(b->ended_ns - b->started_ns).s,
        sp_level_word(sp_shadow_weakest(r->shadow)),
        sp_shadow_weakest(r->shadow) == SP_LEVEL_LIVE ? " (read while in use)" : "-consistent",
        b->from_checkpoint ? ", went on from a checkpoint" : "",
        b->state == SP_SET_INCOMPLETE ? ", INCOMPLETE" : "");
    sp_cli_say(r->c, "%s", r->closing);
    if (b->state == SP_SET_INCOMPLETE)
        sp_cli_say(r->c, "%s: %s files or folders could not be read as they are; 'stillpoint show %s' "
                         "names them",
            r->job->name, sp_text_count(s->faults).s, sp_hex8(b->set_id).s);
    if (s->files_vouched + s->journal_audited > 0)
        sp_cli_say(r->c,
            "%s: %s files were not looked at, because the change journal says that they did not change; %s "
            "others of those were looked at all the same, %s of which had changed",
            r->job->name, sp_text_count(s->files_vouched).s, sp_text_count(s->journal_audited).s,
            sp_text_count(s->journal_differences).s);
    if (s->files_vanished > 0 && r->c->verbose)
        sp_cli_say(r->c, "%s: %s files vanished before they could be read", r->job->name,
            sp_text_count(s->files_vanished).s);
}

static void
json_result(struct run *r, struct sp_json *j)
{
    const struct sp_backup_result *b = &r->result;
    const struct sp_backup_stats *s = &b->stats;

    sp_json_kstr(j, "set", sp_hex16(b->set_id).s);
    sp_json_ku64(j, "sequence", b->sequence);
    sp_json_kstr(j, "state", b->state == SP_SET_COMPLETE ? "complete" : "incomplete");
    sp_json_kstr(j, "files_consistency", sp_level_word(sp_shadow_weakest(r->shadow)));
    sp_json_ku64(j, "entries", s->entries);
    sp_json_ku64(j, "files", s->files);
    sp_json_ku64(j, "bytes", s->bytes);
    sp_json_ku64(j, "files_new", s->files_new);
    sp_json_ku64(j, "files_changed", s->files_changed);
    sp_json_ku64(j, "files_unchanged", s->files_unchanged);
    sp_json_ku64(j, "files_audited", s->files_audited);
    sp_json_ku64(j, "files_vanished", s->files_vanished);
    sp_json_ku64(j, "files_away", s->files_away);
    sp_json_ku64(j, "audit_differences", s->audit_differences);
    sp_json_ku64(j, "files_vouched", s->files_vouched);
    sp_json_ku64(j, "journal_audited", s->journal_audited);
    sp_json_ku64(j, "journal_differences", s->journal_differences);
    sp_json_ku64(j, "bytes_read", s->bytes_read);
    sp_json_ku64(j, "bytes_new", s->bytes_new);
    sp_json_ku64(j, "bytes_stored", s->bytes_stored);
    sp_json_ku64(j, "faults", s->faults);
    sp_json_ku64(j, "excluded", s->excluded);
    sp_json_ku64(j, "mounts_not_entered", s->crossed);
    sp_json_kbool(j, "from_checkpoint", b->from_checkpoint);
    sp_json_kbool(j, "chain_broken", b->chain_broken);
    sp_json_key(j, "published");
    sp_json_time(j, b->published_ns);
    sp_json_key(j, "seconds");
    sp_json_u64(j, (uint64_t)((b->ended_ns - b->started_ns) / SP_SECOND));
}

/* What follows a run: its own commands and the ping; a failure there is a warning. */
static void
follow_up(struct run *r, bool success, const char *status)
{
    struct sp_err e = {0};
    char *url;

    if (hook(r, success ? "on-success" : "on-failure",
            success ? r->job->on_success : r->job->on_failure, status, &e) != SP_OK)
        sp_cli_warn(r->c, "%s", e.text);
    if (r->job->ping_url[0] == '\0')
        return;
    url = malloc(strlen(r->job->ping_url) + 8);
    if (url == NULL)
        return;
    (void)sprintf(url, "%s%s", r->job->ping_url, success ? "" : "/fail");
    if (sp_http_get(url, &e) != SP_OK)
        sp_cli_warn(r->c, "the ping failed: %s", e.text);
    free(url);
}

/* For `service status`, the journal and the Event Log; the run is over, and a line that cannot be kept
 * changes nothing about it. */
static void
remember(struct run *r, int64_t started_ns, enum sp_exit code)
{
    struct sp_last_run last = {.started_ns = started_ns, .exit_code = (int)code};
    struct sp_err e = {0};

    last.ended_ns = sp_clock_wall(r->c->env->clock);
    last.success_ns = code == SP_EXIT_DONE || code == SP_EXIT_PARTLY ? last.ended_ns : 0;
    (void)snprintf(last.text, sizeof(last.text), "%s", r->closing);
    if (sp_last_run_write(r->c->env, r->job->name, &last, &e) != SP_OK)
        sp_cli_warn(r->c, "how this run went cannot be kept for 'service status': %s", e.text);
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
        }
    } else {
        say_result(&r);
        if (json != NULL)
            json_result(&r, json);
        code = r.result.state == SP_SET_INCOMPLETE || r.unclean || r.audits > 0 ||
                       r.result.chain_broken
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
    remember(&r, started, code);
    follow_up(&r, code == SP_EXIT_DONE || code == SP_EXIT_PARTLY,
        code == SP_EXIT_DONE ? "done" : code == SP_EXIT_PARTLY ? "partly" : "failed");
    run_clear(&r);
    return code;
}
