/* Reads and listings over the fake server: honest, far, out of order, in fragments, cut. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sftp_support.h"

/* --- reads ----------------------------------------------------------------------------------- */

static enum sp_code
read_part(uint64_t offset, void *to, size_t n)
{
    struct sp_sftp_job *j;

    ok(sp_sftp_start_read(conn, "file", offset, to, n, &j, &err));
    return sp_sftp_job_wait(j, &err);
}

/* Nobody waits for a CLOSE; who asks something behind it knows that it was done. */
static void
closes_came(void)
{
    struct sp_sftp_request q = {.type = SP_SFTP_LSTAT, .path = "/"};

    ok(sp_sftp_conn_call(conn, &q, &err));
}

static void
check_part(uint64_t offset, size_t n)
{
    uint8_t *to = malloc(n + 1);

    assert_non_null(to);
    memset(to, 0xee, n + 1);
    ok(read_part(offset, to, n));
    assert_memory_equal(to, big + offset, n);
    assert_int_equal(to[n], 0xee);
    free(to);
}

static void
parts_are_what_they_are(void **state)
{
    (void)state;
    fake_put(server, "file", big, BIG);
    for (size_t i = 0; i < KINDS; i++) {
        fake_set(server, &kinds[i]);
        again();
        check_part(0, 1);
        check_part(0, BIG);
        check_part(1234567, 1000000);
        check_part(BIG - 1, 1);
        check_part(5, 0);
    }
    again(); /* what nobody waits for is done */
    assert_int_equal(fake_handles(server), 0);
}

static void
a_part_beyond_the_end_is_corrupt(void **state)
{
    uint8_t to[100];

    (void)state;
    gives(SP_ABSENT, read_part(0, to, 1));
    fake_put(server, "file", big, 150);
    gives(SP_CORRUPT, read_part(100, to, 51));
    assert_non_null(strstr(err.text, "file is shorter than expected"));
    gives(SP_CORRUPT, read_part(5000, to, 1));
    ok(read_part(100, to, 50));
}

static void
a_read_takes_two_rounds(void **state)
{
    struct sp_sftp_job *jobs[50];
    uint8_t *to = malloc(BIG);
    size_t before;

    (void)state;
    assert_non_null(to);
    fake_put(server, "file", big, BIG);
    set((struct fake_options){.delay_ms = 50});
    before = fake_rounds(server);
    for (size_t i = 0; i < 50; i++)
        ok(sp_sftp_start_read(conn, "file", i * 60000, to + i * 60000, 60000, &jobs[i], &err));
    for (size_t i = 0; i < 50; i++)
        ok(sp_sftp_job_wait(jobs[i], &err));
    assert_memory_equal(to, big, 3000000);
    assert_true(fake_most_waiting(server) >= 25);
    /* Their OPENs may not all have been in one batch, nor is a CLOSE waited for. */
    assert_in_range(fake_rounds(server) - before, 1, 6);
    free(to);
}

static enum sp_code
read_all(const char *path, size_t limit, uint8_t **bytes, size_t *n)
{
    struct sp_sftp_job *j;

    ok(sp_sftp_start_read_all(conn, path, limit, &j, &err));
    return sp_sftp_job_bytes(j, bytes, n, &err);
}

static void
whole_files(void **state)
{
    static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 65535, 65536, 65537, 400000, BIG};
    uint8_t *bytes = NULL;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        fake_set(server, &kinds[i]);
        again();
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            fake_put(server, "file", big, sizes[s]);
            ok(read_all("file", sizes[s], &bytes, &n));
            assert_int_equal(n, sizes[s]);
            assert_memory_equal(bytes, big, n);
            free(bytes);
            bytes = NULL;
            if (sizes[s] > 0)
                gives(SP_CORRUPT, read_all("file", sizes[s] - 1, &bytes, &n));
            assert_null(bytes);
        }
    }
    gives(SP_ABSENT, read_all("none", 10, &bytes, &n));
    ok(read_all("file", SIZE_MAX, &bytes, &n));
    assert_int_equal(n, BIG);
    free(bytes);
}

static void
a_read_that_is_cut(void **state)
{
    uint8_t *to = malloc(BIG);

    (void)state;
    assert_non_null(to);
    fake_put(server, "file", big, BIG);
    for (unsigned k = 1; k < 8; k++) {
        fake_cut(server, 0, k, false, false);
        gives(SP_UNREACHABLE, read_part(0, to, BIG));
        again();
    }
    ok(read_part(0, to, BIG));
    free(to);
}

