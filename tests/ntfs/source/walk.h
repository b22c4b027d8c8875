#ifndef SP_TESTS_NTFS_SOURCE_WALK_H
#define SP_TESTS_NTFS_SOURCE_WALK_H

/* Walks of the Windows source over a double, for the tests of it. Whatever goes wrong fails the
 * test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/ntfs_meta.h"
#include "client/source.h"
#include "tests/ntfs/double.h"

struct nwalk {
    struct ntfs_double *d;
    struct sp_env env;
    struct sp_source_options o;
    struct sp_bytes roots[8];
    struct sp_view_map views[8];
    struct sp_source *source;
    struct sp_item **items;
    size_t n, cap;
    struct sp_source_counts counts;
    struct sp_buf notes; /* one a line */
};

/* A double with an NTFS volume "C:/", everything live; the run starts an hour after what is made
 * now, so that nothing is RECHECK. */
void nwalk_new(struct nwalk *w);
void nwalk_free(struct nwalk *w);                   /* asserts that no handle is open */
void nwalk_root(struct nwalk *w, const char *path); /* "C:/x"; in order */
/* Reads the volume at `path` at another place, as a shadow or not. */
void nwalk_view(struct nwalk *w, const char *path, const char *read_path, bool shadow);
enum sp_code nwalk_open(struct nwalk *w, struct sp_err *e); /* its answer */
/* Forgets what an earlier one found; opens, walks to the end, keeps the items. Checks their order.
 */
void nwalk_run(struct nwalk *w);
/* The same, but stops at the first failure: its code. */
enum sp_code nwalk_try(struct nwalk *w, struct sp_err *e);
void nwalk_drop(struct nwalk *w); /* items and source */

struct sp_item *nwalk_find(const struct nwalk *w, const char *path); /* NULL: none */
struct sp_item *nwalk_need(const struct nwalk *w, const char *path);
/* Found and described, without a fault. */
struct sp_item *nwalk_described(const struct nwalk *w, const char *path);
/* Its attribute; fails when it is not there. */
const struct sp_attribute *nwalk_attribute(const struct sp_item *it, const char *name);
bool nwalk_has(const struct sp_item *it, const char *name);
/* Reads all of it (size and extra); holes as zeros. *ret_holes: bytes in holes. */
enum sp_code nwalk_read(struct sp_item *it, struct sp_buf *ret, uint64_t *ret_holes,
    bool *ret_changed, struct sp_err *e);
void nwalk_key(const char *path, struct sp_buf *ret);

#endif
