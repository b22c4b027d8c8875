#ifndef SP_TESTS_SFTP_FAKE_H
#define SP_TESTS_SFTP_FAKE_H

/* An SFTP server in memory: files and folders, and links to it (storage/sftp_conn.h), each with a
 * thread. It is strict and honest unless its options say otherwise: it answers in order, whole, and
 * ends the program with a sentence when a client breaks the protocol, sends a packet over 256 KiB
 * + 1 KiB, or uses a handle that it has not (none of that while it lies).
 *
 * Paths: absolute, or relative to `home`. A folder's name must exist to put something into it, as
 * on a disk; fake_put makes the folders on the way. Any thread may call; options change at any
 * time, also while links are open. */

#include "base/thread.h"
#include "storage/sftp_conn.h"
#include "storage/sftp_packet.h"

struct fake_server;

/* What a server that lies says. `lie_on`: to which requests (SP_FXP_…; 0: all after VERSION, where
 * the lie fits). `lie_after`: how many of those are answered honestly before. */
enum fake_lie {
    FAKE_HONEST,
    /* Of any answer. */
    FAKE_UNKNOWN_ID,     /* an id that nobody asked with */
    FAKE_WRONG_TYPE,     /* a whole packet of another type than is due */
    FAKE_NO_TYPE,        /* type 77 */
    FAKE_REQUEST_TYPE,   /* the server asks: SSH_FXP_OPEN */
    FAKE_LENGTH_HUGE,    /* length 0xffffffff */
    FAKE_LENGTH_OVER,    /* length 256 KiB + 1 KiB + 1 */
    FAKE_LENGTH_ZERO,    /* length 0 */
    FAKE_LENGTH_SHORT,   /* length 3: no room for an id */
    FAKE_TRUNCATED,      /* the packet ends inside a field, its length says so too */
    FAKE_TRAILING,       /* bytes behind the last field */
    FAKE_TWICE,          /* the same answer twice */
    FAKE_STRING_OVER,    /* a string's length goes beyond the packet */
    FAKE_VERSION_AGAIN,  /* a second VERSION */
    FAKE_SILENT,         /* no answer, ever */
    FAKE_GARBAGE,        /* 4096 random bytes instead */
    FAKE_STATUS_UNKNOWN, /* status 0xdeadbeef */
    FAKE_STATUS_SPEAKS,  /* failure, with 100 KiB of text: escapes, a line of "password:" */
    FAKE_STATUS_OK,      /* success where bytes are due */
    /* Of VERSION. */
    FAKE_VERSION_GARBAGE,
    FAKE_VERSION_2,
    FAKE_VERSION_ENDLESS_PAIRS, /* 200 KiB of extensions */
    FAKE_LIMITS_HUGE,           /* limits@openssh.com: everything 2^64 - 1 */
    FAKE_LIMITS_ZERO,
    /* Of handles, names and data. */
    FAKE_HANDLE_LONG, /* 257 bytes */
    FAKE_HANDLE_EMPTY,
    FAKE_NAME_SLASH, /* "../../etc/passwd" is among the names */
    FAKE_NAME_LONG,  /* a name of 300 bytes */
    FAKE_NAME_NUL,
    FAKE_NAME_EMPTY,
    FAKE_NAME_COUNT_HUGE,   /* says that there are 2^32 - 1 of them */
    FAKE_NAME_NONE,         /* an answer with no names, over and over, never the end */
    FAKE_LISTING_ENDLESS,   /* the same names again and again, never the end */
    FAKE_LISTING_NEW_NAMES, /* new names for ever */
    FAKE_FOLDERS_ENDLESS,   /* every folder has a folder */
    FAKE_ATTRS_EXTENDED,    /* says that 2^32 - 1 extended attributes follow */
    FAKE_DATA_LONG,         /* one byte more than asked for */
    FAKE_DATA_EMPTY,        /* no byte, and no end of file */
    FAKE_SIZE_HUGE,         /* attributes say 2^63 bytes */
    FAKE_REALPATH_MANY,     /* two names */
    FAKE_STATVFS_HUGE,      /* block size times blocks is over 2^64 */
    FAKE_LIES
};

