/* A server that lies (R18, R28): whatever it says, every call ends, within bounds of memory and of
 * time, with an answer that is right or a failure; run under the sanitizers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sftp_support.h"

#define DEADLINE_MS 60000

enum { LARGE = 700000 }; /* several pieces */

static int64_t began_ns;

static void
begin(void)
{
    began_ns = sp_clock_mono(&sp_clock_system);
}

static void
in_time(const char *what, int lie)
{
    int64_t ms = (sp_clock_mono(&sp_clock_system) - began_ns) / 1000000;

    if (ms > DEADLINE_MS)
        fail_msg("%s took %d ms under lie %d", what, (int)ms, lie);
}

static struct sp_sftp_conn *
connect_to_liar(const struct fake_options *o, enum sp_code *rc)
{
    struct sp_sftp_link *l;
    struct sp_sftp_conn *c = NULL;

    fake_set(server, o);
    ok(fake_connect(server, &l, &err));
    *rc = sp_sftp_conn_new(l, 2000, &c, &err);
    return c;
}

static bool
any_name(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a)
{
    (void)a;
    (void)q;
    assert_true(strlen(name) >= 1 && strlen(name) <= 255);
    assert_null(strchr(name, '/'));
    return true;
}

static enum sp_code
listed(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)size;
    (void)e;
    assert_null(strstr(name, "//"));
    assert_null(strstr(name, ".."));
    ++*(size_t *)arg;
    return SP_OK;
}

/* A request of each type, one after the other, while the session lives. */
static void
ask_everything(struct sp_sftp_conn *c)
{
    struct sp_sftp_request q = {.path = "f/one", .path2 = "f/two", .name = any_name};
    static const enum sp_sftp_type types[] = {SP_SFTP_REALPATH, SP_SFTP_STAT, SP_SFTP_LSTAT,
        SP_SFTP_STATVFS, SP_SFTP_OPEN, SP_SFTP_FSTAT, SP_SFTP_READ, SP_SFTP_READ, SP_SFTP_FSYNC,
        SP_SFTP_CLOSE, SP_SFTP_MKDIR, SP_SFTP_RENAME, SP_SFTP_REMOVE, SP_SFTP_RMDIR};
    uint8_t to[1000];

    q.flags = SP_SFTP_F_READ;
    q.to = to;
    q.n = 500;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i] == SP_SFTP_READ || types[i] == SP_SFTP_FSTAT || types[i] == SP_SFTP_FSYNC ||
            types[i] == SP_SFTP_CLOSE)
            if (q.handle_len == 0)
                continue;
        memset(to, 0xee, sizeof(to));
        q.type = types[i];
        (void)sp_sftp_conn_call(c, &q, &err);
        if (q.error.code != SP_OK)
            assert_true(q.error.text[0] != '\0' && strlen(q.error.text) < 600);
        assert_true(q.got <= 500);
        assert_int_equal(to[500], 0xee); /* nothing behind what was asked for */
        free(q.resolved);
        q.resolved = NULL;
    }
    q.path = "f";
    q.handle_len = 0;
    q.type = SP_SFTP_OPENDIR;
    if (sp_sftp_conn_call(c, &q, &err) == SP_OK) {
        q.type = SP_SFTP_READDIR;
        for (int i = 0; i < 5; i++)
            (void)sp_sftp_conn_call(c, &q, &err);
    }
}

static void
run_jobs(struct sp_sftp_conn *c, enum fake_lie lie)
{
    static const char *const folders[] = {"f", "g"};
    struct sp_sftp_job *j;
    struct sp_sftp_stream *w;
    uint8_t *to = malloc(LARGE), *bytes = NULL;
    size_t n = 0, names = 0;
    bool flushed;

    assert_non_null(to);
    begin();
    ok(sp_sftp_start_read(c, "f/big", 0, to, LARGE, &j, &err));
    if (sp_sftp_job_wait(j, &err) == SP_OK)
        assert_memory_equal(to, big, LARGE);
    in_time("reading a part", lie);
    begin();
    ok(sp_sftp_start_read_all(c, "f/big", LARGE, &j, &err));
    if (sp_sftp_job_bytes(j, &bytes, &n, &err) == SP_OK)
        assert_true(n <= LARGE);
    free(bytes);
    in_time("reading all", lie);
    begin();
    (void)sp_sftp_list(c, ".", folders, 2, listed, &names, &err);
    assert_true(names <= 1100000);
    in_time("listing", lie);
    begin();
    if (sp_sftp_stream_new(c, "new", WINDOW, &w, &err) == SP_OK) {
        if (sp_sftp_stream_write(w, big, LARGE, &err) == SP_OK &&
            sp_sftp_stream_finish(w, &flushed, &err) == SP_OK)
            assert_true(fake_there(server, "new"));
        sp_sftp_stream_free(w);
    }
    in_time("writing", lie);
    free(to);
}

