#ifndef SP_CLIENT_VIEW_H
#define SP_CLIENT_VIEW_H

/* Where the object of a key is read: the views of source.h, over folder handles. One thread. */

#include "client/dir.h"
#include "client/source.h"

struct sp_views;
/* Copies what it needs of `o`; holds the pool. SP_INVALID: a key is no key, or none is empty. */
enum sp_code sp_views_new(const struct sp_source_options *o, struct sp_dirs *pool,
    struct sp_views **ret, struct sp_err *e);
void sp_views_free(struct sp_views *v); /* NULL is harmless */

struct sp_place {
    struct sp_source_dir *dir; /* held for who asked */
    const char *name; /* in it; "." for the root of a volume; lives as long as key and views */
};

/* Whether the key is the root of a view (the root of everything does not count). */
enum sp_view_here { SP_VIEW_NONE, SP_VIEW_MOUNTED, SP_VIEW_SKIPPED };
enum sp_view_here sp_views_here(const struct sp_views *v, const void *key, size_t n);
/* Mounted, and one who comes from the folder above it in `from` has to change over. */
bool sp_views_switch(
    const struct sp_views *v, const struct sp_source_dir *from, const void *key, size_t n);
/* By the longest view; `key` must be NUL-terminated beyond n. Opens the folders above the object,
 * not the object: whether that exists is for the caller to see. SP_ABSENT: one of those is not
 * there; SP_CHANGED: one is no folder. */
enum sp_code sp_views_find(
    struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e);
/* The same on the live file system, whatever the views say. */
enum sp_code sp_views_find_live(
    struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e);

#endif
