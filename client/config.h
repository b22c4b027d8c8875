#ifndef SP_CLIENT_CONFIG_H
#define SP_CLIENT_CONFIG_H

/* The configuration: an INI file, one section per job, `[defaults]` for what all share, `[sftp]` for
 * reaching SFTP accounts (docs/operations.md has
 * the table of keys). /etc/stillpoint/stillpoint.conf for the machine, ~/.config/stillpoint/stillpoint.conf for
 * a user. Everything can be said on the command line as well, where it wins. Unknown keys and bad values name
 * file, line and what is possible (exit 5). */

#include "base/os.h"
#include "client/demand.h"
#include "client/schedule.h"
#include "client/sftp_settings.h"
#include "client/strings.h"
#include "storage/record.h"
#include "vss/shadow.h"

struct sp_job {
    char *name;
    char *repository;            /* "" : the default one */
    struct sp_strings paths;     /* `path =`: at least one */
    struct sp_strings exclude;   /* `exclude =`, `exclude-file =`: gitignore patterns in order */
    bool one_file_system, cachedir_tag; /* no, yes */
    bool change_journal;         /* Windows: what client/usn.h saves; yes */
    bool system_excludes;        /* `system-excludes`: client/system_excludes.h; yes */
    enum sp_shadow_want shadow;  /* `shadow = auto|none|require` */
    struct sp_strings require;   /* `require =`, any number of times: client/demand.h; none: anything will do */
    enum sp_if_below if_below;   /* `if-below`: of those that do not say; DEFAULT */
    struct sp_strings application, application_exclude; /* patterns of vss/pattern.h */
    uint32_t backup_type;        /* `backup-type`: VSS_BACKUP_TYPE; 0: copy */
    unsigned writer_attempts;    /* shadow sets, when a writer fails in a way that may pass; 0: the requester's */
    int64_t writer_pause_ns;     /* between them; 0: the requester's */
    bool second_shadow;          /* what fails for good is taken in a shadow set of its own; yes */
    char *before, *after;        /* commands around the shadow (or the run, without one) */
    char *on_success, *on_failure; /* after the run */
    int64_t command_timeout_ns;  /* `command-timeout`: default 5 minutes */
    char *ping_url;              /* GET at success; URL + "/fail" at failure; "" : none */
    char *bandwidth;             /* sp_ratelimit rule; "" : none */
    int compression;             /* 1 … 19 */
    unsigned audit;              /* one of N; 0: never */
    int64_t checkpoint_ns;
    struct sp_schedule schedule; /* `schedule =`; not set: runs by hand only */
    bool catch_up;               /* a time missed while off or asleep runs when possible; yes */
    int64_t random_delay_ns;     /* `random-delay`: none */
    bool on_battery, on_metered; /* yes, yes */
};
struct sp_config {
    char *file; /* where it was read; NULL: there is none, and that is fine */
    struct sp_job *jobs;
    size_t njobs;
    struct sp_job defaults; /* name NULL */
    struct sp_sftp_settings sftp; /* [sftp]; no job has this name */
};
/* file NULL: the usual place; absent there is an empty configuration, absent where asked for is an error. */
enum sp_code sp_config_load(const struct sp_env *env, const char *file, struct sp_config **ret,
    struct sp_err *e);
void sp_config_free(struct sp_config *c);
/* SP_ABSENT lists the jobs that there are. */
enum sp_code sp_config_job(const struct sp_config *c, const char *name, const struct sp_job **ret,
    struct sp_err *e);
/* One `key = value` as on the command line (--set key=value and the options that map to keys). */
enum sp_code sp_job_set(struct sp_job *j, const char *key, const char *value, struct sp_err *e);
/* What the job demands; the caller clears it. */
enum sp_code sp_job_demands(const struct sp_job *j, struct sp_demands *ret, struct sp_err *e);
/* The highest level that it demands of anything. */
enum sp_level sp_job_demands_most(const struct sp_job *j);
/* A job of its own with the defaults, for `backup PATH…`; free with sp_job_free. */
enum sp_code sp_job_copy(const struct sp_job *from, struct sp_job **ret, struct sp_err *e);
void sp_job_free(struct sp_job *j);

#endif
