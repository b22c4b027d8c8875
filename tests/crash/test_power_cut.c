/* Power cuts: every history on every kind of store, cut after every operation, with all that the
 * store may keep, lose, tear and reorder of what was not on the disk (cutstore.h).
 *
 * A pair is an operation and what is left; two are different when scenario, store, operation or any
 * object is. What is left alike, with the same promises given before, is verified once.
 *
 *   SP_SEED=n     the first seed; one seed is four histories on four kinds of store
 *   SP_CASES=n    so many different pairs (with STILLPOINT_LONG=1: a million)
 *   SP_FROM=n     go on with the n-th pair of the first seed
 *   arguments     names of scenarios and stores: only these; "thorough": everything after each
 *                 operation, as with STILLPOINT_LONG, of one seed
 */

#include "history_impl.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cutstore_impl.h"

#define LONG_CASES 1000000u

struct kind {
    const char *name;
    bool file, folder;
    unsigned promises;
};
static const struct kind kinds[] = {
    {"flushes", true, true, HISTORY_SURE},
    {"no-folder-flush", true, false, HISTORY_BYTES},
    {"no-file-flush", false, true, HISTORY_NAMES | HISTORY_SILENT},
    {"write-back", false, false, HISTORY_SILENT},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Where a sanitizer looks: short backtraces, and no memory given back to the system between cases.
 */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "malloc_context_size=2:quarantine_size_mb=16:allocator_release_to_os_interval_ms=-1";
}

static char **only;
static int nonly;

static bool
wanted(const char *const *names, size_t n, const char *name)
{
    bool any = false;

    for (int i = 0; i < nonly; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(only[i], names[k]) == 0) {
                any = true;
                if (strcmp(names[k], name) == 0)
                    return true;
            }
    return !any;
}

static bool
kind_wanted(const struct kind *k)
{
    const char *names[KINDS];

    for (size_t i = 0; i < KINDS; i++)
        names[i] = kinds[i].name;
    return wanted(names, KINDS, k->name);
}

static uint64_t
number(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);

    return s != NULL ? strtoull(s, NULL, 0) : otherwise;
}

/* --- sets of numbers ----------------------------------------------------------------------- */

struct numbers {
    uint64_t *v;
    size_t n, cap;
};

/* False: it was there. */
static bool
numbers_add(struct numbers *s, uint64_t x)
{
    size_t i;

    x += x == 0;
    if (s->n * 2 >= s->cap) {
        struct numbers old = *s;

        s->cap = old.cap == 0 ? 1u << 16 : old.cap * 2;
        s->n = 0;
        s->v = calloc(s->cap, sizeof(*s->v));
        assert_non_null(s->v);
        for (i = 0; i < old.cap; i++)
            if (old.v[i] != 0)
                (void)numbers_add(s, old.v[i]);
        free(old.v);
    }
    for (i = cut_mix(x) & (s->cap - 1); s->v[i] != 0; i = (i + 1) & (s->cap - 1))
        if (s->v[i] == x)
            return false;
    s->v[i] = x;
    s->n++;
    return true;
}

/* --- worlds -------------------------------------------------------------------------------- */

static enum sp_code
world_open(void *arg, bool create, struct sp_backend **ret, struct sp_err *e)
{
    struct cutstore *c = arg;
    bool there;

    (void)cut_table_find(&c->now, "repository.conf", &there);
    if (create ? c->now.n > 0 : !there)
        return create ? sp_fail(e, SP_EXISTS, SP_DOM_STORE, "there is something here already")
                      : sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no repository here");
    *ret = cutstore_open(c);
    return SP_OK;
}

static uint64_t
world_operations(void *arg)
{
    return cutstore_operations(arg);
}

static void
world_idle(void *arg)
{
    cutstore_idle(arg);
}

static struct history_world
world_of(struct cutstore *c)
{
    return (struct history_world){c, world_open, world_operations, world_idle};
}

/* --- one case ------------------------------------------------------------------------------ */

struct campaign {
    uint64_t seed, cases, from; /* wanted */
    uint64_t pairs, verified, met, syncs, syncs_cut, ops;
    struct numbers distinct, verdicts;
};

struct subject { /* a history on a store */
    struct campaign *all;
    enum history_scenario scenario;
    const struct kind *kind;
    struct cutstore *store;
    struct history *h;
    uint64_t after, cache_state, told_state; /* what the cut is after; what was said by then */
    struct cut_plan *plan;
};

