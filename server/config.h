#ifndef SP_SERVER_CONFIG_H
#define SP_SERVER_CONFIG_H

/* stillpointd.conf: what an administrator may set. An INI file (base/ini.h) in the server's folder,
 * written by init, read once when a command starts. Unknown keys are errors with file and line. */

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"

struct sp_server_config {
    char *repository; /* absolute path */
    char *listen;     /* "" is every address */
    uint16_t port;    /* 0: any free one */
    char *name;       /* how hosts reach it: "backup.example.org" or with ":port" */
    unsigned certificate_days;
    unsigned sessions_max;      /* all together */
    unsigned host_sessions_max; /* of one host */
    uint64_t host_quota;        /* bytes a host may store; 0: no limit */
};
#define SP_CONFIG_CERTIFICATE_DAYS 90
#define SP_CONFIG_SESSIONS 64
#define SP_CONFIG_HOST_SESSIONS 8

/* "192.0.2.1:7878", "[::1]:7878", ":7878", "*:7878", without port the usual one. *ret_address is
 * malloc'd. SP_INVALID. */
enum sp_code
sp_listen_parse(const char *text, char **ret_address, uint16_t *ret_port, struct sp_err *e);

enum sp_code sp_server_config_load(
    const struct sp_env *env, const char *file, struct sp_server_config *ret, struct sp_err *e);
enum sp_code sp_server_config_write(
    const struct sp_env *env, const char *file, const struct sp_server_config *c, struct sp_err *e);
void sp_server_config_clear(struct sp_server_config *c); /* empty with = {0} */

#endif
