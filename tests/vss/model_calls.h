#ifndef SP_TESTS_VSS_MODEL_CALLS_H
#define SP_TESTS_VSS_MODEL_CALLS_H

/* The model's calls, for its skins: one function for each call of vss/api.h, with the model's own plain types, so that
 * a skin needs nothing but this header and C11. Everything given out by pointer to const is the model's: of the
 * machine until model_free, of a session until it is released or gathers again. One thread at a time. */

#include "tests/vss/model.h"

struct model_files {
    char *path, *spec, *alternate; /* alternate "": none */
    bool recursive;
    unsigned kind; /* 0 file, 1 database file, 2 log file */
};
struct model_depends {
    char class_id[37];
    char *logical, *name;
};
struct model_failure { /* a component's own failure */
    uint32_t hresult, app;
    char *text; /* NULL: none */
    unsigned attempt, stage;
    bool alone;
};
struct model_component {
    unsigned type; /* 1 database, 2 file group */
    char *logical, *name, *caption; /* caption "": none */
    bool selectable, notify, stamp;
    struct model_files *files;
    size_t nfiles;
    struct model_depends *depends;
    size_t ndepends;
    struct model_failure *failures;
    size_t nfailures;
};
enum { MODEL_PREPARED, MODEL_SNAPSHOT, MODEL_COMPLETE, MODEL_IDLE /* before PrepareForBackup */ };
struct model_answer { /* a line `status` or `gone` */
    unsigned stage, attempt;
    bool gone;
    uint32_t state, hresult, app;
    char *text, *with; /* NULL: none */
};
struct model_writer {
    char class_id[37], instance_id[37];
    char *name, *instance_name;
    bool stable, silent;
    unsigned only_attempt;
    struct model_component *components;
    size_t ncomponents;
    struct model_files *excludes;
    size_t nexcludes;
    struct model_answer *answers;
    size_t nanswers;
    char *xml; /* its document */
};
struct model_volume {
    char *name, *mount, *file_system;
    char *covers; /* NULL: all of it */
    bool unsupported, remote;
};

/* --- the machine */
/* The trace goes there, too, from now on. */
void model_trace_to(struct model *m, const char *file);
/* Beside the platform's own ways to time, which are not a call of VSS: what the script's `event` and `guest` say. */
struct model_event {
    char *log, *source, *text;
    uint32_t id, severity;
};
size_t model_events(const struct model *m, const struct model_event **ret);
const char *model_guest(const struct model *m, const char *component); /* NULL: not known */
size_t model_volumes(const struct model *m, const struct model_volume **ret);
/* The volume that covers a path: the longest MOUNT at or above it. NULL: none of the script's. */
const struct model_volume *model_covering(const struct model *m, const char *path);
/* Whether `path` lies below `folder` (`same`: or is it). */
bool model_below(const struct model *m, const char *folder, const char *path, bool same);
/* NULL: it starts. Otherwise the sentence of `no-start`; *ret_denied: for lack of rights. */
const char *model_start(struct model *m, bool *ret_denied);
void model_end(struct model *m);
/* A line of the trace that is no call of VSS. */
void model_remark(struct model *m, const char *text);
/* Breach of a rule that only the skin can see (a plain string for a BSTR): counts in model_illegal. */
void model_breach(struct model *m, const char *text);

/* --- sessions */
struct model_session;
struct model_async;
struct model_ref {
    const char *class_id, *instance_id;
    unsigned type;
    const char *logical, *name;
};
struct model_status {
    const struct model_writer *writer;
    uint32_t state, hresult, app;
    const char *text; /* NULL: none */
};
struct model_report {
    bool known;
    uint32_t failure, app;
    const char *text; /* NULL: none */
    bool stamped;
};
struct model_shadow {
    char id[37], set[37];
    const char *device, *volume;
    uint64_t created_ms; /* host's now_ms */
};

uint32_t model_create(struct model *m, struct model_session **ret);
void model_release(struct model_session *s);
uint32_t model_initialize_for_backup(struct model_session *s);
uint32_t model_set_context(struct model_session *s, int32_t context);
uint32_t model_set_backup_state(
    struct model_session *s, bool select, bool bootable, uint32_t type, bool partial);
uint32_t model_gather_metadata(struct model_session *s, struct model_async **ret);
uint32_t model_metadata_count(struct model_session *s, uint32_t *ret);
uint32_t model_metadata(struct model_session *s, uint32_t i, const struct model_writer **ret);
uint32_t model_free_metadata(struct model_session *s);
uint32_t model_start_set(struct model_session *s, char ret_id[37]);
uint32_t model_volume_supported(struct model_session *s, const char *volume, bool *ret);
uint32_t model_add_volume(struct model_session *s, const char *volume, char ret_shadow_id[37]);
uint32_t model_add_component(struct model_session *s, const struct model_ref *c);
uint32_t model_prepare(struct model_session *s, struct model_async **ret);
uint32_t model_gather_status(struct model_session *s, struct model_async **ret);
uint32_t model_status_count(struct model_session *s, uint32_t *ret);
uint32_t model_status(struct model_session *s, uint32_t i, struct model_status *ret);
uint32_t model_free_status(struct model_session *s);
uint32_t model_component_report(
    struct model_session *s, const struct model_ref *c, struct model_report *ret);
uint32_t model_do_snapshot(struct model_session *s, struct model_async **ret);
uint32_t model_properties(struct model_session *s, const char *shadow_id, struct model_shadow *ret);
uint32_t model_set_succeeded(struct model_session *s, const struct model_ref *c, bool well);
uint32_t model_complete(struct model_session *s, struct model_async **ret);
uint32_t model_abort(struct model_session *s);
uint32_t model_document(struct model_session *s, const char **ret, size_t *ret_n);
uint32_t model_delete_set(struct model_session *s, const char *set_id, int32_t *ret_deleted);
/* The components added so far, in the order of AddComponent: what GetWriterComponents gives. */
size_t model_added(const struct model_session *s);
void model_added_at(const struct model_session *s, size_t i, const struct model_writer **ret_writer,
    const struct model_component **ret_component);
struct model *model_of(const struct model_session *s);

/* --- asyncs. model_wait: at most that long; 0 only looks (QueryStatus). */
uint32_t model_wait(struct model_async *a, uint32_t timeout_ms, uint32_t *ret_status);
uint32_t model_cancel(struct model_async *a);
void model_release_async(struct model_async *a);

#endif
