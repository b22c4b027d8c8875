#ifndef SP_CLIENT_NTFS3G_PARTS_LINUX_H
#define SP_CLIENT_NTFS3G_PARTS_LINUX_H

/* A file's long streams (ntfs_meta.h, parts) through NAME:STREAM of an ntfs-3g mount, as what follows
 * its own bytes: read or written in rising order, one open at a time. Offsets begin with 0 at the
 * first part. One thread. */

#include "client/ntfs3g_linux.h"

struct sp_ntfs3g_parts;
/* Those that `en` tells of, else (for reading) those that are there. *ret NULL: none. `o` and what it
 * points to must outlive it. SP_CORRUPT: the table is malformed. */
enum sp_code sp_ntfs3g_parts_new(const struct sp_ntfs3g_object *o, const struct sp_entry *en,
    struct sp_ntfs3g_parts **ret, struct sp_err *e);
uint64_t sp_ntfs3g_parts_size(const struct sp_ntfs3g_parts *p); /* NULL: 0 */
/* How much of the part at `offset` follows; 0 at the end. */
uint64_t sp_ntfs3g_parts_left(const struct sp_ntfs3g_parts *p, uint64_t offset);
/* At most n bytes, never over the border of two parts; *ret_n 0: it became shorter. errno or 0. */
int sp_ntfs3g_parts_read(
    struct sp_ntfs3g_parts *p, uint64_t offset, void *to, size_t n, size_t *ret_n);
/* Makes the stream when its first byte comes. *ret_n as above. */
int sp_ntfs3g_parts_write(
    struct sp_ntfs3g_parts *p, uint64_t offset, const void *from, size_t n, size_t *ret_n);
/* Every part is there and has its size. */
int sp_ntfs3g_parts_finish(struct sp_ntfs3g_parts *p);
void sp_ntfs3g_parts_free(struct sp_ntfs3g_parts *p); /* NULL is harmless */

#endif
