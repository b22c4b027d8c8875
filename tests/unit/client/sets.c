#include "sets.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/compress.h"
#include "tests/unit/base/support.h"

/* --- chunks and blocks
 * --------------------------------------------------------------------------------- */

static void
seal(struct set *s, struct sp_block_builder *b)
{
    struct sp_buf to = SP_BUF_INIT;
    uint8_t *bytes = NULL;
    size_t n = 0;

    if (sp_block_builder_empty(b))
        return;
    assert_ok(sp_block_seal(s->sealer, s->compressor, s->opener, b, &to, e));
    assert_ok(sp_buf_take(&to, &bytes, &n, e));
    memory_store_add(&s->memory, bytes, n);
    sp_block_builder_reset(b);
}

static bool
is_new(struct set *s, const struct sp_id *id)
{
    for (size_t i = 0; i < s->nseen; i++)
        if (memcmp(&s->seen[i], id, sizeof *id) == 0)
            return false;
    if (s->nseen == s->seen_cap) {
        s->seen_cap = s->seen_cap == 0 ? 64 : 2 * s->seen_cap;
        s->seen = realloc(s->seen, s->seen_cap * sizeof *s->seen);
        assert_non_null(s->seen);
    }
    s->seen[s->nseen++] = *id;
    return true;
}

static void
add(struct set *s, struct sp_block_builder *b, enum sp_chunk_kind kind, const struct sp_id *id,
    const struct sp_id *refs, size_t nrefs, const void *p, size_t n)
{
    if (!is_new(s, id))
        return;
    if (!sp_block_builder_fits(b, n))
        seal(s, b);
    assert_ok(sp_block_builder_add(b, kind, id, refs, nrefs, p, n, e));
}

static enum sp_code
sink_put(void *self, enum sp_chunk_kind kind, const struct sp_id *id, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n, struct sp_err *e)
{
    struct set *s = self;

    (void)e;
    add(s, s->nodes, kind, id, refs, nrefs, p, n);
    return SP_OK;
}

struct sp_id
set_chunk_id(struct set *s, const void *p, size_t n)
{
    struct sp_id id;

    assert_ok(sp_hasher_id(s->hasher, SP_CHUNK_DATA, NULL, 0, p, n, &id, e));
    return id;
}

struct sp_id
set_chunk(struct set *s, const void *p, size_t n)
{
    struct sp_id id = set_chunk_id(s, p, n);

    add(s, s->data, SP_CHUNK_DATA, &id, NULL, 0, p, n);
    if (s->block_chunks > 0 && ++s->in_block >= s->block_chunks)
        set_seal(s);
    return id;
}

void
set_seal(struct set *s)
{
    seal(s, s->data);
    s->in_block = 0;
}

void
set_seal_nodes(struct set *s)
{
    seal(s, s->nodes);
}

/* --- the set
 * ------------------------------------------------------------------------------------------- */

void
set_new(struct set *s)
{
    struct sp_keys *keys = NULL;

    assert_ok(sp_keys_generate(&sp_random_system, &keys, e));
    set_new_with(s, keys);
}

void
set_new_with(struct set *s, struct sp_keys *keys)
{
    memset(s, 0, sizeof *s);
    memory_store_init(&s->memory);
    s->keys = keys;
    assert_ok(sp_hasher_new(s->keys, &s->hasher, e));
    assert_ok(sp_sealer_new(s->keys, &sp_random_system, &s->sealer, e));
    assert_ok(sp_compressor_new(1, &s->compressor, e));
    assert_ok(sp_opener_new(s->keys, &s->opener, e));
    assert_ok(sp_block_builder_new(SP_BLOCK_FILES, &s->data, e));
    assert_ok(sp_block_builder_new(SP_BLOCK_NODES, &s->nodes, e));
    s->sink.put = sink_put;
    s->sink.self = s;
}

static void
entry_free(struct sp_entry *en)
{
    for (size_t i = 0; i < en->nattributes; i++) {
        free((void *)(uintptr_t)en->attributes[i].name);
        free((void *)(uintptr_t)en->attributes[i].value);
    }
    free((void *)(uintptr_t)en->attributes);
    free((void *)(uintptr_t)en->segments);
    free((void *)(uintptr_t)en->target);
    free((void *)(uintptr_t)en->key);
    free(en);
}

void
set_free(struct set *s)
{
    for (size_t i = 0; i < s->nentries; i++)
        entry_free(s->entries[i]);
    free(s->entries);
    free(s->seen);
    sp_block_builder_free(s->data);
    sp_block_builder_free(s->nodes);
    sp_opener_free(s->opener);
    sp_compressor_free(s->compressor);
    sp_sealer_free(s->sealer);
    sp_hasher_free(s->hasher);
    memory_store_clear(&s->memory);
    sp_keys_free(s->keys);
}

static void *
copy(const void *p, size_t n)
{
    uint8_t *to = malloc(n + 1);

    assert_non_null(to);
    if (n > 0)
        memcpy(to, p, n);
    to[n] = 0;
    return to;
}

