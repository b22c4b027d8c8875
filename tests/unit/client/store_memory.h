#ifndef SP_TESTS_CLIENT_STORE_MEMORY_H
#define SP_TESTS_CLIENT_STORE_MEMORY_H

/* A store in memory: blocks in a list, and knobs that make it lose, damage, fail. Only what a
 * restore and a plain upload need; every other call is SP_UNSUPPORTED. */

#include "base/thread.h"
#include "storage/store.h"

struct stored_block {
    uint8_t *bytes;
    size_t n;
    struct sp_block_header header; /* views into bytes */
    bool bad;                      /* a byte of its sealed part was changed */
};

struct memory_store {
    struct sp_store store;
    struct sp_mutex lock;
    struct stored_block *blocks;
    size_t nblocks;
    size_t gets, given;    /* calls, and blocks given by them */
    unsigned highest_copy; /* asked for */
    size_t largest_ask;    /* ids in one call */
    long fail_get;         /* the n-th get from now fails (1: the next); 0: none */
    enum sp_code fail_code;
    void (*before_get)(void *arg); /* NULL */
    void *arg;
};

void memory_store_init(struct memory_store *m);
void memory_store_clear(struct memory_store *m);
void memory_store_add(struct memory_store *m, uint8_t *block, size_t n); /* takes it over */
/* Every block that holds the id: removed; or damaged (the first `copies` of them). */
void memory_store_lose(struct memory_store *m, const struct sp_id *id);
void memory_store_damage(struct memory_store *m, const struct sp_id *id, size_t copies);
/* Another copy of every block that holds the id, behind the others. */
void memory_store_double(struct memory_store *m, const struct sp_id *id);

#endif
