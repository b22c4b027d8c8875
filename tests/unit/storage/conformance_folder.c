/* conformance_folder PATH: the contract of all backends over folders made below PATH, for stores that a test
 * suite mounts: CIFS, NFS, sshfs, rclone. */

#include "conformance.h"
#include "dirstore.h"

#include <stdio.h>

static unsigned made;

static void
place(const char *below, char path[400])
{
    (void)snprintf(path, 400, "%s/conformance-%u", below, made);
}

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    char path[400];

    made++;
    place(arg, path);
    return sp_backend_dir_open(&sp_env_system, path, true, ret, e);
}

static enum sp_code
again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    char path[400];

    place(arg, path);
    return sp_backend_dir_open(&sp_env_system, path, false, ret, e);
}

int
main(int argc, char **argv)
{
    struct conformance c = {.kind = "folder", .make = make, .again = again};

    if (argc != 2 || argv[1][0] != '/') {
        (void)fputs("usage: conformance_folder /PATH\n", stderr);
        return 2;
    }
    c.arg = argv[1];
    return conformance_run(&c);
}
