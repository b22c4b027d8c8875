/* Verdicts as plain data: their words, copies that share nothing, and memory that runs out at every
 * place. */

#include "nomem.h"
#include "support.h"

#include "base/verdict.h"

/* --- a full one ------------------------------------------------------------------------------- */

static char *
own(const char *s)
{
    char *copy = strdup(s);

    assert_non_null(copy);
    return copy;
}

static char long_note[5000];

static void
fill(struct sp_verdict *v)
{
    struct sp_verdict_writer *w;
    struct sp_verdict_component *c;
    struct sp_verdict_shadow *s;
    struct sp_verdict_event *event;

    v->vss = v->confirmed = true;
    for (int i = 0; i < 2; i++) {
        assert_ok(sp_verdict_add_writer(v, &w, e));
        (void)snprintf(w->class_id, sizeof w->class_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3d%d", i);
        (void)snprintf(w->instance_id, sizeof w->instance_id, "instance %d", i);
        w->name = own("Microsoft Hyper-V VSS Writer");
        w->instance_name = i == 0 ? NULL : own("second");
        w->rule = i == 0 ? own("a-rule") : NULL;
        for (int k = 0; k < SP_STAGES; k++) {
            w->stages[k] = (struct sp_verdict_status){.asked = true,
                .answered = k != 1,
                .state = (uint32_t)(k + i),
                .hresult = 0x80042300u + (uint32_t)k,
                .app_hresult = 7,
                .app_text = k == 2 ? own("it says") : NULL};
        }
        w->concerned = i == 0;
        w->level = SP_LEVEL_CRASH;
        w->why = SP_WHY_SILENT;
        w->hresult = 0x80042319u;
    }
    for (int i = 0; i < 3; i++) {
        assert_ok(sp_verdict_add_component(v, &c, e));
        assert_int_equal(c->writer, SP_NO_INDEX);
        assert_int_equal(c->parent, SP_NO_INDEX);
        assert_int_equal(c->shadow, SP_NO_INDEX);
        assert_int_equal(c->level, SP_LEVEL_NONE);
        c->writer = 0;
        c->type = 2;
        c->logical_path = own("a\\b");
        c->name = own("name");
        c->caption = own("Online\\web01");
        c->kind = SP_UNIT_VM;
        c->unit = own("web01");
        c->method = own("Online");
        c->version = own("10.0.1");
        c->added = true;
        c->shadow = 0;
        c->failure_known = c->stamped = true;
        c->failure = 1;
        c->app_failure = 2;
        c->failure_text = own("why");
        c->files_live = UINT64_MAX;
        c->level = SP_LEVEL_APPLICATION;
        c->why = SP_WHY_TOOK_PART;
        c->hresult = 3;
        c->detail = own("C:\\a");
        if (i == 0)
            continue;
        assert_non_null(c->depends = malloc(2 * sizeof *c->depends));
        c->depends[0] = 0;
        c->depends[1] = 2;
        c->ndepends = 2;
        assert_non_null(c->paths = calloc(2, sizeof *c->paths));
        c->paths[0] = own("C:\\a\\b.vhdx");
        c->paths[1] = own("D:\\c");
        c->npaths = 2;
    }
    assert_ok(sp_verdict_add_shadow(v, &s, e));
    *s = (struct sp_verdict_shadow){"0123", 5, 6, 7, 8, 5, true, 9};
    assert_ok(sp_verdict_add_event(v, &event, e));
    *event = (struct sp_verdict_event){11, own("System"), own("VolSnap"), own("text"), 25, 2};
    assert_ok(sp_verdict_note(v, e, "%s %d", "note", 1));
    memset(long_note, 'x', sizeof long_note - 1);
    assert_ok(sp_verdict_note(v, e, "%s", long_note));
}

static void
same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        assert_ptr_equal(a, b);
        return;
    }
    assert_ptr_not_equal(a, b);
    assert_string_equal(a, b);
}

