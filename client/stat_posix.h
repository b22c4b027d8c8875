#ifndef SP_CLIENT_STAT_POSIX_H
#define SP_CLIENT_STAT_POSIX_H

/* What statx says of a source object, and how an entry takes it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "storage/entry.h"

/* `name` in the folder `dir`, never following a link or setting off an automount; "": dir itself.
 * 0, or -1 and errno. */
int sp_source_stat(int dir, const char *name, struct statx *ret);
uint64_t sp_stat_device(const struct statx *st); /* major << 32 | minor */
enum sp_entry_type sp_stat_type(const struct statx *st);
/* All but key, flags, device (its ordinal is the walk's business), names, target, attributes. */
void sp_stat_fill(struct sp_entry *en, const struct statx *st);
/* Whose fault an errno of reading the source is: out of descriptors or memory is ours (SELF). */
enum sp_domain sp_source_domain(int os_errno);

#endif
