#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "storage/record_impl.h"
#include "verdicts.h"

/* Verdicts in the sealed part of a set: they come back as they were, and one that is too long is
 * shortened, with a note, and breaks no set. */

static const uint8_t set_id[16] = {5};

static enum sp_code
through(const struct sp_set_sealed *s, struct sp_set_sealed *ret)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc = sp_set_sealed_encode(s, set_id, &b, &err);

    if (rc == SP_OK) {
        assert_true(b.len <= SP_RECORD_MAX_SEALED);
        ok(sp_set_sealed_decode(b.data, b.len, ret, &err));
    }
    sp_buf_free(&b);
    return rc;
}

static void
verdicts_come_back(void **state)
{
    struct draws d = {new_seed()};

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct sp_set_sealed s = {.has_verdict = true}, got = {0};

        s.verdict = verdict_draw(&d, (size_t)draw_below(&d, 12), (size_t)draw_below(&d, 4));
        ok(through(&s, &got));
        assert_true(got.has_verdict);
        verdict_same(&s.verdict, &got.verdict);
        sp_set_sealed_clear(&got);
        sp_set_sealed_clear(&s);
    }
}

static void
none_and_an_empty_one_are_two(void **state)
{
    struct sp_set_sealed s = {.has_verdict = false}, got = {0};

    (void)state;
    ok(through(&s, &got));
    assert_false(got.has_verdict);
    sp_set_sealed_clear(&got);
    s.has_verdict = true;
    ok(through(&s, &got));
    assert_true(got.has_verdict);
    sp_set_sealed_clear(&got);
}

/* Two thousand databases with their files: all of it is kept. */
static void
a_large_one_is_whole(void **state)
{
    struct draws d = {new_seed()};
    struct sp_set_sealed s = {.has_verdict = true}, got = {0};

    (void)state;
    s.verdict = verdict_draw(&d, 2000, 4);
    ok(through(&s, &got));
    verdict_same(&s.verdict, &got.verdict);
    sp_set_sealed_clear(&got);
    sp_set_sealed_clear(&s);
}

static bool
has_note(const struct sp_verdict *v, const char *part)
{
    for (size_t i = 0; i < v->nnotes; i++)
        if (strstr(v->notes[i], "too long for the set's record") != NULL &&
            strstr(v->notes[i], part) != NULL)
            return true;
    return false;
}

static void
events_and_paths_go_first(void **state)
{
    struct draws d = {new_seed()};
    struct sp_set_sealed s = {.has_verdict = true}, got = {0};
    size_t before;

    (void)state;
    s.verdict = verdict_draw(&d, 2000, 9);
    before = s.verdict.nnotes;
    for (int i = 0; i < 900; i++) {
        struct sp_verdict_event *e;

        ok(sp_verdict_add_event(&s.verdict, &e, &err));
        e->text = malloc(2001);
        assert_non_null(e->text);
        memset(e->text, 'x', 2000);
        e->text[2000] = '\0';
    }
    ok(through(&s, &got));
    assert_int_equal(got.verdict.ncomponents, 2000);
    assert_true(got.verdict.nevents < s.verdict.nevents);
    assert_int_equal(got.verdict.nnotes, before + 1);
    assert_true(has_note(&got.verdict, "events"));
    for (size_t i = 0; i < 2000; i++) {
        assert_true(got.verdict.components[i].level == s.verdict.components[i].level);
        assert_string_equal(got.verdict.components[i].unit, s.verdict.components[i].unit);
    }
    sp_set_sealed_clear(&got);
    sp_set_sealed_clear(&s);
}

/* What is dropped last, and from the end: those that are `application`. What stays refers to what
 * it referred to. */
