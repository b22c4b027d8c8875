#ifndef SP_SERVER_ROSTER_H
#define SP_SERVER_ROSTER_H

/* Who may connect with which certificate, in memory: a handshake is judged on the loop's thread,
 * which never waits for a disk. Loaded from the state on a worker, immutable once made; the loop
 * keeps the newest. */

#include "server/state.h"

struct sp_roster;

/* `order`: rosters loaded later have higher ones; taken before reading, so that a roster never
 * replaces one that knows more. */
enum sp_code
sp_roster_load(struct sp_state *s, uint64_t order, struct sp_roster **ret, struct sp_err *e);
void sp_roster_free(struct sp_roster *r); /* NULL is harmless */
uint64_t sp_roster_order(const struct sp_roster *r);
/* NULL: not known. Valid as long as the roster. */
const struct sp_state_certificate *
sp_roster_find(const struct sp_roster *r, const uint8_t fingerprint[32]);

#endif