struct fake_options {
    bool no_fsync, no_statvfs, no_limits; /* not offered, and refused as unsupported */
    bool no_extension_names;              /* offered nowhere in VERSION, but answered */
    bool rename_replaces;
    bool remove_denied; /* REMOVE, RMDIR: permission denied; an append-only account */
    bool rename_denied;
    bool untold_times; /* only FSTAT tells times, neither a listing nor LSTAT */
    bool folders_open; /* OPEN of a folder, to read, gives a handle that FSYNC takes */
    bool no_overwrite; /* OPEN to write of a file that is there: permission denied, as ProFTPD's
                          AllowOverwrite off, SFTPGo without "overwrite" */
    bool read_only; /* OPEN to write, MKDIR, REMOVE, RENAME: permission denied */
    bool fsync_fails, close_fails;
    uint32_t write_fails_at; /* the n-th WRITE from when it was set (from 1) fails; 0: none */
    bool rename_untold;      /* RENAME is done and answered "failure" */
    uint64_t full_at;     /* what all files together may have; 0: no bound. WRITE then: failure */
    uint64_t total_bytes; /* statvfs; 0: 1 TiB */
    uint32_t short_reads; /* a READ gives at most so many bytes; 0: what is asked for */
    uint32_t short_listings;      /* names in one answer to READDIR; 0: 100 */
    uint32_t read_max, write_max; /* of limits@openssh.com; 0: 261120 */
    uint32_t delay_ms;            /* every answer comes so much after its request: a far server */
    bool reorder;                 /* answers of what came together are in another order */
    uint32_t fragment;   /* bytes are handed over and taken in pieces of so many; 0: all at once */
    enum sp_code refuse; /* fake_connect fails: SP_UNREACHABLE, SP_AUTH, … */
    uint32_t stall_ms;   /* a link whose client waits so long for an answer is lost with
                            SP_TIMEOUT, as ssh.h's; 0: 10 s */
    enum fake_lie lie;
    uint8_t lie_on;
    uint32_t lie_after;
};

/* `home`: where relative paths begin and "." resolves to ("/" for a chroot); it is made. */
struct fake_server *fake_new(const char *home);
void fake_free(struct fake_server *f); /* no link may live */
void fake_set(struct fake_server *f, const struct fake_options *o);
struct fake_options fake_get(struct fake_server *f);
/* `arg` is the server: for struct sp_sftp_backend_options. */
enum sp_code fake_connect(void *arg, struct sp_sftp_link **ret, struct sp_err *e);
/* fake_connect and sp_sftp_conn_new; fails the program where that fails. */
struct sp_sftp_conn *fake_conn(struct fake_server *f);

/* Called by a link's thread: true where its allocations are the server's own, false before it calls
 * the client. NULL: nobody is interested. Set before the first link is made. */
extern void (*fake_own_memory)(bool own);

/* Cuts a connection at its n-th request of this kind from now (from 1; type 0: of any kind): before
 * it took effect, or after, its answer lost. One cut is armed at a time; `all`: every link is cut
 * with it. n = 0 disarms. */
void fake_cut(struct fake_server *f, uint8_t type, unsigned n, bool after, bool all);
bool fake_was_cut(struct fake_server *f); /* the armed cut has happened */
void fake_cut_now(struct fake_server *f); /* all links, at once */
/* The machine lost its power: all links are cut, and of every file the last `lost` bytes that no
 * fsync covers are gone. */
void fake_crash(struct fake_server *f, uint64_t lost);

/* The server's clock: seconds since 1970; begins at 1800000000 and stands until moved. */
void fake_clock(struct fake_server *f, uint32_t seconds);
uint32_t fake_now(struct fake_server *f);
void fake_touch(struct fake_server *f, const char *path, uint32_t mtime);

/* What a test sees and does past the protocol. Absolute paths or below home. */
void fake_put(struct fake_server *f, const char *path, const void *p, size_t n);
bool fake_read(struct fake_server *f, const char *path, struct sp_buf *ret); /* false: absent */
bool fake_there(struct fake_server *f, const char *path);
bool fake_delete(struct fake_server *f, const char *path); /* with what is below it */
bool fake_flip(struct fake_server *f, const char *path, uint64_t offset);
bool fake_cut_file(struct fake_server *f, const char *path, uint64_t size);
void fake_link_file(struct fake_server *f, const char *path); /* a symbolic link, to nowhere */
size_t fake_count(struct fake_server *f, const char *folder); /* files below it */
/* Each file below `folder`, by its path relative to it. */
void fake_each(struct fake_server *f, const char *folder,
    void (*each)(void *arg, const char *name, uint64_t size), void *arg);
size_t fake_requests(struct fake_server *f, uint8_t type); /* since the start; 0: of all kinds */
size_t fake_handles(struct fake_server *f);                /* open, of all links */
size_t fake_links(struct fake_server *f);
size_t fake_most_waiting(struct fake_server *f); /* answers that waited at once, at most */
/* Round trips: how often a link went from nothing under way to something, of all links. With
 * delay_ms a true count of what a far server costs, in delays. */
size_t fake_rounds(struct fake_server *f);

#endif
