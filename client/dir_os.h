#ifndef SP_CLIENT_DIR_OS_H
#define SP_CLIENT_DIR_OS_H

/* What the platform gives to dir.c: opening one folder (dir_posix.c, dir_win32.c), and what its
 * half of the source keeps for a whole run. */

#include "client/dir.h"
#include "client/source.h"

/* POSIX: names of owners. Windows: the table of ntfs.h, and what is told once a run. */
struct sp_source_host;
enum sp_code sp_source_host_new(const struct sp_env *env, const struct sp_source_options *o,
    struct sp_source_host **ret, struct sp_err *e);
void sp_source_host_free(struct sp_source_host *h);
/* source.h, sp_source_note. */
bool sp_source_host_note(struct sp_source_host *h, size_t i, struct sp_buf *ret);

enum sp_dir_purpose {
    SP_DIR_LIST,   /* its names are read, too */
    SP_DIR_SEARCH, /* it is only gone through */
    SP_DIR_EITHER  /* the first where it may be, else the second */
};
/* `name` in the folder `up`, no link followed; `up` NULL: a path, whose links are. SP_CHANGED: it
 * is no folder. Domain SELF: no room for another; asked once more when others were closed. */
enum sp_code sp_dir_os_open(struct sp_source_host *h, const union sp_dir_at *up, const char *name,
    enum sp_dir_purpose purpose, union sp_dir_at *ret, struct sp_err *e);
/* Which it is. `up` NULL: an anchor, whose traits are asked as well. */
enum sp_code sp_dir_os_identify(struct sp_source_host *h, union sp_dir_at at,
    const struct sp_dir_known *up, struct sp_dir_known *ret, struct sp_err *e);
void sp_dir_os_close(struct sp_source_host *h, union sp_dir_at at);

#endif
