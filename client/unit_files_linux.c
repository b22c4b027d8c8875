#include "client/unit_files_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "client/runner_posix.h"

/* Units as files, and systemctl for what is running. */

#define UNIT_LIMIT 65536u
#define TIMERS "stillpoint-backup@"

/* --- systemctl
 * ------------------------------------------------------------------------------------------ */

/* systemctl [--user] VERB NAME…; its words go to standard error unless quiet. */
enum sp_code
sp_systemctl(const struct sp_installer *in, const char *verb, const struct sp_strings *names,
    bool quiet, int *ret_status, struct sp_err *e)
{
    size_t n = names != NULL ? names->n : 0, k = 0;
    char **argv = calloc(n + 6, sizeof(*argv));
    int status = 0;
    pid_t pid;

    if (argv == NULL)
        return sp_fail_nomem(e);
    argv[k++] = (char *)(uintptr_t) "systemctl";
    if (in->a->user)
        argv[k++] = (char *)(uintptr_t) "--user";
    if (quiet)
        argv[k++] = (char *)(uintptr_t) "--quiet";
    argv[k++] = (char *)(uintptr_t)verb;
    for (size_t i = 0; i < n; i++)
        argv[k++] = names->s[i];
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)dup2(quiet ? null : STDERR_FILENO, STDOUT_FILENO);
        if (quiet)
            (void)dup2(null, STDERR_FILENO);
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    free(argv);
    if (pid < 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "systemctl could not be started");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return SP_OK;
}

enum sp_code
sp_systemctl_must(const struct sp_installer *in, const char *verb, const struct sp_strings *names,
    struct sp_err *e)
{
    int status = 0;
    enum sp_code rc;

    if (!in->live || (names != NULL && names->n == 0))
        return SP_OK;
    if ((rc = sp_systemctl(in, verb, names, false, &status, e)) == SP_OK && status != 0)
        rc = sp_fail(e, SP_IO, SP_DOM_SELF, "'systemctl%s %s' ended with %d; see above",
            in->a->user ? " --user" : "", verb, status);
    return rc;
}

/* --- the folder
 * ----------------------------------------------------------------------------------------- */

static enum sp_code
find_folder(struct sp_installer *in, struct sp_err *e)
{
    const char *root = in->a->root != NULL ? in->a->root : "", *v;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    if (!in->a->user)
        sp_buf_printf(&b, "%s/etc/systemd/system", root);
    else if ((v = getenv("XDG_CONFIG_HOME")) != NULL && *v == '/')
        sp_buf_printf(&b, "%s%s/systemd/user", root, v);
    else if ((v = getenv("HOME")) != NULL && *v == '/')
        sp_buf_printf(&b, "%s%s/.config/systemd/user", root, v);
    else
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "HOME is not set, so there is no place for a user's units");
    sp_buf_put_u8(&b, 0);
    rc = sp_buf_take(&b, &bytes, &n, e);
    if (rc == SP_OK)
        in->folder = (char *)bytes;
    sp_buf_free(&b);
    return rc;
}

enum sp_code
sp_unit_read(const struct sp_installer *in, const char *name, char **ret, struct sp_err *e)
{
    char *path = sp_path_join(in->folder, name), *text;
    uint8_t *bytes = NULL;
    size_t n;
    enum sp_code rc;

    if (path == NULL)
        return sp_fail_nomem(e);
    rc = sp_os_read_file(in->os, path, UNIT_LIMIT, &bytes, &n, e);
    free(path);
    if (rc != SP_OK)
        return rc;
    text = realloc(bytes, n + 1);
    if (text == NULL) {
        free(bytes);
        return sp_fail_nomem(e);
    }
    text[n] = '\0';
    *ret = text;
    return SP_OK;
}

static bool
ours(const char *text)
{
    return strncmp(text, SP_UNIT_MARK, strlen(SP_UNIT_MARK)) == 0;
}

bool
sp_ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static enum sp_code
note_ours(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sp_installer *in = arg;
    struct sp_err ignored = {0};
    char *text = NULL;
    bool mine;

    (void)st;
    if (strcmp(name, SP_UNIT_SCHEDULER) != 0 &&
        (strncmp(name, TIMERS, strlen(TIMERS)) != 0 ||
            (!sp_ends_with(name, ".service") && !sp_ends_with(name, ".timer"))))
        return SP_OK;
    if (sp_unit_read(in, name, &text, &ignored) != SP_OK)
        return SP_OK;
    mine = ours(text);
    free(text);
    return mine ? sp_strings_add(&in->there, name, e) : SP_OK;
}

