#ifndef SP_CLIENT_KNOWN_WIN32_H
#define SP_CLIENT_KNOWN_WIN32_H

/* What a listing keeps with a name on Windows: all that FILE_ID_BOTH_DIR_INFORMATION says. */

#include "client/listing.h"
#include "client/ntfs.h"

#define SP_KNOWN_SHORT_MOST 64 /* bytes of a short name: twelve units of UTF-16 are at most 36 */

/* At most SP_LISTING_KNOWN bytes; the length. */
size_t sp_known_encode(const struct sp_ntfs_listed *l, uint8_t to[SP_LISTING_KNOWN]);
/* *ret's name is not set; the short name is copied to `short_name`. */
void sp_known_decode(
    const struct sp_listed *l, struct sp_ntfs_info *ret, char short_name[SP_KNOWN_SHORT_MOST]);

#endif
