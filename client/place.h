#ifndef SP_CLIENT_PLACE_H
#define SP_CLIENT_PLACE_H

/* Where a repository's files lie, by its address: a folder (also \\server\share) or an SFTP
 * account. The one place of the client that makes backends; a server (stillpoint://) is no place of
 * files. */

#include "client/profile.h"
#include "storage/backend.h"
#include "storage/backend_sftp.h"

struct sp_cli;

bool sp_address_is_sftp(const char *address);
/* The address of an account as it is kept: with its user (this machine's, when none is said).
 * SP_INVALID. */
enum sp_code sp_place_canonical(const char *given, char **ret, struct sp_err *e);
/* Logs in as the command line's --sftp-*, the profile (it may be NULL: init, or a machine that does
 * not know this repository yet) and the configuration's [sftp] say, else as ssh would: agent,
 * ~/.ssh/id_*, then asking. In one run nobody is asked twice for the same account. */
enum sp_code sp_place_open(struct sp_cli *c, const char *address, const struct sp_profile *p,
    bool create, struct sp_backend **ret, struct sp_err *e);
void sp_places_free(struct sp_cli *c); /* after every backend; wipes */

/* --- for accounts; of a folder these do nothing ------------------------------------------------
 */

/* Connects and logs in now, so that whoever is there is asked before anything is made; the
 * connection is used by what opens next. `anew`: `stillpoint login`, where another key of the
 * server may be trusted than the one that is pinned. */
enum sp_code sp_place_login(
    struct sp_cli *c, const char *address, const struct sp_profile *p, bool anew, struct sp_err *e);
/* After that: puts into `p` what it keeps of p->address: the server's key, what was said on the
 * command line, and secrets where --sftp-keep-… says so (SP_INVALID: there were none). */
enum sp_code sp_place_keep(struct sp_cli *c, struct sp_profile *p, struct sp_err *e);
/* Says when backups without a terminal will not be able to log in as this one did. */
void sp_place_tell_unattended(struct sp_cli *c, const struct sp_profile *p);
/* Of the last login there; NULL: none. */
const struct sp_ssh_facts *sp_place_facts(struct sp_cli *c, const char *address);

/* What can be said of an open account's abilities, for init and doctor. */
struct sp_place_remark {
    bool good;                           /* it takes nothing from what backups need */
    const char *subject, *text, *advice; /* advice NULL: there is nothing to do */
};
enum sp_code sp_place_remarks(struct sp_backend *b,
    void (*each)(void *arg, const struct sp_place_remark *r), void *arg, struct sp_err *e);

#endif
