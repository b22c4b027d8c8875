#ifndef SP_CLIENT_RECENT_H
#define SP_CLIENT_RECENT_H

/* Ids that this run has just asked about or sent: so that a chunk that comes twice in close succession is
 * asked and sent once. Bounded: remembers at least the last 49152 ids, more than can be under way at once;
 * what it has forgotten the store knows. Not locked. */

#include <stdbool.h>

#include "storage/block.h"

#define SP_RECENT_KEEP 49152u

struct sp_recent;
enum sp_code sp_recent_new(struct sp_recent **ret, struct sp_err *e);
void sp_recent_free(struct sp_recent *r);
/* True when the id was there already; else it is there now. */
bool sp_recent_add(struct sp_recent *r, const struct sp_id *id);
void sp_recent_clear(struct sp_recent *r);

#endif
