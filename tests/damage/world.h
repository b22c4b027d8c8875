#ifndef SP_TESTS_DAMAGE_WORLD_H
#define SP_TESTS_DAMAGE_WORLD_H

/* The repository that is damaged, made once by real backups, and all that is true of it: which
 * object holds which chunks, which chunks each file of each set needs, what the files were. The
 * test computes from this, and from nothing the product says of a damaged repository, what a damage
 * hits. */

#include "storage/pack.h"
#include "storage/record.h"
#include "tests/damage/state.h"
#include "tests/unit/client/site.h"

#define SITES 3 /* two members of one key group, and a stranger */
#define IDS_MOST 16384
#define SETS_MOST 16
#define PACKS_MOST 96

struct ids { /* ordinals of world.ids */
    uint32_t *v;
    size_t n, cap;
};

struct file {
    char path[320]; /* below files/ */
    uint8_t *key;
    size_t key_len;
    const uint8_t *p; /* content; the world's */
    size_t n;
    unsigned mode;
    int64_t mtime_ns;
    struct ids trees, content; /* nodes from the root to the entry; chunk lists and data */
};

struct known_set {
    size_t site;
    enum kind kind; /* SET or CHECKPOINT */
    struct sp_set set;
    char object[192];
    struct ids needs; /* everything below its root */
    struct file *files;
    size_t nfiles;
};

struct pack {
    char object[192];
    enum sp_pack_kind kind;
    size_t site; /* the uploader */
    uint64_t size;
    const uint8_t *p;
    struct sp_pack_trailer *trailer;
    size_t trailer_n; /* with the footer */
};

struct chunk {
    struct sp_id id;
    bool node;
    struct ids refs;
};

struct world {
    struct site sites[SITES];
    struct state whole;
    struct chunk *chunks; /* sorted by id */
    size_t nchunks;
    struct known_set sets[SETS_MOST];
    size_t nsets;
    struct pack packs[PACKS_MOST];
    size_t npacks;
    size_t twins[2];       /* two data packs of one size and layout: indices into packs */
    char *template[SITES]; /* each site's caches as they were at the end */
};

void world_new(struct world *w);
void world_free(struct world *w);
uint32_t world_chunk(const struct world *w, const uint8_t id[32]); /* UINT32_MAX: none */
/* A site's caches as they were, and its store over another backend. */
void world_begin(struct world *w, size_t site, struct sp_backend *b, bool warm);
/* The store of a site is closed, so that the backend below may go. */
void world_end(struct world *w, size_t site);
const struct known_set *world_newest(const struct world *w, size_t site); /* set */
/* What has the files as they are now: the newest set, or a checkpoint behind it. */
const struct known_set *world_now(const struct world *w, size_t site);

#endif