struct sp_entry *
set_entry(struct set *s, const char *path, enum sp_entry_type type)
{
    struct sp_entry *en = calloc(1, sizeof *en);
    uint8_t *key;

    assert_non_null(en);
    en->key_len = strlen(path);
    en->key = key = copy(path, en->key_len);
    for (size_t i = 0; i < en->key_len; i++)
        if (key[i] == '/')
            key[i] = 0;
    en->type = type;
    en->mtime_ns = SET_TIME;
    en->mode = 0644;
    en->uid = geteuid();
    en->gid = getegid();
    en->user = en->group = "";
    en->links = 1;
    if (s->nentries == s->entries_cap) {
        s->entries_cap = s->entries_cap == 0 ? 64 : 2 * s->entries_cap;
        s->entries = realloc(s->entries, s->entries_cap * sizeof(struct sp_entry *));
        assert_non_null(s->entries);
    }
    s->entries[s->nentries++] = en;
    return en;
}

struct sp_entry *
set_dir(struct set *s, const char *path)
{
    struct sp_entry *en = set_entry(s, path, SP_ENTRY_DIR);

    en->mode = 0755;
    return en;
}

struct sp_entry *
set_dirs(struct set *s, const char *path)
{
    for (const char *p = path; (p = strchr(p, '/')) != NULL; p++) {
        char *up = copy(path, (size_t)(p - path));

        set_dir(s, up)->flags = SP_ENTRY_IMPLIED;
        free(up);
    }
    return set_dir(s, path);
}

struct sp_entry *
set_symlink(struct set *s, const char *path, const char *target)
{
    struct sp_entry *en = set_entry(s, path, SP_ENTRY_LINK);

    en->mode = 0777;
    en->target_len = strlen(target);
    en->target = copy(target, en->target_len);
    return en;
}

struct sp_entry *
set_file(struct set *s, const char *path, const struct content *c, size_t n, size_t chunk)
{
    struct sp_entry *en = set_entry(s, path, SP_ENTRY_FILE);
    struct sp_list_writer *w = NULL;
    const struct sp_segment *segments = NULL;

    assert_ok(sp_list_writer_new(s->hasher, &s->sink, &w, e));
    for (size_t i = 0; i < n; i++) {
        en->size += c[i].n;
        if (c[i].p == NULL) {
            assert_ok(sp_list_writer_add(w, c[i].n, NULL, e));
            continue;
        }
        for (uint64_t at = 0; at < c[i].n; at += chunk) {
            size_t take = c[i].n - at < chunk ? (size_t)(c[i].n - at) : chunk;
            struct sp_id id = set_chunk(s, (const uint8_t *)c[i].p + at, take);

            assert_ok(sp_list_writer_add(w, take, &id, e));
        }
    }
    assert_ok(sp_list_writer_finish(w, &segments, &en->nsegments, &en->has_list, &en->list, e));
    if (en->has_list)
        en->nsegments = 0;
    en->segments = copy(segments, en->nsegments * sizeof *segments);
    sp_list_writer_free(w);
    return en;
}

struct sp_entry *
set_bytes(struct set *s, const char *path, const void *p, size_t n, size_t chunk)
{
    struct content c = {p, n};

    return set_file(s, path, &c, n > 0, chunk);
}

struct sp_entry *
set_text(struct set *s, const char *path, const char *text)
{
    return set_bytes(s, path, text, strlen(text), 65536);
}

void
set_attribute(struct set *s, struct sp_entry *en, const char *name, const void *value, size_t n,
    bool external)
{
    struct sp_attribute *a = (struct sp_attribute *)(uintptr_t)en->attributes;

    a = realloc(a, (en->nattributes + 1) * sizeof *a);
    assert_non_null(a);
    a[en->nattributes] = (struct sp_attribute){.name = copy(name, strlen(name))};
    if (external) {
        a[en->nattributes].external = true;
        a[en->nattributes].id = set_chunk(s, value, n);
    } else {
        a[en->nattributes].value = copy(value, n);
        a[en->nattributes].len = n;
    }
    en->attributes = a;
    en->nattributes++;
}

