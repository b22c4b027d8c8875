#ifndef SP_VSS_VOLUMES_H
#define SP_VSS_VOLUMES_H

/* A growing list of volumes: what a shadow set is made of. */

#include "vss/shadow.h"

struct volume {
    struct sp_shadow_volume v;
    char *path;      /* v.key as a path */
    char *subvolume; /* what a shadow would be made of; NULL: none can be made */
    char *shadow;    /* where it is, once made */
};
struct sp_shadow {
    const struct sp_env *env;
    struct volume *volumes; /* sorted by key */
    size_t n;
    char *journal; /* file; NULL: no shadows were made */
    struct sp_shadow_options o;
    struct sp_verdict verdict; /* without VSS: empty */
    struct shadow_vss *vss;    /* NULL: the platform's source */
};

/* The platform's source (shadow_posix.c, shadow_win32.c): as shadow.h says of plan, take, release and
 * janitor. */
enum sp_code shadow_platform_plan(const struct sp_env *env, const struct sp_shadow_options *o,
    struct sp_shadow **ret, struct sp_err *e);
enum sp_code shadow_platform_take(struct sp_shadow *s, struct sp_err *e);
enum sp_code shadow_platform_release(struct sp_shadow *s, struct sp_err *e);
enum sp_code shadow_platform_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e);

/* Adds a live volume unless there is one of this path; *ret is valid until the next add. */
enum sp_code volumes_add(struct sp_shadow *s, const char *path, const char *file_system,
    struct volume **ret, struct sp_err *e);
enum sp_code volume_set_reason(struct volume *v, const char *text, struct sp_err *e);
/* REQUIRE: SP_UNSUPPORTED names the first one that would be read live, and why. */
enum sp_code volumes_required(const struct sp_shadow *s, const char *advice, struct sp_err *e);
void volumes_sort(struct sp_shadow *s);
void volumes_free(struct sp_shadow *s);

#endif
