#include "vss/shadow_vss.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/path.h"
#include "vss/requester_impl.h"

struct shadow_vss {
    struct sp_requester *r; /* NULL: VSS could not be used, and the reason is the volumes' */
    struct sp_vss_key *roots;
    struct sp_shadow_override *overrides;
    size_t noverrides;
    char ***files; /* of each component, ended by NULL */
    size_t *nfiles;
    size_t n;
    bool taken; /* the requester made what was to be made */
};

static void
say(const struct sp_shadow *s, const char *sentence)
{
    if (s->o.say != NULL)
        s->o.say(s->o.arg, sentence);
}

/* --- planning -------------------------------------------------------------------------------- */

static bool
matches(const struct sp_requester *r, const struct sp_vss_choice *c, const struct sp_vss_pattern *p)
{
    const struct sp_vss_writer *w = &sp_requester_metadata(r)->writers[c->writer];
    const struct sp_vss_component *m = &w->components[c->component];
    struct sp_vss_subject subject = {.writer = w->name,
        .writer_id = w->class_id,
        .logical_path = m->logical_path,
        .name = m->name,
        .kind = c->unit.kind,
        .unit = c->unit.name,
        .paths = (const char *const *)c->paths,
        .npaths = c->npaths};

    return sp_vss_pattern_match(p, &subject);
}

/* A name that stands for nothing is a mistake in the job, or an application that is gone: either
 * has to be known. */
static enum sp_code
all_found(const struct sp_requester *r, const struct sp_shadow_options *o, struct sp_err *e)
{
    const struct sp_vss_plan *plan = sp_requester_choice(r);

    for (size_t i = 0; i < o->nasked; i++) {
        bool found = false;

        for (size_t k = 0; k < plan->nchoices && !found; k++)
            found = matches(r, &plan->choices[k], o->asked[i]);
        if (!found)
            return sp_fail(e, SP_ABSENT, SP_DOM_SHADOW,
                "no application on this machine matches '%s'. `stillpoint vss writers` lists those "
                "there are; "
                "one whose service does not run is not among them",
                sp_vss_pattern_text(o->asked[i]));
    }
    return SP_OK;
}

static enum sp_code
add_volume(struct sp_shadow *s, const char *mount, const char *file_system, const char *reason,
    struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, path = SP_BUF_INIT;
    struct volume *v;
    enum sp_code rc;

    /* As a key and back: without the separator at the end. */
    if ((rc = sp_key_from_path(mount, &key, e)) == SP_OK) {
        sp_key_to_path(key.data, key.len, &path);
        if ((rc = sp_buf_ok(&path, e)) == SP_OK)
            rc = volumes_add(s, sp_buf_str(&path), file_system, &v, e);
        if (rc == SP_OK)
            rc = volume_set_reason(v, reason != NULL ? reason : "", e);
    }
    sp_buf_free(&key);
    sp_buf_free(&path);
    return rc;
}

static enum sp_code
add_volumes(struct sp_shadow *s, struct sp_err *e)
{
    const struct sp_requester_volume *v;
    size_t n = sp_requester_volumes(s->vss->r, &v);
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < n && rc == SP_OK; i++)
        rc = add_volume(s, v[i].mount, v[i].file_system, v[i].reason, e);
    volumes_sort(s);
    return rc;
}

/* VSS cannot be used: the volumes are there all the same, live. */
static enum sp_code
add_live(struct sp_shadow *s, const struct sp_err *why, struct sp_err *e)
{
    struct rq_volumes t = {0};
    struct sp_buf path = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->o.nroots && rc == SP_OK; i++) {
        sp_buf_reset(&path);
        sp_key_to_path(s->o.roots[i].key, s->o.roots[i].key_len, &path);
        if ((rc = sp_buf_ok(&path, e)) == SP_OK)
            rc = rq_volumes_want(
                &t, sp_vss_here(), NULL, sp_buf_str(&path), !s->o.one_file_system, e);
    }
    for (size_t i = 0; i < t.n && rc == SP_OK; i++) {
        if (t.v[i].wanted)
            rc = add_volume(s, t.v[i].mount, t.v[i].file_system,
                t.v[i].reason != NULL ? t.v[i].reason : why->text, e);
    }
    sp_buf_free(&path);
    rq_volumes_clear(&t);
    volumes_sort(s);
    return rc;
}

