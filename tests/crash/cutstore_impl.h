#ifndef SP_TESTS_CUTSTORE_IMPL_H
#define SP_TESTS_CUTSTORE_IMPL_H

/* What cutstore.c and cut_plan.c share; nobody else includes it. */

#include "cutstore.h"

#include "base/thread.h"

struct cut_bytes { /* immutable; owned by the store that took them in, or by a survivor */
    struct cut_bytes *next;
    uint64_t hash;
    size_t n;
    uint8_t p[];
};

struct cut_name { /* one per name and store; survivors use their origin's */
    struct cut_name *next;
    uint64_t hash;
    char s[];
};

struct cut_object {
    const struct cut_name *name;
    const struct cut_bytes *bytes;
    uint64_t born; /* operation that published it; 0: it was there at the beginning */
};

enum cut_kind {
    CUT_BEGIN,
    CUT_WRITE,
    CUT_PUBLISH,
    CUT_ABORT,
    CUT_SYNC,
    CUT_REMOVE,
    CUT_MOVE,
    CUT_IDLE, /* these take no number: they stand behind the operation before them */
    CUT_LIST
};

struct cut_op {
    enum cut_kind kind;
    unsigned handle;
    uint64_t number;
    const struct cut_name *name, *to; /* to: of a move; name: of a list the prefix */
    const struct cut_bytes *bytes;    /* what `name` (publish) or `to` (move) became */
    uint64_t born;                    /* of what was moved */
};

struct cut_table { /* objects sorted by name */
    struct cut_object *v;
    size_t n, cap;
};

struct cutstore {
    bool flush_file, flush_folder;
    struct sp_mutex lock;
    struct cut_table base, now;
    struct cut_op *ops;
    size_t nops, ops_cap;
    uint64_t operations, die_after, refuse_sync; /* refuse_sync: operations before it */
    unsigned handles;
    unsigned generation; /* cuts that lie behind it */
    struct cut_name *names; /* own */
    struct cut_bytes *bytes;
    char told[160];
};

uint64_t cut_mix(uint64_t h);
uint64_t cut_hash(const void *p, size_t n);
size_t cut_table_find(const struct cut_table *t, const char *name, bool *ret_there);
/* `bytes` NULL takes it out. */
void cut_table_set(
    struct cut_table *t, const struct cut_name *name, const struct cut_bytes *bytes, uint64_t born);
void cut_table_copy(struct cut_table *to, const struct cut_table *from);
/* Takes them into the store. */
const struct cut_bytes *cut_bytes_new(struct cutstore *c, const void *p, size_t n, uint64_t hash);

#endif
