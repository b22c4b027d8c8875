/* Where things are on a POSIX system, and who we are: see os.h. */

#include "base/os.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/path.h"

bool
sp_os_is_admin(void)
{
    return geteuid() == 0;
}

/* A variable that is set and not empty. */
static const char *
env(const char *name)
{
    const char *v = getenv(name);

    return v != NULL && *v != '\0' ? v : NULL;
}

static enum sp_code
copy(const char *s, char **ret, struct sp_err *e)
{
    char *c = strdup(s);

    if (c == NULL)
        return sp_fail_nomem(e);
    *ret = c;
    return SP_OK;
}

static enum sp_code
home_folder(char **ret, struct sp_err *e)
{
    const char *home = env("HOME");
    struct passwd pw, *found = NULL;
    char *room;
    size_t n = 16384;
    enum sp_code rc;
    int why;

    if (home != NULL && *home == '/')
        return copy(home, ret, e);
    if ((room = malloc(n)) == NULL)
        return sp_fail_nomem(e);
    why = getpwuid_r(geteuid(), &pw, room, n, &found);
    if (found != NULL && found->pw_dir != NULL && found->pw_dir[0] == '/')
        rc = copy(found->pw_dir, ret, e);
    else
        rc = sp_fail_os(e, SP_DOM_CONFIG, why != 0 ? why : ENOENT,
            "no home folder: HOME is not set and user %lu has none", (unsigned long)geteuid());
    free(room);
    return rc;
}

static const struct {
    const char *own; /* ours, before everything */
    const char *root;
    const char *xdg; /* XDG Base Directory Specification 0.8 */
    const char *below_home;
} places[] = {
    [SP_PLACE_CONFIG] = {"STILLPOINT_CONFIG_DIR", "/etc/stillpoint", "XDG_CONFIG_HOME", ".config"},
    [SP_PLACE_STATE] = {"STILLPOINT_STATE_DIR", "/var/lib/stillpoint", "XDG_STATE_HOME",
        ".local/state"},
    [SP_PLACE_CACHE] = {"STILLPOINT_CACHE_DIR", "/var/cache/stillpoint", "XDG_CACHE_HOME",
        ".cache"},
};

enum sp_code
sp_os_place(enum sp_os_place which, char **ret, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT;
    char *home = NULL;
    const char *v;
    enum sp_code rc;

    if ((v = env(places[which].own)) != NULL)
        return sp_os_absolute(v, ret, e);
    if (sp_os_is_admin())
        return copy(places[which].root, ret, e);
    /* The specification says that a relative path in these variables is to be ignored. */
    if ((v = env(places[which].xdg)) != NULL && *v == '/') {
        sp_buf_printf(&path, "%s/stillpoint", v);
    } else {
        if ((rc = home_folder(&home, e)) != SP_OK)
            return rc;
        sp_buf_printf(&path, "%s/%s/stillpoint", home, places[which].below_home);
    }
    rc = sp_buf_ok(&path, e);
    if (rc == SP_OK)
        rc = sp_os_absolute(sp_buf_str(&path), ret, e);
    sp_buf_free(&path);
    free(home);
    return rc;
}

enum sp_code
sp_os_hostname(char **ret, struct sp_err *e)
{
    char name[257];

    if (gethostname(name, sizeof(name)) != 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "cannot ask for the name of this machine");
    /* POSIX does not promise the NUL of a name that was cut. */
    name[sizeof(name) - 1] = '\0';
    return copy(name, ret, e);
}

enum sp_code
sp_os_stream(const char *path, FILE **ret, struct sp_err *e)
{
    FILE *f = fopen(path, "rbe");

    if (f == NULL)
        return sp_fail_os(e, SP_DOM_CONFIG, errno, "%s", path);
    *ret = f;
    return SP_OK;
}

/* Appends the components of `from` to `to` ("" is the root), without '.', going up at '..'. */
static void
add_components(struct sp_buf *to, const char *from)
{
    while (*from != '\0') {
        size_t n = strcspn(from, "/");

        if (n == 2 && from[0] == '.' && from[1] == '.') {
            while (to->len > 0 && to->data[--to->len] != '/')
                continue;
        } else if (n > 0 && !(n == 1 && from[0] == '.')) {
            sp_buf_put_u8(to, '/');
            sp_buf_put(to, from, n);
        }
        from += n;
        from += *from == '/';
    }
}

enum sp_code
sp_os_absolute(const char *path, char **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    char *cwd = NULL;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    if (*path == '\0')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "an empty path");
    if (*path != '/') {
        /* With NULL glibc and musl allocate as much as it takes. */
        if ((cwd = getcwd(NULL, 0)) == NULL)
            return sp_fail_os(e, SP_DOM_CONFIG, errno, "cannot find the current folder");
        add_components(&b, cwd);
    }
    add_components(&b, path);
    if (b.len == 0)
        sp_buf_put_u8(&b, '/');
    sp_buf_put_u8(&b, 0);
    rc = sp_buf_take(&b, &bytes, &n, e);
    if (rc == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&b);
    free(cwd);
    return rc;
}
