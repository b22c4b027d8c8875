/* The contract of storage/backend.h as tests; see conformance.h. */

#include "conformance_threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "expect.h"

/* --- help ------------------------------------------------------------------------------------ */

static int
setup(void **state)
{
    struct fixture *f = *state;

    err = (struct sp_err){0};
    if (f->c->make(f->c->arg, &f->b, &err) != SP_OK) {
        print_error("no store: %s\n", err.text);
        return -1;
    }
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    sp_backend_free(f->b);
    f->b = NULL;
    return 0;
}

struct sp_backend *
conformance_backend(void **state)
{
    return ((struct fixture *)*state)->b;
}

struct sp_backend *
conformance_again(void **state)
{
    struct fixture *f = *state;
    struct sp_backend *other = NULL;

    if (f->c->again != NULL) {
        conformance_put(f->b, "repository.conf", "conf"); /* or there is nothing to open */
        check_code(f->c->again(f->c->arg, &other, &err), SP_OK, "again", __LINE__);
    }
    return other;
}

void
conformance_put(struct sp_backend *b, const char *name, const char *text)
{
    check_code(sp_backend_put(b, name, text, strlen(text), &err), SP_OK, name, __LINE__);
}

static void
assert_holds(struct sp_backend *b, const char *name, const char *text)
{
    uint8_t *bytes = NULL;
    size_t n = 0;

    check_code(sp_backend_get_all(b, name, 1 << 20, &bytes, &n, &err), SP_OK, name, __LINE__);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
    free(bytes);
}

/* A listing as " name=size name=size", sorted by whoever looks for one of them. */
static enum sp_code
note(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)e;
    sp_buf_printf(arg, " %s=%llu;", name, (unsigned long long)size);
    return SP_OK;
}

static size_t
count_of(const char *text, char c)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == c;
    return n;
}

/* The listing has exactly `n` objects, and all of the given ("name=size" each, NULL at the end). */
static void
assert_lists(struct sp_backend *b, const char *prefix, size_t n, const char *const *want)
{
    struct sp_buf found = SP_BUF_INIT;

    ok(sp_backend_list(b, prefix, note, &found, &err));
    for (; *want != NULL; want++) {
        char one[400];

        (void)snprintf(one, sizeof(one), " %s;", *want);
        if (strstr(sp_buf_str(&found), one) == NULL)
            fail_msg("\"%s\" lists%s, and not %s", prefix, sp_buf_str(&found), *want);
    }
    if (count_of(sp_buf_str(&found), ';') != n)
        fail_msg("\"%s\" lists %s, not %zu objects", prefix, sp_buf_str(&found), n);
    sp_buf_free(&found);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((const char *const[]){NULL})

void
conformance_fill(uint8_t *p, size_t n, uint64_t seed)
{
    struct sp_random_seeded s = {seed};
    struct sp_random r = sp_random_seeded_of(&s);

    ok(sp_random_fill(&r, p, n, &err));
}

/* --- reading and writing --------------------------------------------------------------------- */

static void
put_gives_back_exactly(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 511, 4096, 4097, 100000};
    struct sp_backend *b = conformance_backend(state);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t n = sizes[i], got_n = 77;
        uint8_t *bytes = malloc(n + 1), *got = NULL;
        uint64_t size = 77;
        char name[64];

        conformance_fill(bytes, n, i);
        (void)snprintf(name, sizeof(name), "packs/%02zx/object-%zu", i, n);
        ok(sp_backend_put(b, name, bytes, n, &err));
        ok(sp_backend_size(b, name, &size, &err));
        assert_int_equal(size, n);
        ok(sp_backend_get_all(b, name, n, &got, &got_n, &err));
        assert_int_equal(got_n, n);
        assert_memory_equal(got, bytes, n);
        free(got);
        if (n > 0) {
            got = NULL;
            gives(SP_CORRUPT, sp_backend_get_all(b, name, n - 1, &got, &got_n, &err));
            assert_null(got);
        }
        free(bytes);
    }
}

