#ifndef SP_CLIENT_DIR_POSIX_H
#define SP_CLIENT_DIR_POSIX_H

/* What the POSIX half of the source opens beside folders. */

#include "client/dir.h"

struct sp_owners;
/* Names of users and groups, kept for all. */
struct sp_owners *sp_dirs_owners(struct sp_dirs *p);

/* With the flags that every open of the source has: O_CLOEXEC | O_NOFOLLOW | O_NOCTTY and, where
 * the system lets this user, O_NOATIME. errno as openat. */
int sp_source_openat(int dir, const char *name, int flags);

#endif