static void
same(const struct sp_verdict *a, const struct sp_verdict *b)
{
    assert_int_equal(a->vss, b->vss);
    assert_int_equal(a->confirmed, b->confirmed);
    assert_int_equal(a->nwriters, b->nwriters);
    assert_int_equal(a->ncomponents, b->ncomponents);
    assert_int_equal(a->nshadows, b->nshadows);
    assert_int_equal(a->nevents, b->nevents);
    assert_int_equal(a->nnotes, b->nnotes);
    for (size_t i = 0; i < a->nwriters; i++) {
        const struct sp_verdict_writer *x = &a->writers[i], *y = &b->writers[i];

        assert_string_equal(x->class_id, y->class_id);
        assert_string_equal(x->instance_id, y->instance_id);
        same_text(x->name, y->name);
        same_text(x->instance_name, y->instance_name);
        same_text(x->rule, y->rule);
        for (int k = 0; k < SP_STAGES; k++) {
            assert_int_equal(x->stages[k].asked, y->stages[k].asked);
            assert_int_equal(x->stages[k].answered, y->stages[k].answered);
            assert_int_equal(x->stages[k].state, y->stages[k].state);
            assert_int_equal(x->stages[k].hresult, y->stages[k].hresult);
            assert_int_equal(x->stages[k].app_hresult, y->stages[k].app_hresult);
            same_text(x->stages[k].app_text, y->stages[k].app_text);
        }
        assert_int_equal(x->concerned, y->concerned);
        assert_int_equal(x->level, y->level);
        assert_int_equal(x->why, y->why);
        assert_int_equal(x->hresult, y->hresult);
    }
    for (size_t i = 0; i < a->ncomponents; i++) {
        const struct sp_verdict_component *x = &a->components[i], *y = &b->components[i];

        assert_int_equal(x->writer, y->writer);
        assert_int_equal(x->type, y->type);
        same_text(x->logical_path, y->logical_path);
        same_text(x->name, y->name);
        same_text(x->caption, y->caption);
        assert_int_equal(x->kind, y->kind);
        same_text(x->unit, y->unit);
        same_text(x->method, y->method);
        same_text(x->version, y->version);
        assert_int_equal(x->added, y->added);
        assert_int_equal(x->parent, y->parent);
        assert_int_equal(x->ndepends, y->ndepends);
        for (size_t k = 0; k < x->ndepends; k++)
            assert_int_equal(x->depends[k], y->depends[k]);
        assert_true(x->ndepends == 0 || x->depends != y->depends);
        assert_int_equal(x->shadow, y->shadow);
        assert_int_equal(x->failure_known, y->failure_known);
        assert_int_equal(x->failure, y->failure);
        assert_int_equal(x->app_failure, y->app_failure);
        same_text(x->failure_text, y->failure_text);
        assert_int_equal(x->stamped, y->stamped);
        assert_true(x->files_live == y->files_live);
        assert_int_equal(x->npaths, y->npaths);
        for (size_t k = 0; k < x->npaths; k++)
            same_text(x->paths[k], y->paths[k]);
        assert_int_equal(x->level, y->level);
        assert_int_equal(x->why, y->why);
        assert_int_equal(x->hresult, y->hresult);
        same_text(x->detail, y->detail);
    }
    for (size_t i = 0; i < a->nshadows; i++)
        assert_memory_equal(&a->shadows[i], &b->shadows[i], sizeof a->shadows[i]);
    for (size_t i = 0; i < a->nevents; i++) {
        assert_int_equal(a->events[i].at_ns, b->events[i].at_ns);
        same_text(a->events[i].log, b->events[i].log);
        same_text(a->events[i].source, b->events[i].source);
        same_text(a->events[i].text, b->events[i].text);
        assert_int_equal(a->events[i].id, b->events[i].id);
        assert_int_equal(a->events[i].severity, b->events[i].severity);
    }
    for (size_t i = 0; i < a->nnotes; i++)
        same_text(a->notes[i], b->notes[i]);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
a_copy_has_all_and_shares_nothing(void **state)
{
    struct sp_verdict v = {0}, copy, empty = {0};

    (void)state;
    fill(&v);
    memset(&copy, 0xA5, sizeof copy);
    assert_ok(sp_verdict_copy(&v, &copy, e));
    same(&v, &copy);
    assert_string_equal(copy.notes[0], "note 1");
    assert_int_equal(strlen(copy.notes[1]), sizeof long_note - 1);
    sp_verdict_clear(&v);
    assert_memory_equal(&v, &empty, sizeof v);
    sp_verdict_clear(&v);
    sp_verdict_clear(&copy);
    assert_ok(sp_verdict_copy(&empty, &copy, e));
    assert_memory_equal(&copy, &empty, sizeof v);
}

static void
a_copy_without_memory_says_so(void **state)
{
    struct sp_verdict v = {0}, copy, untouched;
    unsigned failures = 0;

    (void)state;
    fill(&v);
    memset(&copy, 0xA5, sizeof copy);
    memset(&untouched, 0xA5, sizeof untouched);
    for (int n = 1;; n++) {
        struct sp_err err = {0};
        enum sp_code rc;

        assert_true(n < 1000);
        nomem_at(n);
        rc = sp_verdict_copy(&v, &copy, &err);
        if (!nomem_came()) {
            assert_int_equal(rc, SP_OK);
            break;
        }
        assert_int_equal(rc, SP_NOMEM);
        assert_int_equal(err.code, SP_NOMEM);
        assert_memory_equal(&copy, &untouched, sizeof copy);
        failures++;
    }
    assert_true(failures > 40);
    same(&v, &copy);
    sp_verdict_clear(&copy);
    sp_verdict_clear(&v);
}

static void
what_cannot_be_added_changes_nothing(void **state)
{
    struct sp_verdict v = {0};
    struct sp_verdict_writer *w = NULL;
    struct sp_verdict_component *c = NULL;
    struct sp_verdict_shadow *s = NULL;
    struct sp_verdict_event *event = NULL;

    (void)state;
    for (int round = 0; round < 2; round++) {
        size_t n = v.nwriters;

        nomem_at(1);
        assert_code(SP_NOMEM, sp_verdict_add_writer(&v, &w, e));
        nomem_at(1);
        assert_code(SP_NOMEM, sp_verdict_add_component(&v, &c, e));
        nomem_at(1);
        assert_code(SP_NOMEM, sp_verdict_add_shadow(&v, &s, e));
        nomem_at(1);
        assert_code(SP_NOMEM, sp_verdict_add_event(&v, &event, e));
        for (int i = 1; i <= 2; i++) {
            nomem_at(i);
            assert_code(SP_NOMEM, sp_verdict_note(&v, e, "note"));
        }
        assert_true(v.nwriters == n && v.ncomponents == 3 * (n / 2) && v.nshadows == n / 2);
        assert_true(v.nevents == n / 2 && v.nnotes == n);
        if (round == 0)
            fill(&v);
    }
    sp_verdict_clear(&v);
}

static void
the_weakest_level_counts(void **state)
{
    static const struct {
        enum sp_level a, b, want;
    } rows[] = {
        {SP_LEVEL_NONE, SP_LEVEL_NONE, SP_LEVEL_NONE},
        {SP_LEVEL_NONE, SP_LEVEL_LIVE, SP_LEVEL_LIVE},
        {SP_LEVEL_APPLICATION, SP_LEVEL_NONE, SP_LEVEL_APPLICATION},
        {SP_LEVEL_APPLICATION, SP_LEVEL_CRASH, SP_LEVEL_CRASH},
        {SP_LEVEL_LIVE, SP_LEVEL_CRASH, SP_LEVEL_LIVE},
        {SP_LEVEL_APPLICATION, SP_LEVEL_APPLICATION, SP_LEVEL_APPLICATION},
    };
    struct sp_verdict empty = {0};

    (void)state;
    assert_int_equal(sp_verdict_applications(&empty), SP_LEVEL_NONE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_verdict_component c[2] = {{.level = rows[i].a}, {.level = rows[i].b}};
        struct sp_verdict v = {.components = c, .ncomponents = 2};

        assert_int_equal(sp_verdict_applications(&v), rows[i].want);
    }
}

static void
words(void **state)
{
    /* Numbers are part of the format: written out here, never changed. */
    static const struct {
        int why;
        const char *word;
    } whys[] = {{0, "unknown"}, {1, "took-part"}, {2, "evidence"}, {3, "rule"}, {10, "stable"},
        {11, "writer-failed"}, {12, "component-failed"}, {13, "partial-unknown"}, {14, "silent"},
        {15, "method"}, {16, "complete-failed"}, {17, "partly-outside"}, {18, "no-writer"},
        {19, "not-chosen"}, {20, "dependency"}, {21, "unexpected-state"}, {22, "unfinished"},
        {30, "no-shadow"}, {31, "not-asked"}, {40, "left-out"}, {23, "unknown"}, {999, "unknown"}};
    static const char *const kinds[] = {
        "other", "vm", "database", "mailboxes", "system", "host", "document", "other"};
    static const char *const levels[] = {"none", "live", "crash", "application", "unknown"};
    enum sp_level l = SP_LEVEL_NONE;

    (void)state;
    for (size_t i = 0; i < sizeof whys / sizeof whys[0]; i++)
        assert_string_equal(sp_why_word((enum sp_why)whys[i].why), whys[i].word);
    for (int i = 0; i < 8; i++)
        assert_string_equal(sp_unit_kind_word((enum sp_unit_kind)i), kinds[i]);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(sp_level_word((enum sp_level)i), levels[i]);
        l = SP_LEVEL_NONE;
        assert_int_equal(sp_level_parse(levels[i], &l), i >= 1 && i <= 3);
        assert_int_equal(l, i >= 1 && i <= 3 ? i : 0);
    }
    assert_false(sp_level_parse("", &l));
    assert_false(sp_level_parse("Application", &l));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_all_and_shares_nothing),
        cmocka_unit_test(a_copy_without_memory_says_so),
        cmocka_unit_test(what_cannot_be_added_changes_nothing),
        cmocka_unit_test(the_weakest_level_counts),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