static void
get_is_exact(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    char to[16] = "...............";

    conformance_put(b, "keys/a/b", "0123456789");
    ok(sp_backend_get(b, "keys/a/b", 3, to, 4, &err));
    assert_memory_equal(to, "3456....", 8);
    ok(sp_backend_get(b, "keys/a/b", 9, to, 1, &err));
    assert_memory_equal(to, "9456....", 8);
    ok(sp_backend_get(b, "keys/a/b", 0, to, 10, &err));
    assert_memory_equal(to, "0123456789.....", 15);
    ok(sp_backend_get(b, "keys/a/b", 0, to, 0, &err));
    ok(sp_backend_get(b, "keys/a/b", 10, to, 0, &err));
    assert_memory_equal(to, "0123456789.....", 15);

    gives(SP_CORRUPT, sp_backend_get(b, "keys/a/b", 0, to, 11, &err));
    assert_non_null(strstr(err.text, "shorter"));
    gives(SP_CORRUPT, sp_backend_get(b, "keys/a/b", 10, to, 1, &err));
    gives(SP_CORRUPT, sp_backend_get(b, "keys/a/b", 11, to, 0, &err));
    gives(SP_CORRUPT, sp_backend_get(b, "keys/a/b", UINT64_MAX, to, 1, &err));
    gives(SP_CORRUPT, sp_backend_get(b, "keys/a/b", UINT64_MAX - 3, to, 8, &err));
    gives(SP_CORRUPT, sp_backend_get(b, "keys/a/b", (uint64_t)INT64_MAX, to, 1, &err));
}

static void
put_never_replaces(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    struct sp_backend_writer *w;

    conformance_put(b, "repository.conf", "the first");
    gives(SP_EXISTS, sp_backend_put(b, "repository.conf", "other", 5, &err));
    gives(SP_EXISTS, sp_backend_put(b, "repository.conf", "the first", 9, &err));
    ok(sp_backend_begin(b, &w, &err));
    ok(sp_backend_write(b, w, "third", 5, &err));
    gives(SP_EXISTS, sp_backend_publish(b, w, "repository.conf", &err));
    assert_holds(b, "repository.conf", "the first");
    assert_lists(b, "", 1, LIST("repository.conf=9"));

    /* An empty object is one, too. */
    ok(sp_backend_put(b, "owner", "", 0, &err));
    gives(SP_EXISTS, sp_backend_put(b, "owner", "x", 1, &err));
    assert_holds(b, "owner", "");
}

static void
writing_is_all_or_nothing(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    struct sp_backend_writer *w, *other;
    uint64_t size;

    ok(sp_backend_begin(b, &w, &err));
    ok(sp_backend_begin(b, &other, &err));
    ok(sp_backend_write(b, w, "first ", 6, &err));
    ok(sp_backend_write(b, other, "lost", 4, &err));
    ok(sp_backend_write(b, w, "", 0, &err));
    gives(SP_ABSENT, sp_backend_size(b, "packs/00/x", &size, &err));
    assert_lists(b, "", 0, NOTHING);
    ok(sp_backend_write(b, w, "second", 6, &err));
    ok(sp_backend_publish(b, w, "packs/00/x", &err));
    assert_lists(b, "", 1, LIST("packs/00/x=12"));
    assert_holds(b, "packs/00/x", "first second");

    sp_backend_abort(b, other);
    sp_backend_abort(b, NULL);
    ok(sp_backend_sync(b, &err));
    assert_lists(b, "", 1, LIST("packs/00/x=12"));
}

static void
a_bad_name_releases_the_writer(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    struct sp_backend_writer *w;

    ok(sp_backend_begin(b, &w, &err));
    ok(sp_backend_write(b, w, "lost", 4, &err));
    gives(SP_INVALID, sp_backend_publish(b, w, "../x", &err));
    assert_lists(b, "", 0, NOTHING);
}

