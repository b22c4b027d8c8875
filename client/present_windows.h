#ifndef SP_CLIENT_PRESENT_WINDOWS_H
#define SP_CLIENT_PRESENT_WINDOWS_H

/* What an entry of Windows says of itself (client/ntfs_meta.h), for people and in JSON. */

#include "base/json.h"
#include "storage/entry.h"

/* A placeholder: what it would hold is in the cloud or on tape and not in the set. Not a file that
 * EFS encrypted, whose raw form is there. */
bool sp_windows_is_elsewhere(const struct sp_entry *en);
/* "hidden, system, compressed; streams: Zone.Identifier (26 bytes)"; nothing for an entry without
 * any of it. Appends; safe for a terminal. */
void sp_windows_show(const struct sp_entry *en, struct sp_buf *ret);
/* Members of the object that is open: "windows": {"attributes": ["hidden"], "streams": [{"name": …,
 * "size": …}], …}, and nothing for an entry that is not of Windows. */
void sp_windows_json(const struct sp_entry *en, struct sp_json *j);

#endif
