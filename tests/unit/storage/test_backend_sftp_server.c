/* The sftp backend over servers of every kind: what they can do and cannot, full ones, append-only
 * and read-only accounts, volumes that are not mounted, and how many connections it takes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "expect.h"
#include "remote.h"

static uint8_t bytes[6u << 20];

static void
set(struct remote *r, struct fake_options o)
{
    fake_set(r->f, &o);
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

/* --- opening --------------------------------------------------------------------------------- */

static void
an_empty_folder_is_no_repository(void **state)
{
    struct remote r;

    (void)state;
    remote_init(&r);
    gives(SP_ABSENT, remote_open(&r, false));
    assert_false(fake_there(r.f, REMOTE_ROOT));
    fake_put(r.f, REMOTE_ROOT "/other", "x", 1);
    gives(SP_ABSENT, remote_open(&r, false));
    assert_non_null(strstr(err.text, "mounted"));
    assert_non_null(strstr(err.text, "anna@nas"));
    assert_int_equal(remote_count(&r, ""), 1);
    fake_put(r.f, REMOTE_ROOT "/repository.conf/x", "x", 1);
    gives(SP_ABSENT, remote_open(&r, false));
    assert_int_equal(fake_handles(r.f), 0);
    assert_int_equal(fake_links(r.f), 0);
    remote_end(&r);
}

static void
create_wants_an_empty_folder(void **state)
{
    struct remote r;

    (void)state;
    remote_init(&r);
    r.o.path = "/volume1/a/b/c/"; /* parents are made */
    /* Twice: the first run died before it wrote anything. */
    for (int i = 0; i < 2; i++) {
        ok(remote_open(&r, true));
        assert_true(r.b->caps.writable && r.b->caps.exclusive && r.b->caps.remove);
        assert_true(r.b->caps.flush_file && r.b->caps.space);
        assert_true(fake_there(r.f, "/volume1/a/b/c/tmp"));
        assert_int_equal(fake_count(r.f, "/volume1"), 0);
    }
    fake_put(r.f, "/volume1/a/b/c/fi\nle", "x", 1);
    gives(SP_EXISTS, remote_open(&r, true));
    assert_non_null(strstr(err.text, "fi\\nle"));
    /* What is not ours alone nobody is told to remove. */
    fake_put(r.f, "/volume1/a/b/c/hosts", "x", 1);
    gives(SP_EXISTS, remote_open(&r, true));
    assert_null(strstr(err.text, "remove"));
    r.o.path = "/volume1/a/b/c/hosts";
    gives(SP_EXISTS, remote_open(&r, true));
    r.o.path = "/volume1/begun";
    fake_put(r.f, "/volume1/begun/repository.conf", "x", 1);
    gives(SP_EXISTS, remote_open(&r, true));
    assert_non_null(strstr(err.text, "interrupted"));
    fake_put(r.f, "/volume1/begun/packs/00/x", "x", 1);
    gives(SP_EXISTS, remote_open(&r, true));
    assert_non_null(strstr(err.text, "there is a repository in it already"));
    assert_null(r.b);
    assert_int_equal(atomic_load(&r.released), 2);
    remote_end(&r);
}

/* Every relation of a path to where the login lands. */
static void
paths_lead_to_one_place(void **state)
{
    static const char *const paths[] = {REMOTE_ROOT, "repo", "./repo", REMOTE_ROOT "///"};
    struct remote r;
    uint64_t size;

    (void)state;
    remote_make(&r);
    for (size_t i = 0; i < 4; i++) {
        r.o.path = paths[i];
        ok(remote_open(&r, false));
        ok(sp_backend_size(r.b, "repository.conf", &size, &err));
        ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
        assert_true(remote_there(&r, "packs/00/x"));
        ok(sp_backend_remove(r.b, "packs/00/x", &err));
    }
    remote_end(&r);
}

/* --- what it costs --------------------------------------------------------------------------- */