static void
big_objects(void **state)
{
    const size_t piece = 1 << 20, pieces = 40;
    struct sp_backend *b = conformance_backend(state);
    struct sp_backend_writer *w;
    uint8_t *bytes = malloc(piece), *got = malloc(piece);
    uint64_t size;

    ok(sp_backend_begin(b, &w, &err));
    for (size_t i = 0; i < pieces; i++) {
        conformance_fill(bytes, piece, i);
        ok(sp_backend_write(b, w, bytes, piece, &err));
    }
    ok(sp_backend_write(b, w, "end", 3, &err));
    ok(sp_backend_publish(b, w, "packs/ff/big", &err));
    ok(sp_backend_sync(b, &err));
    ok(sp_backend_size(b, "packs/ff/big", &size, &err));
    assert_int_equal(size, piece * pieces + 3);
    for (size_t i = 0; i < pieces; i++) {
        size_t at = (i * 7) % pieces;

        conformance_fill(bytes, piece, at);
        ok(sp_backend_get(b, "packs/ff/big", at * piece, got, piece, &err));
        assert_memory_equal(got, bytes, piece);
    }
    ok(sp_backend_get(b, "packs/ff/big", piece * pieces, got, 3, &err));
    assert_memory_equal(got, "end", 3);
    gives(SP_CORRUPT, sp_backend_get(b, "packs/ff/big", piece * pieces, got, 4, &err));
    free(bytes);
    free(got);
}

/* --- absence --------------------------------------------------------------------------------- */

static void
absent_is_absent(void **state)
{
    static const char *const names[] = {"owner", "packs/00/none", "packs", "packs/aa", "keys/a/b/c",
        "packs/aa/there/below", "packs/aa/ther"};
    struct sp_backend *b = conformance_backend(state);

    conformance_put(b, "packs/aa/there", "x");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t size = 77;
        uint8_t *bytes = NULL;
        size_t n = 77;
        char to;

        gives(SP_ABSENT, sp_backend_size(b, names[i], &size, &err));
        gives(SP_ABSENT, sp_backend_get(b, names[i], 0, &to, 1, &err));
        gives(SP_ABSENT, sp_backend_get(b, names[i], 0, &to, 0, &err));
        gives(SP_ABSENT, sp_backend_get_all(b, names[i], 10, &bytes, &n, &err));
        gives(SP_ABSENT, sp_backend_remove(b, names[i], &err));
        gives(SP_ABSENT, sp_backend_move(b, names[i], "trash/x", &err));
        gives(SP_ABSENT, sp_backend_move(b, names[i], "packs/aa/there", &err));
        assert_int_equal(size, 77);
        assert_int_equal(n, 77);
        assert_null(bytes);
    }
    assert_lists(b, "", 1, LIST("packs/aa/there=1"));
    assert_holds(b, "packs/aa/there", "x");
}

static void
bad_names_are_refused(void **state)
{
    static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/../b",
        "./a", "a/b/c/d/e", "A", "packs/AB/x", "a b", "a\\b", "c:", "caf\xc3\xa9", "a\n", "a*", "~",
        "tmp", "tmp/x", "tmp/a/b",
        /* 81 characters */
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static const char *const good[] = {"a", "tmpx", "x/tmp", "tm", ".a", "...", "a.b_c-9",
        "a/b/c/d",
        /* 80 characters */
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct sp_backend *b = conformance_backend(state);

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(sp_object_name_valid(good[i]));
    }
    conformance_put(b, "x/y", "y");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sp_buf found = SP_BUF_INIT;
        uint64_t size;
        uint8_t *bytes;
        size_t n;
        char to;

        assert_false(sp_object_name_valid(bad[i]));
        gives(SP_INVALID, sp_backend_put(b, bad[i], "x", 1, &err));
        gives(SP_INVALID, sp_backend_size(b, bad[i], &size, &err));
        gives(SP_INVALID, sp_backend_get(b, bad[i], 0, &to, 1, &err));
        gives(SP_INVALID, sp_backend_get_all(b, bad[i], 9, &bytes, &n, &err));
        gives(SP_INVALID, sp_backend_remove(b, bad[i], &err));
        gives(SP_INVALID, sp_backend_move(b, bad[i], "z", &err));
        gives(SP_INVALID, sp_backend_move(b, "x/y", bad[i], &err));
        if (bad[i][0] != '\0')
            gives(SP_INVALID, sp_backend_list(b, bad[i], note, &found, &err));
        sp_buf_free(&found);
    }
    assert_lists(b, "", 1, LIST("x/y=1"));
}

