#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"
#include "verdicts.h"

static char *
words(struct draws *d)
{
    char *s;

    if (draw_below(d, 4) == 0)
        return NULL; /* not known */
    s = malloc(64);
    assert_non_null(s);
    (void)snprintf(s, 64, "wörter %llx", (unsigned long long)(draw(d) >> draw_below(d, 60)));
    return s;
}

static char *
some_words(struct draws *d)
{
    char *s;

    while ((s = words(d)) == NULL)
        ;
    return s;
}

static void
uuid_draw(struct draws *d, char to[37])
{
    uint64_t a = draw(d), b = draw(d);

    (void)snprintf(to, 37, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
        (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xffff, (unsigned)(b >> 48),
        (unsigned long long)(b & 0xffffffffffff));
}

static uint32_t
index_draw(struct draws *d, size_t n)
{
    return n == 0 || draw_below(d, 3) == 0 ? SP_NO_INDEX : (uint32_t)draw_below(d, n);
}

static enum sp_why
why_draw(struct draws *d)
{
    static const enum sp_why whys[] = {SP_WHY_UNKNOWN, SP_WHY_TOOK_PART, SP_WHY_RULE, SP_WHY_STABLE,
        SP_WHY_UNFINISHED, SP_WHY_NOT_ASKED, SP_WHY_LEFT_OUT};

    return whys[draw_below(d, sizeof whys / sizeof whys[0])];
}

static void
writer_draw(struct draws *d, struct sp_verdict_writer *w)
{
    uuid_draw(d, w->class_id);
    if (draw_below(d, 2) == 0)
        uuid_draw(d, w->instance_id);
    w->name = words(d);
    w->instance_name = words(d);
    for (int i = 0; i < SP_STAGES; i++) {
        if (draw_below(d, 3) == 0)
            continue;
        w->stages[i] = (struct sp_verdict_status){true, draw_below(d, 2) == 0, (uint32_t)draw(d),
            (uint32_t)draw(d), (uint32_t)draw(d), words(d)};
    }
    w->concerned = draw_below(d, 2) == 0;
    w->rule = words(d);
    w->level = (enum sp_level)draw_below(d, 4);
    w->why = why_draw(d);
    w->hresult = (uint32_t)draw(d);
}

static void
component_draw(
    struct draws *d, const struct sp_verdict *v, struct sp_verdict_component *c, size_t npaths)
{
    c->writer = index_draw(d, v->nwriters);
    c->type = (uint32_t)draw_below(d, 3);
    c->logical_path = words(d);
    c->name = words(d);
    c->caption = words(d);
    c->kind = (enum sp_unit_kind)draw_below(d, SP_UNIT_DOCUMENT + 1);
    c->unit = some_words(d);
    c->method = words(d);
    c->version = words(d);
    c->added = draw_below(d, 2) == 0;
    c->parent = index_draw(d, v->ncomponents - 1); /* one before it */
    c->ndepends = (size_t)draw_below(d, 4);
    c->depends = malloc((c->ndepends + 1) * sizeof c->depends[0]);
    assert_non_null(c->depends);
    for (size_t i = 0; i < c->ndepends; i++)
        c->depends[i] = (uint32_t)draw_below(d, v->ncomponents);
    c->shadow = index_draw(d, v->nshadows);
    c->failure_known = draw_below(d, 2) == 0;
    c->failure = (uint32_t)draw(d);
    c->app_failure = (uint32_t)draw(d);
    c->failure_text = words(d);
    c->stamped = draw_below(d, 2) == 0;
    c->files_live = draw(d);
    c->npaths = npaths;
    c->paths = calloc(npaths + 1, sizeof(char *));
    assert_non_null(c->paths);
    for (size_t i = 0; i < npaths; i++)
        c->paths[i] = some_words(d);
    c->level = (enum sp_level)draw_below(d, 4);
    c->why = why_draw(d);
    c->hresult = (uint32_t)draw(d);
    c->detail = words(d);
}

struct sp_verdict
verdict_draw(struct draws *d, size_t ncomponents, size_t npaths)
{
    struct sp_verdict v = {.vss = draw_below(d, 2) == 0, .confirmed = draw_below(d, 2) == 0};

    for (size_t n = (size_t)draw_below(d, 5); n > 0; n--) {
        struct sp_verdict_writer *w;

        ok(sp_verdict_add_writer(&v, &w, &err));
        writer_draw(d, w);
    }
    for (size_t n = (size_t)draw_below(d, 3); n > 0; n--) {
        struct sp_verdict_shadow *s;

        ok(sp_verdict_add_shadow(&v, &s, &err));
        uuid_draw(d, s->id);
        s->instant_ns = (int64_t)draw(d);
        s->took_ns = draw(d);
        s->attempts = (uint32_t)draw_below(d, 5);
        s->retried_for = (uint32_t)draw(d);
        s->backup_type = (uint32_t)draw_below(d, 7);
        s->completed = draw_below(d, 2) == 0;
        s->complete_hresult = (uint32_t)draw(d);
    }
    for (size_t i = 0; i < ncomponents; i++) {
        struct sp_verdict_component *c;

        ok(sp_verdict_add_component(&v, &c, &err));
        component_draw(d, &v, c, npaths);
    }
    for (size_t n = (size_t)draw_below(d, 4); n > 0; n--) {
        struct sp_verdict_event *e;

        ok(sp_verdict_add_event(&v, &e, &err));
        *e = (struct sp_verdict_event){(int64_t)draw(d), words(d), words(d), words(d),
            (uint32_t)draw(d), (uint32_t)draw_below(d, 5)};
    }
    for (size_t n = (size_t)draw_below(d, 4); n > 0; n--)
        ok(sp_verdict_note(&v, &err, "note %llu", (unsigned long long)draw(d)));
    return v;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void
same_text(const char *a, const char *b)
{
    assert_string_equal(a != NULL ? a : "", b != NULL ? b : "");
}

static void
same_writer(const struct sp_verdict_writer *a, const struct sp_verdict_writer *b)
{
    same_text(a->class_id, b->class_id);
    same_text(a->instance_id, b->instance_id);
    same_text(a->name, b->name);
    same_text(a->instance_name, b->instance_name);
    for (int i = 0; i < SP_STAGES; i++) {
        const struct sp_verdict_status *x = &a->stages[i], *y = &b->stages[i];

        assert_true(x->asked == y->asked && x->answered == y->answered && x->state == y->state);
        assert_true(x->hresult == y->hresult && x->app_hresult == y->app_hresult);
        same_text(x->app_text, y->app_text);
    }
    assert_true(a->concerned == b->concerned && a->level == b->level && a->why == b->why);
    assert_int_equal(a->hresult, b->hresult);
    same_text(a->rule, b->rule);
}

static void
same_component(const struct sp_verdict_component *a, const struct sp_verdict_component *b)
{
    assert_true(a->writer == b->writer && a->type == b->type && a->kind == b->kind);
    same_text(a->logical_path, b->logical_path);
    same_text(a->name, b->name);
    same_text(a->caption, b->caption);
    assert_non_null(b->unit);
    same_text(a->unit, b->unit);
    same_text(a->method, b->method);
    same_text(a->version, b->version);
    assert_true(a->added == b->added && a->parent == b->parent && a->shadow == b->shadow);
    assert_int_equal(a->ndepends, b->ndepends);
    for (size_t i = 0; i < a->ndepends; i++)
        assert_int_equal(a->depends[i], b->depends[i]);
    assert_true(a->failure_known == b->failure_known && a->failure == b->failure);
    assert_true(a->app_failure == b->app_failure && a->stamped == b->stamped);
    same_text(a->failure_text, b->failure_text);
    assert_true(a->files_live == b->files_live);
    assert_int_equal(a->npaths, b->npaths);
    for (size_t i = 0; i < a->npaths; i++)
        same_text(a->paths[i], b->paths[i]);
    assert_true(a->level == b->level && a->why == b->why && a->hresult == b->hresult);
    same_text(a->detail, b->detail);
}

void
verdict_same(const struct sp_verdict *a, const struct sp_verdict *b)
{
    assert_true(a->vss == b->vss && a->confirmed == b->confirmed);
    assert_int_equal(a->nwriters, b->nwriters);
    for (size_t i = 0; i < a->nwriters; i++)
        same_writer(&a->writers[i], &b->writers[i]);
    assert_int_equal(a->ncomponents, b->ncomponents);
    for (size_t i = 0; i < a->ncomponents; i++)
        same_component(&a->components[i], &b->components[i]);
    assert_int_equal(a->nshadows, b->nshadows);
    for (size_t i = 0; i < a->nshadows; i++) {
        const struct sp_verdict_shadow *x = &a->shadows[i], *y = &b->shadows[i];

        same_text(x->id, y->id);
        assert_true(x->instant_ns == y->instant_ns && x->took_ns == y->took_ns);
        assert_true(x->attempts == y->attempts && x->retried_for == y->retried_for);
        assert_true(x->backup_type == y->backup_type && x->completed == y->completed);
        assert_int_equal(x->complete_hresult, y->complete_hresult);
    }
    assert_int_equal(a->nevents, b->nevents);
    for (size_t i = 0; i < a->nevents; i++) {
        const struct sp_verdict_event *x = &a->events[i], *y = &b->events[i];

        same_text(x->log, y->log);
        same_text(x->source, y->source);
        same_text(x->text, y->text);
        assert_true(x->at_ns == y->at_ns && x->id == y->id && x->severity == y->severity);
    }
    assert_int_equal(a->nnotes, b->nnotes);
    for (size_t i = 0; i < a->nnotes; i++)
        same_text(a->notes[i], b->notes[i]);
}
