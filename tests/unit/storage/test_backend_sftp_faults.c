/* The sftp backend when connections die: at every request of every operation, before it took effect
 * and after; servers that come back, and those that do not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "expect.h"
#include "remote.h"

#define MANY ((size_t)300 << 10) /* more than one WRITE */
#define AT_MOST 80               /* requests of one operation here */

static uint8_t bytes[8u << 20];

static void
fill(void)
{
    uint32_t x = 1;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
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

/* --- a cut at every request ------------------------------------------------------------------ */

/* What an operation does, and holds true when it was said to be done. */
static void
open_it(struct remote *r)
{
    enum sp_code rc = remote_open(r, false);

    /* The first connection of all is tried once. */
    if (rc != SP_OK && rc != SP_UNREACHABLE)
        fail_msg("open gave %s (%s)", sp_code_word(rc), err.text);
    if (rc != SP_OK)
        ok(remote_open(r, false));
}

static void
create_it(struct remote *r)
{
    enum sp_code rc;

    sp_backend_free(r->b);
    r->b = NULL;
    assert_true(fake_delete(r->f, REMOTE_ROOT));
    rc = remote_open(r, true);
    if (rc != SP_OK && rc != SP_UNREACHABLE)
        fail_msg("create gave %s (%s)", sp_code_word(rc), err.text);
    if (rc != SP_OK) /* what is left of it is as good as empty */
        ok(remote_open(r, true));
    ok(sp_backend_put(r->b, "repository.conf", "conf", 4, &err));
    ok(sp_backend_put(r->b, "packs/00/a", "0123456789", 10, &err));
    ok(sp_backend_put(r->b, "packs/00/b", "b", 1, &err));
}

static void
put_it(struct remote *r)
{
    ok(sp_backend_put(r->b, "packs/77/new", bytes, MANY, &err));
    remote_holds(r, "packs/77/new", bytes, MANY);
    ok(sp_backend_remove(r->b, "packs/77/new", &err));
}

/* The first of a run: the probe is on its way beside it. */
static void
first_put(struct remote *r)
{
    struct sp_sftp_gaps gaps;

    put_it(r);
    ok(sp_backend_sftp_gaps(r->b, &gaps, &err));
    assert_false(gaps.no_flush || gaps.no_space || gaps.replaces || gaps.no_remove);
}

static void
put_in_pieces(struct remote *r)
{
    struct sp_backend_writer *w;

    ok(sp_backend_begin(r->b, &w, &err));
    for (size_t i = 0; i < 8; i++)
        ok(sp_backend_write(r->b, w, bytes + i * 40000, 40000, &err));
    ok(sp_backend_publish(r->b, w, "nodes/00/new", &err));
    remote_holds(r, "nodes/00/new", bytes, 320000);
    ok(sp_backend_remove(r->b, "nodes/00/new", &err));
}

static void
get_it(struct remote *r)
{
    struct sp_backend_fetch f[2] = {
        {.name = "packs/00/a", .whole = true, .limit = 100}, {.name = "packs/00/a", .n = 4}};
    char to[4];

    f[1].to = to;
    for (size_t i = 0; i < 2; i++)
        ok(sp_backend_fetch_start(r->b, &f[i], &err));
    for (size_t i = 0; i < 2; i++)
        ok(sp_backend_fetch_finish(r->b, &f[i], &err));
    assert_int_equal(f[0].n, 10);
    assert_memory_equal(f[0].bytes, "0123456789", 10);
    assert_memory_equal(to, "0123", 4);
    free(f[0].bytes);
}

static void
get_none(struct remote *r)
{
    char to;

    gives(SP_ABSENT, sp_backend_get(r->b, "packs/00/none", 0, &to, 1, &err));
    gives(SP_CORRUPT, sp_backend_get(r->b, "packs/00/a", 10, &to, 1, &err));
}

static void
list_it(struct remote *r)
{
    size_t n = 0;

    ok(sp_backend_list(r->b, "", count, &n, &err));
    assert_int_equal(n, 3); /* none twice */
}

static void
remove_it(struct remote *r)
{
    ok(sp_backend_remove(r->b, "packs/00/a", &err));
    assert_false(remote_there(r, "packs/00/a"));
    ok(sp_backend_put(r->b, "packs/00/a", "0123456789", 10, &err));
}

static void
move_it(struct remote *r)
{
    ok(sp_backend_move(r->b, "packs/00/a", "trash/x/a", &err));
    remote_holds(r, "trash/x/a", "0123456789", 10);
    assert_false(remote_there(r, "packs/00/a"));
    ok(sp_backend_move(r->b, "trash/x/a", "packs/00/a", &err));
}

static void
put_twice(struct remote *r)
{
    gives(SP_EXISTS, sp_backend_put(r->b, "packs/00/b", "other", 5, &err));
    gives(SP_EXISTS, sp_backend_move(r->b, "packs/00/a", "packs/00/b", &err));
}

static void
ask_it(struct remote *r)
{
    struct sp_os_space space;
    int64_t now, written;
    uint64_t size;

    ok(sp_backend_space(r->b, &space, &err));
    ok(sp_backend_now(r->b, &now, &err));
    ok(sp_backend_written(r->b, "packs/00/a", &written, &err));
    assert_int_equal(now, written);
    ok(sp_backend_size(r->b, "packs/00/a", &size, &err));
    assert_int_equal(size, 10);
    ok(sp_backend_sync(r->b, &err));
}

static bool
dead(void *arg, const uint8_t run[16], int64_t written_ns)
{
    (void)arg;
    (void)run;
    (void)written_ns;
    return true;
}

static void
a_cut_at_every_request_is_healed(void **state)
{
    static const struct {
        const char *name;
        void (*run)(struct remote *r);
        bool fresh;     /* over a backend that has not written yet */
        unsigned least; /* requests it has */
    } ops[] = {{"open", open_it, false, 4}, {"create", create_it, false, 15},
        {"put", put_it, false, 6}, {"first put", first_put, true, 12},
        {"put in pieces", put_in_pieces, false, 6}, {"get", get_it, true, 6},
        {"get what is not there", get_none, true, 5}, {"list", list_it, true, 8},
        {"remove", remove_it, false, 2}, {"move", move_it, false, 4},
        {"put what is there", put_twice, false, 8}, {"ask", ask_it, false, 5}};

    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        for (unsigned how = 0; how < 2; how++)
            for (unsigned k = 1;; k++) {
                struct remote r;
                bool cut;

                remote_make(&r);
                ok(sp_backend_put(r.b, "packs/00/a", "0123456789", 10, &err));
                ok(sp_backend_put(r.b, "packs/00/b", "b", 1, &err));
                if (ops[i].fresh)
                    ok(remote_open(&r, false));
                fake_cut(r.f, 0, k, how == 1, true);
                ops[i].run(&r);
                cut = fake_was_cut(r.f);
                fake_cut(r.f, 0, 0, false, false);
                /* What was there before is as it was. */
                remote_holds(&r, "packs/00/a", "0123456789", 10);
                remote_holds(&r, "packs/00/b", "b", 1);
                remote_holds(&r, "repository.conf", "conf", 4);
                ok(sp_backend_sweep(r.b, dead, NULL, &err));
                assert_int_equal(remote_count(&r, "tmp"), 0);
                assert_int_equal(remote_count(&r, ""), 3);
                remote_end(&r);
                if (!cut) {
                    if (k <= ops[i].least)
                        fail_msg("%s has only %u requests", ops[i].name, k - 1);
                    break;
                }
                if (k > AT_MOST)
                    fail_msg("%s has no end", ops[i].name);
            }
}

/* --- streams --------------------------------------------------------------------------------- */

/* Waits until the server has n bytes in tmp/. */
static void
add_size(void *arg, const char *name, uint64_t size)
{
    (void)name;
    *(uint64_t *)arg += size;
}

static void
await(struct remote *r, uint64_t n)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t sum = 0;

        fake_each(r->f, REMOTE_ROOT "/tmp", add_size, &sum);
        if (sum >= n)
            return;
        sp_sleep_ms(5);
    }
    fail_msg("the server has not got %llu bytes", (unsigned long long)n);
}

