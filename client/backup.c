#include "client/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/spare.h"
#include "client/backup_run.h"

#define LAG_TRIES 4u
#define LAG_PAUSE_MS 250u
#define PASSES                                                                                     \
    3 /* a commit that names missing chunks is followed by a pass that reads them again */

void
backup_fail(struct backup *b, const struct sp_err *e)
{
    sp_mutex_lock(&b->lock);
    if (!atomic_load(&b->failed)) {
        b->first_error = *e;
        atomic_store(&b->failed, true);
    }
    sp_mutex_unlock(&b->lock);
    order_abort(&b->order);
    gather_abort(b);
}

bool
backup_stopping(struct backup *b)
{
    if (!atomic_load(&b->stopping) && b->cancelled != NULL && b->cancelled(b->cancelled_arg))
        atomic_store(&b->stopping, true);
    return atomic_load(&b->stopping) || atomic_load(&b->failed);
}

void
backup_count(struct backup *b, atomic_uint_fast64_t *files)
{
    if (b->pass == 0)
        atomic_fetch_add(files, 1);
}

void
backup_stats(struct backup *b, struct sp_backup_stats *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->entries = b->totals.entries;
    ret->files = b->totals.files;
    ret->bytes = b->totals.bytes;
    ret->files_new = atomic_load(&b->count.files_new);
    ret->files_changed = atomic_load(&b->count.files_changed);
    ret->files_unchanged = atomic_load(&b->count.files_unchanged);
    ret->files_audited = atomic_load(&b->count.files_audited);
    ret->files_vanished = atomic_load(&b->count.files_vanished);
    ret->files_vouched = atomic_load(&b->count.files_vouched);
    ret->journal_audited = atomic_load(&b->count.journal_audited);
    ret->journal_differences = atomic_load(&b->count.journal_differences);
    ret->bytes_read = atomic_load(&b->count.bytes_read);
    ret->bytes_new = atomic_load(&b->count.bytes_new);
    ret->bytes_stored = atomic_load(&b->count.bytes_stored);
    ret->chunks_new = atomic_load(&b->count.chunks_new);
    ret->audit_differences = atomic_load(&b->count.audit_differences);
    ret->bytes_total_guess = b->head.has_set ? b->last.bytes : 0;
    ret->faults = b->sealed.faults_total;
    ret->files_away = b->files_away;
    ret->checkpoints = b->checkpoints;
}

struct sp_fault *
backup_fault_new(const struct sp_entry *en, enum sp_fault_kind kind, const struct sp_err *why)
{
    struct sp_fault *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->kind = kind;
    f->key_len = en->key_len;
    f->key = malloc(en->key_len + 1);
    f->text = strdup(why->text);
    if (f->key == NULL || f->text == NULL) {
        backup_fault_free(f);
        return NULL;
    }
    memcpy(f->key, en->key, en->key_len);
    return f;
}

void
backup_fault_free(struct sp_fault *f)
{
    if (f == NULL)
        return;
    free(f->key);
    free(f->text);
    free(f);
}

/* --- where the last run ended
 * ------------------------------------------------------------------------ */

void
backup_note(struct backup *b, const char *text)
{
    if (b->events->note == NULL)
        return;
    sp_mutex_lock(&b->events_lock);
    b->events->note(b->events->arg, text);
    sp_mutex_unlock(&b->events_lock);
}

static void
tell_left_out(void *arg, const void *key, size_t n, bool is_dir)
{
    struct backup *b = arg;

    sp_mutex_lock(&b->events_lock);
    b->events->left_out(b->events->arg, key, n, is_dir);
    sp_mutex_unlock(&b->events_lock);
}

/* A record that this host did not sign, or of another key group, is no parent. A store that fails
 * to say who signs ends the run. */
