/* The wall around the server's process, tried from behind it: each case in a child of its own. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/wall.h"

static char world[] = "/tmp/sp-wall.XXXXXX";
static char inside[64], outside[64];
static uint16_t port; /* somebody listens there */

static int
opens(const char *folder, const char *name, int flags)
{
    char path[96];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

static int
connects(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rc = s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)) != 0 ? errno : 0;
    (void)close(s);
    return rc;
}

static int
starts(void)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        (void)execl("/bin/true", "true", (char *)NULL);
        _exit(errno == EACCES ? 1 : 2);
    }
    return child < 0 || waitpid(child, &status, 0) != child ? -1 : WEXITSTATUS(status);
}

/* What must hold behind the wall; the number of the first thing that does not. */
static int
behind(void)
{
    const char *folders[] = {inside};
    struct sp_err e = {0};
    bool raised = false;

    if (sp_wall_raise(folders, 1, &raised, &e) != SP_OK)
        return 1;
    if (!raised)
        return 77;
    if (opens(inside, "old", O_RDWR) != 0 || opens(inside, "new", O_WRONLY | O_CREAT | O_EXCL) != 0)
        return 2;
    if (opens(outside, "old", O_RDONLY) != EACCES)
        return 3;
    if (opens(outside, "new", O_WRONLY | O_CREAT | O_EXCL) != EACCES)
        return 4;
    if (opens("/etc", "hostname", O_RDONLY) != 0)
        return 5;
    if (opens("/etc", "stillpoint-test", O_WRONLY | O_CREAT | O_EXCL) != EACCES)
        return 6;
    if (starts() != 1)
        return 7;
    if (connects() != EACCES)
        return 8;
    return 0;
}

static void
what_is_outside_cannot_be_reached(void **state)
{
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(opens(outside, "old", O_RDONLY), 0);
    assert_int_equal(connects(), 0);
    assert_int_equal(starts(), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(behind());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* /dev is a mount right below the root on every Linux. */
static int
behind_a_mount_below_the_root(void)
{
    const char *folders[] = {"/dev"};
    struct sp_err e = {0};
    bool raised = false;

    if (sp_wall_raise(folders, 1, &raised, &e) != SP_OK)
        return 1;
    if (!raised)
        return 77;
    return opens("/dev", "null", O_RDWR) != 0 ? 2 : opens(outside, "old", O_RDONLY) != EACCES;
}

static void
the_root_is_never_let_in(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(behind_a_mount_below_the_root());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_folder_that_is_missing_is_said(void **state)
{
    const char *folders[] = {"/nowhere/at all"};
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct sp_err e = {0};
        bool raised = false;
        enum sp_code rc = sp_wall_raise(folders, 1, &raised, &e);

        _exit(rc == SP_ABSENT && strstr(e.text, "/nowhere/at all") != NULL && !raised ? 0
              : rc == SP_OK && !raised                                                ? 77
                                                                                      : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int
begin(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof(at);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (mkdtemp(world) == NULL || s < 0 || bind(s, (struct sockaddr *)&at, n) != 0 ||
        listen(s, 4) != 0 || getsockname(s, (struct sockaddr *)&at, &n) != 0)
        return -1;
    port = ntohs(at.sin_port);
    (void)snprintf(inside, sizeof(inside), "%s/inside", world);
    (void)snprintf(outside, sizeof(outside), "%s/outside", world);
    if (mkdir(inside, 0700) != 0 || mkdir(outside, 0700) != 0)
        return -1;
    return opens(inside, "old", O_WRONLY | O_CREAT) | opens(outside, "old", O_WRONLY | O_CREAT);
}

static int
end(void **state)
{
    static const char *const names[] = {
        "inside/old", "inside/new", "outside/old", "inside", "outside"};
    char path[96];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", world, names[i]);
        (void)remove(path);
    }
    return rmdir(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_outside_cannot_be_reached),
        cmocka_unit_test(the_root_is_never_let_in),
        cmocka_unit_test(a_folder_that_is_missing_is_said),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
