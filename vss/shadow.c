#include "vss/shadow.h"

#include "vss/api.h"
#include "vss/shadow_vss.h"
#include "vss/volumes.h"

/* Which source a run gets: VSS where there is one and shadows are wanted, else the platform's. */

enum sp_code
sp_shadow_plan(const struct sp_env *env, const struct sp_shadow_options *o, struct sp_shadow **ret,
    struct sp_err *e)
{
    if (sp_vss_here() == NULL)
        return shadow_platform_plan(env, o, ret, e);
    if (o->want != SP_SHADOW_NONE)
        return shadow_vss_plan(env, o, ret, e);
    if (o->nasked > 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
            "applications are asked for by name, and the job does without shadows (shadow = none): "
            "take that "
            "line away, or name the files as paths");
    return shadow_platform_plan(env, o, ret, e);
}

enum sp_code
sp_shadow_take(struct sp_shadow *s, struct sp_err *e)
{
    return s->vss != NULL ? shadow_vss_take(s, e) : shadow_platform_take(s, e);
}

enum sp_code
sp_shadow_release(struct sp_shadow *s, struct sp_err *e)
{
    if (s == NULL || s->vss == NULL)
        return shadow_platform_release(s, e);
    shadow_vss_free(s->vss);
    volumes_free(s);
    return SP_OK;
}

enum sp_code
sp_shadow_janitor(
    const struct sp_env *env, const char *journal_dir, size_t *ret_n, struct sp_err *e)
{
    const struct sp_vss_api *api = sp_vss_here();
    struct sp_err second = {0};
    size_t n = 0, more = 0;
    enum sp_code rc = shadow_platform_janitor(env, journal_dir, &n, e), other = SP_OK;

    if (api != NULL)
        other = sp_requester_janitor(env, api, journal_dir, &more, &second);
    if (rc == SP_OK && other != SP_OK) {
        *e = second;
        rc = other;
    }
    *ret_n = n + more;
    return rc;
}

/* --- what only VSS has ----------------------------------------------------------------------- */

const char *const *
sp_shadow_roots(const struct sp_shadow *s, size_t *ret_n)
{
    *ret_n = 0;
    return s->vss != NULL ? shadow_vss_roots(s->vss, ret_n) : NULL;
}

const char *const *
sp_shadow_excludes(const struct sp_shadow *s, size_t *ret_n)
{
    *ret_n = 0;
    return s->vss != NULL ? shadow_vss_excludes(s->vss, ret_n) : NULL;
}

bool
sp_shadow_has_writer(const struct sp_shadow *s, const char *name)
{
    return s->vss != NULL && shadow_vss_has_writer(s->vss, name);
}

const char *const *
sp_shadow_files(const struct sp_shadow *s, size_t component, size_t *ret_n)
{
    *ret_n = 0;
    return s->vss != NULL ? shadow_vss_files(s->vss, component, ret_n) : NULL;
}

size_t
sp_shadow_overrides(const struct sp_shadow *s, const struct sp_shadow_override **ret)
{
    *ret = NULL;
    return s->vss != NULL ? shadow_vss_overrides(s->vss, ret) : 0;
}

const struct sp_verdict *
sp_shadow_verdict(const struct sp_shadow *s)
{
    const struct sp_verdict *v = s->vss != NULL ? shadow_vss_verdict(s->vss) : NULL;

    return v != NULL ? v : &s->verdict;
}

enum sp_code
sp_shadow_found(struct sp_shadow *s, size_t component, uint64_t live, const char *lacks,
    struct sp_err *e)
{
    return s->vss != NULL ? shadow_vss_found(s->vss, component, live, lacks, e) : SP_OK;
}

enum sp_code
sp_shadow_documents(const struct sp_shadow *s,
    enum sp_code (*each)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    return s->vss != NULL ? shadow_vss_documents(s->vss, each, arg, e) : SP_OK;
}

enum sp_code
sp_shadow_finish(struct sp_shadow *s, bool made, struct sp_err *e)
{
    return s->vss != NULL ? shadow_vss_finish(s->vss, made, e) : SP_OK;
}
