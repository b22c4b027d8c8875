#ifndef SP_TESTS_UPLOADER_H
#define SP_TESTS_UPLOADER_H

/* A run of one host in two halves, between which others may do what they like. Include after
 * place.h. */

#include "party.h"
#include "recorder.h"
#include "storage/store.h"

#define UPLOADER_OLD 3 /* chunks that lie in packs that no set needs any more */
#define UPLOADER_OWN 2 /* new ones */
#define UPLOADER_IDS (UPLOADER_OLD + UPLOADER_OWN + 1) /* and the root */

struct uploader {
    struct party p;
    struct sp_id ids[UPLOADER_IDS];
    uint8_t *blocks[UPLOADER_IDS]; /* one each; they are sent again as they are */
    size_t sizes[UPLOADER_IDS];
    bool old_made;

    struct recorder *recorder;
    struct sp_store *store; /* NULL: no run is under way */
    struct sp_err e;        /* of the run */
    enum sp_code rc;
    size_t healed; /* how often a commit named what was missing */
};

void uploader_init(struct uploader *u, const char *name, const struct uploader *member_of);
void uploader_free(struct uploader *u);
/* A set of the job "old", through a store of its own; then its record goes, as by retention: its
 * packs are needed by nobody. */
void uploader_old(struct uploader *u, struct sp_backend *b, struct sp_store *s);
/* The first half: what is there is relied on, the rest is put. Takes s over; a failure is kept in
 * u->rc. */
void uploader_begin(struct uploader *u, struct recorder *r, struct sp_store *s);
/* The second: flush, commit, and again with what was missing. Closes the store. `checkpoint`: one
 * first. */
void uploader_finish(struct uploader *u, bool checkpoint);

#endif
