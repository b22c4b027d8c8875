/* Volumes and what is mounted where: see api.h. */

#include "vss/api_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "vss/volumes_win32.h"

enum sp_code
vss_covering(void *self, const char *path, char **ret_mount, char **ret_volume, struct sp_err *e)
{
    wchar_t *wide = NULL;
    char *mount = NULL, *volume = NULL;
    enum sp_code rc;

    (void)self;
    if ((rc = mount_covering(path, &wide, e)) != SP_OK ||
        (rc = mount_path(wide, &mount, e)) != SP_OK ||
        (rc = mount_volume(wide, &volume, e)) != SP_OK)
        goto out;
    *ret_mount = mount;
    *ret_volume = volume;
    mount = NULL;
out:
    free(mount);
    free(wide);
    return rc;
}

struct below {
    vss_each_mount *each;
    void *arg;
};

static enum sp_code
give(void *arg, const wchar_t *mount, const char *path, struct sp_err *e)
{
    struct below *b = arg;
    char *volume = NULL;
    enum sp_code rc = mount_volume(mount, &volume, e);

    if (rc == SP_OK)
        rc = b->each(b->arg, path, volume, e);
    free(volume);
    return rc;
}

enum sp_code
vss_below(void *self, const char *path, vss_each_mount *each, void *arg, struct sp_err *e)
{
    struct below b = {each, arg};

    (void)self;
    return mounts_below(path, give, &b, e);
}

bool
vss_remote(void *self, const char *mount)
{
    (void)self;
    return mount_is_remote(mount);
}

/* GetVolumeInformation wants the backslash at the end. */
char *
vss_file_system(void *self, const char *mount)
{
    struct sp_err ignored;
    wchar_t *wide = NULL, *more;
    char *name = NULL;
    size_t n;

    (void)self;
    if (sp_win32_path(mount, &wide, &ignored) != SP_OK)
        return NULL;
    n = wcslen(wide);
    if ((more = realloc(wide, (n + 2) * sizeof(*wide))) != NULL) {
        wide = more;
        if (n > 0 && wide[n - 1] != L'\\')
            wcscpy(wide + n, L"\\");
        if (mount_file_system(wide, &name, &ignored) != SP_OK)
            name = NULL;
    }
    free(wide);
    return name;
}
