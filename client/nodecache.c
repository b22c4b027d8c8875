#include "client/nodecache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "base/text.h"

#define SUFFIX ".nodes"
#define FRESH ".new"
#define MAX_FILES 64
#define STALE_NS (24 * 3600 * SP_SECOND) /* a file of a run that was killed */

struct place {
    struct sp_id id;
    uint32_t file, length;
    uint64_t offset; /* of the block */
};

struct cache_file {
    char *path;
    struct sp_file *f;
    uint64_t size;
    bool fresh; /* of this run, under a temporary name */
};

struct sp_nodecache {
    const struct sp_env *env;
    char *folder;
    bool broken; /* the folder cannot be used: keep nothing more */
    struct cache_file files[MAX_FILES];
    size_t nfiles;
    struct place *table; /* open addressing; length 0: free */
    uint8_t *used;       /* beside table: this run needs it */
    size_t slots, count;
    size_t fresh; /* index of this run's file, or MAX_FILES */
};

static size_t
slot_of(const struct sp_nodecache *c, const struct sp_id *id)
{
    size_t i = (size_t)sp_le64(id->b) & (c->slots - 1);

    while (c->table[i].length != 0 && memcmp(&c->table[i].id, id, sizeof(*id)) != 0)
        i = (i + 1) & (c->slots - 1);
    return i;
}

static bool
grow(struct sp_nodecache *c)
{
    struct sp_nodecache old = *c;
    size_t i, to;

    if (c->slots > 0 && (c->count + 1) * 10 < c->slots * 7)
        return true;
    c->slots = old.slots == 0 ? 1024 : 2 * old.slots;
    c->table = calloc(c->slots, sizeof(*c->table));
    c->used = calloc(c->slots, 1);
    if (c->table == NULL || c->used == NULL) {
        free(c->table);
        free(c->used);
        c->table = old.table;
        c->used = old.used;
        c->slots = old.slots;
        return false;
    }
    for (i = 0; i < old.slots; i++) {
        if (old.table[i].length == 0)
            continue;
        to = slot_of(c, &old.table[i].id);
        c->table[to] = old.table[i];
        c->used[to] = old.used[i];
    }
    free(old.table);
    free(old.used);
    return true;
}

/* Enters all ids of a block. False: no memory. */
static bool
enter(struct sp_nodecache *c, const struct sp_block_header *h, uint32_t file, uint64_t offset,
    bool used)
{
    struct sp_id id;
    size_t i, at;

    for (i = 0; i < h->nids; i++) {
        if (!grow(c))
            return false;
        memcpy(&id, h->ids + 32 * i, 32);
        at = slot_of(c, &id);
        if (c->table[at].length == 0)
            c->count++;
        c->table[at].id = id;
        c->table[at].file = file;
        c->table[at].offset = offset;
        c->table[at].length = h->header_len + h->sealed_len;
        c->used[at] = used;
    }
    return true;
}

/* Enters the blocks of one file as far as they make sense. */
static void
scan(struct sp_nodecache *c, size_t file)
{
    const struct sp_os *os = c->env->os;
    struct cache_file *f = &c->files[file];
    struct sp_block_header h;
    struct sp_err e = {0};
    uint8_t first[20], *header = NULL;
    uint64_t offset = 0;
    uint32_t len;
    size_t n, block;

    while (offset + sizeof(first) <= f->size) {
        if (os->read_at(os->self, f->f, offset, first, sizeof(first), &n, &e) != SP_OK ||
            n != sizeof(first))
            break;
        len = sp_le32(first + 4 + 8);
        if (sp_block_length(first + 4, 16, &block, &e) != SP_OK || block != sp_le32(first) ||
            offset + 4 + block > f->size || len > block)
            break;
        header = malloc(len);
        if (header == NULL ||
            os->read_at(os->self, f->f, offset + 4, header, len, &n, &e) != SP_OK || n != len ||
            sp_block_header_parse(header, len, &h, &e) != SP_OK ||
            !enter(c, &h, (uint32_t)file, offset + 4, false))
            break;
        free(header);
        header = NULL;
        offset += 4 + block;
    }
    free(header);
}

static bool
ends_in(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    return n > m && strcmp(name + n - m, suffix) == 0;
}

static void
remove_stale(struct sp_nodecache *c, const char *name, const struct sp_os_stat *st)
{
    struct sp_err ignored = {0};
    char *path;

    if (sp_clock_wall(c->env->clock) - st->mtime_ns < STALE_NS ||
        (path = sp_path_join(c->folder, name)) == NULL)
        return;
    (void)c->env->os->remove(c->env->os->self, path, &ignored);
    free(path);
}

