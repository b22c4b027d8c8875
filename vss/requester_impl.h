#ifndef SP_VSS_REQUESTER_IMPL_H
#define SP_VSS_REQUESTER_IMPL_H

/* The parts of the requester (requester.h), to each other. A *session* is one IVssBackupComponents
 * from CreateVssBackupComponents to its release: it makes one shadow set at most and is not used
 * again (learn.microsoft.com/windows/win32/api/vsbackup/nl-vsbackup-ivssbackupcomponents). */

#include "base/buf.h"
#include "vss/explain.h"
#include "vss/judge.h"
#include "vss/requester.h"

/* --- volumes (requester_volumes.c) ----------------------------------------------------------- */

struct rq_volume { /* one mount point */
    char *mount, *volume, *file_system, *reason;
    uint8_t *key; /* of the mount point */
    size_t key_len;
    bool remote;
    bool can;    /* it may have a shadow; else the reason says why not */
    bool wanted; /* there are roots on it, or it lies below one */
};
struct rq_volumes {
    struct rq_volume *v;
    size_t n;
};
/* Of one root: the volume that covers it and, with `below`, those mounted below it, all wanted.
 * Without a session nothing is asked of VSS, and each `can` have a shadow unless it is remote. */
enum sp_code rq_volumes_want(struct rq_volumes *t, const struct sp_vss_api *api,
    struct sp_vss_session *s, const char *root, bool below, struct sp_err *e);
/* The volume that covers a path: its index in t. */
enum sp_code rq_volumes_cover(struct rq_volumes *t, const struct sp_vss_api *api,
    struct sp_vss_session *s, const char *path, size_t *ret, struct sp_err *e);
enum sp_code rq_volume_refuse(struct rq_volume *v, const char *reason, struct sp_err *e);
void rq_volumes_sort(struct rq_volumes *t);
void rq_volumes_clear(struct rq_volumes *t);
/* The place on a device of a path that the volume covers; the mount point itself with an empty
 * rest. */
enum sp_code rq_volume_place(
    const struct rq_volume *v, const char *device, const char *path, char **ret, struct sp_err *e);

/* --- one session (requester_session.c) ------------------------------------------------------- */

struct rq_shadow { /* of one volume */
    char *volume;  /* its name */
    char id[37];
    char *device;
    int64_t created_ns;
};
struct rq_session {
    struct sp_vss_session *s; /* NULL: none */
    bool begun; /* StartSnapshotSet went well: it ends by BackupComplete or AbortBackup */
    bool ended; /* and has */
    bool taken; /* its shadows are there */
    char set_id[37];
    char (*instance)[37]; /* of each writer of the plan, as it is called in this session; "": it is
                             gone */
    struct rq_shadow *shadows;
    size_t nshadows;
    uint8_t *part;     /* of each component: RQ_OUT, RQ_ADDED, RQ_CHILD */
    uint32_t *writers; /* of each writer of the plan: its place in the verdict for this session;
                          SP_NO_INDEX */
    uint32_t shadow;   /* its place in the verdict's shadows; SP_NO_INDEX */
    char *journal;
    char *document;
    size_t document_len;
    int64_t instant_ns;
    uint64_t took_ns;
};
enum { RQ_OUT = 0, RQ_ADDED = 1, RQ_CHILD = 2 };

struct sp_requester {
    struct sp_requester_options o;
    struct sp_requester_limits limit; /* o.limits with its defaults */
    bool started;
    struct sp_vss_metadata metadata;
    struct sp_vss_plan plan; /* choices[i] is verdict.components[i] */
    struct sp_verdict verdict;
    struct rq_volumes volumes;
    struct sp_requester_volume *shown; /* the wanted ones */
    size_t nshown;
    struct rq_session main, second;
    uint8_t
        *without; /* of each component: it failed for good, and the main session goes without it */
    struct sp_requester_override *overrides;
    size_t noverrides;
    char why[SP_ERR_TEXT];  /* selection: the reason that was told last */
    enum sp_code selecting; /* and what went wrong meanwhile */
    struct sp_err select_err;
    int64_t began_ns, heard_ns; /* events are read from there; up to there they have been */
    bool taken, finished;
};
static inline const struct sp_vss_api *
rq_api(const struct sp_requester *r)
{
    return r->o.api;
}

/* Create … GatherWriterMetadata, and what each writer is called now. The first of all sessions
 * fills r->metadata. On failure nothing is left open. */
enum sp_code
rq_session_open(struct sp_requester *r, struct rq_session *ses, bool first, struct sp_err *e);
/* Room for the plan's writers and components, once it is made. */
enum sp_code rq_session_room(struct sp_requester *r, struct rq_session *ses, struct sp_err *e);
/* Aborts what was begun and not ended, releases, takes the journal away; harmless on an empty one.
 */
void rq_session_close(struct sp_requester *r, struct rq_session *ses);
void rq_session_abort(struct sp_requester *r, struct rq_session *ses);
struct sp_vss_component_ref
rq_ref(const struct sp_requester *r, const struct rq_session *ses, size_t component);

/* --- waiting (requester_wait.c) -------------------------------------------------------------- */

/* A call that gives an async, and the wait for its end: *ret_hr is what came of it, 0 when it ended
 * well. SP_OK also when it failed. SP_TIMEOUT, SP_CANCELLED: the async was cancelled. The async is
 * released in every case. */
