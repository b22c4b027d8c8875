#include <stdlib.h>

#include "vss/volumes_win32.h"

/* Windows where the job does without shadows: every volume is read live, and says so. All else is
 * VSS (shadow_vss.c). */

enum sp_code
shadow_platform_plan(const struct sp_env *env, const struct sp_shadow_options *o,
    struct sp_shadow **ret, struct sp_err *e)
{
    struct sp_shadow *s = calloc(1, sizeof(*s));
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->env = env;
    s->o = *o;
    if ((rc = volumes_find(s, o, e)) != SP_OK) {
        volumes_free(s);
        return rc;
    }
    *ret = s;
    return SP_OK;
}

enum sp_code
shadow_platform_take(struct sp_shadow *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->n && rc == SP_OK; i++)
        rc = volume_set_reason(&s->volumes[i], "no shadow was asked for", e);
    return rc;
}

/* Nothing was made. */
enum sp_code
shadow_platform_release(struct sp_shadow *s, struct sp_err *e)
{
    (void)e;
    if (s != NULL)
        volumes_free(s);
    return SP_OK;
}

enum sp_code
shadow_platform_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e)
{
    (void)env;
    (void)journal_dir;
    (void)e;
    *ret_n = 0;
    return SP_OK;
}
