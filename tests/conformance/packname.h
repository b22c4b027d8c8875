#ifndef SP_TESTS_PACKNAME_H
#define SP_TESTS_PACKNAME_H

/* The name that the bytes of a pack have; of what does not end as a pack does, any that fits to
 * nothing else. */

#include <stdlib.h>

#include "base/buf.h"
#include "storage/pack_format.h"

static inline void
pack_name_of(enum sp_pack_kind kind, const uint8_t *p, size_t n, uint8_t ret[32])
{
    struct sp_err e = {0};
    size_t end = n;

    if (n >= PACK_HEADER + PACK_FOOTER && sp_le32(p + n - 16) <= n - PACK_HEADER - PACK_FOOTER)
        end = sp_le32(p + n - 16) + (size_t)PACK_FOOTER;
    if (sp_pack_name(kind, p + n - end, end, ret, &e) != SP_OK)
        abort();
}

#endif
