#ifndef SP_CLIENT_USN_STATE_H
#define SP_CLIENT_USN_STATE_H

/* What this machine remembers of one volume's change journal for one job, in one small local file:
 * numbers little-endian, the ids rising, a SHA-256 of all before it at the end. A hint (R5): what
 * is damaged, or in doubt in any way, is as if there were none. */

#include "base/buf.h"
#include "base/os.h"

#define SP_USN_CARRIED_MOST ((size_t)1 << 20)

struct sp_usn_state {
    uint64_t serial, journal; /* of the volume, of its journal */
    uint64_t next;            /* where the next reading goes on */
    bool has_last;            /* the last record before that: still the same when it goes on */
    uint64_t last_usn, last_id, last_time;
    bool settled;      /* what may be open, and since when, is known (usn.h) */
    int64_t mono_ns;   /* of the monotonic clock when it was read: lower later is a restart */
    uint8_t scope[32]; /* hash of what the job takes */
    uint64_t sequence; /* of the set that it belongs to */
    uint8_t record_hash[32];
    uint64_t *carried; /* files whose last record has no CLOSE */
    size_t ncarried;
};

void sp_usn_state_clear(struct sp_usn_state *s);
enum sp_code
sp_usn_state_encode(const struct sp_usn_state *s, struct sp_buf *ret, struct sp_err *e);
enum sp_code
sp_usn_state_decode(const void *p, size_t n, struct sp_usn_state *ret, struct sp_err *e);
/* SP_ABSENT, SP_CORRUPT. */
enum sp_code sp_usn_state_load(
    const struct sp_env *env, const char *path, struct sp_usn_state *ret, struct sp_err *e);
enum sp_code sp_usn_state_save(
    const struct sp_env *env, const char *path, const struct sp_usn_state *s, struct sp_err *e);

#endif
