#include <stdlib.h>

#include "vss/volumes_win32.h"

/* Windows without a shadow source: every volume is read live, and says so. */

#define NO_SOURCE "no shadow source is built into this version for Windows"

static enum sp_code
say_why(struct sp_shadow *s, bool wanted, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->n && rc == SP_OK; i++) {
        struct volume *v = &s->volumes[i];

        rc = volume_set_reason(v,
            !wanted               ? "no shadow was asked for"
            : volume_is_remote(v) ? "it is on a share: only the server of the share could make one"
                                  : NO_SOURCE,
            e);
    }
    return rc;
}

enum sp_code
sp_shadow_plan(const struct sp_env *env, const struct sp_shadow_options *o, struct sp_shadow **ret,
    struct sp_err *e)
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
sp_shadow_take(struct sp_shadow *s, struct sp_err *e)
{
    enum sp_code rc = say_why(s, s->o.want != SP_SHADOW_NONE, e);

    if (rc == SP_OK && s->o.want == SP_SHADOW_REQUIRE && s->n > 0)
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "a shadow was required and %s (%s) cannot have one: %s. Use shadow = auto to read such "
            "volumes live",
            s->volumes[0].path, s->volumes[0].v.file_system, s->volumes[0].v.reason);
    return rc;
}

/* Nothing was made. */
enum sp_code
sp_shadow_release(struct sp_shadow *s, struct sp_err *e)
{
    (void)e;
    if (s != NULL)
        volumes_free(s);
    return SP_OK;
}

enum sp_code
sp_shadow_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e)
{
    (void)env;
    (void)journal_dir;
    (void)e;
    *ret_n = 0;
    return SP_OK;
}
