#ifndef SP_CLIENT_TARGET_H
#define SP_CLIENT_TARGET_H

/* The folder that is restored to: the platform's half of a restore (target_*_posix.c, target_*_win32.c).
 * It makes what it is told to make and sets what an entry says; what to make and what to leave alone is the
 * caller's business (restore_*.c).
 *
 * Safety (R24): everything happens relative to folder handles, one name at a time, and no link is followed
 * below the target, whose own path may contain links. A handle remembers which folder it was (device and
 * inode); its descriptor may be closed when others are needed more, and comes back by walking down again,
 * each step held against what it was. So another process may rename folders and put links in their place:
 * nothing is ever written outside of the folders that were opened here.
 *
 * New files and links are made under a temporary name in their folder, with owner-only rights, get their
 * attributes through their handle, and their real name last. What a broken run leaves under such names is
 * removed by the next one that writes in the folder.
 *
 * Faults have the domain DESTINATION. Any thread may call anything; one file is used by one thread at a
 * time. */

#include "base/os.h"
#include "storage/entry.h"

struct sp_target;
struct sp_target_dir;  /* a folder, counted */
struct sp_target_file; /* a file being written */
struct sp_target_old;  /* an existing file being read */

/* Values of attributes beyond this are not set anywhere (Linux: XATTR_SIZE_MAX). */
#define SP_TARGET_ATTRIBUTE_MAX (64u << 10)
/* Values of one object that are chunks; what is beyond them is told as lost. */
#define SP_TARGET_LONG_ATTRIBUTES 256

struct sp_target_options {
    const char *path; /* NULL: in place, from the root of the file system */
    bool make;        /* make the folder, and those above it, when missing */
    bool probe;       /* find out by doing whether names that differ in case only are one */
    bool numeric_owner;
    /* Some kind of attribute cannot be had here: called once for each kind. May be NULL. */
    void (*note)(void *arg, const char *sentence);
    void *arg;
};

/* SP_ABSENT: not there, and not to be made. */
enum sp_code sp_target_open(const struct sp_env *env, const struct sp_target_options *o,
    struct sp_target **ret, struct sp_err *e);
void sp_target_free(struct sp_target *t); /* after its last folder was released; NULL is harmless */
struct sp_target_dir *sp_target_root(struct sp_target *t); /* borrowed */
bool sp_target_made(const struct sp_target *t);            /* the folder itself did not exist before */
/* Names that differ in case only are one name in this folder. */
bool sp_target_folds(const struct sp_target_dir *d);
uint64_t sp_target_unsupported(const struct sp_target *t); /* attributes that could not be had, so far */

/* One component in the grammar of this platform: SP_INVALID says what is wrong with it. `d`: the folder it
 * is to be in (NULL: any); `flags`: of its entry. Windows: a name that programs cannot handle (CON, a dot at
 * the end) is refused unless it comes from Windows, whose NTFS can hold it. In the target's own folder there,
 * what a key begins with stands for the name of a folder: "C:" for C, "\\server\share" for server+share,
 * "\\?\Volume{…}" for Volume{…}; no two of them are the same. In place these are the drives and shares
 * themselves, and nothing else can be there. */
enum sp_code sp_target_name_check(const struct sp_target_dir *d, const void *name, size_t n, uint32_t flags,
    struct sp_err *e);

/* What is there; a link is looked at itself. */
struct sp_target_stat {
    enum sp_entry_type type;
    uint64_t size; /* of a file */
    int64_t mtime_ns;
    uint64_t device, inode;
    uint64_t links;
};
/* SP_ABSENT: nothing there. */
enum sp_code sp_target_look(struct sp_target_dir *d, const char *name, struct sp_target_stat *ret,
    struct sp_err *e);
/* Removes one name: never what is inside a folder (SP_EXISTS: it is not empty). */
enum sp_code sp_target_remove(struct sp_target_dir *d, const char *name, bool is_dir, struct sp_err *e);

/* --- folders ------------------------------------------------------------------------------------- */

/* A new one, for its owner only until sp_target_dir_apply; SP_EXISTS: the name is taken. `en`: what it will
 * become, or NULL where nothing is known of it: Windows gives some of that only while it is empty. */
enum sp_code sp_target_dir_make(struct sp_target_dir *up, const char *name, const struct sp_entry *en,
    struct sp_target_dir **ret, struct sp_err *e);
/* One that exists. SP_REFUSED: it is something else, or a link. */
enum sp_code sp_target_dir_enter(struct sp_target_dir *up, const char *name, struct sp_target_dir **ret,
    struct sp_err *e);