static enum sp_code
check_trust(struct backup *b, enum sp_record_type type, const uint8_t *record, size_t n,
    const struct sp_set *set, bool *ret, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_host host;
    uint8_t *p = NULL;
    size_t len;
    enum sp_code rc;

    *ret = false;
    if (memcmp(set->group, sp_keys_group(b->keys), 16) != 0)
        return SP_OK;
    rc = sp_store_host(b->store, b->o->host, &p, &len, &why);
    if (rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT) {
        *e = why;
        return rc;
    }
    if (rc == SP_OK)
        rc = sp_host_decode(p, len, b->keys, &host, &why);
    if (rc == SP_OK)
        rc = sp_record_check_signature(type, record, n, &host, &why);
    free(p);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    *ret = rc == SP_OK;
    if (!*ret)
        backup_note(b, "the last set of this job is not signed by this host: its files are read again");
    return SP_OK;
}

/* One that cannot be used is no checkpoint. */
static enum sp_code
look_at_checkpoint(struct backup *b, struct sp_err *e)
{
    struct sp_set_sealed sealed = {0};
    struct sp_err why = {0};
    bool trusted;
    enum sp_code rc;

    if (sp_set_record_decode(b->head.checkpoint, b->head.checkpoint_len, &b->checkpoint, &why) !=
        SP_OK)
        return SP_OK;
    rc = check_trust(b, SP_RECORD_CHECKPOINT, b->head.checkpoint, b->head.checkpoint_len,
        &b->checkpoint, &trusted, e);
    if (rc != SP_OK || !trusted)
        return rc;
    if (sp_set_record_open(b->head.checkpoint, b->head.checkpoint_len, b->opener, &sealed, &why) !=
        SP_OK)
        return SP_OK;
    b->root_checkpoint = b->checkpoint.root;
    b->checkpoint_key = sealed.last_key;
    b->checkpoint_key_len = sealed.last_key_len;
    sealed.last_key = NULL;
    b->use_checkpoint = b->checkpoint_key != NULL;
    sp_set_sealed_clear(&sealed);
    return SP_OK;
}

/* Sorted here: a server's answer is believed, not its order. */
static void
lacks(struct backup *b, struct sp_id *ids, size_t n)
{
    if (n > 0)
        qsort(ids, n, sizeof(*ids), sp_id_cmp);
    b->missing = ids;
    b->nmissing = n;
}

/* Listings of a share may lag (§10 of the design): before a set that this machine made is taken for
 * lost, and its number given to another, the store is asked again for a while. */
static enum sp_code
ask_head(struct backup *b, struct sp_err *e)
{
    struct sp_err ignored = {0};
    struct sp_set last;
    enum sp_code rc;

    for (unsigned i = 0;; i++) {
        if ((rc = sp_store_head(b->store, b->o->job, &b->head, e)) != SP_OK ||
            b->o->known_sequence == 0 || i == LAG_TRIES)
            return rc;
        if (b->head.has_set &&
            (sp_set_record_decode(b->head.set, b->head.set_len, &last, &ignored) != SP_OK ||
                last.sequence >= b->o->known_sequence))
            return SP_OK;
        sp_store_head_clear(&b->head);
        sp_sleep_ms(LAG_PAUSE_MS << i); /* 3.75 s in all */
    }
}

