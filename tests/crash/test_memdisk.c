/* The disk of the power cut harness: that it answers as a real one does, and that what it leaves
 * after a cut is what its header allows, no more and no less. */

#include "tests/unit/base/support.h"

#include <errno.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"
#include "memdisk.h"

static uint64_t
seed_of_run(void)
{
    const char *text = getenv("SP_SEED");

    return text != NULL ? strtoull(text, NULL, 10) : 1;
}

static uint64_t
draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

/* --- like a real one -----------------------------------------------------------------------------
 */

#define OPEN 4

struct side { /* one of the two file systems */
    const struct sp_os *os;
    const char *root;
    struct sp_file *files[OPEN];
    struct sp_err err;
    uint64_t listed;
    struct sp_buf answer; /* code, errno, and what was found */
};

static const char *
path_in(const struct side *s, const char *rest)
{
    static char paths[2][8192];
    static size_t next;
    char *to = paths[next++ % 2];

    (void)snprintf(to, 8192, "%s%s%s", s->root, *rest == '\0' ? "" : "/", rest);
    return to;
}

static void
say(struct side *s, enum sp_code rc)
{
    sp_buf_printf(&s->answer, "%s %d;", sp_code_word(rc), rc == SP_OK ? 0 : s->err.os);
}

static void
say_stat(struct side *s, const struct sp_os_stat *st)
{
    sp_buf_printf(&s->answer, "type %d size %llu;", (int)st->type,
        st->type == SP_OS_FILE ? (unsigned long long)st->size : 0ULL);
}

static enum sp_code
say_entry(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct side *s = arg;

    (void)e;
    assert_true(st->type == SP_OS_FILE || st->size == 0 || s->os->self == NULL);
    /* In no order: sums, kept apart from the text. */
    for (const char *p = name; *p != '\0'; p++)
        s->listed += (uint64_t)*p * (uint64_t)(st->type + 3);
    s->listed += (st->type == SP_OS_FILE ? st->size : 0) * 10007 + UINT64_C(1000000007);
    return SP_OK;
}

struct step {
    unsigned op;
    char a[300], b[300];
    size_t slot, n;
    uint64_t offset;
    uint8_t byte;
};

/* Names are few, so that they meet; some go through files, some are too long. */
static void
random_path(uint64_t *state, char *to)
{
    static const char *const names[] = {"a", "b", "c"};
    size_t depth = (size_t)draw(state, 4), at = 0;

    *to = '\0';
    if (draw(state, 40) == 0) {
        memset(to, 'x', 256);
        strcpy(to + 256 - (draw(state, 2) == 0), draw(state, 2) == 0 ? "/a" : "");
        return;
    }
    for (size_t i = 0; i < depth; i++)
        at += (size_t)sprintf(to + at, "%s%s", i > 0 ? "/" : "", names[draw(state, 3)]);
}

static void
use_file(struct side *s, const struct step *t)
{
    const struct sp_os *os = s->os;
    struct sp_file **f = &s->files[t->slot];
    struct sp_os_stat st;
    uint8_t bytes[9000];
    size_t got = 0;

    if (*f == NULL)
        return;
    memset(bytes, t->byte, sizeof(bytes));
    switch (t->op % 5) {
    case 0:
        say(s, os->write_at(os->self, *f, t->offset, bytes, t->n, &s->err));
        break;
    case 1:
        say(s, os->read_at(os->self, *f, t->offset, bytes, t->n, &got, &s->err));
        sp_buf_put_hex(&s->answer, bytes, got < 64 ? got : 64);
        sp_buf_printf(&s->answer, " %zu;", got);
        break;
    case 2:
        say(s, os->file_stat(os->self, *f, &st, &s->err));
        say_stat(s, &st);
        break;
    case 3:
        say(s, os->sync(os->self, *f, &s->err));
        break;
    default:
        say(s, os->close(os->self, *f, &s->err));
        *f = NULL;
    }
}

