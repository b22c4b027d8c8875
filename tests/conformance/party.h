#ifndef SP_TESTS_PARTY_H
#define SP_TESTS_PARTY_H

/* A host with its keys, for tests of stores: makes true blocks and records. Include after cmocka.h.
 */

#include "storage/block.h"
#include "storage/compress.h"
#include "storage/record.h"

struct party {
    uint8_t host[16];
    struct sp_keys *keys;
    uint8_t secret[32]; /* signs */
    struct sp_host record;
    struct sp_buf encoded; /* the host record */
    struct sp_buf slot;    /* a key slot of the group */
    struct sp_sealer *sealer;
    struct sp_compressor *compressor;
    struct sp_opener *opener;
    struct sp_hasher *hasher;
    const struct sp_random *random;
    uint64_t next; /* makes contents differ */
};

/* `like` NULL: a group of its own; else a member of that party's group. */
void party_init(struct party *p, const char *name, const struct party *like);
/* The same, with `random` (which outlives it) for all that is random: a seeded one gives the same
 * party again. */
void party_init_from(
    struct party *p, const char *name, const struct party *like, const struct sp_random *random);
/* Seals from here on as another run would: with a seal object of its own. */
void party_new_run(struct party *p);
void party_free(struct party *p);
const uint8_t *party_group(const struct party *p);

/* One block (malloc'd) with one data chunk of n bytes that do not compress and that nobody else
 * has. */
uint8_t *party_data(struct party *p, size_t n, struct sp_id *ret_id, size_t *ret_len);
/* A block with `count` chunks. */
uint8_t *
party_many(struct party *p, size_t count, size_t n, struct sp_id *ret_ids, size_t *ret_len);
/* A block with one node that refers to `refs` (sorted here). */
uint8_t *party_node(
    struct party *p, const struct sp_id *refs, size_t nrefs, struct sp_id *ret_id, size_t *ret_len);

/* A signed record. previous NULL: the first of its job. The set's id is new. */
struct made_record {
    struct sp_buf object;
    uint8_t hash[32], set_id[16];
    uint64_t sequence;
};
void party_record(struct party *p, enum sp_record_type type, const char *job,
    const struct made_record *previous, const struct sp_id *root, struct made_record *ret);
/* A signed completion of the set, with a component of that level and a document; each is another. Appends. */
void party_completion(
    struct party *p, const struct made_record *of, enum sp_level level, struct sp_buf *ret);

#endif
