#ifndef SP_TESTS_NTFS_DOUBLE_TREE_H
#define SP_TESTS_NTFS_DOUBLE_TREE_H

/* Inside the double: volumes, file records, names, streams, handles. Everything is under one lock,
 * taken by double_table.c and double_build.c; the functions here believe that it is held. A failure
 * is told by a number of Windows (dbl_fail gives the code to it), as the system itself tells it. */

#include "base/thread.h"
#include "double.h"

#define DBL_BLOCK                                                                                  \
    ((size_t)64 << 10)  /* granularity of holes: MS-FSA FSCTL_QUERY_ALLOCATED_RANGES, NTFS */
#define DBL_SECTION 256 /* blocks */
#define DBL_CLUSTER 4096u
#define DBL_MAX_LINKS                                                                              \
    1024 /* learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-createhardlinka */
/* What SetFileAttributes can set: learn.microsoft.com/en-us/windows/win32/api/fileapi/
 * nf-fileapi-setfileattributesw */
#define DBL_SETTABLE                                                                               \
    (NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE | NTFS_TEMPORARY | NTFS_OFFLINE |    \
        NTFS_NOT_INDEXED | NTFS_PINNED | NTFS_UNPINNED)

/* winerror.h, by what the file system means */
enum {
    W_BAD_FUNCTION = 1,
    W_FILE_NOT_FOUND = 2,
    W_PATH_NOT_FOUND = 3,
    W_ACCESS_DENIED = 5,
    W_INVALID_HANDLE = 6,
    W_NO_MEMORY = 8,
    W_OTHER_DEVICE = 17,
    W_WRITE_PROTECT = 19,
    W_SHARING = 32,
    W_NOT_SUPPORTED = 50,
    W_DUP_NAME = 52,
    W_INVALID_PARAMETER = 87,
    W_DISK_FULL = 112,
    W_INVALID_NAME = 123,
    W_DIR_NOT_EMPTY = 145,
    W_ALREADY_EXISTS = 183,
    W_FILE_TOO_LARGE = 223,
    W_INVALID_EA_NAME = 254,
    W_EA_LIST_BAD = 255,
    W_DIRECTORY = 267,
    W_NO_EAS = 282,
    W_DELETE_PENDING = 303,
    W_IO_DEVICE = 1117,
    W_TOO_MANY_LINKS = 1142,
    W_JOURNAL_OFF = 1179,
    W_JOURNAL_GONE = 1181,
    W_INVALID_OWNER = 1307,
    W_NO_PRIVILEGE = 1314,
    W_BAD_SECURITY = 1338,
    W_NOT_REPARSE = 4390,
    W_BAD_REPARSE = 4392,
    W_BAD_TAG = 4393,
    W_TAG_MISMATCH = 4394
};
#define W_IS_FOLDER                                                                                \
    0x10000 /* STATUS_FILE_IS_A_DIRECTORY and W_DIRECTORY at opening: SP_CHANGED                   \
             */

struct dbl_stream {
    struct dbl_stream *next;
    char *name; /* "": the content */
    uint64_t size;
    bool sparse, compressed, removed; /* kept until the record goes: handles point at it */
    uint8_t ***sections; /* of DBL_SECTION blocks; NULL: holes; dbl_zeros: allocated and all zero */
    size_t nsections;
    uint64_t blocks; /* allocated */
};
extern uint8_t dbl_zeros[];

