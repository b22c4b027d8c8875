#ifndef SP_CLIENT_SFTP_SETTINGS_H
#define SP_CLIENT_SFTP_SETTINGS_H

/* How to reach an SFTP account. Said in three places with the same words: the command line
 * (`--sftp-KEY VALUE`), the profile of a repository (`sftp-KEY = VALUE`: what init, `key join` or
 * `login` was told) and the configuration's section [sftp] (`KEY = VALUE`), in this order: for each
 * key the first that says it. ~/.ssh/config is not read.
 *
 *   key = FILE                 a private key; repeatable; the usual ones when none is said
 *   login = agent key password which of them, in any order; all when it is not said
 *   passphrase-file = FILE     of the keys
 *   password-file = FILE       of the account, also for keyboard-interactive
 *   known-hosts = FILE         instead of the user's and the system's; repeatable
 *   host-key = [TYPE ]SHA256:… the server's key (not in the configuration)
 *   connections = 1 … 16       at most
 *   patience = 15m             how long a server that is gone is waited for
 *   old-algorithms = yes       SHA-1, CBC and their like too
 */

#include <stdint.h>

#include "base/os.h"
#include "client/strings.h"

struct sp_sftp_settings { /* all zero: nothing is said */
    struct sp_strings keys, known_hosts;
    unsigned methods; /* of sp_ssh_method */
    char *passphrase_file, *password_file;
    char *host_key_type, *host_key; /* "SHA256:…" */
    unsigned connections;
    int64_t patience_ns;
    enum { SP_SFTP_UNSAID, SP_SFTP_NO, SP_SFTP_YES } old_algorithms;
};

/* SP_INVALID: no such key (the sentence lists them), or a value that makes no sense. Files are made
 * absolute. */
enum sp_code
sp_sftp_set(struct sp_sftp_settings *s, const char *key, const char *value, struct sp_err *e);
/* As a line of the configuration: without what belongs to one server. */
enum sp_code
sp_sftp_configure(struct sp_sftp_settings *s, const char *key, const char *value, struct sp_err *e);
/* What `to` does not say is taken from `from`. */
enum sp_code
sp_sftp_add(struct sp_sftp_settings *to, const struct sp_sftp_settings *from, struct sp_err *e);
/* Every key that is said. */
void sp_sftp_each(const struct sp_sftp_settings *s,
    void (*each)(void *arg, const char *key, const char *value), void *arg);
void sp_sftp_clear(struct sp_sftp_settings *s);

#endif
