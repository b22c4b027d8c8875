#ifndef SP_CLIENT_LAST_SUCCESS_H
#define SP_CLIENT_LAST_SUCCESS_H

/* When each job last went well: for those whom no server tells that backups have stopped. */

#include "base/json.h"
#include "client/sets.h"

struct sp_last_success {
    const char *job, *host_name; /* of the list of sets */
    uint8_t host[16];
    int64_t
        success_ns; /* of the last set that is complete and signed by its host; 0: there is none */
    int64_t set_ns; /* of the last set */
};

/* One for each job of each host, in the order in which they began; *ret malloc'd. */
enum sp_code sp_last_successes(
    const struct sp_sets *s, struct sp_last_success **ret, size_t *ret_n, struct sp_err *e);
/* As a table, and as "jobs": […]. */
enum sp_code
sp_last_success_print(const struct sp_last_success *v, size_t n, int64_t now_ns, struct sp_err *e);
void
sp_last_success_json(struct sp_json *j, const struct sp_last_success *v, size_t n, int64_t now_ns);

#endif
