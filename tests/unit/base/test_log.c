#include "support.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/thread.h"

static void
keep(void *arg, enum sp_log_level level, const char *line)
{
    sp_buf_printf(arg, "%d:%s\n", (int)level, line);
}

static void
levels_choose(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_log *l;

    (void)state;
    assert_ok(sp_log_new(SP_LOG_WARN, false, keep, &b, &l, e));
    sp_log(l, SP_LOG_ERROR, "e%d", 1);
    sp_log(l, SP_LOG_WARN, "w");
    sp_log(l, SP_LOG_INFO, "i");
    sp_log(l, SP_LOG_DEBUG, "d");
    assert_string_equal(sp_buf_str(&b), "0:e1\n1:w\n");
    sp_log_free(l);
    sp_log(NULL, SP_LOG_ERROR, "nowhere");
    sp_log_free(NULL);
    sp_buf_free(&b);
}

static void
an_event_is_one_harmless_line(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_log *l;
    char big[3000];

    (void)state;
    assert_ok(sp_log_new(SP_LOG_DEBUG, false, keep, &b, &l, e));
    sp_log(l, SP_LOG_INFO, "a\nb\x1b[31m\x7f\r\tc \\x \xc3\xa4");
    assert_string_equal(sp_buf_str(&b), "2:a\\nb\\x1b[31m\\x7f\\x0d\\tc \\x \xc3\xa4\n");
    sp_buf_reset(&b);
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    sp_log(l, SP_LOG_DEBUG, "%s", big);
    assert_int_equal(b.len, 2 + sizeof(big) - 1 + 1);
    sp_log_free(l);
    sp_buf_free(&b);
}

/* Standard error goes into a file for the length of a test. */
static void
on_standard_error(bool with_time, enum sp_log_level level, char *to, size_t n)
{
    FILE *f = tmpfile();
    int before = dup(2);
    struct sp_log *l;
    size_t got;

    assert_non_null(f);
    assert_true(before >= 0);
    assert_ok(sp_log_new(SP_LOG_DEBUG, with_time, NULL, NULL, &l, e));
    assert_true(dup2(fileno(f), 2) >= 0); /* Windows gives 0 */
    sp_log(l, level, "text");
    assert_true(dup2(before, 2) >= 0);
    assert_int_equal(close(before), 0);
    rewind(f);
    got = fread(to, 1, n - 1, f);
    to[got] = '\0';
    assert_int_equal(fclose(f), 0);
    sp_log_free(l);
}

static void
lines_on_standard_error(void **state)
{
    static const char *const want[] = {
        "error: text\n", "warning: text\n", "text\n", "debug: text\n"};
    char got[100];
    int year, month, day, hour, minute, second, at = 0;

    (void)state;
    for (int level = SP_LOG_ERROR; level <= SP_LOG_DEBUG; level++) {
        on_standard_error(false, (enum sp_log_level)level, got, sizeof(got));
        assert_string_equal(got, want[level]);
    }
    on_standard_error(true, SP_LOG_ERROR, got, sizeof(got));
    assert_int_equal(sscanf(got, "%4d-%2d-%2d %2d:%2d:%2d %n", &year, &month, &day, &hour, &minute,
                         &second, &at),
        6);
    assert_string_equal(got + at, "error: text\n");
}

static void
chatter(void *arg)
{
    for (int i = 0; i < 500; i++)
        sp_log(arg, SP_LOG_INFO, "%s", "0123456789");
}

static void
threads_do_not_mix_their_lines(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_thread *t[4];
    struct sp_log *l;

    (void)state;
    assert_ok(sp_log_new(SP_LOG_INFO, false, keep, &b, &l, e));
    for (size_t i = 0; i < 4; i++)
        assert_ok(sp_thread_start("chatter", chatter, l, &t[i], e));
    for (size_t i = 0; i < 4; i++)
        sp_thread_join(t[i]);
    assert_int_equal(b.len, 4 * 500 * 13);
    for (size_t at = 0; at < b.len; at += 13)
        assert_memory_equal(b.data + at, "2:0123456789\n", 13);
    sp_log_free(l);
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_choose),
        cmocka_unit_test(an_event_is_one_harmless_line),
        cmocka_unit_test(lines_on_standard_error),
        cmocka_unit_test(threads_do_not_mix_their_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
