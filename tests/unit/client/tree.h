#ifndef SP_TESTS_CLIENT_TREE_H
#define SP_TESTS_CLIENT_TREE_H

/* Trees of files for the tests of client/, in a temporary folder, made relative to folder handles
 * so that no length of a path is a limit; and walks over them. Whatever goes wrong fails the test.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "base/buf.h"
#include "client/source.h"

struct tree {
    char path[64];
    int fd;
};

void tree_new(struct tree *t); /* in TMPDIR, or /tmp */
void tree_new_in(struct tree *t, const char *folder);
void tree_free(struct tree *t); /* with all that is in it */

/* `path` is relative to the tree; folders above are made where they are missing. */
void tree_dir(const struct tree *t, const char *path);
void tree_file(const struct tree *t, const char *path, const void *p, size_t n);
void tree_text(const struct tree *t, const char *path, const char *text);
void tree_symlink(const struct tree *t, const char *path, const char *target);
void tree_fifo(const struct tree *t, const char *path);
void tree_socket(const struct tree *t, const char *name); /* at the top */
void tree_link(const struct tree *t, const char *from, const char *to);
void tree_rename(const struct tree *t, const char *from, const char *to);
void tree_remove(const struct tree *t, const char *path); /* a file, or a folder with all in it */
/* `levels` folders called `name`, one in the other; in each of them files "!" and "~", which are
 * sorted before and behind the next folder. */
void tree_deep(const struct tree *t, const char *name, int levels);
int tree_open(const struct tree *t, const char *path, int flags);
/* The path of something in the tree; malloc'd. */
char *tree_path(const struct tree *t, const char *path);
struct sp_bytes tree_key(const struct tree *t, const char *path);

/* --- walking -------------------------------------------------------------------------------------
 */

struct walk {
    struct sp_source_options o;
    struct sp_bytes roots[16];
    struct sp_view_map views[16];
    struct sp_source *source;
    struct sp_item **items;
    size_t n, cap;
    struct sp_source_counts counts;
    size_t skip; /* length of the tree's key and a NUL: what walk_find leaves out */
};

/* Everything live, no roots so far; the run starts an hour from now, so that nothing is RECHECK. */
void walk_init(struct walk *w, const struct tree *t);
void walk_root(struct walk *w, const struct tree *t, const char *path);
/* Reads the view of `path` (NULL: of "/") at `read_path` (NULL: live). */
void walk_view(struct walk *w, const struct tree *t, const char *path, const char *read_path,
    bool shadow, int64_t instant_ns);
void walk_open(struct walk *w);
/* The next item, checked to come after all before it; NULL at the end. Kept until walk_free. */
struct sp_item *walk_next(struct walk *w);
void walk_rest(struct walk *w);
void walk_all(struct walk *w); /* open, rest */
/* By path in the tree; NULL when there was none. */
struct sp_item *walk_find(const struct walk *w, const char *path);
size_t walk_faults(const struct walk *w);
void walk_free(struct walk *w);

/* --- others --------------------------------------------------------------------------------------
 */

size_t open_descriptors(void);
/* Runs fn in a child process as user and group 65534 and gives its answer; 0 is good. */
int as_nobody(int (*fn)(void *arg), void *arg);
uint64_t test_seed(void); /* printed; SP_SEED sets it */
uint64_t test_random(uint64_t *state);

#endif