static void
use_names(struct side *s, const struct step *t)
{
    const struct sp_os *os = s->os;
    const char *a = path_in(s, t->a), *b = path_in(s, t->b);
    struct sp_file **f = &s->files[t->slot];
    struct sp_os_stat st;
    enum sp_code rc;

    switch (t->op) {
    case 5:
    case 6:
        if (*f == NULL)
            say(s, t->op == 5 ? os->create(os->self, a, f, &s->err)
                              : os->open_read(os->self, a, f, &s->err));
        break;
    case 7:
    case 8:
        say(s, os->publish(os->self, a, b, &s->err));
        break;
    case 9:
        say(s, os->replace(os->self, a, b, &s->err));
        break;
    case 10:
        say(s, os->remove(os->self, a, &s->err));
        break;
    case 11:
    case 12:
        say(s, os->mkdir(os->self, a, &s->err));
        break;
    case 13:
        say(s, *t->a != '\0' ? os->rmdir(os->self, a, &s->err) : SP_OK);
        break;
    case 14:
        say(s, os->sync_dir(os->self, a, &s->err));
        break;
    case 15:
        s->listed = 0;
        say(s, os->list(os->self, a, true, say_entry, s, &s->err));
        sp_buf_printf(&s->answer, "%llu;", (unsigned long long)s->listed);
        break;
    default:
        rc = os->stat(os->self, a, &st, &s->err);
        say(s, rc);
        if (rc == SP_OK)
            say_stat(s, &st);
    }
}

static void
take_step(struct side *s, const struct step *t)
{
    memset(&s->err, 0, sizeof(s->err));
    sp_buf_reset(&s->answer);
    if (t->op < 5)
        use_file(s, t);
    else
        use_names(s, t);
}

static void
it_answers_as_a_real_one(void **state)
{
    const bool lasting = getenv("STILLPOINT_LONG") != NULL;
    const uint64_t seed = seed_of_run();
    uint64_t random = seed * 77 + 1;
    struct memdisk *d = memdisk_new(MEMDISK_POSIX);
    struct side real = {.os = &sp_os_system, .root = *state},
                mine = {.os = memdisk_os(d), .root = ""};
    size_t steps = lasting ? 400000 : 40000;

    mine.root = "/here";
    assert_ok(mine.os->mkdir(mine.os->self, "/here", e));
    for (size_t i = 0; i < steps; i++) {
        struct step t = {.op = (unsigned)draw(&random, 18), .slot = (size_t)draw(&random, OPEN)};

        random_path(&random, t.a);
        random_path(&random, t.b);
        t.n = (size_t)(draw(&random, 3) == 0 ? draw(&random, 9000) : draw(&random, 20));
        t.offset = draw(&random, 50) == 0 ? UINT64_MAX - draw(&random, 9) : draw(&random, 20000);
        t.byte = (uint8_t)draw(&random, 256);
        take_step(&real, &t);
        take_step(&mine, &t);
        if (strcmp(sp_buf_str(&real.answer), sp_buf_str(&mine.answer)) != 0)
            fail_msg("seed %llu step %zu: operation %u \"%s\" \"%s\": '%s' here, '%s' on a disk",
                (unsigned long long)seed, i, t.op, t.a, t.b, sp_buf_str(&mine.answer),
                sp_buf_str(&real.answer));
    }
    for (size_t i = 0; i < OPEN; i++) {
        if (real.files[i] != NULL)
            assert_ok(real.os->close(NULL, real.files[i], e));
        if (mine.files[i] != NULL)
            assert_ok(mine.os->close(mine.os->self, mine.files[i], e));
    }
    sp_buf_free(&real.answer);
    sp_buf_free(&mine.answer);
    memdisk_free(d);
    printf("memdisk: %zu steps as on a disk, seed %llu\n", steps, (unsigned long long)seed);
}

/* --- looking at one ------------------------------------------------------------------------------
 */

