#include "support.h"

#include <time.h>

#include "base/path.h"
#include "base/random.h"
#include "base/runs.h"

/* --- an oracle: all records in memory, sorted by insertion order and key -------------------------
 */

struct record {
    uint8_t *p;
    size_t key_n, value_n;
    size_t place;
};

static int
record_cmp(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int d = sp_key_cmp(x->p, x->key_n, y->p, y->key_n);

    return d != 0 ? d : (x->place > y->place) - (x->place < y->place);
}

static uint64_t
draw(struct sp_random_seeded *s)
{
    struct sp_random r = sp_random_seeded_of(s);
    struct sp_err e = {0};
    uint64_t v = 0;

    assert_int_equal(sp_random_fill(&r, &v, sizeof v, &e), SP_OK);
    return v;
}

static size_t
names_in(const char *folder)
{
    char command[512];
    FILE *f;
    size_t n = 0;
    int c;

    snprintf(command, sizeof command, "ls -A '%s' 2>/dev/null", folder);
    f = popen(command, "r");
    assert_non_null(f);
    while ((c = fgetc(f)) != EOF)
        n += c == '\n';
    pclose(f);
    return n;
}

/* Sorts `n` random records with `memory` and compares every one with the oracle. */
static void
sorts_like_the_oracle(
    const char *folder, size_t n, size_t memory, size_t longest, unsigned distinct, uint64_t seed)
{
    struct sp_random_seeded s = {seed};
    struct record *all = calloc(n + 1, sizeof *all);
    struct sp_runs *r = NULL;
    const void *key = NULL, *value = NULL;
    size_t key_n = 0, value_n = 0;
    bool more = true;

    assert_non_null(all);
    assert_ok(sp_runs_new(&sp_env_system, folder, memory, &r, e));
    for (size_t i = 0; i < n; i++) {
        struct record *x = &all[i];

        x->place = i;
        x->key_n = draw(&s) % (longest + 1);
        x->value_n = draw(&s) % (longest + 1);
        x->p = malloc(x->key_n + x->value_n + 1);
        assert_non_null(x->p);
        for (size_t k = 0; k < x->key_n; k++)
            x->p[k] = (uint8_t)(draw(&s) % distinct);
        for (size_t k = 0; k < x->value_n; k++)
            x->p[x->key_n + k] = (uint8_t)draw(&s);
        assert_ok(sp_runs_add(r, x->p, x->key_n, x->p + x->key_n, x->value_n, e));
    }
    assert_int_equal(sp_runs_count(r), n);
    assert_ok(sp_runs_sort(r, e));
    qsort(all, n, sizeof *all, record_cmp);
    for (size_t i = 0; i < n; i++) {
        assert_ok(sp_runs_next(r, &key, &key_n, &value, &value_n, &more, e));
        assert_true(more);
        if (key_n != all[i].key_n || value_n != all[i].value_n ||
            memcmp(key, all[i].p, key_n) != 0 || memcmp(value, all[i].p + key_n, value_n) != 0)
            fail_msg("record %zu of %zu differs, seed %llu", i, n, (unsigned long long)seed);
    }
    for (int k = 0; k < 2; k++) {
        assert_ok(sp_runs_next(r, &key, &key_n, &value, &value_n, &more, e));
        assert_false(more);
    }
    sp_runs_free(r);
    assert_int_equal(names_in(folder), 0);
    for (size_t i = 0; i < n; i++)
        free(all[i].p);
    free(all);
}

static uint64_t
new_seed(void)
{
    uint64_t seed = (uint64_t)time(NULL);

    print_message("seed %llu\n", (unsigned long long)seed);
    return seed;
}

static void
in_memory(void **state)
{
    char *folder = sp_path_join(*state, "never");
    struct sp_os_stat st;

    sorts_like_the_oracle(folder, 0, 1 << 20, 20, 256, 1);
    sorts_like_the_oracle(folder, 1, 1 << 20, 20, 256, 1);
    sorts_like_the_oracle(folder, 2000, 1 << 20, 20, 256, new_seed());
    /* What fits into memory never touches the disk. */
    assert_code(SP_ABSENT, sp_os_system.stat(sp_os_system.self, folder, &st, e));
    free(folder);
}

static void
one_pass(void **state)
{
    sorts_like_the_oracle(*state, 20000, 256 << 10, 40, 256, new_seed());
}

static void
many_passes(void **state)
{
    /* About 15 records a run and four runs a merge. */
    sorts_like_the_oracle(*state, 5000, 1 << 10, 40, 256, new_seed());
}

static void
equal_keys_keep_their_order(void **state)
{
    sorts_like_the_oracle(*state, 5000, 1 << 10, 3, 2, new_seed());
    sorts_like_the_oracle(*state, 5000, 1 << 20, 3, 2, new_seed());
}

static void
records_longer_than_the_memory(void **state)
{
    sorts_like_the_oracle(*state, 60, 1 << 10, 30000, 3, new_seed());
}

