#ifndef SP_CLIENT_USN_IDS_H
#define SP_CLIENT_USN_IDS_H

/* File ids that a change journal named: a sorted array without doubles, nine bytes an id, and a
 * bounded heap of new ones that is merged into it when full. Of each it is known whether the last
 * record that counts left its file open. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sp_usn_seen {
    SP_USN_SEEN,  /* what is known of the file's being open stays (not open, when it is new) */
    SP_USN_OPEN,  /* its last record has no CLOSE */
    SP_USN_CLOSED /* it has */
};

struct sp_usn_new;
struct sp_usn_ids {
    uint64_t *ids;
    uint8_t *open; /* one for each */
    size_t n, room, most;
    struct sp_usn_new *fresh;
    size_t nfresh;
};

void sp_usn_ids_init(struct sp_usn_ids *s, size_t most);
void sp_usn_ids_free(struct sp_usn_ids *s);
/* Later calls win. SP_FULL: more than `most`; then the set is of no use any more. */
enum sp_code
sp_usn_ids_add(struct sp_usn_ids *s, uint64_t id, enum sp_usn_seen how, struct sp_err *e);
/* Merges what is new: before has, ids and open are looked at. */
enum sp_code sp_usn_ids_settle(struct sp_usn_ids *s, struct sp_err *e);
bool sp_usn_ids_has(const struct sp_usn_ids *s, uint64_t id);

#endif