static enum sp_code
found(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sp_nodecache *c = arg;
    const struct sp_os *os = c->env->os;
    struct cache_file *f = &c->files[c->nfiles];

    (void)e;
    if (st->type != SP_OS_FILE)
        return SP_OK;
    if (ends_in(name, FRESH))
        remove_stale(c, name, st);
    if (!ends_in(name, SUFFIX) || c->nfiles + 1 >= MAX_FILES)
        return SP_OK;
    f->path = sp_path_join(c->folder, name);
    if (f->path == NULL || os->open_read(os->self, f->path, &f->f, e) != SP_OK) {
        free(f->path);
        f->path = NULL;
        return SP_OK;
    }
    f->size = st->size;
    scan(c, c->nfiles++);
    return SP_OK;
}

enum sp_code
sp_nodecache_open(
    const struct sp_env *env, const char *folder, struct sp_nodecache **ret, struct sp_err *e)
{
    struct sp_nodecache *c = calloc(1, sizeof(*c));
    struct sp_err ignored = {0};

    if (c == NULL)
        return sp_fail_nomem(e);
    c->env = env;
    c->fresh = MAX_FILES;
    c->folder = strdup(folder);
    if (c->folder == NULL) {
        free(c);
        return sp_fail_nomem(e);
    }
    if (sp_os_mkdirs(env->os, folder, &ignored) != SP_OK ||
        env->os->list(env->os->self, folder, true, found, c, &ignored) != SP_OK)
        c->broken = true;
    *ret = c;
    return SP_OK;
}

void
sp_nodecache_free(struct sp_nodecache *c)
{
    struct sp_err e = {0};
    size_t i;

    if (c == NULL)
        return;
    for (i = 0; i < c->nfiles; i++) {
        if (c->files[i].f != NULL)
            (void)c->env->os->close(c->env->os->self, c->files[i].f, &e);
        if (c->files[i].fresh)
            (void)c->env->os->remove(c->env->os->self, c->files[i].path, &e);
        free(c->files[i].path);
    }
    free(c->table);
    free(c->used);
    free(c->folder);
    free(c);
}

static bool
read_block(struct sp_nodecache *c, const struct place *p, uint8_t **ret)
{
    const struct sp_os *os = c->env->os;
    struct sp_err e = {0};
    uint8_t *block;
    size_t n;

    if (c->files[p->file].f == NULL || (block = malloc(p->length)) == NULL)
        return false;
    if (os->read_at(os->self, c->files[p->file].f, p->offset, block, p->length, &n, &e) != SP_OK ||
        n != p->length) {
        free(block);
        return false;
    }
    *ret = block;
    return true;
}

bool
sp_nodecache_get(struct sp_nodecache *c, const struct sp_id *id, uint8_t **ret, size_t *ret_n)
{
    size_t at;

    if (c->slots == 0)
        return false;
    at = slot_of(c, id);
    if (c->table[at].length == 0 || !read_block(c, &c->table[at], ret))
        return false;
    *ret_n = c->table[at].length;
    return true;
}

void
sp_nodecache_use(struct sp_nodecache *c, const struct sp_id *id)
{
    size_t at;

    if (c->slots == 0)
        return;
    at = slot_of(c, id);
    if (c->table[at].length != 0)
        c->used[at] = 1;
}

/* This run's file, made when there is something to keep. */
static bool
open_fresh(struct sp_nodecache *c)
{
    const struct sp_os *os = c->env->os;
    struct cache_file *f = &c->files[c->nfiles];
    struct sp_err e = {0};
    uint8_t r[16];
    char name[96];

    if (c->fresh != MAX_FILES)
        return true;
    if (c->broken || c->nfiles == MAX_FILES ||
        sp_random_fill(c->env->random, r, sizeof(r), &e) != SP_OK)
        return false;
    (void)snprintf(name, sizeof(name), "%s" FRESH, sp_hex16(r).s);
    f->path = sp_path_join(c->folder, name);
    if (f->path == NULL || os->create(os->self, f->path, &f->f, &e) != SP_OK) {
        free(f->path);
        f->path = NULL;
        c->broken = true;
        return false;
    }
    f->fresh = true;
    f->size = 0;
    c->fresh = c->nfiles++;
    return true;
}