/* What ends the run whatever the job wants. */
static bool
is_fatal(enum sp_code rc)
{
    return rc == SP_NOMEM || rc == SP_CANCELLED || rc == SP_INTERNAL || rc == SP_INVALID;
}

static enum sp_code
plan_requester(struct sp_shadow *s, struct sp_err *e)
{
    const struct sp_shadow_options *o = &s->o;
    struct sp_requester_options ro = {.env = s->env,
        .api = sp_vss_here(),
        .roots = s->vss->roots,
        .nroots = o->nroots,
        .asked = o->asked,
        .excluded = o->excluded,
        .nasked = o->nasked,
        .nexcluded = o->nexcluded,
        .one_file_system = o->one_file_system,
        .backup_type = o->backup_type,
        .second_set = o->second_set,
        .journal_dir = o->journal_dir,
        .say = o->say,
        .cancelled = o->cancelled,
        .arg = o->arg};
    struct sp_err why = {0};
    enum sp_code rc;

    if (o->limits != NULL)
        ro.limits = *o->limits;
    if ((rc = sp_requester_plan(&ro, &s->vss->r, &why)) == SP_OK) {
        if ((rc = all_found(s->vss->r, o, e)) == SP_OK)
            rc = add_volumes(s, e);
        return rc;
    }
    /* Where nothing else is said, a machine without VSS is read live, and says so; one whose VSS
     * was asked and failed is a fault, and told as one (R30). */
    if (o->want == SP_SHADOW_REQUIRE || o->nasked > 0 || is_fatal(rc)) {
        *e = why;
        return rc;
    }
    if ((rc = add_live(s, &why, e)) != SP_OK)
        return rc;
    if (why.code != SP_UNSUPPORTED && why.code != SP_DENIED) {
        for (size_t i = 0; i < s->n; i++)
            s->volumes[i].v.failed = true;
        say(s, why.text);
    }
    return SP_OK;
}

/* Of what is in the verdict, so that the client may leave it out by name. */
static enum sp_code
plan_files(struct shadow_vss *v, struct sp_err *e)
{
    const struct sp_vss_plan *plan;
    enum sp_code rc = SP_OK;

    if (v->r == NULL)
        return SP_OK;
    plan = sp_requester_choice(v->r);
    v->files = calloc(plan->nchoices + 1, sizeof *v->files);
    v->nfiles = calloc(plan->nchoices + 1, sizeof *v->nfiles);
    if (v->files == NULL || v->nfiles == NULL)
        return sp_fail_nomem(e);
    for (v->n = 0; v->n < plan->nchoices && rc == SP_OK; v->n++) {
        const struct sp_vss_choice *c = &plan->choices[v->n];

        rc = shadow_vss_patterns(
            &sp_requester_metadata(v->r)->writers[c->writer].components[c->component],
            &v->files[v->n], &v->nfiles[v->n], e);
    }
    return rc;
}

