#ifndef SP_CLIENT_STREAMS_WIN32_H
#define SP_CLIENT_STREAMS_WIN32_H

/* Alternate streams of one object (ntfs_meta.h): short ones are attributes of its entry, the others
 * of a file are parts that follow its content. */

#include "client/look_win32.h"
#include "client/ntfs_meta.h"

/* What of an object can be attributes; beyond, a file's streams are parts. */
#define SP_STREAMS_MOST 1024
#define SP_STREAMS_MOST_BYTES ((size_t)8 << 20)

struct sp_streams_ask {
    struct sp_source_host *h;
    struct sp_ntfs_handle *of;
    const struct sp_ntfs_info *info;
    bool is_file;
    /* A stream as an attribute. */
    enum sp_code (*take)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e);
    /* One that cannot be kept; `name` "": the list of them. *why has no domain. */
    enum sp_code (*fail)(void *arg, const char *name, struct sp_err *why, struct sp_err *e);
    void *arg;
};
enum sp_code sp_streams_describe(const struct sp_streams_ask *ask, struct sp_err *e);

/* The parts of a file: all streams that are no attribute of `en`. *ret in one allocation, names
 * included. Domain set. */
enum sp_code sp_streams_parts(const struct sp_source_host *h, struct sp_ntfs_handle *of,
    const struct sp_ntfs_info *info, const struct sp_entry *en, struct sp_ntfs_part **ret,
    size_t *ret_n, struct sp_err *e);

#endif
