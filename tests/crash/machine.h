#ifndef SP_TESTS_MACHINE_H
#define SP_TESTS_MACHINE_H

/* Hosts that back up through a store: true blocks, nodes and records, one thread, a step at a time.
 * They decide as the pipeline does (client/backup.c): what a parent claims is relied on when the
 * store calls it whole or names what it lacks, everything else is asked for; a member's chunk is
 * opened before it is relied on; what a commit names as missing is put again, three passes at most.
 *
 * A set is the function of a tree: files have versions, content is a function of file and version,
 * and the ids follow from it. So a set holds exactly what it should when its root is the tree's and
 * everything below can be opened: the opener recomputes every id (R13).
 */

#include "storage/repository.h"
#include "tests/conformance/party.h"

#define TREE_FILES 40u
#define TREE_LEAF 8u /* files in a leaf node */
#define TREE_LEAVES (TREE_FILES / TREE_LEAF)
#define CAST_HOSTS 2u
#define CAST_OPENED 4096u

struct tree {
    uint8_t version[TREE_FILES]; /* 0: not there */
};

struct shape { /* what a tree of a host becomes */
    struct sp_id chunk[TREE_FILES], leaf[TREE_LEAVES], root;
    struct sp_id refs[TREE_LEAVES][TREE_LEAF], root_refs[TREE_LEAVES];
    size_t nrefs[TREE_LEAVES], nroot;
};

struct cast { /* two members of one key group */
    struct party hosts[CAST_HOSTS];
    struct sp_random_seeded seed;
    struct sp_random random;
    bool known[CAST_HOSTS + 1][TREE_FILES]
              [256]; /* ids computed so far; every other file is shared */
    struct sp_id ids[CAST_HOSTS + 1][TREE_FILES][256];
    uint64_t opened[CAST_OPENED]; /* hashes of blocks that did open */
};
struct cast *cast_new(uint64_t seed);
void cast_free(struct cast *c);
/* Everything random from here on follows from the seed. */
void cast_reseed(struct cast *c, uint64_t seed);
void cast_shape(struct cast *c, unsigned host, const struct tree *t, struct shape *ret);

struct run_events {
    /* A record is about to be committed; the store said that it is. */
    void (*committing)(void *arg, unsigned host, enum sp_record_type type,
        const struct made_record *record, const struct sp_id *root);
    void (*committed)(void *arg, const uint8_t set_id[16]);
    /* The store said that these are durable. */
    void (*durable)(void *arg, unsigned host, bool nodes, const struct sp_id *ids, size_t n);
    void *arg;
};

struct run;
/* checkpoint: after so many files put; 0: none. flush: after every so many blocks; 0: never. */
struct run *run_begin(struct cast *c, unsigned host, const char *job, struct sp_store *s,
    const struct tree *t, unsigned checkpoint, unsigned flush, const struct run_events *events);
/* A step: the head, a block, a checkpoint, the commit. *ret_more false: done, or failed. */
enum sp_code run_step(struct run *r, bool *ret_more, struct sp_err *e);
void run_end(struct run *r);
/* All of it. */
enum sp_code
run_all(struct cast *c, unsigned host, const char *job, struct sp_store *s, const struct tree *t,
    unsigned checkpoint, unsigned flush, const struct run_events *events, struct sp_err *e);

/* --- reading -----------------------------------------------------------------------------------
 */

struct read_memory { /* ids that were opened already */
    struct sp_id *v;
    size_t n, cap;
};
void read_memory_clear(struct read_memory *m);
/* Opens everything below the root. *ret_whole: all of it was there and right. A failure of the
 * store is an error. */
enum sp_code read_set(struct cast *c, unsigned host, struct sp_repository *r,
    const struct sp_id *root, struct read_memory *m, bool *ret_whole, struct sp_err *e);

/* A session as a server has it: a repository that others use too, and an upload of its own. Frees
 * the upload, not the repository. `events`: durable is told as the server acknowledges. */
enum sp_code session_new(struct sp_repository *r, struct cast *c, unsigned host,
    const struct run_events *events, struct sp_store **ret, struct sp_err *e);

#endif
