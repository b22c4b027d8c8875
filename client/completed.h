#ifndef SP_CLIENT_COMPLETED_H
#define SP_CLIENT_COMPLETED_H

/* What a completion adds to its set (docs/format.md §9): the final levels, once BackupComplete has run. Only one that the
 * set's own host signed, for this very record, is believed; any other is as none, and is told. */

#include "storage/record.h"

enum sp_completed {
    SP_COMPLETED_NOT,      /* there is none */
    SP_COMPLETED_WELL,     /* of this record, and signed by its host: its levels are final */
    SP_COMPLETED_DISTRUST, /* there is one, and it is forged, damaged, or of another record */
    SP_COMPLETED_UNKNOWN   /* there is one, and it cannot be told who signed it */
};
const char *sp_completed_word(enum sp_completed c); /* "none", "good", "not believed", "unknown" */

/* `host` NULL: its record is not here. p NULL: there is no completion. *ret_clear is set with
 * SP_COMPLETED_WELL only. Fails for our own reasons alone (no memory). */
enum sp_code sp_completed_look(const struct sp_set *set, const uint8_t record_hash[32],
    const struct sp_host *host, const void *p, size_t n, enum sp_completed *ret,
    struct sp_completion *ret_clear, struct sp_err *e);

/* Of the applications: as the completion says, or the record while there is none to believe. */
enum sp_level sp_completed_level(
    const struct sp_set *set, enum sp_completed c, const struct sp_completion *clear);
/* The applications prepared themselves, and nothing shows that the end was reported to them. */
bool sp_completed_lacks(const struct sp_set *set, enum sp_completed c);

#endif
