#ifndef SP_CLIENT_USN_IMPL_H
#define SP_CLIENT_USN_IMPL_H

/* The inside of usn.h: usn.c (a run's volumes), usn_volume.c (one of them). */

#include "client/usn.h"
#include "client/usn_ids.h"
#include "client/usn_journal.h"
#include "client/usn_state.h"

struct sp_usn_volume {
    char *name; /* first component of its keys: "C:" */
    char *path; /* what is remembered of it */
    const struct sp_ntfs *t;
    struct sp_ntfs_handle *h;  /* the volume itself; NULL: it has no journal that we may read */
    struct sp_usn_range began; /* when the run began */
    int64_t mono_ns;
    uint64_t serial, read_to;
    struct sp_usn_state was,
        next; /* of the last run, of this one; `carried` of next is made at the end */
    struct sp_usn_ids ids;
    bool follows;   /* what was remembered goes on */
    bool readable;  /* all of it could be read: `next` holds */
    bool confirmed; /* it goes on where it ended last time: nothing is to be confirmed, or that was
                     */
    bool vouches;
    struct sp_err why; /* not used; code SP_OK: it is */
};

/* Where the journal is now. */
void sp_usn_volume_begin(struct sp_usn_volume *v, const struct sp_env *env);
/* Reads on from what was remembered, or all that there is. */
void sp_usn_volume_compare(struct sp_usn_volume *v, const struct sp_env *env,
    const uint8_t scope[32], const struct sp_usn_parent *p);
/* And what was written since; false: it cannot be read. */
bool sp_usn_volume_go_on(struct sp_usn_volume *v);
enum sp_code
sp_usn_volume_finish(struct sp_usn_volume *v, const struct sp_env *env, struct sp_err *e);
void sp_usn_volume_clear(struct sp_usn_volume *v);

#endif
