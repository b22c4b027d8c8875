/* Files of the local index folder: see index_cache.h. */

#include "storage/index_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "storage/crypto.h"

#define PIECE (1u << 20)
#define TEMPORARY_OLD (24 * 3600 * SP_SECOND)

void
sp_index_object_name(const uint8_t name[32], char to[96])
{
    struct sp_hex hex = sp_hex32(name);

    memcpy(to, "index/", 6);
    memcpy(to + 6, hex.s, 2);
    to[8] = '/';
    memcpy(to + 9, hex.s, 65);
}

bool
sp_index_object_parse(const char *object, uint8_t ret_name[32])
{
    char again[96];
    uint8_t name[32];

    if (strlen(object) != 9 + 64 || !sp_hex_parse(object + 9, name, sizeof(name)))
        return false;
    sp_index_object_name(name, again);
    if (strcmp(object, again) != 0)
        return false;
    memcpy(ret_name, name, sizeof(name));
    return true;
}

void
sp_index_cache_context(const char *folder, struct sp_err *e)
{
    sp_err_context(e,
        "the cache folder %.250s (deleting it costs only time; STILLPOINT_CACHE_DIR names another "
        "place)",
        folder);
}

struct sweep {
    struct sp_index_cache *c;
    int64_t now_ns;
};

static enum sp_code
sweep_one(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sweep *s = arg;
    const struct sp_os *os = s->c->env->os;
    struct sp_err ignored = {0};
    char *path;

    if (strncmp(name, SP_INDEX_TEMPORARY, strlen(SP_INDEX_TEMPORARY)) != 0 ||
        st->type != SP_OS_FILE || s->now_ns - st->mtime_ns < TEMPORARY_OLD)
        return SP_OK;
    if ((path = sp_path_join(s->c->folder, name)) == NULL)
        return sp_fail_nomem(e);
    (void)os->remove(os->self, path, &ignored); /* harms nobody where it lies */
    free(path);
    return SP_OK;
}

enum sp_code
sp_index_cache_open(const struct sp_env *env, const char *cache_dir, const uint8_t repository[16],
    struct sp_index_cache *ret, struct sp_err *e)
{
    struct sp_index_cache c = {env, sp_path_join(cache_dir, sp_hex16(repository).s)};
    struct sweep s = {&c, sp_clock_wall(env->clock)};
    enum sp_code rc;

    if (c.folder == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_os_mkdirs(env->os, c.folder, e)) == SP_OK)
        rc = env->os->list(env->os->self, c.folder, true, sweep_one, &s, e);
    if (rc != SP_OK) {
        sp_index_cache_context(c.folder, e);
        sp_index_cache_close(&c);
        return rc;
    }
    *ret = c;
    return SP_OK;
}

void
sp_index_cache_close(struct sp_index_cache *c)
{
    free(c->folder);
    c->folder = NULL;
}

static enum sp_code
any_entry(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    (void)arg;
    (void)en;
    (void)e;
    return SP_OK;
}

/* A name that fits the bytes says that they came whole, not that they were ever right: whoever may
 * write to the store can name a file by its hash. What would end a lookup in the middle of a run
 * (R5) is done without from the beginning. */
static enum sp_code
check_content(struct sp_index_cache *c, const struct sp_index_file *w, const uint8_t name[32],
    bool *ret_good, struct sp_err *why, struct sp_err *e)
{
    struct sp_index_segment *s = NULL;
    enum sp_code rc = sp_index_segment_open(c->env->os, w->path, name, false, false, &s, why);

    if (rc == SP_OK)
        rc = sp_index_segment_each(s, any_entry, NULL, why);
    sp_index_segment_free(s);
    *ret_good = rc == SP_OK;
    if (rc == SP_CORRUPT)
        return SP_OK;
    if (rc != SP_OK)
        *e = *why;
    return rc;
}

enum sp_code
sp_index_fetch_begin(struct sp_index_cache *c, struct sp_index_fetch *f, struct sp_err *e)
{
    struct sp_err ignored = {0};
    enum sp_code rc;

    f->hash = NULL;
    if ((rc = sp_index_file_begin(c, &f->w, e)) != SP_OK)
        return rc;
    if ((rc = sp_sha256_new(&f->hash, e)) != SP_OK)
        (void)sp_index_file_end(c, &f->w, NULL, false, rc, &ignored);
    return rc;
}

enum sp_code
sp_index_fetch_add(struct sp_index_fetch *f, const void *p, size_t n, struct sp_err *e)
{
    enum sp_code rc = sp_sha256_add(f->hash, p, n, e);

    return rc != SP_OK ? rc : sp_index_file_write(&f->w, p, n, e);
}

enum sp_code
sp_index_fetch_end(struct sp_index_cache *c, struct sp_index_fetch *f, const uint8_t name[32],
    enum sp_code rc, bool whole, bool *ret_good, struct sp_err *why, struct sp_err *e)
{
    struct sp_err ignored = {0};
    uint8_t hash[32];
    bool good = false;