static void
put_files(void)
{
    fake_put(server, "f/one", big, 600);
    fake_put(server, "f/big", big, LARGE);
    fake_put(server, "f/sub/three", big, 600);
    fake_delete(server, "new");
}

static void
lie_once(enum fake_lie lie, uint8_t on, uint32_t after, bool jobs)
{
    const struct fake_options o = {
        .lie = lie, .lie_on = on, .lie_after = after, .stall_ms = 60, .short_listings = 2};
    enum sp_code rc;
    struct sp_sftp_conn *c;

    put_files();
    c = connect_to_liar(&o, &rc);
    assert_true((rc == SP_OK) == (c != NULL));
    if (c == NULL)
        return;
    begin();
    if (jobs)
        run_jobs(c, lie);
    else
        ask_everything(c);
    in_time("asking", lie);
    sp_sftp_conn_free(c);
}

static void
every_lie_at_any_request(void **state)
{
    (void)state;
    for (int lie = FAKE_HONEST + 1; lie < FAKE_LIES; lie++)
        for (uint32_t after = 0; after < 12; after += 1 + after / 3)
            lie_once((enum fake_lie)lie, 0, after, false);
}

static void
every_lie_to_jobs(void **state)
{
    static const uint8_t on[] = {SP_FXP_OPEN, SP_FXP_READ, SP_FXP_WRITE, SP_FXP_CLOSE, SP_FXP_FSTAT,
        SP_FXP_OPENDIR, SP_FXP_READDIR, SP_FXP_EXTENDED};

    (void)state;
    for (int lie = FAKE_HONEST + 1; lie < FAKE_LIES; lie++) {
        if (lie == FAKE_LISTING_ENDLESS || lie == FAKE_LISTING_NEW_NAMES)
            continue; /* below: their bound is a million names */
        for (size_t i = 0; i < sizeof(on); i++)
            for (uint32_t after = 0; after < 3; after += 2)
                lie_once((enum fake_lie)lie, on[i], after, true);
    }
}

/* --- what each must come to ------------------------------------------------------------------ */

/* A connection that ends with this code when asked to look at a file. */
static void
lies_end(enum fake_lie lie, enum sp_sftp_type type, enum sp_code code)
{
    const struct fake_options o = {.lie = lie, .stall_ms = 60};
    struct sp_sftp_request q = {.type = type, .path = "f/one", .flags = SP_SFTP_F_READ};
    struct sp_sftp_request after = {.type = SP_SFTP_STAT, .path = "f/one"};
    struct sp_sftp_conn *c = fake_conn(server);
    enum sp_code rc;

    fake_set(server, &o);
    rc = sp_sftp_conn_call(c, &q, &err);
    if (rc != code)
        fail_msg(
            "lie %d gave %s, not %s (%s)", lie, sp_code_word(rc), sp_code_word(code), q.error.text);
    free(q.resolved);
    /* And for good. */
    assert_int_equal(sp_sftp_conn_call(c, &after, &err), code);
    assert_int_equal(sp_sftp_conn_state(c, &err), code);
    sp_sftp_conn_free(c);
    fake_set(server, &(struct fake_options){0});
}

static void
a_broken_protocol_ends_the_session(void **state)
{
    static const enum fake_lie lies[] = {FAKE_UNKNOWN_ID, FAKE_WRONG_TYPE, FAKE_NO_TYPE,
        FAKE_REQUEST_TYPE, FAKE_LENGTH_HUGE, FAKE_LENGTH_OVER, FAKE_LENGTH_ZERO, FAKE_LENGTH_SHORT,
        FAKE_TRUNCATED, FAKE_TRAILING, FAKE_STRING_OVER, FAKE_STATUS_OK, FAKE_GARBAGE};
    static const enum sp_sftp_type types[] = {SP_SFTP_OPEN, SP_SFTP_REALPATH};

    (void)state;
    put_files();
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        for (size_t t = 0; t < 2; t++)
            lies_end(lies[i], types[t], SP_PROTOCOL);
    lies_end(FAKE_HANDLE_LONG, SP_SFTP_OPEN, SP_PROTOCOL);
    lies_end(FAKE_HANDLE_EMPTY, SP_SFTP_OPEN, SP_PROTOCOL);
    lies_end(FAKE_ATTRS_EXTENDED, SP_SFTP_STAT, SP_PROTOCOL);
    lies_end(FAKE_REALPATH_MANY, SP_SFTP_REALPATH, SP_PROTOCOL);
    lies_end(FAKE_SILENT, SP_SFTP_STAT, SP_TIMEOUT);
}