/* What nobody waits for comes before what is asked for behind it. */
static void
all_closed(void)
{
    struct sp_sftp_request q = {.type = SP_SFTP_REALPATH, .path = "."};

    ok(sp_sftp_conn_call(conn, &q, &err));
    free(q.resolved);
    assert_int_equal(fake_handles(server), 0);
}

/* --- listings -------------------------------------------------------------------------------- */

struct names {
    size_t n, stop_at;
    uint64_t bytes, check;
};

static enum sp_code
count_name(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct names *names = arg;
    unsigned folder, file;

    names->n++;
    names->bytes += size;
    if (sscanf(name, "packs/%x/%u", &folder, &file) == 2)
        names->check += folder * 1000 + file;
    if (names->n == names->stop_at)
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough names");
    return SP_OK;
}

static void
put_packs(unsigned folders, unsigned files, uint64_t *check)
{
    char path[64];

    *check = 0;
    for (unsigned f = 0; f < folders; f++)
        for (unsigned i = 0; i < files; i++) {
            snprintf(path, sizeof(path), "packs/%02x/%u", f, i);
            fake_put(server, path, big, f);
            *check += f * 1000 + i;
        }
}

static void
all_files_are_listed(void **state)
{
    static const char *const folders[] = {"packs", "none", "sets"};
    uint64_t check;

    (void)state;
    put_packs(100, 7, &check);
    fake_put(server, "sets/h/one", big, 10);
    fake_put(server, "other/not", big, 10);
    fake_link_file(server, "sets/h/link");
    for (size_t i = 0; i < KINDS; i++) {
        struct names names = {0};

        fake_set(server, &kinds[i]);
        again();
        ok(sp_sftp_list(conn, "/r", folders, 3, count_name, &names, &err));
        assert_int_equal(names.n, 701);
        assert_int_equal(names.check, check);
        assert_int_equal(names.bytes, 99 * 100 / 2 * 7 + 10);
        closes_came();
        all_closed();
    }
}

static void
the_root_itself_is_listed(void **state)
{
    static const char *const folders[] = {""};
    struct names names = {0};

    (void)state;
    fake_put(server, "repository.conf", big, 5);
    fake_put(server, "a/b/c/d/e", big, 5);     /* the sixth folder */
    fake_put(server, "1/2/3/4/5/6/7", big, 5); /* too deep */
    fake_put(server, "1/2/3/4/5/six", big, 5);
    ok(sp_sftp_list(conn, ".", folders, 1, count_name, &names, &err));
    assert_int_equal(names.n, 3);
    ok(sp_sftp_list(conn, "/r", folders, 0, count_name, &names, &err));
    assert_int_equal(names.n, 3);
}

static void
a_listing_takes_few_rounds(void **state)
{
    static const char *const folders[] = {"packs"};
    struct names names = {0};
    uint64_t check;
    size_t before;

    (void)state;
    put_packs(256, 3, &check);
    set((struct fake_options){.delay_ms = 50});
    before = fake_rounds(server);
    ok(sp_sftp_list(conn, "/r", folders, 1, count_name, &names, &err));
    assert_int_equal(names.n, 768);
    assert_true(fake_requests(server, SP_FXP_OPENDIR) == 257);
    /* 2 for the folder above, 2 for each 64 of its folders; not 768. */
    assert_in_range(fake_rounds(server) - before, 1, 30);
}

static void
a_listing_ends_when_told_to(void **state)
{
    static const char *const folders[] = {"packs"};
    uint64_t check;

    (void)state;
    put_packs(100, 50, &check);
    for (size_t stop = 1; stop < 5000; stop = stop * 3 + 7) {
        struct names names = {.stop_at = stop};

        gives(SP_CANCELLED, sp_sftp_list(conn, "/r", folders, 1, count_name, &names, &err));
        assert_int_equal(names.n, stop);
        closes_came();
        all_closed();
    }
}

static void
a_listing_that_is_cut(void **state)
{
    static const char *const folders[] = {"packs"};
    uint64_t check;

    (void)state;
    put_packs(120, 3, &check);
    for (unsigned k = 1; k < 300; k = k * 2 + 1) {
        struct names names = {0};

        fake_cut(server, 0, k, k % 4 == 1, false);
        gives(SP_UNREACHABLE, sp_sftp_list(conn, "/r", folders, 1, count_name, &names, &err));
        again();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_are_what_they_are),
        TEST(a_part_beyond_the_end_is_corrupt),
        TEST(a_read_takes_two_rounds),
        TEST(whole_files),
        TEST(a_read_that_is_cut),
        TEST(all_files_are_listed),
        TEST(the_root_itself_is_listed),
        TEST(a_listing_takes_few_rounds),
        TEST(a_listing_ends_when_told_to),
        TEST(a_listing_that_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
