#ifndef SP_CLIENT_SELECT_H
#define SP_CLIENT_SELECT_H

/* What the user asks for out of a set: exact paths, and patterns. */

#include "client/config.h"
#include "client/filter.h"

/* Appends the pattern that matches this path and nothing else (but for a line break in a name,
 * which patterns cannot say: there any one character fits). A relative path counts from the current
 * folder. */
enum sp_code sp_select_path(struct sp_strings *patterns, const char *path, struct sp_err *e);
/* A path as the user gave it, as the catalog's key; appends. */
enum sp_code sp_select_key(const char *path, struct sp_buf *ret, struct sp_err *e);
/* *ret = NULL when there is no pattern: everything. */
enum sp_code
sp_select_filter(const struct sp_strings *patterns, struct sp_filter **ret, struct sp_err *e);

#endif
