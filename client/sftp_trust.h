#ifndef SP_CLIENT_SFTP_TRUST_H
#define SP_CLIENT_SFTP_TRUST_H

/* Whether the key that an SSH server shows is the server's, decided before any login:
 *
 *   1. revoked by a line of known_hosts: refused
 *   2. --sftp-host-key: this one and no other, whatever known_hosts says
 *   3. pinned in the profile: this one and no other (but see `again`)
 *   4. known_hosts, the user's and the system's: known is trusted, changed is refused
 *   5. asked, where there is a terminal; else refused
 *
 * known_hosts is never written. */

#include "storage/ssh.h"

/* Whoever sits at the terminal, or a test. */
struct sp_sftp_asker {
    bool (*can)(void *arg);
    /* A line that is not shown while it is typed. */
    enum sp_code (*secret)(void *arg, const char *what, struct sp_buf *ret, struct sp_err *e);
    /* One that is; `text` may be of several lines. */
    enum sp_code (*line)(void *arg, const char *text, struct sp_buf *ret, struct sp_err *e);
    enum sp_code (*file)(void *arg, const char *file, struct sp_buf *ret, struct sp_err *e);
    void *arg;
};

struct sp_sftp_trust { /* what is known before the server shows its key; NULL: nothing */
    const char *address;
    const char *told;
    const char *pinned, *pinned_type, *pinned_where;
    const char *asked; /* what was answered for earlier in this run */
    bool again;        /* `login`: what is pinned may change, by known_hosts or by an answer */
    const struct sp_sftp_asker *asker;
};

/* SP_OK: it is the server's. *ret_asked is set when somebody had to be asked. */
enum sp_code sp_sftp_trust(const struct sp_sftp_trust *t, const struct sp_ssh_hostkey *k,
    bool *ret_asked, struct sp_err *e);

#endif
