#ifndef SP_CLIENT_SFTP_OPTIONS_H
#define SP_CLIENT_SFTP_OPTIONS_H

/* The options --sftp-… of the command line, which every command takes that opens a repository. */

#include "client/cli.h"

/* Takes the option at argv[*i] (and its value, moving *i) into c. false: it is none of these.
 * `e` says why it could not be taken; the first one's words stay. */
bool sp_sftp_option(struct sp_cli *c, int *i, struct sp_err *e);
/* The lines of --help. */
extern const char sp_sftp_options_help[];

#endif