static void
a_stream_goes_on_over_another_connection(void **state)
{
    struct sp_backend_writer *w;
    struct remote r;

    (void)state;
    remote_make(&r);
    ok(sp_backend_begin(r.b, &w, &err));
    for (size_t i = 0; i < 8; i++) {
        ok(sp_backend_write(r.b, w, bytes + (i << 20), 1 << 20, &err));
        if (i == 2 || i == 5)
            fake_cut_now(r.f);
    }
    fake_cut_now(r.f);
    ok(sp_backend_publish(r.b, w, "packs/00/big", &err));
    remote_holds(&r, "packs/00/big", bytes, sizeof(bytes));
    assert_true(atomic_load(&r.connects) >= 3);
    remote_end(&r);
}

/* The machine of the server lost its power, and what it had acknowledged and not flushed. */
static void
what_was_acknowledged_and_lost_is_noticed(void **state)
{
    struct sp_backend_writer *w;
    struct remote r;
    enum sp_code rc;

    (void)state;
    remote_make(&r);
    ok(sp_backend_begin(r.b, &w, &err));
    ok(sp_backend_write(r.b, w, bytes, 3 << 20, &err));
    await(&r, 5 << 19); /* a last part of a piece waits for more */
    sp_sleep_ms(50);    /* its answers arrive */
    fake_crash(r.f, 1 << 20);
    rc = sp_backend_write(r.b, w, bytes + (3 << 20), 1 << 20, &err);
    if (rc == SP_OK) {
        rc = sp_backend_publish(r.b, w, "packs/00/lost", &err);
    } else {
        struct sp_err again = {0};

        assert_true(sp_backend_publish(r.b, w, "packs/00/lost", &again) != SP_OK);
    }
    if (rc == SP_OK) /* only if all of it is there after all */
        remote_holds(&r, "packs/00/lost", bytes, 4 << 20);
    else
        assert_int_equal(rc, SP_IO);
    assert_true(rc == SP_OK || !remote_there(&r, "packs/00/lost"));
    /* The next one is none the worse. */
    ok(sp_backend_put(r.b, "packs/00/next", bytes, MANY, &err));
    remote_holds(&r, "packs/00/next", bytes, MANY);
    remote_end(&r);
}

