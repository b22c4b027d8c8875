#ifndef SP_CLIENT_USN_H
#define SP_CLIENT_USN_H

/* The change journals of a run's volumes, and what may be believed because they are silent
 * (docs/windows.md, "Change journal"). A folder's listing on NTFS may be late, so every file that
 * the last set has is looked at by a handle before it counts as unchanged (sp_item_refresh). Where
 * the volume's journal has no record of the file's id since the last set, and the listing's line
 * agrees with that set, the look is saved. Nothing else is: folders are listed, contents audited as
 * ever (R15).
 *
 * Silence proves nothing for a file that is open: a reason is written once until the last handle is
 * closed (learn.microsoft.com/en-us/windows/win32/fileio/change-journal-records). So ids whose last
 * record has no CLOSE are carried from run to run and count as changed. What was open before the
 * journal was first read may have its record before all that can be read: a volume is *settled*,
 * and vouches, only when the machine was restarted since, by the monotonic clock, which goes back
 * at a restart alone; and only for what came after the run that saw that.
 *
 * In any doubt everything is looked at, and one sentence a volume says why. Volumes are those of
 * the roots by the first component of their keys; one that is mounted in a folder is always looked
 * at.
 *
 * One thread at a time. Order: begin (before a shadow is made), compare (when it is there, and the
 * parent is known), vouches …, finish (after the commit). */

#include "base/buf.h"
#include "base/os.h"
#include "client/ntfs.h"
#include "storage/record.h"

struct sp_usn;
struct sp_usn_options {
    const char *folder; /* of what is remembered: exists */
    const char *job;
    const struct sp_bytes *roots; /* keys, sorted */
    size_t nroots;
    const char *const *patterns; /* what the job takes beside its roots */
    size_t npatterns;
    bool one_file_system, cachedir_tag;
    size_t ids_most; /* named by one journal; 0: 4 million */
};
struct sp_usn_parent { /* the set that the run compares with */
    const char *doubt; /* NULL, or why nothing may be saved */
    uint64_t sequence;
    uint8_t record_hash[32];
};

/* The table behind this system's volumes; NULL: they have no such journals (usn_here_*.c). */
const struct sp_ntfs *sp_usn_here(void);

/* Remembers where each journal is: what comes later belongs to the next run. Fails for lack of
 * memory only; what a journal refuses is told by sp_usn_note. */
enum sp_code sp_usn_begin(const struct sp_env *env, const struct sp_ntfs *t,
    const struct sp_usn_options *o, struct sp_usn **ret, struct sp_err *e);
void sp_usn_free(struct sp_usn *u); /* NULL is harmless */
/* Reads what was written since the last run, up to now. */
void sp_usn_compare(struct sp_usn *u, const struct sp_usn_parent *p);
/* Sentence i, from 0; appends. False: there are no more. */
bool sp_usn_note(const struct sp_usn *u, size_t i, struct sp_buf *ret);
/* The journal of the volume of `key`, whose serial number is `serial`, is believed and silent about
 * the file. */
bool sp_usn_vouches(
    const struct sp_usn *u, const void *key, size_t n, uint64_t serial, uint64_t file_id);
/* The same once more after reading on, for a file that has changed all the same: it may have done
 * so since. */
bool sp_usn_still_vouches(
    struct sp_usn *u, const void *key, size_t n, uint64_t serial, uint64_t file_id);
/* It has said nothing of a change: it vouches for nothing more, and what was remembered of it goes.
 */
void sp_usn_distrust(struct sp_usn *u, const void *key, size_t n);
/* The set is committed: what the next run goes on from. SP_OK, or what could not be kept; then the
 * next run looks at everything. */
enum sp_code
sp_usn_finish(struct sp_usn *u, uint64_t sequence, const uint8_t record_hash[32], struct sp_err *e);

#endif
