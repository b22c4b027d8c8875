#ifndef SP_VSS_REQUESTER_H
#define SP_VSS_REQUESTER_H

/* The requester: the whole sequence of a VSS backup over the table of api.h
 * (learn.microsoft.com/windows/win32/vss/overview-of-processing-a-backup-under-vss), portable.
 *
 *   plan:   start · create · InitializeForBackup · SetContext(BACKUP) · SetBackupState · GatherWriterMetadata ·
 *           FreeWriterMetadata · IsVolumeSupported × · select
 *   take:   StartSnapshotSet · AddToSnapshotSet × volumes · AddComponent × · PrepareForBackup · status · DoSnapshotSet ·
 *           status · GetSnapshotProperties
 *   finish: made: SetBackupSucceeded × · BackupComplete · status · SaveAsXML; not made: AbortBackup
 *   free:   what take began and finish did not end is aborted; every session is released
 *
 * Rules: one shadow set for all volumes. Every wait has a deadline, after which it is cancelled and the session aborted.
 * VSS_E_SNAPSHOT_SET_IN_PROGRESS is tried again with a pause until its own deadline. A retryable failure of a
 * writer that is concerned: the session is aborted, a pause, a new one, `attempts` in all. Where components fail for good
 * and others can do without them: a new shadow set without those; then, `second_set`, one more session for the failed
 * ones alone, whose files are read from its own shadows (overrides). What fails there, too, is read crash-consistent from
 * the first. Success of a component is reported only by finish(made), after the commit at the store (R2), and only
 * for those at `application`. A journal (journal.h) names each shadow set's id from before DoSnapshotSet until it is over.
 *
 * A writer stands in the verdict once for each session whose answers are evidence: that of the main shadow set (in the
 * order of the metadata), then those in which a component was left behind, then the second set's. A component's `writer`
 * is the one that spoke of it last. One whose AddToSnapshotSet says that a volume has no shadows makes the requester
 * choose again, without that volume. Where nobody can be asked for his status the set is not used: a new one, `attempts`
 * in all, then an error. A wait that ends by its deadline is not tried again.
 *
 * One thread, but for nothing. Sentences of what happened go to `say` as they come, and into the verdict's notes. */

#include "vss/api.h"
#include "vss/select.h"

struct sp_requester_limits { /* ms; 0: the default in () */
    uint32_t metadata_ms; /* (5 minutes) */
    uint32_t status_ms;   /* (1 minute) */
    uint32_t prepare_ms;  /* (10 minutes) */
    uint32_t snapshot_ms; /* (20 minutes: a provider may be slow; writers are held 60 s at most by VSS itself) */
    uint32_t complete_ms; /* (10 minutes) */
    uint32_t busy_ms;     /* other shadow sets in progress: (10 minutes) */
    uint32_t busy_pause_ms; /* (15 s) */
    uint32_t attempts;    /* (3) */
    uint32_t pause_ms;    /* between them: (60 s) */
};
struct sp_requester_options {
    const struct sp_env *env;
    const struct sp_vss_api *api;
    struct sp_vss_key *roots; /* keys; borrowed until free */
    size_t nroots;
    struct sp_vss_pattern *const *asked, *const *excluded; /* borrowed */
    size_t nasked, nexcluded;
    bool one_file_system;
    uint32_t backup_type; /* 0: COPY */
    bool second_set;
    struct sp_requester_limits limits;
    const char *journal_dir;
    void (*say)(void *arg, const char *sentence); /* may be NULL */
    bool (*cancelled)(void *arg);                 /* may be NULL; asked at least once a second during waits */
    void *arg;
};
struct sp_requester;

/* SP_UNSUPPORTED, SP_DENIED: VSS cannot be used here, the sentence says why and the way out. */
enum sp_code sp_requester_plan(const struct sp_requester_options *o, struct sp_requester **ret, struct sp_err *e);
const struct sp_vss_metadata *sp_requester_metadata(const struct sp_requester *r);
const struct sp_vss_plan *sp_requester_choice(const struct sp_requester *r);

struct sp_requester_volume { /* of those with roots or below them, and of what was asked for; sorted by mount */
    char *mount, *volume, *file_system;
    char *device;    /* NULL: no shadow */
    char *reason;    /* why not; NULL */
    bool remote;
    uint32_t shadow; /* index into the verdict's shadows; SP_NO_INDEX */
    int64_t instant_ns;
};
size_t sp_requester_volumes(const struct sp_requester *r, const struct sp_requester_volume **ret);
struct sp_requester_override { /* a file or folder that is read from another shadow set than its volume's */
    char *path;      /* native */
    char *read_path; /* its place on the device */
    uint32_t shadow;
    int64_t instant_ns;
};
/* Volumes without a shadow are no error here; a shadow set that cannot be made is. Nothing is left behind then. */
enum sp_code sp_requester_take(struct sp_requester *r, struct sp_err *e);
size_t sp_requester_overrides(const struct sp_requester *r, const struct sp_requester_override **ret);
const struct sp_verdict *sp_requester_verdict(const struct sp_requester *r); /* judged; valid until finish or free */
/* XML documents: of the writers (from plan on) and of the sessions (from take on; again, and final, after finish). The
 * name is good as a file's: "writer-<class>-<instance>.xml", "backup-<shadow set>.xml". */
enum sp_code sp_requester_documents(const struct sp_requester *r,
    enum sp_code (*each)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e);
/* Once. Shadows stay readable until free. SP_OK also where BackupComplete failed: the verdict says so. */
enum sp_code sp_requester_finish(struct sp_requester *r, bool made, struct sp_err *e);
void sp_requester_free(struct sp_requester *r); /* NULL is harmless */
/* Shadow sets that the journals of dead runs name and that are still there are deleted; *ret_n: how many. */
enum sp_code sp_requester_janitor(const struct sp_env *env, const struct sp_vss_api *api, const char *journal_dir,
    size_t *ret_n, struct sp_err *e);

#endif
