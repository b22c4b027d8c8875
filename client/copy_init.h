#ifndef SP_CLIENT_COPY_INIT_H
#define SP_CLIENT_COPY_INIT_H

/* init --like FROM: an empty repository for copies of FROM's sets, with its split parameters, key
 * slots and host records, and an id of its own. Needs no key. Where this machine has FROM's keys it
 * can use the new one as well: it gets a profile, which is not made the default one. */

#include "client/report.h"

enum sp_code sp_copy_init(struct sp_report *r, const char *like, struct sp_err *e);

/* One of the two of sp_copy, out of what was opened. */
struct sp_copy_side;
enum sp_code
sp_copy_side_of(const struct sp_opened_store *o, struct sp_copy_side *ret, struct sp_err *e);

#endif
