#ifndef SP_BASE_VERDICT_H
#define SP_BASE_VERDICT_H

/* How consistent a copy is, and the evidence for it: the words that vss/ (which finds out), storage/ (which seals
 * it into the record) and client/ (which shows and demands it) share. Plain data; no rules, no I/O.
 *
 * A verdict is of one run. Everything is malloc'd and owned by the struct; an empty one is = {0}. Strings may be
 * NULL, which reads as "" ("not known"). Identifiers of VSS (classes and instances of writers, shadow sets) are
 * texts of 36 lower-case characters, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de". Numbers of reasons and kinds are part of
 * the format (docs/format.md) and never used twice.
 *
 * Source of the raw values: learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_writer_state,
 * …/vswriter, …/vsbackup; the rules on them are vss/judge.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sp_level {
    SP_LEVEL_NONE = 0,       /* nothing of the kind is in the set */
    SP_LEVEL_LIVE = 1,       /* read while in use, at many instants */
    SP_LEVEL_CRASH = 2,      /* one instant, without the application's part: as after a power cut */
    SP_LEVEL_APPLICATION = 3 /* the application was told and prepared */
};
const char *sp_level_word(enum sp_level l); /* "none", "live", "crash", "application" */
/* "live", "crash", "application" only; false: none of them. */
bool sp_level_parse(const char *word, enum sp_level *ret);

enum sp_unit_kind { /* what a component is to an administrator */
    SP_UNIT_OTHER = 0,
    SP_UNIT_VM = 1,
    SP_UNIT_DATABASE = 2,
    SP_UNIT_MAILBOXES = 3,
    SP_UNIT_SYSTEM = 4,   /* System State: registry, boot files, COM+, … */
    SP_UNIT_HOST = 5,     /* what a hypervisor keeps beside its VMs */
    SP_UNIT_DOCUMENT = 6  /* a file of an application that knows nothing of VSS, open at the time */
};
const char *sp_unit_kind_word(enum sp_unit_kind k); /* "other", "vm", "database", "mailboxes", "system", "host", "document" */

/* Why a level is what it is. The sentences are in vss/explain.c, one for each. */
enum sp_why {
    SP_WHY_UNKNOWN = 0,           /* written by a newer version */
    /* application */
    SP_WHY_TOOK_PART = 1,         /* it waited for BackupComplete, and completed */
    SP_WHY_EVIDENCE = 2,          /* it was STABLE, but had set a backup stamp or metadata since AddComponent */
    SP_WHY_RULE = 3,              /* an exception for this writer, kept as data with its source */
    /* crash */
    SP_WHY_STABLE = 10,           /* STABLE after the shadow, no evidence: it did not show that it took part */
    SP_WHY_WRITER_FAILED = 11,    /* a failed state, or a failure code, at a gathering */
    SP_WHY_COMPONENT_FAILED = 12, /* partial failure, and this component was among the failed ones */
    SP_WHY_PARTIAL_UNKNOWN = 13,  /* partial failure, and which components failed could not be read */
    SP_WHY_SILENT = 14,           /* it gave no status, or was no longer there when asked */
    SP_WHY_METHOD = 15,           /* its method cannot be better: Offline, Saved State */
    SP_WHY_COMPLETE_FAILED = 16,  /* BackupComplete failed, or the writer failed at it */
    SP_WHY_PARTLY_OUTSIDE = 17,   /* some of its files are outside the set or the shadow: it was not told */
    SP_WHY_NO_WRITER = 18,        /* no writer speaks for it (a VM found on disk, a document) */
    SP_WHY_NOT_CHOSEN = 19,       /* left out of VSS's part by the job's patterns */
    SP_WHY_DEPENDENCY = 20,       /* what it depends on is below application */
    SP_WHY_UNEXPECTED = 21,       /* a state that the writer's order of states does not have here */
    SP_WHY_UNFINISHED = 22,       /* the run ended before BackupComplete could be reported */
    /* live */
    SP_WHY_NO_SHADOW = 30,        /* its volume has no shadow */
    SP_WHY_NOT_ASKED = 31,        /* the job does without shadows */
    /* nothing of it in the set */
    SP_WHY_LEFT_OUT = 40          /* the job says so for what is below its demand */
};
const char *sp_why_word(enum sp_why w); /* "took-part", …; "unknown" */

/* When a writer was asked for its status. */
enum sp_stage { SP_STAGE_PREPARED, SP_STAGE_SNAPSHOT, SP_STAGE_COMPLETE, SP_STAGES };
struct sp_verdict_status {
    bool asked;    /* a gathering was made at that stage */
    bool answered; /* and this writer was in it */
    uint32_t state; /* VSS_WRITER_STATE as it came */
    uint32_t hresult; /* the writer's failure, as it came; 0: none */
    uint32_t app_hresult; /* the application's own (GetWriterStatusEx); 0: none, or not told */
    char *app_text;
};