enum sp_code rq_async(struct sp_requester *r, struct sp_vss_session *s,
    uint32_t (*call)(struct sp_vss_session *, struct sp_vss_async **), uint32_t limit_ms,
    const char *what, uint32_t *ret_hr, struct sp_err *e);
/* Sleeps; SP_CANCELLED within a second of being asked to. */
enum sp_code rq_pause(struct sp_requester *r, uint32_t ms, struct sp_err *e);
bool rq_cancelled(const struct sp_requester *r);
/* A sentence for the user, kept in the verdict's notes. */
void rq_say(struct sp_requester *r, const char *fmt, ...) SP_PRINTF(2, 3);
/* "0x80042306 VSS_E_PROVIDER_VETO" */
struct rq_code {
    char s[96];
};
struct rq_code rq_code(uint32_t hresult);

/* --- choosing (requester_plan.c) ------------------------------------------------------------- */

/* Selects again: a volume turned out to have no shadows. The choices keep their number and order.
 */
enum sp_code rq_select(struct sp_requester *r, struct sp_vss_session *s, struct sp_err *e);
enum sp_code rq_verdict_begin(struct sp_requester *r, struct sp_err *e);
/* Of one component: how many of its files lie on volumes without a shadow. */
enum sp_code
rq_files_live(struct sp_requester *r, size_t component, uint64_t *ret, struct sp_err *e);

/* As sp_shadow_found (shadow.h; requester_finish.c). */
enum sp_code rq_found(struct sp_requester *r, size_t component, uint64_t live, const char *lacks,
    struct sp_err *e);

/* --- asking the writers (requester_status.c) ------------------------------------------------- */

/* GatherWriterStatus into the verdict; then the components, where a writer says that some failed,
 * and after the shadow all that take part. *ret_hr: 0, or why nobody could be asked. */
enum sp_code rq_gather(struct sp_requester *r, struct rq_session *ses, enum sp_stage stage,
    uint32_t *ret_hr, struct sp_err *e);
/* sp_vss_next_step over what takes part in this session; *ret_hr: the failure to name. */
enum sp_code rq_next(struct sp_requester *r, const struct rq_session *ses, enum sp_stage stage,
    enum sp_vss_next *ret, uint8_t *failed, uint32_t *ret_hr, struct sp_err *e);
/* Clears what an earlier session told of the writers and components that this one is about. */
void rq_forget(struct sp_requester *r, const struct rq_session *ses);
/* Keeps what the writers of these components told as writers of their own in the verdict. */
enum sp_code rq_keep_evidence(
    struct sp_requester *r, const struct rq_session *ses, const uint8_t *which, struct sp_err *e);

/* --- a shadow set (requester_set.c) ---------------------------------------------------------- */

enum rq_end {
    RQ_TAKEN,   /* the shadows are there */
    RQ_RETRY,   /* a writer failed in a way that a new shadow set may mend */
    RQ_WITHOUT, /* components failed for good: `failed` */
    RQ_CHOOSE   /* a volume turned out to have no shadows */
};
struct rq_try {
    const uint8_t *take; /* per component: it is to take part */
    const uint8_t *on;   /* per volume: NULL: all that are wanted */
    bool may_retry, may_without;
    uint8_t *failed;  /* per component; for RQ_WITHOUT */
    enum rq_end end;  /* of SP_OK */
    uint32_t hresult; /* of RQ_RETRY, or of a failure that may be tried again */
    bool again;       /* of a failure: a new session may do better */
};
enum sp_code
rq_make_set(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e);
bool rq_any_volume(const struct sp_requester *r, const uint8_t *on);
/* The device of a volume in this session; NULL: it has none. */
const struct rq_shadow *rq_shadow_of(const struct rq_session *ses, const char *volume);

/* --- the second set (requester_second.c) ----------------------------------------------------- */

enum sp_code rq_take_second(struct sp_requester *r, struct sp_err *e);
/* Adds the shadow set of a session to the verdict. */
enum sp_code rq_verdict_shadow(struct sp_requester *r, struct rq_session *ses, uint32_t attempts,
    uint32_t retried_for, struct sp_err *e);

/* --- overrides (requester_override.c) -------------------------------------------------------- */

struct rq_override {
    size_t component; /* for whose sake */
    char *path;
    uint8_t *key; /* to compare: folded where the system's names know no case */
    size_t key_len;
    size_t volume;
};
struct rq_overrides {
    struct rq_override *v;
    size_t n;
};
enum sp_code rq_overrides_find(
    struct sp_requester *r, const uint8_t *which, struct rq_overrides *ret, struct sp_err *e);
/* Whether reading these from elsewhere would take files from a component that stays. */
bool rq_overrides_clash(
    struct sp_requester *r, const struct rq_overrides *o, size_t component, const uint8_t *which);
/* Those of `which` become the requester's. */
enum sp_code rq_overrides_keep(
    struct sp_requester *r, const struct rq_overrides *o, const uint8_t *which, struct sp_err *e);
void rq_overrides_clear(struct rq_overrides *o);

/* --- beside VSS (requester_around.c) --------------------------------------------------------- */

void rq_read_events(struct sp_requester *r);
void rq_read_versions(struct sp_requester *r);
void rq_keep_document(struct sp_requester *r, struct rq_session *ses);

#endif