/* --- listing, removing, moving --------------------------------------------------------------- */

static enum sp_code
stop_at_second(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    int *calls = arg;

    (void)name;
    (void)size;
    return ++*calls == 2 ? sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough") : SP_OK;
}

static void
list_by_prefix(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    int calls = 0;

    assert_lists(b, "", 0, NOTHING);
    assert_lists(b, "packs", 0, NOTHING);
    conformance_put(b, "repository.conf", "conf");
    conformance_put(b, "packs/00/a", "1");
    conformance_put(b, "packs/00/b", "22");
    conformance_put(b, "packs/01/c", "333");
    conformance_put(b, "packs-old/d", "4444");
    conformance_put(b, "sets/h/m/r.set", "55555");
    conformance_put(b, "sets/h/m/r.bad", "");
    assert_lists(b, "", 7,
        LIST("repository.conf=4", "packs/00/a=1", "packs/00/b=2", "packs/01/c=3", "packs-old/d=4",
            "sets/h/m/r.set=5", "sets/h/m/r.bad=0"));
    assert_lists(b, "packs", 3, LIST("packs/00/a=1", "packs/00/b=2", "packs/01/c=3"));
    assert_lists(b, "packs/00", 2, LIST("packs/00/a=1", "packs/00/b=2"));
    assert_lists(b, "sets/h/m", 2, LIST("sets/h/m/r.set=5", "sets/h/m/r.bad=0"));
    assert_lists(b, "packs/02", 0, NOTHING);
    assert_lists(b, "pack", 0, NOTHING);
    /* Objects have nothing below them. */
    assert_lists(b, "repository.conf", 0, NOTHING);
    assert_lists(b, "packs/00/a", 0, NOTHING);
    assert_lists(b, "packs/00/a/b", 0, NOTHING);
    assert_lists(b, "sets/h/m/r.set", 0, NOTHING);

    gives(SP_CANCELLED, sp_backend_list(b, "", stop_at_second, &calls, &err));
    assert_int_equal(calls, 2);
}

static enum sp_code
remove_it(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)size;
    return sp_backend_remove(arg, name, e);
}

static void
list_may_remove(void **state)
{
    struct sp_backend *b = conformance_backend(state);

    conformance_put(b, "keep", "k");
    for (int i = 0; i < 200; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "marks/%d/m%d", i % 3, i);
        conformance_put(b, name, "m");
    }
    ok(sp_backend_list(b, "marks", remove_it, b, &err));
    assert_lists(b, "", 1, LIST("keep=1"));
}

static void
remove_removes(void **state)
{
    struct sp_backend *b = conformance_backend(state);

    conformance_put(b, "marks/a", "a");
    conformance_put(b, "marks/b", "b");
    ok(sp_backend_remove(b, "marks/a", &err));
    gives(SP_ABSENT, sp_backend_remove(b, "marks/a", &err));
    assert_lists(b, "", 1, LIST("marks/b=1"));
    conformance_put(b, "marks/a", "anew");
    assert_holds(b, "marks/a", "anew");
    ok(sp_backend_remove(b, "marks/a", &err));
    ok(sp_backend_remove(b, "marks/b", &err));
    assert_lists(b, "", 0, NOTHING);
}

