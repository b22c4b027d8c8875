#ifndef SP_CLIENT_LOOK_WIN32_H
#define SP_CLIENT_LOOK_WIN32_H

/* What the files of the Windows source share: the table they work over, what is told once a run,
 * and how an entry takes what NTFS says of an object. */

#include <stdatomic.h>

#include "client/dir_os.h"
#include "client/ntfs.h"

struct sp_source_host {
    const struct sp_ntfs *t;
    struct sp_env env;
    char *temp_dir; /* NULL: none */
    /* Told once a run. */
    atomic_uint_fast64_t filtered;    /* files whose bytes a filter of the system gives */
    atomic_uint_fast64_t untouchable; /* placeholders that opening alone would fetch */
    atomic_uint_fast64_t closed;      /* folders whose list of names is elsewhere */
    atomic_uint_fast64_t streams;     /* placeholders with streams, which are not read */
    atomic_bool no_sacl;
};

/* Says whose fault it is that the table failed, and puts "<what> cannot be …: " before it. Without
 * memory or handles it is ours (SELF), else the source's. Returns the code. */
enum sp_code sp_look_blame(struct sp_err *e, const char *fmt, ...) SP_PRINTF(2, 3);

/* Nothing of it may be opened: asking would fetch it (NTFS_RECALL_ON_OPEN). */
bool sp_look_untouchable(uint32_t attributes);
/* Its content is elsewhere, and reading would fetch it. */
bool sp_look_away(const struct sp_ntfs_info *i);
/* By attributes and tag (ntfs_meta.h). 0: a mount point or a junction, which only the reparse data
 * tell apart. */
enum sp_entry_type sp_look_type(const struct sp_ntfs_info *i);
/* All but key, device, names, target, attributes, and the type where sp_look_type gives 0. `links`
 * 0: a listing does not tell. */
void sp_look_fill(struct sp_entry *en, const struct sp_ntfs_info *i);

/* Reparse data of an open object. */
enum sp_code sp_look_reparse(const struct sp_source_host *h, struct sp_ntfs_handle *of,
    struct sp_buf *ret, struct sp_err *e);
/* Whether what MOUNT_POINT says is a volume; else it is a junction. */
bool sp_look_is_volume(const struct sp_buf *reparse);

/* The object of an item, opened for NTFS_LOOK, and what it is now; what it is called by may be
 * another object meanwhile: SP_ABSENT when that has another type. */
enum sp_code sp_look_open(const struct sp_source_host *h, const struct sp_item *it,
    struct sp_ntfs_handle **ret, struct sp_ntfs_info *ret_info, struct sp_err *e);
void
sp_look_close(const struct sp_source_host *h, struct sp_ntfs_handle *of); /* NULL is harmless */

#endif
