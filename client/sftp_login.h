#ifndef SP_CLIENT_SFTP_LOGIN_H
#define SP_CLIENT_SFTP_LOGIN_H

/* Logging in to one SFTP account, as often as a run needs connections. Whoever sits at the terminal
 * is asked at most once for each thing: what let a connection in is remembered until the end of the
 * run, and written nowhere. Any thread may connect; one at a time does. */

#include "client/profile.h"
#include "client/sftp_trust.h"

struct sp_sftp_login;

struct sp_sftp_login_from { /* copied */
    const char *address;    /* canonical */
    const char *host, *user;
    uint16_t port; /* 0: 22 */
    const struct sp_sftp_settings *said, *configured;
    struct sp_sftp_asker asker; /* can NULL: nobody */
    enum sp_code (*open)(const struct sp_env *env, const struct sp_ssh_options *o,
        struct sp_sftp_link **ret, struct sp_err *e); /* sp_ssh_open, but in tests */
    const struct sp_ssh_facts *(*facts)(const struct sp_sftp_link *l);
    bool (*stop_first)(void *arg); /* before anything is under way, … */
    bool (*stop)(void *arg);       /* … and when a connection is made again */
};

enum sp_code sp_sftp_login_new(const struct sp_env *env, const struct sp_sftp_login_from *from,
    struct sp_sftp_login **ret, struct sp_err *e);
void sp_sftp_login_free(struct sp_sftp_login *l); /* wipes; NULL is harmless */
const char *sp_sftp_login_address(const struct sp_sftp_login *l);

/* What the repository's profile keeps of this account. */
enum sp_code
sp_sftp_login_know(struct sp_sftp_login *l, const struct sp_profile *p, struct sp_err *e);
/* `stillpoint login`: the server's key may be another than the one that is pinned; what is to be
 * kept anew is not taken from what is kept. */
void sp_sftp_login_anew(struct sp_sftp_login *l, bool password, bool passphrase);
/* What is said, kept and configured, together; until the login is freed or told more. */
const struct sp_sftp_settings *sp_sftp_login_settings(const struct sp_sftp_login *l);

/* One more connection, logged in. SP_AUTH, SP_REFUSED, SP_UNREACHABLE …: storage/ssh.h; SP_AUTH
 * says as well what could have been asked and was not. */
enum sp_code
sp_sftp_login_connect(struct sp_sftp_login *l, struct sp_sftp_link **ret, struct sp_err *e);
/* One that the next call of _connect gives away: so the first is made where somebody can be asked,
 * and where its failure is the command's. */
enum sp_code sp_sftp_login_first(struct sp_sftp_login *l, struct sp_err *e);
/* Of the last connection; NULL: there was none. */
const struct sp_ssh_facts *sp_sftp_login_facts(const struct sp_sftp_login *l);

/* After a connection: what the profile is to keep. The server's key and what was said on the
 * command line; secrets only when `password` or `passphrase` says so (SP_INVALID: none was needed).
 */
enum sp_code sp_sftp_login_keep(const struct sp_sftp_login *l, bool password, bool passphrase,
    struct sp_profile *p, struct sp_err *e);
/* Of sp_ssh_method: what the login took a secret for that nobody will be there to give at night: it
 * is kept in `p` neither itself nor as a file's name, and the configuration names no file. */
unsigned sp_sftp_login_unattended(const struct sp_sftp_login *l, const struct sp_profile *p);

#endif
