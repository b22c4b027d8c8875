#ifndef SP_VSS_SHADOW_H
#define SP_VSS_SHADOW_H

/* A consistent view of volumes: what makes shadows (VSS, btrfs, none) behind one interface. A
 * shadow set covers all volumes of a run; each volume says how consistent what is read from it will
 * be, and why not better. On POSIX: `btrfs` (read-only snapshots, crash-consistent) and `none`
 * (live). R30: what was asked for and cannot be had is an error, never a silent fall back; "auto"
 * takes the best there is and says what it was.
 *
 * A journal in the state folder names our shadows from before they are made until they are gone, so
 * that the next start removes what a killed run left behind, and nothing that is not ours. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"

enum sp_shadow_want {
    SP_SHADOW_AUTO,   /* the best each volume can do */
    SP_SHADOW_NONE,   /* read live */
    SP_SHADOW_REQUIRE /* every volume with a root must be read from a shadow: SP_UNSUPPORTED
                         otherwise */
};
enum sp_shadow_level { SP_SHADOW_LIVE = 1, SP_SHADOW_CRASH = 2, SP_SHADOW_APPLICATION = 3 };

struct sp_shadow_volume {
    uint8_t *key; /* mount point (or subvolume) in the source, as a key; "" is the root */
    size_t key_len;
    char *file_system;  /* "btrfs", "ext4", … */
    char *read_path;    /* where to read it; NULL: live */
    const char *source; /* "btrfs", "none" */
    enum sp_shadow_level level;
    char
        *reason; /* why it is not better, in words; "" when nothing better exists for plain files */
    int64_t instant_ns; /* 0: live */
    bool pseudo;        /* proc, sysfs, …: not to be entered when it is below a root */
};

struct sp_shadow; /* a shadow set */
struct sp_shadow_root {
    const uint8_t *key;
    size_t key_len;
};
struct sp_shadow_options {
    const struct sp_shadow_root *roots;
    size_t nroots;
    enum sp_shadow_want want;
    bool one_file_system;    /* mounts below the roots are not read: leave them out */
    const char *journal_dir; /* exists */
};
/* Finds the volumes under the roots and below them, and makes shadows as wanted. On failure nothing
 * of it is left behind. SP_UNSUPPORTED: REQUIRE, and a volume cannot have one; the sentence names
 * it and why. */
enum sp_code sp_shadow_take(const struct sp_env *env, const struct sp_shadow_options *o,
    struct sp_shadow **ret, struct sp_err *e);
size_t sp_shadow_count(const struct sp_shadow *s);
const struct sp_shadow_volume *
sp_shadow_volume(const struct sp_shadow *s, size_t i); /* sorted by key */
/* The weakest level among the volumes with roots or below them (pseudo ones aside). */
enum sp_shadow_level sp_shadow_weakest(const struct sp_shadow *s);
/* Removes the shadows and the journal's lines. Frees s in every case; SP_OK or what could not be
 * removed. */
enum sp_code sp_shadow_release(struct sp_shadow *s, struct sp_err *e);
/* The janitor: removes what dead runs left. *ret_n: how many. A journal of a living process is left
 * alone. */
enum sp_code sp_shadow_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e);

#endif
