#ifndef SP_CLIENT_JOB_IMPL_H
#define SP_CLIENT_JOB_IMPL_H

/* The inside of one run of a job, shared by its parts. In the order of a run:
 *
 *   job_run.c        the order itself
 *   job_commands.c   the user's commands, and what follows a run
 *   job_roots.c      what is backed up, what is left out, change journals
 *   job_shadow.c     shadows: planned, taken, where the files are read
 *   job_documents.c  VSS's documents, which a restore by the writers needs: part of the set
 *   job_demands.c    what the job demands, held against what there is: after the shadows are taken, before the
 *                    commit, and after BackupComplete
 *   job_events.c     what the run tells meanwhile
 *   job_verdict.c    how consistent it is: what the walk adds to what VSS says
 *   job_lacks.c      applications' files that are left out or cannot be read
 *   job_watch.c      VMs and documents that no writer speaks for
 *   job_finish.c     after the commit: VSS hears of it, and what it says then is kept beside the set
 *   job_result.c     the closing lines, and JSON
 *
 * One thread, but for the events, which come as client/backup.h says. */

#include "client/filter.h"
#include "client/job_run.h"
#include "client/ratelimit.h"
#include "client/run_turn.h"
#include "client/usn.h"
#include "vss/requester.h"

struct run {
    struct sp_cli *c;
    const struct sp_job *job;
    struct sp_opened_store store;
    struct sp_run_lock *lock; /* one run at a time per repository */
    struct sp_usn *usn;       /* NULL: not used */
    struct sp_filter *filter;
    struct sp_strings patterns; /* of the system, the writers, the job, and what is left out */
    struct sp_ratelimit *limit;
    struct sp_progress *progress;
    struct sp_bytes *roots; /* keys, sorted, none within another */
    size_t nroots;
    struct sp_view_map *views;
    size_t nviews;
    struct sp_volume *volumes;
    size_t nvolumes;
    char *cache_dir, *temp_dir, *state_dir;

    struct sp_shadow *shadow;
    struct sp_shadow_options shadow_options; /* and what they borrow: */
    struct sp_shadow_root *planned;
    struct sp_vss_pattern **asked, **excluded;
    struct sp_requester_limits limits;
    bool taken;     /* and not yet finished */
    bool committed; /* nothing of the shadows is given up any more */

    char *documents; /* the folder; NULL: there are none */
    struct sp_buf documents_key;

    struct sp_demands demands;
    struct told {
        size_t demand, component;
    } *told; /* findings that the user has read */
    size_t ntold;
    bool below; /* something is below a demand, and the set was made all the same */

    struct sp_verdict verdict; /* of the set, as far as it is known */
    bool has_verdict;
    uint8_t *left; /* one a component of the shadow's verdict: it is left out */
    struct live_part {
        size_t component;
        uint8_t *key; /* of a file or folder of it that may be read live */
        size_t key_len;
    } *live; /* sorted by component */
    size_t nlive;
    uint64_t *live_files; /* one a component */
    struct sp_watch *watch;
    struct lacks *lacks; /* job_lacks.c */
    size_t ncomponents; /* of the shadow's verdict; those behind them in `verdict` are the walk's */
    size_t watch_notes, nwatch_notes; /* which of its notes are the walk's */

    uint64_t faults_shown, audits; /* differences that an audit found */
    bool unclean;
    char closing[SP_ERR_TEXT]; /* what the run did, in one line */
    struct sp_backup_result result;
};

/* "" : none. What it fails with is the run's. */
enum sp_code job_hook(struct run *r, const char *what, const char *command, const char *status, struct sp_err *e);
/* What follows a run: its own commands and the ping; a failure there is a warning. */
void job_follow_up(struct run *r, bool success, const char *status);
/* For `service status`, the journal and the Event Log; the run is over, and a line that cannot be kept changes nothing
 * about it. */
void job_remember(struct run *r, int64_t started_ns, enum sp_exit code);

/* The job's paths as keys, sorted, none within another. */
enum sp_code job_find_roots(struct run *r, struct sp_err *e);
/* And those of the applications asked for, and the folder of the documents. */
enum sp_code job_add_roots(struct run *r, struct sp_err *e);
enum sp_code job_make_filter(struct run *r, struct sp_err *e);
/* A key as a pattern that means it alone; appends. */
void job_pattern_of(const void *key, size_t n, struct sp_buf *to);
/* Before the shadow is there: what is written from now on belongs to the next run, too. */
enum sp_code job_begin_journals(struct run *r, struct sp_err *e);

/* Removes what dead runs left, and finds volumes and applications. */
enum sp_code job_plan_shadow(struct run *r, struct sp_err *e);
enum sp_code job_take_shadow(struct run *r, struct sp_err *e);
void job_free_plan(struct run *r); /* what the shadow borrowed, once it is released */
/* Views and the record's volumes, from what was taken. */
enum sp_code job_map_volumes(struct run *r, struct sp_err *e);
/* The view that holds for a key; the last one of equal ones. NULL: none. */
const struct sp_view_map *job_view_of(const struct run *r, const void *key, size_t n);
/* Whether a key is read live. */
bool job_reads_live(const struct run *r, const void *key, size_t n);

/* Writes what there is of VSS's documents by now: before the shadows are made, so that the folder is in them, and again
 * after, when there are more. */
enum sp_code job_write_documents(struct run *r, struct sp_err *e);

enum job_moment { JOB_TAKEN, JOB_BEFORE_COMMIT, JOB_FINISHED };
/* What is below says what happens: SP_UNSUPPORTED: the set must not be made. After the commit nothing fails. */
enum sp_code job_meet_demands(struct run *r, enum job_moment moment, struct sp_err *e);

/* Fault, audit, journal, progress, note, and what the run adds to the verdict. */
void job_events(struct run *r, struct sp_backup_events *ret);

/* When the shadows are there and views are mapped: what is to be counted. */
enum sp_code job_begin_verdict(struct run *r, struct sp_err *e);
void job_seen(struct run *r, const void *key, size_t n);
/* The shadow's verdict as it is now, with what the walk found: into r->verdict. */
enum sp_code job_make_verdict(struct run *r, enum job_moment moment, struct sp_err *e);
void job_clear_verdict(struct run *r);
/* An application that should have taken part failed to: the run is not clean, whatever is demanded. */
bool job_writer_failed(const struct run *r);

/* Which components' files the set is without, though their writers name them: the job's patterns leave them out, or they
 * could not be read. What the writers and the system leave out themselves is not missed. */
enum sp_code job_begin_lacks(struct run *r, struct sp_err *e);
void job_left_out(struct run *r, const void *key, size_t n, bool is_dir);
const char *job_lacks(const struct run *r, size_t component); /* the first of them; NULL: it is whole */
void job_clear_lacks(struct run *r);

/* Adds what was seen of VMs and documents; once more, as it was found before, at the end. */
enum sp_code job_watched(struct run *r, struct sp_verdict *v, struct sp_err *e);
enum sp_code job_watched_before(const struct run *r, struct sp_verdict *v, size_t nbefore, struct sp_err *e);

/* The set is made: the writers hear of it, and the completion is published. What fails is told. */
void job_finish(struct run *r);

void job_say_result(struct run *r);
void job_json_result(const struct run *r, struct sp_json *j);
void job_json_consistency(const struct run *r, struct sp_json *j);

#endif
