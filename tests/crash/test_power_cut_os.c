/* Power cuts under a folder: every history over the real dir backend, on a disk in memory that
 * keeps what was flushed and of the rest what its mode allows (memdisk.h).
 *
 *   SP_SEED=n     of histories and residues
 *   SP_CASES=n    random residues a cut
 *   arguments     names of scenarios and modes: only these */

#include "sweep.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "history_impl.h"

static char **only;
static int nonly;

static bool
wanted(const char *name, bool mode)
{
    bool any = false;

    for (int i = 0; i < nonly; i++) {
        bool is_mode = strcmp(only[i], "ordered") == 0 || strcmp(only[i], "posix") == 0 ||
                       strncmp(only[i], "no_", 3) == 0;

        if (is_mode != mode || strncmp(only[i], "test_", 5) == 0)
            continue;
        any = true;
        if (strcmp(only[i], name) == 0)
            return true;
    }
    return !any;
}

static bool
test_wanted(const char *name)
{
    for (int i = 0; i < nonly; i++)
        if (strncmp(only[i], "test_", 5) == 0)
            return strcmp(only[i], name) == 0;
    return true;
}

/* --- worlds -------------------------------------------------------------------------------- */

static enum sp_code
world_open(void *arg, bool create, struct sp_backend **ret, struct sp_err *e)
{
    struct sp_env env = sp_env_system;

    env.os = memdisk_os(arg);
    return sp_backend_dir_open(&env, "/disk/repo", create, ret, e);
}

static uint64_t
world_operations(void *arg)
{
    return memdisk_ops(arg);
}

static void
world_idle(void *arg)
{
    memdisk_settle(arg);
}

/* Where a flush proves, no time passes that would prove it too. */
static struct history_world
world_of(struct memdisk *d, enum memdisk_mode mode)
{
    return (struct history_world){
        d, world_open, world_operations, mode <= MEMDISK_POSIX ? NULL : world_idle};
}

static unsigned
promises(enum memdisk_mode mode)
{
    return mode <= MEMDISK_POSIX             ? HISTORY_SURE
           : mode == MEMDISK_NO_FOLDER_FLUSH ? HISTORY_BYTES
                                             : HISTORY_SILENT;
}

static struct memdisk *
new_disk(enum memdisk_mode mode)
{
    struct memdisk *d = memdisk_new(mode);
    struct sp_err e = {0};

    if (sp_os_mkdirs(memdisk_os(d), "/disk", &e) != SP_OK)
        fail_msg("%s", e.text);
    memdisk_settle(d);
    return d;
}

/* --- verifying ----------------------------------------------------------------------------- */

#define MET 65536

struct subject {
    const struct history *h;
    enum memdisk_mode mode;
    uint64_t verified, again; /* cases; those that were cut once more while they healed */
    unsigned one_in;          /* so many are cut again */
    uint64_t met[MET];        /* what was verified; a table by hash */
};

static uint64_t
number_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* How much was promised by then: it only grows. */
static uint64_t
said_by(const struct history *h, uint64_t k)
{
    uint64_t n = h->made <= k;

    for (size_t i = 0; i < h->nsaid; i++)
        n += h->said[i].done <= k;
    for (size_t i = 0; i < h->nlasting; i++)
        n += h->lasting[i].since <= k;
    for (unsigned i = 0; i < h->nidles; i++)
        n += h->idles[i] < k;
    return n;
}

/* Whether the same was found before, with the same promises: what lies in tmp/ makes no difference.
 */
static bool
met_before(struct subject *s, const struct memdisk *found, size_t k)
{
    uint64_t number = memdisk_state(found, "/disk/repo/tmp");
    size_t at;

    number = number_mix(number ^ number_mix(said_by(s->h, k) + 1));
    number = number_mix(number ^ localdisk_state(s->h->disk, k)) | 1;
    for (at = number % MET; s->met[at] != 0; at = (at + 1) % MET)
        if (s->met[at] == number)
            return true;
    if (s->verified < MET / 2)
        s->met[at] = number;
    return false;
}

