#ifndef SP_CLIENT_LISTING_POSIX_H
#define SP_CLIENT_LISTING_POSIX_H

/* The names in one folder, each once, in the order of their bytes. Up to SP_LISTING_MOST are kept
 * in memory; more are sorted in runs on local disk (base/runs.h). One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"

#define SP_LISTING_MOST 65536
#define SP_LISTING_BUFFER ((size_t)64 << 10)

struct sp_listing;
/* Reads the folder behind `fd`; `buffer`: SP_LISTING_BUFFER bytes to read into. A folder that could
 * be read in part or not at all is a listing too: see sp_listing_error. */
enum sp_code sp_listing_read(const struct sp_env *env, const char *temp_dir, int fd, void *buffer,
    struct sp_listing **ret, struct sp_err *e);
void sp_listing_free(struct sp_listing *l);          /* NULL is harmless */
int sp_listing_error(const struct sp_listing *l);    /* errno that ended it early; 0: none */
bool sp_listing_has_tag(const struct sp_listing *l); /* CACHEDIR.TAG is among them */
/* Forgets all other names; returns how many these were. */
uint64_t sp_listing_keep_tag(struct sp_listing *l);

struct sp_listed {
    const char *name; /* until the next call */
    size_t len;
    unsigned char type; /* DT_*, as readdir has it; often DT_UNKNOWN */
};
enum sp_code
sp_listing_next(struct sp_listing *l, struct sp_listed *ret, bool *ret_more, struct sp_err *e);

#endif