static void
who_only_reads_leaves_no_trace(void **state)
{
    static const uint8_t traces[] = {
        SP_FXP_WRITE, SP_FXP_MKDIR, SP_FXP_REMOVE, SP_FXP_RENAME, SP_FXP_RMDIR, SP_FXP_SETSTAT};
    size_t before[6], n = 0, rounds;
    struct remote r;
    char to[4];

    (void)state;
    remote_make(&r);
    for (size_t i = 0; i < 6; i++)
        before[i] = fake_requests(r.f, traces[i]);
    rounds = fake_rounds(r.f);
    ok(remote_open(&r, false));
    assert_true(r.b->caps.writable);
    /* limits@openssh.com, and one for all that opening asks. */
    assert_true(fake_rounds(r.f) - rounds <= 4);
    ok(sp_backend_get(r.b, "repository.conf", 0, to, 4, &err));
    ok(sp_backend_list(r.b, "", count, &n, &err));
    gives(SP_ABSENT, sp_backend_get(r.b, "packs/00/x", 0, to, 4, &err));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(fake_requests(r.f, traces[i]), before[i]);
    assert_int_equal(remote_count(&r, ""), 1);
    assert_int_equal(atomic_load(&r.connects), 2); /* remote_make's, and this */
    remote_end(&r);
}

/* Nor where finished files cannot be opened to be written: what a check left there could not even
 * be removed. */
static void
who_only_reads_an_append_only_account_leaves_no_trace(void **state)
{
    size_t n = 0, written, opened;
    struct remote r;
    char to[4];

    (void)state;
    remote_make(&r);
    set(&r, (struct fake_options){.remove_denied = true, .no_overwrite = true});
    ok(remote_open(&r, false));
    n = remote_count(&r, "");
    written = fake_requests(r.f, SP_FXP_WRITE);
    opened = fake_requests(r.f, SP_FXP_RENAME);
    for (int i = 0; i < 3; i++) {
        size_t ignored = 0;

        ok(remote_open(&r, false));
        ok(sp_backend_get(r.b, "repository.conf", 0, to, 4, &err));
        ok(sp_backend_list(r.b, "", count, &ignored, &err));
    }
    assert_int_equal(fake_requests(r.f, SP_FXP_WRITE), written);
    assert_int_equal(fake_requests(r.f, SP_FXP_RENAME), opened);
    assert_int_equal(remote_count(&r, ""), n);
    assert_int_equal(n, 1);
    /* Who writes there may. */
    ok(sp_backend_may_write(r.b, &err));
    assert_true(r.b->caps.writable);
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    remote_end(&r);
}

static void
no_handle_stays_open(void **state)
{
    struct sp_backend_fetch f = {.name = "packs/00/a", .n = 4};
    struct remote r;
    size_t n = 0;
    char to[4];

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/a", "0123456789", 10, &err));
    f.to = to;
    for (int i = 0; i < 20; i++) {
        ok(sp_backend_fetch_start(r.b, &f, &err));
        ok(sp_backend_fetch_finish(r.b, &f, &err));
        gives(SP_CORRUPT, sp_backend_get(r.b, "packs/00/a", 9, to, 4, &err));
        gives(SP_EXISTS, sp_backend_put(r.b, "packs/00/a", "x", 1, &err));
        ok(sp_backend_list(r.b, "", count, &n, &err));
    }
    ok(sp_backend_list(r.b, "none", count, &n, &err)); /* closes are not waited for */
    assert_true(fake_handles(r.f) <= 1);
    remote_end(&r);
}

