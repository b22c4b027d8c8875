#ifndef SP_CLIENT_FILTER_H
#define SP_CLIENT_FILTER_H

/* What a job takes and leaves out. Patterns are gitignore's (https://git-scm.com/docs/gitignore): the
 * last one that matches decides, `!` takes back, a trailing `/` means folders only, a `/` elsewhere anchors
 * the pattern (to the root of the file system, since our keys are absolute; "/home/x/.cache"), `**`
 * spans folders, `\` quotes. What is inside an excluded folder cannot be taken back (as in git), except by
 * include patterns of restore, which are a filter of their own. Immutable; any thread. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct sp_filter;
/* Each pattern one line, in order. SP_INVALID names the pattern. `fold`: compare ASCII letters without
 * case (Windows). */
enum sp_code sp_filter_new(const char *const *patterns, size_t n, bool fold, struct sp_filter **ret,
    struct sp_err *e);
void sp_filter_free(struct sp_filter *f);
/* For a walk that comes top-down: `key` itself, its folders being known to be in. */
bool sp_filter_excludes(const struct sp_filter *f, const void *key, size_t n, bool is_dir);
/* For selecting single paths out of a catalog (restore, find): key or a folder above it matches one of the
 * patterns. */
bool sp_filter_selects(const struct sp_filter *f, const void *key, size_t n, bool is_dir);
/* Something below this folder may still be selected: descend. */
bool sp_filter_may_select_below(const struct sp_filter *f, const void *key, size_t n);
const char *sp_filter_pattern(const struct sp_filter *f, size_t i); /* NULL behind the last */

#endif