static enum sp_code
look_at_head(struct backup *b, struct sp_backup_result *result, struct sp_err *e)
{
    const struct sp_backup_options *o = b->o;
    bool signed_by_us = false; /* else its number is anybody's (R21) */
    enum sp_code rc;

    if ((rc = ask_head(b, e)) != SP_OK)
        return rc;
    if (b->head.has_set) {
        if ((rc = sp_set_record_decode(b->head.set, b->head.set_len, &b->last, e)) != SP_OK) {
            sp_err_context(e, "the last set of job %s", o->job);
            return rc;
        }
        rc = check_trust(
            b, SP_RECORD_SET, b->head.set, b->head.set_len, &b->last, &signed_by_us, e);
        if (rc != SP_OK)
            return rc;
        b->use_set = signed_by_us;
        b->root_set = b->last.root;
    }
    if (o->known_sequence > 0)
        result->chain_broken = !b->head.has_set || !signed_by_us ||
                               b->last.sequence < o->known_sequence ||
                               (b->last.sequence == o->known_sequence &&
                                   memcmp(b->head.set_hash, o->known_hash, 32) != 0);
    if (b->head.has_checkpoint && (rc = look_at_checkpoint(b, e)) != SP_OK)
        return rc;
    if (b->head.missing_more) { /* more than can be named: nothing is relied on */
        b->use_set = b->use_checkpoint = false;
        backup_note(b, "much of the last set is missing from the repository: everything is read again");
    } else if (b->head.nmissing > 0) {
        backup_note(b, "parts of the last set are missing from the repository: the files are read again");
    } else { /* not whole, and it does not say why */
        b->use_set = b->use_set && b->head.set_whole;
        b->use_checkpoint = b->use_checkpoint && b->head.checkpoint_whole;
    }
    lacks(b, b->head.missing, b->head.nmissing);
    result->from_checkpoint = b->use_checkpoint;
    return SP_OK;
}

/* --- one pass
 * ------------------------------------------------------------------------------------------ */

struct crew {
    struct sp_thread *walker, *readers[MAX_READERS], *askers[ASKERS], *sealers[MAX_SEALERS];
};

static enum sp_code
start(struct backup *b, struct crew *crew, struct sp_err *e)
{
    unsigned cpus = sp_cpu_count(), i;
    unsigned sealers = cpus > MAX_SEALERS ? MAX_SEALERS : cpus;
    unsigned readers = 2 * cpus > MAX_READERS ? MAX_READERS : 2 * cpus;
    enum sp_code rc;

    for (i = 0; i < sealers; i++) {
        if ((rc = sp_thread_start("seal", gather_sealer, b, &crew->sealers[i], e)) != SP_OK)
            return rc;
    }
    for (i = 0; i < ASKERS; i++) {
        if ((rc = sp_thread_start("ask", gather_asker, b, &crew->askers[i], e)) != SP_OK)
            return rc;
    }
    for (i = 0; i < readers; i++) {
        if ((rc = sp_thread_start("read", backup_reader, b, &crew->readers[i], e)) != SP_OK)
            return rc;
    }
    return sp_thread_start("walk", backup_walker, b, &crew->walker, e);
}

static void
join(struct backup *b, struct crew *crew)
{
    size_t i;

    sp_thread_join(crew->walker);
    for (i = 0; i < MAX_READERS; i++)
        sp_thread_join(crew->readers[i]);
    sp_queue_done(b->gather.ask);
    for (i = 0; i < ASKERS; i++)
        sp_thread_join(crew->askers[i]);
    sp_queue_done(b->gather.seal);
    for (i = 0; i < MAX_SEALERS; i++)
        sp_thread_join(crew->sealers[i]);
}

/* What the source has to say once a run. */
static void
tell_notes(struct backup *b)
{
    struct sp_buf note = SP_BUF_INIT;

    for (size_t i = 0; sp_source_note(b->source, i, &note); i++) {
        backup_note(b, sp_buf_str(&note));
        sp_buf_reset(&note);
    }
    sp_buf_free(&note);
}

static enum sp_code
one_pass(struct backup *b, struct sp_commit_result *committed, struct sp_backup_result *result,
    struct sp_err *e)
{
    struct crew crew;
    struct sp_source_counts counts = {0};
    struct sp_source_options source;
    bool made;
    enum sp_code rc;

