#ifndef SP_SERVER_INVITE_H
#define SP_SERVER_INVITE_H

/* Invitations into a key group: slots of that kind in the repository's keys/ (docs/format.md §4).
 * The server never sees the secret; who joins shows the slot's id and a proof whose hash the slot
 * holds. An invitation lasts seven days by the server's clock, from when it first saw the slot, and
 * one enrolment. Calls block. */

#include "server/state.h"
#include "storage/repository.h"

#define SP_INVITATION_NS (INT64_C(7) * 86400 * 1000000000)

struct sp_invitation {
    uint8_t slot_id[16], group[16];
    uint8_t *slot; /* malloc'd */
    size_t slot_len;
};
/* SP_AUTH with a sentence for the user: not there, too old (it is then removed), or the wrong
 * proof. */
enum sp_code sp_invitation_find(struct sp_repository *r, struct sp_state *s, const uint8_t id[16],
    const uint8_t proof[32], int64_t now_ns, struct sp_invitation *ret, struct sp_err *e);
void sp_invitation_clear(struct sp_invitation *i);
/* Removes those that are too old; a few at a time. *ret_removed: how many. */
enum sp_code sp_invitation_sweep(struct sp_repository *r, struct sp_state *s, int64_t now_ns,
    size_t *ret_removed, struct sp_err *e);

#endif
