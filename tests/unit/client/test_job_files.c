/* What is kept of a job's runs, and one run at a time. */

#include "tests/unit/base/support.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "client/job_files.h"

static int
setup(void **state)
{
    if (tmp_setup(state) != 0)
        return -1;
    return setenv("STILLPOINT_STATE_DIR", *state, 1);
}

static void
named(const char *job, const char *want)
{
    char *path = NULL;

    assert_ok(sp_job_file(&sp_env_system, job, ".log", true, &path, e));
    assert_string_equal(strrchr(path, '/') + 1, want);
    free(path);
}

static void
names(void **state)
{
    char longest[256], other[256], *a = NULL, *b = NULL;

    (void)state;
    named("files", "job-files.log");
    named("NUL", "job-NUL.log");
    named("my files: *?", "job-my%20files%3A%20%2A%3F.log");
    named("..", "job-...log");
    named("gr\xc3\xbc\xc3\x9f", "job-gr%C3%BC%C3%9F.log");
    memset(longest, '*', 255);
    longest[255] = '\0';
    memcpy(other, longest, 256);
    other[254] = 'x';
    assert_ok(sp_job_file(&sp_env_system, longest, ".log", true, &a, e));
    assert_ok(sp_job_file(&sp_env_system, other, ".log", true, &b, e));
    assert_true(strlen(strrchr(a, '/') + 1) <= 128);
    assert_string_not_equal(a, b);
    free(a);
    free(b);
}

static void
last_run(void **state)
{
    struct sp_last_run in = {.started_ns = 5, .ended_ns = 7, .success_ns = 7}, out;
    struct sp_err err = {0};
    char *path = NULL;
    FILE *f;

    (void)state;
    assert_int_equal(sp_last_run_read(&sp_env_system, "a b", &out, &err), SP_ABSENT);
    (void)snprintf(in.text, sizeof(in.text), "\"quoted\" \\x and\nlines \x1b[31m ");
    assert_ok(sp_last_run_write(&sp_env_system, "a b", &in, e));
    assert_ok(sp_last_run_read(&sp_env_system, "a b", &out, e));
    assert_int_equal(out.started_ns, 5);
    assert_int_equal(out.ended_ns, 7);
    assert_int_equal(out.exit_code, 0);
    assert_string_equal(out.text, "\"quoted\" \\x and\\nlines \\x1b[31m ");
    /* a failure keeps the time of the last success */
    in = (struct sp_last_run){.started_ns = 8, .ended_ns = 9, .exit_code = 6};
    assert_ok(sp_last_run_write(&sp_env_system, "a b", &in, e));
    assert_ok(sp_last_run_read(&sp_env_system, "a b", &out, e));
    assert_int_equal(out.exit_code, 6);
    assert_int_equal(out.success_ns, 7);
    assert_string_equal(out.text, "");
    /* damaged: said when read, no reason not to write the next */
    assert_ok(sp_job_file(&sp_env_system, "a b", ".last", true, &path, e));
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("\xff\xfe", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(sp_last_run_read(&sp_env_system, "a b", &out, &err), SP_INVALID);
    assert_ok(sp_last_run_write(&sp_env_system, "a b", &in, e));
    assert_ok(sp_last_run_read(&sp_env_system, "a b", &out, e));
    free(path);
}

/* Another process that holds the lock until it is killed. */
static pid_t
holder(const char *path)
{
    struct sp_run_lock *l = NULL;
    struct sp_buf note = SP_BUF_INIT;
    struct sp_err err = {0};
    int pipes[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test leaves nobody behind */
        if (sp_run_lock_try(path, "job other, process 12", &l, &note, &err) != SP_OK ||
            write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(close(pipes[1]), 0);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    assert_int_equal(close(pipes[0]), 0);
    return pid;
}

static void
one_at_a_time(void **state)
{
    char *path = sp_path_join(*state, "run.lock");
    struct sp_run_lock *l = NULL, *again = NULL;
    struct sp_buf note = SP_BUF_INIT;
    struct sp_err err = {0};
    pid_t pid = holder(path);

    assert_int_equal(sp_run_lock_try(path, "job mine", &l, &note, &err), SP_BUSY);
    assert_string_equal(sp_buf_str(&note), "job other, process 12");
    assert_null(l);
    /* killed: what it left behind holds nothing */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    sp_buf_reset(&note);
    assert_ok(sp_run_lock_try(path, "job mine", &l, &note, e));
    assert_int_equal(sp_run_lock_try(path, "job mine", &again, &note, &err), SP_BUSY);
    assert_string_equal(sp_buf_str(&note), "job mine");
    sp_run_lock_free(l);
    assert_ok(sp_run_lock_try(path, "job mine", &l, &note, e));
    sp_run_lock_free(l);
    sp_run_lock_free(NULL);
    sp_buf_free(&note);
    free(path);
}

/* R25: a link in its place is not followed. */
static void
no_link(void **state)
{
    char *path = sp_path_join(*state, "run.lock"), *other = sp_path_join(*state, "other");
    struct sp_run_lock *l = NULL;
    struct sp_buf note = SP_BUF_INIT;
    struct stat st;
    struct sp_err err = {0};

    assert_int_equal(symlink(other, path), 0);
    assert_int_not_equal(sp_run_lock_try(path, "x", &l, &note, &err), SP_OK);
    assert_int_not_equal(stat(other, &st), 0);
    free(path);
    free(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tmp_teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names), TEST(last_run), TEST(one_at_a_time), TEST(no_link)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