static void
tell_case(struct subject *s, const char *why, bool no_cache)
{
    struct sp_buf left = SP_BUF_INIT;

    cut_plan_tell(s->plan, &left);
    print_error("%s on a store that %s: %s\n"
                "  cut after operation %" PRIu64 " (%s), cache %s; SP_SEED=%" PRIu64
                " SP_FROM=%" PRIu64 "\n%s",
        history_names[s->scenario], s->kind->name, why, s->after,
        cutstore_operation(s->store, s->after), no_cache ? "gone" : "kept", s->h->seed, s->all->met,
        sp_buf_str(&left));
    sp_buf_free(&left);
    fail();
}

/* What was said until then, as a number. */
static uint64_t
said_by(const struct history *h, uint64_t after)
{
    uint64_t n = h->made <= after;

    for (size_t i = 0; i < h->nsaid; i++)
        n = n * 2 + (h->said[i].done <= after);
    for (size_t i = 0; i < h->nlasting; i++)
        n += (uint64_t)(h->lasting[i].since <= after) << 40;
    for (unsigned i = 0; i < h->nidles; i++)
        n = cut_mix(n + (h->idles[i] < after));
    return cut_mix(n);
}

/* The choice made in the plan. False: enough. */
static bool
one(struct subject *s)
{
    struct campaign *all = s->all;
    uint64_t state = cut_plan_state(s->plan), pair, verdict;
    struct history_world world;
    struct history_cut cut = {.after = s->after, .promises = s->kind->promises};
    struct cutstore *survivor;
    char why[512] = "";
    bool good;

    pair = cut_mix(state ^ cut_mix(s->after * 16 + s->scenario * 4 + (uint64_t)(s->kind - kinds)));
    if (!numbers_add(&all->distinct, pair))
        return true;
    all->met++;
    if (all->met < all->from)
        return true;
    all->pairs++;
    cut.no_cache = cut_mix(pair) % 3 == 0;
    cut.lose_one = cut_mix(pair + 1) % 4 == 0;
    if (!cut_plan_silent(s->plan))
        cut.promises &= ~(unsigned)HISTORY_SILENT;
    verdict = cut_mix(state ^ s->told_state ^ (cut.no_cache ? 1 : s->cache_state) ^
                      cut_mix((uint64_t)(s->kind - kinds)));
    if (numbers_add(&all->verdicts, verdict)) {
        all->verified++;
        survivor = cut_plan_survivor(s->plan);
        world = world_of(survivor);
        good = history_verify(s->h, &world, &cut, why);
        if (!good)
            tell_case(s, why, cut.no_cache);
        cutstore_free(survivor);
    }
    return all->pairs < all->cases;
}

/* --- what is chosen ------------------------------------------------------------------------ */

/* Each thing alone, one way and the other. */
static bool
singles(struct subject *s)
{
    struct cut_plan *p = s->plan;
    size_t i, k;

    for (i = 0; i < cut_plan_names(p); i++)
        for (k = 0; k <= cut_plan_steps(p, i); k++) {
            cut_plan_keep_all(p);
            cut_plan_keep(p, i, k);
            if (!one(s))
                return false;
            cut_plan_lose_all(p);
            cut_plan_keep(p, i, k);
            if (!one(s))
                return false;
        }
    for (i = 0; i < cut_plan_tearable(p); i++)
        for (k = CUT_EMPTY; k < CUT_TEARS; k++) {
            cut_plan_keep_all(p);
            cut_plan_tear(p, i, (enum cut_tear)k, cut_mix(s->after + i * 16 + k));
            if (!one(s))
                return false;
        }
    return true;
}

/* How much of what may be left is tried after one operation. */
struct effort {
    bool any, kept, singles;
    unsigned randoms;
};

/* The slice has every operation on a store that flushes, and every sync on the
 * others; singles where something is not sure yet, in turns. */
static struct effort
effort(const struct subject *s, bool thorough)
{
    bool sync = cutstore_is_sync(s->store, s->after),
         around = sync || cutstore_is_sync(s->store, s->after + 1);
    uint64_t turn = cut_mix(s->h->seed + s->after / 2);

    if (thorough)
        return (struct effort){true, true, true, 24};
    if (s->kind == &kinds[0])
        return (struct effort){true, true, around && turn % 6 == 0, sync && turn % 2 == 0};
    return (struct effort){.any = sync,
        .kept = turn % 4 == 0,
        .singles = turn % 24 == 0,
        .randoms = turn % 5 == 0 ? 2 : 0};
}

