#ifndef SP_TESTS_MEMDISK_IMPL_H
#define SP_TESTS_MEMDISK_IMPL_H

/* What memdisk.c (files and folders), memdisk_os.c (the table), memdisk_log.c (the log and its
 * replay) and memdisk_residue.c (what a cut leaves) share. No memory is the end of the test. */

#include "base/thread.h"
#include "memdisk.h"

#define PAGE 4096u

struct blob { /* bytes, shared until somebody writes */
    size_t refs, n, cap;
    uint8_t *p;
    uint64_t number; /* of the bytes; 0: not known */
};

struct value { /* what a name led to, from operation `seq` on names onwards; 0: to nothing */
    uint64_t seq;
    uint32_t inode;
};

struct slot { /* a name in a folder; the first value is durable, the last one is what is seen */
    char *name;
    struct value *values;
    size_t n;
    bool lost; /* a flush of the folder failed: another helps when the name changed again */
};

struct inode {
    uint32_t id;
    bool folder;
    uint32_t parent;    /* of a folder */
    struct slot *slots; /* by name */
    size_t nslots, cap;
    struct blob *data, *durable;
    int64_t mtime_ns;
    uint64_t seq; /* the last operation on names when it was touched */
    bool lost;    /* a flush of the file failed: no later one helps */
};

enum op_kind {
    OP_CREATE,
    OP_WRITE,
    OP_SYNC,
    OP_PUBLISH,
    OP_REPLACE,
    OP_REMOVE,
    OP_MKDIR,
    OP_RMDIR,
    OP_SYNC_DIR,
    OP_SETTLE
};

struct op {
    enum op_kind kind;
    char *text;         /* "publish /a /b" */
    char *path, *other; /* other: where from */
    uint32_t inode;     /* OP_WRITE, OP_SYNC */
    uint64_t offset;
    struct blob *bytes;
    bool failed; /* a flush */
};

struct memdisk {
    struct sp_os os;
    enum memdisk_mode mode;
    struct sp_mutex lock;
    struct inode **inodes; /* by id; 0 is nothing, 1 the root */
    size_t ninodes, inodes_cap;
    uint64_t seq;       /* operations on names so far */
    uint64_t committed; /* `ordered`: that many are durable */
    bool frozen;        /* `ordered`: the log could not be written: nothing is any more */
    int64_t now_ns;
    size_t open;

    struct op *ops;
    size_t nops, ops_cap;
    struct memdisk *start;

    size_t cut_at, fail_at;
    int cut_number, fail_number;
    bool off;
};

void *memdisk_need(void *p); /* not NULL, or the end */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);
struct blob *blob_new(const void *p, size_t n);
/* For writing: not shared, and at least n bytes long. */
void blob_own(struct blob **b, size_t n);

struct memdisk *memdisk_blank(enum memdisk_mode mode);
/* What is on it, without its log. */
struct memdisk *memdisk_copy(const struct memdisk *d);
struct inode *memdisk_inode(struct memdisk *d, bool folder);
/* Sets what `name` leads to (0: nothing), as a new operation on names `seq`. */
void memdisk_enter(struct inode *folder, const char *name, uint64_t seq, uint32_t inode);
bool memdisk_posix(const struct memdisk *d); /* names are each on their own */

/* The operations, without the log: errno, or 0. */
int memdisk_find(const struct memdisk *d, const char *path, struct inode **ret);
int memdisk_do_create(struct memdisk *d, const char *path, struct inode **ret);
void memdisk_do_write(struct memdisk *d, struct inode *f, uint64_t at, const void *p, size_t n);
int memdisk_do_sync(struct memdisk *d, struct inode *f, int fault);
int memdisk_do_sync_dir(struct memdisk *d, const char *path, int fault);
int memdisk_do_rename(struct memdisk *d, const char *from, const char *to, bool exclusive);
int memdisk_do_remove(struct memdisk *d, const char *path, bool folder);
int memdisk_do_mkdir(struct memdisk *d, const char *path);
void memdisk_do_settle(struct memdisk *d);

/* Writes an operation down that was done. */
struct op *memdisk_note(struct memdisk *d, enum op_kind kind, const char *path, const char *other);

#endif
