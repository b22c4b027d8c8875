/* Listing a folder over Win32: see os.h and os_win32.h.
 *
 * FindFirstFileEx is what every file system and every share's client answers; it tells names,
 * types, sizes and times in one pass, many entries a call with FIND_FIRST_EX_LARGE_FETCH
 * (learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-findfirstfileexw). NTFS brings the size
 * and time of an entry up to date when the file is closed. */

#include "base/os_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static struct sp_os_stat
stat_of(const WIN32_FIND_DATAW *found)
{
    bool folder = (found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    struct sp_os_stat st = {.type = folder ? SP_OS_DIR : SP_OS_FILE,
        .size = (uint64_t)found->nFileSizeHigh << 32 | found->nFileSizeLow,
        .mtime_ns = sp_win32_time_ns((uint64_t)found->ftLastWriteTime.dwHighDateTime << 32 |
                                     found->ftLastWriteTime.dwLowDateTime)};

    /* dwReserved0 is the tag of a reparse point, and undefined of all else. */
    if ((found->dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
        sp_win32_is_link(found->dwFileAttributes, found->dwReserved0))
        st.type = SP_OS_LINK;
    if (st.type != SP_OS_FILE)
        st.size = 0;
    return st;
}

/* "\\?\C:\folder\*"; *ret malloc'd. */
static enum sp_code
pattern_of(const char *path, wchar_t **ret, struct sp_err *e)
{
    wchar_t *wide = NULL, *more;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    n = wcslen(wide);
    if ((more = realloc(wide, (n + 3) * sizeof(*more))) == NULL) {
        free(wide);
        return sp_fail_nomem(e);
    }
    if (more[n - 1] != L'\\')
        more[n++] = L'\\';
    more[n++] = L'*';
    more[n] = 0;
    *ret = more;
    return SP_OK;
}

/* What a search that found nothing means. A root has no . and .., so an empty one answers "not
 * found", as a folder that went away may; a file in the place of the folder answers in more ways
 * than one. */
static DWORD
why_nothing(wchar_t *pattern, DWORD why)
{
    DWORD attributes;

    if (why != ERROR_FILE_NOT_FOUND && why != ERROR_PATH_NOT_FOUND && why != ERROR_INVALID_NAME &&
        why != ERROR_DIRECTORY)
        return why;
    pattern[wcslen(pattern) - 1] = 0; /* with a backslash at the end, as a root must be asked */
    attributes = GetFileAttributesW(pattern);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        return why == ERROR_FILE_NOT_FOUND ? 0 : why;
    pattern[wcslen(pattern) - 1] = 0;
    attributes = GetFileAttributesW(pattern);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return ERROR_DIRECTORY;
    return why;
}

enum sp_code
win32_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    WIN32_FIND_DATAW found;
    wchar_t *pattern = NULL;
    HANDLE h;
    DWORD why;
    enum sp_code rc;

    (void)self;
    (void)want_stat; /* no second call is needed */
    if ((rc = pattern_of(path, &pattern, e)) != SP_OK)
        return rc;
    h = FindFirstFileExW(
        pattern, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, FIND_FIRST_EX_LARGE_FETCH);
    if (h == INVALID_HANDLE_VALUE) {
        if ((why = why_nothing(pattern, GetLastError())) != 0)
            rc = sp_win32_fail(e, SP_DOM_STORE, why, "list", path);
        free(pattern);
        return rc;
    }
    free(pattern);
    do {
        struct sp_os_stat st = stat_of(&found);
        char *name = NULL;

        if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
            continue;
        if ((rc = sp_win32_narrow(found.cFileName, &name, e)) == SP_OK)
            rc = each(arg, name, &st, e);
        free(name);
    } while (rc == SP_OK && FindNextFileW(h, &found));
    why = GetLastError();
    if (rc == SP_OK && why != ERROR_NO_MORE_FILES)
        rc = sp_win32_fail(e, SP_DOM_STORE, why, "list", path);
    (void)FindClose(h);
    return rc;
}
