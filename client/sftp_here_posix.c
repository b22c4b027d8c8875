#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "client/sftp_here.h"

#define ROOM 16384

/* One field of this user's line of the password file, malloc'd. */
static enum sp_code
own(bool name, char **ret, struct sp_err *e)
{
    struct passwd pw, *found = NULL;
    char *room = malloc(ROOM);
    const char *got;
    enum sp_code rc = SP_OK;
    int why;

    if (room == NULL)
        return sp_fail_nomem(e);
    why = getpwuid_r(geteuid(), &pw, room, ROOM, &found);
    if (found == NULL)
        rc = sp_fail_os(e, SP_DOM_CONFIG, why != 0 ? why : ENOENT, "user %lu has no name here",
            (unsigned long)geteuid());
    got = found == NULL ? NULL : name ? found->pw_name : found->pw_dir;
    if (rc == SP_OK && (*ret = strdup(got)) == NULL)
        rc = sp_fail_nomem(e);
    free(room);
    return rc;
}

enum sp_code
sp_sftp_own_name(char **ret, struct sp_err *e)
{
    return own(true, ret, e);
}

enum sp_code
sp_sftp_folders(char **ret_user, char **ret_system, struct sp_err *e)
{
    const char *set = getenv("HOME");
    struct sp_err ignored = {0};
    char *home = NULL, *user = NULL, *system = strdup("/etc/ssh");
    enum sp_code rc = SP_OK;

    if (set != NULL && set[0] == '/')
        home = strdup(set);
    else
        (void)own(false, &home, &ignored);
    if (home != NULL)
        user = sp_path_join(home, ".ssh");
    if (system == NULL || (home != NULL && user == NULL))
        rc = sp_fail_nomem(e);
    free(home);
    if (rc != SP_OK) {
        free(user);
        free(system);
        return rc;
    }
    *ret_user = user;
    *ret_system = system;
    return SP_OK;
}
