/* A node for which there was no memory, at any point of its making, is not made: never one that
 * lacks a part. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "entries.h"
#include "expect.h"
#include "storage/tree_node.h"
#include "tests/unit/base/nomem.h"

#define ENTRIES 200
#define CHILDREN 60

struct made {
    struct sp_entry **entries;
    struct sp_tree_child children[CHILDREN];
    struct sp_segment segments[CHILDREN];
};

static enum sp_code
entries(struct sp_node_coder *k, const struct made *m)
{
    return sp_tree_encode_entries(k, m->entries, ENTRIES, &err);
}

static enum sp_code
children(struct sp_node_coder *k, const struct made *m)
{
    return sp_tree_encode_children(k, 1, m->children, CHILDREN, &err);
}

static enum sp_code
list(struct sp_node_coder *k, const struct made *m)
{
    return sp_list_encode(k, 1, m->segments, CHILDREN, &err);
}

static void
no_node_lacks_a_part(void **state)
{
    static enum sp_code (*const encode[])(struct sp_node_coder * k, const struct made *m) = {
        entries, children, list};
    static struct made m;
    struct draws d = {new_seed()};

    (void)state;
    m.entries = entries_draw(&d, ENTRIES);
    for (size_t i = 0; i < CHILDREN; i++) {
        m.children[i] = (struct sp_tree_child){.first = m.entries[i]->key,
            .first_len = m.entries[i]->key_len,
            .id = draw_id(&d),
            .entries = 1 + i,
            .bytes = draw_below(&d, 1u << 30)};
        m.segments[i] =
            (struct sp_segment){.length = 1 + draw_below(&d, 1u << 30), .id = draw_id(&d)};
    }
    for (size_t w = 0; w < sizeof encode / sizeof encode[0]; w++) {
        struct sp_node_coder whole = {0};
        long failed = 0;

        ok(encode[w](&whole, &m));
        for (long n = 1;; n++) {
            struct sp_node_coder k = {0};
            enum sp_code rc;
            bool came;

            nomem_at(n);
            rc = encode[w](&k, &m);
            came = nomem_came();
            if (rc == SP_OK) {
                assert_int_equal(k.out.len, whole.out.len);
                assert_memory_equal(k.out.data, whole.out.data, whole.out.len);
            } else {
                assert_int_equal(rc, SP_NOMEM);
                failed++;
            }
            sp_node_coder_free(&k);
            if (!came)
                break;
        }
        assert_true(failed > 3);
        sp_node_coder_free(&whole);
    }
    entries_free(m.entries, ENTRIES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_node_lacks_a_part)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
