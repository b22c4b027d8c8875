#include "server/wall.h"

/* A process can give up rights on Windows only at its birth (a restricted token, an AppContainer): that
 * is the business of the account that the service runs under. */
const char sp_wall_lack[] = "Windows has no Landlock";

enum sp_code
sp_wall_raise(const char *const *folders, size_t n, bool *ret_raised, struct sp_err *e)
{
    (void)folders;
    (void)n;
    (void)e;
    *ret_raised = false;
    return SP_OK;
}
