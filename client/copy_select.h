#ifndef SP_CLIENT_COPY_SELECT_H
#define SP_CLIENT_COPY_SELECT_H

/* Which sets a copy is asked for: SET…, --job, --host, or nothing, which is all. */

#include "client/sets.h"

struct sp_copy_asked {
    char **specs; /* "latest", "JOB", "JOB~1", an id or the unique beginning of one; HOST:… */
    size_t nspecs;
    const char *job, *host; /* NULL: any */
};
/* *ret_ids malloc'd, sorted; `sets` as sp_sets_list gives them, oldest first. SP_ABSENT: a word of
 * the user's that means no set. */
enum sp_code sp_copy_select(const struct sp_opened_store *o, const struct sp_copy_asked *a,
    const struct sp_sets *sets, uint8_t (**ret_ids)[16], size_t *ret_n, struct sp_err *e);
bool sp_copy_selected(const uint8_t (*ids)[16], size_t n, const uint8_t set_id[16]);

#endif