static void
components_go_last(void **state)
{
    struct sp_set_sealed s = {.has_verdict = true}, got = {0};
    const size_t n = 12000;
    bool seen = false;

    (void)state;
    s.verdict.components = calloc(n, sizeof s.verdict.components[0]);
    assert_non_null(s.verdict.components);
    s.verdict.ncomponents = n;
    for (size_t i = 0; i < n; i++) {
        struct sp_verdict_component *c = &s.verdict.components[i];
        char unit[128];

        c->writer = c->parent = c->shadow = SP_NO_INDEX;
        (void)snprintf(
            unit, sizeof unit, "%zu a name that takes some room in a record, for it is long", i);
        c->unit = strdup(unit);
        c->name = strdup(unit);
        c->level = i % 1000 == 999 ? SP_LEVEL_CRASH : SP_LEVEL_APPLICATION;
        if (i % 1000 == 999) {
            c->depends = malloc(2 * sizeof c->depends[0]);
            assert_non_null(c->depends);
            c->depends[c->ndepends++] = 3;
            c->depends[c->ndepends++] = (uint32_t)i - 1;
        }
    }
    ok(through(&s, &got));
    assert_true(got.verdict.ncomponents < SP_VERDICT_MAX_COMPONENTS);
    assert_true(got.verdict.ncomponents > 1000);
    assert_true(has_note(&got.verdict, "components"));
    assert_int_equal(sp_verdict_applications(&got.verdict), SP_LEVEL_CRASH);
    for (size_t i = 0, crash = 0; i < got.verdict.ncomponents; i++) {
        const struct sp_verdict_component *c = &got.verdict.components[i];
        unsigned long number = strtoul(c->unit, NULL, 10);

        if (c->level != SP_LEVEL_CRASH)
            continue;
        assert_int_equal(number, 1000 * ++crash - 1); /* each of them is there */
        assert_true(c->ndepends >= 1);
        assert_int_equal(strtoul(got.verdict.components[c->depends[0]].unit, NULL, 10), 3);
        if (c->ndepends == 2)
            assert_int_equal(
                strtoul(got.verdict.components[c->depends[1]].unit, NULL, 10), number - 1);
        else
            seen = true;
    }
    assert_true(seen);
    sp_set_sealed_clear(&got);
    sp_set_sealed_clear(&s);
}

/* Whatever is in it: a record comes of it. */
static void
nothing_is_too_much(void **state)
{
    struct draws d = {new_seed()};
    struct sp_set_sealed s = {.has_verdict = true}, got = {0};
    char *text = malloc(9001);

    (void)state;
    assert_non_null(text);
    memset(text, 'w', 9000);
    text[9000] = '\0';
    s.verdict = verdict_draw(&d, 30, 1000);
    for (int i = 0; i < 1200; i++) {
        struct sp_verdict_writer *w;
        struct sp_verdict_shadow *shadow;

        ok(sp_verdict_add_writer(&s.verdict, &w, &err));
        w->name = strdup(text);
        w->rule = strdup(text);
        ok(sp_verdict_add_shadow(&s.verdict, &shadow, &err));
        ok(sp_verdict_note(&s.verdict, &err, "%.500s", text));
    }
    s.verdict.components[29].writer = 1100;
    s.verdict.components[29].shadow = 1100;
    ok(through(&s, &got));
    assert_true(has_note(&got.verdict, "writers"));
    assert_true(has_note(&got.verdict, "paths"));
    sp_set_sealed_clear(&got);
    sp_set_sealed_clear(&s);
    free(text);
}