/* The answer to FSYNC is lost: that flush may have failed, and a second one of the same file proves
 * nothing (R3). */
static void
an_unheard_flush_is_no_proof(void **state)
{
    struct remote r;
    size_t opens;

    (void)state;
    for (int after = 0; after < 2; after++) {
        remote_make(&r);
        opens = fake_requests(r.f, SP_FXP_OPEN);
        fake_cut(r.f, SP_FXP_EXTENDED, 1, after == 1, true);
        ok(sp_backend_put(r.b, "packs/00/a", bytes, MANY, &err));
        assert_true(fake_was_cut(r.f));
        remote_holds(&r, "packs/00/a", bytes, MANY);
        /* The first, its resumption, reading it back, and the second file. */
        assert_true(fake_requests(r.f, SP_FXP_OPEN) >= opens + 4);
        remote_end(&r);
    }
}

/* A disk that failed to take the pages of a file forgets them: what is read for the second file may
 * be another thing than what the resumption saw. */
struct spoiling {
    struct remote *r;
    size_t closes;
    char name[128];
};

static void
keep_name(void *arg, const char *name, uint64_t size)
{
    struct spoiling *s = arg;

    if (size == MANY)
        (void)snprintf(s->name, sizeof(s->name), "%s/tmp/%s", REMOTE_ROOT, name);
}

static void
spoil(void *arg)
{
    struct spoiling *s = arg;

    while (!fake_was_cut(s->r->f))
        sp_sleep_ms(1);
    while (fake_requests(s->r->f, SP_FXP_CLOSE) == s->closes)
        sp_sleep_ms(1);
    fake_each(s->r->f, REMOTE_ROOT "/tmp", keep_name, s);
    assert_true(fake_flip(s->r->f, s->name, MANY - 5));
}

static void
what_is_written_anew_is_what_was_written(void **state)
{
    struct spoiling s = {.closes = 0};
    struct fake_options o;
    struct sp_thread *t;
    struct remote r;

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/first", bytes, MANY, &err));
    o = fake_get(r.f);
    o.delay_ms = 50;
    fake_set(r.f, &o);
    sp_sleep_ms(100);
    s.r = &r;
    s.closes = fake_requests(r.f, SP_FXP_CLOSE);
    fake_cut(r.f, SP_FXP_EXTENDED, 1, true, true);
    ok(sp_thread_start("spoiling", spoil, &s, &t, &err));
    gives(SP_IO, sp_backend_put(r.b, "packs/00/a", bytes, MANY, &err));
    sp_thread_join(t);
    assert_false(remote_there(&r, "packs/00/a"));
    ok(sp_backend_put(r.b, "packs/00/a", bytes, MANY, &err));
    remote_holds(&r, "packs/00/a", bytes, MANY);
    remote_end(&r);
}

/* --- outages --------------------------------------------------------------------------------- */

static void
set_refuse(struct remote *r, enum sp_code code)
{
    struct fake_options o = fake_get(r->f);

    o.refuse = code;
    fake_set(r->f, &o);
}

struct waking {
    struct remote *r;
    uint32_t after_ms;
};

