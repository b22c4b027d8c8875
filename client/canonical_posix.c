#include "client/canonical.h"

#include <errno.h>
#include <stdlib.h>

const bool sp_paths_fold = false;

enum sp_code
sp_path_canonical(const char *path, char **ret, struct sp_err *e)
{
    char *real = realpath(path, NULL);

    if (real == NULL)
        return sp_fail_os(e, SP_DOM_SOURCE, errno, "%s cannot be backed up", path);
    *ret = real;
    return SP_OK;
}
