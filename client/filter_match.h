#ifndef SP_CLIENT_FILTER_MATCH_H
#define SP_CLIENT_FILTER_MATCH_H

/* One gitignore pattern against a key: filter.c's inner half.
 *
 * A pattern is cut at its slashes into segments, each of which matches one component of a key, but
 * for
 * `**`, which matches any number of them (at the end of a pattern: at least one). That is what
 * git's wildmatch.c does with WM_PATHNAME, said component-wise; and because both kinds of star then
 * need no more than a way back to the last one, matching takes at most (length of the pattern) x
 * (length of the key) steps, whatever the pattern is. Bytes, not characters: `?` is one byte, as in
 * git. Immutable. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SP_GLOB_MOST 65535 /* bytes of a pattern */

struct sp_glob;
/* Without `!`, a slash at either end and trailing spaces, which mean something to filter.c only.
 * SP_INVALID says what is wrong, not with which pattern. `fold`: ASCII letters without case. */
enum sp_code
sp_glob_new(const char *pattern, size_t n, bool fold, struct sp_glob **ret, struct sp_err *e);
void sp_glob_free(struct sp_glob *g);
/* The whole key. */
bool sp_glob_matches(const struct sp_glob *g, const void *key, size_t n);
/* How long the longest part of the key is, cut behind a component, that matches as a whole key would;
 * 0: none does. The key has no empty component. In one pass over the key, however deep it is. */
size_t sp_glob_deepest(const struct sp_glob *g, const void *key, size_t n);
/* One component, by a pattern of one segment (then also `**` matches it). */
bool sp_glob_matches_name(const struct sp_glob *g, const void *name, size_t n);
/* Some key below this one could match. */
bool sp_glob_may_match_below(const struct sp_glob *g, const void *key, size_t n);

#endif
