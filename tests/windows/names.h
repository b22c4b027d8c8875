#ifndef SP_TESTS_WINDOWS_NAMES_H
#define SP_TESTS_WINDOWS_NAMES_H

/* Seen by every test on Windows before its own first line (sp_test in cmake/stillpoint.cmake): the
 * few names of POSIX by which the tests, not the product, make folders and set variables. What
 * needs more of POSIX than this is a POSIX test. Paths are UTF-8; TMPDIR is Windows' own TEMP. */

#include <direct.h>
#include <io.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

char *mkdtemp(char *template);
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
char *strndup(const char *s, size_t n);
ptrdiff_t pread(int fd, void *to, size_t n, int64_t offset);
int test_time(struct timespec *t);
int test_mkdir(const char *path, int mode);

#define mkdir test_mkdir /* the member of sp_os too, wherever it is seen */
#ifndef TIME_UTC
#define TIME_UTC 1
#define timespec_get(t, base) test_time(t)
#endif
#define tell test_tell   /* of <io.h>; some tests have a function of that name */
#define SIGPIPE SIGBREAK /* ignored by the tests; Windows has no such signal */
#define lstat stat       /* no test of Windows' links asks in this way */

#endif
