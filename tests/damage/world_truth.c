/* What is true of the repository, read while it is whole. */

#include "tests/damage/world_truth.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/nodes.h"
#include "storage/tree_node.h"
#include "tests/unit/base/support.h"

/* --- small things ------------------------------------------------------------------------------
 */

void
ids_add(struct ids *l, uint32_t id)
{
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 16 : l->cap * 2;
        l->v = realloc(l->v, l->cap * sizeof *l->v);
        assert_non_null(l->v);
    }
    l->v[l->n++] = id;
}

void
ids_clear(struct ids *l)
{
    free(l->v);
    memset(l, 0, sizeof *l);
}

static uint8_t *
read_whole(const char *path, size_t *ret_n)
{
    uint8_t *p = NULL;

    assert_ok(sp_os_read_file(&sp_os_system, path, 1u << 30, &p, ret_n, e));
    return p;
}

void
folder_copy(const char *from, const char *to)
{
    DIR *d = opendir(from);
    struct dirent *entry;

    assert_true(mkdir(to, 0700) == 0);
    if (d == NULL) /* nothing was kept there yet */
        return;
    while ((entry = readdir(d)) != NULL) {
        char a[600], b[600];
        struct stat st;
        uint8_t *p;
        size_t n;
        int fd;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(a, sizeof a, "%s/%s", from, entry->d_name);
        (void)snprintf(b, sizeof b, "%s/%s", to, entry->d_name);
        assert_int_equal(lstat(a, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            folder_copy(a, b);
            continue;
        }
        p = read_whole(a, &n);
        assert_true((fd = open(b, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) >= 0);
        assert_int_equal(write(fd, p, n), (ssize_t)n);
        close(fd);
        free(p);
    }
    closedir(d);
}

/* --- files -------------------------------------------------------------------------------------
 */

static void
add_file(struct known_set *set, const struct tree *t, const char *path, const struct stat *st)
{
    struct file *f;
    char below[330];
    char *whole;
    struct sp_bytes key;

    if ((set->nfiles & (set->nfiles - 1)) == 0) {
        size_t cap = set->nfiles == 0 ? 1 : set->nfiles * 2;

        set->files = realloc(set->files, cap * sizeof *set->files);
        assert_non_null(set->files);
    }
    f = &set->files[set->nfiles++];
    memset(f, 0, sizeof *f);
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    (void)snprintf(below, sizeof below, "files/%s", path);
    key = tree_key(t, below);
    f->key = key.p;
    f->key_len = key.n;
    whole = tree_path(t, below);
    f->p = read_whole(whole, &f->n);
    free(whole);
    f->mode = st->st_mode & 07777;
    f->mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static void
files_below(struct known_set *set, const struct tree *t, const char *folder)
{
    char *base = tree_path(t, "files"), where[700];
    struct dirent *entry;
    DIR *d;

    (void)snprintf(where, sizeof where, "%s/%s", base, folder);
    assert_non_null(d = opendir(where));
    while ((entry = readdir(d)) != NULL) {
        char path[320], whole[1100];
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        assert_true(snprintf(path, sizeof path, "%s%s%s", folder, *folder != '\0' ? "/" : "",
                        entry->d_name) < (int)sizeof path);
        (void)snprintf(whole, sizeof whole, "%s/%s", base, path);
        assert_int_equal(lstat(whole, &st), 0);
        if (S_ISDIR(st.st_mode))
            files_below(set, t, path);
        else
            add_file(set, t, path, &st);
    }
    closedir(d);
    free(base);
}

void
truth_files(struct world *w, size_t site, struct known_set *set)
{
    files_below(set, &w->sites[site].tree, "");
}

/* --- packs and chunks --------------------------------------------------------------------------
 */

static int
by_id(const void *a, const void *b)
{
    return memcmp(((const struct chunk *)a)->id.b, ((const struct chunk *)b)->id.b, SP_ID_SIZE);
}

uint32_t
world_chunk(const struct world *w, const uint8_t id[32])
{
    struct chunk key, *at;

    memcpy(key.id.b, id, SP_ID_SIZE);
    at = bsearch(&key, w->chunks, w->nchunks, sizeof *w->chunks, by_id);
    return at == NULL ? UINT32_MAX : (uint32_t)(at - w->chunks);
}

static void
read_packs(struct world *w)
{
    for (size_t i = 0; i < w->whole.n; i++) {
        const struct object *o = &w->whole.v[i];
        struct pack *p = &w->packs[w->npacks];
        uint8_t name[32];

        if (o->kind != DATA && o->kind != NODES)
            continue;
        assert_true(w->npacks++ < PACKS_MOST);
        strcpy(p->object, o->name);
        assert_true(sp_pack_object_parse(o->name, &p->kind, name));
        p->size = o->n;
        p->p = o->p;
        assert_ok(sp_pack_trailer_read(w->sites[0].below, p->kind, name, o->n, &p->trailer, e));
        for (p->site = 0; p->site < SITES; p->site++)
            if (memcmp(sp_pack_trailer_origin(p->trailer)->uploader, w->sites[p->site].host.id,
                    16) == 0)
                break;
        assert_true(p->site < SITES);
        memcpy(&p->trailer_n, o->p + o->n - 16, 4);
        p->trailer_n += 48;
    }
}

static void
collect_chunks(struct world *w)
{
    size_t i, k, n = 0;

    w->chunks = calloc(IDS_MOST, sizeof *w->chunks);
    assert_non_null(w->chunks);
    for (i = 0; i < w->npacks; i++) {
        const struct pack *p = &w->packs[i];

        for (k = 0; k < sp_pack_trailer_count(p->trailer); k++) {
            struct sp_pack_block b;

            sp_pack_trailer_block(p->trailer, k, &b);
            for (uint32_t j = 0; j < b.nids; j++) {
                assert_true(n < IDS_MOST);
                memcpy(w->chunks[n].id.b, b.ids + 32 * (size_t)j, 32);
                w->chunks[n++].node = p->kind == SP_PACK_NODES;
            }
        }
    }
    qsort(w->chunks, n, sizeof *w->chunks, by_id);
    for (i = 0; i < n; i++)
        if (w->nchunks == 0 || by_id(&w->chunks[w->nchunks - 1], &w->chunks[i]) != 0)
            w->chunks[w->nchunks++] = w->chunks[i];
}

static void
read_refs(struct world *w)
{
    for (size_t i = 0; i < w->npacks; i++) {
        const struct pack *p = &w->packs[i];

        if (p->kind != SP_PACK_NODES)
            continue;
        for (size_t k = 0; k < sp_pack_trailer_count(p->trailer); k++) {
            struct sp_pack_block b;
            struct sp_block_header h;
            struct sp_block_walk walk;
            const uint8_t *id, *refs;
            size_t n;

            sp_pack_trailer_block(p->trailer, k, &b);
            assert_ok(sp_block_header_parse(p->p + b.offset, b.length, &h, e));
            sp_block_walk_start(&walk, &h);
            while (sp_block_walk_next(&walk, &id, &refs, &n)) {
                struct chunk *c = &w->chunks[world_chunk(w, id)];

                for (size_t j = 0; j < n && c->refs.n < n; j++)
                    ids_add(&c->refs, world_chunk(w, refs + 32 * j));
            }
        }
    }
}

/* --- what sets and files need -------------------------------------------------------------------
 */

static void
add_below(const struct world *w, uint32_t id, uint8_t *seen, struct ids *to)
{
    assert_true(id != UINT32_MAX);
    if (seen[id])
        return;
    seen[id] = 1;
    ids_add(to, id);
    for (size_t i = 0; i < w->chunks[id].refs.n; i++)
        add_below(w, w->chunks[id].refs.v[i], seen, to);
}

static struct file *
file_of(struct known_set *set, const struct sp_entry *en)
{
    for (size_t i = 0; i < set->nfiles; i++)
        if (set->files[i].key_len == en->key_len &&
            memcmp(set->files[i].key, en->key, en->key_len) == 0)
            return &set->files[i];
    return NULL;
}

static void
take_entry(const struct world *w, struct known_set *set, const struct sp_entry *en,
    const uint32_t *way, size_t depth, uint8_t *seen)
{
    struct file *f = en->type == SP_ENTRY_FILE ? file_of(set, en) : NULL;

    if (en->type != SP_ENTRY_FILE)
        return;
    /* A checkpoint may have files that changed since; it is no set to restore. */
    if (f == NULL && set->kind == CHECKPOINT)
        return;
    assert_non_null(f);
    for (size_t i = 0; i < depth; i++)
        ids_add(&f->trees, way[i]);
    memset(seen, 0, w->nchunks);
    if (en->has_list)
        add_below(w, world_chunk(w, en->list.b), seen, &f->content);
    for (size_t i = 0; i < en->nsegments; i++)
        if (!en->segments[i].hole)
            add_below(w, world_chunk(w, en->segments[i].id.b), seen, &f->content);
}

static void
read_tree(const struct world *w, struct known_set *set, const struct sp_node_source *source,
    struct sp_tree_reader *reader, uint32_t *way, size_t depth, uint8_t *seen)
{
    const struct chunk *c = &w->chunks[way[depth - 1]];
    struct sp_node *node = NULL;
    const struct sp_entry *en;
    unsigned level;

    assert_true(depth < SP_TREE_LEVELS);
    assert_ok(source->get(source->self, &c->id, 1, &node, e));
    assert_ok(sp_tree_level(node, &level, e));
    if (level == 0) {
        assert_ok(sp_tree_reader_open(reader, node, NULL, e));
        for (;;) {
            assert_ok(sp_tree_reader_next(reader, &en, e));
            if (en == NULL)
                break;
            take_entry(w, set, en, way, depth, seen);
        }
    } else {
        for (size_t i = 0; i < c->refs.n; i++) {
            way[depth] = c->refs.v[i];
            read_tree(w, set, source, reader, way, depth + 1, seen);
        }
    }
    free(node);
}

static void
read_set(struct world *w, struct known_set *set)
{
    struct site *s = &w->sites[set->site];
    struct sp_tree_reader *reader = NULL;
    struct sp_nodes *nodes = NULL;
    struct sp_node_source source;
    uint32_t way[SP_TREE_LEVELS];
    uint8_t *seen = calloc(w->nchunks, 1);

    assert_non_null(seen);
    way[0] = world_chunk(w, set->set.root.b);
    add_below(w, way[0], seen, &set->needs);
    assert_ok(sp_nodes_new(&sp_env_system, s->repository, s->keys, NULL, &nodes, e));
    source = sp_nodes_source(nodes);
    assert_ok(sp_tree_reader_new(&reader, e));
    read_tree(w, set, &source, reader, way, 1, seen);
    for (size_t i = 0; i < set->nfiles && set->kind == SET; i++)
        assert_true(set->files[i].trees.n > 0);
    sp_tree_reader_free(reader);
    sp_nodes_free(nodes);
    free(seen);
}

void
truth_read(struct world *w)
{
    read_packs(w);
    collect_chunks(w);
    read_refs(w);
    for (size_t i = 0; i < w->nsets; i++)
        read_set(w, &w->sets[i]);
}
