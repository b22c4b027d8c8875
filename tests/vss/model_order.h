#ifndef SP_TESTS_VSS_MODEL_ORDER_H
#define SP_TESTS_VSS_MODEL_ORDER_H

/* The order of VSS's calls, as data: a row says of some calls what must have happened before in the session, or must
 * not have, and which page of Microsoft's says so. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the words of vss/api.h, which are those of scripts and traces. */
#define MODEL_CALL_LIST(X)                                                                         \
    X(start)                                                                                       \
    X(end)                                                                                         \
    X(create)                                                                                      \
    X(release)                                                                                     \
    X(initialize_for_backup)                                                                       \
    X(set_context)                                                                                 \
    X(set_backup_state)                                                                            \
    X(gather_metadata)                                                                             \
    X(metadata_count)                                                                              \
    X(metadata)                                                                                    \
    X(free_metadata)                                                                               \
    X(start_set)                                                                                   \
    X(volume_supported)                                                                            \
    X(add_volume)                                                                                  \
    X(add_component)                                                                               \
    X(prepare)                                                                                     \
    X(gather_status)                                                                               \
    X(status_count)                                                                                \
    X(status)                                                                                      \
    X(free_status)                                                                                 \
    X(component_report)                                                                            \
    X(do_snapshot)                                                                                 \
    X(properties)                                                                                  \
    X(succeeded)                                                                                   \
    X(complete)                                                                                    \
    X(abort)                                                                                       \
    X(document)                                                                                    \
    X(delete_set)                                                                                  \
    X(wait)                                                                                        \
    X(cancel)                                                                                      \
    X(release_async)

enum model_call {
#define MODEL_ENUM(name) MODEL_##name,
    MODEL_CALL_LIST(MODEL_ENUM)
#undef MODEL_ENUM
        MODEL_CALLS
};
extern const char *const model_call_names[MODEL_CALLS];

enum model_fact { /* what has happened in a session */
    FACT_INITIALIZED,
    FACT_CONTEXT,
    FACT_STATE,          /* SetBackupState */
    FACT_BY_COMPONENTS,  /* … with components selected */
    FACT_META_BEGUN,
    FACT_META,           /* GatherWriterMetadata ended well */
    FACT_META_FREED,
    FACT_SET,            /* StartSnapshotSet */
    FACT_VOLUME,         /* at least one AddToSnapshotSet */
    FACT_PREPARE_BEGUN,
    FACT_PREPARED,       /* PrepareForBackup ended well */
    FACT_PREPARED_ASKED, /* GatherWriterStatus since */
    FACT_SNAP_BEGUN,
    FACT_SNAP,           /* DoSnapshotSet ended well */
    FACT_SNAP_ASKED,
    FACT_COMPLETE_BEGUN,
    FACT_COMPLETED,      /* BackupComplete ended well */
    FACT_COMPLETE_ASKED,
    FACT_ASKED,          /* GatherWriterStatus, at any time */
    FACT_STATUS,         /* its answers are there */
    FACT_ABORTED,
    FACT_RUNNING,        /* an IVssAsync of the session has neither ended nor been cancelled */
    FACTS
};

struct model_row {
    uint64_t calls;       /* MODEL_BIT of each */
    enum model_fact fact;
    bool wanted;          /* false: it must not have happened */
    int only_after;       /* a fact without which the row says nothing; -1: always */
    const char *why;      /* ends the sentence "<call>: …" */
    const char *page;     /* below learn.microsoft.com/windows/win32/ */
};
#define MODEL_BIT(call) (UINT64_C(1) << (call))

const struct model_row *model_rows(size_t *ret_n);
/* The first row that forbids the call; NULL: none does. */
const struct model_row *model_order_check(uint32_t facts, enum model_call call);

#endif
