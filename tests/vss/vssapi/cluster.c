/* A resutils.dll of the tests: a cluster with one shared volume, C:\ClusterStorage\Volume1
 * (learn.microsoft.com/windows/win32/api/resapi). */

#include <windows.h>

#define MOUNT L"C:\\ClusterStorage\\Volume1\\"

BOOL WINAPI ClusterIsPathOnSharedVolume(LPCWSTR path);
BOOL WINAPI ClusterGetVolumePathName(LPCWSTR path, LPWSTR ret, DWORD n);
BOOL WINAPI ClusterGetVolumeNameForVolumeMountPoint(LPCWSTR mount, LPWSTR ret, DWORD n);

BOOL WINAPI
ClusterIsPathOnSharedVolume(LPCWSTR path)
{
    size_t n = wcslen(MOUNT) - 1;

    return _wcsnicmp(path, MOUNT, n) == 0 && (path[n] == 0 || path[n] == L'\\');
}

static BOOL
give(const wchar_t *text, LPWSTR ret, DWORD n)
{
    if (wcslen(text) >= n) {
        SetLastError(ERROR_MORE_DATA);
        return FALSE;
    }
    wcscpy(ret, text);
    return TRUE;
}

BOOL WINAPI
ClusterGetVolumePathName(LPCWSTR path, LPWSTR ret, DWORD n)
{
    return ClusterIsPathOnSharedVolume(path) && give(MOUNT, ret, n);
}

/* The mount point itself, with its backslash: nothing else has a name. */
BOOL WINAPI
ClusterGetVolumeNameForVolumeMountPoint(LPCWSTR mount, LPWSTR ret, DWORD n)
{
    if (_wcsicmp(mount, MOUNT) == 0)
        return give(L"\\\\?\\Volume{c1c1c1c1-0000-0000-0000-000000000001}\\", ret, n);
    SetLastError(ERROR_INVALID_PARAMETER);
    return FALSE;
}