static void
come_back(void *arg)
{
    struct waking *w = arg;

    sp_sleep_ms(w->after_ms);
    set_refuse(w->r, SP_OK);
}

static size_t
lines(struct remote *r)
{
    size_t n = 0;

    sp_mutex_lock(&r->lock);
    for (const char *p = sp_buf_str(&r->notices); *p != '\0'; p++)
        n += *p == '\n';
    sp_mutex_unlock(&r->lock);
    return n;
}

static void
a_server_may_go_and_come_back(void **state)
{
    struct waking w = {.after_ms = 700};
    struct sp_thread *t;
    struct remote r;
    uint64_t size;

    (void)state;
    remote_make(&r);
    /* What the first try heals is no news. */
    fake_cut_now(r.f);
    ok(sp_backend_size(r.b, "repository.conf", &size, &err));
    assert_int_equal(lines(&r), 0);

    set_refuse(&r, SP_UNREACHABLE);
    fake_cut_now(r.f);
    w.r = &r;
    ok(sp_thread_start("waking", come_back, &w, &t, &err));
    ok(sp_backend_size(r.b, "repository.conf", &size, &err));
    sp_thread_join(t);
    assert_int_equal(lines(&r), 2);
    assert_true(remote_noticed(&r, "anna@nas was lost"));
    assert_true(remote_noticed(&r, "connected to anna@nas again"));
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    assert_int_equal(lines(&r), 2);
    remote_end(&r);
}

static void
patience_ends(void **state)
{
    struct remote r;
    uint64_t size;
    int64_t begin;
    int connects;

    (void)state;
    remote_init(&r);
    r.o.patience_ms = 300;
    ok(remote_open(&r, true));
    ok(sp_backend_put(r.b, "repository.conf", "conf", 4, &err));
    set_refuse(&r, SP_UNREACHABLE);
    fake_cut_now(r.f);
    begin = sp_clock_mono(&sp_clock_system);
    gives(SP_UNREACHABLE, sp_backend_size(r.b, "repository.conf", &size, &err));
    assert_non_null(strstr(err.text, "anna@nas"));
    assert_true(sp_clock_mono(&sp_clock_system) - begin < 10 * SP_SECOND);
    assert_true(atomic_load(&r.connects) >= 3);
    /* For good, and at once. */
    set_refuse(&r, SP_OK);
    connects = atomic_load(&r.connects);
    gives(SP_UNREACHABLE, sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    assert_int_equal(atomic_load(&r.connects), connects);
    remote_end(&r);
    assert_int_equal(atomic_load(&r.released), 1);
}

static void
a_refused_login_is_final(void **state)
{
    static const enum sp_code codes[] = {SP_AUTH, SP_REFUSED, SP_UNSUPPORTED};
    static const int tries[] = {2, 1, 1};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct remote r;
        uint64_t size;
        int connects;

        remote_make(&r);
        connects = atomic_load(&r.connects);
        set_refuse(&r, codes[i]);
        fake_cut_now(r.f);
        gives(codes[i], sp_backend_size(r.b, "repository.conf", &size, &err));
        assert_int_equal(atomic_load(&r.connects), connects + tries[i]);
        set_refuse(&r, SP_OK);
        gives(codes[i], sp_backend_size(r.b, "repository.conf", &size, &err));
        remote_end(&r);
    }
}

static void
the_first_connection_is_given_a_moment(void **state)
{
    static const enum sp_code codes[] = {SP_UNREACHABLE, SP_AUTH, SP_REFUSED};
    struct remote r;

    (void)state;
    for (size_t i = 0; i < 3; i++) { /* only who may come back */
        remote_init(&r);
        set_refuse(&r, codes[i]);
        gives(codes[i], remote_open(&r, false));
        assert_int_equal(atomic_load(&r.connects), codes[i] == SP_UNREACHABLE ? 3 : 1);
        assert_null(r.b);
        assert_int_equal(atomic_load(&r.released), 0); /* the caller's still */
        remote_end(&r);
    }
}

/* A server that takes logins and hangs up at each request is out as well. */
static void
a_server_that_hangs_up_is_not_asked_for_ever(void **state)
{
    struct fake_options o;
    struct remote r;
    uint64_t size;

    (void)state;
    remote_init(&r);
    r.o.patience_ms = 600;
    ok(remote_open(&r, true));
    o = fake_get(r.f);
    o.lie = FAKE_LENGTH_HUGE;
    o.lie_on = SP_FXP_LSTAT;
    fake_set(r.f, &o);
    gives(SP_PROTOCOL, sp_backend_size(r.b, "repository.conf", &size, &err));
    assert_true(atomic_load(&r.connects) <= 3);
    remote_end(&r);
}

