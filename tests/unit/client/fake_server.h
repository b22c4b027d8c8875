#ifndef SP_TESTS_CLIENT_FAKE_SERVER_H
#define SP_TESTS_CLIENT_FAKE_SERVER_H

/* A server for the tests of the remote store: proto/ in a thread of its own, with a model of a
 * repository in memory behind it. The model is strict where a client could cheat: a block that was
 * durable before a connection began is not to be sent over it, a record is committed once, a chain
 * does not fork.
 *
 * Blocks are made by the test (fake_block): their ids tell their number, so that the model knows by
 * an id alone which block holds it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "client/remote_impl.h"
#include "proto/channel.h"

/* For any thread: cmocka's own assertions end a process without a word in all but the main one. */
void fake_fail(const char *fmt, ...) SP_PRINTF(1, 2);
#define sure(what)                                                                                 \
    do {                                                                                           \
        if (!(what))                                                                               \
            fake_fail("%s:%d: %s", __FILE__, __LINE__, #what);                                     \
    } while (0)

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct sp_err ok_err = {0};                                                                \
        struct sp_err *e = &ok_err;                                                                \
        if ((call) != SP_OK)                                                                       \
            fake_fail("%s:%d: %s: %s", __FILE__, __LINE__, #call, ok_err.text);                    \
    } while (0)

#define assert_code(want, call)                                                                    \
    do {                                                                                           \
        struct sp_err code_err = {0};                                                              \
        struct sp_err *e = &code_err;                                                              \
        enum sp_code code_got = (call);                                                            \
        if (code_got != (want) || code_err.code != (want))                                         \
            fake_fail("%s:%d: %s: %s, wanted %s: %s", __FILE__, __LINE__, #call,                   \
                sp_code_word(code_got), sp_code_word(want), code_err.text);                        \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr(text, part) == NULL)                                                            \
            fake_fail("%s:%d: \"%s\" does not say \"%s\"", __FILE__, __LINE__, text, part);        \
    } while (0)

#define FAKE_BLOCKS 20000

struct fake_block {
    uint8_t *bytes; /* NULL: never came */
    size_t n;
    bool nodes, durable;
    unsigned durable_in;   /* the connection in which it became durable */
    unsigned times;        /* it came */
    unsigned sent_in_vain; /* it came though it was durable before the connection began */
};

struct fake_session;
struct fake {
    /* Set before or between calls, with the lock once it runs. */
    struct sp_msg hello; /* SERVER_HELLO */
    struct sp_buf conf;
    uint64_t pack_bytes;       /* blocks of a kind become durable when so many bytes are there */
    bool lose_on_cut;          /* what is not durable at a cut is lost; else it becomes durable */
    uint32_t delay_ms;         /* of each HAVE's answer */
    bool never_read;           /* once the hello was said */
    unsigned ack_too_much;     /* blocks acknowledged that never came */
    unsigned refuse_session;   /* connections to close after the handshake, without a word */
    enum sp_code admit_code;   /* for the client's certificate */
    uint8_t serial[20];        /* of the last one that was shown */
    uint32_t major;            /* of the protocol; 0: ours */
    uint64_t cut_at, cut_done; /* messages: before (even) or after (odd) handling the cut_at/2-th */
    bool cut_forever;          /* and each one after it */
    /* Handles an event instead of the model when it returns true. */
    bool (*on)(struct fake *f, struct fake_session *s, struct sp_event *ev);
    void *on_arg;

    struct sp_mutex lock;
    struct sp_cond changed;
    struct fake_block *blocks;
    uint64_t messages; /* that came, over all connections */
    unsigned connections, ready, types[SP_MSG_TYPES];
    struct sp_buf records[64]; /* committed, in their order */
    uint32_t record_type[64];
    size_t nrecords;
    unsigned commits; /* that were answered by the model with success */
    char last_goodbye[SP_ERR_TEXT];
    enum sp_code last_code;

    /* Certificates, and what the client needs of them. */
    char *authority, *authority_key, *server_chain, *server_key, *host_chain, *host_key;
    uint8_t fingerprint[32], host[16];
    char address[64];
    uint16_t port;

    struct sp_thread *thread;
    uv_loop_t loop;
    struct sp_loop_queue *queue;
    struct sp_listener *listener;
    struct sp_tls_context *tls;
    struct fake_session *sessions;
};
struct fake_session {
    struct fake *f;
    struct fake_session *next;
    struct sp_channel *channel;
    unsigned number;
    uint64_t put[2], durable[2], waiting_bytes[2];
    uint32_t *waiting[2]; /* numbers of blocks, in their order: put - durable of them */
    size_t cap[2];
    struct fake_get *gets;
};

/* A server that does nothing yet: options may be set; then fake_run. */
struct fake *fake_new(void);
void fake_run(struct fake *f);
void fake_free(struct fake *f);
/* The options that a client of it opens with. */
struct sp_remote_options fake_options(struct fake *f);
/* At the pace of a test. */
struct sp_store *fake_open(struct fake *f);
enum sp_code fake_try(
    struct fake *f, const struct sp_remote_options *o, struct sp_store **ret, struct sp_err *e);
extern const struct remote_pace fake_pace;

extern const uint8_t fake_host[16];

/* Messages of a type that came so far. */
unsigned fake_count(struct fake *f, enum sp_msg_type type);

/* A new certificate of the host. */
void fake_certify(struct fake *f, struct sp_validity v);

/* Block `number` with nids ids and a body of about `body` bytes. malloc'd. */
uint8_t *fake_block(uint32_t number, bool nodes, size_t nids, size_t body, size_t *ret_n);
struct sp_id fake_id(uint32_t number, unsigned index);
/* As if it had been put long ago. */
void fake_has(struct fake *f, uint32_t number, bool nodes, size_t nids, size_t body);

/* A record of "the job" with set id `number` repeated; a whole object. fake_record.c. */
void fake_record(
    enum sp_record_type type, uint8_t number, const struct sp_buf *previous, struct sp_buf *ret);

/* On the server's thread, with the lock: for `on`. */
void fake_reply(struct fake_session *s, const struct sp_msg *m, const void *p, size_t n);
void fake_error(struct fake_session *s, uint32_t tag, enum sp_code code, const char *text);

/* fake_model.c: what is kept and answered. */
uint32_t fake_number(const uint8_t *id);
void fake_handle(struct fake_session *s, struct sp_event *ev);
void fake_settle(struct fake_session *s, unsigned lane); /* all that came is durable */
void fake_pump_gets(struct fake_session *s);
void fake_drop_gets(struct fake_session *s);

/* A seed that a failing test has printed; SP_SEED=n runs it again. */
uint64_t fake_seed(const char *test);
uint64_t fake_random(uint64_t *state);

#endif
