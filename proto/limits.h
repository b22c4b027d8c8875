#ifndef SP_PROTO_LIMITS_H
#define SP_PROTO_LIMITS_H

/* Every limit of the protocol (R18, R28), each with its unit. docs/protocol.md repeats those that
 * the other side must know. Limits of single message types are in the table of message.c. */

#include <stdint.h>

#define SP_PROTO_MAJOR 1
#define SP_PROTO_MINOR 0

/* Features: words in both hellos (docs/protocol.md §9). */
#define SP_FEATURE_COMPLETIONS "completions"

/* Frames. */
#define SP_FRAME_PREFIX 8                        /* bytes before the header */
#define SP_FRAME_HEADER_MAX (UINT32_C(64) << 10) /* bytes */
#define SP_FRAME_PAYLOAD_MAX                                                                       \
    (UINT32_C(9) << 20)                     /* bytes; longer payloads are cut at exactly this */
#define SP_PAYLOAD_MAX (UINT32_C(40) << 20) /* bytes of one message, all its frames together */

/* Contents. */
#define SP_BLOCK_MAX ((UINT32_C(8) << 20) + 4096) /* bytes of a sealed block with its header */
#define SP_RECORD_MAX (UINT32_C(16) << 20)        /* bytes of a set record or checkpoint */
#define SP_IDS_MAX UINT32_C(65536)                /* ids in one request or reply */
#define SP_SLOT_MAX (UINT32_C(64) << 10)          /* bytes of a key slot */
#define SP_ENROLL_SLOTS_MAX 8                     /* key slots that an enrolment brings */
#define SP_HOST_RECORD_MAX (UINT32_C(64) << 10)   /* bytes */
#define SP_CONF_MAX (UINT32_C(64) << 10)          /* bytes of repository.conf */
#define SP_CSR_MAX (UINT32_C(16) << 10)           /* bytes, PEM */
#define SP_CHAIN_MAX (UINT32_C(64) << 10)         /* bytes of a certificate chain, PEM */
#define SP_JOB_MAX 255                            /* bytes of a job's name */
#define SP_HOST_NAME_MAX 255                      /* bytes */
#define SP_PROGRAM_MAX 63                         /* bytes of "stillpoint 0.1.0" */
#define SP_REASON_MAX 255                         /* bytes of the reason for read-only */
#define SP_TEXT_MAX 639                           /* bytes of a sentence (error, goodbye) */
#define SP_OBJECT_MAX 191                         /* bytes of an object's name */
#define SP_FINDING_MAX 399                        /* bytes of a finding's sentence */
#define SP_FEATURES_MAX 16                        /* features in a hello */
#define SP_FEATURE_MAX 31                         /* bytes of one */
#define SP_TOKEN_SECRET_MIN 16                    /* bytes */
#define SP_TOKEN_SECRET_MAX 64                    /* bytes */

/* Flow. */
#define SP_REQUESTS_MAX 64               /* requests in flight */
#define SP_ITEMS_MAX (UINT32_C(1) << 20) /* items in answer to one request */
#define SP_REQUEST_BYTES_MAX                                                                       \
    (UINT32_C(16) << 20)                   /* payload of the requests in flight; one alone passes */
#define SP_CHARGE_MIN UINT32_C(4096)       /* bytes of credit that the smallest payload costs */
#define SP_PUT_CREDIT (UINT32_C(24) << 20) /* bytes; what a server grants at first */
#define SP_PUT_CREDIT_MIN (UINT32_C(9) << 20)   /* bytes; less could not carry every block */
#define SP_PUT_CREDIT_MAX (UINT32_C(256) << 20) /* bytes, ever outstanding */
#define SP_REPLY_CREDIT (UINT32_C(20) << 20)    /* bytes; what a client grants at first */
/* Bytes. A client may hold back an eighth of its grant, and what is left must carry the longest
 * record. */
#define SP_REPLY_CREDIT_MIN (UINT32_C(20) << 20)
#define SP_REPLY_CREDIT_MAX (UINT32_C(256) << 20) /* bytes, ever outstanding */
#define SP_OUTPUT_HIGH (UINT32_C(4) << 20)        /* bytes queued: a channel stops reading */
#define SP_OUTPUT_LOW (UINT32_C(1) << 20)         /* bytes queued: and reads again */

#define SP_CIPHERTEXT_HIGH (UINT32_C(256) << 10) /* bytes encrypted and not yet taken */

/* Time, in milliseconds. */
#define SP_CONNECT_MS 20000   /* resolve and TCP, all addresses together */
#define SP_HANDSHAKE_MS 20000 /* TLS, and then again for the hello */
#define SP_PING_MS 30000      /* nothing heard: ask */
#define SP_IDLE_MS 120000     /* nothing heard: gone */
#define SP_STALL_MS 120000    /* output waits and none is taken: gone */
#define SP_MESSAGE_RATE 4096  /* bytes a second, beyond SP_IDLE_MS, that a message may come at */
#define SP_ENROLL_MS 300000   /* a whole enrolment connection */
#define SP_LINGER_MS 3000     /* to get a goodbye or an alert across */

/* Listener. */
#define SP_BACKLOG 128          /* connections the kernel may hold */
#define SP_HALF_OPEN_MAX 64     /* strangers: who has not said hello, or has no certificate */
#define SP_CONNECTIONS_MAX 1024 /* connections, all together */
#define SP_RATE_BURST 20        /* handshakes an address may start at once … */
#define SP_RATE_PER_MINUTE 60   /* … and as many come back each minute */
#define SP_RATE_ADDRESSES 1024  /* addresses remembered */

#endif
