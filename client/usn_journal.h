#ifndef SP_CLIENT_USN_JOURNAL_H
#define SP_CLIENT_USN_JOURNAL_H

/* Asking the USN change journal of one open volume (learn.microsoft.com/en-us/windows/win32/fileio/
 * change-journals), over the table of ntfs.h. What comes back is parsed by checked cursors. */

#include "client/ntfs.h"

#define SP_USN_CLOSE UINT32_C(0x80000000)

struct sp_usn_range { /* USN_JOURNAL_DATA: first that can be read, next to be written */
    uint64_t journal, first, next;
};
struct sp_usn_record {
    uint64_t usn, file_id, time;
    uint32_t reason;
};
/* Not SP_OK: ends the reading and is its answer. */
typedef enum sp_code (*sp_usn_each)(void *arg, const struct sp_usn_record *r, struct sp_err *e);

/* SP_ABSENT: the volume has no journal, or it is being deleted. */
enum sp_code sp_usn_query(const struct sp_ntfs *t, struct sp_ntfs_handle *volume,
    struct sp_usn_range *ret, struct sp_err *e);
/* All records from `from` on, at least up to `until`. SP_CORRUPT: what came makes no sense, or it
 * ends before `until`. SP_UNSUPPORTED: ids of more than 64 bits, which no listing has (ReFS). */
enum sp_code sp_usn_read(const struct sp_ntfs *t, struct sp_ntfs_handle *volume, uint64_t journal,
    uint64_t from, uint64_t until, sp_usn_each each, void *arg, struct sp_err *e);
/* What one FSCTL_READ_USN_JOURNAL gave: where the next begins, then records of version 2 or 3,
 * whose USNs rise from `from` on. */
enum sp_code sp_usn_parse(const void *p, size_t n, uint64_t from, sp_usn_each each, void *arg,
    uint64_t *ret_next, struct sp_err *e);

#endif
