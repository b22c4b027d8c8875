#ifndef SP_PROTO_RATE_H
#define SP_PROTO_RATE_H

/* How often an address may try: a token bucket for each, as the time at which it would be full
 * again (GCRA, ITU-T I.371). A fixed number of addresses is remembered; when a place is needed, the
 * one in the same row that would be full first is forgotten. Inside proto/ only. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sp_rate;

/* `burst` tries at once, `per_minute` come back each minute; both > 0. `seed` spreads the
 * addresses. */
enum sp_code sp_rate_new(
    unsigned burst, unsigned per_minute, uint64_t seed, struct sp_rate **ret, struct sp_err *e);
void sp_rate_free(struct sp_rate *r); /* NULL is harmless */
/* Counts a try of the address (16 bytes; of IPv6 the caller gives the network, with zeros) unless
 * it is one too many. */
bool sp_rate_allow(struct sp_rate *r, const uint8_t address[16], int64_t now_ns);

#endif
