#ifndef SP_STORAGE_INDEX_CACHE_H
#define SP_STORAGE_INDEX_CACHE_H

/* The local folder of one repository's index segments: copies of index/<xx>/<sha256> under
 * <sha256>, checked by hash when fetched, and <sha256>.local for segments that are in no repository
 * (yet). Several processes may share it: files appear whole and are never changed. Losing it costs
 * time only (R5). */

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"
#include "storage/backend.h"
#include "storage/index.h"

struct sp_index_cache {
    const struct sp_env *env;
    char *folder;
};

/* cache_dir/<id in hex>, made when missing; what dead processes left half-written is removed. */
enum sp_code sp_index_cache_open(const struct sp_env *env, const char *cache_dir,
    const uint8_t repository[16], struct sp_index_cache *ret, struct sp_err *e);
void sp_index_cache_close(struct sp_index_cache *c);

/* Whose folder it was that failed, and what to do about it. */
void sp_index_cache_context(const char *folder, struct sp_err *e);

#define SP_INDEX_TEMPORARY "tmp-"
#define SP_INDEX_LOCAL ".local"
/* The file of a segment, malloc'd; NULL when there is no memory. */
char *sp_index_cache_path(const struct sp_index_cache *c, const uint8_t name[32], bool local);

struct sp_index_file { /* being written; at: where the next write goes */
    const struct sp_os *os;
    const char *folder; /* the cache's */
    char *path;
    struct sp_file *f;
    uint64_t at;
};
enum sp_code
sp_index_file_begin(struct sp_index_cache *c, struct sp_index_file *w, struct sp_err *e);
enum sp_code
sp_index_file_write(struct sp_index_file *w, const void *p, size_t n, struct sp_err *e);
/* Flushes and names it, unless rc says that it is not whole; releases w. Gives rc, or what failed
 * here. */
enum sp_code sp_index_file_end(struct sp_index_cache *c, struct sp_index_file *w,
    const uint8_t name[32], bool local, enum sp_code rc, struct sp_err *e);

void sp_index_object_name(const uint8_t name[32], char to[96]);
bool sp_index_object_parse(const char *object, uint8_t ret_name[32]);

#define SP_INDEX_SEGMENT_MAX (512u << 20) /* twice the largest that a writer makes */
/* Copies a segment out of the repository, in pieces as they come; end in every case after begin. */
struct sp_index_fetch {
    struct sp_index_file w;
    struct sp_sha256 *hash;
};
enum sp_code sp_index_fetch_begin(
    struct sp_index_cache *c, struct sp_index_fetch *f, struct sp_err *e);
enum sp_code sp_index_fetch_add(struct sp_index_fetch *f, const void *p, size_t n, struct sp_err *e);
/* rc: what failed so far that is not the repository's copy; it is given back, with `e` as it is. whole: all of it
 * was added. *ret_good = false, with SP_OK: the repository's copy is not to be had or not what its name says (*why
 * tells, unless it was not whole); the caller does without it. A failure is one of the local folder. */
enum sp_code sp_index_fetch_end(struct sp_index_cache *c, struct sp_index_fetch *f,
    const uint8_t name[32], enum sp_code rc, bool whole, bool *ret_good, struct sp_err *why,
    struct sp_err *e);
enum sp_code sp_index_cache_write(struct sp_index_cache *c, const uint8_t name[32], bool local,
    const void *p, size_t n, struct sp_err *e);
/* SP_ABSENT, or SP_CORRUPT: then the file is removed. */
enum sp_code sp_index_cache_use(struct sp_index_cache *c, const uint8_t name[32], bool local,
    bool keep_filter, struct sp_index_segment **ret, struct sp_err *e);
/* Copies a local segment into the repository (being there already is success) and gives its file
 * the name of a copy. */
enum sp_code sp_index_cache_publish(
    struct sp_index_cache *c, struct sp_backend *b, const uint8_t name[32], struct sp_err *e);
/* A file that cannot be removed (in use elsewhere) harms nobody. */
void sp_index_cache_remove(struct sp_index_cache *c, const uint8_t name[32], bool local);
enum sp_code sp_index_cache_list(struct sp_index_cache *c,
    enum sp_code (*each)(void *arg, const uint8_t name[32], bool local, struct sp_err *e),
    void *arg, struct sp_err *e);

#endif
