/* The names of POSIX that tests use: see names.h. */

#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>
#include <windows.h>
#include <bcrypt.h>

enum { PATH_MAX_WIDE = 1024 };

static bool
widen(wchar_t *to, int size, const char *s)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, s, -1, to, size) > 0;
}

/* Before main: files are bytes, as on POSIX. And where tests make their folders, in the words that
 * the product takes for an absolute path. What TMPDIR says outside is Wine's own business, and a
 * path of the other system. */
__attribute__((constructor)) static void
set_folder(void)
{
    const wchar_t *temp = _wgetenv(L"TEMP");
    wchar_t folder[PATH_MAX_WIDE];

    _fmode = _O_BINARY;
    if (temp == NULL || wcslen(temp) >= PATH_MAX_WIDE)
        abort();
    wcscpy(folder, temp);
    for (wchar_t *c = folder; *c != L'\0'; c++)
        if (*c == L'\\')
            *c = L'/';
    if (_wputenv_s(L"TMPDIR", folder) != 0)
        abort();
}

int
test_mkdir(const char *path, int mode)
{
    wchar_t wide[PATH_MAX_WIDE];

    (void)mode; /* rights are lists there */
    if (!widen(wide, PATH_MAX_WIDE, path)) {
        errno = EINVAL;
        return -1;
    }
    return _wmkdir(wide);
}

char *
mkdtemp(char *template)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    size_t n = strlen(template);
    unsigned char random[6];

    if (n < sizeof(random) || strcmp(template + n - sizeof(random), "XXXXXX") != 0) {
        errno = EINVAL;
        return NULL;
    }
    for (;;) {
        if (BCryptGenRandom(NULL, random, sizeof(random), BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0) {
            errno = EIO;
            return NULL;
        }
        for (size_t i = 0; i < sizeof(random); i++)
            template[n - sizeof(random) + i] = letters[random[i] % 32];
        if (test_mkdir(template, 0700) == 0)
            return template;
        if (errno != EEXIST)
            return NULL;
    }
}

int
setenv(const char *name, const char *value, int overwrite)
{
    wchar_t wide_name[PATH_MAX_WIDE], wide_value[PATH_MAX_WIDE];

    if (!widen(wide_name, PATH_MAX_WIDE, name) || !widen(wide_value, PATH_MAX_WIDE, value)) {
        errno = EINVAL;
        return -1;
    }
    if (!overwrite && _wgetenv(wide_name) != NULL)
        return 0;
    errno_t failed = _wputenv_s(wide_name, wide_value);

    errno = failed;
    return failed == 0 ? 0 : -1;
}

int
unsetenv(const char *name)
{
    return setenv(name, "", 1);
}

char *
strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = malloc(len + 1);

    if (copy != NULL) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

ptrdiff_t
pread(int fd, void *to, size_t n, int64_t offset)
{
    __int64 before = _telli64(fd);

    if (before < 0 || _lseeki64(fd, offset, SEEK_SET) < 0)
        return -1;
    int got = _read(fd, to, (unsigned)(n > INT32_MAX ? INT32_MAX : n));

    return _lseeki64(fd, before, SEEK_SET) < 0 ? -1 : got;
}

int
test_time(struct timespec *t)
{
    FILETIME now;

    GetSystemTimePreciseAsFileTime(&now);
    uint64_t ticks = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;

    ticks -= UINT64_C(116444736000000000); /* 1601 to 1970 */
    t->tv_sec = (time_t)(ticks / 10000000);
    t->tv_nsec = (long)(ticks % 10000000 * 100);
    return TIME_UTC;
}
