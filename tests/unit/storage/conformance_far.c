/* The contract of storage/backend.h: the store's clock, temporary files, several reads and listings
 * at once; see conformance.h. */

#include "conformance_threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "expect.h"

#define COARSE (5 * SP_SECOND) /* times of a store may be cut: two seconds are known of */

/* --- the store's clock ----------------------------------------------------------------------- */

void
the_clock_is_the_stores(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    int64_t before = 0, written = 0, again = 0, after = 0, untouched = 77;

    ok(sp_backend_now(b, &before, &err));
    conformance_put(b, "leases/a", "a");
    ok(sp_backend_written(b, "leases/a", &written, &err));
    ok(sp_backend_now(b, &after, &err));
    assert_true(written >= before - COARSE && written <= after + COARSE);
    assert_true(after >= before - COARSE && after - before < 600 * SP_SECOND);
    /* Of this century: a store whose clock says nothing cannot be used to tell ages. */
    assert_true(before > INT64_C(1500000000) * SP_SECOND);

    /* Neither moving nor looking changes it. */
    ok(sp_backend_move(b, "leases/a", "trash/a", &err));
    ok(sp_backend_written(b, "trash/a", &again, &err));
    assert_int_equal(again, written);
    gives(SP_ABSENT, sp_backend_written(b, "leases/a", &untouched, &err));
    gives(SP_ABSENT, sp_backend_written(b, "trash", &untouched, &err));
    gives(SP_INVALID, sp_backend_written(b, "tmp/a", &untouched, &err));
    assert_int_equal(untouched, 77);
}

static enum sp_code
count(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

void
asking_the_time_leaves_nothing(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    size_t objects = 0;
    int64_t now;

    for (int i = 0; i < 3; i++)
        ok(sp_backend_now(b, &now, &err));
    ok(sp_backend_list(b, "", count, &objects, &err));
    assert_int_equal(objects, 0);
}

/* --- temporary files ------------------------------------------------------------------------- */

struct seen {
    uint8_t run[16];
    bool answer;
    size_t n, own;
    int64_t oldest_ns, youngest_ns;
};

static bool
dead(void *arg, const uint8_t run[16], int64_t written_ns)
{
    struct seen *s = arg;

    s->n++;
    if (memcmp(run, s->run, 16) != 0)
        return false;
    if (s->own == 0 || written_ns < s->oldest_ns)
        s->oldest_ns = written_ns;
    if (s->own == 0 || written_ns > s->youngest_ns)
        s->youngest_ns = written_ns;
    s->own++;
    return s->answer;
}

void
temporary_files_tell_their_run(void **state)
{
    static const uint8_t none[16];
    struct sp_backend *b = conformance_backend(state), *other = conformance_again(state);
    struct sp_backend_writer *w, *kept;
    struct seen s = {.answer = false};
    int64_t now;
    size_t objects = 0;

    assert_memory_not_equal(b->run, none, 16); /* random, filled at open */
    memcpy(s.run, b->run, 16);
    ok(sp_backend_sweep(b, dead, &s, &err));
    assert_int_equal(s.n, 0); /* no trace of the opening itself */

    ok(sp_backend_begin(b, &w, &err));
    ok(sp_backend_begin(b, &kept, &err));
    ok(sp_backend_write(b, w, "half", 4, &err));
    ok(sp_backend_now(b, &now, &err));
    ok(sp_backend_sweep(b, dead, &s, &err));
    assert_int_equal(s.own, 2);
    assert_true(s.oldest_ns > now - 60 * SP_SECOND && s.youngest_ns < now + COARSE);
    /* What lives stays. */
    ok(sp_backend_publish(b, w, "packs/00/a", &err));
    ok(sp_backend_list(b, "packs", count, &objects, &err));
    assert_int_equal(objects, 1);
    if (other != NULL) { /* somebody else sees the same, and has another run */
        assert_memory_not_equal(other->run, b->run, 16);
        s.own = 0;
        ok(sp_backend_sweep(other, dead, &s, &err));
        assert_int_equal(s.own, 1);
    }
    sp_backend_abort(b, kept);
    s.n = 0;
    ok(sp_backend_sweep(b, dead, &s, &err));
    assert_int_equal(s.n, 0); /* nothing is left of either */
    sp_backend_free(other);
}

/* A writer whose file was swept away fails to give it a name, and nothing is seen of it. */
void
what_was_swept_gets_no_name(void **state)
{
    struct sp_backend *b = conformance_backend(state), *other = conformance_again(state);
    struct sp_backend_writer *w;
    struct seen s = {.answer = true};
    size_t objects = 0;
    uint64_t size;
    enum sp_code rc;

    if (SP_OS_WINDOWS) { /* which keeps who else sweeps from removing a file that is open */
        sp_backend_free(other);
        return;
    }
    ok(sp_backend_begin(b, &w, &err));
    ok(sp_backend_write(b, w, "half", 4, &err));
    /* By then a store that is far away has the file, too. */
    gives(SP_ABSENT, sp_backend_size(b, "sets/a", &size, &err));
    memcpy(s.run, b->run, 16);
    ok(sp_backend_sweep(other != NULL ? other : b, dead, &s, &err));
    assert_int_equal(s.own, 1);
    rc = sp_backend_publish(b, w, "sets/a", &err);
    assert_true(rc != SP_OK && rc != SP_ABSENT && rc != SP_EXISTS);
    ok(sp_backend_list(b, "sets", count, &objects, &err));
    assert_int_equal(objects, 0);
    conformance_put(b, "sets/a", "again");
    sp_backend_free(other);
}

/* --- several at once ------------------------------------------------------------------------- */

#define PIECE 5000
#define READS 40

void
fetches_may_overlap(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    static uint8_t bytes[PIECE * 4], to[READS][PIECE];
    struct sp_backend_fetch f[READS];
    char names[4][40];

    for (size_t i = 0; i < 4; i++) {
        conformance_fill(bytes, sizeof(bytes), i);
        (void)snprintf(names[i], sizeof(names[i]), "packs/%02zx/x", i);
        ok(sp_backend_put(b, names[i], bytes, sizeof(bytes), &err));
    }
    for (size_t i = 0; i < READS; i++) {
        f[i] = (struct sp_backend_fetch){.name = names[i % 4]};
        if (i % 5 == 4) {
            f[i].whole = true;
            f[i].limit = sizeof(bytes);
        } else {
            f[i].offset = i / 4 * 100;
            f[i].to = to[i];
            f[i].n = PIECE - i;
        }
        ok(sp_backend_fetch_start(b, &f[i], &err));
    }
    /* In another order than they were asked for. */
    for (size_t k = 0; k < READS; k++) {
        size_t i = (k * 7) % READS;

        ok(sp_backend_fetch_finish(b, &f[i], &err));
        conformance_fill(bytes, sizeof(bytes), i % 4);
        if (f[i].whole) {
            assert_int_equal(f[i].n, sizeof(bytes));
            assert_memory_equal(f[i].bytes, bytes, sizeof(bytes));
            free(f[i].bytes);
        } else {
            assert_memory_equal(to[i], bytes + f[i].offset, f[i].n);
        }
    }
}

/* Starts and finishes; either may say what is wrong. */
static enum sp_code
fetch(struct sp_backend *b, struct sp_backend_fetch *f)
{
    enum sp_code rc = sp_backend_fetch_start(b, f, &err);

    return rc != SP_OK ? rc : sp_backend_fetch_finish(b, f, &err);
}

void
fetches_fail_as_reads_do(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    char to[16];
    struct sp_backend_fetch part = {.name = "packs/00/a", .to = to, .n = 4};
    struct sp_backend_fetch whole = {.name = "packs/00/a", .whole = true, .limit = 3};
    struct sp_backend_fetch good;

    gives(SP_ABSENT, fetch(b, &part));
    gives(SP_ABSENT, fetch(b, &whole));
    conformance_put(b, "packs/00/a", "0123");
    part.offset = 1;
    gives(SP_CORRUPT, fetch(b, &part));
    gives(SP_CORRUPT, fetch(b, &whole));
    assert_null(whole.bytes);
    part.name = whole.name = "../a";
    gives(SP_INVALID, fetch(b, &part));
    gives(SP_INVALID, fetch(b, &whole));
    part.name = "packs/00/none";
    part.offset = 0;
    /* One that fails takes no other with it. */
    good = (struct sp_backend_fetch){.name = "packs/00/a", .to = to, .n = 4};
    ok(sp_backend_fetch_start(b, &good, &err));
    gives(SP_ABSENT, fetch(b, &part));
    ok(sp_backend_fetch_finish(b, &good, &err));
    assert_memory_equal(to, "0123", 4);
    conformance_put(b, "packs/00/empty", "");
    whole = (struct sp_backend_fetch){.name = "packs/00/empty", .whole = true, .limit = 0};
    ok(fetch(b, &whole));
    assert_int_equal(whole.n, 0);
    free(whole.bytes);
}

static enum sp_code
note(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)e;
    sp_buf_printf(arg, " %s=%llu;", name, (unsigned long long)size);
    return SP_OK;
}