struct sp_verdict_writer {
    char class_id[37], instance_id[37];
    char *name, *instance_name;
    struct sp_verdict_status stages[SP_STAGES];
    bool concerned;  /* a component of it is in the set; only then it counts */
    char *rule;      /* the exception that was applied: its name in vss/rules.c; NULL: none */
    enum sp_level level;
    enum sp_why why;
    uint32_t hresult; /* the one that `why` is about; 0: none */
};

#define SP_NO_INDEX UINT32_MAX
struct sp_verdict_component {
    uint32_t writer; /* index; SP_NO_INDEX: none (NO_WRITER) */
    uint32_t type;   /* VSS_COMPONENT_TYPE: 1 database, 2 file group; 0 without a writer */
    char *logical_path, *name, *caption; /* as the writer gave them */
    enum sp_unit_kind kind;
    char *unit;      /* the administrator's name: "web01", "SRV\\INST/DB1"; never NULL */
    char *method;    /* "Online", "Offline", "Child Partition Snapshot", "Saved State"; NULL: it has none */
    char *version;   /* of Integration Services or VMware Tools, where it could be read */
    bool added;      /* by AddComponent */
    uint32_t parent; /* index of the added component that it came with; SP_NO_INDEX: none */
    uint32_t *depends; /* indices of components that it depends on */
    size_t ndepends;
    uint32_t shadow; /* index of the shadow set that it is read from; SP_NO_INDEX: none */
    bool failure_known; /* the writer was asked about this component after a partial failure, and told */
    uint32_t failure, app_failure; /* its own codes */
    char *failure_text;
    bool stamped;    /* backup stamp or metadata set since AddComponent */
    uint64_t files_live; /* of it, read live */
    char **paths;    /* files ("C:\\a\\b.vhdx") and folders of it, for people */
    size_t npaths;
    enum sp_level level;
    enum sp_why why;
    uint32_t hresult; /* the one that `why` is about; 0: none */
    char *detail;    /* what the sentence needs beyond that (a path, a component's name); NULL */
};

struct sp_verdict_shadow { /* one shadow set */
    char id[37];
    int64_t instant_ns;  /* by the source's clock */
    uint64_t took_ns;    /* DoSnapshotSet from call to end: freeze and thaw lie within */
    uint32_t attempts;   /* 1: the first one was good */
    uint32_t retried_for; /* the last HRESULT that made it try again; 0 */
    uint32_t backup_type; /* VSS_BACKUP_TYPE: 5 copy, 1 full, 2 incremental, 3 differential, 4 log */
    bool completed;      /* BackupComplete was called and ended well */
    uint32_t complete_hresult; /* what it gave; 0 when it ended well or was not called */
};

struct sp_verdict_event { /* of the system's logs around the shadow */
    int64_t at_ns;
    char *log, *source, *text;
    uint32_t id, severity; /* 1 critical, 2 error, 3 warning, 4 information */
};

struct sp_verdict {
    bool vss;         /* VSS was driven; false: the platform has none, or it was not asked for */
    bool confirmed;   /* BackupComplete has run for every shadow set: the levels are final */
    struct sp_verdict_writer *writers;
    size_t nwriters;
    struct sp_verdict_component *components; /* those in the set, and those that should have been */
    size_t ncomponents;
    struct sp_verdict_shadow *shadows;
    size_t nshadows;
    struct sp_verdict_event *events;
    size_t nevents;
    char **notes;     /* sentences: retries, what was left out, what could not be read */
    size_t nnotes;
};
void sp_verdict_clear(struct sp_verdict *v);
/* A deep copy; *ret is overwritten. */
enum sp_code sp_verdict_copy(const struct sp_verdict *v, struct sp_verdict *ret, struct sp_err *e);
enum sp_code sp_verdict_note(struct sp_verdict *v, struct sp_err *e, const char *fmt, ...) SP_PRINTF(3, 4);
/* Grow by one zeroed element (indices of a component are SP_NO_INDEX). */
enum sp_code sp_verdict_add_writer(struct sp_verdict *v, struct sp_verdict_writer **ret, struct sp_err *e);
enum sp_code sp_verdict_add_component(struct sp_verdict *v, struct sp_verdict_component **ret, struct sp_err *e);
enum sp_code sp_verdict_add_shadow(struct sp_verdict *v, struct sp_verdict_shadow **ret, struct sp_err *e);
enum sp_code sp_verdict_add_event(struct sp_verdict *v, struct sp_verdict_event **ret, struct sp_err *e);
/* The weakest level among the components that are in the set; NONE: there are none. */
enum sp_level sp_verdict_applications(const struct sp_verdict *v);

#endif
