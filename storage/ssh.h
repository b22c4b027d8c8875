#ifndef SP_STORAGE_SSH_H
#define SP_STORAGE_SSH_H

/* The link to an SFTP server: libssh2 over a socket of libuv, a thread and a loop for each
 * connection. Only storage/ssh_libssh2*.c know libssh2 (design §2 gave it to
 * backend_sftp.c; a backend has other things to do).
 *
 * Algorithms: key exchange curve25519 and the NIST curves with SHA-2,
 * diffie-hellman-group{14,16,18}-sha2; host keys ed25519, ecdsa, rsa-sha2; ciphers aes256-gcm,
 * aes128-gcm, chacha20-poly1305, aes-ctr; MACs hmac-sha2 (etm first). Nothing with SHA-1, CBC or
 * group1 unless `old_algorithms`, which is said in the error of a server that offers nothing else.
 * `ext-info-c`, strict key exchange (CVE-2023-48795) as the patched libssh2 does.
 *
 * Errors: SP_UNREACHABLE (name, refused, cut), SP_TIMEOUT, SP_AUTH (login refused: the sentence
 * names the user, the methods that the server takes and those that were tried), SP_REFUSED (host
 * key), SP_UNSUPPORTED (no common algorithm, no sftp subsystem). Sentences name user@host:port.
 */

#include "storage/sftp_conn.h"

enum sp_ssh_method {
    SP_SSH_AGENT = 1,
    SP_SSH_KEY = 2,
    SP_SSH_PASSWORD = 4
}; /* password: keyboard-interactive too */

struct sp_ssh_hostkey {
    const char *host;
    uint16_t port;
    const char *type;     /* "ssh-ed25519", … */
    char fingerprint[64]; /* "SHA256:…", as ssh-keygen -l shows it */
    const uint8_t *key;   /* the wire form */
    size_t key_len;
    /* What known_hosts says. CHANGED: another key of that type. Lines of certificate authorities
     * are passed over: libssh2 asks no server for a certificate. */
    enum sp_hostkey_known {
        SP_HOSTKEY_NEW,
        SP_HOSTKEY_KNOWN,
        SP_HOSTKEY_CHANGED,
        SP_HOSTKEY_REVOKED
    } known;
    /* Which file, and line. NEW: NULL, or of a key of another type for this server, which was asked
     * for first and is not what it showed. */
    const char *known_file;
    unsigned known_line;
};

struct sp_ssh_options { /* strings alive until sp_ssh_open returned */
    const char *host;   /* name or address; IPv6 without brackets */
    uint16_t port;      /* 0: 22 */
    const char *user;
    unsigned methods;             /* of sp_ssh_method; 0: all that there is something for */
    const char *const *key_files; /* tried in order; the public half is made from the private one */
    size_t nkey_files;
    /* Asked when needed, into `secret`; SP_CANCELLED: do without this method. `what` is a whole
     * prompt ("the password of u@h", "the passphrase of the key …", or the server's own words, made
     * printable). NULL: nothing can be asked. */
    enum sp_code (*secret)(
        void *arg, enum sp_ssh_method m, const char *what, struct sp_buf *secret, struct sp_err *e);
    /* Decides on the server's key before any login: SP_OK trusts it. Never NULL. */
    enum sp_code (*hostkey)(void *arg, const struct sp_ssh_hostkey *k, struct sp_err *e);
    void *arg;
    const char *const *known_hosts; /* files; absent ones are no error */
    size_t nknown_hosts;
    /* "SHA256:…": when set, only this key, whatever known_hosts says. NULL: hostkey decides. */
    const char *pinned;
    const char *pinned_type; /* asked for first, also without `pinned` */
    bool old_algorithms;
    bool compress;       /* never of use here: sealed blocks do not compress */
    uint32_t connect_ms; /* TCP, key exchange and login, each; 0: 30 s */
    uint32_t stall_ms; /* no byte although an answer is due; 0: 120 s. Keepalive is sent every 15 s
                          of silence */
    bool (*stop)(
        void *arg); /* asked about every 100 ms while waiting; true: SP_CANCELLED. May be NULL */
};

/* TCP, key exchange, host key, login, channel, subsystem "sftp"; then the link is ready for
 * sp_sftp_conn_new. Blocks. */
enum sp_code sp_ssh_open(const struct sp_env *env, const struct sp_ssh_options *o,
    struct sp_sftp_link **ret, struct sp_err *e);
/* Which methods let the last open in: of sp_ssh_method; what the connection uses
 * ("aes256-gcm@openssh.com, curve25519-sha256"), and the server's greeting, printable, at most 127
 * bytes. For doctor. */
struct sp_ssh_facts {
    enum sp_ssh_method method;
    char algorithms[160], greeting[128], key_type[64], fingerprint[64];
};
const struct sp_ssh_facts *sp_ssh_facts(const struct sp_sftp_link *l);
const char *sp_ssh_library(void); /* "libssh2 1.11.1" */

#endif
