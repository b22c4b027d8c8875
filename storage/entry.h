#ifndef SP_STORAGE_ENTRY_H
#define SP_STORAGE_ENTRY_H

/* One entry of the catalog: a file system object with all that is kept of it (docs/format.md §10, message
 * Entry). A plain structure of views: whoever fills it owns what it points to. sp_entry_copy makes one
 * that owns everything in a single allocation. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/block.h"

enum sp_entry_type {
    SP_ENTRY_FILE = 1,
    SP_ENTRY_DIR = 2,
    SP_ENTRY_LINK = 3,
    SP_ENTRY_CHAR = 4,
    SP_ENTRY_BLOCK = 5,
    SP_ENTRY_FIFO = 6,
    SP_ENTRY_SOCKET = 7
};

enum { /* flags */
    SP_ENTRY_IMPLIED = 1,
    SP_ENTRY_RECHECK = 2,
    SP_ENTRY_UNREADABLE = 4,
    SP_ENTRY_CHANGED = 8,
    SP_ENTRY_WINDOWS = 16, /* of NTFS: mode, owner and device mean nothing, `windows.` attributes do */
    SP_ENTRY_AWAY = 32     /* the `size` bytes are not in the set (a hole stands for them): a cloud
                              placeholder, or encrypted, with its raw form in `extra` */
};

struct sp_segment {
    uint64_t length;
    bool hole;
    struct sp_id id; /* zero for a hole */
};

struct sp_attribute {
    const char *name; /* NUL-terminated */
    const uint8_t *value;
    size_t len; /* of value; 0 with `external` */
    bool external;
    struct sp_id id; /* chunk with the value, when external */
};

struct sp_entry {
    const uint8_t *key;
    size_t key_len;
    enum sp_entry_type type;
    uint32_t flags;
    uint64_t size; /* bytes of a file; 0 for everything else */
    uint64_t extra; /* bytes behind them in the content that are not the file's own: long alternate
                       streams, EFS raw data (client/ntfs_meta.h) */
    int64_t mtime_ns, ctime_ns, btime_ns; /* btime 0: not known */
    int64_t atime_ns;                     /* 0: not kept */
    uint64_t file_id;
    uint32_t device, links;
    uint32_t mode, uid, gid;
    const char *user, *group; /* names; "" when unknown; never NULL */
    uint64_t rdev;
    const uint8_t *target; /* of a symbolic link */
    size_t target_len;
    const struct sp_segment *segments;
    size_t nsegments;
    bool has_list; /* then `list` is the root of the chunk lists and segments is empty */
    struct sp_id list;
    const struct sp_attribute *attributes; /* sorted by name */
    size_t nattributes;
};

/* What a node can hold; the catalog's writer refuses more with SP_INVALID. */
#define SP_KEY_MAX (128u << 10)   /* bytes of a key */
#define SP_ENTRY_MAX (512u << 10) /* bytes of an entry as encoded, its key included */
#define SP_ENTRY_MAX_ATTRIBUTES 16384

/* The length of all that the segments or the chunk lists hold. The sum never overflows in an entry that was
 * read from a node. */
static inline uint64_t
sp_entry_content(const struct sp_entry *en)
{
    return en->size + en->extra;
}

/* A copy in one allocation: free() it. */
enum sp_code sp_entry_copy(const struct sp_entry *en, struct sp_entry **ret, struct sp_err *e);
size_t sp_entry_memory(const struct sp_entry *en); /* what a copy takes, for bounding queues */
/* What "unchanged" means (design §3): type, size, mtime, ctime and file id agree, and neither flag
 * RECHECK, UNREADABLE nor CHANGED is set in `old`, and both or neither are of Windows, and away. Never the
 * device, never atime, never `extra`: a listing does not know it. */
bool sp_entry_unchanged(const struct sp_entry *old, const struct sp_entry *now);
/* The same content by its chunks. */
bool sp_entry_same_content(const struct sp_entry *a, const struct sp_entry *b);
/* Everything but times of access, file id, device and ctime agrees: what `diff` calls the same. The
 * flags IMPLIED and RECHECK say how the entry came to be, not what the file is, and do not count. */
bool sp_entry_same(const struct sp_entry *a, const struct sp_entry *b);
/* docs/format.md §10: the content hash. */
enum sp_code sp_entry_content_hash(const struct sp_entry *en, uint8_t ret[32], struct sp_err *e);

#endif
