#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "server/cmd.h"
#include "server/server_impl.h"

const int sp_platform_ends[SP_ENDS_MAX + 1] = {SIGTERM, SIGINT, 0};

const char *
sp_platform_dir(void)
{
    return "/var/lib/stillpointd";
}

void
sp_platform_start(void)
{
    const struct rlimit none = {0, 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigemptyset(&ignore.sa_mask);
    (void)sigaction(SIGPIPE, &ignore, NULL); /* a peer that is gone is an error code */
    (void)sigaction(SIGHUP, &ignore, NULL);  /* a closed terminal does not end a server */
    (void)umask(077);
    (void)setrlimit(RLIMIT_CORE, &none); /* a core dump would hold the authority's key */
    /* libuv has four workers; more disks than that may be slow at once. */
    (void)setenv("UV_THREADPOOL_SIZE", "12", 0);
}

/* Only root makes something in /var/lib. */
enum sp_code
sp_platform_dir_safe(const char *dir, struct sp_err *e)
{
    (void)dir;
    (void)e;
    return SP_OK;
}
