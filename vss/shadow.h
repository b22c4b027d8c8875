#ifndef SP_VSS_SHADOW_H
#define SP_VSS_SHADOW_H

/* A consistent view of volumes: what makes shadows (VSS, btrfs, none) behind one interface. A
 * shadow set covers all volumes of a run; each volume says how consistent what is read from it will
 * be, and why not better. On Windows: `vss` (with its writers; requester.h) and `none`; on POSIX:
 * `btrfs` (read-only snapshots, crash-consistent) and `none` (live). R30: what was asked for and
 * cannot be had is an error, never a silent fall back; "auto" takes the best there is and says what
 * it was.
 *
 *   plan     which volumes and applications there are; nothing is frozen yet
 *   take     the shadows are made: from here on there is an instant
 *   finish   the set is committed, or will not be (R2): the writers hear of it
 *   release  the shadows go
 *
 * A journal in the state folder names our shadows from before they are made until they are gone, so
 * that the next start removes what a killed run left behind, and nothing that is not ours. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"
#include "base/verdict.h"

enum sp_shadow_want {
    SP_SHADOW_AUTO,   /* the best each volume can do */
    SP_SHADOW_NONE,   /* read live */
    SP_SHADOW_REQUIRE /* every volume with a root must be read from a shadow: SP_UNSUPPORTED
                         otherwise */
};

struct sp_shadow_volume {
    uint8_t *key; /* mount point (or subvolume) in the source, as a key; "" is the root */
    size_t key_len;
    char *file_system;  /* "btrfs", "ext4", … */
    char *read_path;    /* where to read it; NULL: live */
    const char *source; /* "vss", "btrfs", "none" */
    enum sp_level level;
    char
        *reason; /* why it is not better, in words; "" when nothing better exists for plain files */
    int64_t instant_ns; /* 0: live */
    bool pseudo;        /* proc, sysfs, …: not to be entered when it is below a root */
    bool failed; /* a shadow source that is there was driven, and failed: the run is not clean */
};

struct sp_shadow; /* a shadow set */
struct sp_shadow_root {
    const uint8_t *key;
    size_t key_len;
};
struct sp_vss_pattern;     /* vss/pattern.h */
struct sp_requester_limits; /* vss/requester.h */
struct sp_shadow_options { /* borrowed until release */
    const struct sp_shadow_root *roots;
    size_t nroots;
    enum sp_shadow_want want;
    bool one_file_system;    /* mounts below the roots are not read: leave them out */
    const char *journal_dir; /* exists */
    /* Applications: where there is VSS. */
    struct sp_vss_pattern *const *asked, *const *excluded; /* `application`, `application-exclude` */
    size_t nasked, nexcluded;
    uint32_t backup_type;                     /* VSS_BACKUP_TYPE; 0: copy */
    bool second_set; /* what fails for good is taken once more, in a shadow set of its own */
    const struct sp_requester_limits *limits; /* NULL: the defaults */
    void (*say)(void *arg, const char *sentence); /* what happens meanwhile; may be NULL */
    bool (*cancelled)(void *arg);                 /* may be NULL */
    void *arg;
};
/* Finds the volumes under the roots and below them, and the applications with files there.
 * SP_ABSENT: a pattern of `asked` matches nothing; SP_UNSUPPORTED: applications are asked for where
 * there is no VSS. */
enum sp_code sp_shadow_plan(const struct sp_env *env, const struct sp_shadow_options *o,
    struct sp_shadow **ret, struct sp_err *e);
/* What the plan adds to the run, valid until release: files and folders of the applications asked
 * for (native paths), patterns of files that writers exclude, and whether a writer of that name is
 * there (whose keys of FilesNotToBackup are then left to it). */
const char *const *sp_shadow_roots(const struct sp_shadow *s, size_t *ret_n);
const char *const *sp_shadow_excludes(const struct sp_shadow *s, size_t *ret_n);
bool sp_shadow_has_writer(const struct sp_shadow *s, const char *name);
/* Patterns (client/filter.h, "/C:/a/b.vhdx") of exactly the files of a component of the verdict, to leave them
 * out; valid until release. None: without VSS. */
const char *const *sp_shadow_files(const struct sp_shadow *s, size_t component, size_t *ret_n);

/* Makes shadows as wanted. On failure nothing of them is left behind; release all the same.
 * SP_UNSUPPORTED: REQUIRE, and a volume cannot have one; the sentence names it and why. */
enum sp_code sp_shadow_take(struct sp_shadow *s, struct sp_err *e);
size_t sp_shadow_count(const struct sp_shadow *s);
const struct sp_shadow_volume *
sp_shadow_volume(const struct sp_shadow *s, size_t i); /* sorted by key */
/* Files and folders that are read from another shadow than their volume's (a component that got
 * one of its own). Written as the writer writes them: on Windows in any case. */
struct sp_shadow_override {
    uint8_t *key;
    size_t key_len;
    char *read_path;
    int64_t instant_ns;
};
size_t sp_shadow_overrides(const struct sp_shadow *s, const struct sp_shadow_override **ret);
/* The weakest level among the volumes with roots or below them (pseudo ones aside). */
enum sp_level sp_shadow_weakest(const struct sp_shadow *s);
/* Never NULL after plan. After take: what will be, if all goes well; after finish: final. */
const struct sp_verdict *sp_shadow_verdict(const struct sp_shadow *s);
/* What the reading found of a component of the verdict, any time between take and finish: `live` of its files were read
 * live; `lacks` is one that is not in the set though its writer names it (NULL: it is whole). The verdict is judged again,
 * and the writer hears of no success: it may throw away what the set does not have. */
enum sp_code sp_shadow_found(struct sp_shadow *s, size_t component, uint64_t live, const char *lacks,
    struct sp_err *e);
/* VSS's documents, as requester.h says. Without VSS: none. */
enum sp_code sp_shadow_documents(const struct sp_shadow *s,
    enum sp_code (*each)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e),
    void *arg, struct sp_err *e);
/* Once, after take: `made` only after the last barrier of the commit (R2). SP_OK also where an
 * application did not hear of it: the verdict says so. The shadows stay until release. */
enum sp_code sp_shadow_finish(struct sp_shadow *s, bool made, struct sp_err *e);
/* Removes the shadows and the journal's lines; what was taken and not finished is aborted. Frees s
 * in every case; SP_OK or what could not be removed. */
enum sp_code sp_shadow_release(struct sp_shadow *s, struct sp_err *e);
/* The janitor: removes what dead runs left. *ret_n: how many. A journal of a living process is left
 * alone. */
enum sp_code sp_shadow_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e);

#endif