struct dbl_name {
    char *name;
    uint16_t *fold; /* upper case */
    size_t fold_len;
    char short_name[48];         /* "": none */
    struct dbl_node *dir, *node; /* dir: only while not removed */
    uint64_t dir_id;
    struct sp_ntfs_info
        copy;      /* what the listing says; brought up to date by the open handle only */
    unsigned refs; /* handles, and 1 for the folder */
    bool removed;
    bool pending; /* goes with its last handle: MS-FSA DeletePending, without POSIX semantics */
};
struct dbl_node { /* a file record */
    struct dbl_volume *volume;
    struct dbl_node *next; /* of the volume */
    uint64_t id;
    uint32_t attributes, tag;
    int64_t btime, atime, mtime, ctime;
    uint32_t links, handles;
    struct sp_buf security, reparse, eas;
    uint8_t object_id[64];
    bool has_object_id, folder, case_sensitive, encrypted, away, filtered;
    struct dbl_stream *streams;
    struct dbl_name **names; /* of a folder, in the order of their upper case */
    size_t nnames, room;
    struct dbl_name *up; /* a folder's own name; NULL: the root */
    int64_t usn;
    uint32_t reasons; /* of the USN journal, since the first open handle */
    unsigned busy;    /* openings to refuse */
    enum ntfs_double_deny deny;
};
struct dbl_tunnel { /* what a name left behind */
    uint64_t dir_id;
    char *name;
    char short_name[48];
    int64_t btime, at;
};
struct dbl_volume {
    struct ntfs_double *d;
    struct dbl_volume *next;
    char *paths[8];
    enum ntfs_double_kind kind;
    uint32_t flags;
    uint64_t serial, next_id, capacity, used;
    bool short_names;
    struct dbl_node *root, *nodes;
    struct dbl_tunnel tunnels[8];
    size_t ntunnels;
    bool journal, mute;
    uint64_t journal_id, first_usn, next_usn;
    struct sp_buf records; /* from first_usn on */
};
struct ntfs_double {
    struct sp_mutex lock;
    struct sp_ntfs table;
    struct dbl_volume *volumes;
    unsigned may;
    bool key;
    int64_t now;
    uint64_t calls, handles, recalls, fail_at, next_serial;
    enum sp_code fail_code;
    ntfs_double_hook_fn hook;
    void *hook_arg;
};
struct sp_ntfs_handle {
    struct ntfs_double *d;
    struct dbl_volume *volume; /* and no node: the volume itself */
    struct dbl_node *node;
    struct dbl_name *name;     /* NULL: the root */
    struct dbl_stream *stream; /* NULL: a folder, or no content */
    char *stream_name;         /* "" unless it is another stream's handle */
    enum sp_ntfs_access access;
    unsigned may;
    bool set_atime, set_mtime, set_ctime; /* MS-FSA 2.1.1.6 UserSet…Time */
    bool gone;                            /* removed by this handle */
};

/* --- double_tree.c: records and names --- */
char *dbl_dup(const char *s);
char *dbl_dup_n(const char *s, size_t n);
void dbl_die(const char *fmt, ...) SP_PRINTF(1, 2);
enum sp_code dbl_fail(struct sp_err *e, int os);
enum sp_code dbl_code(int os);
struct dbl_node *dbl_node_new(struct ntfs_double *d, struct dbl_volume *v, bool folder);
void dbl_node_free(struct dbl_node *n);       /* out of its volume, with all it has */
void dbl_node_maybe_free(struct dbl_node *n); /* when neither a name nor a handle has it */
struct dbl_name *dbl_find(struct dbl_node *dir, const char *name); /* by short name too */
struct dbl_name *dbl_name_add(struct dbl_node *dir, const char *name, struct dbl_node *n);
void dbl_name_take(struct dbl_name *nm); /* out of its folder; the record may go */
void dbl_name_release(struct dbl_name *nm);
void dbl_refresh(struct dbl_name *nm); /* what the listing says */
void dbl_info_of(const struct dbl_node *n, const struct dbl_stream *s, struct sp_ntfs_info *ret);
void dbl_path_of(const struct dbl_node *n, const struct dbl_name *nm, struct sp_buf *ret);

/* --- double_table.c, double_calls.c --- */
/* SP_OK or an injected failure; the lock is held in both cases, until dbl_leave. */
enum sp_code dbl_enter(struct ntfs_double *d, const char *call, const struct sp_ntfs_handle *h,
    const char *name, struct sp_err *e);
enum sp_code dbl_leave(struct ntfs_double *d, enum sp_code rc); /* gives rc */
void dbl_table_fill(struct ntfs_double *d);
void dbl_calls_fill(struct sp_ntfs *t);

/* --- double_fold.c: names --- */
void dbl_fold(const char *name, uint16_t **ret, size_t *ret_n); /* upper case; NULL: not WTF-8 */
bool dbl_same_name(const char *a, const char *b, bool sensitive);
bool dbl_name_ok(const char *name);
bool dbl_short_ok(const char *name); /* 8.3 */
bool dbl_short_same(const char *a, const char *b);
void dbl_short_make(struct dbl_node *dir, const char *name, char to[48]);

