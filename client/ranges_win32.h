#ifndef SP_CLIENT_RANGES_WIN32_H
#define SP_CLIENT_RANGES_WIN32_H

/* The holes of a sparse stream: FSCTL_QUERY_ALLOCATED_RANGES, some ranges at a time.
 * learn.microsoft.com/en-us/windows/win32/api/winioctl/ni-winioctl-fsctl_query_allocated_ranges */

#include "client/look_win32.h"

#define SP_RANGES_AT_ONCE 64

struct sp_ranges { /* {.h, .file, .size} and zeros */
    const struct sp_source_host *h;
    struct sp_ntfs_handle *file;
    uint64_t size;
    bool none;           /* the file system cannot tell */
    uint64_t from, till; /* what `known` says all of */
    size_t n;
    struct {
        uint64_t from, to;
    } known[SP_RANGES_AT_ONCE];
};
/* Whether there is a hole at `offset` (below the size), and to where; the table's failure. */
enum sp_code sp_ranges_at(
    struct sp_ranges *r, uint64_t offset, bool *ret_hole, uint64_t *ret_length, struct sp_err *e);

#endif
