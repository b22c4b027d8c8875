#ifndef SP_TESTS_VSS_MODEL_H
#define SP_TESTS_VSS_MODEL_H

/* A machine with VSS, of the tests: volumes, writers, and a strict account of the calls. One model, two skins: double.h
 * gives it as the table of vss/api.h on every platform; vssapi/ gives it as COM objects in a vssapi.dll that the real
 * requester loads under Wine. Everything that decides is here.
 *
 * The order of calls is a table (model_order.c): call × what must have happened before in this session and must not
 * have, each row with Microsoft's page. A call out of order answers VSS_E_BAD_STATE and counts in `illegal`, which fails
 * every test. Sessions, asyncs and shadows that are not given back count, too.
 *
 * A script (model_script.c) says what there is, a line each; words with blanks in "quotes"; # begins a comment; paths
 * with / or the platform's separator (scripts/ has machines to put together, with @NAME@ for folders):
 *
 *   volume NAME MOUNT [unsupported] [remote] [fs=NTFS] [covers=PATH]  NAME: "\\?\Volume{1}\"; more lines with one NAME: more
 *                                       mount points of it; covers: only that folder of it is copied into a shadow
 *   shadows FOLDER                      shadow N of a volume is a copy of MOUNT at FOLDER/HarddiskVolumeShadowCopyN, made at DoSnapshotSet;
 *                                       FOLDER itself, where it lies on MOUNT, is not in it. Without this line: names of devices alone
 *   device PREFIX                       what the device object's name begins with (default: FOLDER and a separator)
 *   writer CLASS INSTANCE NAME [instance-name=TEXT] [stable] [silent] [only-attempt=N]
 *                                       stable: STABLE after DoSnapshotSet, too; silent: UNKNOWN with VSS_E_WRITER_NOT_RESPONDING at each
 *                                       gathering; only-attempt: only the N-th GatherWriterMetadata (over all sessions) finds it
 *     component database|filegroup LOGICAL NAME [caption=TEXT] [unselectable] [notify]    LOGICAL "" or "a\b"
 *       file|database|log PATH SPEC [recursive] [alternate=PATH]
 *       depends CLASS LOGICAL NAME
 *       stamp                           has a backup stamp after PrepareForBackup
 *       failure HRESULT [app=HRESULT] [text=TEXT] [attempt=N] [at=prepared|snapshot|complete] [alone]   its own failure, told by
 *                                       component_report from that stage (snapshot) on; the writer answers with VSS_E_WRITERERROR_PARTIAL_FAILURE
 *                                       there, unless a `status` line says otherwise. alone: also when no other component of the writer
 *                                       is in the session
 *     exclude PATH SPEC [recursive]
 *     status idle|prepared|snapshot|complete STATE HRESULT [app=HRESULT] [text=TEXT] [attempt=N] [with=COMPONENT]
 *                                       what the writer answers there (idle: before PrepareForBackup); with: only where the component of that name was added; the first
 *                                       line that applies counts
 *     gone prepared|snapshot|complete [attempt=N] [with=COMPONENT]   it is no longer among the writers that answer
 *   fail CALL HRESULT [at=N] [times=N]  the N-th call of that name (1: the first; counted over all sessions) gives that, and as many as
 *                                       `times` (1; 0: all from there); CALL as in the rows of vss/api.h; `CALL.async`: what the wait gives in
 *                                       the end
 *   pend CALL.async MS|forever [at=N] [times=N]   S_ASYNC_PENDING for so long (times 0, all, if not said)
 *   event LOG SOURCE ID SEVERITY TEXT   is in the system's log whenever it is asked for
 *   guest COMPONENT VERSION             of its guest services
 *   no-start TEXT [denied]              start fails with that sentence (SP_UNSUPPORTED; SP_DENIED)
 *
 * attempt=N: the N-th PrepareForBackup over all sessions.
 *
 * Without `status` lines a writer that takes part is: STABLE after PrepareForBackup, WAITING_FOR_BACKUP_COMPLETE after
 * DoSnapshotSet where one of its components was added (else STABLE), STABLE after BackupComplete.
 *
 * The trace is one line a call: "S CALL [ARGUMENTS] HRESULT", S the session's number; "illegal …" lines beside. With
 * STILLPOINT_TEST_VSS_TRACE it is also appended to that file, line by line, so that it outlives a killed process. An async
 * that was waited for to its end: "S CALL.async STATUS". Lines with # are remarks (what writers answered).
 *
 * What a call does it does at its end: an async that is not waited for to its end has no effect. Shadow sets of the
 * backup context go with their session; a list of them is kept in FOLDER/sets, so that what a killed process left is
 * found by the next model, counted in model_shadows, and there to be deleted by its id. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model;

/* What differs between the platforms of a skin. */
struct model_host {
    /* Copies the tree at `from` to `to`, which is made (times and contents); false: it failed. */
    bool (*copy)(void *arg, const char *from, const char *to);
    void (*remove)(void *arg, const char *tree);
    uint64_t (*now_ms)(void *arg); /* since 1970 */
    void (*sleep_ms)(void *arg, uint32_t ms); /* NULL: waiting for a pending async returns at once */
    char separator;
    bool fold; /* paths are compared without regard to case */
    void *arg;
};
/* The script's text. NULL: it cannot be read; then why[] says which line and what is wrong with it. */
struct model *model_new(const char *script, const struct model_host *host, char why[256]);
void model_free(struct model *m); /* removes its shadows */

/* For skins: each call of vss/api.h, in model_calls.h; the checks of order, the trace and the injected failures are
 * inside. */

/* For tests. */
unsigned model_illegal(const struct model *m);      /* calls out of order */
unsigned model_sessions_open(const struct model *m); /* created and not released */
unsigned model_asyncs_open(const struct model *m);
unsigned model_shadows(const struct model *m);       /* shadow sets that exist now */
/* Sessions released that had begun a shadow set and saw neither BackupComplete nor AbortBackup (which AbortBackup's page wants
 * from StartSnapshotSet on). */
unsigned model_unended(const struct model *m);
unsigned model_count(const struct model *m, const char *call); /* how often it was called */
/* By its name, or logical path and name: "SRV\\INST\\DB1". The last report counts; false: nothing was reported of it. */
bool model_succeeded(const struct model *m, const char *component, bool *ret);
unsigned model_row_hits(const struct model *m, size_t row); /* of model_order.h's rows: how often one was broken */
const char *model_trace(const struct model *m);
/* Position of the n-th (from 1) line of that call in the trace; 0: there is none. */
unsigned model_position(const struct model *m, const char *call, unsigned n);

#endif
