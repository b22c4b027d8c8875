#ifndef SP_CLIENT_SET_READER_H
#define SP_CLIENT_SET_READER_H

/* The catalog of one set, read for a command: what is damaged in it is passed over and counted
 * (R11). */

#include "client/cli.h"
#include "client/nodes.h"
#include "storage/catalog.h"

struct sp_set_reader {
    struct sp_nodes *nodes;
    struct sp_node_source source;
    struct sp_catalog *catalog;
    uint64_t damaged;    /* parts of the catalog that could not be read */
    struct sp_err first; /* why */
};

/* `cached`: nodes that lie in this machine's cache are not fetched again (of its own sets alone);
 * without, all comes from the store: to verify. */
enum sp_code sp_set_reader_open(struct sp_cli *c, struct sp_opened_store *o,
    const struct sp_set *set, bool cached, struct sp_set_reader *r, struct sp_err *e);
void sp_set_reader_close(struct sp_set_reader *r);
/* The next entry; *ret = NULL at the end. */
enum sp_code
sp_set_reader_next(struct sp_set_reader *r, const struct sp_entry **ret, struct sp_err *e);
/* Goes on behind all that is inside the folder `key`. */
enum sp_code
sp_set_reader_leave(struct sp_set_reader *r, const void *key, size_t n, struct sp_err *e);
/* A node that is not there is damage, not a store that is away: SP_ABSENT becomes SP_CORRUPT. */
enum sp_code sp_set_reader_damage(enum sp_code rc, struct sp_err *e);
/* Whether an error is about one object alone, so that others can still be read. */
bool sp_set_reader_goes_on(enum sp_code rc);
/* The set's last sentence: "parts of the catalog are damaged: …"; SP_OK when none is. */
enum sp_code sp_set_reader_verdict(const struct sp_set_reader *r, struct sp_err *e);

#endif