    memset(&crew, 0, sizeof(crew));
    memset(&b->gather, 0, sizeof(b->gather));
    order_init(&b->order);
    if ((rc = gather_init(b, e)) != SP_OK)
        goto out;
    if ((rc = sp_nodes_new(b->env, b->store, b->keys, b->o->cache_dir, &b->nodes, e)) != SP_OK)
        goto out;
    if ((rc = parent_open(b, e)) != SP_OK)
        goto out;
    source = b->o->source;
    if (b->events->left_out != NULL)
        source.left_out = tell_left_out;
    source.left_out_arg = b;
    if ((rc = sp_source_open(b->env, &source, &b->source, e)) != SP_OK)
        goto out;
    rc = start(b, &crew, e);
    if (rc == SP_OK)
        rc = backup_catalog(b, e);
    if (rc == SP_OK)
        rc = backup_before_commit(b, e);
    if (rc == SP_OK)
        rc = backup_commit(b, SP_RECORD_SET, &b->root, &b->totals, committed, result->record_hash,
            &result->state, e);
    if (rc != SP_OK)
        backup_fail(b, e);
    made = rc == SP_OK && committed->nmissing == 0;
    join(b, &crew);
    /* The first error is the cause; the rest are its consequences. One after the commit (a reader
     * that got its first turn, and no memory, only then) takes nothing from a set that is whole. */
    if (!made && atomic_load(&b->failed)) {
        *e = b->first_error;
        rc = e->code;
    }
    sp_source_counts(b->source, &counts);
    if (rc == SP_OK && b->pass == 0)
        tell_notes(b);
    if (rc == SP_OK && committed->nmissing == 0)
        sp_nodes_trim(b->nodes);
out:
    backup_stats(b, &result->stats);
    result->stats.excluded = counts.excluded;
    result->stats.crossed = counts.crossed;
    sp_source_free(b->source);
    b->source = NULL;
    parent_close(&b->parent);
    sp_nodes_free(b->nodes);
    b->nodes = NULL;
    gather_destroy(b);
    order_destroy(&b->order);
    return rc;
}

/* The commit named what is missing: the tree just written is the parent, except for what it lacks.
 */
static void
again(struct backup *b, struct sp_commit_result *committed, struct sp_id **owned)
{
    free(*owned);
    *owned = committed->missing;
    lacks(b, committed->missing, committed->nmissing);
    committed->missing = NULL;
    b->use_checkpoint = false;
    b->use_set = !committed->missing_more;
    b->root_set = b->root;
    sp_commit_result_clear(committed);
    backup_note(b, "the store lacks parts of what this run relied on: the files concerned are read again");
}

static void
forget_faults(struct backup *b)
{
    size_t i;

    for (i = 0; i < b->sealed.nfaults; i++) {
        free(b->sealed.faults[i].key);
        free(b->sealed.faults[i].text);
    }
    free(b->sealed.faults);
    b->sealed.faults = NULL;
    b->sealed.nfaults = 0;
    b->sealed.faults_total = 0;
    b->files_away = 0;
    b->fault_bytes = 0;
}

