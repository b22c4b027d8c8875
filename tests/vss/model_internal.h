#ifndef SP_TESTS_VSS_MODEL_INTERNAL_H
#define SP_TESTS_VSS_MODEL_INTERNAL_H

/* Shared by model*.c. */

#include "tests/vss/model_calls.h"
#include "tests/vss/model_order.h"
#include "vss/hresult.h"

struct model_text { /* grows */
    char *p;
    size_t n, cap;
};
#if defined(__GNUC__) && !defined(__clang__)
#define MODEL_PRINTF(a, b) __attribute__((format(gnu_printf, a, b)))
#else
#define MODEL_PRINTF(a, b)
#endif
void model_text_add(struct model_text *t, const char *fmt, ...) MODEL_PRINTF(2, 3);
void *model_more(void *v, size_t *n, size_t size); /* one zeroed element more at the end; ends the process without memory */
char *model_copy(const char *s);

struct model_rule { /* a line `fail` or `pend` */
    enum model_call call;
    bool async, pend;
    uint32_t hresult;
    unsigned at, times; /* times 0: always */
    uint64_t ms;        /* UINT64_MAX: forever */
};
struct model_set {
    char id[37];
    unsigned *copies; /* N of …ShadowCopyN */
    size_t ncopies;
    bool made;       /* by this process */
    bool persistent; /* outlives its session */
    struct model_session *owner;
};
struct model_told { /* SetBackupSucceeded */
    char *component;
    bool well;
};
struct model {
    struct model_host host;
    struct model_volume *volumes;
    size_t nvolumes;
    struct model_writer *writers;
    size_t nwriters;
    struct model_rule *rules;
    size_t nrules;
    struct model_event *events;
    size_t nevents;
    struct model_told_guest {
        char *component, *version;
    } *guests;
    size_t nguests;
    char *shadows, *device, *no_start, *trace_file;
    bool denied;

    struct model_text trace;
    unsigned lines;
    unsigned calls[MODEL_CALLS], asyncs_begun[MODEL_CALLS];
    unsigned illegal, sessions, sessions_open, asyncs_open, attempts, gatherings, unended;
    unsigned *hits; /* of the rows of the order, for its own tests */
    unsigned ids, copies;
    struct model_session *creating, *first;
    struct model_set *sets;
    size_t nsets;
    struct model_told *told;
    size_t ntold;
};
struct model_session {
    struct model *m;
    struct model_session *next;
    unsigned number, attempt, gathering;
    uint32_t facts;
    int32_t context;
    uint32_t type;
    struct model_async *running;
    bool status_left; /* gathered, not freed */
    const struct model_writer **present;
    size_t npresent;
    struct model_added {
        const struct model_writer *writer;
        const struct model_component *component;
        bool told, well;
    } *added;
    size_t nadded;
    struct model_wanted {
        const struct model_volume *volume;
        char id[37];
        unsigned copy;
        char *device;
    } *wanted;
    size_t nwanted;
    char set[37];
    uint64_t created_ms;
    struct model_status *statuses;
    size_t nstatuses;
    struct model_text document;
};
struct model_async {
    struct model *m;
    struct model_session *s; /* NULL: released before it */
    enum model_call call;
    uint64_t due_ms;
    bool forever, done, cancelled;
    uint32_t end;
};

/* model_script.c */
bool model_script_read(struct model *m, const char *script, char why[256]);
void model_script_free(struct model *m);
bool model_call_named(const char *name, enum model_call *ret, bool *ret_async);
/* model_trace.c: a line of its own; adds to the file, too. */
void model_line(struct model *m, const char *fmt, ...) MODEL_PRINTF(2, 3);
void model_illegal_line(struct model_session *s, enum model_call call, const char *why, const char *page);
/* Order and injected failures: 0 when the call may do its work. Counts it. */
uint32_t model_enter(struct model_session *s, enum model_call call);
/* The line of the call, without and with its arguments; gives hr. */
uint32_t model_left(struct model_session *s, enum model_call call, uint32_t hr);
uint32_t model_leave(struct model_session *s, enum model_call call, uint32_t hr, const char *fmt, ...)
    MODEL_PRINTF(4, 5);
/* model_async.c */
uint32_t model_begin(struct model_session *s, enum model_call call, struct model_async **ret);
/* model_status.c */
void model_gather(struct model_session *s);
const struct model_failure *model_failing(
    const struct model_session *s, const struct model_writer *w, const struct model_component *c);
unsigned model_stage(const struct model_session *s); /* 3: before PrepareForBackup */
/* model_sets.c */
void model_sets_load(struct model *m);
bool model_sets_make(struct model_session *s);
void model_sets_drop(struct model *m, size_t i);
void model_sets_release(struct model_session *s);
/* model_xml.c */
void model_writer_document(struct model_writer *w);
void model_session_document(struct model_session *s);
void model_new_id(struct model *m, unsigned kind, char ret[37]);
bool model_same(const char *a, const char *b); /* without regard to case (ASCII) */

#endif