/* "path size first-byte-of-each-page\n" of everything, in order. */
struct dump {
    const struct sp_os *os;
    const char *folder;
    struct sp_buf *to;
};

static enum sp_code
dump_entry(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *err)
{
    const struct dump *d = arg;
    char *path = sp_path_join(d->folder, name);
    struct dump below = {d->os, path, d->to};
    uint8_t *p;
    size_t n;

    assert_non_null(path);
    sp_buf_printf(d->to, "%s", path);
    if (st->type == SP_OS_DIR) {
        sp_buf_put_str(d->to, "/\n");
        assert_int_equal(d->os->list(d->os->self, path, true, dump_entry, &below, err), SP_OK);
    } else {
        assert_ok(sp_os_read_file(d->os, path, 1u << 20, &p, &n, e));
        sp_buf_printf(d->to, " %zu ", n);
        for (size_t i = 0; i < n; i += 4096)
            sp_buf_put_u8(d->to, p[i] == 0 ? '0' : p[i]);
        sp_buf_put_u8(d->to, '\n');
        free(p);
    }
    free(path);
    return SP_OK;
}

static char *
dumped(struct memdisk *m)
{
    struct sp_buf text = SP_BUF_INIT;
    struct dump d = {memdisk_os(m), "/", &text};
    char *ret;

    assert_ok(d.os->list(d.os->self, "/", true, dump_entry, &d, e));
    ret = strdup(sp_buf_str(&text));
    assert_non_null(ret);
    sp_buf_free(&text);
    return ret;
}

static char *
left(const struct memdisk *d, uint64_t residue)
{
    struct memdisk *s = memdisk_survive(d, residue, NULL);
    char *text = dumped(s);

    memdisk_free(s);
    return text;
}

/* Whether among many residues one is exactly this. */
static bool
may_leave(const struct memdisk *d, const char *text)
{
    bool found = false;

    for (uint64_t residue = 0; residue < 400 && !found; residue++) {
        char *got = left(d, residue);

        found = strcmp(got, text) == 0;
        free(got);
    }
    return found;
}

static size_t
kinds_left(const struct memdisk *d)
{
    uint64_t seen[400];
    size_t n = 0;

    for (uint64_t residue = 0; residue < 400; residue++) {
        uint64_t print;
        size_t i = 0;

        memdisk_free(memdisk_survive(d, residue, &print));
        while (i < n && seen[i] != print)
            i++;
        if (i == n)
            seen[n++] = print;
    }
    return n;
}

static struct sp_file *
made(const struct sp_os *os, const char *path, char byte, size_t n)
{
    struct sp_file *f;
    char bytes[16384];

    assert_true(n <= sizeof(bytes));
    memset(bytes, byte, n);
    assert_ok(os->create(os->self, path, &f, e));
    assert_ok(os->write_at(os->self, f, 0, bytes, n, e));
    return f;
}

static void
closed(const struct sp_os *os, struct sp_file *f)
{
    assert_ok(os->close(os->self, f, e));
}

/* --- what a cut leaves ---------------------------------------------------------------------------
 */

static void
what_was_flushed_stays(void **state)
{
    (void)state;
    for (enum memdisk_mode mode = MEMDISK_ORDERED; mode <= MEMDISK_POSIX; mode++) {
        struct memdisk *d = memdisk_new(mode);
        const struct sp_os *os = memdisk_os(d);
        struct sp_file *f;

        assert_ok(os->mkdir(os->self, "/d", e));
        f = made(os, "/d/f", 'x', 5000);
        assert_ok(os->sync(os->self, f, e));
        closed(os, f);
        assert_ok(os->sync_dir(os->self, "/d", e));
        assert_ok(os->sync_dir(os->self, "/", e));
        assert_true(may_leave(d, "/d/\n/d/f 5000 xx\n"));
        assert_int_equal(kinds_left(d), 1);
        memdisk_free(d);
    }
}

