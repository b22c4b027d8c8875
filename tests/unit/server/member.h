#ifndef SP_TESTS_SERVER_MEMBER_H
#define SP_TESTS_SERVER_MEMBER_H

/* A host as a client program has it: keys, certificate, what it seals and signs. */

#include "support.h"

#include "proto/message.h"
#include "storage/block.h"
#include "storage/record.h"

struct member {
    struct sp_keys *keys;
    uint8_t secret[32], identity[32]; /* Ed25519 */
    char *tls_key, *tls_chain;        /* PEM */
    uint8_t host[16], group[16];
    char name[SP_STATE_NAME];
    struct sp_sealer *sealer;
    struct sp_compressor *compressor;
    struct sp_opener *opener;
    struct sp_hasher *hasher;
    struct sp_random_seeded seed;
    struct sp_random random;
};
/* A new machine: keys of its own, or those of `group_of` (a member of the group). */
void member_make(struct member *m, const struct member *group_of);
void member_clear(struct member *m);
void member_csr(const struct member *m, char **ret);
/* Fills in ENROLL; `invitation` NULL or 32 bytes. */
void member_enroll_message(const struct member *m, const struct sp_token *t,
    const uint8_t *invitation, struct sp_msg *ret);
/* Takes host, group and chain from the reply. */
void
member_take_reply(struct member *m, const struct sp_msg *reply, const uint8_t *payload, size_t n);
/* The host record as it is (identity last), and ENROLL_END with it and `slots` slots. */
void member_record(const struct member *m, struct sp_buf *ret);
void member_end_message(
    const struct member *m, unsigned slots, struct sp_msg *ret, struct sp_buf *payload);

/* A block with one chunk of `n` random bytes, or with the bytes given; *ret_id is the chunk's. */
void member_block(struct member *m, enum sp_block_kind kind, const struct sp_id *refs, size_t nrefs,
    const void *p, size_t n, struct sp_buf *ret, struct sp_id *ret_id);
/* A set record with that root: number `sequence` of the job, after `previous` (NULL for the first).
 */
void member_set(struct member *m, enum sp_record_type type, const char *job, uint64_t sequence,
    const uint8_t *previous, const struct sp_id *root, struct sp_buf *ret, uint8_t ret_set_id[16]);
/* A completion of that host's set and record, signed by the member. Appends. */
void member_completion(const struct member *m, const uint8_t host[16], const uint8_t set_id[16],
    const uint8_t record[32], struct sp_buf *ret);

#endif