static bool
verify_on(struct subject *s, struct memdisk *found, size_t k, char why[512])
{
    struct history_world world = world_of(found, s->mode);
    const struct history_cut cut = {
        .after = k, .promises = promises(s->mode), .no_cache = s->verified % 3 == 0};

    return history_verify(s->h, &world, &cut, why);
}

/* Operations before the healing made a record of its own, which the history does not know. */
static size_t
before_record(const struct memdisk *healed)
{
    size_t k = 0;

    while (k < memdisk_ops(healed) && (strncmp(memdisk_op(healed, k), "publish", 7) != 0 ||
                                          strstr(memdisk_op(healed, k), "/repo/sets/") == NULL))
        k++;
    return k;
}

/* What was said before the first cut holds after a second one, in the midst of the healing. */
static bool
cut_again(struct subject *s, struct memdisk *healed, size_t k, char why[512])
{
    uint64_t residue = s->verified % 4 == 0 ? MEMDISK_LEAST : MEMDISK_RANDOM + s->verified;
    size_t at =
        (size_t)(s->verified * UINT64_C(0x9e3779b97f4a7c15) >> 32) % (before_record(healed) + 1);
    struct memdisk *then = memdisk_at(healed, at);
    struct memdisk *found = memdisk_survive(then, residue, NULL);
    char first[400];
    bool good = verify_on(s, found, k, why);

    if (!good) {
        (void)snprintf(first, sizeof(first), "%.399s", why);
        (void)sweep_wrong(why, "cut again after %zu of the healing: %s", at, first);
    }
    s->again++;
    memdisk_free(found);
    memdisk_free(then);
    return good;
}

static bool
verify(void *arg, struct memdisk *found, size_t k, char why[512])
{
    struct subject *s = arg;

    if (met_before(s, found, k))
        return true;
    s->verified++;
    if (!verify_on(s, found, k, why))
        return false;
    return s->verified % s->one_in != 0 || cut_again(s, found, k, why);
}

/* --- the tests ----------------------------------------------------------------------------- */

static struct history *
play(enum history_scenario scenario, enum memdisk_mode mode, uint64_t seed, struct memdisk *d)
{
    struct history_world world = world_of(d, mode);

    return history_play(scenario, seed, &world);
}

static bool
any_wanted(enum history_scenario scenario, enum memdisk_mode mode)
{
    struct memdisk *d = memdisk_new(mode);
    bool is = wanted(history_names[scenario], false) && wanted(memdisk_mode_of(d), true);

    memdisk_free(d);
    return is;
}

/* Without any order of names, repository.conf may outlive the owner object that was named before
 * it, as long as nothing but time makes names durable: a server's repository is judged once that
 * passed. */
static size_t
first_cut(const struct history *h, enum memdisk_mode mode)
{
    return h->server && mode > MEMDISK_POSIX ? (size_t)h->idles[0] + 1 : 2;
}

/* What makes a repository is short: every cut of it, with more residues. */
static void
cut_making(struct sweep *all, const struct memdisk *d, struct subject *subject, size_t from)
{
    struct memdisk *making = memdisk_at(d, (size_t)subject->h->made);
    size_t randoms = all->randoms;

    all->randoms = all->lasting ? 200 : 10;
    if (from < memdisk_ops(making))
        sweep_all(all, making, from, 1, 1, verify, subject);
    all->randoms = randoms;
    memdisk_free(making);
}

