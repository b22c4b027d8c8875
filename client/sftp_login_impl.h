#ifndef SP_CLIENT_SFTP_LOGIN_IMPL_H
#define SP_CLIENT_SFTP_LOGIN_IMPL_H

/* Inside of a login: sftp_login.c makes connections, sftp_secret.c answers what they are asked. */

#include "base/thread.h"
#include "client/sftp_login.h"

enum sp_sftp_source { /* in this order */
    SP_SFTP_REMEMBERED,
    SP_SFTP_SAID,
    SP_SFTP_KEPT,
    SP_SFTP_KEPT_FILE,
    SP_SFTP_CONFIGURED,
    SP_SFTP_TYPED, /* … and typed again, twice */
    SP_SFTP_TYPED_LAST = SP_SFTP_TYPED + 2,
    SP_SFTP_NOWHERE
};

struct sp_sftp_answer {
    enum sp_ssh_method method;
    char *what;
    struct sp_buf value;
    bool good;                  /* it let a connection in */
    enum sp_sftp_source source; /* where `value` came from */
    enum sp_sftp_source next;   /* in this attempt */
    bool used;                  /* in this attempt */
};

struct sp_sftp_login {
    struct sp_env env;
    struct sp_sftp_login_from from; /* strings are copies */
    struct sp_mutex lock;
    struct sp_sftp_settings said, kept, configured, all;
    char *kept_password, *kept_passphrase, *kept_where;
    bool anew, not_kept_password, not_kept_passphrase;
    char asked_key[64]; /* the server's key that somebody trusted */
    struct sp_sftp_answer *answers;
    size_t nanswers;
    /* Of sp_ssh_method, in this attempt: could not be asked; … after something that was wrong. */
    unsigned lacked, wrong;
    bool connected; /* once: nobody is asked any more */
    bool has_facts;
    struct sp_ssh_facts facts;
    struct sp_sftp_link *first;
};

/* For sp_ssh_options; arg is the login. */
enum sp_code sftp_login_secret(
    void *arg, enum sp_ssh_method m, const char *what, struct sp_buf *secret, struct sp_err *e);
void sftp_login_begin(struct sp_sftp_login *l);
/* After an attempt: what was answered is remembered, or forgotten. */
void sftp_login_ended(struct sp_sftp_login *l, bool well);
/* What could not be asked, behind the sentence of a refused login. */
void sftp_login_tell_lack(const struct sp_sftp_login *l, struct sp_err *e);
void sftp_login_forget(struct sp_sftp_login *l);

#endif
