#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "base/path.h"
#include "trees.h"

/* Two trees in two stores, and a source over both that fails the test when a node of both is read.
 */
struct pair {
    struct nodes old, now;
    struct sp_node_source source;
    size_t read;
};

static enum sp_code
get(void *self, const struct sp_id *ids, size_t n, struct sp_node **ret, struct sp_err *e)
{
    struct pair *p = self;
    struct nodes *from = nodes_find(&p->old, &ids[0]) != NULL ? &p->old : &p->now;

    for (size_t i = 0; i < n; i++) {
        if (nodes_find(&p->old, &ids[i]) != NULL && nodes_find(&p->now, &ids[i]) != NULL)
            fail_msg("a node that both trees have was read");
    }
    p->read += n;
    return from->source.get(from->source.self, ids, n, ret, e);
}

static void
pair_init(struct pair *p)
{
    nodes_init(&p->old);
    nodes_init(&p->now);
    p->source = (struct sp_node_source){get, p};
    p->read = 0;
}

static void
pair_free(struct pair *p)
{
    nodes_free(&p->old);
    nodes_free(&p->now);
}

/* What the difference must be, by brute force, consumed as it comes. */
struct oracle {
    struct sp_entry *const *old, *const *now;
    size_t nold, nnow, i, k;
    size_t calls, stop; /* the call that answers SP_CANCELLED; 0: none */
};

static int
order(const struct oracle *o)
{
    const struct sp_entry *a, *b;

    if (o->i == o->nold)
        return o->k == o->nnow ? 0 : 1;
    if (o->k == o->nnow)
        return -1;
    a = o->old[o->i];
    b = o->now[o->k];
    return sp_key_cmp(a->key, a->key_len, b->key, b->key_len);
}

static void
pass_equal(struct oracle *o)
{
    while (o->i < o->nold && o->k < o->nnow && order(o) == 0 &&
           sp_entry_same(o->old[o->i], o->now[o->k])) {
        o->i++;
        o->k++;
    }
}

static enum sp_code
each(void *arg, const struct sp_entry *old, const struct sp_entry *now, struct sp_err *e)
{
    struct oracle *o = arg;
    int d;

    pass_equal(o);
    d = order(o);
    assert_true(o->i < o->nold || o->k < o->nnow);
    assert_true((old != NULL) == (d <= 0) && (now != NULL) == (d >= 0));
    if (old != NULL)
        assert_true(entry_equal(old, o->old[o->i++]));
    if (now != NULL)
        assert_true(entry_equal(now, o->now[o->k++]));
    if (++o->calls == o->stop)
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
    return SP_OK;
}

static size_t
differs_as_it_must(struct sp_entry *const *old, size_t nold, struct sp_entry *const *now,
    size_t nnow, size_t *ret_read)
{
    struct oracle o = {.old = old, .now = now, .nold = nold, .nnow = nnow};
    struct sp_id a, b;
    struct pair p;

    pair_init(&p);
    a = tree_write(&p.old, old, nold);
    b = tree_write(&p.now, now, nnow);
    ok(sp_catalog_diff(&p.source, &a, &b, each, &o, &err));
    pass_equal(&o);
    assert_true(o.i == nold && o.k == nnow);
    *ret_read = p.read;
    pair_free(&p);
    return o.calls;
}

static void
random_changes(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 12000;
    struct sp_entry **all = entries_draw(&d, n);
    struct sp_entry **old = calloc(n, sizeof *old), **now = calloc(n, sizeof *now);
    struct sp_entry **changed = calloc(n, sizeof *changed);

    (void)state;
    assert_true(old != NULL && now != NULL && changed != NULL);
    for (int round = 0; round < 10; round++) {
        /* From a few changes to nothing in common. */
        uint64_t rate = UINT64_C(1) << (12 - round);
        size_t nold = 0, nnow = 0, changes = 0, calls, read = 0;

        for (size_t i = 0; i < n; i++) {
            uint64_t what = draw_below(&d, rate < 4 ? 4 : rate);

            changed[i] = NULL;
            if (what != 0)
                old[nold++] = all[i];
            if (what != 1)
                now[nnow++] = all[i];
            if (what == 2) {
                ok(sp_entry_copy(all[i], &changed[i], &err));
                changed[i]->mtime_ns++;
                now[nnow - 1] = changed[i];
            }
            changes += what < 3;
        }
        calls = differs_as_it_must(old, nold, now, nnow, &read);
        assert_int_equal(calls, changes);
        for (size_t i = 0; i < n; i++)
            free(changed[i]);
    }
    free(old);
    free(now);
    free(changed);
    entries_free(all, n);
}

