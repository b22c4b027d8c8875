/* Cluster shared volumes: see volumes_win32.h. The cluster's DLL is looked up when a path lies
 * there, and only then: clusapi.h is no C with mingw-w64, and a machine without a cluster need not
 * have it. */

#include "base/sys_win32.h"

#include "vss/volumes_win32.h"

typedef BOOL(WINAPI *is_shared)(LPCWSTR path);
typedef BOOL(WINAPI *name_of)(LPCWSTR path, LPWSTR ret, DWORD n);

bool
cluster_folder(wchar_t *ret, DWORD n)
{
    wchar_t windows[MAX_PATH];
    DWORD attributes;

    if (GetSystemWindowsDirectoryW(windows, MAX_PATH) < 2 ||
        _snwprintf(ret, n, L"%.2ls\\ClusterStorage\\", windows) < 0)
        return false;
    attributes = GetFileAttributesW(ret);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static bool
lies_there(const wchar_t *path)
{
    wchar_t folder[MAX_PATH + 20];
    size_t n;

    if (!cluster_folder(folder, MAX_PATH + 20))
        return false;
    n = wcslen(folder);
    return wcslen(path) > n &&
           CompareStringOrdinal(path, (int)n, folder, (int)n, TRUE) == CSTR_EQUAL;
}

/* https://learn.microsoft.com/en-us/windows/win32/api/resapi/nf-resapi-clusterispathonsharedvolume
 */
static bool
ask(const wchar_t *path, const char *call, wchar_t *ret, DWORD n)
{
    wchar_t dll[MAX_PATH + 16];
    HMODULE resutils;
    is_shared shared;
    name_of name;
    UINT len;
    bool known = false;

    if (!lies_there(path) || (len = GetSystemDirectoryW(dll, MAX_PATH)) == 0 || len >= MAX_PATH)
        return false;
    wcscpy(dll + len, L"\\resutils.dll");
    if ((resutils = LoadLibraryExW(dll, NULL, LOAD_LIBRARY_SEARCH_SYSTEM32)) == NULL)
        return false;
    shared = (is_shared)(void (*)(void))GetProcAddress(resutils, "ClusterIsPathOnSharedVolume");
    name = (name_of)(void (*)(void))GetProcAddress(resutils, call);
    if (shared != NULL && name != NULL)
        known = shared(path) && name(path, ret, n);
    (void)FreeLibrary(resutils);
    return known;
}

bool
cluster_mount_of(const wchar_t *path, wchar_t *ret, DWORD n)
{
    return ask(path, "ClusterGetVolumePathName", ret, n);
}

bool
cluster_volume_of(const wchar_t *mount, wchar_t *ret, DWORD n)
{
    return ask(mount, "ClusterGetVolumeNameForVolumeMountPoint", ret, n);
}
