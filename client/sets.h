#ifndef SP_CLIENT_SETS_H
#define SP_CLIENT_SETS_H

/* The sets of a store, decoded, with what is to be known about who signed them. Bounded by the
 * number of sets: a few hundred bytes each. */

#include "client/cli.h"
#include "client/completed.h"

enum sp_signed {
    SP_SIGNED_BY_HOST, /* by the key that its host's record names */
    SP_SIGNED_FOREIGN, /* the same, but the host is of another key group, so its record is not
                          proven here */
    SP_SIGNED_NOT      /* forged, damaged, or the host's record is missing */
};

struct sp_listed {
    enum sp_record_type type; /* SET or CHECKPOINT */
    struct sp_set set;
    int64_t published_ns;
    uint8_t hash[32]; /* of its record: what a chain's head is */
    enum sp_signed sign;
    char host_name[256]; /* "" when its record is missing */
    enum sp_completed completed;
    enum sp_level applications; /* final where `completed` is WELL, else as the record has it */
    bool unconfirmed;           /* sp_completed_lacks */
};

struct sp_sets {
    struct sp_listed *v; /* oldest first */
    size_t n;
    size_t unreadable; /* records that make no sense */
};

/* job NULL: all. Without a profile all hosts are listed. */
enum sp_code sp_sets_list(struct sp_opened_store *o, bool all_hosts, bool checkpoints,
    const char *job, struct sp_sets *ret, struct sp_err *e);
void sp_sets_clear(struct sp_sets *s);

#endif
