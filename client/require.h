#ifndef SP_CLIENT_REQUIRE_H
#define SP_CLIENT_REQUIRE_H

/* restore --require: what a set has to be like before anything of it is restored (client/demand.h). Held against the set's
 * final verdict, its completion's. Where that is missing, nothing shows that the applications' part ended well: what the
 * record says is `application` counts as `crash` here, with that reason. A set that its host did not sign shows nothing. */

#include "client/demand.h"
#include "client/report.h"

/* SP_REFUSED when the set is below; each thing that is below is told before, with --json in "below": […]. */
enum sp_code sp_require_set(const struct sp_demands *d, const struct sp_found_set *f,
    struct sp_report *r, struct sp_err *e);
/* What a set without its completion shows: `application` becomes `crash`, UNFINISHED. */
void sp_require_lower(struct sp_verdict *v);

#endif
