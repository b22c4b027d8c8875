#ifndef SP_SERVER_HOME_H
#define SP_SERVER_HOME_H

/* The server's folder (mode 0700, on local disk):
 *
 *   stillpointd.conf                   config.h
 *   authority.crt authority.key        whom hosts trust; losing the key means enrolling all anew
 *   server.crt server.key              what the server shows, renewed by itself
 *   state.db run.lock                  state.h
 *   cache/                             index segments of the repository; may be deleted
 *
 * The server's id (what the repository's owner object says) is the first half of the SHA-256
 * fingerprint of the authority's certificate: the authority is what makes it this server. */

#include "server/config.h"

struct sp_home {
    char *dir;
    struct sp_server_config config;
    char *authority, *authority_key; /* PEM */
    char *chain, *key;               /* PEM: server certificate and authority; its key */
    uint8_t fingerprint[32];         /* of the authority */
    uint8_t server_id[16];
};

/* DIR/name, malloc'd. */
enum sp_code sp_home_path(const struct sp_home *h, const char *name, char **ret, struct sp_err *e);
/* Makes folder, authority and server certificate where they are not there yet, and takes over
 * `config` (which is empty afterwards) without writing it: sp_home_finish does, as the last step of
 * init. SP_REFUSED: there is a stillpointd.conf already. */
enum sp_code sp_home_create(const struct sp_env *env, const char *dir,
    struct sp_server_config *config, struct sp_home *ret, struct sp_err *e);
enum sp_code sp_home_finish(const struct sp_env *env, const struct sp_home *h, struct sp_err *e);
/* SP_ABSENT: no server's folder. */
enum sp_code
sp_home_open(const struct sp_env *env, const char *dir, struct sp_home *ret, struct sp_err *e);
void sp_home_close(struct sp_home *h); /* wipes the keys; empty with = {0} */
/* A new server certificate when two thirds of the present one's life are over. */
enum sp_code
sp_home_renew(const struct sp_env *env, struct sp_home *h, bool *ret_renewed, struct sp_err *e);
/* What hosts are told: the configured name, with the port when it is not said there and not the
 * usual one. `running_port`: of the running server, when the configuration leaves it open; else 0.
 */
enum sp_code
sp_home_address(const struct sp_home *h, uint16_t running_port, char ret[256], struct sp_err *e);

#endif
