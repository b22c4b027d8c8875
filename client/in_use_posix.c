#include "client/in_use.h"

/* Files are opened together here; what locks there are is advice among those who ask for it (fcntl(2)), and says
 * nothing of who has a file open. */
bool
sp_file_in_use(const char *path)
{
    (void)path;
    return false;
}
