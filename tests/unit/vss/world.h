#ifndef SP_TESTS_VSS_WORLD_H
#define SP_TESTS_VSS_WORLD_H

/* A machine's metadata, a job's wishes, and the plan that comes of both. Paths are written as on
 * POSIX ("/d/sql"), and are "D:\sql" on Windows. */

#include "tests/unit/vss/writers.h"

#include "base/path.h"
#include "vss/select.h"

#define WORLD_MAX 8
struct world {
    struct sp_vss_metadata m;
    struct sp_vss_key roots[WORLD_MAX];
    size_t nroots;
    struct sp_vss_pattern *asked[WORLD_MAX], *excluded[WORLD_MAX];
    size_t nasked, nexcluded;
    const char *dark; /* folders below it get no shadow */
    size_t asked_shadow;
    struct sp_vss_plan plan;
};

static inline const char *
at(const char *path)
{
    static char slots[8][256];
    static size_t turn;
    char *s = slots[turn++ % 8];

    assert_true(strlen(path) < sizeof slots[0]);
    strcpy(s, path);
    if (!sp_path_backslash)
        return s;
    s[0] = (char)(path[1] - 'a' + 'A');
    s[1] = ':';
    for (size_t i = 2; s[i] != '\0'; i++)
        if (s[i] == '/')
            s[i] = '\\';
    if (s[2] == '\0')
        strcpy(s + 2, "\\");
    return s;
}

static inline void
root(struct world *w, const char *path)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err e;
    uint8_t *p;
    size_t n;

    assert_true(w->nroots < WORLD_MAX);
    assert_int_equal(sp_key_from_path(at(path), &key, &e), SP_OK);
    sp_buf_put_u8(&key, 0);
    assert_int_equal(sp_buf_take(&key, &p, &n, &e), SP_OK);
    w->roots[w->nroots++] = (struct sp_vss_key){.p = p, .n = n - 1};
}

static inline void
application(struct world *w, const char *pattern)
{
    struct sp_err e;

    assert_true(w->nasked < WORLD_MAX);
    assert_int_equal(sp_vss_pattern_new(pattern, &w->asked[w->nasked++], &e), SP_OK);
}

static inline void
application_exclude(struct world *w, const char *pattern)
{
    struct sp_err e;

    assert_true(w->nexcluded < WORLD_MAX);
    assert_int_equal(sp_vss_pattern_new(pattern, &w->excluded[w->nexcluded++], &e), SP_OK);
}

static inline bool
world_shadowed(void *arg, const char *path, const char **ret_why)
{
    struct world *w = arg;

    w->asked_shadow++;
    if (w->dark == NULL || strncmp(path, at(w->dark), strlen(at(w->dark))) != 0)
        return true;
    *ret_why = "it is FAT";
    return false;
}

static inline enum sp_code
world_try(struct world *w, struct sp_err *e)
{
    const struct sp_vss_select_options o = {
        .roots = w->roots,
        .nroots = w->nroots,
        .asked = w->asked,
        .nasked = w->nasked,
        .excluded = w->excluded,
        .nexcluded = w->nexcluded,
        .shadowed = world_shadowed,
        .arg = w,
    };

    return sp_vss_select(&w->m, &o, &w->plan, e);
}

static inline void
plan(struct world *w)
{
    struct sp_err e;

    sp_vss_plan_clear(&w->plan);
    assert_int_equal(world_try(w, &e), SP_OK);
}

static inline void
world_free(struct world *w)
{
    sp_vss_plan_clear(&w->plan);
    sp_vss_metadata_clear(&w->m);
    for (size_t i = 0; i < w->nroots; i++)
        free((void *)w->roots[i].p);
    for (size_t i = 0; i < w->nasked; i++)
        sp_vss_pattern_free(w->asked[i]);
    for (size_t i = 0; i < w->nexcluded; i++)
        sp_vss_pattern_free(w->excluded[i]);
    *w = (struct world){0};
}

/* NULL: it is none of the plan's. */
static inline const struct sp_vss_choice *
choice(const struct world *w, const char *unit)
{
    for (size_t i = 0; i < w->plan.nchoices; i++)
        if (strcmp(w->plan.choices[i].unit.name, unit) == 0)
            return &w->plan.choices[i];
    return NULL;
}

static inline void
is_added(const struct world *w, const char *unit)
{
    const struct sp_vss_choice *c = choice(w, unit);

    if (c == NULL || !c->added)
        fail_msg("%s is not added", unit);
    assert_int_equal(c->why, SP_WHY_UNKNOWN);
    assert_null(c->detail);
    assert_true(c->parent == SIZE_MAX);
}

static inline void
comes_with(const struct world *w, const char *unit, const char *parent)
{
    const struct sp_vss_choice *c = choice(w, unit);

    if (c == NULL || c->parent == SIZE_MAX)
        fail_msg("%s does not come with another", unit);
    assert_false(c->added);
    assert_int_equal(c->why, SP_WHY_UNKNOWN);
    assert_string_equal(w->plan.choices[c->parent].unit.name, parent);
    assert_true(w->plan.choices[c->parent].added);
}

static inline void
is_left(const struct world *w, const char *unit, enum sp_why why, const char *detail)
{
    const struct sp_vss_choice *c = choice(w, unit);

    if (c == NULL)
        fail_msg("%s is not told of", unit);
    assert_false(c->added);
    assert_true(c->parent == SIZE_MAX);
    assert_int_equal(c->why, why);
    if (detail != NULL)
        assert_string_equal(c->detail, detail);
    else
        assert_null(c->detail);
}

static inline void
is_none(const struct world *w, const char *unit)
{
    if (choice(w, unit) != NULL)
        fail_msg("%s is told of", unit);
}

#endif
