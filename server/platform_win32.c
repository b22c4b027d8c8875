#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <initguid.h>
#include <windows.h>

#include <knownfolders.h>
#include <shlobj.h>

#include "base/path.h"
#include "base/sys_win32.h"
#include "server/cmd.h"
#include "server/server_impl.h"

/* Ctrl-C, Ctrl-Break, and the window closed, which Windows waits five seconds for
 * (docs.libuv.org/en/v1.x/signal.html). */
const int sp_platform_ends[SP_ENDS_MAX + 1] = {SIGINT, SIGBREAK, SIGHUP, 0};

/* Found once, by the main thread, before there are others. */
const char *
sp_platform_dir(void)
{
    static char *dir;
    char *base = NULL;
    PWSTR path = NULL;
    struct sp_err ignored;

    if (dir != NULL)
        return dir;
    /* KF_FLAG_DONT_VERIFY: the path, whether or not it is there now. */
    if (SHGetKnownFolderPath(&FOLDERID_ProgramData, KF_FLAG_DONT_VERIFY, NULL, &path) == S_OK &&
        sp_win32_narrow(path, &base, &ignored) == SP_OK)
        dir = sp_path_join(base, "stillpointd");
    CoTaskMemFree(path);
    free(base);
    if (dir != NULL)
        for (char *p = dir; *p != '\0'; p++) /* as people write it here */
            *p = *p == '/' ? '\\' : *p;
    return dir != NULL ? dir : "C:\\ProgramData\\stillpointd";
}

enum sp_code
sp_platform_dir_safe(const char *dir, struct sp_err *e)
{
    return sp_win32_check_ours(dir, e);
}

void
sp_platform_start(void)
{
    /* libuv has four workers; more disks than that may be slow at once. */
    if (getenv("UV_THREADPOOL_SIZE") == NULL)
        (void)_putenv_s("UV_THREADPOOL_SIZE", "12");
}