static void
move_never_replaces(void **state)
{
    struct sp_backend *b = conformance_backend(state);

    conformance_put(b, "packs/00/a", "a");
    conformance_put(b, "packs/00/b", "b");
    gives(SP_EXISTS, sp_backend_move(b, "packs/00/a", "packs/00/b", &err));
    gives(SP_EXISTS, sp_backend_move(b, "packs/00/a", "packs/00/a", &err));
    assert_holds(b, "packs/00/a", "a");
    assert_holds(b, "packs/00/b", "b");
    ok(sp_backend_move(b, "packs/00/a", "trash/packs/00/a", &err));
    ok(sp_backend_move(b, "packs/00/b", "packs/00/b.bad", &err));
    ok(sp_backend_sync(b, &err));
    assert_lists(b, "", 2, LIST("trash/packs/00/a=1", "packs/00/b.bad=1"));
    assert_holds(b, "trash/packs/00/a", "a");
    conformance_put(b, "packs/00/a", "again");
    gives(SP_EXISTS, sp_backend_move(b, "trash/packs/00/a", "packs/00/a", &err));
    assert_holds(b, "packs/00/a", "again");
    /* A prefix of other names is no object. */
    gives(SP_ABSENT, sp_backend_move(b, "packs/00", "packs/01", &err));
    gives(SP_ABSENT, sp_backend_move(b, "packs/00", "packs/00/x", &err));
}

static void
space_is_told(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    struct sp_os_space space = {0, 0};

    conformance_put(b, "owner", "x");
    if (!b->caps.space) {
        gives(SP_UNSUPPORTED, sp_backend_space(b, &space, &err));
        return;
    }
    ok(sp_backend_space(b, &space, &err));
    assert_true(space.total_bytes > 0);
    assert_true(space.free_bytes <= space.total_bytes);
}

static void
a_barrier_covers_what_was_before(void **state)
{
    const struct fixture *f = *state;
    struct sp_backend *b = f->b, *other = NULL;

    ok(sp_backend_sync(b, &err)); /* of nothing */
    conformance_put(b, "repository.conf", "conf");
    conformance_put(b, "packs/00/a", "a");
    conformance_put(b, "packs/01/b", "b");
    ok(sp_backend_move(b, "packs/01/b", "trash/b", &err));
    ok(sp_backend_sync(b, &err));
    ok(sp_backend_sync(b, &err));
    if (f->c->again == NULL)
        return;
    ok(f->c->again(f->c->arg, &other, &err));
    assert_lists(other, "", 3, LIST("repository.conf=4", "packs/00/a=1", "trash/b=1"));
    assert_holds(other, "packs/00/a", "a");
    gives(SP_EXISTS, sp_backend_put(other, "packs/00/a", "x", 1, &err));
    conformance_put(other, "packs/00/c", "c");
    assert_holds(b, "packs/00/c", "c");
    sp_backend_free(other);
}

/* --------------------------------------------------------------------------------------------- */

int
conformance_run(const struct conformance *c)
{
    struct fixture f = {c, NULL};
#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name, setup, teardown, &f                                                           \
    }
    const struct CMUnitTest tests[] = {
        TEST(put_gives_back_exactly),
        TEST(get_is_exact),
        TEST(put_never_replaces),
        TEST(writing_is_all_or_nothing),
        TEST(a_bad_name_releases_the_writer),
        TEST(big_objects),
        TEST(absent_is_absent),
        TEST(bad_names_are_refused),
        TEST(list_by_prefix),
        TEST(list_may_remove),
        TEST(remove_removes),
        TEST(move_never_replaces),
        TEST(space_is_told),
        TEST(a_barrier_covers_what_was_before),
        TEST(one_of_two_wins),
        TEST(many_write_while_one_lists),
        TEST(listing_survives_vanishing),
        TEST(the_clock_is_the_stores),
        TEST(asking_the_time_leaves_nothing),
        TEST(temporary_files_tell_their_run),
        TEST(what_was_swept_gets_no_name),
        TEST(fetches_may_overlap),
        TEST(fetches_fail_as_reads_do),
        TEST(list_all_lists_each_prefix),
    };

    return cmocka_run_group_tests_name(c->kind, tests, NULL, NULL);
}
