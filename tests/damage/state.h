#ifndef SP_TESTS_DAMAGE_STATE_H
#define SP_TESTS_DAMAGE_STATE_H

/* A repository as bytes: its objects in the order in which they came to be. The harness keeps one
 * that is whole, copies it for each case, does its damage to the copy, and puts that into a backend
 * in memory. Whatever goes wrong fails the test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "storage/backend.h"

enum kind { CONF, SLOT, HOST, DATA, NODES, INDEX, SET, CHECKPOINT, OTHER, KINDS };
extern const char *const kind_words[KINDS];

#define OBJECTS_MOST 256

struct object {
    char name[192];
    enum kind kind; /* by its name */
    const uint8_t *p;
    uint8_t *owned; /* the same, when the state is to free it; NULL: another's */
    size_t n;
};
struct state {
    struct object v[OBJECTS_MOST];
    size_t n;
};

enum kind kind_of(const char *name);
/* Reads what is in the backend and not yet in the state. */
void state_take(struct state *s, struct sp_backend *b);
void state_copy(const struct state *from, struct state *to); /* bytes stay the other's */
void state_clear(struct state *s);
struct sp_backend *state_backend(const struct state *s);
/* Fails unless the backend holds exactly this. */
void state_assert_same(const struct state *s, struct sp_backend *b, const char *what);
const struct object *state_find(const struct state *s, const char *name); /* NULL: none */
void state_set(struct state *s, size_t i, const void *p, size_t n);       /* copies */
void state_remove(struct state *s, size_t i);
void state_add(struct state *s, const char *name, const void *p, size_t n);
/* Whether the name of a pack or segment is the hash of its bytes. */
bool object_named_by_hash(const struct object *o);

#endif
