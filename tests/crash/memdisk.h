#ifndef SP_TESTS_MEMDISK_H
#define SP_TESTS_MEMDISK_H

/* A file system in memory, behind the table of base/os.h, that knows what of it would outlive a
 * power cut. Files and folders only, errno for errno what sp_os_system answers (test_memdisk.c
 * holds the two against each other). Any thread may call the table; the rest belongs to one thread.
 *
 * Every operation that changes something, and every flush, is numbered and written down. A disk as
 * it was after k of them is had again by stepping through the log of another, so one run of a
 * scenario serves for all of its cuts. memdisk_survive makes the disk that somebody finds after the
 * power comes back: of what is not durable it keeps, loses, empties, halves or reorders what its
 * mode allows.
 *
 * What a cut may leave:
 *
 *   the bytes of a file (all modes) since its last flush
 *     nothing of them: size 0, or the flushed bytes      delayed allocation: the name was written,
 *                                                        the blocks not yet chosen
 *     any beginning of what was appended                 the size grows as blocks arrive
 *     the new size, any subset of the 4 KiB pages, zero  the size was written, blocks not: they
 * read as where one is missing                               a hole (XFS, and every extent not yet
 * converted) the same, with other bytes where one is missing    `posix`, `no_…` only: blocks of a
 * removed file (ext4 data=writeback, FAT, ext2) Flushed bytes always stay: nothing is truncated
 * through this table.
 *
 *   names, `ordered` (ext4, XFS: a journal)
 *     a prefix of all operations on names, at least up   one log, written in order; fsync forces it
 * up to the last one that touched anything flushed      to the record of what is flushed, and with
 * it since (a file or a folder)                         all that came before. A flush of something
 *                                                        clean forces nothing.
 *     A rename is one record: exactly one of its two names is there.
 *
 *   names, `posix` (only what the standard promises; ext2, FAT, exFAT on a USB disk of a NAS)
 *     for every name in a folder, on its own, any of     folder blocks are written in any order;
 * only a the values that it had since the folder was        flush of the folder that holds the name
 * says flushed                                            anything about it; one of a file says
 * nothing So a rename may show both names (the new block     about its name, one of a folder
 * nothing about was written, the old one not) or neither (the      the folder's own name other way
 * round), within one folder too. A replaced name never vanishes: it is one entry, and holds the old
 * file or the new one. A folder whose own name is lost takes with it all that was below.
 *
 *   `no_folder_flush` (CIFS, some FUSE): as `posix`, and sync_dir answers EINVAL: no name is ever
 *     proven; only time (memdisk_settle) makes it durable.
 *   `no_flush` (write-back mounts): and sync answers EINVAL too: no byte is ever proven either.
 *
 * A flush that failed (memdisk_fail_flush) has dropped what it was to write, as Linux does: the
 * next flush of the same file or folder answers "done" and makes nothing of it durable. A journal
 * that could not be written (`ordered`, a folder) is given up: nothing can be changed any more
 * (EROFS). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"

enum memdisk_mode {
    MEMDISK_ORDERED,
    MEMDISK_POSIX,
    MEMDISK_NO_FOLDER_FLUSH,
    MEMDISK_NO_FLUSH,
    MEMDISK_MODES
};

struct memdisk;
struct memdisk *memdisk_new(enum memdisk_mode mode); /* only the folder "/" */
/* Fails the test when a file of it is still open. */
void memdisk_free(struct memdisk *d); /* NULL is harmless */
const struct sp_os *memdisk_os(struct memdisk *d);
const char *memdisk_mode_of(const struct memdisk *d); /* its name */

/* What is seen on it, as a number: equal for equal names and bytes. `but` ("/a/b"): what is in that
 * folder is passed over. */
uint64_t memdisk_state(const struct memdisk *d, const char *but);

/* --- the log -----------------------------------------------------------------------------------
 */

size_t memdisk_ops(const struct memdisk *d);
/* "sync_dir /r/packs"; valid as long as the disk. */
const char *memdisk_op(const struct memdisk *d, size_t k);
bool memdisk_op_flushes(const struct memdisk *d, size_t k);
/* A disk as this one was when its log began. */
struct memdisk *memdisk_start(const struct memdisk *d);
/* One more operation of `of`, from whose start `d` came. */
void memdisk_step(struct memdisk *d, const struct memdisk *of);
struct memdisk *memdisk_at(const struct memdisk *d, size_t k);

/* --- time, faults, the cut ---------------------------------------------------------------------
 */

/* As if a minute passed: everything is durable. It counts as an operation. */
void memdisk_settle(struct memdisk *d);
/* Operation k fails with errno `number`, once, if it is a flush; see above. */
void memdisk_fail_flush(struct memdisk *d, size_t k, int number);
/* Operation k and everything after it, reading too, fails with errno `number`. */
void memdisk_cut_at(struct memdisk *d, size_t k, int number);

/* Residues that are always tried; all greater numbers are seeds of random ones. */
enum {
    MEMDISK_LEAST,        /* what is durable, nothing else */
    MEMDISK_MOST,         /* everything */
    MEMDISK_EMPTY,        /* every name, no byte that was not flushed */
    MEMDISK_HOLES,        /* every name, every size, zero where nothing was flushed */
    MEMDISK_FEWEST_NAMES, /* a name that may be missing is missing; all bytes */
    MEMDISK_MOST_NAMES,   /* a name that may still be there is there; all bytes */
    MEMDISK_RANDOM
};
/* What is found afterwards, all of it durable, the log empty. *ret_print tells residues of one disk
 * apart. */
struct memdisk *memdisk_survive(const struct memdisk *d, uint64_t residue, uint64_t *ret_print);

#endif