static void
bytes_that_were_not_flushed_may_be_lost_in_every_way(void **state)
{
    (void)state;
    for (enum memdisk_mode mode = MEMDISK_ORDERED; mode <= MEMDISK_POSIX; mode++) {
        struct memdisk *d = memdisk_new(mode);
        const struct sp_os *os = memdisk_os(d);
        struct sp_file *f = made(os, "/f", 'x', 12288);

        assert_ok(os->sync_dir(os->self, "/", e));
        assert_true(may_leave(d, "/f 0 \n"));
        assert_true(may_leave(d, "/f 4096 x\n"));
        assert_true(may_leave(d, "/f 12288 000\n"));
        assert_true(may_leave(d, "/f 12288 x0x\n"));
        assert_true(may_leave(d, "/f 12288 xxx\n"));
        assert_int_equal(may_leave(d, "/f 12288 xZx\n"), mode == MEMDISK_POSIX);
        /* What was flushed is not taken back by what is written after it. */
        assert_ok(os->sync(os->self, f, e));
        assert_ok(os->write_at(os->self, f, 8192, "y", 1, e));
        assert_true(may_leave(d, "/f 12288 xxx\n"));
        assert_true(may_leave(d, "/f 12288 xxy\n"));
        assert_false(may_leave(d, "/f 12288 xx0\n"));
        closed(os, f);
        memdisk_free(d);
    }
}

static void
a_journal_keeps_the_order(void **state)
{
    struct memdisk *d = memdisk_new(MEMDISK_ORDERED);
    const struct sp_os *os = memdisk_os(d);
    struct sp_file *f;

    (void)state;
    assert_ok(os->mkdir(os->self, "/a", e));
    assert_ok(os->mkdir(os->self, "/b", e));
    assert_true(may_leave(d, ""));
    assert_true(may_leave(d, "/a/\n"));
    assert_false(may_leave(d, "/b/\n"));
    /* A flush takes with it what came before, and not what came after. */
    assert_ok(os->mkdir(os->self, "/b/c", e));
    assert_ok(os->mkdir(os->self, "/z", e));
    assert_ok(os->sync_dir(os->self, "/b/c", e));
    assert_false(may_leave(d, "/a/\n/b/\n"));
    assert_true(may_leave(d, "/a/\n/b/\n/b/c/\n"));
    assert_ok(os->sync_dir(os->self, "/a", e)); /* clean: forces nothing */
    assert_true(may_leave(d, "/a/\n/b/\n/b/c/\n"));
    f = made(os, "/z/f", 'x', 1);
    assert_ok(os->sync(os->self, f, e));
    closed(os, f);
    assert_int_equal(kinds_left(d), 1);
    /* One of the two names, always. */
    assert_ok(os->publish(os->self, "/z/f", "/a/g", e));
    assert_true(may_leave(d, "/a/\n/b/\n/b/c/\n/z/\n/z/f 1 x\n"));
    assert_true(may_leave(d, "/a/\n/a/g 1 x\n/b/\n/b/c/\n/z/\n"));
    assert_int_equal(kinds_left(d), 2);
    memdisk_free(d);
}

static void
without_one_each_name_is_on_its_own(void **state)
{
    struct memdisk *d = memdisk_new(MEMDISK_POSIX);
    const struct sp_os *os = memdisk_os(d);
    struct sp_file *f;

    (void)state;
    assert_ok(os->mkdir(os->self, "/a", e));
    assert_ok(os->mkdir(os->self, "/b", e));
    assert_true(may_leave(d, "/b/\n"));
    f = made(os, "/a/f", 'x', 1);
    assert_ok(os->sync(os->self, f, e));
    closed(os, f);
    /* The file's bytes say nothing of its name, nor the folder of its own. */
    assert_ok(os->sync_dir(os->self, "/a", e));
    assert_true(may_leave(d, "/b/\n"));
    assert_true(may_leave(d, "/a/\n/a/f 1 x\n"));
    assert_false(may_leave(d, "/a/\n"));
    assert_ok(os->sync_dir(os->self, "/", e));
    assert_ok(os->publish(os->self, "/a/f", "/b/g", e));
    assert_true(may_leave(d, "/a/\n/a/f 1 x\n/b/\n/b/g 1 x\n"));
    assert_true(may_leave(d, "/a/\n/b/\n"));
    assert_ok(os->sync_dir(os->self, "/b", e));
    assert_true(may_leave(d, "/a/\n/a/f 1 x\n/b/\n/b/g 1 x\n"));
    assert_false(may_leave(d, "/a/\n/b/\n"));
    memdisk_free(d);
}