static enum sp_code
stop(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    ++*(size_t *)arg;
    return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
}

void
list_all_lists_each_prefix(void **state)
{
    static const char *const prefixes[] = {"packs", "nodes", "marks", "sets/h"};
    static const char *const want[] = {
        " packs/00/a=1;", " packs/01/b=2;", " nodes/00/c=3;", " sets/h/m/r.set=4;"};
    static const char *const bad[] = {"packs", "../x"};
    struct sp_backend *b = conformance_backend(state);
    struct sp_buf found = SP_BUF_INIT;
    size_t n = 0, stopped = 0;

    ok(sp_backend_list_all(b, prefixes, 4, note, &found, &err));
    assert_int_equal(found.len, 0);
    conformance_put(b, "packs/00/a", "1");
    conformance_put(b, "packs/01/b", "22");
    conformance_put(b, "nodes/00/c", "333");
    conformance_put(b, "sets/h/m/r.set", "4444");
    conformance_put(b, "sets/other/m/r.set", "55555");
    conformance_put(b, "index/00/d", "666666");
    ok(sp_backend_list_all(b, prefixes, 4, note, &found, &err));
    for (size_t i = 0; i < 4; i++)
        if (strstr(sp_buf_str(&found), want[i]) == NULL)
            fail_msg("lists%s, and not%s", sp_buf_str(&found), want[i]);
    for (const char *p = sp_buf_str(&found); *p != '\0'; p++)
        n += *p == ';';
    assert_int_equal(n, 4);
    sp_buf_free(&found);
    ok(sp_backend_list_all(b, prefixes, 0, note, &found, &err));
    gives(SP_INVALID, sp_backend_list_all(b, bad, 2, note, &found, &err));
    assert_int_equal(found.len, 0);
    gives(SP_CANCELLED, sp_backend_list_all(b, prefixes, 4, stop, &stopped, &err));
    assert_int_equal(stopped, 1);
}
