#ifndef SP_CLIENT_JOB_IMPL_H
#define SP_CLIENT_JOB_IMPL_H

/* The inside of one run of a job, shared by its parts: job_run.c (the order of things), job_roots.c (what is backed
 * up), job_shadow.c (where it is read), job_events.c (what the run tells meanwhile), job_result.c (what it tells in
 * the end). One thread, but for the events, which come as client/backup.h says. */

#include "client/filter.h"
#include "client/job_run.h"
#include "client/ratelimit.h"
#include "client/run_turn.h"
#include "client/usn.h"

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


/* The job's paths as keys, sorted, none within another. */
enum sp_code job_find_roots(struct run *r, struct sp_err *e);
enum sp_code job_make_filter(struct run *r, struct sp_err *e);
/* Before the shadow is there: what is written from now on belongs to the next run, too. */
enum sp_code job_begin_journals(struct run *r, struct sp_err *e);

enum sp_code job_take_shadow(struct run *r, struct sp_err *e);
/* Views and the record's volumes, from what was taken. */
enum sp_code job_map_volumes(struct run *r, struct sp_err *e);

/* Fault, audit, journal, progress, note. */
void job_events(struct run *r, struct sp_backup_events *ret);

void job_say_result(struct run *r);
void job_json_result(const struct run *r, struct sp_json *j);

#endif