/* --- stopping -------------------------------------------------------------------------------- */

struct asking {
    struct remote *r;
    enum sp_code rc;
    struct sp_err e;
};

static void
ask_size(void *arg)
{
    struct asking *a = arg;
    uint64_t size;

    a->rc = sp_backend_size(a->r->b, "repository.conf", &size, &a->e);
}

static void
stop_ends_every_wait_soon(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct asking a = {.rc = SP_OK};
        struct fake_options o;
        struct sp_thread *t;
        struct remote r;
        int64_t begin;

        remote_make(&r);
        o = fake_get(r.f);
        if (i == 0) { /* an answer that does not come */
            o.lie = FAKE_SILENT;
            o.stall_ms = 60000;
            fake_set(r.f, &o);
        } else if (i == 1) { /* an outage */
            set_refuse(&r, SP_UNREACHABLE);
            fake_cut_now(r.f);
        } else { /* it comes back, takes the login, and then does not answer */
            o.lie = FAKE_SILENT;
            o.lie_on = i == 2 ? SP_FXP_REALPATH : 0;
            o.stall_ms = 60000;
            fake_set(r.f, &o);
            fake_cut_now(r.f);
        }
        a.r = &r;
        ok(sp_thread_start("asking", ask_size, &a, &t, &err));
        sp_sleep_ms(i == 0 ? 50 : 700);
        begin = sp_clock_mono(&sp_clock_system);
        atomic_store(&r.stop, true);
        sp_thread_join(t);
        assert_true(sp_clock_mono(&sp_clock_system) - begin < 2 * SP_SECOND);
        assert_int_equal(a.rc, SP_CANCELLED);
        gives(SP_CANCELLED, sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
        remote_end(&r);
    }
}

/* The probe of a run that gives up is not what its end waits for. */
static void
an_end_waits_for_no_outage(void **state)
{
    struct sp_backend_writer *w;
    struct fake_options o;
    struct remote r;
    int64_t begin;

    (void)state;
    remote_make(&r);
    ok(remote_open(&r, false));
    o = fake_get(r.f);
    o.lie = FAKE_SILENT; /* only the probe reads: it waits where the connections end */
    o.lie_on = SP_FXP_READ;
    fake_set(r.f, &o);
    ok(sp_backend_begin(r.b, &w, &err));
    o.refuse = SP_UNREACHABLE;
    fake_set(r.f, &o);
    fake_cut_now(r.f);
    sp_sleep_ms(50);
    sp_backend_abort(r.b, w);
    begin = sp_clock_mono(&sp_clock_system);
    sp_backend_free(r.b);
    r.b = NULL;
    assert_true(sp_clock_mono(&sp_clock_system) - begin < 10 * SP_SECOND);
    assert_int_equal(fake_links(r.f), 0);
    remote_end(&r);
}

/* What was sent without waiting is done before the connections end. */
static void
an_end_leaves_nothing(void **state)
{
    struct sp_backend_writer *w;
    struct fake_options o;
    struct remote r;
    int64_t now;

    (void)state;
    remote_make(&r);
    o = fake_get(r.f);
    o.delay_ms = 20;
    fake_set(r.f, &o);
    ok(remote_open(&r, false));
    ok(sp_backend_now(r.b, &now, &err));
    ok(sp_backend_begin(r.b, &w, &err));
    ok(sp_backend_write(r.b, w, bytes, MANY, &err));
    sp_backend_abort(r.b, w);
    sp_backend_free(r.b);
    r.b = NULL;
    assert_int_equal(remote_count(&r, "tmp"), 0);
    remote_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_every_request_is_healed),
        cmocka_unit_test(a_stream_goes_on_over_another_connection),
        cmocka_unit_test(what_was_acknowledged_and_lost_is_noticed),
        cmocka_unit_test(an_unheard_flush_is_no_proof),
        cmocka_unit_test(what_is_written_anew_is_what_was_written),
        cmocka_unit_test(a_server_may_go_and_come_back),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(a_refused_login_is_final),
        cmocka_unit_test(the_first_connection_is_given_a_moment),
        cmocka_unit_test(a_server_that_hangs_up_is_not_asked_for_ever),
        cmocka_unit_test(stop_ends_every_wait_soon),
        cmocka_unit_test(an_end_waits_for_no_outage),
        cmocka_unit_test(an_end_leaves_nothing),
    };

    fill();
    return cmocka_run_group_tests_name("sftp faults", tests, NULL, NULL);
}
