#include "client/job_impl.h"

#include "base/path.h"

/* What a run tells while it goes on. */

#define FAULTS_SHOWN 20

static void
on_left_out(void *arg, const void *key, size_t n, bool is_dir)
{
    job_left_out(arg, key, n, is_dir);
}

/* In a line of its own, about one file. */
static void
warn_about(struct run *r, const void *key, size_t n, const char *what)
{
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;

    sp_progress_clear(r->progress);
    sp_key_to_path(key, n, &path);
    sp_path_show(path.data, path.len, &shown);
    sp_cli_warn(r->c, "%s: %s", sp_buf_str(&shown), what);
    sp_buf_free(&path);
    sp_buf_free(&shown);
}

static void
on_fault(void *arg, const struct sp_fault *f)
{
    struct run *r = arg;

    if (f->kind != SP_FAULT_ATTRIBUTES) /* the content is there */
        job_left_out(r, f->key, f->key_len, f->kind == SP_FAULT_FOLDER);
    if (r->c->quiet || ++r->faults_shown > FAULTS_SHOWN)
        return;
    warn_about(r, f->key, f->key_len, f->text);
    if (r->faults_shown == FAULTS_SHOWN)
        sp_cli_warn(r->c, "more files have warnings; 'stillpoint show SET' lists them all");
}

static void
on_audit(void *arg, const void *key, size_t n)
{
    struct run *r = arg;

    r->audits++;
    warn_about(r, key, n,
        "its content differs from the last set although size and times do not; it was backed up "
        "again. Failing hardware or a program that resets times may be the cause");
}

static void
on_journal(void *arg, const void *key, size_t n)
{
    struct run *r = arg;

    r->audits++;
    warn_about(r, key, n,
        "it changed, and the volume's change journal has no record of that; the journal is not "
        "believed any "
        "more, and the rest of the volume's files are looked at. What this run left out before "
        "because of it is "
        "looked at by the next");
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

static void
on_seen(void *arg, const void *key, size_t n)
{
    job_seen(arg, key, n);
}

/* What is demanded is held against all that is known by now: then no set is made, and VSS hears of
 * none. */
static enum sp_code
before_commit(void *arg, const struct sp_verdict **ret_verdict, enum sp_level *ret_applications,
    enum sp_level *ret_files, struct sp_err *e)
{
    struct run *r = arg;
    enum sp_code rc;

    if ((rc = job_make_verdict(r, JOB_BEFORE_COMMIT, e)) != SP_OK)
        return rc;
    sp_progress_clear(r->progress);
    if ((rc = job_meet_demands(r, JOB_BEFORE_COMMIT, e)) != SP_OK)
        return rc;
    if (r->has_verdict)
        *ret_verdict = &r->verdict;
    *ret_applications = sp_verdict_applications(&r->verdict);
    *ret_files = sp_shadow_weakest(r->shadow);
    return SP_OK;
}

void
job_events(struct run *r, struct sp_backup_events *ret)
{
    *ret = (struct sp_backup_events){.fault = on_fault,
        .audit = on_audit,
        .journal = on_journal,
        .progress = on_progress,
        .note = on_note,
        .seen = on_seen,
        .left_out = on_left_out,
        .before_commit = before_commit,
        .arg = r};
}