enum sp_code
shadow_vss_plan(const struct sp_env *env, const struct sp_shadow_options *o, struct sp_shadow **ret,
    struct sp_err *e)
{
    struct sp_shadow *s = calloc(1, sizeof *s);
    enum sp_code rc = SP_OK;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->env = env;
    s->o = *o;
    if ((s->vss = calloc(1, sizeof *s->vss)) == NULL ||
        (s->vss->roots = calloc(o->nroots + 1, sizeof *s->vss->roots)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < o->nroots; i++)
        s->vss->roots[i] = (struct sp_vss_key){o->roots[i].key, o->roots[i].key_len};
    if ((rc = plan_requester(s, e)) != SP_OK || (rc = plan_files(s->vss, e)) != SP_OK)
        goto out;
    *ret = s;
    s = NULL;
out:
    if (s != NULL) {
        shadow_vss_free(s->vss);
        volumes_free(s);
    }
    return rc;
}

const char *const *
shadow_vss_roots(const struct shadow_vss *v, size_t *ret_n)
{
    const struct sp_vss_plan *plan = v->r != NULL ? sp_requester_choice(v->r) : NULL;

    *ret_n = plan != NULL ? plan->nroots : 0;
    return plan != NULL ? (const char *const *)plan->roots : NULL;
}

const char *const *
shadow_vss_excludes(const struct shadow_vss *v, size_t *ret_n)
{
    const struct sp_vss_plan *plan = v->r != NULL ? sp_requester_choice(v->r) : NULL;

    *ret_n = plan != NULL ? plan->nexcludes : 0;
    return plan != NULL ? (const char *const *)plan->excludes : NULL;
}

bool
shadow_vss_has_writer(const struct shadow_vss *v, const char *name)
{
    const struct sp_vss_metadata *m = v->r != NULL ? sp_requester_metadata(v->r) : NULL;

    for (size_t i = 0; m != NULL && i < m->nwriters; i++) {
        const char *have = m->writers[i].name != NULL ? m->writers[i].name : "";

        if (sp_fold_equal(have, strlen(have), name, strlen(name)))
            return true;
    }
    return false;
}

const char *const *
shadow_vss_files(const struct shadow_vss *v, size_t component, size_t *ret_n)
{
    *ret_n = component < v->n ? v->nfiles[component] : 0;
    return component < v->n ? (const char *const *)v->files[component] : NULL;
}

/* --- taking ---------------------------------------------------------------------------------- */

#define ADVICE ", or put the data on a volume that VSS makes shadows of"

/* One that is known now to have none would waste a freeze of everybody. */
static enum sp_code
check_before(const struct sp_shadow *s, struct sp_err *e)
{
    const struct sp_requester_volume *v;
    size_t n = sp_requester_volumes(s->vss->r, &v);

    for (size_t i = 0; i < n; i++) {
        if (v[i].reason != NULL)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
                "a shadow was required and %s (%s) cannot have one: %s. Use shadow = auto to read "
                "such volumes "
                "live" ADVICE,
                v[i].mount, v[i].file_system, v[i].reason);
    }
    return SP_OK;
}

static enum sp_code
fill_volume(struct sp_shadow *s, const struct sp_requester_volume *from, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    struct volume *to = NULL;
    struct rq_volume place = {0};
    enum sp_code rc = sp_key_from_path(from->mount, &key, e);

    for (size_t i = 0; i < s->n && rc == SP_OK && to == NULL; i++) {
        if (sp_key_cmp(s->volumes[i].v.key, s->volumes[i].v.key_len, key.data, key.len) == 0)
            to = &s->volumes[i];
    }
    place.key = key.data;
    place.key_len = key.len;
    if (rc == SP_OK && to == NULL)
        rc = sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "%s is no volume of the plan", from->mount);
    if (rc == SP_OK && from->device == NULL)
        rc = volume_set_reason(to, from->reason != NULL ? from->reason : "", e);
    if (rc == SP_OK && from->device != NULL &&
        (rc = rq_volume_place(&place, from->device, from->mount, &to->v.read_path, e)) == SP_OK) {
        to->v.source = "vss";
        to->v.level =
            SP_LEVEL_CRASH; /* of plain files; the applications have levels of their own */
        to->v.instant_ns = from->instant_ns;
    }
    sp_buf_free(&key);
    return rc;
}