static void
test_every_cut(void **state)
{
    /* One in so many cuts; the last history is long, and does the same again. */
    static const size_t strides[HISTORY_SCENARIOS] = {13, 31, 31, 307};
    struct sweep s = sweep_begin(1, 40);
    uint64_t again = 0, verified = 0;

    (void)state;
    if (!test_wanted("test_every_cut"))
        return;
    for (int i = 0; i < HISTORY_SCENARIOS; i++)
        for (int mode = 0; mode < MEMDISK_MODES; mode++) {
            struct subject subject = {
                .mode = (enum memdisk_mode)mode, .one_in = s.lasting ? 2 : 13};
            struct memdisk *d;
            struct history *h;
            size_t flushes;

            if (!any_wanted((enum history_scenario)i, subject.mode))
                continue;
            d = new_disk(subject.mode);
            subject.h = h = play((enum history_scenario)i, subject.mode, s.seed, d);
            assert_true(history_ended(h));
            /* Where a flush proves, each one; elsewhere some, as in a history that repeats itself.
             */
            flushes = s.lasting ? 1 : i == HISTORY_MERGE ? 43 : mode > MEMDISK_POSIX ? 7 : 1;
            cut_making(&s, d, &subject, first_cut(h, subject.mode));
            sweep_all(&s, d, first_cut(h, subject.mode), s.lasting ? 1 : strides[i], flushes,
                verify, &subject);
            again += subject.again;
            verified += subject.verified;
            history_free(h);
            memdisk_free(d);
        }
    sweep_end(&s, "power cut, folder");
    printf("  %llu different ones verified, %llu of them cut again while they healed\n",
        (unsigned long long)verified, (unsigned long long)again);
}

/* The disk dies under the run: the run ends, and what it said by then holds. */
static void
test_dying(void **state)
{
    struct sweep s = sweep_begin(1, 10);
    size_t runs = 0;

    (void)state;
    if (!test_wanted("test_dying"))
        return;
    for (int i = 0; i < HISTORY_SCENARIOS; i++) {
        bool ended = !any_wanted((enum history_scenario)i, MEMDISK_POSIX);

        for (size_t k = 3 + s.seed % 7; !ended; k += s.lasting            ? 3
                                                     : i == HISTORY_MERGE ? 301
                                                                          : 29) {
            struct subject subject = {.mode = MEMDISK_POSIX, .one_in = 5};
            struct memdisk *d = new_disk(MEMDISK_POSIX);
            struct history *h;

            memdisk_cut_at(d, k, k % 2 == 0 ? EIO : ENODEV);
            subject.h = h = play((enum history_scenario)i, MEMDISK_POSIX, s.seed, d);
            ended = history_ended(h);
            sweep_all(&s, d, memdisk_ops(d), 1, 1, verify, &subject);
            history_free(h);
            memdisk_free(d);
            runs++;
        }
    }
    sweep_end(&s, "power cut, dying under the run");
    printf("  %zu runs died\n", runs);
}

/* A flush fails, then the power goes: nothing that was said rests on what it lost. */
static void
test_failed_flush(void **state)
{
    struct sweep s = sweep_begin(0, 10);
    size_t faults = 0, nth = 0;

    (void)state;
    if (!test_wanted("test_failed_flush"))
        return;
    for (int mode = 0; mode <= MEMDISK_POSIX; mode++) {
        struct memdisk *sample = new_disk((enum memdisk_mode)mode);

        if (!any_wanted(HISTORY_RUNS, (enum memdisk_mode)mode)) {
            memdisk_free(sample);
            continue;
        }
        history_free(play(HISTORY_RUNS, (enum memdisk_mode)mode, s.seed, sample));
        for (size_t k = 2; k < memdisk_ops(sample); k++) {
            struct subject subject = {.mode = (enum memdisk_mode)mode, .one_in = 5};
            struct memdisk *d;
            struct history *h;

            if (!memdisk_op_flushes(sample, k) || (!s.lasting && nth++ % 3 != s.seed % 3))
                continue;
            d = new_disk(subject.mode);
            memdisk_fail_flush(d, k, EIO);
            subject.h = h = play(HISTORY_RUNS, subject.mode, s.seed, d);
            sweep_all(&s, d, memdisk_ops(d), 1, 1, verify, &subject);
            history_free(h);
            memdisk_free(d);
            faults++;
        }
        memdisk_free(sample);
    }
    sweep_end(&s, "power cut, after a flush that failed");
    printf("  %zu flushes failed\n", faults);
}

/* Most of the time goes into taking and giving back memory. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "quarantine_size_mb=16:malloc_context_size=8";
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_dying),
        cmocka_unit_test(test_failed_flush),
    };

    only = argv + 1;
    nonly = argc - 1;
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20); /* pieces of a MiB come and go all the time */
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