static bool
cut_here(struct subject *s, const struct effort *much)
{
    struct cut_plan *p = s->plan = cut_plan_new(s->store, s->after);
    bool on;

    s->cache_state = localdisk_state(s->h->disk, s->after);
    s->told_state = said_by(s->h, s->after);
    on = !much->kept || one(s); /* all of it */
    cut_plan_lose_all(p);
    on = on && one(s);
    if (on && much->singles)
        on = singles(s);
    for (unsigned i = 0; i < much->randoms && on && cut_plan_names(p) > 0; i++) {
        cut_plan_random(p, s->h->seed * 1000003 + s->after * 101 + i);
        on = one(s);
    }
    cut_plan_free(p);
    return on;
}

/* Every operation of one history on one kind of store. */
static bool
every_cut(struct campaign *all, enum history_scenario scenario, const struct kind *kind,
    uint64_t seed, bool thorough)
{
    struct subject s = {.all = all, .scenario = scenario, .kind = kind};
    struct history_world world;
    bool on = true;

    s.store = cutstore_new(kind->file, kind->folder);
    world = world_of(s.store);
    s.h = history_play(scenario, seed, &world);
    assert_true(history_ended(s.h));
    for (s.after = 0; s.after <= cutstore_operations(s.store) && on; s.after++) {
        struct effort much = effort(&s, thorough);

        if (!much.any)
            continue;
        on = cut_here(&s, &much);
        all->ops++;
        all->syncs_cut += cutstore_is_sync(s.store, s.after) && on;
    }
    for (uint64_t k = 1; k <= cutstore_operations(s.store); k++)
        all->syncs += cutstore_is_sync(s.store, k);
    history_free(s.h);
    cutstore_free(s.store);
    return on;
}

/* --- the tests ----------------------------------------------------------------------------- */

static void
test_every_cut(void **state)
{
    bool lengthy = getenv("STILLPOINT_LONG") != NULL, on = true, thorough = lengthy;
    struct campaign all = {.seed = number("SP_SEED", 1), .from = number("SP_FROM", 0)};
    int64_t began_ns = sp_clock_mono(&sp_clock_system);
    uint64_t seed;

    (void)state;
    for (int i = 0; i < nonly; i++)
        thorough = thorough || strcmp(only[i], "thorough") == 0;
    all.cases = number("SP_CASES", lengthy ? LONG_CASES : UINT64_MAX);
    for (seed = all.seed; on && (lengthy || seed == all.seed || getenv("SP_CASES") != NULL);
         seed++) {
        for (int i = 0; i < HISTORY_SCENARIOS && on; i++)
            for (size_t k = 0; k < KINDS && on; k++)
                if (wanted(history_names, HISTORY_SCENARIOS, history_names[i]) &&
                    kind_wanted(&kinds[k]))
                    on = every_cut(&all, (enum history_scenario)i, &kinds[k], seed, thorough);
        all.from = 0;
    }
    print_message("power cut: %" PRIu64 " different pairs (%" PRIu64 " verified), %" PRIu64
                  " operations, %" PRIu64 " of %" PRIu64 " syncs cut, seeds %" PRIu64 "..%" PRIu64
                  ", %.1f s\n",
        all.pairs, all.verified, all.ops, all.syncs_cut, all.syncs, all.seed, seed - 1,
        (double)(sp_clock_mono(&sp_clock_system) - began_ns) / 1e9);
    free(all.distinct.v);
    free(all.verdicts.v);
}

static bool
begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* R2, read from the log: packs are on the disk when their index is published, and all that was
 * published before it when a record is, or something is removed. */
static void
test_order(void **state)
{
    (void)state;
    for (int i = 0; i < HISTORY_SCENARIOS; i++) {
        struct cutstore *store = cutstore_new(true, true);
        struct history_world world = world_of(store);
        struct history *h;

        if (!wanted(history_names, HISTORY_SCENARIOS, history_names[i])) {
            cutstore_free(store);
            continue;
        }
        h = history_play((enum history_scenario)i, number("SP_SEED", 1), &world);
        for (uint64_t k = 1; k <= cutstore_operations(store); k++) {
            bool record = begins(cutstore_operation(store, k), "publish sets/"),
                 removal = begins(cutstore_operation(store, k), "remove "),
                 index = begins(cutstore_operation(store, k), "publish index/");
            struct cut_plan *p;

            if (!record && !removal && !index)
                continue;
            p = cut_plan_new(store, k - 1);
            for (size_t n = 0; n < cut_plan_names(p); n++) {
                const char *name = cut_plan_name(p, n);

                /* What a killed program left may be told of before it is on the disk: a hint. */
                if (index && i == HISTORY_CHECKPOINTS)
                    continue;
                if (cut_plan_newborn(p, n) &&
                    (begins(name, "packs/") || begins(name, "nodes/") ||
                        (!index && begins(name, "index/")) || (removal && begins(name, "sets/"))))
                    fail_msg("%s: operation %" PRIu64 " (%s) before %s is on the disk",
                        history_names[i], k, cutstore_operation(store, k), name);
            }
            cut_plan_free(p);
        }
        history_free(h);
        cutstore_free(store);
    }
}

