#ifndef SP_CLIENT_SOURCE_H
#define SP_CLIENT_SOURCE_H

/* The source of a backup: walking the file system in the catalog's order, describing what was found, and
 * reading it (source.c, walk.c, and what each platform gives to them).
 *
 * Walking goes folder by folder in byte order of names, so that entries come out sorted by key. Memory does
 * not grow with the number of files: a folder with more than 65536 names is sorted in runs on local disk.
 * Everything is relative to folder handles, no link is followed below a root, and paths may be longer than
 * PATH_MAX. Only stat data is taken while walking; attributes, link targets and owner names come from
 * sp_item_describe, which the pipeline calls for changed entries only, from any thread.
 *
 * A fault of one object never ends the walk: it comes out as an item with a fault. */

#include "base/buf.h"
#include "base/os.h"
#include "storage/entry.h"
#include "storage/record.h"

struct sp_filter; /* client/filter.h */

/* Where the bytes of a volume are read: the live path, or the shadow's. Longest match by key wins, so that one file
 * or folder may be read elsewhere than its volume: in another shadow, or live. */
struct sp_view_map {
    const uint8_t *key; /* mount point in the source (or that file or folder), as a key */
    size_t key_len;
    const char *read_path; /* where to read it; NULL: live */
    bool shadow;           /* holes are trusted, nothing changes while it is read */
    int64_t instant_ns;    /* of the shadow, by the source's clock; 0: the run's start counts */
    bool skip;             /* a mount point that is kept as an empty folder and never entered (proc, sysfs) */
};

struct sp_source_options {
    const struct sp_bytes *roots; /* keys, absolute, sorted, none within another */
    size_t nroots;
    const struct sp_view_map *views; /* at least one, for the empty key */
    size_t nviews;
    const struct sp_filter *filter; /* NULL: everything */
    bool one_file_system;
    bool cachedir_tag;     /* leave out what is inside a folder with a CACHEDIR.TAG (bford.info/cachedir); the
                              folder itself and the tag are kept */
    int64_t started_ns;    /* of the run, by the source's clock */
    const char *temp_dir;  /* for sorting huge folders */
    /* What a rule leaves out, as the walk comes to it; a folder stands for all that is in it. May be NULL. */
    void (*left_out)(void *arg, const void *key, size_t key_len, bool is_dir);
    void *left_out_arg;
};

struct sp_source;
struct sp_item { /* one object found; owned by who took it */
    struct sp_entry *entry; /* owns its memory; without content, attributes, target, owner names until
                               described. flags has RECHECK where mtime or ctime is not older than the
                               instant by 2 s, IMPLIED for the folders above the roots */
    struct sp_fault *fault; /* NULL, or why it could not be looked at (entry then holds key and what is
                               known; type 0 when not even that: such an item is no entry) */
    bool shadow;            /* read from a shadow */
    struct sp_source_dir *dir; /* open handle of its folder, counted; for the root of a volume (its name is
                                  ".") of itself; NULL when nothing is known of it but a fault */
    char *name;             /* in that folder */
};

enum sp_code sp_source_open(const struct sp_env *env, const struct sp_source_options *o,
    struct sp_source **ret, struct sp_err *e);
/* A root that does not exist is SP_ABSENT here, before anything was read. */
void sp_source_free(struct sp_source *s);
/* The next object in key order; *ret = NULL at the end. One thread. */
enum sp_code sp_source_next(struct sp_source *s, struct sp_item **ret, struct sp_err *e);
void sp_item_free(struct sp_item *it); /* NULL is harmless */
struct sp_source_counts {
    uint64_t excluded, crossed; /* left out by rules; mount points not entered */
};
void sp_source_counts(const struct sp_source *s, struct sp_source_counts *ret);
/* What is to be told once a run, not once a file: appends sentence i, from 0. False: there are no more. At the
 * end of the run, when every item is described. */
bool sp_source_note(struct sp_source *s, size_t i, struct sp_buf *ret);

/* Looks at the object itself, for what a folder's listing may say too late: sizes and times of a file on NTFS that
 * has several names (the listing has them as they were when this name was last used) or that is being written (as
 * they were when it was opened: devblogs.microsoft.com/oldnewthing/20111226-00/?p=8813). The pipeline asks for
 * it before it takes a file of Windows for unchanged. Nothing to do on POSIX, where the walk has looked already.
 * SP_ABSENT: it vanished. Any thread. */
enum sp_code sp_item_refresh(struct sp_item *it, struct sp_err *e);

/* Fills attributes (ACLs among them), link target and owner names: replaces it->entry by a fuller copy.
 * Values longer than 4096 bytes come inline here; the pipeline moves them into chunks. What of it cannot
 * be read becomes it->fault (kind ATTRIBUTES) beside what could. SP_ABSENT: it vanished. Any thread. */
enum sp_code sp_item_describe(struct sp_item *it, struct sp_err *e);

/* --- reading a file's content: one thread each -------------------------------------------------- */

struct sp_reading;
/* Opens without following links, without touching atime where allowed, never blocking on a FIFO that took
 * the file's place. Refreshes it->entry's size and times from the open handle. SP_ABSENT: vanished;
 * SP_DENIED; SP_BUSY after bounded retries. */
enum sp_code sp_reading_open(struct sp_item *it, struct sp_reading **ret, struct sp_err *e);
/* Offsets run over the whole content: the entry's `size` bytes, then its `extra` (entry.h), which opening fills in
 * too. An extent never reaches over the border of two parts.
 * The extent at `offset`: data or hole, and its length (to the size seen at opening at most). Holes are
 * reported where the file system says so inside a shadow; live, where SEEK_HOLE says so and the file did not
 * change by the end (checked in sp_reading_close). */
enum sp_code sp_reading_extent(struct sp_reading *r, uint64_t offset, bool *ret_hole,
    uint64_t *ret_length, struct sp_err *e);
/* Up to n bytes at offset; *ret_n = 0: the file ends here (it shrank, when before its size). */
enum sp_code sp_reading_read(struct sp_reading *r, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e);
/* Tells whether size, mtime or ctime differ from the opening; closes and frees in every case. */
enum sp_code sp_reading_close(struct sp_reading *r, bool *ret_changed, struct sp_err *e);

#endif
