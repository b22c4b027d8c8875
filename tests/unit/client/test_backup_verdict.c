/* What a run is asked about consistency: it sees each file once, and has the last word before the
 * commit. */

#include <stdio.h>
#include <string.h>

#include "tests/unit/client/site.h"

struct witness {
    struct sp_backup_events events;
    char seen[512]; /* names, each with a blank behind it */
    unsigned asked;
    bool refuse;
    struct sp_verdict verdict;
    struct site *site;
    size_t sets_then;
};

static void
see(void *arg, const void *key, size_t n)
{
    struct witness *w = arg;
    size_t at = strlen(w->seen);

    (void)snprintf(w->seen + at, sizeof w->seen - at, "%.*s ", (int)n, (const char *)key);
}

static enum sp_code
before_commit(void *arg, const struct sp_verdict **ret_verdict, enum sp_level *ret_applications,
    enum sp_level *ret_files, struct sp_err *e)
{
    struct witness *w = arg;

    w->asked++;
    w->sets_then = site_sets(w->site).sets;
    if (w->refuse)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW, "below what is demanded");
    *ret_verdict = &w->verdict;
    *ret_applications = SP_LEVEL_APPLICATION;
    *ret_files = SP_LEVEL_CRASH;
    return SP_OK;
}

static void
start(struct site *s, struct witness *w)
{
    site_new(s, false);
    *w = (struct witness){.events = {.seen = see, .before_commit = before_commit}, .site = s};
    w->events.arg = w;
    w->verdict.vss = true;
    s->more = &w->events;
    site_file(s, "a", "one", 3);
    site_file(s, "b", "two", 3);
    tree_symlink(&s->tree, "files/link", "a");
    tree_dir(&s->tree, "files/nothing in it");
}

static void
test_seen_and_said(void **state)
{
    struct site s;
    struct witness w;
    struct outcome o;
    struct site_sets sets;

    (void)state;
    start(&s, &w);
    site_run_well(&s, "first", &o);
    assert_string_equal(w.seen, "a b ");
    assert_int_equal(w.asked, 1);
    assert_int_equal(w.sets_then, 0);
    sets = site_sets(&s);
    assert_int_equal(sets.newest.applications, SP_LEVEL_APPLICATION);
    assert_int_equal(sets.newest.files_level, SP_LEVEL_CRASH);

    /* What is reused is in the set as well. */
    w.seen[0] = '\0';
    site_run_well(&s, "second", &o);
    assert_int_equal(o.result.stats.files_unchanged, 2);
    assert_string_equal(w.seen, "a b ");
    assert_int_equal(w.sets_then, 1);
    site_free(&s);
}

static void
test_the_last_word(void **state)
{
    struct site s;
    struct witness w;
    struct outcome o;

    (void)state;
    start(&s, &w);
    w.refuse = true;
    site_run(&s, "refused", &o);
    assert_int_equal(o.code, SP_UNSUPPORTED);
    assert_string_equal(o.err.text, "below what is demanded");
    assert_int_equal(site_sets(&s).sets, 0);
    w.refuse = false;
    site_run_well(&s, "then", &o);
    assert_int_equal(site_sets(&s).sets, 1);
    site_free(&s);
}

struct loss {
    struct site *s;
    bool soon, done;
};

static void
commit_begins(void *arg, enum wrap_call call, size_t nth)
{
    struct loss *l = arg;

    if (call == WRAP_COMMIT && nth == 1)
        l->soon = true;
}

/* What was put is in packs by then, and the commit is about to look what is there. */
static void
commit_lists(void *arg, const char *op, const char *name)
{
    struct loss *l = arg;

    if (l->soon && !l->done && strcmp(op, "list") == 0 && strncmp(name, "packs", 5) == 0) {
        l->done = true;
        assert_true(site_lose(l->s, "packs", SIZE_MAX) > 0);
    }
}

/* The commit names what is missing: the next pass asks again, and sees nothing twice. */
static void
test_another_pass(void **state)
{
    struct site s;
    struct witness w;
    struct outcome o;
    struct loss l = {.s = &s};

    (void)state;
    start(&s, &w);
    s.wrap.before = commit_begins;
    s.wrap.arg = &l;
    s.recorder->before = commit_lists;
    s.recorder->arg = &l;
    site_run(&s, "lost while it is committed", &o);
    assert_true(l.done);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(w.asked, 2);
    assert_string_equal(w.seen, "a b ");
    assert_int_equal(site_sets(&s).newest.applications, SP_LEVEL_APPLICATION);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seen_and_said),
        cmocka_unit_test(test_the_last_word), cmocka_unit_test(test_another_pass)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
