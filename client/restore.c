#include "client/restore.h"

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "client/present.h"
#include "client/restore_run.h"

/* --- errors
 * --------------------------------------------------------------------------------------------- */

static struct sp_err no_memory = {.code = SP_NOMEM, .domain = SP_DOM_SELF, .text = "out of memory"};

struct sp_err *
restore_err_copy(const struct sp_err *e)
{
    struct sp_err *copy = malloc(sizeof *copy);

    if (copy == NULL)
        return &no_memory;
    *copy = *e;
    return copy;
}

void
restore_err_free(struct sp_err *e)
{
    if (e != &no_memory)
        free(e);
}

bool
restore_is_fatal(const struct sp_err *e)
{
    if (e->code == SP_NOMEM || e->code == SP_CANCELLED || e->code == SP_INTERNAL)
        return true;
    if (e->domain == SP_DOM_DESTINATION)
        return e->code == SP_FULL || sp_os_reason(e->os) == SP_OS_READ_ONLY;
    if (e->domain == SP_DOM_CONFIG)
        return false;
    /* What the repository lacks or has wrong concerns one object; all else is the store itself. */
    return e->code != SP_ABSENT && e->code != SP_CORRUPT && e->code != SP_AUTH &&
           e->code != SP_INVALID && e->code != SP_UNSUPPORTED;
}

void
restore_err_at(struct sp_err *e, const void *key, size_t key_len)
{
    struct sp_buf shown = SP_BUF_INIT;

    if (e->domain != SP_DOM_DESTINATION)
        return;
    sp_present_key(key, key_len, &shown);
    if (!shown.failed)
        sp_err_context(e, "%.400s", sp_buf_str(&shown));
    sp_buf_free(&shown);
}

void
restore_fail(struct restore *r, const struct sp_err *e)
{
    sp_mutex_lock(&r->lock);
    if (!atomic_load(&r->failed)) {
        r->first_error = *e;
        atomic_store(&r->failed, true);
    }
    sp_cond_broadcast(&r->changed);
    sp_mutex_unlock(&r->lock);
    if (r->to_fetch != NULL)
        sp_queue_abort(r->to_fetch);
}

/* --- telling
 * -------------------------------------------------------------------------------------------- */

void
restore_fault(struct restore *r, const void *key, size_t key_len, const struct sp_err *why)
{
    sp_mutex_lock(&r->tell_lock);
    r->stats.faults++;
    if (r->events->fault != NULL)
        r->events->fault(r->events->arg, key, key_len, why);
    sp_mutex_unlock(&r->tell_lock);
}

void
restore_count(struct restore *r, const struct sp_entry *en, bool equal)
{
    sp_mutex_lock(&r->tell_lock);
    r->stats.entries++;
    if (en->type == SP_ENTRY_FILE) {
        r->stats.files++;
        r->stats.bytes += en->size;
        r->stats.files_equal += equal;
        r->stats.bytes_equal += equal ? en->size : 0;
    }
    sp_mutex_unlock(&r->tell_lock);
}

void
restore_kept(struct restore *r)
{
    sp_mutex_lock(&r->tell_lock);
    r->stats.kept++;
    sp_mutex_unlock(&r->tell_lock);
}

void
restore_would(struct restore *r, const struct sp_entry *en, const char *what)
{
    if (!r->o->dry_run || r->events->would == NULL)
        return;
    sp_mutex_lock(&r->tell_lock);
    r->events->would(r->events->arg, en, what);
    sp_mutex_unlock(&r->tell_lock);
}

void
restore_progress(struct restore *r)
{
    if (r->events->progress == NULL)
        return;
    sp_mutex_lock(&r->tell_lock);
    r->events->progress(r->events->arg, &r->stats);
    sp_mutex_unlock(&r->tell_lock);
}

static void
note(void *arg, const char *sentence)
{
    struct restore *r = arg;

    if (r->events->note == NULL)
        return;
    sp_mutex_lock(&r->tell_lock);
    r->events->note(r->events->arg, sentence);
    sp_mutex_unlock(&r->tell_lock);
}

/* --- the crew
 * ------------------------------------------------------------------------------------------- */

static void
drop_window(void *item)
{
    struct window *w = item;
    struct restore *r = w->r;

    window_free(w);
    sp_mutex_lock(&r->lock);
    r->windows--;
    sp_cond_broadcast(&r->changed);
    sp_mutex_unlock(&r->lock);
}

static enum sp_code
start(struct restore *r, struct sp_err *e)
{
    unsigned n = r->o->threads > 0 ? r->o->threads : 2 * sp_cpu_count();
    enum sp_code rc;

    n = n > MAX_WORKERS ? MAX_WORKERS : n;
    if ((rc = carry_new(&r->carry, e)) != SP_OK)
        return rc;
    if ((rc = sp_queue_new(1, 1, drop_window, &r->to_fetch, e)) != SP_OK)
        return rc;
    if ((rc = sp_queue_new(RESTORE_TASKS, 1, NULL, &r->tasks, e)) != SP_OK)
        return rc;
    for (; r->nworkers < n; r->nworkers++) {
        struct worker *w = &r->workers[r->nworkers];

        w->r = r;
        if ((rc = sp_opener_new(r->keys, &w->opener, e)) != SP_OK)
            return rc;
        if ((rc = sp_hasher_new(r->keys, &w->hasher, e)) != SP_OK)
            return rc;
        if ((rc = sp_thread_start("restore", restore_worker, w, &w->thread, e)) != SP_OK)
            return rc;
    }
    return sp_thread_start("fetch", restore_fetcher, r, &r->fetcher, e);
}