static void
a_replaced_name_never_vanishes(void **state)
{
    (void)state;
    for (enum memdisk_mode mode = 0; mode < MEMDISK_MODES; mode++) {
        struct memdisk *d = memdisk_new(mode);
        const struct sp_os *os = memdisk_os(d);

        closed(os, made(os, "/f", 'o', 1));
        memdisk_settle(d);
        closed(os, made(os, "/g", 'n', 1));
        memdisk_settle(d);
        assert_ok(os->replace(os->self, "/g", "/f", e));
        assert_true(may_leave(d, "/f 1 n\n"));
        assert_true(may_leave(d, "/f 1 o\n/g 1 n\n"));
        assert_int_equal(may_leave(d, "/f 1 o\n"), mode != MEMDISK_ORDERED);
        assert_int_equal(may_leave(d, "/f 1 n\n/g 1 n\n"), mode != MEMDISK_ORDERED);
        assert_false(may_leave(d, "/g 1 n\n"));
        assert_false(may_leave(d, ""));
        memdisk_free(d);
    }
}

static void
a_store_that_cannot_flush_says_so(void **state)
{
    (void)state;
    for (enum memdisk_mode mode = MEMDISK_NO_FOLDER_FLUSH; mode < MEMDISK_MODES; mode++) {
        struct memdisk *d = memdisk_new(mode);
        const struct sp_os *os = memdisk_os(d);
        struct sp_file *f = made(os, "/f", 'x', 1);
        struct sp_err err = {0};

        assert_int_equal(os->sync_dir(os->self, "/", &err), SP_UNSUPPORTED);
        assert_int_equal(err.os, EINVAL);
        if (mode == MEMDISK_NO_FLUSH) {
            assert_int_equal(os->sync(os->self, f, &err), SP_IO);
            assert_int_equal(err.os, EINVAL);
            assert_true(may_leave(d, "/f 0 \n"));
        } else {
            assert_ok(os->sync(os->self, f, e));
            assert_false(may_leave(d, "/f 0 \n"));
        }
        assert_true(may_leave(d, ""));
        closed(os, f);
        memdisk_settle(d);
        assert_int_equal(kinds_left(d), 1);
        memdisk_free(d);
    }
}

static void
a_failed_flush_is_not_mended_by_another(void **state)
{
    (void)state;
    for (enum memdisk_mode mode = MEMDISK_ORDERED; mode <= MEMDISK_POSIX; mode++) {
        struct memdisk *d = memdisk_new(mode);
        const struct sp_os *os = memdisk_os(d);
        struct sp_file *f;

        f = made(os, "/f", 'x', 1);
        memdisk_fail_flush(d, memdisk_ops(d), EIO);
        assert_code(SP_IO, os->sync(os->self, f, e));
        assert_ok(os->sync(os->self, f, e));
        closed(os, f);
        assert_ok(os->sync_dir(os->self, "/", e));
        assert_true(may_leave(d, "/f 0 \n"));
        assert_ok(os->mkdir(os->self, "/d", e));
        memdisk_fail_flush(d, memdisk_ops(d), EIO);
        assert_code(SP_IO, os->sync_dir(os->self, "/", e));
        if (mode == MEMDISK_ORDERED)
            assert_code(SP_DENIED, os->sync_dir(os->self, "/", e));
        else
            assert_ok(os->sync_dir(os->self, "/", e));
        assert_true(may_leave(d, "/f 0 \n"));
        memdisk_free(d);
    }
}

