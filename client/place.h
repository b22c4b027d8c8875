#ifndef SP_CLIENT_PLACE_H
#define SP_CLIENT_PLACE_H

/* Where a repository's files lie, by its address: a folder (also \\server\share) or an SFTP
 * account. The one place of the client that makes backends; a server (stillpoint://) is no place of
 * files. */

#include "client/profile.h"
#include "storage/backend.h"

struct sp_cli;

bool sp_address_is_sftp(const char *address);
/* Logs in as the profile says (it may be NULL: init, or a machine that does not know this
 * repository yet), else as the configuration's [sftp] and the command line's --sftp-* say, else as
 * ssh would: agent, ~/.ssh/id_*, then asking. */
enum sp_code sp_place_open(struct sp_cli *c, const char *address, const struct sp_profile *p,
    bool create, struct sp_backend **ret, struct sp_err *e);

#endif
