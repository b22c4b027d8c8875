#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "vss/requester_impl.h"

/* Selection and the verdict it begins: components in the set, in the order of the choices. */

/* --- choosing -------------------------------------------------------------------------------- */

static bool
within_roots(const struct sp_requester *r, const char *path)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err ignored;
    bool within = false;

    if (sp_key_from_path(path, &key, &ignored) == SP_OK) {
        for (size_t i = 0; i < r->o.nroots && !within; i++)
            within = sp_key_within(r->o.roots[i].p, r->o.roots[i].n, key.data, key.len);
    }
    sp_buf_free(&key);
    return within;
}

struct choosing {
    struct sp_requester *r;
    struct sp_vss_session *s;
};

static bool
shadowed(void *arg, const char *path, const char **ret_why)
{
    struct choosing *c = arg;
    struct sp_requester *r = c->r;
    const struct rq_volume *v;
    struct sp_err why = {0};
    size_t at;
    enum sp_code rc = rq_volumes_cover(&r->volumes, rq_api(r), c->s, path, &at, &why);

    *ret_why = r->why;
    if (rc != SP_OK) {
        if (rc == SP_NOMEM && r->selecting == SP_OK) {
            r->selecting = rc;
            r->select_err = why;
        }
        memcpy(r->why, why.text, sizeof r->why);
        return false;
    }
    v = &r->volumes.v[at];
    if (!v->can) {
        *ret_why = v->reason;
        return false;
    }
    /* What is mounted below a root is not read then. */
    if (r->o.one_file_system && !v->wanted && r->o.nasked == 0 && within_roots(r, path)) {
        *ret_why = "it lies on another volume, and the job stays on one file system";
        return false;
    }
    return true;
}

enum sp_code
rq_select(struct sp_requester *r, struct sp_vss_session *s, struct sp_err *e)
{
    struct choosing c = {r, s};
    struct sp_vss_select_options so = {.roots = r->o.roots,
        .nroots = r->o.nroots,
        .asked = r->o.asked,
        .excluded = r->o.excluded,
        .nasked = r->o.nasked,
        .nexcluded = r->o.nexcluded,
        .shadowed = shadowed,
        .arg = &c};
    struct sp_vss_plan plan = {0};
    enum sp_code rc;

    r->selecting = SP_OK;
    if ((rc = sp_vss_select(&r->metadata, &so, &plan, e)) != SP_OK)
        return rc;
    if (r->selecting != SP_OK) {
        sp_vss_plan_clear(&plan);
        *e = r->select_err;
        return r->selecting;
    }
    sp_vss_plan_clear(&r->plan);
    r->plan = plan;
    return SP_OK;
}

/* --- the verdict's beginning ----------------------------------------------------------------- */

static bool
copy(char **to, const char *from)
{
    return from == NULL || (*to = strdup(from)) != NULL;
}

static enum sp_code
begin_writers(struct sp_requester *r, struct sp_err *e)
{
    struct sp_verdict_writer *to;
    enum sp_code rc;

    for (size_t i = 0; i < r->metadata.nwriters; i++) {
        const struct sp_vss_writer *w = &r->metadata.writers[i];

        if ((rc = sp_verdict_add_writer(&r->verdict, &to, e)) != SP_OK)
            return rc;
        memcpy(to->class_id, w->class_id, sizeof to->class_id);
        memcpy(to->instance_id, w->instance_id, sizeof to->instance_id);
        if (!copy(&to->name, w->name) || !copy(&to->instance_name, w->instance_name))
            return sp_fail_nomem(e);
    }
    for (size_t i = 0; i < r->plan.nchoices; i++)
        r->verdict.writers[r->plan.choices[i].writer].concerned = true;
    return SP_OK;
}

static enum sp_code
begin_lists(struct sp_verdict_component *to, const struct sp_vss_choice *c, struct sp_err *e)
{
    to->paths = calloc(c->npaths + 1, sizeof *to->paths);
    to->depends = calloc(c->ndepends + 1, sizeof *to->depends);
    if (to->paths == NULL || to->depends == NULL)
        return sp_fail_nomem(e);
    for (; to->npaths < c->npaths; to->npaths++) {
        if ((to->paths[to->npaths] = strdup(c->paths[to->npaths])) == NULL)
            return sp_fail_nomem(e);
    }
    for (; to->ndepends < c->ndepends; to->ndepends++)
        to->depends[to->ndepends] = (uint32_t)c->depends[to->ndepends];
    return SP_OK;
}

static enum sp_code
begin_component(struct sp_requester *r, const struct sp_vss_choice *c, struct sp_err *e)
{
    const struct sp_vss_component *m = &r->metadata.writers[c->writer].components[c->component];
    struct sp_verdict_component *to;
    enum sp_code rc = sp_verdict_add_component(&r->verdict, &to, e);

    if (rc != SP_OK)
        return rc;
    to->writer = (uint32_t)c->writer;
    to->type = m->type;
    to->kind = c->unit.kind;
    to->parent = c->parent != SIZE_MAX ? (uint32_t)c->parent : SP_NO_INDEX;
    to->why = c->why;
    if (!copy(&to->logical_path, m->logical_path) || !copy(&to->name, m->name) ||
        !copy(&to->caption, m->caption) || !copy(&to->unit, c->unit.name) ||
        !copy(&to->method, c->unit.method) || !copy(&to->detail, c->detail))
        return sp_fail_nomem(e);
    return begin_lists(to, c, e);
}

/* From nothing: also after a selection made again. Notes stay. */
enum sp_code
rq_verdict_begin(struct sp_requester *r, struct sp_err *e)
{
    struct sp_verdict *v = &r->verdict, fresh = {.vss = true};
    enum sp_code rc = SP_OK;

    fresh.notes = v->notes;
    fresh.nnotes = v->nnotes;
    v->notes = NULL;
    v->nnotes = 0;
    sp_verdict_clear(v);
    *v = fresh;
    if ((rc = begin_writers(r, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < r->plan.nchoices && rc == SP_OK; i++)
        rc = begin_component(r, &r->plan.choices[i], e);
    return rc;
}

enum sp_code
rq_files_live(struct sp_requester *r, size_t component, uint64_t *ret, struct sp_err *e)
{
    const struct sp_vss_choice *c = &r->plan.choices[component];
    uint64_t live = 0;
    size_t at;

    for (size_t i = 0; i < c->npaths; i++) {
        struct sp_err why = {0};
        enum sp_code rc = rq_volumes_cover(&r->volumes, rq_api(r), NULL, c->paths[i], &at, &why);

        if (rc == SP_NOMEM) {
            *e = why;
            return rc;
        }
        if (rc == SP_OK && !r->volumes.v[at].wanted && c->why == SP_WHY_PARTLY_OUTSIDE)
            continue; /* not in the set at all */
        live += rc != SP_OK || !r->volumes.v[at].wanted ||
                rq_shadow_of(&r->main, r->volumes.v[at].volume) == NULL;
    }
    *ret = live;
    return SP_OK;
}