static enum sp_code
prepare(struct backup *b, struct sp_backup_result *result, struct sp_err *e)
{
    enum sp_code rc;

    if (strlen(b->o->job) == 0 || strlen(b->o->job) > 255)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a job's name has 1 to 255 bytes");
    if (!sp_utf8_valid(b->o->job, strlen(b->o->job)))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a job's name is UTF-8 text");
    if ((rc = sp_store_info(b->store, &b->info, e)) != SP_OK)
        return rc;
    if (!b->info.writable)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s cannot be written: %s", b->info.address,
            b->info.why_not);
    if ((rc = sp_random_fill(b->env->random, b->set_id, 16, e)) != SP_OK)
        return rc;
    if ((rc = sp_hasher_new(b->keys, &b->hasher, e)) != SP_OK)
        return rc;
    if ((rc = sp_opener_new(b->keys, &b->opener, e)) != SP_OK)
        return rc;
    if ((rc = sp_compressor_new(3, &b->compressor, e)) != SP_OK)
        return rc;
    if ((rc = sp_sealer_new(b->keys, b->env->random, &b->sealer, e)) != SP_OK)
        return rc;
    rc = sp_splitter_new(&b->info.split, sp_keys_split(b->keys), &b->splitter, e);
    if (rc != SP_OK)
        return rc;
    /* The sealed part borrows what the caller owns; only faults are ours. */
    memcpy(b->sealed.set_id, b->set_id, 16);
    b->sealed.host_name = (char *)(uintptr_t)b->o->host_name;
    b->sealed.platform = (char *)(uintptr_t)(SP_OS_WINDOWS ? "windows" : "linux");
    b->sealed.roots = (struct sp_bytes *)(uintptr_t)b->o->source.roots;
    b->sealed.nroots = b->o->source.nroots;
    b->sealed.volumes = (struct sp_volume *)(uintptr_t)b->o->volumes;
    b->sealed.nvolumes = b->o->nvolumes;
    b->sealed.excludes = (char **)(uintptr_t)b->o->excludes;
    b->sealed.nexcludes = b->o->nexcludes;
    if ((rc = look_at_head(b, result, e)) != SP_OK)
        return rc;
    return backup_try_record(b, e);
}

enum sp_code
sp_backup_run(const struct sp_env *env, struct sp_store *store, const struct sp_keys *keys,
    const struct sp_backup_options *o, const struct sp_backup_events *events,
    bool (*cancelled)(void *arg), void *cancelled_arg, struct sp_backup_result *ret,
    struct sp_err *e)
{
    static const struct sp_backup_events silent;
    struct backup *b = calloc(1, sizeof(*b));
    struct sp_backup_result result;
    struct sp_commit_result committed = {0};
    struct sp_id *owned = NULL;
    enum sp_code rc;

    if (b == NULL)
        return sp_fail_nomem(e);
    memset(&result, 0, sizeof(result));
    b->env = env;
    b->store = store;
    b->keys = keys;
    b->o = o;
    b->events = events != NULL ? events : &silent;
    b->cancelled = cancelled;
    b->cancelled_arg = cancelled_arg;
    b->started_ns = o->source.started_ns;
    b->applications = o->applications;
    b->files_level = o->files_level;
    sp_mutex_init(&b->lock);
    sp_mutex_init(&b->events_lock);

    rc = prepare(b, &result, e);
    if (rc == SP_OK)
        backup_journal_compare(b);
    for (b->pass = 0; rc == SP_OK; b->pass++) {
        forget_faults(b);
        rc = one_pass(b, &committed, &result, e);
        if (rc != SP_OK || committed.nmissing == 0)
            break;
        if (b->pass + 1 == PASSES) {
            rc = sp_fail(e, SP_IO, SP_DOM_STORE,
                "the store lost chunks while they were being stored, %d times in a row: no set was "
                "made; check the repository",
                PASSES);
            break;
        }
        again(b, &committed, &owned);
    }
    if (rc == SP_OK) {
        memcpy(result.set_id, b->set_id, 16);
        result.sequence = b->head.has_set ? b->last.sequence + 1 : 1;
        result.started_ns = b->started_ns;
        result.ended_ns = sp_clock_wall(env->clock);
        result.published_ns = committed.published_ns;
        backup_journal_finish(b, &result);
        *ret = result;
        backup_tell_away(b);
    }

    forget_faults(b);
    sp_buf_free(&b->away);
    sp_commit_result_clear(&committed);
    sp_store_head_clear(&b->head);
    free(owned);
    free(b->checkpoint_key);
    sp_splitter_free(b->splitter);
    sp_sealer_free(b->sealer);
    sp_compressor_free(b->compressor);
    sp_opener_free(b->opener);
    sp_hasher_free(b->hasher);
    sp_mutex_destroy(&b->events_lock);
    sp_mutex_destroy(&b->lock);
    free(b);
    sp_spare_empty();
    return rc;
}