/* Made by this target and never entered: only what was made in it since can be there. */
bool sp_target_dir_is_new(const struct sp_target_dir *d);
struct sp_target_dir *sp_target_dir_hold(struct sp_target_dir *d);
void sp_target_dir_release(struct sp_target_dir *d); /* NULL is harmless */
/* Makes sure that its owner, when that is who runs this, may search and write it; remembers mode and time
 * of modification for put_back. A folder of somebody else stays as it is. */
enum sp_code sp_target_dir_open_up(struct sp_target_dir *d, struct sp_err *e);
/* Mode as before open_up; the time of modification too when `time`. Nothing without open_up before. */
enum sp_code sp_target_dir_put_back(struct sp_target_dir *d, bool time, struct sp_err *e);
/* Owner, attributes, mode and times of `en`: when everything inside is done. */
enum sp_code sp_target_dir_apply(struct sp_target_dir *d, const struct sp_entry *en, struct sp_err *e);

/* --- files --------------------------------------------------------------------------------------- */

/* In the whole of these, `en` has the values of its attributes inline. `replace`: whatever has the name is
 * replaced, but a folder only when it is empty; else SP_EXISTS. `flaw` is cleared, or says which attribute
 * could not be set although everything else is done; `ret` (may be NULL) tells what has the name now. */

/* `en` is what it will become: its size, extra and flags, and its attributes where their values are short (long
 * ones may still be on their way). SP_UNSUPPORTED: such a thing cannot be made here (SP_ENTRY_AWAY on a system
 * that has no such files): the sentence says why, and where it can. */
enum sp_code sp_target_file_create(struct sp_target_dir *d, const struct sp_entry *en,
    struct sp_target_file **ret, struct sp_err *e);
/* Writes all n bytes or fails. Offsets run over the content: what lies behind `size` goes to the parts that
 * `extra` stands for, in rising order; where the target cannot have them it is told by `note`, once, and
 * swallowed. What is never written is a hole. */
enum sp_code sp_target_file_write(struct sp_target_file *f, uint64_t offset, const void *p, size_t n,
    struct sp_err *e);
/* To the file's own size, without `extra`. */
enum sp_code sp_target_file_resize(struct sp_target_file *f, uint64_t size, struct sp_err *e);
/* Checks the size, sets attributes, closes, gives the name. Frees f in every case; what has not got its name
 * is removed. */
enum sp_code sp_target_file_publish(struct sp_target_file *f, const struct sp_entry *en,
    const char *name, bool replace, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e);
void sp_target_file_drop(struct sp_target_file *f); /* removes it; NULL is harmless */

/* Everything else but folders: symbolic links, devices, FIFOs, sockets. */
enum sp_code sp_target_special(struct sp_target_dir *d, const struct sp_entry *en, const char *name,
    bool replace, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e);

/* Another name, that of `en`, for what has the name `from_name` and is still what `from` says (else
 * SP_CHANGED).
 * SP_UNSUPPORTED: not between these two, not on this file system, or no more links allowed. */
enum sp_code sp_target_link(struct sp_target_dir *from_dir, const char *from_name,
    const struct sp_target_stat *from, struct sp_target_dir *d, const struct sp_entry *en,
    const char *name, bool replace, struct sp_err *e);

/* --- what exists --------------------------------------------------------------------------------- */

/* Gives an existing file, link, device, FIFO or socket the attributes of `en`, whose type and content it is
 * known to have. When it has other names too, and `en` has not or an attribute differs, those names must not be
 * touched: a file is copied (SP_UNSUPPORTED for the other types: make it anew). SP_CHANGED: something else is
 * there now. */
enum sp_code sp_target_adjust(struct sp_target_dir *d, const char *name, const struct sp_entry *en,
    struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e);
/* A link, device, FIFO or socket is what `en` says, attributes aside. */
enum sp_code sp_target_is_same(struct sp_target_dir *d, const char *name, const struct sp_entry *en,
    bool *ret, struct sp_err *e);

/* SP_REFUSED: it is no regular file. */
enum sp_code sp_target_old_open(struct sp_target_dir *d, const char *name, struct sp_target_old **ret,
    struct sp_err *e);
/* Fewer than n bytes only at the end of the file. */
enum sp_code sp_target_old_read(struct sp_target_old *o, uint64_t offset, void *to, size_t n,
    size_t *ret_n, struct sp_err *e);
/* The file system knows this range as a hole, but for zeros at its ends where blocks begin and end. */
bool sp_target_old_is_hole(struct sp_target_old *o, uint64_t offset, uint64_t n);
void sp_target_old_close(struct sp_target_old *o); /* NULL is harmless */

#endif