static void
an_answer_that_comes_twice_ends_the_session(void **state)
{
    const struct fake_options o = {.lie = FAKE_TWICE, .lie_on = SP_FXP_STAT};
    struct sp_sftp_request q = {.type = SP_SFTP_STAT, .path = "f/one"};
    int64_t until = sp_clock_mono(&sp_clock_system) + 5 * SP_SECOND;

    (void)state;
    put_files();
    fake_set(server, &o);
    ok(sp_sftp_conn_call(conn, &q, &err)); /* the first is good */
    while (sp_sftp_conn_state(conn, &err) == SP_OK)
        assert_true(sp_clock_mono(&sp_clock_system) < until);
    gives(SP_PROTOCOL, sp_sftp_conn_state(conn, &err));
}

static void
more_bytes_than_asked_for_are_refused(void **state)
{
    const struct fake_options o = {.lie = FAKE_DATA_LONG};
    struct sp_sftp_request q = {.type = SP_SFTP_OPEN, .path = "f/one", .flags = SP_SFTP_F_READ};
    uint8_t to[101];

    (void)state;
    put_files();
    ok(sp_sftp_conn_call(conn, &q, &err));
    fake_set(server, &o);
    q.type = SP_SFTP_READ;
    memset(to, 0xee, sizeof(to));
    q.to = to;
    q.n = 100;
    gives(SP_PROTOCOL, sp_sftp_conn_call(conn, &q, &err));
    assert_non_null(strstr(err.text, "more bytes than were asked for"));
    assert_int_equal(to[0], 0xee);
    assert_int_equal(to[100], 0xee);
}

static void
no_bytes_and_no_end_is_an_end(void **state)
{
    const struct fake_options o = {.lie = FAKE_DATA_EMPTY};
    struct sp_sftp_job *j;
    uint8_t to[100];

    (void)state;
    put_files();
    fake_set(server, &o);
    ok(sp_sftp_start_read(conn, "f/one", 0, to, 100, &j, &err));
    gives(SP_CORRUPT, sp_sftp_job_wait(j, &err));
}

static void
what_a_server_says_is_shown_bounded(void **state)
{
    const struct fake_options o = {.lie = FAKE_STATUS_SPEAKS};
    struct sp_sftp_request q = {.type = SP_SFTP_REMOVE, .path = "f/one"};

    (void)state;
    put_files();
    fake_set(server, &o);
    gives(SP_IO, sp_sftp_conn_call(conn, &q, &err));
    assert_null(strchr(err.text, '\x1b'));
    assert_null(strchr(err.text, '\n'));
    assert_true(strlen(err.text) < 300);
    assert_non_null(strstr(err.text, "removing f/one: the server says: \\x1b[2J"));
}

static void
servers_that_begin_wrong(void **state)
{
    static const struct {
        enum fake_lie lie;
        enum sp_code code;
    } begins[] = {{FAKE_VERSION_GARBAGE, SP_PROTOCOL}, {FAKE_VERSION_2, SP_UNSUPPORTED},
        {FAKE_VERSION_ENDLESS_PAIRS, SP_OK}, {FAKE_LIMITS_HUGE, SP_OK}, {FAKE_LIMITS_ZERO, SP_OK},
        {FAKE_GARBAGE, SP_PROTOCOL}, {FAKE_UNKNOWN_ID, SP_PROTOCOL}, {FAKE_TRUNCATED, SP_PROTOCOL},
        {FAKE_VERSION_AGAIN, SP_PROTOCOL}};

    (void)state;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        const struct fake_options o = {.lie = begins[i].lie, .stall_ms = 200};
        enum sp_code rc;
        struct sp_sftp_conn *c = connect_to_liar(&o, &rc);
        struct sp_sftp_session *s;

        if (c != NULL && begins[i].lie == FAKE_VERSION_AGAIN) { /* behind the limits */
            struct sp_sftp_request q = {.type = SP_SFTP_STAT, .path = "f"};

            rc = sp_sftp_conn_call(c, &q, &err);
        }
        if (rc != begins[i].code)
            fail_msg("lie %d: %s", begins[i].lie, err.text);
        if (c != NULL) {
            s = sp_sftp_conn_session(c);
            assert_in_range(sp_sftp_read_max(s), 32768, 255 << 10);
            assert_in_range(sp_sftp_write_max(s), 32768, 255 << 10);
        }
        sp_sftp_conn_free(c);
    }
}

