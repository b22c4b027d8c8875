#ifndef SP_CLIENT_VIEW_IMPL_H
#define SP_CLIENT_VIEW_IMPL_H

/* The inside of views, shared by view.c (which view holds) and what finds places by them
 * (view_posix.c, view_win32.c). */

#include "client/view.h"

struct sp_view {
    uint8_t *key;
    size_t key_len;
    char *read_path; /* NULL: live */
    struct sp_dir_kind kind;
    bool skip;
    struct sp_source_dir *anchor; /* NULL: not needed so far */
};

struct sp_view_volume { /* the root of a live volume, by the path of its key */
    struct sp_view_volume *next;
    struct sp_source_dir *anchor;
    char path[];
};

struct sp_views {
    struct sp_dirs *pool; /* the source's, which outlives this */
    struct sp_view live;  /* "/", whatever the views say */
    struct sp_view *views;
    size_t n;
    struct sp_view_volume *volumes; /* Windows: live ones, as far as they were needed */
};

/* The view that holds for a key. */
struct sp_view *sp_views_longest(const struct sp_views *v, const void *key, size_t n);
/* From `top` down the components of rest[0..n), the last of which is the name; n = 0: `top` itself,
 * ".". rest[n] is NUL. */
enum sp_code sp_views_go_down(
    struct sp_source_dir *top, const char *rest, size_t n, struct sp_place *ret, struct sp_err *e);

/* The file that a view is of: one that is mounted over a file, or is read from another shadow than
 * its volume. Its folder is the anchor. */
enum sp_code sp_views_file(
    const struct sp_views *v, const struct sp_view *view, struct sp_place *ret, struct sp_err *e);

/* Windows: the root of the live volume that is mounted at `key` (a drive, a share, or a folder on
 * which one is mounted); held for who asked. */
enum sp_code sp_views_volume(
    struct sp_views *v, const char *key, size_t n, struct sp_source_dir **ret, struct sp_err *e);

#endif