/* --- double_time.c --- */
enum { T_ACCESS = 1, T_MODIFY = 2, T_CHANGE = 4, T_ARCHIVE = 8 };
void dbl_touch(struct ntfs_double *d, struct dbl_node *n, struct sp_ntfs_handle *h, unsigned what);
int64_t
dbl_grain(const struct dbl_volume *v, char which, int64_t ticks); /* as the volume keeps times */
void dbl_tunnel_put(struct ntfs_double *d, const struct dbl_name *nm);
void dbl_tunnel_take(struct ntfs_double *d, struct dbl_name *nm);

/* --- double_stream.c: content --- */
struct dbl_stream *dbl_stream_find(struct dbl_node *n, const char *name);
struct dbl_stream *dbl_stream_add(struct dbl_node *n, const char *name);
void dbl_stream_remove(struct dbl_node *n, struct dbl_stream *s); /* and its content */
void dbl_stream_free(struct dbl_node *n, struct dbl_stream *s);
uint64_t dbl_stream_allocated(const struct dbl_node *n, const struct dbl_stream *s);
void dbl_stream_read(const struct dbl_stream *s, uint64_t at, uint8_t *to, size_t n);
int dbl_stream_write(
    struct dbl_node *n, struct dbl_stream *s, uint64_t at, const uint8_t *p, size_t len);
int dbl_stream_resize(struct dbl_node *n, struct dbl_stream *s, uint64_t size);
void dbl_stream_zero(struct dbl_node *n, struct dbl_stream *s, uint64_t from, uint64_t to);
int dbl_stream_sparse(struct dbl_node *n, struct dbl_stream *s, bool on);
/* The next allocated range at or after `at`: false: none. */
bool dbl_stream_range(const struct dbl_stream *s, uint64_t at, uint64_t *ret_at, uint64_t *ret_n);

/* --- double_security.c --- */
void dbl_inherit(struct ntfs_double *d, unsigned may, const struct dbl_node *dir, bool folder,
    const void *given, size_t given_len, struct sp_buf *ret);
int dbl_security_set(
    struct dbl_node *n, unsigned may, const void *p, size_t len, bool owner, bool dacl, bool sacl);
void dbl_security_get(const struct dbl_node *n, bool sacl, struct sp_buf *ret);
void dbl_security_root(struct sp_buf *ret);

/* --- double_open.c, double_path.c --- */
enum sp_code
dbl_open_node(struct ntfs_double *d, unsigned may, struct dbl_volume *v, struct dbl_node *n,
    struct dbl_name *nm, enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e);
enum sp_code dbl_open_path(struct ntfs_double *d, unsigned may, const char *path, bool follow_last,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e);
enum sp_code dbl_open_at(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir,
    const char *name, enum sp_ntfs_what what, enum sp_ntfs_access access,
    struct sp_ntfs_handle **ret, struct sp_err *e);
enum sp_code dbl_open_stream(struct sp_ntfs_handle *h, const char *stream,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e);
enum sp_code dbl_create_at(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir,
    const char *name, bool folder, uint32_t attributes, const void *security, size_t security_len,
    struct sp_ntfs_handle **ret, struct sp_err *e);
void dbl_close(struct sp_ntfs_handle *h);
struct dbl_volume *dbl_volume_at(struct ntfs_double *d, const char *path, size_t *ret_len);
void dbl_fetch(struct ntfs_double *d, struct dbl_node *n); /* a recall */
bool dbl_can(const struct sp_ntfs_handle *h, enum sp_ntfs_access least);
bool dbl_is_empty_folder(const struct dbl_node *n);

/* --- what the table does with a handle: double_look.c, double_content.c, double_change.c,
 * double_names.c, double_control.c, double_efs.c --- */