void
sp_installer_clear(struct sp_installer *in)
{
    free(in->folder);
    free(in->program);
    sp_units_clear(&in->wanted);
    sp_strings_clear(&in->there);
}

enum sp_code
sp_installer_open(struct sp_installer *in, const struct sp_service_ask *a, struct sp_err *e)
{
    enum sp_code rc;

    memset(in, 0, sizeof(*in));
    in->a = a;
    in->os = a->env->os;
    in->live = a->root == NULL && access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
    if ((rc = find_folder(in, e)) != SP_OK || (rc = sp_runner_program(&in->program, e)) != SP_OK)
        return rc;
    rc = in->os->list(in->os->self, in->folder, false, note_ours, in, e);
    if (rc == SP_ABSENT) {
        sp_err_clear(e);
        rc = SP_OK;
    }
    return rc;
}

/* --- links of [Install]
 * ------------------------------------------------------------------------------- */

/* As `systemctl enable` makes them: FOLDER/TARGET.wants/NAME; done by hand because --root has to
 * work too. */
static enum sp_code
link_path(const struct sp_installer *in, const char *target, const char *name, bool make,
    char **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc = SP_OK;

    sp_buf_printf(&b, "%s/%s.wants", in->folder, target);
    if (make && (mkdir(sp_buf_str(&b), 0755) != 0 && errno != EEXIST))
        rc = sp_fail_os(e, SP_DOM_SELF, errno, "cannot make %s", sp_buf_str(&b));
    sp_buf_printf(&b, "/%s", name);
    sp_buf_put_u8(&b, 0);
    if (rc == SP_OK && (rc = sp_buf_take(&b, &bytes, &n, e)) == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
enable(const struct sp_installer *in, const struct sp_unit *u, struct sp_err *e)
{
    struct sp_buf to = SP_BUF_INIT;
    char *path = NULL;
    enum sp_code rc;

    if (u->wanted_by == NULL)
        return SP_OK;
    sp_buf_printf(&to, "../%s", u->name);
    if ((rc = link_path(in, u->wanted_by, u->name, true, &path, e)) == SP_OK &&
        symlink(sp_buf_str(&to), path) != 0 && errno != EEXIST)
        rc = sp_fail_os(e, SP_DOM_SELF, errno, "cannot make the link %s", path);
    sp_buf_free(&to);
    free(path);
    return rc;
}

/* Every link of ours to it; a folder that is left empty goes with the last. */
enum sp_code
sp_unit_disable(const struct sp_installer *in, const char *name, struct sp_err *e)
{
    static const char *const targets[] = {"timers.target", "multi-user.target", "default.target"};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < 3 && rc == SP_OK; i++) {
        char *path = NULL;

        if ((rc = link_path(in, targets[i], name, false, &path, e)) != SP_OK)
            return rc;
        if (unlink(path) == 0) {
            *strrchr(path, '/') = '\0';
            (void)rmdir(path); /* others may have links there */
        } else if (errno != ENOENT && errno != ENOTDIR) {
            rc = sp_fail_os(e, SP_DOM_SELF, errno, "cannot remove the link %s", path);
        }
        free(path);
    }
    return rc;
}

/* --- writing and removing
 * --------------------------------------------------------------------------------- */

enum sp_code
sp_unit_write(
    const struct sp_installer *in, const struct sp_unit *u, bool *ret_changed, struct sp_err *e)
{
    char *was = NULL, *path = NULL;
    struct sp_err ignored = {0};
    enum sp_code rc = sp_unit_read(in, u->name, &was, &ignored);

    *ret_changed = rc != SP_OK || strcmp(was, u->text) != 0;
    if (rc == SP_OK && !ours(was))
        rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "%s/%s is there and was not made by stillpoint; it is left alone. Move it away first",
            in->folder, u->name);
    else if (rc != SP_OK && rc != SP_ABSENT)
        *e = ignored;
    else if ((path = sp_path_join(in->folder, u->name)) == NULL)
        rc = sp_fail_nomem(e);
    else if (!*ret_changed ||
             ((rc = sp_os_write_file(in->os, path, u->text, strlen(u->text), e)) == SP_OK))
        rc = chmod(path, 0644) == 0 ? enable(in, u, e)
                                    : sp_fail_os(e, SP_DOM_SELF, errno, "cannot open up %s", path);
    free(was);
    free(path);
    return rc;
}
