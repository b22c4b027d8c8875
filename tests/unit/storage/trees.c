#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "expect.h"

#include "base/random.h"
#include "trees.h"

struct sp_keys *tree_keys;

int
tree_setup(void **state)
{
    struct sp_random_seeded s = {42};
    struct sp_random r = sp_random_seeded_of(&s);

    (void)state;
    return sp_keys_generate(&r, &tree_keys, &err) != SP_OK;
}

int
tree_teardown(void **state)
{
    (void)state;
    sp_keys_free(tree_keys);
    return 0;
}

struct sp_id
tree_write(struct nodes *m, struct sp_entry *const *all, size_t n)
{
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog_totals t;
    struct sp_id root;

    ok(sp_catalog_writer_new(tree_keys, &m->sink, &w, &err));
    for (size_t i = 0; i < n; i++)
        ok(sp_catalog_writer_add(w, all[i], &err));
    ok(sp_catalog_writer_finish(w, &root, &t, &err));
    assert_true(t.entries == n);
    sp_catalog_writer_free(w);
    return root;
}

struct sp_catalog *
tree_open(struct nodes *m, const struct sp_id *root)
{
    struct sp_catalog *c = NULL;

    ok(sp_catalog_open(&m->source, root, &c, &err));
    return c;
}

void
tree_gives(struct sp_catalog *c, struct sp_entry *const *all, size_t n)
{
    const struct sp_entry *en = NULL;

    for (size_t i = 0; i < n; i++) {
        ok(sp_catalog_next(c, &en, &err));
        assert_non_null(en);
        assert_true(entry_equal(en, all[i]));
    }
    for (int k = 0; k < 2; k++) {
        ok(sp_catalog_next(c, &en, &err));
        assert_null(en);
    }
}
