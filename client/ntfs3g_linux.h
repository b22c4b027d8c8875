#ifndef SP_CLIENT_NTFS3G_LINUX_H
#define SP_CLIENT_NTFS3G_LINUX_H

/* NTFS on Linux, as ntfs-3g shows it (ntfs-3g(8), "Extended attributes"; its xattrs.c, ntfs-3g.c):
 * what Windows keeps of an object comes and goes as extended attributes system.ntfs_*, alternate
 * streams as user.* (streams_interface=xattr, the default), under plain names (openxattr), or as
 * files NAME:STREAM (windows). What was read with any of them is written by any of them.
 *
 * ntfs-3g shows every reparse point that it cannot follow as a symbolic link, folders too: what it
 * is says its reparse data, never its type. An owner, a mode or a POSIX ACL that it shows is made
 * from the security descriptor or from mount options; the descriptor is what is kept.
 *
 * Everything goes through an O_PATH or other handle by its name in /proc/self/fd, which sets nothing
 * off. What needs a name (streams of `windows`) goes by the folder's handle and one name. */

#include "client/ntfs_meta.h"

enum {                     /* what a mount is, bits; 0: not of ntfs-3g */
    SP_NTFS3G = 1,         /* it is */
    SP_NTFS3G_USER = 2,    /* streams are user.*: at most 64 KiB of them can be had */
    SP_NTFS3G_OPEN = 4,    /* … are attributes under their own names */
    SP_NTFS3G_NAMES = 8    /* … are files NAME:STREAM */
};
/* Of the object behind `fd`. */
unsigned sp_ntfs3g_of(int fd);

struct sp_ntfs3g_object {
    int fd;           /* of itself, O_PATH or not */
    int dir;          /* of its folder, or -1: not known, and no streams of `windows` can be had */
    const char *name; /* in it; ".": the root of the mount, in itself */
    unsigned traits;
};

/* What it is, given what stat says: links, folders and files that are shown as links. */
struct sp_ntfs3g_kind {
    enum sp_entry_type type;
    uint32_t flags; /* SP_ENTRY_WINDOWS, SP_ENTRY_AWAY */
    uint32_t tag;   /* of its reparse point; 0: none, or it is read as if there were none */
    bool lost;      /* what is in it cannot be read through ntfs-3g */
};
/* 0, or an errno. */
int sp_ntfs3g_kind(const struct sp_ntfs3g_object *o, enum sp_entry_type shown, struct sp_ntfs3g_kind *ret);

/* All that is kept of one object. */
struct sp_ntfs3g_value {
    size_t name, at, len; /* in `bytes`; the name with its NUL */
};
struct sp_ntfs3g_seen {
    struct sp_buf bytes;
    struct sp_ntfs3g_value *v;
    size_t n, cap;
    struct sp_buf target;   /* of a link */
    uint64_t extra;         /* of its long streams; their table is among the values */
    int64_t times[4];       /* ticks: creation, content, access, change */
    struct sp_buf problem;  /* a sentence about the first thing that cannot be read; empty: none */
};
/* Fails for want of memory only, or when the object went away (SP_ABSENT). */
enum sp_code sp_ntfs3g_read(const struct sp_ntfs3g_object *o, const struct sp_ntfs3g_kind *kind,
    struct sp_ntfs3g_seen *ret, struct sp_err *e);
void sp_ntfs3g_seen_free(struct sp_ntfs3g_seen *s);
bool sp_ntfs3g_reparse(int fd, struct sp_buf *ret); /* its reparse data, if it has any */
/* creation, content, access, change in ticks; 0 or an errno. */
int sp_ntfs3g_times(int fd, int64_t ret[4]);
/* Gives an entry, which has what stat says, its times of creation and access, and finer ones where
 * they are before 1970: there ntfs-3g leaves out fractions of seconds. */
void sp_ntfs3g_set_times(struct sp_entry *en, const int64_t times[4]);
/* The long streams alone, for an object that is read without being described. 0 or an errno. */
int sp_ntfs3g_stream_open(const struct sp_ntfs3g_object *o, const char *stream, int flags, int *ret);

/* --- writing -------------------------------------------------------------------------------------- */

enum sp_ntfs3g_lack { /* what could not be had, bits: never alone a failure */
    SP_NTFS3G_NO_SECURITY = 1,
    SP_NTFS3G_NO_STREAMS = 2,
    SP_NTFS3G_NO_LONG_STREAMS = 4,
    SP_NTFS3G_NO_EA = 8,
    SP_NTFS3G_NO_OBJECT_ID = 16,
    SP_NTFS3G_NO_SHORT_NAME = 32,
    SP_NTFS3G_NO_COMPRESSION = 64,
    SP_NTFS3G_NO_ENCRYPTION = 128,
    SP_NTFS3G_NO_CASE = 256
};
/* Streams, extended attributes, object id, descriptor and reparse data of `en`; removes what it has
 * beside them. *why: an errno and what it is about, when something failed otherwise; the rest is done. */
struct sp_ntfs3g_told {
    unsigned lacks;
    int why;
    char what[300];
};
void sp_ntfs3g_write(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told);
/* What every other change takes back, a new name too: the short name, attributes, times. Last. */
void sp_ntfs3g_seal(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told);
/* Something that the two would set differs. */
enum sp_code sp_ntfs3g_differs(const struct sp_ntfs3g_object *o, enum sp_entry_type shown,
    const struct sp_entry *en, bool *ret, struct sp_err *e);
/* A new folder gets what is only taken up by what is made in it: compression. */
void sp_ntfs3g_prepare(int fd, const struct sp_entry *en);

#endif