/* What a NAS lays into every folder of its, some of it closed to this login. */
static void
what_others_laid_there_is_passed_over(void **state)
{
    static const char *const others[] = {"#recycle/x", "@eaDir/x", "lost+found/x", "packs/@eaDir/x",
        "packs/00/.x~", "PACKS/00/x", "tmp/none"};
    struct remote r;
    size_t n = 0, opened;
    char path[100];

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    ok(sp_backend_put(r.b, "packs/tmp/x", "x", 1, &err));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", REMOTE_ROOT, others[i]);
        fake_put(r.f, path, "x", 1);
    }
    opened = fake_requests(r.f, SP_FXP_OPENDIR);
    ok(sp_backend_list(r.b, "", count, &n, &err));
    assert_int_equal(n, 3);
    /* The root, packs, packs/00 and packs/tmp: none of the others was opened. */
    assert_int_equal(fake_requests(r.f, SP_FXP_OPENDIR) - opened, 4);
    remote_end(&r);
}

/* --- servers that lack something ------------------------------------------------------------- */

static void
gaps_are_found_by_doing(void **state)
{
    static const struct {
        struct fake_options o;
        struct sp_sftp_gaps gaps;
        const char *notice;
    } cases[] = {
        {{.read_only = false}, {.no_flush = false}, NULL},
        {{.no_fsync = true}, {.no_flush = true}, "cannot flush files"},
        {{.no_statvfs = true}, {.no_space = true}, NULL},
        {{.rename_replaces = true}, {.replaces = true}, "replaces files"},
        {{.remove_denied = true}, {.no_remove = true}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int create = 0; create < 2; create++) {
            const struct sp_sftp_gaps *want = &cases[i].gaps;
            struct sp_sftp_gaps gaps;
            struct remote r;

            remote_init(&r);
            set(&r, cases[i].o);
            if (create == 0)
                fake_put(r.f, REMOTE_ROOT "/repository.conf", "conf", 4);
            ok(remote_open(&r, create != 0));
            ok(sp_backend_sftp_gaps(r.b, &gaps, &err));
            assert_memory_equal(&gaps, want, sizeof(gaps));
            assert_int_equal(r.b->caps.flush_file, !want->no_flush);
            assert_int_equal(r.b->caps.space, !want->no_space);
            assert_int_equal(r.b->caps.exclusive, !want->replaces);
            assert_int_equal(r.b->caps.remove, !want->no_remove);
            assert_true(r.b->caps.writable);
            assert_false(r.b->caps.flush_folder); /* this server opens no folders */
            ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
            gives(SP_EXISTS, sp_backend_put(r.b, "packs/00/x", "yy", 2, &err));
            remote_holds(&r, "packs/00/x", "x", 1);
            ok(sp_backend_sync(r.b, &err));
            if (cases[i].notice != NULL)
                assert_true(remote_noticed(&r, cases[i].notice));
            else
                assert_int_equal(r.notices.len, 0);
            remote_end(&r);
        }
}

static void
an_append_only_account_is_served(void **state)
{
    struct sp_sftp_gaps gaps;
    struct remote r;
    size_t n = 0;
    int64_t now;

    (void)state;
    remote_make(&r);
    set(&r, (struct fake_options){.remove_denied = true});
    ok(remote_open(&r, false));
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    ok(sp_backend_sftp_gaps(r.b, &gaps, &err));
    assert_false(r.b->caps.remove);
    gives(SP_DENIED, sp_backend_remove(r.b, "packs/00/x", &err));
    ok(sp_backend_move(r.b, "packs/00/x", "packs/00/x.bad", &err));
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    gives(SP_EXISTS, sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    ok(sp_backend_now(r.b, &now, &err));
    ok(sp_backend_sync(r.b, &err));
    ok(sp_backend_list(r.b, "", count, &n, &err));
    assert_int_equal(n, 3);
    remote_end(&r);
}

static void
a_read_only_account_is_read(void **state)
{
    struct sp_backend_writer *w;
    struct remote r;
    size_t requests, n = 0;
    int64_t now;
    char to[4];

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/x", "0123", 4, &err));
    set(&r, (struct fake_options){.read_only = true});
    ok(remote_open(&r, false));
    ok(sp_backend_may_write(r.b, &err));
    assert_false(r.b->caps.writable);
    ok(sp_backend_get(r.b, "packs/00/x", 0, to, 4, &err));
    assert_memory_equal(to, "0123", 4);
    ok(sp_backend_list(r.b, "", count, &n, &err));
    assert_int_equal(n, 2);
    requests = fake_requests(r.f, 0);
    gives(SP_DENIED, sp_backend_begin(r.b, &w, &err));
    assert_non_null(strstr(err.text, "anna@nas"));
    gives(SP_DENIED, sp_backend_put(r.b, "packs/00/y", "y", 1, &err));
    gives(SP_DENIED, sp_backend_remove(r.b, "packs/00/x", &err));
    gives(SP_DENIED, sp_backend_move(r.b, "packs/00/x", "packs/00/y", &err));
    gives(SP_DENIED, sp_backend_now(r.b, &now, &err));
    assert_int_equal(fake_requests(r.f, 0), requests);
    ok(sp_backend_sync(r.b, &err));
    /* Nor is a repository made there. */
    r.o.path = "/home/anna/new";
    gives(SP_DENIED, remote_open(&r, true));
    remote_end(&r);
}

/* --- failures of writing --------------------------------------------------------------------- */

static void
nothing_gets_its_name_before_it_is_safe(void **state)
{
    static const struct fake_options cases[] = {{.fsync_fails = true}, {.close_fails = true},
        {.write_fails_at = 1}, {.write_fails_at = 2}, {.write_fails_at = 5},
        {.rename_denied = true}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t flushes;
        struct remote r;
        enum sp_code rc;

        remote_make(&r);
        flushes = fake_requests(r.f, SP_FXP_EXTENDED);
        set(&r, cases[i]);
        rc = sp_backend_put(r.b, "packs/00/x", bytes, 5 * 261120 - 7, &err);
        if (rc != (cases[i].rename_denied ? SP_DENIED : SP_IO))
            fail_msg("case %zu: %s (%s)", i, sp_code_word(rc), err.text);
        assert_false(remote_there(&r, "packs/00/x"));
        /* Never a second flush as proof. (The others ask for the room that is left.) */
        if (cases[i].fsync_fails)
            assert_int_equal(fake_requests(r.f, SP_FXP_EXTENDED), flushes + 2);
        set(&r, (struct fake_options){.read_only = false});
        ok(sp_backend_put(r.b, "packs/00/x", bytes, sizeof(bytes), &err));
        remote_holds(&r, "packs/00/x", bytes, sizeof(bytes));
        remote_end(&r);
    }
}

static void
a_full_store_is_told_by_its_room(void **state)
{
    struct remote r;
    uint64_t size;

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/x", bytes, 1 << 20, &err));
    set(&r, (struct fake_options){.full_at = 3 << 20});
    gives(SP_FULL, sp_backend_put(r.b, "packs/00/y", bytes, sizeof(bytes), &err));
    assert_non_null(strstr(err.text, "free"));
    assert_false(remote_there(&r, "packs/00/y"));
    ok(sp_backend_size(r.b, "packs/00/x", &size, &err));
    /* It opens, and removing works (R19). */
    fake_put(r.f, REMOTE_ROOT "/filler", bytes, 2 << 20);
    ok(remote_open(&r, false));
    gives(SP_FULL, sp_backend_put(r.b, "packs/00/y", "y", 1, &err));
    ok(sp_backend_remove(r.b, "filler", &err));
    ok(sp_backend_put(r.b, "packs/00/y", "y", 1, &err));
    /* A server that does not tell its room has failed, and no more is known. */
    set(&r, (struct fake_options){.full_at = 3 << 20, .no_statvfs = true});
    ok(remote_open(&r, false));
    gives(SP_IO, sp_backend_put(r.b, "packs/00/z", bytes, sizeof(bytes), &err));
    remote_end(&r);
}

static void
tmp_is_made_again(void **state)
{
    struct remote r;

    (void)state;
    remote_make(&r);
    assert_true(fake_delete(r.f, REMOTE_ROOT "/tmp"));
    ok(remote_open(&r, false));
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    /* In the middle of a run the writer that meets it fails, the next one does not. */
    assert_true(fake_delete(r.f, REMOTE_ROOT "/tmp"));
    gives(SP_IO, sp_backend_put(r.b, "packs/00/y", "y", 1, &err));
    ok(sp_backend_put(r.b, "packs/00/y", "y", 1, &err));
    remote_end(&r);
}

/* --- volumes that come and go ---------------------------------------------------------------- */

/* Of a file whose time nobody tells it cannot be said that it is old: it may be of a run that
 * lives.
 */
static bool
older(void *arg, const uint8_t run[16], int64_t written_ns)
{
    (void)run;
    return *(int64_t *)arg - written_ns > 7200 * SP_SECOND;
}

static void
what_has_no_time_is_not_old(void **state)
{
    static const char unfinished[] = "tmp/00112233445566778899aabbccddeeff-0";
    struct remote r;
    int64_t now, at;

    (void)state;
    for (int untold = 1; untold >= 0; untold--) {
        remote_make(&r);
        ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
        fake_put(r.f, REMOTE_ROOT "/tmp/00112233445566778899aabbccddeeff-0", "x", 1);
        set(&r, (struct fake_options){.untold_times = untold == 1});
        fake_clock(r.f, fake_now(r.f) + 7201);
        ok(sp_backend_now(r.b, &now, &err));
        ok(sp_backend_sweep(r.b, older, &now, &err));
        assert_int_equal(remote_there(&r, unfinished), untold == 1);
        if (untold == 1)
            gives(SP_UNSUPPORTED, sp_backend_written(r.b, "packs/00/x", &at, &err));
        remote_end(&r);
    }
}

/* Nor is a folder that was only listed: how many flushes a barrier takes where times are told, and
 * where not. */
static size_t
flushes_of_a_barrier(bool untold)
{
    struct remote r;
    size_t n = 0, before;

    remote_make(&r);
    set(&r, (struct fake_options){.folders_open = true, .untold_times = untold});
    fake_put(r.f, REMOTE_ROOT "/packs/00/x", "x", 1);
    fake_clock(r.f, fake_now(r.f) + 7200);
    ok(remote_open(&r, false));
    ok(sp_backend_put(r.b, "hosts/a", "a", 1, &err));
    ok(sp_backend_sync(r.b, &err));
    ok(sp_backend_list(r.b, "", count, &n, &err));
    assert_int_equal(n, 3);
    before = fake_requests(r.f, SP_FXP_EXTENDED);
    ok(sp_backend_sync(r.b, &err));
    n = fake_requests(r.f, SP_FXP_EXTENDED) - before;
    remote_end(&r);
    return n;
}

static void
a_folder_without_a_time_is_flushed(void **state)
{
    (void)state;
    assert_true(flushes_of_a_barrier(true) > flushes_of_a_barrier(false));
}

/* The folder of what was named is not there any more: that is no durable name. */
static void
a_folder_that_has_gone_is_no_barrier(void **state)
{
    struct remote r;
    size_t n = 0;

    (void)state;
    remote_make(&r);
    set(&r, (struct fake_options){.folders_open = true});
    ok(remote_open(&r, false));
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    ok(sp_backend_sync(r.b, &err));
    assert_true(r.b->caps.flush_folder);
    /* Nothing was named there since, only seen, or removed: nothing is lost by it. */
    ok(sp_backend_list(r.b, "", count, &n, &err));
    assert_int_equal(n, 2);
    ok(sp_backend_remove(r.b, "packs/00/x", &err));
    assert_true(fake_delete(r.f, REMOTE_ROOT "/packs"));
    ok(sp_backend_sync(r.b, &err));

    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    assert_true(fake_delete(r.f, REMOTE_ROOT "/packs"));
    gives(SP_IO, sp_backend_sync(r.b, &err));
    assert_non_null(strstr(err.text, "packs/00"));
    gives(SP_IO, sp_backend_sync(r.b, &err));
    ok(remote_open(&r, false));
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    assert_true(fake_delete(r.f, REMOTE_ROOT));
    gives(SP_UNREACHABLE, sp_backend_sync(r.b, &err));
    remote_end(&r);
}

static void
an_unmounted_volume_is_not_an_empty_store(void **state)
{
    struct sp_backend_writer *w;
    struct remote r;
    size_t n = 0;
    uint64_t size;
    char to;

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/x", "x", 1, &err));
    ok(sp_backend_begin(r.b, &w, &err));
    ok(sp_backend_write(r.b, w, "y", 1, &err));
    assert_true(fake_delete(r.f, REMOTE_ROOT));
    fake_put(r.f, REMOTE_ROOT "/other", "", 0); /* the mount point, with what lies below it */
    gives(SP_UNREACHABLE, sp_backend_size(r.b, "packs/00/x", &size, &err));
    gives(SP_UNREACHABLE, sp_backend_get(r.b, "packs/00/x", 0, &to, 1, &err));
    gives(SP_UNREACHABLE, sp_backend_list(r.b, "", count, &n, &err));
    gives(SP_UNREACHABLE, sp_backend_remove(r.b, "packs/00/x", &err));
    gives(SP_UNREACHABLE, sp_backend_move(r.b, "packs/00/x", "trash/x", &err));
    gives(SP_UNREACHABLE, sp_backend_publish(r.b, w, "packs/00/y", &err));
    for (int i = 0; i < 2; i++) /* the second knows that tmp/ has gone */
        gives(SP_UNREACHABLE, sp_backend_put(r.b, "packs/00/z", "z", 1, &err));
    /* Nothing was made in it. */
    assert_int_equal(remote_count(&r, ""), 1);
    assert_false(fake_there(r.f, REMOTE_ROOT "/packs"));
    assert_false(fake_there(r.f, REMOTE_ROOT "/tmp"));
    remote_end(&r);
}

/* A server that comes back without its volume is waited for, and one with another one refused. */
struct two {
    struct fake_server *f[2];
    atomic_int which;
};

static enum sp_code
connect_either(void *arg, struct sp_sftp_link **ret, struct sp_err *e)
{
    struct two *t = arg;

    return fake_connect(t->f[atomic_load(&t->which)], ret, e);
}

static void
another_folder_behind_the_same_path_is_refused(void **state)
{
    static const char *const homes[] = {"/home/anna", "/home/anna2"};
    struct two t;
    struct sp_sftp_backend_options o = {.connect = connect_either,
        .arg = &t,
        .path = "repo",
        .address = "anna@nas",
        .patience_ms = 300};
    struct sp_backend *b = NULL;
    uint64_t size;

    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[64];

        t.f[i] = fake_new(homes[i]);
        (void)snprintf(path, sizeof(path), "%s/repo/repository.conf", homes[i]);
        fake_put(t.f[i], path, "conf", 4);
    }
    atomic_init(&t.which, 0);
    ok(sp_backend_sftp_open(&sp_env_system, &o, false, &b, &err));
    ok(sp_backend_size(b, "repository.conf", &size, &err));
    atomic_store(&t.which, 1);
    fake_cut_now(t.f[0]);
    gives(SP_REFUSED, sp_backend_size(b, "repository.conf", &size, &err));
    assert_non_null(strstr(err.text, "/home/anna2/repo"));
    gives(SP_REFUSED, sp_backend_put(b, "packs/00/x", "x", 1, &err));
    assert_int_equal(fake_count(t.f[1], "/home/anna2"), 1);
    sp_backend_free(b);

    /* Back, but its volume is not: no connection is good enough. */
    b = NULL;
    atomic_store(&t.which, 0);
    ok(sp_backend_sftp_open(&sp_env_system, &o, false, &b, &err));
    assert_true(fake_delete(t.f[0], "/home/anna/repo"));
    fake_cut_now(t.f[0]);
    gives(SP_UNREACHABLE, sp_backend_size(b, "repository.conf", &size, &err));
    sp_backend_free(b);
    fake_free(t.f[0]);
    fake_free(t.f[1]);
}

/* --- connections ----------------------------------------------------------------------------- */

struct reader {
    struct sp_backend *b;
    enum sp_code rc;
    struct sp_err e;
};

static void
read_much(void *arg)
{
    struct reader *x = arg;
    uint8_t *to = malloc(1 << 20);

    for (size_t i = 0; i < 12 && x->rc == SP_OK; i++) {
        x->rc = sp_backend_get(x->b, "packs/00/big", (i % 6) << 20, to, 1 << 20, &x->e);
        if (x->rc == SP_OK && memcmp(to, bytes + ((i % 6) << 20), 1 << 20) != 0)
            x->rc = SP_CORRUPT;
    }
    free(to);
}

static void
read_by_many(struct remote *r)
{
    struct reader x[6];
    struct sp_thread *t[6];

    for (size_t i = 0; i < 6; i++) {
        x[i] = (struct reader){.b = r->b};
        ok(sp_thread_start("reader", read_much, &x[i], &t[i], &err));
    }
    for (size_t i = 0; i < 6; i++) {
        sp_thread_join(t[i]);
        check_code(x[i].rc, SP_OK, x[i].e.text, __LINE__);
    }
}

static void
connections_grow_under_load(void **state)
{
    struct remote r;
    struct fake_options o = {.delay_ms = 2};
    int before;

    (void)state;
    remote_make(&r);
    ok(sp_backend_put(r.b, "packs/00/big", bytes, sizeof(bytes), &err));
    assert_int_equal(atomic_load(&r.connects), 1);
    set(&r, o);
    read_by_many(&r);
    assert_true(atomic_load(&r.connects) > 1);
    assert_true(atomic_load(&r.connects) <= 4);
    assert_true(fake_links(r.f) <= 4);

    /* As many as were allowed. */
    r.o.connections = 2;
    before = atomic_load(&r.connects);
    ok(remote_open(&r, false));
    read_by_many(&r);
    assert_true(atomic_load(&r.connects) - before <= 2);

    /* A server that allows no second one is lived with, and not asked over and over. */
    r.o.connections = 4;
    ok(remote_open(&r, false));
    before = atomic_load(&r.connects);
    o.refuse = SP_UNREACHABLE;
    set(&r, o);
    read_by_many(&r);
    assert_int_equal(atomic_load(&r.connects), before + 1);
    assert_int_equal(r.notices.len, 0);
    remote_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_folder_is_no_repository),
        cmocka_unit_test(create_wants_an_empty_folder),
        cmocka_unit_test(paths_lead_to_one_place),
        cmocka_unit_test(who_only_reads_leaves_no_trace),
        cmocka_unit_test(who_only_reads_an_append_only_account_leaves_no_trace),
        cmocka_unit_test(no_handle_stays_open),
        cmocka_unit_test(what_others_laid_there_is_passed_over),
        cmocka_unit_test(gaps_are_found_by_doing),
        cmocka_unit_test(an_append_only_account_is_served),
        cmocka_unit_test(a_read_only_account_is_read),
        cmocka_unit_test(nothing_gets_its_name_before_it_is_safe),
        cmocka_unit_test(a_full_store_is_told_by_its_room),
        cmocka_unit_test(tmp_is_made_again),
        cmocka_unit_test(what_has_no_time_is_not_old),
        cmocka_unit_test(a_folder_without_a_time_is_flushed),
        cmocka_unit_test(a_folder_that_has_gone_is_no_barrier),
        cmocka_unit_test(an_unmounted_volume_is_not_an_empty_store),
        cmocka_unit_test(another_folder_behind_the_same_path_is_refused),
        cmocka_unit_test(connections_grow_under_load),
    };
    uint32_t x = 7;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    return cmocka_run_group_tests_name("sftp servers", tests, NULL, NULL);
}
