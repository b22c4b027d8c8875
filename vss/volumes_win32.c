#include "vss/volumes_win32.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/sys_win32.h"

#define MOUNT_PATH 32768 /* characters, the longest path there is */

enum sp_code
mount_file_system(const wchar_t *mount, char **ret, struct sp_err *e)
{
    wchar_t name[MAX_PATH + 1];

    if (!GetVolumeInformationW(mount, NULL, 0, NULL, NULL, NULL, name, MAX_PATH + 1) || *name == 0)
        wcscpy(name, L"unknown");
    return sp_win32_narrow(name, ret, e);
}

/* `mount` is for Windows to ask, `path` what the volume is called. */
static enum sp_code
add(void *arg, const wchar_t *mount, const char *path, struct sp_err *e)
{
    struct volume *v;
    char *file_system = NULL;
    enum sp_code rc = mount_file_system(mount, &file_system, e);

    if (rc == SP_OK)
        rc = volumes_add(arg, path, file_system, &v, e);
    free(file_system);
    return rc;
}

/* "C:\x" of "\\?\C:\x": what the calls for mount points and clusters are used to. */
static const wchar_t *
plain(const wchar_t *path)
{
    return wcsncmp(path, L"\\\\?\\", 4) == 0 && path[4] != 0 && path[5] == L':' ? path + 4 : path;
}

enum sp_code
mount_covering(const char *path, wchar_t **ret, struct sp_err *e)
{
    wchar_t *wide = NULL, *mount = calloc(MOUNT_PATH, sizeof(*mount));
    enum sp_code rc;

    if (mount == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        goto out;
    if (!cluster_mount_of(plain(wide), mount, MOUNT_PATH) &&
        !GetVolumePathNameW(wide, mount, MOUNT_PATH)) {
        rc = sp_win32_fail(e, SP_DOM_SOURCE, GetLastError(), "find the volume of", path);
        goto out;
    }
    *ret = mount;
    mount = NULL;
out:
    free(wide);
    free(mount);
    return rc;
}

/* As a key and back. */
enum sp_code
mount_path(const wchar_t *mount, char **ret, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, path = SP_BUF_INIT;
    char *text = NULL;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_win32_narrow(mount, &text, e)) != SP_OK ||
        (rc = sp_key_from_path(text, &key, e)) != SP_OK)
        goto out;
    sp_key_to_path(key.data, key.len, &path);
    sp_buf_put_u8(&path, '\0');
    if ((rc = sp_buf_take(&path, &bytes, &n, e)) == SP_OK)
        *ret = (char *)bytes;
out:
    sp_buf_free(&key);
    sp_buf_free(&path);
    free(text);
    return rc;
}

enum sp_code
mount_volume(const wchar_t *mount, char **ret, struct sp_err *e)
{
    wchar_t name[MAX_PATH + 1] = L"";

    if (!cluster_volume_of(plain(mount), name, MAX_PATH) &&
        !GetVolumeNameForVolumeMountPointW(plain(mount), name, MAX_PATH))
        name[0] = 0;
    return sp_win32_narrow(name, ret, e);
}

static enum sp_code
add_covering(struct sp_shadow *s, const char *root, struct sp_err *e)
{
    wchar_t *mount = NULL;
    char *path = NULL;
    enum sp_code rc;

    if ((rc = mount_covering(root, &mount, e)) == SP_OK &&
        (rc = mount_path(mount, &path, e)) == SP_OK)
        rc = add(s, mount, path, e);
    free(path);
    free(mount);
    return rc;
}

/* The part of `mount` below `root`, in whatever case either is written; NULL: it is not below. */
static const wchar_t *
below(const wchar_t *root, const wchar_t *mount)
{
    size_t n = wcslen(root);

    while (n > 0 && root[n - 1] == L'\\')
        n--;
    if (wcslen(mount) < n + 2 || mount[n] != L'\\' ||
        CompareStringOrdinal(root, (int)n, mount, (int)n, TRUE) != CSTR_EQUAL)
        return NULL;
    return mount + n + 1;
}

struct wanted {
    const char *root;
    mount_each *each;
    void *arg;
};

static enum sp_code
give_if_below(const struct wanted *w, const wchar_t *mount, struct sp_err *e)
{
    wchar_t *wide = NULL;
    const wchar_t *rest;
    char *text = NULL;
    struct sp_buf path = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_win32_wide(w->root, &wide, e)) != SP_OK)
        return rc;
    if ((rest = below(wide, mount)) == NULL || (rc = sp_win32_narrow(rest, &text, e)) != SP_OK)
        goto out;
    sp_buf_put_str(&path, w->root);
    if (path.len > 0 && path.data[path.len - 1] != '\\')
        sp_buf_put_u8(&path, '\\');
    sp_buf_put_str(&path, text);
    while (path.len > 0 && path.data[path.len - 1] == '\\')
        path.len--;
    if ((rc = sp_buf_ok(&path, e)) == SP_OK)
        rc = w->each(w->arg, mount, sp_buf_str(&path), e);
