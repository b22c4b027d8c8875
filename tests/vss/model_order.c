/* Rows in the order in which they are asked: the first that a call breaks is the one that is told.
 * Names of facts and calls are ours (model_order.h); B() is a call, API a method's page. */

#include "tests/vss/model_order.h"

#define NAME(name) #name,
const char *const model_call_names[MODEL_CALLS] = {MODEL_CALL_LIST(NAME)};
#undef NAME

#define B(call) MODEL_BIT(MODEL_##call)
#define API(method) "api/vsbackup/nf-vsbackup-ivssbackupcomponents-" method
#define PAGE(name) "vss/" name

#define STATUS (B(gather_status) | B(status_count) | B(status) | B(free_status))
#define METADATA (B(gather_metadata) | B(metadata_count) | B(metadata) | B(free_metadata))
#define MAKING (B(start_set) | B(add_volume) | B(add_component) | B(prepare) | B(do_snapshot))
#define ENDING (B(succeeded) | B(complete))
/* Every method but the first. */
#define METHODS                                                                                    \
    (B(set_context) | B(set_backup_state) | METADATA | MAKING | B(volume_supported) | STATUS |     \
        B(component_report) | B(properties) | ENDING | B(abort) | B(document) | B(delete_set))

#define NEEDS(calls, fact, why, page)                                                              \
    {                                                                                              \
        (calls), FACT_##fact, true, -1, why, page                                                  \
    }
#define FORBIDS(calls, fact, why, page)                                                            \
    {                                                                                              \
        (calls), FACT_##fact, false, -1, why, page                                                 \
    }
#define NEEDS_AFTER(calls, after, fact, why, page)                                                 \
    {                                                                                              \
        (calls), FACT_##fact, true, FACT_##after, why, page                                        \
    }

static const struct model_row rows[] = {
    NEEDS(METHODS, INITIALIZED, "InitializeForBackup comes first", API("initializeforbackup")),
    FORBIDS(
        B(initialize_for_backup), INITIALIZED, "once for each object", API("initializeforbackup")),
    FORBIDS((METHODS | B(initialize_for_backup) | B(release)) & ~B(abort), RUNNING,
        "an IVssAsync is still at work: wait for it, or cancel it", "api/vss/nn-vss-ivssasync"),
    FORBIDS(MAKING | ENDING | B(set_context) | B(set_backup_state) | B(properties), ABORTED,
        "the backup was aborted", API("abortbackup")),

    FORBIDS(B(set_context), CONTEXT, "once for each object", API("setcontext")),
    FORBIDS(B(set_context), META_BEGUN, "before most other calls", API("setcontext")),
    FORBIDS(B(set_backup_state), PREPARE_BEGUN, "before PrepareForBackup", API("setbackupstate")),

    FORBIDS(B(gather_metadata), META_BEGUN, "once for each object", API("gatherwritermetadata")),
    NEEDS(B(metadata_count) | B(metadata) | B(free_metadata), META,
        "GatherWriterMetadata has not ended well", API("getwritermetadata")),
    FORBIDS(B(metadata_count) | B(metadata) | B(free_metadata), META_FREED,
        "the metadata were given back", API("freewritermetadata")),

    NEEDS(B(start_set), META, "writers are asked what they have before",
        PAGE("overview-of-pre-backup-tasks")),
    FORBIDS(B(start_set), SET, "one shadow set for each object",
        PAGE("simple-shadow-copy-creation-for-backup")),
    NEEDS(B(add_volume), SET, "StartSnapshotSet comes before",
        PAGE("simple-shadow-copy-creation-for-backup")),
    FORBIDS(B(add_volume), PREPARE_BEGUN, "before PrepareForBackup",
        PAGE("overview-of-pre-backup-tasks")),
    NEEDS(B(add_component), META, "GatherWriterMetadata has not ended well", API("addcomponent")),
    NEEDS(B(add_component), BY_COMPONENTS,
        "only where SetBackupState says that components are selected", API("addcomponent")),
    FORBIDS(B(add_component), PREPARE_BEGUN,
        "before PrepareForBackup, which shows the document to the writers",
        API("prepareforbackup")),

    NEEDS(B(prepare), STATE, "SetBackupState comes before", API("prepareforbackup")),
    NEEDS(B(prepare), SET, "StartSnapshotSet comes before", API("startsnapshotset")),
    NEEDS(B(prepare), VOLUME, "volumes are added before", PAGE("overview-of-pre-backup-tasks")),
    FORBIDS(B(prepare), PREPARE_BEGUN, "once for each object", API("prepareforbackup")),
    NEEDS(B(do_snapshot), PREPARED, "PrepareForBackup has not ended well",
        PAGE("overview-of-pre-backup-tasks")),
    NEEDS(B(do_snapshot), PREPARED_ASKED,
        "the writers were not asked for their status since PrepareForBackup",
        PAGE("determining-writer-status")),
    FORBIDS(B(do_snapshot), SNAP_BEGUN, "once for each object", API("dosnapshotset")),

    FORBIDS(B(gather_status), STATUS, "the last status was not freed", API("gatherwriterstatus")),
    NEEDS(B(status_count) | B(status), STATUS, "GatherWriterStatus has not ended well",
        API("getwriterstatus")),
    NEEDS(B(free_status), ASKED, "nothing was gathered", API("freewriterstatus")),
    NEEDS(B(component_report), META, "there is no document before", API("getwritercomponents")),

    NEEDS(B(properties), SNAP, "DoSnapshotSet has not ended well", API("getsnapshotproperties")),
    NEEDS(ENDING, SNAP, "not where DoSnapshotSet failed", API("setbackupsucceeded")),
    FORBIDS(B(succeeded), COMPLETE_BEGUN, "before BackupComplete", API("setbackupsucceeded")),
    NEEDS(B(complete), SNAP_ASKED,
        "the writers were not asked for their status since DoSnapshotSet",
        PAGE("determining-writer-status")),
    FORBIDS(B(complete), COMPLETE_BEGUN, "once for each object", API("backupcomplete")),
    FORBIDS(B(abort), COMPLETED, "the backup was completed", API("abortbackup")),
    NEEDS_AFTER(B(release), COMPLETED, COMPLETE_ASKED,
        "the writers were not asked for their status since BackupComplete", API("backupcomplete")),
};

const struct model_row *
model_rows(size_t *ret_n)
{
    *ret_n = sizeof rows / sizeof rows[0];
    return rows;
}

const struct model_row *
model_order_check(uint32_t facts, enum model_call call)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct model_row *r = &rows[i];

        if (!(r->calls & MODEL_BIT(call)))
            continue;
        if (r->only_after >= 0 && !(facts >> r->only_after & 1))
            continue;
        if ((facts >> r->fact & 1) != (r->wanted ? 1u : 0u))
            return r;
    }
    return NULL;
}
