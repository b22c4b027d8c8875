/* Lists of metadata grow, keep copies, and go whole. */

#include "tests/unit/vss/writers.h"

static void
test_lists(void **state)
{
    struct sp_vss_metadata m = {0};
    char text[] = "C:\\data";

    (void)state;
    for (int i = 0; i < 9; i++) {
        struct sp_vss_writer *w = add_writer(&m, OTHER_WRITER, "w");
        struct sp_err e;

        for (int j = 0; j < i; j++) {
            struct sp_vss_component *c = add_component(w, "", "c", "", true);

            for (int k = 0; k < j; k++) {
                add_file(c, text, "*", k % 2 == 1);
                depend(c, SQL_SERVER, "a", "b");
            }
        }
        assert_int_equal(sp_vss_files_add(&w->excludes, &w->nexcludes, text, "*.tmp", true,
                             "D:\\else", SP_VSS_LOG_FILE, &e),
            SP_OK);
    }
    text[0] = 'X'; /* copied */
    assert_int_equal(m.nwriters, 9);
    for (size_t i = 0; i < 9; i++) {
        const struct sp_vss_writer *w = &m.writers[i];

        assert_string_equal(w->class_id, OTHER_WRITER);
        assert_int_equal(w->ncomponents, i);
        for (size_t j = 0; j < i; j++) {
            const struct sp_vss_component *c = &w->components[j];

            assert_int_equal(c->nfiles, j);
            assert_int_equal(c->ndependencies, j);
            for (size_t k = 0; k < j; k++) {
                assert_string_equal(c->files[k].path, "C:\\data");
                assert_int_equal(c->files[k].recursive, k % 2 == 1);
                assert_string_equal(c->dependencies[k].writer_id, SQL_SERVER);
                assert_string_equal(c->dependencies[k].logical_path, "a");
                assert_string_equal(c->dependencies[k].name, "b");
            }
        }
        assert_int_equal(w->nexcludes, 1);
        assert_string_equal(w->excludes[0].alternate, "D:\\else");
        assert_int_equal(w->excludes[0].kind, SP_VSS_LOG_FILE);
    }
    sp_vss_metadata_clear(&m);
    assert_int_equal(m.nwriters, 0);
    assert_null(m.writers);
    sp_vss_metadata_clear(&m);
}

/* A writer's own text where an id should be: cut, never past its place. */
static void
test_long_id(void **state)
{
    struct sp_vss_metadata m = {0};
    struct sp_vss_component *c;

    (void)state;
    c = add_component(add_writer(&m, OTHER_WRITER, "w"), "", "c", "", true);
    depend(c, "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a-and-more", "", "x");
    depend(c, "", "", "x");
    assert_string_equal(c->dependencies[0].writer_id, SQL_SERVER);
    assert_string_equal(c->dependencies[1].writer_id, "");
    sp_vss_metadata_clear(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_long_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
