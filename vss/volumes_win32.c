#include "vss/volumes_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/path.h"
#include "base/sys_win32.h"

#define MOUNT_PATH 32768 /* characters, the longest path there is */

/* "NTFS"; "unknown" of a volume that does not tell (a locked one, a drive without a disc). */
static enum sp_code
file_system_of(const wchar_t *mount, char **ret, struct sp_err *e)
{
    wchar_t name[MAX_PATH + 1];

    if (!GetVolumeInformationW(mount, NULL, 0, NULL, NULL, NULL, name, MAX_PATH + 1) || *name == 0)
        wcscpy(name, L"unknown");
    return sp_win32_narrow(name, ret, e);
}

/* `mount` is for Windows to ask, `path` what the volume is called. */
static enum sp_code
add(struct sp_shadow *s, const wchar_t *mount, const char *path, struct sp_err *e)
{
    struct volume *v;
    char *file_system = NULL;
    enum sp_code rc = file_system_of(mount, &file_system, e);

    if (rc == SP_OK)
        rc = volumes_add(s, path, file_system, &v, e);
    free(file_system);
    return rc;
}

/* The mount point that covers a root. */
static enum sp_code
add_covering(struct sp_shadow *s, const char *root, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, path = SP_BUF_INIT;
    wchar_t *wide = NULL, *mount = calloc(MOUNT_PATH, sizeof(*mount));
    char *text = NULL;
    enum sp_code rc;

    if (mount == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_win32_path(root, &wide, e)) != SP_OK)
        goto out;
    if (!GetVolumePathNameW(wide, mount, MOUNT_PATH)) {
        rc = sp_win32_fail(e, SP_DOM_SOURCE, GetLastError(), "find the volume of", root);
        goto out;
    }
    /* As a key and back: without \\?\ and the backslash at the end. */
    if ((rc = sp_win32_narrow(mount, &text, e)) != SP_OK ||
        (rc = sp_key_from_path(text, &key, e)) != SP_OK)
        goto out;
    sp_key_to_path(key.data, key.len, &path);
    rc = sp_buf_ok(&path, e);
    if (rc == SP_OK)
        rc = add(s, mount, sp_buf_str(&path), e);
out:
    sp_buf_free(&key);
    sp_buf_free(&path);
    free(text);
    free(wide);
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

static enum sp_code
add_if_below(struct sp_shadow *s, const char *root, const wchar_t *mount, struct sp_err *e)
{
    wchar_t *wide = NULL;
    const wchar_t *rest;
    char *text = NULL;
    struct sp_buf path = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_win32_wide(root, &wide, e)) != SP_OK)
        return rc;
    if ((rest = below(wide, mount)) == NULL || (rc = sp_win32_narrow(rest, &text, e)) != SP_OK)
        goto out;
    sp_buf_put_str(&path, root);
    if (path.len > 0 && path.data[path.len - 1] != '\\')
        sp_buf_put_u8(&path, '\\');
    sp_buf_put_str(&path, text);
    while (path.len > 0 && path.data[path.len - 1] == '\\')
        path.len--;
    if ((rc = sp_buf_ok(&path, e)) == SP_OK)
        rc = add(s, mount, sp_buf_str(&path), e);
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

static enum sp_code
add_below(struct sp_shadow *s, const char *root, struct sp_err *e)
{
    wchar_t volume[MAX_PATH + 1], *names;
    HANDLE h = FindFirstVolumeW(volume, MAX_PATH);
    enum sp_code rc = SP_OK;

    if (h == INVALID_HANDLE_VALUE)
        return sp_fail_os(e, SP_DOM_SHADOW, (int)GetLastError(), "cannot list the volumes");
    do {
        if ((rc = mounts_of(volume, &names, e)) != SP_OK)
            break;
        for (const wchar_t *at = names; *at != 0 && rc == SP_OK; at += wcslen(at) + 1)
            rc = add_if_below(s, root, at, e);
        free(names);
    } while (rc == SP_OK && FindNextVolumeW(h, volume, MAX_PATH));
    if (rc == SP_OK && GetLastError() != ERROR_NO_MORE_FILES)
        rc = sp_fail_os(e, SP_DOM_SHADOW, (int)GetLastError(), "cannot list the volumes");
    (void)FindVolumeClose(h);
    return rc;
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
            rc = add_below(s, sp_buf_str(&path), e);
    }
    sp_buf_free(&path);
    volumes_sort(s);
    return rc;
}

bool
volume_is_remote(const struct volume *v)
{
    wchar_t *wide = NULL;
    struct sp_err ignored;
    bool remote = false;

    if (sp_win32_path(v->path, &wide, &ignored) == SP_OK)
        remote = sp_win32_is_remote(wide);
    free(wide);
    return remote;
}
