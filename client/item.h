#ifndef SP_CLIENT_ITEM_H
#define SP_CLIENT_ITEM_H

/* Making the items that source.h gives out. */

#include "client/dir.h"
#include "client/source.h"

/* An entry with this key; the rest as `known` has it, NULL: type 0 and nothing. Holds `dir` (may be
 * NULL), in which it is called `name`. */
enum sp_code sp_item_new(const void *key, size_t key_len, const struct sp_entry *known,
    struct sp_source_dir *dir, const char *name, struct sp_item **ret, struct sp_err *e);
/* A fault about `key` with `text` about what happened to it; the first fault of an item stays. What
 * has one and is an entry gets the flag UNREADABLE, so that the next run looks at it again. */
enum sp_code sp_item_set_fault(struct sp_item *it, const void *key, size_t key_len,
    enum sp_fault_kind kind, const char *text, struct sp_err *e);
/* Sets RECHECK where mtime or ctime is not older than `instant_ns` by 2 s. */
void sp_item_recheck(struct sp_entry *en, int64_t instant_ns);

#endif