static void
sizes_are_bounded_before_memory_is_taken(void **state)
{
    const struct fake_options o = {.lie = FAKE_SIZE_HUGE};
    struct sp_sftp_job *j;
    uint8_t *bytes;
    size_t n;

    (void)state;
    put_files();
    fake_set(server, &o);
    ok(sp_sftp_start_read_all(conn, "f/one", 1000, &j, &err));
    gives(SP_CORRUPT, sp_sftp_job_bytes(j, &bytes, &n, &err));
    assert_non_null(strstr(err.text, "longer than"));
}

static void
space_does_not_wrap(void **state)
{
    const struct fake_options o = {.lie = FAKE_STATVFS_HUGE};
    struct sp_sftp_request q = {.type = SP_SFTP_STATVFS, .path = "."};

    (void)state;
    fake_set(server, &o);
    ok(sp_sftp_conn_call(conn, &q, &err));
    assert_true(q.space.free_bytes == UINT64_MAX && q.space.total_bytes == UINT64_MAX);
}

/* --- listings -------------------------------------------------------------------------------- */

static enum sp_code
list_f(size_t *names)
{
    static const char *const folders[] = {"f"};

    *names = 0;
    return sp_sftp_list(conn, ".", folders, 1, listed, names, &err);
}

static void
names_that_are_none_are_passed_over(void **state)
{
    static const enum fake_lie lies[] = {
        FAKE_NAME_SLASH, FAKE_NAME_LONG, FAKE_NAME_NUL, FAKE_NAME_EMPTY};
    size_t names;

    (void)state;
    put_files();
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        fake_set(server, &(struct fake_options){.lie = lies[i]});
        ok(list_f(&names));
        assert_int_equal(names, 3);
    }
    fake_set(server, &(struct fake_options){.lie = FAKE_NAME_COUNT_HUGE});
    gives(SP_PROTOCOL, list_f(&names));
}

static void
listings_end(void **state)
{
    size_t names;

    (void)state;
    put_files();
    fake_set(server, &(struct fake_options){.lie = FAKE_NAME_NONE});
    ok(list_f(&names));
    fake_set(server, &(struct fake_options){.lie = FAKE_FOLDERS_ENDLESS});
    ok(list_f(&names)); /* as deep as a repository goes */
    fake_set(server, &(struct fake_options){.lie = FAKE_LISTING_NEW_NAMES});
    begin();
    gives(SP_CORRUPT, list_f(&names));
    assert_non_null(strstr(err.text, "more than a million entries"));
    assert_in_range(names, 1, 1010000);
    in_time("a listing that never ends", FAKE_LISTING_NEW_NAMES);
}

static void
a_listing_that_repeats_itself_ends(void **state)
{
    char path[32];
    size_t names;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "f/%u", i);
        fake_put(server, path, big, 1);
    }
    fake_set(server, &(struct fake_options){.lie = FAKE_LISTING_ENDLESS, .short_listings = 2000});
    begin();
    gives(SP_CORRUPT, list_f(&names));
    assert_in_range(names, 2000, 1010000);
    in_time("a listing that repeats itself", FAKE_LISTING_ENDLESS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_lie_at_any_request),
        TEST(every_lie_to_jobs),
        TEST(a_broken_protocol_ends_the_session),
        TEST(an_answer_that_comes_twice_ends_the_session),
        TEST(more_bytes_than_asked_for_are_refused),
        TEST(no_bytes_and_no_end_is_an_end),
        TEST(what_a_server_says_is_shown_bounded),
        TEST(servers_that_begin_wrong),
        TEST(sizes_are_bounded_before_memory_is_taken),
        TEST(space_does_not_wrap),
        TEST(names_that_are_none_are_passed_over),
        TEST(listings_end),
        TEST(a_listing_that_repeats_itself_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
