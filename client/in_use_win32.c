#include "client/in_use.h"

#include <stdlib.h>

#include "base/sys_win32.h"

/* Asking to share with nobody fails where anybody has it open, whatever they share
 * (learn.microsoft.com/windows/win32/fileio/creating-and-opening-files). */
bool
sp_file_in_use(const char *path)
{
    const DWORD flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_OPEN_NO_RECALL;
    struct sp_err ignored = {0};
    wchar_t *wide = NULL;
    bool held = false;
    HANDLE h;

    if (sp_win32_path(path, &wide, &ignored) != SP_OK)
        return false;
    h = CreateFileW(wide, GENERIC_READ, 0, NULL, OPEN_EXISTING, flags, NULL);
    if (h != INVALID_HANDLE_VALUE)
        (void)CloseHandle(h);
    else
        held = GetLastError() == ERROR_SHARING_VIOLATION;
    free(wide);
    return held;
}
