#ifndef SP_CLIENT_SFTP_HERE_H
#define SP_CLIENT_SFTP_HERE_H

/* What ssh has on this machine for this user: its files, which are only read, and the user's name.
 */

#include "client/strings.h"

/* This user's name, for an address without one. */
enum sp_code sp_sftp_own_name(char **ret, struct sp_err *e);
/* The folders of ssh's files, malloc'd: the user's (NULL where there is no home folder) and the
 * system's. */
enum sp_code sp_sftp_folders(char **ret_user, char **ret_system, struct sp_err *e);

#endif
