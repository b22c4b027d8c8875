#ifndef SP_CLIENT_SEEN_H
#define SP_CLIENT_SEEN_H

/* What was dealt with already, by 32 bytes that are as good as random (ids, hashes). Bounded: at
 * most `limit` are kept; the place of an older one is taken when its neighbourhood is full. So
 * "yes" is always true, and "no" may be forgetfulness: it costs doing a thing twice, never leaving
 * one out. Not locked. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_seen;
/* Takes 32 bytes of memory each, up to the limit rounded up to a power of two, as they come. */
enum sp_code sp_seen_new(size_t limit, struct sp_seen **ret, struct sp_err *e);
void sp_seen_free(struct sp_seen *s);
bool sp_seen_has(const struct sp_seen *s, const uint8_t key[32]);
/* Never fails: without memory for more it forgets earlier. */
void sp_seen_add(struct sp_seen *s, const uint8_t key[32]);

#endif