enum sp_code
dbl_volume_info(struct sp_ntfs_handle *h, struct sp_ntfs_volume *ret, struct sp_err *e);
enum sp_code dbl_info(struct sp_ntfs_handle *h, struct sp_ntfs_info *ret, struct sp_err *e);
struct dbl_listing { /* what a listing says, out of the lock */
    struct dbl_line {
        char *name;
        char short_name[48];
        struct sp_ntfs_info info;
    } * lines;
    size_t n;
};
enum sp_code
dbl_list(struct sp_ntfs_handle *h, const char *only, struct dbl_listing *ret, struct sp_err *e);
enum sp_code dbl_streams(struct sp_ntfs_handle *h, struct dbl_listing *ret, struct sp_err *e);
void dbl_listing_free(struct dbl_listing *l);
enum sp_code dbl_security(struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e);
enum sp_code dbl_eas(struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e);
enum sp_code dbl_case_sensitive(struct sp_ntfs_handle *h, bool *ret, struct sp_err *e);
enum sp_code dbl_control(struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t in_len,
    size_t room, struct sp_buf *ret, bool *ret_more, struct sp_err *e);
enum sp_code dbl_read(
    struct sp_ntfs_handle *h, uint64_t at, void *to, size_t n, size_t *ret_n, struct sp_err *e);
enum sp_code
dbl_write(struct sp_ntfs_handle *h, uint64_t at, const void *p, size_t n, struct sp_err *e);
enum sp_code dbl_resize(struct sp_ntfs_handle *h, uint64_t size, struct sp_err *e);
enum sp_code dbl_efs_export(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir,
    const char *name, struct sp_buf *ret, struct sp_err *e);
enum sp_code dbl_efs_import(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir,
    const char *name, bool folder, const struct sp_buf *raw, struct sp_err *e);
enum sp_code
dbl_set_basic(struct sp_ntfs_handle *h, const struct sp_ntfs_info *to, struct sp_err *e);
enum sp_code dbl_set_security(struct sp_ntfs_handle *h, const void *p, size_t n, bool owner,
    bool dacl, bool sacl, struct sp_err *e);
enum sp_code dbl_set_eas(struct sp_ntfs_handle *h, const void *p, size_t n, struct sp_err *e);
enum sp_code dbl_set_short_name(struct sp_ntfs_handle *h, const char *name, struct sp_err *e);
enum sp_code dbl_set_case_sensitive(struct sp_ntfs_handle *h, bool on, struct sp_err *e);
enum sp_code dbl_rename(struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    bool replace, struct sp_err *e);
enum sp_code dbl_link(struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    bool replace, struct sp_err *e);
enum sp_code dbl_remove(struct sp_ntfs_handle *h, struct sp_err *e);

/* --- double_sparse.c, double_usn.c: parts of dbl_control --- */
int dbl_control_sparse(struct sp_ntfs_handle *h, uint32_t code, struct sp_cur *in, size_t room,
    struct sp_buf *ret, bool *ret_more);
int dbl_control_usn(struct sp_ntfs_handle *h, uint32_t code, struct sp_cur *in, size_t room,
    struct sp_buf *ret, bool *ret_more);

/* --- double_usn.c: learn.microsoft.com/en-us/windows/win32/api/winioctl/ns-winioctl-usn_record_v2
 * --- */
enum {
    USN_DATA_OVERWRITE = 1,
    USN_DATA_EXTEND = 2,
    USN_DATA_TRUNCATION = 4,
    USN_NAMED_OVERWRITE = 0x10,
    USN_NAMED_EXTEND = 0x20,
    USN_NAMED_TRUNCATION = 0x40,
    USN_CREATE = 0x100,
    USN_DELETE = 0x200,
    USN_EA = 0x400,
    USN_SECURITY = 0x800,
    USN_OLD_NAME = 0x1000,
    USN_NEW_NAME = 0x2000,
    USN_INDEXABLE = 0x4000,
    USN_BASIC = 0x8000,
    USN_LINK = 0x10000,
    USN_COMPRESSION = 0x20000,
    USN_ENCRYPTION = 0x40000,
    USN_OBJECT_ID = 0x80000,
    USN_REPARSE = 0x100000,
    USN_STREAM = 0x200000
};
void dbl_usn(struct dbl_node *n, const struct dbl_name *nm, uint32_t reason);
void dbl_usn_close(struct dbl_node *n, const struct dbl_name *nm); /* the last handle went */

#endif
