/* How often a run waits for a store far away (tests/conformance/far.h): rounds, not seconds. */

#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/restore.h"
#include "storage/repository.h"
#include "tests/unit/base/support.h"
#include "tests/conformance/far.h"

#define MIB ((size_t)1 << 20)
#define AHEAD (4 * MIB)
#define PER_ROUND 625000u /* 100 Mbit/s at 50 ms */

struct world {
    struct site s;
    struct far *far;
};

/* For people: FAR_TRACE=1 tells what is waited for. */
static void
trace(void *arg, const char *op, const char *name)
{
    const struct far *f = arg;

    print_message("  %6.1f %s %s\n", (double)f->latest / FAR_ROUND, op, name);
}

static void
begin(struct world *w, uint32_t pack_size)
{
    memset(w, 0, sizeof *w);
    site_new(&w->s, false);
    if (pack_size > 0) {
        w->s.pack_size = pack_size;
        site_renew(&w->s);
    }
    w->far = far_new(w->s.below, AHEAD);
    w->s.below = &w->far->head;
    w->far->arg = w->far;
    if (getenv("FAR_TRACE") != NULL)
        w->far->before = trace;
    w->s.deadline_s = 300;
    site_reopen(&w->s);
}

static void
end(struct world *w)
{
    site_free(&w->s);
}

/* A store as a program opens it that only reads; `cache` is local. */
static struct sp_store *
reader(struct world *w, const char *cache, struct recorder **ret)
{
    struct recorder *recorder = recorder_new(w->s.below);
    char *folder = tree_path(&w->s.tree, cache);
    const struct sp_repository_options o = {.cache_dir = folder, .host = w->s.host.id};
    struct sp_repository *r = NULL;
    struct sp_store *store = NULL;

    assert_ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, e));
    assert_ok(
        sp_store_repository_new(r, "test", w->s.host.id, sp_keys_group(w->s.keys), &store, e));
    free(folder);
    if (ret != NULL)
        *ret = recorder;
    return store;
}

/* As the program does it: open, look whether this host is known, run, close. */
static size_t
run(struct world *w, const char *what)
{
    struct outcome o;
    uint8_t *p = NULL;
    size_t n, open, rounds;

    far_reset(w->far);
    site_reopen(&w->s);
    assert_ok(sp_store_host(w->s.repository, w->s.host.id, &p, &n, e));
    free(p);
    open = far_rounds(w->far);
    site_run_well(&w->s, what, &o);
    sp_store_free(w->s.repository);
    rounds = far_rounds(w->far);
    w->s.repository = NULL;
    wrap_clear(&w->s.wrap);
    w->s.opens = 0;
    print_message(
        "%-28s %4zu rounds (open %zu), %zu calls, %zu listings, %zu publishes, %llu bytes read\n",
        what, rounds, open, w->far->calls, w->far->lists, w->far->publishes,
        (unsigned long long)w->far->bytes);
    return rounds;
}

static enum sp_code
count_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    (void)e;
    if (i->record_len > 0)
        ++*(size_t *)arg;
    return SP_OK;
}

static enum sp_code
no_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)arg;
    (void)e;
    fail_msg("%s: %s", f->object, f->text);
    return SP_OK;
}

static size_t
list_sets(struct world *w, const char *cache, size_t *ret_sets)
{
    struct sp_store *store;
    uint8_t *p = NULL;
    size_t n, rounds;

    far_reset(w->far);
    store = reader(w, cache, NULL);
    assert_ok(sp_store_host(store, w->s.host.id, &p, &n, e)); /* whose signatures they have */
    free(p);
    assert_ok(sp_store_list(store, false, false, count_set, ret_sets, e));
    sp_store_free(store);
    rounds = far_rounds(w->far);
    print_message("list of %zu sets              %4zu rounds, %zu calls, %zu listings\n", *ret_sets,
        rounds, w->far->calls, w->far->lists);
    return rounds;
}