static void
whole_ranges(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 12000, read = 0;
    struct sp_entry **all = entries_draw(&d, n);

    (void)state;
    assert_int_equal(differs_as_it_must(all, 0, all, n, &read), n);
    assert_int_equal(differs_as_it_must(all, n, all, 0, &read), n);
    assert_int_equal(differs_as_it_must(all, 0, all, 0, &read), 0);
    assert_int_equal(differs_as_it_must(all, n, all, n, &read), 0);
    assert_int_equal(read, 0);
    assert_int_equal(differs_as_it_must(all, n / 2, all + n / 2, n / 2, &read), n);
    assert_int_equal(differs_as_it_must(all + n / 2, n / 2, all, n / 2, &read), n);
    assert_int_equal(differs_as_it_must(all, n, all + n / 3, n / 3, &read), n - n / 3);
    assert_int_equal(differs_as_it_must(all, 1, all, n, &read), n - 1);
    entries_free(all, n);
}

static void
one_change_reads_one_path(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 50000;
    struct sp_entry **all = entries_draw(&d, n), **now = calloc(n, sizeof *now);

    (void)state;
    assert_non_null(now);
    for (int k = 0; k < 2; k++) {
        size_t at = (size_t)draw_below(&d, n), read = 0;
        struct sp_entry *changed = NULL;

        memcpy(now, all, n * sizeof *now);
        ok(sp_entry_copy(all[at], &changed, &err));
        changed->mode ^= 1;
        now[at] = changed;
        assert_int_equal(differs_as_it_must(all, n, now, n, &read), 1);
        /* Both paths: the key is the same, so the cuts are (but for a weight). */
        assert_true(read <= 8);
        /* Taken out: the cuts near it may move. */
        memmove(now + at, now + at + 1, (n - at - 1) * sizeof *now);
        assert_int_equal(differs_as_it_must(all, n, now, n - 1, &read), 1);
        assert_true(read <= 24);
        free(changed);
    }
    free(now);
    entries_free(all, n);
}

/* Runs of changes are read in batches. */
static void
many_changes_need_few_questions(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 15000;
    struct sp_entry **all = entries_draw(&d, n);
    struct oracle o = {.old = all, .now = all + n / 2, .nold = n / 2, .nnow = n - n / 2};
    struct sp_id a, b;
    struct pair p;

    (void)state;
    pair_init(&p);
    a = tree_write(&p.old, o.old, o.nold);
    b = tree_write(&p.now, o.now, o.nnow);
    ok(sp_catalog_diff(&p.source, &a, &b, each, &o, &err));
    assert_int_equal(p.read, p.old.added + p.now.added);
    assert_true(p.old.gets + p.now.gets < p.read / 2);
    pair_free(&p);
    entries_free(all, n);
}

static void
the_caller_ends_it(void **state)
{
    struct draws d = {new_seed()};
    struct sp_entry **all = entries_draw(&d, 3000);
    struct oracle o = {.old = all, .now = all, .nold = 1000, .nnow = 3000, .stop = 3};
    struct sp_id a, b;
    struct pair p;

    (void)state;
    pair_init(&p);
    a = tree_write(&p.old, all, 1000);
    b = tree_write(&p.now, all, 3000);
    gives(SP_CANCELLED, sp_catalog_diff(&p.source, &a, &b, each, &o, &err));
    assert_int_equal(o.calls, 3);
    pair_free(&p);
    entries_free(all, 3000);
}

static void
a_missing_node_ends_it(void **state)
{
    struct draws d = {new_seed()};
    struct sp_entry **all = entries_draw(&d, 3000);
    struct oracle o = {.old = all, .now = all + 1500, .nold = 1500, .nnow = 1500};
    struct sp_id a, b;
    struct pair p;

    (void)state;
    pair_init(&p);
    a = tree_write(&p.old, all, 1500);
    b = tree_write(&p.now, all + 1500, 1500);
    for (size_t i = 0; i < p.now.cap; i++) {
        if (p.now.slots[i] != NULL && sp_id_cmp(&p.now.slots[i]->id, &b) != 0) {
            nodes_remove(&p.now, &p.now.slots[i]->id);
            break;
        }
    }
    gives(SP_ABSENT, sp_catalog_diff(&p.source, &a, &b, each, &o, &err));
    nodes_remove(&p.old, &a);
    gives(SP_ABSENT, sp_catalog_diff(&p.source, &a, &b, each, &o, &err));
    pair_free(&p);
    entries_free(all, 3000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes),
        cmocka_unit_test(whole_ranges),
        cmocka_unit_test(one_change_reads_one_path),
        cmocka_unit_test(many_changes_need_few_questions),
        cmocka_unit_test(the_caller_ends_it),
        cmocka_unit_test(a_missing_node_ends_it),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
