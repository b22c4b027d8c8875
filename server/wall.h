#ifndef SP_SERVER_WALL_H
#define SP_SERVER_WALL_H

/* A wall around the running server: whoever breaks into the process that parses the network's bytes
 * reaches the server's folder and the repository, and nothing else of the machine; starts no
 * program; opens no connection of its own. Linux: Landlock
 * (docs.kernel.org/userspace-api/landlock.html, its second version, from 5.19; connections from
 * 6.7), in force for the calling thread and for all that it starts, for good. It adds to what the
 * service file of packaging/ sets; it needs no rights. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* `folders` may be read and written, with everything below; the system's own files may be read. Where
 * a folder lies on a mount, the folder above that mount is let in with it: what is mounted there after
 * the mount was lost and came back is reached that way only. Not so the root: after a mount right below
 * it (/srv, /backup) was lost, the server has to be started again.
 * SP_ABSENT: a folder is not there. *ret_raised false: this platform or kernel has no such wall. */
extern const char sp_wall_lack[]; /* why then, as the beginning of a sentence */
enum sp_code
sp_wall_raise(const char *const *folders, size_t n, bool *ret_raised, struct sp_err *e);

#endif