static int
by_key(const void *a, const void *b)
{
    const struct sp_entry *x = *(struct sp_entry *const *)a, *y = *(struct sp_entry *const *)b;
    size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
    int d = memcmp(x->key, y->key, n);

    return d != 0 ? d : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

void
set_commit(struct set *s)
{
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog_totals totals;

    qsort(s->entries, s->nentries, sizeof(struct sp_entry *), by_key);
    assert_ok(sp_catalog_writer_new(s->keys, &s->sink, &w, e));
    for (size_t i = 0; i < s->nentries; i++)
        assert_ok(sp_catalog_writer_add(w, s->entries[i], e));
    assert_ok(sp_catalog_writer_finish(w, &s->root, &totals, e));
    sp_catalog_writer_free(w);
    set_seal(s);
    set_seal_nodes(s);
}

/* --- restoring
 * ----------------------------------------------------------------------------------------- */

static void
tell(struct told *to, const void *key, size_t n, const char *text)
{
    n = n < sizeof to->path - 1 ? n : sizeof to->path - 1;
    if (n > 0)
        memcpy(to->path, key, n);
    to->path[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (to->path[i] == '\0')
            to->path[i] = '/';
    snprintf(to->text, sizeof to->text, "%s", text);
}

static void
on_fault(void *arg, const void *key, size_t n, const struct sp_err *why)
{
    struct outcome *o = arg;

    if (o->nfaults < 64)
        tell(&o->faults[o->nfaults], key, n, why->text);
    o->nfaults++;
}

static void
on_would(void *arg, const struct sp_entry *en, const char *what)
{
    struct outcome *o = arg;

    if (o->nwould < 64)
        tell(&o->would[o->nwould], en->key, en->key_len, what);
    o->nwould++;
}

static void
on_note(void *arg, const char *sentence)
{
    struct outcome *o = arg;

    if (o->nnotes < 16)
        snprintf(o->notes[o->nnotes], sizeof o->notes[0], "%s", sentence);
    o->nnotes++;
}

static void
on_progress(void *arg, const struct sp_restore_stats *so_far)
{
    (void)so_far;
    ((struct outcome *)arg)->nprogress++;
}

void
set_restore(
    struct set *s, const char *target, const struct sp_restore_options *o, struct outcome *ret)
{
    struct sp_restore_options options = {.target = target};
    struct sp_restore_events events = {on_fault, on_note, on_would, on_progress, ret};

    if (o != NULL) {
        options = *o;
        options.target = target;
    }
    if (options.temp_dir == NULL)
        options.temp_dir = "/tmp/sp-test-restore";
    memset(ret, 0, sizeof *ret);
    ret->code = sp_restore_run(&sp_env_system, &s->memory.store, s->keys, &s->root, &options,
        &events, &ret->stats, &ret->err);
    if (ret->code == SP_OK)
        assert_int_equal(ret->stats.faults, ret->nfaults);
}

void
set_restore_well(
    struct set *s, const char *target, const struct sp_restore_options *o, struct outcome *ret)
{
    set_restore(s, target, o, ret);
    if (ret->code != SP_OK)
        fail_msg("restore: %s", ret->err.text);
    if (ret->nfaults > 0)
        fail_msg("%zu faults; %s: %s", ret->nfaults, ret->faults[0].path, ret->faults[0].text);
    if (target != NULL)
        assert_int_equal(count_temporary(target), 0);
}

static const char *
find(const struct told *told, size_t n, const char *path)
{
    for (size_t i = 0; i < n && i < 64; i++)
        if (strcmp(told[i].path, path) == 0)
            return told[i].text;
    return NULL;
}

const char *
outcome_fault(const struct outcome *o, const char *path)
{
    return find(o->faults, o->nfaults, path);
}

const char *
outcome_would(const struct outcome *o, const char *path)
{
    return find(o->would, o->nwould, path);
}

/* --- looking
 * ------------------------------------------------------------------------------------------- */

static char *
join(const char *folder, const char *path)
{
    char *p = NULL;

    assert_true(asprintf(&p, "%s/%s", folder, path) > 0);
    return p;
}

struct stat
look(const char *folder, const char *path)
{
    char *p = join(folder, path);
    struct stat st;

    if (lstat(p, &st) != 0)
        fail_msg("%s is not there", p);
    free(p);
    return st;
}

bool
exists(const char *folder, const char *path)
{
    char *p = join(folder, path);
    struct stat st;
    bool is = lstat(p, &st) == 0;

    free(p);
    return is;
}

void
assert_bytes(const char *folder, const char *path, const void *p, size_t n)
{
    char *name = join(folder, path);
    uint8_t *got = malloc(n + 1);
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t have = 0;
    ssize_t k;

    if (fd < 0)
        fail_msg("%s cannot be read", name);
    assert_non_null(got);
    while (have <= n && (k = read(fd, got + have, n + 1 - have)) > 0)
        have += (size_t)k;
    close(fd);
    if (have != n || (n > 0 && memcmp(got, p, n) != 0))
        fail_msg("%s has other content (%zu of %zu bytes)", name, have, n);
    free(got);
    free(name);
}

void
assert_text(const char *folder, const char *path, const char *text)
{
    assert_bytes(folder, path, text, strlen(text));
}

static size_t counted_temporary, counted_all;

static int
count_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    counted_all++;
    counted_temporary += strncmp(path + at->base, ".stillpoint-restore-", 20) == 0;
    return 0;
}

size_t
count_temporary(const char *folder)
{
    counted_temporary = counted_all = 0;
    assert_int_equal(nftw(folder, count_one, 32, FTW_PHYS), 0);
    return counted_temporary;
}

size_t
count_all(const char *folder)
{
    (void)count_temporary(folder);
    return counted_all - 1;
}

void
fill(void *p, size_t n, uint64_t seed)
{
    struct sp_random_seeded state = {seed};
    struct sp_random r = sp_random_seeded_of(&state);

    assert_ok(sp_random_fill(&r, p, n, e));
}
