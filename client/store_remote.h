#ifndef SP_CLIENT_STORE_REMOTE_H
#define SP_CLIENT_STORE_REMOTE_H

/* A server as a store (storage/store.h over proto/): one thread runs the libuv loop, callers wait. Requests are
 * pipelined; blocks not yet acknowledged are kept (at most the server's put credit, 24 MiB); a cut connection is
 * made again with growing pauses (1 s, 2 s, … 60 s, up to `retry_ms`), what the server has by then is asked with
 * HAVE, the rest is sent again, and the callers notice nothing. A refusal (certificate, version, unknown host)
 * is never retried. */

#include "base/os.h"
#include "storage/store.h"

struct sp_remote_options {
    const char *address; /* host:port, or stillpoint://host[:port] */
    const char *tls_key, *tls_chain, *tls_authority; /* PEM */
    uint8_t authority_fingerprint[32];
    bool has_group;
    uint8_t group[16];
    uint32_t connect_ms; /* 0: 15 s */
    uint32_t retry_ms;   /* 0: 10 minutes; how long a cut may last before the run fails */
    /* Called (any thread) when a certificate was renewed: to be kept. May be NULL. */
    void (*renewed)(void *arg, const char *tls_key, const char *tls_chain);
    /* Called when the connection is lost and when it is there again, with a sentence. May be NULL. */
    void (*notice)(void *arg, const char *sentence);
    void *arg;
};

/* Connects and waits for the server's hello: a refused certificate, a wrong fingerprint, another version are
 * told here. Renews the certificate when two thirds of its life are over (and when it is expired but known). */
enum sp_code sp_store_remote_open(const struct sp_env *env, const struct sp_remote_options *o,
    struct sp_store **ret, struct sp_err *e);
/* repository.conf as the server said it in its hello; host id and name, group. Views into the store. */
struct sp_remote_hello {
    const uint8_t *conf;
    size_t conf_len;
    uint8_t host[16];
    const char *host_name;
    bool has_group;
    uint8_t group[16];
};
void sp_store_remote_hello(struct sp_store *s, struct sp_remote_hello *ret);
/* Adds this host's own record (once, binding it to its group). */
enum sp_code sp_store_remote_put_host(struct sp_store *s, const uint8_t *record, size_t n,
    struct sp_err *e);
/* For tests: cuts the connection as a network would. */
void sp_store_remote_cut(struct sp_store *s);

/* --- enrolment (enroll.c) ------------------------------------------------------------------------------- */

struct sp_enroll_options {
    const char *token;
    const char *host_name;
    const uint8_t *invitation; /* 32 bytes, or NULL */
    uint8_t identity_public[32];
};
struct sp_enrolled { /* PEM strings and bytes malloc'd */
    char *address;
    char *tls_key, *tls_chain, *tls_authority;
    uint8_t authority_fingerprint[32];
    uint8_t host[16];
    char *host_name;
    bool has_group; /* the invitation's group */
    uint8_t group[16];
    /* slots: of an existing group, u32le length and slot, each: the invitation's, or, for a machine that
     * takes over a host, those for recovery keys and passphrases */
    uint8_t *conf, *slots;
    size_t conf_len, slots_len;
    uint8_t *record; /* the host's record so far, when this machine takes it over; else NULL */
    size_t record_len;
    bool has_recovery; /* the administrator's recovery public key, out of the token */
    uint8_t recovery_public[32];
};
/* One connection, two steps: `finish` is called between them to make what only the client can make (keys,
 * host record, slots) and fill *record and *slots (the callee frees); only when the server has taken these is
 * the host enrolled. */
enum sp_code sp_enroll(const struct sp_env *env, const struct sp_enroll_options *o,
    enum sp_code (*finish)(void *arg, const struct sp_enrolled *en, struct sp_buf *record,
        struct sp_buf *slots, size_t *slot_lens, size_t *nslots, struct sp_err *e),
    void *arg, struct sp_enrolled *ret, struct sp_err *e);
void sp_enrolled_clear(struct sp_enrolled *en);

#endif