/* The store dies under the run: what was said by then holds when all that was not sure is lost. */
static void
die_after(enum history_scenario scenario, uint64_t seed, uint64_t after)
{
    struct campaign all = {.cases = UINT64_MAX};
    struct subject s = {.all = &all,
        .scenario = scenario,
        .kind = &kinds[0],
        .store = cutstore_new(true, true),
        .after = after};
    struct history_world world = world_of(s.store);

    cutstore_die_after(s.store, after);
    s.h = history_play(scenario, seed, &world);
    cutstore_die_after(s.store, 0);
    s.plan = cut_plan_new(s.store, after);
    cut_plan_lose_all(s.plan);
    (void)one(&s);
    cut_plan_free(s.plan);
    history_free(s.h);
    cutstore_free(s.store);
    free(all.distinct.v);
    free(all.verdicts.v);
}

/* Where a barrier would have come next; in the long run everywhere. */
static void
test_dying(void **state)
{
    uint64_t seed = number("SP_SEED", 1), runs = 0;
    bool lengthy = getenv("STILLPOINT_LONG") != NULL;

    (void)state;
    for (int i = 0; i < HISTORY_SCENARIOS; i++) {
        struct cutstore *whole = cutstore_new(true, true);
        struct history_world world = world_of(whole);
        struct history *h;

        if (wanted(history_names, HISTORY_SCENARIOS, history_names[i])) {
            h = history_play((enum history_scenario)i, seed, &world);
            for (uint64_t k = 1; k < cutstore_operations(whole); k++)
                if (lengthy ||
                    (cutstore_is_sync(whole, k + 1) && (i != HISTORY_MERGE || k % 4 == 0))) {
                    die_after((enum history_scenario)i, seed, k);
                    runs++;
                }
            history_free(h);
        }
        cutstore_free(whole);
    }
    print_message("power cut: %" PRIu64 " runs died\n", runs);
}

/* One barrier fails, the store goes on: whoever did not hear it says "done" of what is not sure.
 * Cut after every operation behind it, as far as the next barrier, which covers it after all. */
static void
refuse_after(enum history_scenario scenario, uint64_t seed, uint64_t before)
{
    struct campaign all = {.cases = UINT64_MAX};
    struct subject s = {
        .all = &all, .scenario = scenario, .kind = &kinds[0], .store = cutstore_new(true, true)};
    struct history_world world = world_of(s.store);

    cutstore_refuse_sync(s.store, before);
    s.h = history_play(scenario, seed, &world);
    for (s.after = before;
         s.after <= cutstore_operations(s.store) && !cutstore_is_sync(s.store, s.after + 1);
         s.after++) {
        const struct effort most = {.any = true};

        (void)cut_here(&s, &most);
    }
    history_free(s.h);
    cutstore_free(s.store);
    free(all.distinct.v);
    free(all.verdicts.v);
}

static void
test_refused_barrier(void **state)
{
    uint64_t seed = number("SP_SEED", 1), runs = 0;
    bool lengthy = getenv("STILLPOINT_LONG") != NULL;

    (void)state;
    for (int i = 0; i < HISTORY_SCENARIOS; i++) {
        struct cutstore *whole = cutstore_new(true, true);
        struct history_world world = world_of(whole);
        struct history *h;

        if (wanted(history_names, HISTORY_SCENARIOS, history_names[i])) {
            h = history_play((enum history_scenario)i, seed, &world);
            for (uint64_t k = 1; k < cutstore_operations(whole); k++)
                if (cutstore_is_sync(whole, k + 1) &&
                    (lengthy || i != HISTORY_MERGE || k % 4 == 0)) {
                    refuse_after((enum history_scenario)i, seed, k);
                    runs++;
                }
            history_free(h);
        }
        cutstore_free(whole);
    }
    print_message("power cut: %" PRIu64 " barriers refused\n", runs);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_dying),
        cmocka_unit_test(test_refused_barrier),
        cmocka_unit_test(test_every_cut),
    };

    only = argv + 1;
    nonly = argc - 1;
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20); /* pieces of a MiB come and go all the time */
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
