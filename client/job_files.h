#ifndef SP_CLIENT_JOB_FILES_H
#define SP_CLIENT_JOB_FILES_H

/* What this machine keeps of each job's runs, below the state folder (hints, all of it; R5):
 *
 *   runs/job-<name>.last   how the last run went (sp_last_run); written by the run itself, by the
 *                          scheduler for one that could not, and read by `service status`
 *   runs/job-<name>.log    what runs started by the service said, and .log.1 … the ones before
 *   vss/job-<name>/        VSS's documents of the last run, which were part of its set
 *
 * and, in the profile's folder of a repository, `run.lock`: one run at a time (sp_run_lock_take). A
 * job's name becomes a file's name by %XX for all but letters, digits and "_-."; a long one is cut
 * and ends in a hash. */

#include "base/buf.h"
#include "base/err.h"
#include "base/os.h"

struct sp_last_run {
    int64_t started_ns, ended_ns;
    int64_t success_ns;     /* end of the last run that made a set; 0: none that is known */
    int exit_code;          /* design §8; 128 + number: ended by a signal; -1: not known */
    char text[SP_ERR_TEXT]; /* the closing line, or what went wrong */
};

/* "<state>/runs/job-<name><suffix>", malloc'd; `make`: and the folder, for who writes. */
enum sp_code sp_job_file(const struct sp_env *env, const char *job, const char *suffix, bool make,
    char **ret, struct sp_err *e);
/* "<state>/vss/job-<name>", made anew and empty, malloc'd. */
enum sp_code sp_job_documents(
    const struct sp_env *env, const char *job, char **ret, struct sp_err *e);
/* SP_ABSENT: no run is known. */
enum sp_code sp_last_run_read(
    const struct sp_env *env, const char *job, struct sp_last_run *ret, struct sp_err *e);
/* success_ns 0: the one that is kept stays. */
enum sp_code sp_last_run_write(
    const struct sp_env *env, const char *job, const struct sp_last_run *r, struct sp_err *e);

/* --- one run at a time
 * ------------------------------------------------------------------------------ */

/* A lock of the operating system on a small local file (run_lock_posix.c, run_lock_win32.c): it
 * goes with the process, however that ends, and a file left behind by a power cut holds nothing.
 * The file says who has it (process, start, job), for messages. Never on the repository's store. */
struct sp_run_lock;
/* `note` is written into it. SP_BUSY: another process has it; its note goes to ret_note (not
 * NUL-terminated, empty when it cannot be read). SP_UNSUPPORTED: this file system knows no locks.
 */
enum sp_code sp_run_lock_try(const char *path, const char *note, struct sp_run_lock **ret,
    struct sp_buf *ret_note, struct sp_err *e);
void sp_run_lock_free(struct sp_run_lock *l); /* NULL is harmless */
/* This process and when it started: "4711 since 2026-11-22 10:12:27". */
void sp_run_lock_self(char to[64]);

#endif