/* A long text ends at the end of a character; one that is no UTF-8 is shown escaped. */
static void
texts_are_cut(void **state)
{
    struct sp_set_sealed s = {.has_verdict = true}, got = {0};
    char text[3 * 2000 + 1];

    (void)state;
    for (size_t i = 0; i < 2000; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3);
    text[6000] = '\0';
    for (size_t shift = 0; shift < 3; shift++) {
        struct sp_verdict_component *c;

        ok(sp_verdict_add_component(&s.verdict, &c, &err));
        c->unit = malloc(shift + sizeof text);
        assert_non_null(c->unit);
        memset(c->unit, 'a', shift);
        memcpy(c->unit + shift, text, sizeof text);
        c->name = strdup("\xff\xfe");
    }
    ok(through(&s, &got));
    for (size_t i = 0; i < 3; i++) {
        const char *unit = got.verdict.components[i].unit;
        size_t n = strlen(unit);

        assert_true(n <= SP_VERDICT_MAX_TEXT && n > SP_VERDICT_MAX_TEXT - 6);
        assert_memory_equal(unit, s.verdict.components[i].unit, n - 3);
        assert_string_equal(unit + n - 3, "\xe2\x80\xa6");
        assert_true(strlen(got.verdict.components[i].name) > 2);
    }
    sp_set_sealed_clear(&got);
    sp_set_sealed_clear(&s);
}

/* The faults take what the verdict leaves. */
static void
faults_come_after_it(void **state)
{
    struct draws d = {new_seed()};
    struct sp_set_sealed s = {.has_verdict = true}, got = {0};

    (void)state;
    s.verdict = verdict_draw(&d, 2000, 2);
    s.nfaults = SP_RECORD_MAX_FAULTS;
    s.faults = calloc(s.nfaults, sizeof s.faults[0]);
    assert_non_null(s.faults);
    for (size_t i = 0; i < s.nfaults; i++) {
        s.faults[i] = (struct sp_fault){malloc(200), 200, SP_FAULT_UNREADABLE, strdup("why")};
        assert_non_null(s.faults[i].key);
        memset(s.faults[i].key, 'k', 200);
    }
    ok(through(&s, &got));
    verdict_same(&s.verdict, &got.verdict);
    assert_true(got.nfaults > 0 && got.nfaults < s.nfaults);
    assert_int_equal(got.faults_total, s.nfaults);
    sp_set_sealed_clear(&got);
    sp_set_sealed_clear(&s);
}

/* What no program of ours makes is not written. */
static void
impossible_ones(void **state)
{
    struct draws d = {new_seed()};

    (void)state;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct sp_set_sealed s = {.has_verdict = true}, got = {0};                                 \
        struct sp_verdict *v = &s.verdict;                                                         \
        struct sp_verdict_writer *w;                                                               \
        struct sp_verdict_shadow *h;                                                               \
        *v = verdict_draw(&d, 6, 1);                                                               \
        ok(sp_verdict_add_writer(v, &w, &err));                                                    \
        ok(sp_verdict_add_shadow(v, &h, &err));                                                    \
        ok(through(&s, &got));                                                                     \
        sp_set_sealed_clear(&got);                                                                 \
        change;                                                                                    \
        gives(SP_INVALID, through(&s, &got));                                                      \
        sp_set_sealed_clear(&s);                                                                   \
    } while (0)
    REFUSED(v->components[2].writer = (uint32_t)v->nwriters);
    REFUSED(v->components[2].parent = 6);
    REFUSED(v->components[2].shadow = (uint32_t)v->nshadows);
    REFUSED(v->components[2].parent = 2);
    REFUSED(v->components[0].parent = 5; v->components[5].parent = 3; v->components[3].parent = 0);
    REFUSED(v->components[0].level = (enum sp_level)4);
    REFUSED(w->level = (enum sp_level)4);
    REFUSED(strcpy(w->class_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3dE"));
    REFUSED(strcpy(w->instance_id, "66841cd4"));
    REFUSED(strcpy(h->id, "66841cd4x6ded-4f4b-8f17-fd23f8ddc3de"));
#undef REFUSED
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_come_back),
        cmocka_unit_test(none_and_an_empty_one_are_two),
        cmocka_unit_test(a_large_one_is_whole),
        cmocka_unit_test(events_and_paths_go_first),
        cmocka_unit_test(components_go_last),
        cmocka_unit_test(nothing_is_too_much),
        cmocka_unit_test(texts_are_cut),
        cmocka_unit_test(faults_come_after_it),
        cmocka_unit_test(impossible_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
