/* The user's commands, and the ping. */

#include "tests/unit/base/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/thread.h"
#include "client/hooks.h"

static const struct sp_hook_env no_vars[] = {{NULL, NULL}};

static enum sp_code
run(const char *command, int64_t timeout_ns, struct sp_err *e)
{
    return sp_hook_run("before", command, no_vars, timeout_ns, e);
}

static void
how_it_ends(void **state)
{
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(run("true", SP_SECOND * 10, &e), SP_OK);
    assert_int_equal(run("exit 3", SP_SECOND * 10, &e), SP_IO);
    assert_int_equal(e.domain, SP_DOM_CONFIG);
    assert_non_null(strstr(e.text, "before"));
    assert_non_null(strstr(e.text, "status 3"));
    assert_non_null(strstr(e.text, "exit 3"));
    assert_int_equal(run("kill -9 $$", SP_SECOND * 10, &e), SP_IO);
    assert_non_null(strstr(e.text, "signal 9"));
    assert_int_equal(run("/no/such/program", SP_SECOND * 10, &e), SP_IO);
    assert_non_null(strstr(e.text, "status 127"));
}

static void
variables(void **state)
{
    static const struct sp_hook_env vars[] = {
        {"STILLPOINT_JOB", "my job; with $signs"}, {"STILLPOINT_STATUS", "done"}, {NULL, NULL}};

    (void)state;
    assert_ok(sp_hook_run("after",
        "test \"$STILLPOINT_JOB\" = 'my job; with $signs' && test $STILLPOINT_STATUS = done", vars,
        SP_SECOND * 10, e));
}

/* The command and what it started are ended, also what does not listen to SIGTERM. */
static void
its_time_is_limited(void **state)
{
    char *file = sp_path_join(*state, "pids"), command[600];
    int64_t start = sp_clock_mono(&sp_clock_system);
    struct sp_err e = {0};
    long pids[2];
    FILE *f;
    int i, tries;

    assert_non_null(file);
    (void)snprintf(command, sizeof(command),
        "trap '' TERM; sleep 600 & echo $! >%s; echo $$ >>%s; wait; sleep 600", file, file);
    assert_int_equal(run(command, SP_SECOND / 2, &e), SP_TIMEOUT);
    assert_true(sp_clock_mono(&sp_clock_system) - start < 30 * SP_SECOND);
    assert_non_null(strstr(e.text, "did not end within"));
    assert_non_null(f = fopen(file, "r"));
    assert_int_equal(fscanf(f, "%ld %ld", &pids[0], &pids[1]), 2);
    assert_int_equal(fclose(f), 0);
    for (i = 0; i < 2; i++) {
        /* Killed at once, but whoever inherits them has to collect them. */
        for (tries = 0; tries < 200 && kill((pid_t)pids[i], 0) == 0; tries++) {
            char stat[64], line[256] = "";

            (void)snprintf(stat, sizeof(stat), "/proc/%ld/stat", pids[i]);
            if ((f = fopen(stat, "r")) == NULL)
                break;
            if (fgets(line, sizeof(line), f) == NULL)
                line[0] = '\0';
            (void)fclose(f);
            if (strstr(line, ") Z ") != NULL)
                break;
            sp_sleep_ms(20);
        }
        assert_true(tries < 200);
    }
    free(file);
}

/* Results on standard output stay ours: what a command says goes to standard error. */
static void
its_output(void **state)
{
    char *out = sp_path_join(*state, "out"), *err = sp_path_join(*state, "err"), text[64] = "";
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    struct sp_err e = {0};
    enum sp_code rc;
    FILE *f;

    assert_non_null(out);
    assert_non_null(err);
    (void)fflush(stdout);
    assert_non_null(freopen(out, "w", stdout));
    assert_non_null(freopen(err, "w", stderr));
    rc = run("echo words", SP_SECOND * 10, &e);
    (void)fflush(stdout);
    (void)dup2(saved_out, STDOUT_FILENO);
    (void)dup2(saved_err, STDERR_FILENO);
    (void)close(saved_out);
    (void)close(saved_err);
    assert_int_equal(rc, SP_OK);
    assert_non_null(f = fopen(out, "r"));
    assert_null(fgets(text, sizeof(text), f));
    (void)fclose(f);
    assert_non_null(f = fopen(err, "r"));
    assert_non_null(fgets(text, sizeof(text), f));
    assert_string_equal(text, "words\n");
    (void)fclose(f);
    free(out);
    free(err);
}

/* --- the ping: one answer each, from a server of our own --- */

struct server {
    int fd;
    const char *answer;
    char request[512];
};

static void
serve_one(void *arg)
{
    struct server *s = arg;
    int c = accept(s->fd, NULL, NULL);
    ssize_t n;

    if (c < 0)
        return;
    n = read(c, s->request, sizeof(s->request) - 1);
    s->request[n > 0 ? n : 0] = '\0';
    if (write(c, s->answer, strlen(s->answer)) < 0)
        s->request[0] = '\0';
    (void)close(c);
}

static enum sp_code
ping(const char *answer, const char *path, char *ret_request, struct sp_err *e)
{
    struct server s = {.answer = answer};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    struct sp_thread *t = NULL;
    char url[128];
    enum sp_code rc;

    s.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s.fd >= 0);
    assert_int_equal(bind(s.fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s.fd, 1), 0);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(sp_thread_start("server", serve_one, &s, &t, e), SP_OK);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", ntohs(a.sin_port), path);
    rc = sp_http_get(url, e);
    sp_thread_join(t);
    (void)close(s.fd);
    if (ret_request != NULL)
        (void)snprintf(ret_request, 64, "%.63s", s.request);
    return rc;
}

static void
pings(void **state)
{
    struct sp_err e = {0};
    char request[64];

    (void)state;
    assert_int_equal(
        ping("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "/abc/fail", request, &e), SP_OK);
    assert_int_equal(strncmp(request, "GET /abc/fail HTTP/1", 20), 0);
    assert_int_equal(ping("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "/", NULL, &e), SP_IO);
    assert_non_null(strstr(e.text, "404"));
    /* nothing else than the web, also not by a redirection */
    assert_int_equal(ping("HTTP/1.1 302 Go\r\nLocation: file:///etc/hostname\r\n"
                          "Content-Length: 0\r\n\r\n",
                         "/", NULL, &e),
        SP_UNREACHABLE);
    assert_int_equal(sp_http_get("file:///etc/hostname", &e), SP_UNREACHABLE);
    assert_int_equal(sp_http_get("http://127.0.0.1:1/", &e), SP_UNREACHABLE);
    assert_int_equal(e.domain, SP_DOM_NET);
    assert_int_equal(sp_http_get("not a url", &e), SP_UNREACHABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_ends),
        cmocka_unit_test(variables),
        cmocka_unit_test_setup_teardown(its_time_is_limited, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(its_output, tmp_setup, tmp_teardown),
        cmocka_unit_test(pings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
