#ifndef SP_SERVER_SERVER_H
#define SP_SERVER_SERVER_H

/* The running server: one libuv loop; everything that blocks on a disk runs on worker threads,
 * every request that waits for its peer on a thread of its own. Memory: about 8 MiB, and for each
 * session at most 24 MiB of blocks that wait (its credit; reading stops at 8), 16 MiB of requests
 * in flight, 4 MiB of output and one reply more, 1 MiB of a stream and one item more. */

#include "base/log.h"
#include "base/os.h"

struct sp_server;

struct sp_server_options {
    const struct sp_env *env;
    struct sp_log *log;
    const char *dir; /* the server's folder */
    bool signals;    /* end on SIGTERM and SIGINT; a second one ends at once */
    bool wall;       /* raise the wall (wall.h) before anything is opened: for a process of its own */
};
/* Opens everything and listens; nothing is served before sp_server_run. SP_ABSENT or SP_UNREACHABLE
 * of SP_DOM_STORE: the repository is not there; SP_BUSY: it runs already. */
enum sp_code
sp_server_new(const struct sp_server_options *o, struct sp_server **ret, struct sp_err *e);
uint16_t sp_server_port(const struct sp_server *s);
/* Serves until it is stopped. SP_OK: all sessions were ended in order. */
enum sp_code sp_server_run(struct sp_server *s, struct sp_err *e);
/* Any thread, while sp_server_run runs: as SIGTERM. */
void sp_server_stop(struct sp_server *s);
void sp_server_free(struct sp_server *s); /* NULL is harmless */

#endif
