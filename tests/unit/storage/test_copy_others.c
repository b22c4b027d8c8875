/* Several copies into one target at the same time: a record has the name that it has in the source,
 * so what one of them names another one may have named a moment before. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "copies.h"

struct meeting { /* a copy, and another one that does all of it while the first is in a call */
    struct recorder *target;
    const char *op, *folder, *behind; /* the call: on this folder, once the log has `behind` */
    bool fails;                       /* the call itself fails then */
    bool met;
    size_t log_len;
};

static void
meet(void *arg, const char *op, const char *name)
{
    struct meeting *m = arg;
    struct copied other = {.fail_at = 0};

    if (m->met || strcmp(op, m->op) != 0 || strncmp(name, m->folder, strlen(m->folder)) != 0 ||
        strstr(recorder_log(m->target), m->behind) == NULL)
        return;
    m->met = true;
    m->log_len = strlen(recorder_log(m->target));
    ok(copy_all(&other));
    assert_int_equal(other.t.sets_failed + other.t.sets_refused, 0);
    if (m->fails)
        m->target->fail_at = m->target->calls + 1;
}

/* What the target was asked from the meeting on is in *ret_log. */
static enum sp_code
copy_and_meet(struct meeting *m, struct sp_copy_totals *t, char *ret_log, size_t room)
{
    const struct sp_copy_options o = {.dry_run = false};
    struct sp_repository *from = NULL, *to = NULL;
    struct sp_copy_side f = {.repository = NULL}, at = {.repository = NULL};
    enum sp_code rc;

    ok(place_open(&source, false, "first-from", NULL, &from));
    ok(place_open(&target, true, "first-to", &m->target, &to));
    recorder_reset(m->target);
    m->target->arg = m;
    m->target->before = meet;
    f.repository = from;
    at.repository = to;
    rc = sp_copy(&f, &at, &o, t, &err);
    (void)snprintf(ret_log, room, "%s", recorder_log(m->target) + m->log_len);
    sp_repository_free(to);
    sp_repository_free(from);
    assert_true(m->met);
    return rc;
}

/* Whose naming fails takes nothing away that another one has named, and told to be copied. */
static void
test_failure_takes_nothing(void **state)
{
    static const char *const ops[] = {"publish", "sync"};
    struct made_record r[2];
    struct sp_copy_totals t;
    char log[4096];

    (void)state;
    make_sets(&one, r, 2);
    for (size_t i = 0; i < 2; i++) {
        struct meeting m = {.op = ops[i], .folder = "", .behind = "publish index", .fails = true};

        if (i == 0)
            m.folder = "sets";
        else
            m.behind = "publish sets";
        gives(SP_IO, copy_and_meet(&m, &t, log, sizeof(log)));
        same_sets();
        assert_int_equal(faults(&target), 0);
        place_end(&target);
        place_begin(&target, false);
    }
    free_sets(r, 2);
}

/* The very same record under the very same name: it is copied. */
static void
test_named_meanwhile(void **state)
{
    struct meeting m = {.op = "publish", .folder = "sets", .behind = ""};
    struct made_record r[2];
    struct sp_copy_totals t;
    char log[4096];

    (void)state;
    make_sets(&one, r, 2);
    ok(copy_and_meet(&m, &t, log, sizeof(log)));
    assert_int_equal(t.sets_failed + t.sets_refused, 0);
    same_sets();
    free_sets(r, 2);
}

/* What another one has named and not yet flushed is told to be there behind a barrier of our own.
 */
static void
test_there_behind_a_barrier(void **state)
{
    struct meeting m = {.op = "list", .folder = "sets", .behind = "publish index"};
    struct meeting at_once = {.op = "list", .folder = "sets", .behind = ""};
    struct made_record r[1];
    struct sp_copy_totals t;
    char log[4096];

    (void)state;
    make_sets(&one, r, 1);
    ok(copy_and_meet(&m, &t, log, sizeof(log)));
    assert_null(strstr(log, "publish sets"));
    assert_non_null(strstr(log, "sync"));
    place_end(&target);
    place_begin(&target, false);
    ok(copy_and_meet(&at_once, &t, log, sizeof(log)));
    assert_int_equal(t.sets_there, 1);
    assert_null(strstr(log, "publish sets"));
    assert_non_null(strstr(log, "sync"));
    same_sets();
    free_sets(r, 1);
}

/* A backup of the source goes on meanwhile: its set is copied or not seen, and nothing is missed.
 */
static struct made_record later;

static void
back_up(void *arg, const char *op, const char *name)
{
    bool *done = arg;
    struct sp_id ids[4];

    if (*done || strcmp(op, "list") != 0 || strncmp(name, "sets", 4) != 0)
        return;
    *done = true;
    make_set(one.store, &one.p, "another job", NULL, 3, ids, &later);
}

static void
test_source_goes_on(void **state)
{
    const struct sp_copy_options o = {.dry_run = false};
    struct sp_copy_side f = {.repository = NULL}, at = {.repository = NULL};
    struct sp_repository *from = NULL, *to = NULL;
    struct recorder *recorder = NULL;
    struct sp_copy_totals t;
    struct made_record r[2];
    bool done = false;

    (void)state;
    make_sets(&one, r, 2);
    ok(place_open(&source, false, "first-from", &recorder, &from));
    ok(place_open(&target, true, "first-to", NULL, &to));
    recorder->arg = &done;
    recorder->before = back_up;
    f.repository = from;
    at.repository = to;
    ok(sp_copy(&f, &at, &o, &t, &err));
    assert_true(done);
    assert_int_equal(t.sets_copied, 3);
    assert_int_equal(t.sets_failed + t.damaged, 0);
    sp_repository_free(to);
    sp_repository_free(from);
    same_sets();
    assert_int_equal(faults(&target), 0);
    sp_buf_free(&later.object);
    free_sets(r, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failure_takes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_named_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_there_behind_a_barrier, begin, end),
        cmocka_unit_test_setup_teardown(test_source_goes_on, begin, end),
    };

    return cmocka_run_group_tests_name("copy_others", tests, NULL, NULL);
}
