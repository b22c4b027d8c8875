/* A pack's blocks once more, under another name: see pack.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/pack.h"

struct copy {
    struct sp_pack_writer *to;
    uint8_t *first; /* the first block */
    size_t n;
};

static enum sp_code
add(void *arg, const struct sp_pack_block *place, const uint8_t *block, struct sp_err *e)
{
    struct copy *c = arg;
    struct sp_pack_place ignored;

    if (c->first == NULL) {
        if ((c->first = malloc(place->length)) == NULL)
            return sp_fail_nomem(e);
        memcpy(c->first, block, place->length);
        c->n = place->length;
    }
    return sp_pack_writer_add(c->to, block, place->length, &ignored, e);
}

enum sp_code
sp_pack_write_again(struct sp_backend *b, enum sp_pack_kind kind,
    const struct sp_pack_origin *origin, const struct sp_pack_extra *extra, unsigned times,
    uint8_t name[32], uint64_t *size, struct sp_err *e)
{
    struct copy c = {.first = NULL};
    struct sp_pack_place ignored;
    enum sp_code rc;

    if ((rc = sp_pack_writer_new(b, kind, origin, &c.to, e)) != SP_OK)
        return rc;
    rc = sp_pack_verify(b, kind, name, *size, add, &c, e);
    for (unsigned i = 0; i < times && rc == SP_OK; i++)
        rc = sp_pack_writer_add(c.to, c.first, c.n, &ignored, e);
    if (rc == SP_OK)
        rc = sp_pack_writer_finish(
            c.to, extra->conf, extra->conf_n, extra->slots, extra->nslots, name, size, e);
    else
        sp_pack_writer_abort(c.to);
    free(c.first);
    return rc;
}
