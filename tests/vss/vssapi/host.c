/* What the model needs of Windows: trees, the clock. Names are UTF-8. */

#include "tests/vss/vssapi/vssapi.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static wchar_t *
join(const wchar_t *folder, const wchar_t *name)
{
    size_t n = wcslen(folder), m = wcslen(name);
    wchar_t *path = calloc(n + m + 2, sizeof(*path));

    if (path == NULL)
        abort();
    wmemcpy(path, folder, n);
    if (n > 0 && folder[n - 1] != L'\\')
        path[n++] = L'\\';
    wmemcpy(path + n, name, m);
    return path;
}

/* Calls `each` for what is in a folder; false from it ends the walk, and is its answer. */
static bool
walk(const wchar_t *folder,
    bool (*each)(const wchar_t *folder, const WIN32_FIND_DATAW *found, const wchar_t *to),
    const wchar_t *to)
{
    WIN32_FIND_DATAW found;
    wchar_t *all = join(folder, L"*");
    HANDLE h = FindFirstFileW(all, &found);
    bool well = true;

    free(all);
    if (h == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_FILE_NOT_FOUND;
    do
        if (wcscmp(found.cFileName, L".") != 0 && wcscmp(found.cFileName, L"..") != 0)
            well = each(folder, &found, to);
    while (well && FindNextFileW(h, &found));
    (void)FindClose(h);
    return well;
}

/* With all folders above it. */
static void
make_folder(wchar_t *path)
{
    for (wchar_t *p = path; (p = wcschr(p + 1, L'\\')) != NULL;) {
        *p = 0;
        (void)CreateDirectoryW(path, NULL);
        *p = L'\\';
    }
    (void)CreateDirectoryW(path, NULL);
}

static bool
copy_one(const wchar_t *folder, const WIN32_FIND_DATAW *found, const wchar_t *to)
{
    wchar_t *from = join(folder, found->cFileName), *target = join(to, found->cFileName);
    bool well = true;
    HANDLE h;

    if ((found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        well = CopyFileW(from, target, TRUE) != 0;
    else if (wcsncmp(to, from, wcslen(from)) != 0) /* not the shadows themselves */
        well = CreateDirectoryW(target, NULL) && walk(from, copy_one, target);
    if (well &&
        (h = CreateFileW(target, FILE_WRITE_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
             OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)) != INVALID_HANDLE_VALUE) {
        (void)SetFileTime(
            h, &found->ftCreationTime, &found->ftLastAccessTime, &found->ftLastWriteTime);
        (void)CloseHandle(h);
    }
    free(from);
    free(target);
    return well;
}

static bool
host_copy(void *arg, const char *from, const char *to)
{
    wchar_t *source = dll_wide(from), *target = dll_wide(to);
    bool well;

    (void)arg;
    make_folder(target);
    well = walk(source, copy_one, target);
    free(source);
    free(target);
    return well;
}

static bool
remove_one(const wchar_t *folder, const WIN32_FIND_DATAW *found, const wchar_t *to)
{
    wchar_t *path = join(folder, found->cFileName);
    bool is_folder = (found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0, well;

    if ((found->dwFileAttributes & FILE_ATTRIBUTE_READONLY) != 0)
        (void)SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
    if (is_folder)
        (void)walk(path, remove_one, to);
    well = is_folder ? RemoveDirectoryW(path) : DeleteFileW(path);
    free(path);
    return well;
}

static void
host_remove(void *arg, const char *tree)
{
    wchar_t *path = dll_wide(tree);

    (void)arg;
    (void)walk(path, remove_one, NULL);
    (void)RemoveDirectoryW(path);
    free(path);
}

static uint64_t
host_now(void *arg)
{
    FILETIME t;

    (void)arg;
    GetSystemTimeAsFileTime(&t);
    return (((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) - UINT64_C(116444736000000000)) /
           10000;
}

static void
host_sleep(void *arg, uint32_t ms)
{
    (void)arg;
    Sleep(ms);
}

const struct model_host dll_host = {host_copy, host_remove, host_now, host_sleep, '\\', true, NULL};