    if (rc == SP_OK && whole && (rc = sp_sha256_end(f->hash, hash, e)) == SP_OK) {
        good = memcmp(hash, name, sizeof(hash)) == 0;
        if (!good)
            (void)sp_fail(why, SP_CORRUPT, SP_DOM_STORE,
                "index segment %s does not have the hash that it is named by", sp_hex8(name).s);
    }
    if (rc == SP_OK && good)
        rc = check_content(c, &f->w, name, &good, why, e);
    if (rc == SP_OK && !good)
        (void)sp_index_file_end(c, &f->w, name, false, SP_CORRUPT, &ignored);
    else
        rc = sp_index_file_end(c, &f->w, name, false, rc, e);
    if (rc == SP_OK)
        *ret_good = good;
    sp_sha256_free(f->hash);
    return rc;
}

enum sp_code
sp_index_cache_write(struct sp_index_cache *c, const uint8_t name[32], bool local, const void *p,
    size_t n, struct sp_err *e)
{
    struct sp_index_file w;
    enum sp_code rc;

    if ((rc = sp_index_file_begin(c, &w, e)) != SP_OK)
        return rc;
    rc = sp_index_file_write(&w, p, n, e);
    return sp_index_file_end(c, &w, name, local, rc, e);
}

enum sp_code
sp_index_cache_use(struct sp_index_cache *c, const uint8_t name[32], bool local, bool keep_filter,
    struct sp_index_segment **ret, struct sp_err *e)
{
    char *path = sp_index_cache_path(c, name, local);
    enum sp_code rc;

    if (path == NULL)
        return sp_fail_nomem(e);
    rc = sp_index_segment_open(c->env->os, path, name, false, keep_filter, ret, e);
    if (rc == SP_CORRUPT)
        sp_index_cache_remove(c, name, local);
    free(path);
    return rc;
}

static enum sp_code
copy_file(const struct sp_os *os, const char *path, struct sp_backend *b,
    struct sp_backend_writer *w, struct sp_err *e)
{
    struct sp_file *f = NULL;
    struct sp_err ignored = {0};
    uint8_t *piece = malloc(PIECE);
    uint64_t at = 0;
    size_t n;
    enum sp_code rc;

    if (piece == NULL)
        return sp_fail_nomem(e);
    if ((rc = os->open_read(os->self, path, &f, e)) != SP_OK)
        goto out;
    do {
        if ((rc = os->read_at(os->self, f, at, piece, PIECE, &n, e)) != SP_OK)
            goto out;
        if (n > 0 && (rc = sp_backend_write(b, w, piece, n, e)) != SP_OK)
            goto out;
        at += n;
    } while (n == PIECE);
out:
    if (f != NULL)
        (void)os->close(os->self, f, &ignored); /* only read */
    free(piece);
    return rc;
}

enum sp_code
sp_index_cache_publish(
    struct sp_index_cache *c, struct sp_backend *b, const uint8_t name[32], struct sp_err *e)
{
    const struct sp_os *os = c->env->os;
    char *from = sp_index_cache_path(c, name, true), *to = sp_index_cache_path(c, name, false),
         object[96];
    struct sp_backend_writer *w = NULL;
    struct sp_err ignored = {0};
    enum sp_code rc;

    if (from == NULL || to == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    sp_index_object_name(name, object);
    if ((rc = sp_backend_begin(b, &w, e)) != SP_OK)
        goto out;
    if ((rc = copy_file(os, from, b, w, e)) != SP_OK) {
        sp_backend_abort(b, w);
        if (rc == SP_ABSENT) /* another process that shares the folder did it */
            rc = SP_OK;
        goto out;
    }
    if ((rc = sp_backend_publish(b, w, object, e)) == SP_EXISTS)
        rc = SP_OK; /* named by its content */
    /* Where an open file cannot be renamed it stays local and the next run fetches the copy. */
    if (rc == SP_OK)
        (void)os->replace(os->self, from, to, &ignored);
out:
    free(from);
    free(to);
    return rc;
}

void
sp_index_cache_remove(struct sp_index_cache *c, const uint8_t name[32], bool local)
{
    char *path = sp_index_cache_path(c, name, local);
    struct sp_err ignored = {0};

    if (path != NULL)
        (void)c->env->os->remove(c->env->os->self, path, &ignored);
    free(path);
}

struct listing {
    enum sp_code (*each)(void *arg, const uint8_t name[32], bool local, struct sp_err *e);
    void *arg;
};

static enum sp_code
list_one(void *arg, const char *file, const struct sp_os_stat *st, struct sp_err *e)
{
    struct listing *l = arg;
    uint8_t name[32];
    char hex[65];
    bool local;

    if (st->type != SP_OS_FILE || strlen(file) < 64)
        return SP_OK;
    local = strcmp(file + 64, SP_INDEX_LOCAL) == 0;
    if (file[64] != '\0' && !local)
        return SP_OK;
    memcpy(hex, file, 64);
    hex[64] = '\0';
    if (!sp_hex_parse(hex, name, sizeof(name)))
        return SP_OK;
    return l->each(l->arg, name, local, e);
}

enum sp_code
sp_index_cache_list(struct sp_index_cache *c,
    enum sp_code (*each)(void *arg, const uint8_t name[32], bool local, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct listing l = {each, arg};
    enum sp_code rc = c->env->os->list(c->env->os->self, c->folder, false, list_one, &l, e);

    if (rc != SP_OK)
        sp_index_cache_context(c->folder, e);
    return rc;
}
