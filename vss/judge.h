#ifndef SP_VSS_JUDGE_H
#define SP_VSS_JUDGE_H

/* From raw states to levels: the one place that decides. Pure, over the plain data of base/verdict.h; called after
 * DoSnapshotSet (stages PREPARED and SNAPSHOT are asked: the levels are what they will be if BackupComplete goes well)
 * and again after BackupComplete (all three are; `final`).
 *
 * A component is `application` only if
 *  - it was added, or came with an added one, and lies in a shadow set;
 *  - its writer answered at every stage that was asked, never with a FAILED_… state nor with a failure code (whatever its
 *    state says), and
 *      · after DoSnapshotSet its state was WAITING_FOR_BACKUP_COMPLETE (5): it took part; or
 *      · STABLE (1) with evidence: the component was stamped (EVIDENCE), or an exception by name (rules.c, each with
 *        its source; RULE). STABLE alone shows nothing: learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_writer_state;
 *  - on VSS_E_PARTIAL_FAILURE (0x80042336): the component's own failure is known and S_OK, which needs it asked; unknown
 *    is PARTIAL_UNKNOWN; a child goes by its added parent;
 *  - its method can be (sp_vss_method_cap);
 *  - what it depends on (in the set) is; `final`: its shadow set was completed, and the writer did not fail at it.
 *    After BackupComplete both STABLE and WAITING_FOR_BACKUP_COMPLETE are good.
 * Else `crash` if all its files lie in a shadow (it has a shadow set, and files_live is 0), else `live`: so is one that
 * took part and has files_live (NO_SHADOW). A writer that no component of the set belongs to is not concerned: it is
 * recorded and changes nothing. The first reason in the order of the run wins, but a method is told only of what did
 * not fail; hresult is the code that `why` is about.
 *
 * `why` is also asked: LEFT_OUT stays (level NONE); PARTLY_OUTSIDE of one that took part (the run read it, and some of it is
 * not in the set) stays unless something failed; PARTLY_OUTSIDE, NOT_CHOSEN, and a failure of an earlier shadow set
 * (with its hresult), stay with what is neither added nor came with an added one. What has no writer and a level
 * already keeps both (whoever found it knows where it lies: client/watch.h), but files_live makes it `live`; one without
 * a level goes by its shadow set, or where VSS was not driven by files_live and `why` (NO_SHADOW, NOT_ASKED: `live`;
 * else a shadow of another kind, btrfs). Judging twice gives the same. A rule's name in a writer is set by the requester (sp_vss_rules). */

#include "base/verdict.h"

/* Fills level, why, hresult of all writers (their best shown part: the level they allow) and components. */
void sp_vss_judge(struct sp_verdict *v, bool final);

/* Exceptions: writers whose STABLE after DoSnapshotSet is documented to be success. */
struct sp_vss_rule {
    const char *name;     /* "asr-stable" */
    const char *class_id; /* of the writer */
    uint32_t state;       /* taken for having taken part after DoSnapshotSet */
    const char *source;   /* the page that says so */
};
const struct sp_vss_rule *sp_vss_rules(size_t *ret_n); /* may be an empty table, until a source is found */

/* What the requester does about a gathering. */
enum sp_vss_next {
    SP_VSS_GO_ON,     /* no writer that is concerned failed */
    SP_VSS_RETRY,     /* one failed in a way that a new shadow set may mend (sp_vss_retryable, silent) */
    SP_VSS_GO_WITHOUT /* some components failed for good, others of the same writer can do without them: a shadow
                         set without the failed ones */
};
/* Marks in *failed (one byte per component of v, 0 or 1) those to go without: the added ones that are known to have
 * failed, also with RETRY, for when the attempts are used up. A writer none of whose components were added is not asked.
 * After BackupComplete there is nothing to do: GO_ON. */
enum sp_vss_next sp_vss_next_step(const struct sp_verdict *v, enum sp_stage stage, uint8_t *ret_failed);

#endif
