#ifndef SP_TESTS_MACHINE_IMPL_H
#define SP_TESTS_MACHINE_IMPL_H

/* What the files of machine.h share; nobody else includes it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cutstore_impl.h"
#include "machine.h"

#define BLOCK_FILES 4u

struct opening {
    struct cast *c;
    unsigned host;
    const struct sp_id *ids;
    size_t n;
    bool *found;
    struct sp_id refs[256];
    size_t nrefs;
};

typedef enum sp_code (*machine_getter)(void *from, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e);

/* All copies until each was opened; *ret_all: each was. */
enum sp_code machine_open_all(
    struct opening *o, machine_getter get, void *from, bool *ret_all, struct sp_err *e);
bool machine_among(const struct sp_id *v, size_t n, const struct sp_id *id);
/* The bytes of a file. */
size_t machine_content(unsigned host, unsigned file, uint8_t version, uint8_t to[4096]);

#endif
