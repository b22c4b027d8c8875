#ifndef SP_CLIENT_LISTING_H
#define SP_CLIENT_LISTING_H

/* The names in one folder, each once, in the order of their bytes. Up to SP_LISTING_MOST are kept
 * in memory; more are sorted in runs on local disk (base/runs.h). One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/dir.h"
#include "storage/entry.h"

#define SP_LISTING_MOST 65536
#define SP_LISTING_BUFFER ((size_t)64 << 10)
#define SP_LISTING_KNOWN 255 /* most bytes that the platform keeps with a name */

struct sp_listing;
/* Reads all names of the open folder; `buffer`: SP_LISTING_BUFFER bytes to read into. A folder that
 * could be read in part or not at all is a listing too: see sp_listing_error. */
enum sp_code
sp_listing_read(const struct sp_env *env, const char *temp_dir, struct sp_source_host *host,
    union sp_dir_at at, void *buffer, struct sp_listing **ret, struct sp_err *e);
void sp_listing_free(struct sp_listing *l); /* NULL is harmless */
/* What ended it early; NULL: nothing. */
const struct sp_err *sp_listing_error(const struct sp_listing *l);
/* Forgets all other names; returns how many these were. */
uint64_t sp_listing_keep_tag(struct sp_listing *l);

struct sp_listed { /* valid until the next call */
    const char *name;
    size_t len;
    enum sp_entry_type type; /* 0: has to be looked at */
    const void *known;       /* what the platform kept */
    size_t known_len;
};
/* CACHEDIR.TAG is among them. */
bool sp_listing_has_tag(const struct sp_listing *l, struct sp_listed *ret);
enum sp_code
sp_listing_next(struct sp_listing *l, struct sp_listed *ret, bool *ret_more, struct sp_err *e);

/* For who reads the names (listing_posix.c, listing_win32.c): makes one, adds in any order, sorts.
 * No name is empty, . or .., or has a '/'. */
enum sp_code sp_listing_new(
    const struct sp_env *env, const char *temp_dir, struct sp_listing **ret, struct sp_err *e);
enum sp_code sp_listing_add(struct sp_listing *l, const char *name, size_t n,
    enum sp_entry_type type, const void *known, size_t known_len, struct sp_err *e);
void sp_listing_broke_off(struct sp_listing *l, const struct sp_err *why); /* the first counts */
enum sp_code sp_listing_sort(struct sp_listing *l, struct sp_err *e);

#endif