static bool
append(struct sp_nodecache *c, const uint8_t *block, size_t n)
{
    const struct sp_os *os = c->env->os;
    struct cache_file *f;
    struct sp_err e = {0};
    uint8_t len[4];

    if (!open_fresh(c))
        return false;
    f = &c->files[c->fresh];
    sp_store_le32(len, (uint32_t)n);
    if (os->write_at(os->self, f->f, f->size, len, 4, &e) != SP_OK ||
        os->write_at(os->self, f->f, f->size + 4, block, n, &e) != SP_OK) {
        c->broken = true;
        return false;
    }
    f->size += 4 + n;
    return true;
}

void
sp_nodecache_add(struct sp_nodecache *c, const uint8_t *block, size_t n)
{
    struct sp_block_header h;
    struct sp_err e = {0};
    struct sp_id id;

    if (c->broken || sp_block_header_parse(block, n, &h, &e) != SP_OK)
        return;
    memcpy(&id, h.ids, 32);
    if (c->slots > 0 && c->table[slot_of(c, &id)].length != 0)
        return;
    if (append(c, block, n))
        (void)enter(c, &h, (uint32_t)c->fresh, c->files[c->fresh].size - n, true);
}

static int
by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The blocks with a used id, each once, in the order in which they lie. false: no memory. */
static bool
used_blocks(const struct sp_nodecache *c, struct place **ret, size_t *ret_n)
{
    struct place *v;
    size_t i, n = 0, m = 0;

    for (i = 0; i < c->slots; i++)
        n += c->table[i].length != 0 && c->used[i];
    if ((v = malloc((n + 1) * sizeof(*v))) == NULL)
        return false;
    for (i = n = 0; i < c->slots; i++) {
        if (c->table[i].length != 0 && c->used[i])
            v[n++] = c->table[i];
    }
    if (n > 0)
        qsort(v, n, sizeof(*v), by_place);
    for (i = 0; i < n; i++) {
        if (m == 0 || by_place(&v[m - 1], &v[i]) != 0)
            v[m++] = v[i];
    }
    *ret = v;
    *ret_n = m;
    return true;
}

/* Moves what is used into this run's file. */
static void
compact(struct sp_nodecache *c, const struct place *blocks, size_t n)
{
    struct sp_block_header h;
    struct sp_err e = {0};
    uint8_t *block;
    size_t i;
    bool ok = true;

    for (i = 0; i < n && ok; i++) {
        if (blocks[i].file == c->fresh || !read_block(c, &blocks[i], &block))
            continue;
        ok =
            append(c, block, blocks[i].length) &&
            (sp_block_header_parse(block, blocks[i].length, &h, &e) != SP_OK ||
                enter(c, &h, (uint32_t)c->fresh, c->files[c->fresh].size - blocks[i].length, true));
        free(block);
    }
    if (!ok)
        return;
    for (i = 0; i < c->nfiles; i++) {
        if (i == c->fresh)
            continue;
        (void)c->env->os->close(c->env->os->self, c->files[i].f, &e);
        (void)c->env->os->remove(c->env->os->self, c->files[i].path, &e);
        c->files[i].f = NULL;
    }
}

void
sp_nodecache_trim(struct sp_nodecache *c)
{
    const struct sp_os *os = c->env->os;
    struct sp_err e = {0};
    struct place *blocks;
    uint64_t size = 0, used = 0;
    char *to;
    size_t i, n;

    if (c->broken || !used_blocks(c, &blocks, &n))
        return;
    for (i = 0; i < c->nfiles; i++)
        size += c->files[i].size;
    for (i = 0; i < n; i++)
        used += 4 + blocks[i].length;
    if (used < size / 2 || c->nfiles >= MAX_FILES / 2)
        compact(c, blocks, n);
    free(blocks);
    if (c->fresh == MAX_FILES)
        return;
    n = strlen(c->files[c->fresh].path);
    to = malloc(n + sizeof(SUFFIX));
    if (to == NULL)
        return;
    (void)snprintf(to, n + sizeof(SUFFIX), "%.*s%s", (int)(n - strlen(FRESH)),
        c->files[c->fresh].path, SUFFIX);
    if (os->replace(os->self, c->files[c->fresh].path, to, &e) == SP_OK) {
        free(c->files[c->fresh].path);
        c->files[c->fresh].path = to;
        c->files[c->fresh].fresh = false;
        c->fresh = MAX_FILES;
    } else {
        free(to);
    }
}