out:
    sp_buf_free(&path);
    free(text);
    free(wide);
    return rc;
}

/* All places where a volume is mounted, each with a NUL, and one more at the end
 * (learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-getvolumepathnamesforvolumenamew). */
static enum sp_code
mounts_of(const wchar_t *volume, wchar_t **ret, struct sp_err *e)
{
    DWORD n = MAX_PATH;
    wchar_t *names = NULL, *more;

    for (;;) {
        if ((more = realloc(names, ((size_t)n + 1) * sizeof(*names))) == NULL) {
            free(names);
            return sp_fail_nomem(e);
        }
        names = more;
        names[0] = 0;
        if (GetVolumePathNamesForVolumeNameW(volume, names, n, &n))
            break;
        /* A volume that went away meanwhile is mounted nowhere. */
        if (GetLastError() != ERROR_MORE_DATA) {
            names[0] = 0;
            break;
        }
    }
    *ret = names;
    return SP_OK;
}

/* Those of the cluster: each a folder of its own. */
static enum sp_code
cluster_below(const struct wanted *w, struct sp_err *e)
{
    wchar_t folder[MAX_PATH + 20], mount[2 * MAX_PATH + 24];
    WIN32_FIND_DATAW found;
    HANDLE h;
    enum sp_code rc = SP_OK;

    if (!cluster_folder(folder, MAX_PATH + 20))
        return SP_OK;
    (void)_snwprintf(mount, 2 * MAX_PATH + 24, L"%ls*", folder);
    if ((h = FindFirstFileW(mount, &found)) == INVALID_HANDLE_VALUE)
        return SP_OK; /* an empty one has . and .. */
    do {
        wchar_t real[2 * MAX_PATH + 24];

        if (found.cFileName[0] == L'.')
            continue;
        (void)_snwprintf(mount, 2 * MAX_PATH + 24, L"%ls%ls\\", folder, found.cFileName);
        if (cluster_mount_of(mount, real, 2 * MAX_PATH + 24))
            rc = give_if_below(w, mount, e);
    } while (rc == SP_OK && FindNextFileW(h, &found));
    (void)FindClose(h);
    return rc;
}

enum sp_code
mounts_below(const char *root, mount_each *each, void *arg, struct sp_err *e)
{
    struct wanted w = {root, each, arg};
    wchar_t volume[MAX_PATH + 1], *names;
    HANDLE h = FindFirstVolumeW(volume, MAX_PATH);
    enum sp_code rc = SP_OK;

    if (h == INVALID_HANDLE_VALUE)
        return sp_fail_os(e, SP_DOM_SHADOW, (int)GetLastError(), "cannot list the volumes");
    do {
        if ((rc = mounts_of(volume, &names, e)) != SP_OK)
            break;
        for (const wchar_t *at = names; *at != 0 && rc == SP_OK; at += wcslen(at) + 1)
            rc = give_if_below(&w, at, e);
        free(names);
    } while (rc == SP_OK && FindNextVolumeW(h, volume, MAX_PATH));
    if (rc == SP_OK && GetLastError() != ERROR_NO_MORE_FILES)
        rc = sp_fail_os(e, SP_DOM_SHADOW, (int)GetLastError(), "cannot list the volumes");
    (void)FindVolumeClose(h);
    return rc == SP_OK ? cluster_below(&w, e) : rc;
}

enum sp_code
volumes_find(struct sp_shadow *s, const struct sp_shadow_options *o, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < o->nroots && rc == SP_OK; i++) {
        sp_buf_reset(&path);
        sp_key_to_path(o->roots[i].key, o->roots[i].key_len, &path);
        if ((rc = sp_buf_ok(&path, e)) != SP_OK)
            break;
        rc = add_covering(s, sp_buf_str(&path), e);
        if (rc == SP_OK && !o->one_file_system)
            rc = mounts_below(sp_buf_str(&path), add, s, e);
    }
    sp_buf_free(&path);
    volumes_sort(s);
    return rc;
}

bool
mount_is_remote(const char *path)
{
    wchar_t *wide = NULL;
    struct sp_err ignored;
    bool remote = false;

    if (sp_win32_path(path, &wide, &ignored) == SP_OK)
        remote = sp_win32_is_remote(wide);
    free(wide);
    return remote;
}

bool
volume_is_remote(const struct volume *v)
{
    return mount_is_remote(v->path);
}