static void
after_the_cut_nothing_answers(void **state)
{
    struct memdisk *d = memdisk_new(MEMDISK_ORDERED);
    const struct sp_os *os = memdisk_os(d);
    struct sp_file *f = made(os, "/f", 'x', 1);
    struct sp_os_stat st;

    (void)state;
    memdisk_cut_at(d, memdisk_ops(d), EIO);
    assert_ok(os->stat(os->self, "/f", &st, e));
    assert_code(SP_IO, os->mkdir(os->self, "/d", e));
    assert_code(SP_IO, os->stat(os->self, "/f", &st, e));
    assert_code(SP_IO, os->close(os->self, f, e));
    memdisk_free(d);
}

/* --- the log -------------------------------------------------------------------------------------
 */

static void
random_change(const struct sp_os *os, uint64_t *random)
{
    static const char *const paths[] = {"/a", "/b", "/a/a", "/a/b", "/b/a", "/c"};
    const char *a = paths[draw(random, 6)], *b = paths[draw(random, 6)];
    struct sp_err ignored;
    struct sp_file *f;

    switch (draw(random, 7)) {
    case 0:
        (void)os->mkdir(os->self, a, &ignored);
        break;
    case 1:
        (void)os->publish(os->self, a, b, &ignored);
        break;
    case 2:
        (void)os->replace(os->self, a, b, &ignored);
        break;
    case 3:
        (void)os->remove(os->self, a, &ignored);
        break;
    case 4:
        (void)os->rmdir(os->self, a, &ignored);
        break;
    case 5:
        (void)os->sync_dir(os->self, draw(random, 2) == 0 ? "/" : a, &ignored);
        break;
    default:
        if (os->create(os->self, a, &f, &ignored) != SP_OK)
            return;
        assert_ok(os->write_at(os->self, f, draw(random, 9000), "x", 1, e));
        if (draw(random, 2) == 0)
            assert_ok(os->sync(os->self, f, e));
        assert_ok(os->write_at(os->self, f, draw(random, 9000), "y", 1, e));
        closed(os, f);
    }
}

static void
the_log_makes_every_disk_again(void **state)
{
    uint64_t random = seed_of_run() * 99 + 1;

    (void)state;
    for (enum memdisk_mode mode = 0; mode <= MEMDISK_POSIX; mode++) {
        struct memdisk *d = memdisk_new(mode), *again;
        const struct sp_os *os = memdisk_os(d);
        char *then[120];
        size_t at[120];

        for (size_t i = 0; i < 120; i++) {
            random_change(os, &random);
            at[i] = memdisk_ops(d);
            then[i] = left(d, MEMDISK_RANDOM + i);
        }
        again = memdisk_start(d);
        for (size_t i = 0; i < 120; i++) {
            char *got;

            while (memdisk_ops(again) < at[i])
                memdisk_step(again, d);
            got = left(again, MEMDISK_RANDOM + i);
            assert_string_equal(got, then[i]);
            free(got);
            free(then[i]);
        }
        memdisk_free(again);
        memdisk_free(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_answers_as_a_real_one, tmp_setup, tmp_teardown),
        cmocka_unit_test(what_was_flushed_stays),
        cmocka_unit_test(bytes_that_were_not_flushed_may_be_lost_in_every_way),
        cmocka_unit_test(a_journal_keeps_the_order),
        cmocka_unit_test(without_one_each_name_is_on_its_own),
        cmocka_unit_test(a_replaced_name_never_vanishes),
        cmocka_unit_test(a_store_that_cannot_flush_says_so),
        cmocka_unit_test(a_failed_flush_is_not_mended_by_another),
        cmocka_unit_test(after_the_cut_nothing_answers),
        cmocka_unit_test(the_log_makes_every_disk_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
