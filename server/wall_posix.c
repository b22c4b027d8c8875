#include "server/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the headers of older systems do not know yet. */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)  /* from version 3 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15) /* from version 5 */
#define RIGHT_BIND_TCP (UINT64_C(1) << 0)   /* from version 4 */
#define RIGHT_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ALL                                                                                  \
    UINT64_C(3) /* from version 6: abstract sockets and signals to processes outside */

const char sp_wall_lack[] = "this kernel has no Landlock";

struct ruleset {
    uint64_t files, net, scoped;
};

#define RIGHTS_READ ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define RIGHTS_WRITE                                                                               \
    (RIGHTS_READ |                                                                                 \
        (uint64_t)(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                  \
                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER) |                       \
        RIGHT_TRUNCATE)
#define RIGHTS_FIRST ((UINT64_C(1) << 13) - 1) /* all of version 1 */
/* Version 1 forbids, without a way to allow it, that a file moves to another folder (EXDEV): no
 * object could get its name. */
#define VERSION_LEAST 2

/* What the library functions may look at after the start: time zones, OpenSSL's configuration,
 * randomness. */
static const char *const readable[] = {
    "/etc", "/usr", "/lib", "/lib64", "/dev/null", "/dev/urandom"};

static struct ruleset
known_to(int version)
{
    struct ruleset r = {RIGHTS_FIRST | LANDLOCK_ACCESS_FS_REFER, 0, 0};

    if (version >= 3)
        r.files |= RIGHT_TRUNCATE;
    if (version >= 4)
        r.net = RIGHT_CONNECT_TCP; /* the port to listen on is bound behind the wall */
    if (version >= 5)
        r.files |= RIGHT_IOCTL_DEV;
    if (version >= 6)
        r.scoped = SCOPE_ALL;
    return r;
}

static enum sp_code
allow(int ruleset, uint64_t handled, const char *path, uint64_t rights, struct sp_err *e)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & handled};
    struct stat st;
    enum sp_code rc = SP_OK;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return sp_fail_os(e, SP_DOM_STORE, errno, "cannot open %s", path);
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= (uint64_t)LANDLOCK_ACCESS_FS_READ_FILE;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        rc = sp_fail_os(e, SP_DOM_SELF, errno, "cannot let the server in to %s", path);
    (void)close(rule.parent_fd);
    return rc;
}

/* `path` and the folder above the mount that it lies on. */
static enum sp_code
allow_folder(int ruleset, uint64_t handled, const char *path, struct sp_err *e)
{
    char *real = realpath(path, NULL), *slash;
    struct stat here, up;
    enum sp_code rc;

    if (real == NULL)
        return sp_fail_os(e, SP_DOM_STORE, errno, "cannot open %s", path);
    rc = allow(ruleset, handled, real, RIGHTS_WRITE, e);
    if (rc == SP_OK && stat(real, &here) != 0)
        rc = sp_fail_os(e, SP_DOM_STORE, errno, "cannot look at %s", path);
    /* Never the root: that would be no wall. */
    while (rc == SP_OK && (slash = strrchr(real, '/')) != NULL && slash != real) {
        *slash = '\0';
        if (stat(real, &up) != 0) {
            rc = sp_fail_os(e, SP_DOM_STORE, errno, "cannot look at %s", real);
        } else if (up.st_dev != here.st_dev) {
            rc = allow(ruleset, handled, real, RIGHTS_WRITE, e);
            break;
        }
    }
    free(real);
    return rc;
}

enum sp_code
sp_wall_raise(const char *const *folders, size_t n, bool *ret_raised, struct sp_err *e)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset want;
    struct sp_err ignored = {0};
    enum sp_code rc = SP_OK;
    int ruleset;
    size_t i;

    *ret_raised = false;
    if (version < VERSION_LEAST)
        return SP_OK;
    want = known_to((int)version);
    /* An older kernel takes the shorter form of the structure that it knows. */
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &want,
        version >= 6   ? sizeof(want)
        : version >= 4 ? 2 * sizeof(uint64_t)
                       : sizeof(uint64_t),
        0);
    if (ruleset < 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "cannot make a Landlock ruleset");
    for (i = 0; i < n && rc == SP_OK; i++)
        rc = allow_folder(ruleset, want.files, folders[i], e);
    for (i = 0; i < sizeof(readable) / sizeof(readable[0]) && rc == SP_OK; i++)
        (void)allow(ruleset, want.files, readable[i], RIGHTS_READ, &ignored); /* not everywhere */
    if (rc == SP_OK && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                           syscall(SYS_landlock_restrict_self, ruleset, 0) != 0))
        rc = sp_fail_os(e, SP_DOM_SELF, errno, "cannot raise the Landlock ruleset");
    (void)close(ruleset);
    *ret_raised = rc == SP_OK;
    return rc;
}