static enum sp_code
fill_overrides(struct shadow_vss *v, struct sp_err *e)
{
    const struct sp_requester_override *from;
    size_t n = sp_requester_overrides(v->r, &from);
    enum sp_code rc = SP_OK;

    if ((v->overrides = calloc(n + 1, sizeof *v->overrides)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        struct sp_shadow_override *to = &v->overrides[i];
        struct sp_buf key = SP_BUF_INIT;

        if ((rc = sp_key_from_path(from[i].path, &key, e)) == SP_OK)
            rc = sp_buf_take(&key, &to->key, &to->key_len, e);
        sp_buf_free(&key);
        if (rc != SP_OK)
            break;
        v->noverrides++;
        to->instant_ns = from[i].instant_ns;
        if ((to->read_path = strdup(from[i].read_path)) == NULL)
            rc = sp_fail_nomem(e);
    }
    return rc;
}

/* Every volume live, and the run not clean. */
static enum sp_code
give_up(struct sp_shadow *s, const struct sp_err *why, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    say(s, why->text);
    for (size_t i = 0; i < s->n && rc == SP_OK; i++) {
        s->volumes[i].v.failed = true;
        if (s->volumes[i].v.reason[0] == '\0')
            rc = volume_set_reason(&s->volumes[i], why->text, e);
    }
    return rc;
}

enum sp_code
shadow_vss_take(struct sp_shadow *s, struct sp_err *e)
{
    bool required = s->o.want == SP_SHADOW_REQUIRE;
    const struct sp_requester_volume *v;
    struct sp_err why = {0};
    size_t n;
    enum sp_code rc;

    if (s->vss->r == NULL)
        return SP_OK;
    if (required && (rc = check_before(s, e)) != SP_OK)
        return rc;
    if ((rc = sp_requester_take(s->vss->r, &why)) != SP_OK) {
        if (!required && !is_fatal(rc))
            return give_up(s, &why, e);
        *e = why;
        return rc;
    }
    s->vss->taken = true;
    n = sp_requester_volumes(s->vss->r, &v);
    for (size_t i = 0; i < n && rc == SP_OK; i++)
        rc = fill_volume(s, &v[i], e);
    if (rc == SP_OK)
        rc = fill_overrides(s->vss, e);
    if (rc == SP_OK && required)
        rc = volumes_required(s, ADVICE, e);
    return rc;
}

size_t
shadow_vss_overrides(const struct shadow_vss *v, const struct sp_shadow_override **ret)
{
    *ret = v->overrides;
    return v->noverrides;
}

const struct sp_verdict *
shadow_vss_verdict(const struct shadow_vss *v)
{
    return v->r != NULL ? sp_requester_verdict(v->r) : NULL;
}

enum sp_code
shadow_vss_found(struct shadow_vss *v, size_t component, uint64_t live, const char *lacks,
    struct sp_err *e)
{
    return v->r != NULL ? rq_found(v->r, component, live, lacks, e) : SP_OK;
}

enum sp_code
shadow_vss_documents(const struct shadow_vss *v,
    enum sp_code (*each)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    return v->r != NULL ? sp_requester_documents(v->r, each, arg, e) : SP_OK;
}

enum sp_code
shadow_vss_finish(struct shadow_vss *v, bool made, struct sp_err *e)
{
    return v->r != NULL ? sp_requester_finish(v->r, made, e) : SP_OK;
}

void
shadow_vss_free(struct shadow_vss *v)
{
    if (v == NULL)
        return;
    sp_requester_free(v->r);
    for (size_t i = 0; i < v->noverrides; i++) {
        free(v->overrides[i].key);
        free(v->overrides[i].read_path);
    }
    for (size_t i = 0; i < v->n; i++) {
        for (size_t k = 0; k < v->nfiles[i]; k++)
            free(v->files[i][k]);
        free(v->files[i]);
    }
    free(v->files);
    free(v->nfiles);
    free(v->overrides);
    free(v->roots);
    free(v);
}