static void
order_of_calls(void **state)
{
    struct sp_runs *r = NULL;
    const void *key, *value;
    size_t kn, vn;
    bool more;

    assert_ok(sp_runs_new(&sp_env_system, *state, 4096, &r, e));
    assert_ok(sp_runs_add(r, "a", 1, NULL, 0, e));
    assert_code(SP_INVALID, sp_runs_next(r, &key, &kn, &value, &vn, &more, e));
    assert_ok(sp_runs_sort(r, e));
    assert_code(SP_INVALID, sp_runs_add(r, "b", 1, NULL, 0, e));
    assert_ok(sp_runs_sort(r, e));
    assert_ok(sp_runs_next(r, &key, &kn, &value, &vn, &more, e));
    assert_true(more && kn == 1 && vn == 0 && memcmp(key, "a", 1) == 0);
    sp_runs_free(r);
    sp_runs_free(NULL);
}

/* --- an OS layer whose n-th operation fails --------------------------------------------------- */

static long left;

static bool
is_due(void)
{
    return left-- == 0;
}

static enum sp_code
failing_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    return is_due() ? sp_fail(e, SP_DENIED, SP_DOM_SELF, "create")
                    : sp_os_system.create(self, path, ret, e);
}

static enum sp_code
failing_read(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    return is_due() ? sp_fail(e, SP_IO, SP_DOM_SELF, "read")
                    : sp_os_system.read_at(self, f, offset, to, n, ret_n, e);
}

static enum sp_code
failing_write(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    return is_due() ? sp_fail(e, SP_FULL, SP_DOM_SELF, "write")
                    : sp_os_system.write_at(self, f, offset, p, n, e);
}

static enum sp_code
use(struct sp_runs *r, size_t *ret_seen, struct sp_err *e)
{
    const void *key, *value;
    size_t kn, vn;
    bool more = true;
    char name[32];
    enum sp_code rc;

    *ret_seen = 0;
    for (unsigned i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "%u", (i * 7919) % 600);
        if ((rc = sp_runs_add(r, name, strlen(name), "value", 5, e)) != SP_OK)
            return rc;
    }
    if ((rc = sp_runs_sort(r, e)) != SP_OK)
        return rc;
    while ((rc = sp_runs_next(r, &key, &kn, &value, &vn, &more, e)) == SP_OK && more)
        ++*ret_seen;
    return rc;
}

static void
every_failure_is_told(void **state)
{
    struct sp_os os = sp_os_system;
    struct sp_env env = sp_env_system;
    bool failed = true;
    size_t seen = 0;
    long n;

    os.create = failing_create;
    os.read_at = failing_read;
    os.write_at = failing_write;
    env.os = &os;
    for (n = 0; failed; n++) {
        struct sp_runs *r = NULL;
        struct sp_err e = {0};
        enum sp_code rc;

        assert_true(n < 10000);
        left = n;
        assert_int_equal(sp_runs_new(&env, *state, 1 << 10, &r, &e), SP_OK);
        rc = use(r, &seen, &e);
        failed = rc != SP_OK;
        if (failed)
            assert_true(rc == SP_DENIED || rc == SP_FULL || rc == SP_IO);
        else
            assert_int_equal(seen, 600);
        sp_runs_free(r);
        assert_int_equal(names_in(*state), 0);
    }
    /* A run of this size has many operations; each was made to fail once. */
    assert_true(n > 20);
}

/* After a failed read the same place is tried again; nothing is left out. */
static void
a_failed_read_loses_nothing(void **state)
{
    struct sp_os os = sp_os_system;
    struct sp_env env = sp_env_system;
    struct sp_runs *r = NULL;
    const void *key, *value;
    size_t kn, vn, seen = 0, failures = 0;
    struct sp_err e = {0};
    bool more = true;
    char name[32];

    os.read_at = failing_read;
    env.os = &os;
    left = -1;
    assert_int_equal(sp_runs_new(&env, *state, 1 << 10, &r, &e), SP_OK);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%u", (i * 7919) % 3000);
        assert_int_equal(sp_runs_add(r, name, strlen(name), "value", 5, &e), SP_OK);
    }
    assert_int_equal(sp_runs_sort(r, &e), SP_OK);
    while (more) {
        left = 0;
        enum sp_code rc = sp_runs_next(r, &key, &kn, &value, &vn, &more, &e);

        if (rc != SP_OK) {
            assert_int_equal(rc, SP_IO);
            failures++;
            left = -1;
            rc = sp_runs_next(r, &key, &kn, &value, &vn, &more, &e);
        }
        assert_int_equal(rc, SP_OK);
        seen += more;
    }
    assert_int_equal(seen, 3000);
    assert_true(failures > 3);
    sp_runs_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_memory, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(one_pass, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(many_passes, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(equal_keys_keep_their_order, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(records_longer_than_the_memory, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(order_of_calls, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(every_failure_is_told, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(a_failed_read_loses_nothing, tmp_setup, tmp_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
