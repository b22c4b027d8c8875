#ifndef SP_CLIENT_NTFS3G_NAMES_H
#define SP_CLIENT_NTFS3G_NAMES_H

/* What the files of ntfs3g_*_linux.c share: names of ntfs-3g's attributes (its xattrs.c). */

#include "client/ntfs3g_linux.h"

#define NTFS3G_ATTRIBUTES "system.ntfs_attrib_be"
#define NTFS3G_TIMES "system.ntfs_times_be"
#define NTFS3G_SECURITY "system.ntfs_acl"
#define NTFS3G_REPARSE "system.ntfs_reparse_data"
#define NTFS3G_OBJECT_ID "system.ntfs_object_id"
#define NTFS3G_SHORT_NAME "system.ntfs_dos_name"
#define NTFS3G_EA "system.ntfs_ea"
#define NTFS3G_STREAMS "ntfs.streams.list"
#define NTFS3G_USER_PREFIX "user."
#define NTFS3G_MOST ((size_t)64 << 10) /* XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel */

int ntfs3g_attributes(int fd, uint32_t *ret); /* 0 or an errno */
/* Appends a value; 0, ENODATA (nothing, or it can have none), or an errno. */
int ntfs3g_get(int fd, const char *name, struct sp_buf *to);

/* Names of its streams, each with its NUL; 0 or an errno. */
int ntfs3g_streams(const struct sp_ntfs3g_object *o, struct sp_buf *ret);
/* What the attribute of a stream is called on this mount (not NAMES). */
void ntfs3g_stream_attribute(unsigned traits, const char *stream, struct sp_buf *ret);

#endif