static size_t
check(struct world *w, const char *cache, enum sp_check_depth depth)
{
    const struct sp_check_options o = {.depth = depth};
    struct sp_check_totals t;
    struct sp_store *store;
    size_t rounds;

    far_reset(w->far);
    store = reader(w, cache, NULL);
    assert_ok(sp_store_check(store, &o, no_finding, NULL, &t, e));
    sp_store_free(store);
    rounds = far_rounds(w->far);
    print_message(
        "check of %llu packs, %llu sets   %4zu rounds, %zu calls, %zu listings, %llu bytes read\n",
        (unsigned long long)t.packs, (unsigned long long)t.sets, rounds, w->far->calls,
        w->far->lists, (unsigned long long)w->far->bytes);
    return rounds;
}

/* Sets of a job, each with a file more. */
static void
make_sets(struct world *w, size_t n)
{
    char name[32];

    for (size_t i = 0; i < n; i++) {
        struct outcome o;

        (void)snprintf(name, sizeof name, "day%02zu", i);
        site_random_file(&w->s, name, 3000, 77 + i);
        site_run_well(&w->s, name, &o);
    }
}

static void
a_day(void **state)
{
    struct world w;
    size_t first, nothing, changed;

    (void)state;
    begin(&w, 0);
    site_many(&w.s, "many", 600, 3000);
    site_random_file(&w.s, "large", 5 * MIB, 9);
    first = run(&w, "first");
    /* The folders above are in the set as well, and others make files there: then there is a new
     * node. */
    for (size_t i = 0; i < 8; i++) {
        nothing = run(&w, "nothing changed");
        assert_in_range(nothing, 1, w.far->publishes == 1 ? 25 : 60);
        if (w.far->publishes == 1)
            break;
    }
    site_random_file(&w.s, "many/000/00003", 3000, 78);
    site_random_file(&w.s, "new", 3000, 79);
    changed = run(&w, "little changed");
    assert_in_range(changed, 1, 60);
    assert_in_range(first, 1, 100);
    end(&w);
}

static void
many_sets(void **state)
{
    struct world w;
    size_t sets = 0, again = 0;

    (void)state;
    begin(&w, 0);
    site_many(&w.s, "many", 600, 3000);
    make_sets(&w, 20);
    assert_in_range(list_sets(&w, "elsewhere", &sets), 1, 12);
    assert_int_equal(sets, 20);
    assert_in_range(list_sets(&w, "elsewhere", &again), 1, 12);
    end(&w);
}

static void
many_packs(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 1u << 18);
    site_random_file(&w.s, "large", 45 * MIB, 9);
    make_sets(&w, 20);
    assert_in_range(check(&w, "elsewhere", SP_CHECK_STRUCTURE), 1, 30);
    assert_in_range(check(&w, "elsewhere", SP_CHECK_STRUCTURE), 1, 30);
    w.far->per_round = PER_ROUND;
    (void)check(&w, "elsewhere", SP_CHECK_DATA);
    end(&w);
}

/* A restore is as long as its bytes take through the pipe. */
static void
restoring(void **state)
{
    struct world w;
    struct site_sets sets;
    struct sp_restore_stats stats = {0};
    const struct sp_restore_events events = {0};
    struct sp_store *store;
    char *to;
    size_t rounds, bare;

    (void)state;
    begin(&w, 8u << 20);
    for (unsigned i = 0; i < 13; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "large%02u", i);
        site_random_file(&w.s, name, 3 * MIB, 9 + i);
    }
    site_many(&w.s, "many", 1000, 90000);
    make_sets(&w, 1);
    sets = site_sets(&w.s);
    to = tree_path(&w.s.tree, "restored");
    far_reset(w.far);
    w.far->per_round = PER_ROUND;
    store = reader(&w, "elsewhere", NULL);
    {
        const struct sp_restore_options o = {
            .target = to, .numeric_owner = true, .temp_dir = w.s.tree.path};

        assert_ok(sp_restore_run(
            &sp_env_system, store, w.s.keys, &sets.newest.root, &o, &events, &stats, e));
    }
    sp_store_free(store);
    rounds = far_rounds(w.far);
    bare = (size_t)(w.far->bytes / PER_ROUND);
    print_message(
        "restore of %llu bytes   %4zu rounds, of which bytes %zu; at most %zu bytes under way\n",
        (unsigned long long)w.far->bytes, rounds, bare, w.far->most_bytes);
    assert_in_range(rounds, bare, bare + 30);
    free(to);
    end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day),
        cmocka_unit_test(many_sets),
        cmocka_unit_test(many_packs),
        cmocka_unit_test(restoring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
