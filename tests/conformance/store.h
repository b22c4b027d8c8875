#ifndef SP_TESTS_CONFORMANCE_STORE_H
#define SP_TESTS_CONFORMANCE_STORE_H

/* The contract of storage/store.h as tests: every store must pass the same ones. Whoever runs them
 * says how a place is made and how a host comes to its store. Functions here end the test when they
 * fail. */

#include "party.h"
#include "storage/backend.h"
#include "storage/store.h"

struct store_conformance {
    const char *kind;
    /* A new, empty repository with packs of 64 KiB; one at a time. */
    void (*begin)(void *arg);
    void (*end)(void *arg);
    /* The party's host record and key slot become known. */
    void (*admit)(void *arg, const struct party *p);
    /* A store as this party uses it; several may be open at once. */
    struct sp_store *(*open)(void *arg, const struct party *p);
    /* The objects underneath, for damage. Borrowed. */
    struct sp_backend *(*below)(void *arg);
    void *arg;
};

/* Runs all of them; gives the number of failures. */
int store_conformance_run(const struct store_conformance *c);

/* --- shared by the files of the suite ------------------------------------------------------ */

extern const struct store_conformance *suite;

/* Puts a block and forgets it. */
void put_block(struct sp_store *s, uint8_t *block, size_t n);
/* One data chunk, put. */
struct sp_id put_data(struct sp_store *s, struct party *p, size_t n);
/* A node over the refs, put. */
struct sp_id put_node(struct sp_store *s, struct party *p, const struct sp_id *refs, size_t nrefs);
enum sp_have have_one(struct sp_store *s, bool nodes, const struct sp_id *id);
/* Must be committed. */
void commit(struct sp_store *s, enum sp_record_type type, const struct made_record *r);
/* A set with one node over `n` new chunks of 4 KiB: ids[0..n) and the root at ids[n]. */
void make_set(struct sp_store *s, struct party *p, const char *job,
    const struct made_record *previous, size_t n, struct sp_id *ret_ids, struct made_record *ret);
/* Removes every object below the prefix; gives how many. */
size_t remove_all(struct sp_backend *b, const char *prefix);
size_t count_objects(struct sp_backend *b, const char *prefix);
/* A name below the prefix; the test fails when there is none. */
void first_object(struct sp_backend *b, const char *prefix, char to[192], uint64_t *ret_size);
/* Replaces an object by other bytes. */
void overwrite(struct sp_backend *b, const char *name, const void *p, size_t n);
bool among(const struct sp_id *ids, size_t n, const struct sp_id *id);

/* A host that is known, and its store. */
struct session {
    struct party p;
    struct sp_store *s;
};
void session_begin(struct session *x, const char *name, const struct party *like);
void session_end(struct session *x);
/* Closes the store and opens it again. */
void session_again(struct session *x);

extern const struct CMUnitTest store_tests_blocks[], store_tests_commit[], store_tests_complete[],
    store_tests_damage[];
extern const size_t store_tests_blocks_n, store_tests_commit_n, store_tests_complete_n,
    store_tests_damage_n;

#endif
