#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "vss/api.h"

/* Where a run reads: its shadows, and what the record says of each volume. */

static enum sp_code
make_patterns(
    const struct sp_strings *texts, struct sp_vss_pattern ***ret, size_t *ret_n, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if ((*ret = calloc(texts->n + 1, sizeof **ret)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < texts->n && rc == SP_OK; i++)
        if ((rc = sp_vss_pattern_new(texts->s[i], &(*ret)[i], e)) == SP_OK)
            *ret_n = i + 1;
    return rc;
}

/* Keys of its own: roots are added while the shadow still holds these. */
static enum sp_code
plan_roots(struct run *r, struct sp_err *e)
{
    if ((r->planned = calloc(r->nroots + 1, sizeof *r->planned)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < r->nroots; i++) {
        uint8_t *key = malloc(r->roots[i].n + 1);

        if (key == NULL)
            return sp_fail_nomem(e);
        if (r->roots[i].n > 0)
            memcpy(key, r->roots[i].p, r->roots[i].n);
        r->planned[i] = (struct sp_shadow_root){key, r->roots[i].n};
        r->shadow_options.nroots = i + 1;
    }
    return SP_OK;
}

static void
say(void *arg, const char *sentence)
{
    struct run *r = arg;

    sp_cli_say(r->c, "%s: %s", r->job->name, sentence);
}

/* What is committed is told to the writers, however often the user interrupts. */
static bool
cancelled(void *arg)
{
    const struct run *r = arg;

    return !r->committed && sp_signals_stop(NULL);
}

static void
sweep(struct run *r)
{
    struct sp_err e = {0};
    size_t removed = 0;

    if (sp_shadow_janitor(r->c->env, r->state_dir, &removed, &e) != SP_OK)
        sp_cli_warn(r->c, "shadows of an earlier run: %s", e.text);
    else if (removed > 0)
        sp_cli_warn(r->c, "removed %zu shadows that an earlier run had left", removed);
}

enum sp_code
job_plan_shadow(struct run *r, struct sp_err *e)
{
    struct sp_shadow_options *o = &r->shadow_options;
    const struct sp_job *j = r->job;
    enum sp_code rc;

    r->limits.attempts = j->writer_attempts;
    r->limits.pause_ms = (uint32_t)(j->writer_pause_ns / 1000000);
    o->want = j->shadow;
    o->one_file_system = j->one_file_system;
    o->journal_dir = r->state_dir;
    o->backup_type = j->backup_type;
    o->second_set = j->second_shadow;
    o->limits = &r->limits;
    o->say = say;
    o->cancelled = cancelled;
    o->arg = r;
    if ((rc = plan_roots(r, e)) != SP_OK ||
        (rc = make_patterns(&j->application, &r->asked, &o->nasked, e)) != SP_OK ||
        (rc = make_patterns(&j->application_exclude, &r->excluded, &o->nexcluded, e)) != SP_OK)
        return rc;
    o->roots = r->planned;
    o->asked = r->asked;
    o->excluded = r->excluded;
    sweep(r);
    return sp_shadow_plan(r->c->env, o, &r->shadow, e);
}

enum sp_code
job_take_shadow(struct run *r, struct sp_err *e)
{
    enum sp_code rc = sp_shadow_take(r->shadow, e);

    r->taken = rc == SP_OK;
    return rc;
}

static void
free_patterns(struct sp_vss_pattern **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sp_vss_pattern_free(v[i]);
    free(v);
}

void
job_free_plan(struct run *r)
{
    for (size_t i = 0; i < r->shadow_options.nroots; i++)
        free((void *)(uintptr_t)r->planned[i].key);
    free(r->planned);
    free_patterns(r->asked, r->shadow_options.nasked);
    free_patterns(r->excluded, r->shadow_options.nexcluded);
}

/* --- views ------------------------------------------------------------------------------------ */

static enum sp_code
add_record(struct run *r, const struct sp_shadow_volume *v, struct sp_err *e)
{
    struct sp_volume *record = &r->volumes[r->nvolumes];
    struct sp_buf path = SP_BUF_INIT;

    sp_key_to_path(v->key, v->key_len, &path);
    record->path = strdup(sp_buf_str(&path));
    sp_buf_free(&path);
    if (record->path == NULL)
        return sp_fail_nomem(e);
    r->nvolumes++;
    record->file_system = v->file_system;
    record->source = (char *)(uintptr_t)v->source;
    record->reason = v->reason;
    record->consistency = v->level;
    record->instant_ns = v->instant_ns;
    if (v->failed) {
        sp_cli_warn(r->c,
            "%s: NO SHADOW of %s, though this machine can make one: %s. Its files are read while "
            "in use",
            r->job->name, record->path, v->reason);
        r->unclean = true;
    } else if (v->level == SP_LEVEL_LIVE && r->job->shadow == SP_SHADOW_AUTO &&
               sp_vss_here() != NULL) {
        sp_cli_warn(r->c, "%s: %s is read live, while in use: %s", r->job->name, record->path,
            v->reason); /* nothing falls back in silence (R30) */
    }
    return SP_OK;
}

enum sp_code
job_map_volumes(struct run *r, struct sp_err *e)
{
    const struct sp_shadow_override *over;
    size_t n = sp_shadow_count(r->shadow), nover = sp_shadow_overrides(r->shadow, &over);
    enum sp_code rc;

    r->views = calloc(n + nover + 2, sizeof(*r->views));
    r->volumes = calloc(n + 1, sizeof(*r->volumes));
    if (r->views == NULL || r->volumes == NULL)
        return sp_fail_nomem(e);
    /* The longest match wins; the first one is for everything that no volume covers. */
    r->views[0].key = (const uint8_t *)"";
    r->nviews = 1;
    for (size_t i = 0; i < n; i++) {
        const struct sp_shadow_volume *v = sp_shadow_volume(r->shadow, i);
        struct sp_view_map *view = &r->views[v->key_len == 0 ? 0 : r->nviews++];

        *view = (struct sp_view_map){.key = v->key,
            .key_len = v->key_len,
            .read_path = v->read_path,
            .shadow = v->read_path != NULL,
            .instant_ns = v->instant_ns,
            .skip = v->pseudo};
        if (!v->pseudo && (rc = add_record(r, v, e)) != SP_OK)
            return rc;
    }
    for (size_t i = 0; i < nover; i++)
        r->views[r->nviews++] = (struct sp_view_map){.key = over[i].key,
            .key_len = over[i].key_len,
            .read_path = over[i].read_path,
            .shadow = true,
            .instant_ns = over[i].instant_ns};
    if (r->documents != NULL) /* written since the shadow was made */
        r->views[r->nviews++] =
            (struct sp_view_map){.key = r->documents_key.data, .key_len = r->documents_key.len};
    return SP_OK;
}

const struct sp_view_map *
job_view_of(const struct run *r, const void *key, size_t n)
{
    const struct sp_view_map *found = NULL;

    for (size_t i = 0; i < r->nviews; i++)
        if (sp_key_within(r->views[i].key, r->views[i].key_len, key, n) &&
            (found == NULL || r->views[i].key_len >= found->key_len))
            found = &r->views[i];
    return found;
}

bool
job_reads_live(const struct run *r, const void *key, size_t n)
{
    const struct sp_view_map *view = job_view_of(r, key, n);

    return view == NULL || (view->read_path == NULL && !view->skip);
}