/* Nothing of what was planned is under way any more, after a failure too. */
void
restore_quiesce(struct restore *r)
{
    plan_forget(r);
    window_free(r->plan);
    r->plan = NULL;
    sp_mutex_lock(&r->lock);
    while (r->windows > 0)
        sp_cond_wait(&r->changed, &r->lock);
    sp_mutex_unlock(&r->lock);
}

static void
stop(struct restore *r)
{
    if (r->to_fetch != NULL)
        sp_queue_done(r->to_fetch);
    sp_thread_join(r->fetcher);
    if (r->tasks != NULL)
        sp_queue_done(r->tasks);
    for (size_t i = 0; i < MAX_WORKERS; i++) {
        sp_thread_join(r->workers[i].thread);
        sp_opener_free(r->workers[i].opener);
        sp_hasher_free(r->workers[i].hasher);
        free(r->workers[i].scratch);
    }
    sp_queue_free(r->to_fetch);
    sp_queue_free(r->tasks);
}

/* --- the run
 * -------------------------------------------------------------------------------------------- */

static enum sp_code
open_target(struct restore *r, struct sp_err *e)
{
    const struct sp_restore_options *o = r->o;
    struct sp_target_options to = {.path = o->target,
        .make = !o->dry_run,
        .probe = !o->dry_run,
        .numeric_owner = o->numeric_owner,
        .note = note,
        .arg = r};
    enum sp_code rc;

    rc = sp_target_open(r->env, &to, &r->target, e);
    /* A dry run to a folder that is not there yet makes everything anew. */
    return rc == SP_ABSENT && o->dry_run ? SP_OK : rc;
}

static enum sp_code
prepare(struct restore *r, const struct sp_id *root, struct sp_err *e)
{
    struct sp_catalog_totals totals;
    enum sp_code rc;

    r->strip = r->o->target != NULL ? r->o->strip : 0;
    if (r->o->temp_dir != NULL) {
        if ((r->temp_dir = strdup(r->o->temp_dir)) == NULL)
            return sp_fail_nomem(e);
    } else if ((rc = sp_os_place(SP_PLACE_CACHE, &r->temp_dir, e)) != SP_OK) {
        return rc;
    }
    if ((rc = sp_nodes_new(r->env, r->store, r->keys, NULL, &r->nodes, e)) != SP_OK)
        return rc;
    r->source = sp_nodes_source(r->nodes);
    if ((rc = sp_catalog_open(&r->source, root, &r->catalog, e)) != SP_OK)
        return rc;
    if ((rc = sp_catalog_totals(r->catalog, &totals, e)) != SP_OK) {
        sp_err_context(e, "the set's catalog cannot be read");
        return rc;
    }
    return open_target(r, e);
}

static enum sp_code
run(struct restore *r, const struct sp_id *root, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = prepare(r, root, e)) == SP_OK && (rc = start(r, e)) == SP_OK &&
        (rc = plan_catalog(r, e)) == SP_OK)
        rc = links_run(r, e);
    if (rc != SP_OK)
        restore_fail(r, e);
    restore_quiesce(r);
    stop(r);
    if (atomic_load(&r->failed)) { /* the first error is the cause; the rest are its consequences */
        *e = r->first_error;
        rc = e->code;
    }
    if (r->target != NULL)
        r->stats.not_supported = sp_target_unsupported(r->target);
    restore_progress(r);
    return rc;
}

enum sp_code
sp_restore_run(const struct sp_env *env, struct sp_store *store, const struct sp_keys *keys,
    const struct sp_id *root, const struct sp_restore_options *o,
    const struct sp_restore_events *events, struct sp_restore_stats *ret, struct sp_err *e)
{
    static const struct sp_restore_events silent;
    struct restore *r = calloc(1, sizeof *r);
    enum sp_code rc;

    if (r == NULL)
        return sp_fail_nomem(e);
    r->env = env;
    r->store = store;
    r->keys = keys;
    r->o = o;
    r->events = events != NULL ? events : &silent;
    sp_mutex_init(&r->lock);
    sp_mutex_init(&r->tell_lock);
    sp_cond_init(&r->changed);
    rc = run(r, root, e);
    if (rc == SP_OK)
        *ret = r->stats;
    sp_runs_free(r->links);
    sp_catalog_free(r->catalog);
    sp_nodes_free(r->nodes);
    sp_target_free(r->target);
    carry_free(r->carry);
    free(r->spare[0]);
    free(r->spare[1]);
    sp_buf_free(&r->at_key);
    sp_buf_free(&r->leaf_key);
    free(r->temp_dir);
    sp_cond_destroy(&r->changed);
    sp_mutex_destroy(&r->tell_lock);
    sp_mutex_destroy(&r->lock);
    free(r);
    sp_spare_empty();
    return rc;
}
