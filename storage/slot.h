#ifndef SP_STORAGE_SLOT_H
#define SP_STORAGE_SLOT_H

/* The message of a key slot (docs/format.md §4), for slot.c. It is written and read field by field,
 * because what is sealed is bound to the exact bytes before it. */

#include "storage/crypto.h"
#include "storage/keys.h"

struct sp_slot {
    struct sp_slot_info info;
    uint32_t log_n, r, p; /* passphrase */
    uint8_t salt[16];
    uint8_t ephemeral[32]; /* recovery */
    /* Only after reading, inside the encoded slot: what is wrapped, and all that comes before it. */
    const uint8_t *ad, *wrapped;
    size_t ad_n, wrapped_n;
};

/* Appends all fields but the last. */
void sp_slot_put_clear(struct sp_buf *b, const struct sp_slot *s);
/* Appends the last. */
void sp_slot_put_wrapped(struct sp_buf *b, const void *p, size_t n);
/* SP_CORRUPT, or SP_UNSUPPORTED for a version or kind that this program does not know. */
enum sp_code sp_slot_read(const void *slot, size_t n, struct sp_slot *ret, struct sp_err *e);

#endif
