/* Lies about blocks: what the server has, and what it gives. */

#include "hostile_server.h"

#include "client/cli.h"
#include "client/content_check.h"

void
test_truth(void **state)
{
    struct liar *l = *state;
    struct outcome o;
    struct site_sets sets;
    struct restored r;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    site_assert_equal(&l->site);
    sets = site_sets(&l->site);
    restore(l, &sets.newest.root, &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.stats.faults, 0);
}

/* It says that it has what it never had. An honest commit names it; one that lies, too, is found
 * out by whoever reads: restore and verify say it, and give out nothing else. */
void
test_has_what_it_has_not(void **state)
{
    struct liar *l = *state;
    struct outcome o;
    struct restored r;
    struct sp_set set;

    tell_lie(l, HAVE_ALL);
    site_run(&l->site, "it has all", &o);
    assert_true(o.code != SP_OK);
    assert_true(o.err.text[0] != '\0');
    assert_int_equal(site_sets(&l->site).sets, 0);
    for (int i = 0; i < 2; i++) {
        reconnect(l);
        site_drop_cache(&l->site);
        tell_lie(l, i == 0 ? HAVE_ALL_COMMIT : FORGET_PUTS);
        site_run(&l->site, "it published", &o);
        if (o.code != SP_OK)
            continue;
        assert_ok(sp_set_record_decode(l->old_head.data, l->old_head.len, &set, e));
        tell_lie(l, TRUTH);
        restore(l, &set.root, &r);
        if (r.code == SP_OK && r.stats.faults == 0)
            fail_msg("what the server never had was restored?");
        assert_int_equal(site_sets(&l->site).sets, 0);
    }
    /* The next run with a server that tells the truth has everything. */
    reconnect(l);
    site_drop_cache(&l->site);
    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth after lies", &o);
    site_assert_equal(&l->site);
}

/* A member's chunk is believed only when it was fetched and opened. */
void
test_members_that_are_none(void **state)
{
    struct liar *l = *state;
    struct outcome o;

    tell_lie(l, HAVE_MEMBERS_ALL);
    site_run_well(&l->site, "members have it", &o);
    site_assert_equal(&l->site);
}

void
test_members_of_noise(void **state)
{
    struct liar *l = *state;
    struct outcome o;

    tell_lie(l, HAVE_MEMBERS_NOISE);
    site_run_well(&l->site, "members have noise", &o);
    site_assert_equal(&l->site);
}

void
test_nonsense(void **state)
{
    static const struct {
        enum lie lie;
        const char *part;
    } rows[] = {
        {HAVE_NONSENSE, "an answer that a Have does not have"},
        {ACK_TOO_MUCH, "an acknowledgement of blocks that were not put"},
        {ACK_BACKWARDS, "an acknowledgement of blocks that were not put"},
    };
    struct liar *l = *state;
    struct outcome o;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_random_file(&l->site, "two", 20000, 100 + i); /* something to put */
        tell_lie(l, rows[i].lie);
        site_run(&l->site, "nonsense", &o);
        ends_with(&o, SP_PROTOCOL, rows[i].part);
        assert_int_equal(exit_of(o.code, o.err.domain), SP_EXIT_FAILED);
        reconnect(l);
    }
}

void
test_gives_something_else(void **state)
{
    static const enum lie lies[] = {GET_FLIPPED, GET_OTHER, GET_NOTHING, GET_HALF};
    struct liar *l = *state;
    struct outcome o;
    struct restored r;
    struct sp_id root;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    root = site_sets(&l->site).newest.root;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        tell_lie(l, lies[i]);
        restore(l, &root, &r);
        if (r.code == SP_OK && r.stats.faults == 0 && lies[i] != GET_OTHER &&
            lies[i] != GET_FLIPPED)
            fail_msg("lie %d was not noticed", (int)lies[i]);
        if (r.code != SP_OK)
            assert_true(r.err.text[0] != '\0');
        reconnect(l);
    }
    tell_lie(l, TRUTH); /* and nothing of it is remembered */
    restore(l, &root, &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.stats.faults, 0);
}

void
test_gives_too_much(void **state)
{
    static const struct {
        enum lie lie;
        const char *part;
    } rows[] = {
        {GET_TWICE, "more than was asked for"},
        {GET_OUTSIDE, "not asked for"},
    };
    struct liar *l = *state;
    struct outcome o;
    struct restored r;
    struct sp_id root;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    root = site_sets(&l->site).newest.root;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tell_lie(l, rows[i].lie);
        restore(l, &root, &r);
        if (r.code != SP_PROTOCOL || strstr(r.err.text, rows[i].part) == NULL)
            fail_msg("%s: %s", sp_code_word(r.code), r.err.text);
        reconnect(l);
    }
}
