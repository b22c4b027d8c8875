/* Trees and what they become, and reading it again: see machine.h. */

#include "machine_impl.h"

#define COPIES 6u

/* --- content ------------------------------------------------------------------------------- */

size_t
machine_content(unsigned host, unsigned file, uint8_t version, uint8_t to[4096])
{
    struct sp_random_seeded seed = {(uint64_t)file << 16 | version};
    struct sp_random random;
    struct sp_err e = {0};
    size_t n;

    if (file % 2 == 1)
        seed.state |= (uint64_t)(host + 1) << 32;
    n = 200 + (seed.state * 2654435761u) % 3000;
    random = sp_random_seeded_of(&seed);
    if (sp_random_fill(&random, to, n, &e) != SP_OK)
        abort();
    return n;
}

static const struct sp_id *
chunk_id(struct cast *c, unsigned host, unsigned file, uint8_t version)
{
    unsigned whose = file % 2 == 1 ? host : CAST_HOSTS;
    struct sp_id *id = &c->ids[whose][file][version];
    uint8_t bytes[4096];
    struct sp_err e = {0};
    size_t n;

    if (!c->known[whose][file][version]) {
        n = machine_content(host, file, version, bytes);
        if (sp_hasher_id(c->hosts[host].hasher, SP_CHUNK_DATA, NULL, 0, bytes, n, id, &e) != SP_OK)
            abort();
        c->known[whose][file][version] = true;
    }
    return id;
}

struct cast *
cast_new(uint64_t seed)
{
    struct cast *c = calloc(1, sizeof(*c));

    if (c == NULL)
        abort();
    c->seed.state = seed;
    c->random = sp_random_seeded_of(&c->seed);
    party_init_from(&c->hosts[0], "one", NULL, &c->random);
    party_init_from(&c->hosts[1], "two", &c->hosts[0], &c->random);
    return c;
}

void
cast_free(struct cast *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < CAST_HOSTS; i++)
        party_free(&c->hosts[i]);
    free(c);
}

void
cast_reseed(struct cast *c, uint64_t seed)
{
    c->seed.state = seed;
    for (unsigned i = 0; i < CAST_HOSTS; i++)
        party_new_run(&c->hosts[i]);
}

static void
node_id(struct cast *c, unsigned host, uint8_t level, const struct sp_id *refs, size_t n,
    struct sp_id *ret)
{
    struct sp_err e = {0};

    if (sp_hasher_id(c->hosts[host].hasher, SP_CHUNK_TREE, refs, n, &level, 1, ret, &e) != SP_OK)
        abort();
}

void
cast_shape(struct cast *c, unsigned host, const struct tree *t, struct shape *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < TREE_LEAVES; i++) {
        size_t n = 0;

        for (unsigned k = i * TREE_LEAF; k < (i + 1) * TREE_LEAF; k++) {
            if (t->version[k] == 0)
                continue;
            ret->chunk[k] = *chunk_id(c, host, k, t->version[k]);
            ret->refs[i][n++] = ret->chunk[k];
        }
        ret->nrefs[i] = n;
        if (n == 0)
            continue;
        qsort(ret->refs[i], n, sizeof(struct sp_id), sp_id_cmp);
        node_id(c, host, 1, ret->refs[i], n, &ret->leaf[i]);
        ret->root_refs[ret->nroot++] = ret->leaf[i];
    }
    qsort(ret->root_refs, ret->nroot, sizeof(struct sp_id), sp_id_cmp);
    node_id(c, host, 2, ret->root_refs, ret->nroot, &ret->root);
}

bool
machine_among(const struct sp_id *v, size_t n, const struct sp_id *id)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(v[i].b, id->b, sizeof(id->b)) == 0)
            return true;
    return false;
}

/* --- opening ------------------------------------------------------------------------------- */

/* Whether these very bytes open; asked once, for the same blocks come in case after case. */
static bool
block_opens(struct cast *c, unsigned host, const uint8_t *block, size_t n)
{
    struct sp_opened *opened = NULL;
    struct sp_err why = {0};
    uint64_t h = cut_hash(block, n), *at = &c->opened[h % CAST_OPENED];

    if (*at == h)
        return true;
    if (sp_block_open(c->hosts[host].opener, block, n, &opened, &why) != SP_OK)
        return false;
    sp_opened_free(opened);
    *at = h;
    return true;
}

static enum sp_code
open_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct opening *o = arg;
    struct sp_block_header h;
    struct sp_err why = {0};

    (void)e;
    if (!block_opens(o->c, o->host, block, n) || sp_block_header_parse(block, n, &h, &why) != SP_OK)
        return SP_OK; /* a bad copy: there may be another */
    for (size_t i = 0; i < nwanted; i++) {
        const struct sp_id *id = &o->ids[wanted[i]];
        const uint8_t *at = bsearch(id->b, h.ids, h.nids, SP_ID_SIZE, sp_id_cmp), *refs;
        size_t nrefs = 0;

        if (o->found[wanted[i]] || at == NULL)
            continue;
        o->found[wanted[i]] = true;
        if (h.kind != SP_BLOCK_NODES)
            continue;
        refs = sp_block_refs(&h, (size_t)(at - h.ids) / SP_ID_SIZE, &nrefs);
        for (size_t k = 0; k < nrefs && o->nrefs < 256; k++)
            memcpy(o->refs[o->nrefs++].b, refs + k * SP_ID_SIZE, SP_ID_SIZE);
    }
    return SP_OK;
}

enum sp_code
machine_open_all(struct opening *o, machine_getter get, void *from, bool *ret_all, struct sp_err *e)
{
    bool all = o->n == 0;
    enum sp_code rc;

    for (unsigned copy = 0; copy < COPIES && !all; copy++) {
        if ((rc = get(from, o->ids, o->n, copy, open_block, o, e)) != SP_OK)
            return rc;
        all = true;
        for (size_t i = 0; i < o->n; i++)
            all = all && o->found[i];
    }
    *ret_all = all;
    return SP_OK;
}

/* --- reading ------------------------------------------------------------------------------- */

void
read_memory_clear(struct read_memory *m)
{
    free(m->v);
    memset(m, 0, sizeof(*m));
}

static void
remember(struct read_memory *m, const struct sp_id *id)
{
    if (m->n == m->cap) {
        m->cap = m->cap == 0 ? 256 : m->cap * 2;
        if ((m->v = realloc(m->v, m->cap * sizeof(*m->v))) == NULL)
            abort();
    }
    m->v[m->n++] = *id;
}

struct repository_from {
    struct sp_repository *r;
    struct sp_reader_scope scope;
};

static enum sp_code
get_from_repository(void *from, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    const struct repository_from *f = from;

    return sp_repository_get(f->r, &f->scope, ids, n, copy, each, arg, e);
}

enum sp_code
read_set(struct cast *c, unsigned host, struct sp_repository *r, const struct sp_id *root,
    struct read_memory *m, bool *ret_whole, struct sp_err *e)
{
    struct repository_from from = {r, {c->hosts[host].host, party_group(&c->hosts[host])}};
    struct opening *o = calloc(1, sizeof(*o));
    struct sp_id level[256];
    size_t n = 1, before = m->n;
    bool found[256], all = true;
    enum sp_code rc = SP_OK;

    if (o == NULL)
        abort();
    level[0] = *root;
    while (n > 0) {
        struct sp_id fresh[256];
        size_t nfresh = 0;

        for (size_t i = 0; i < n; i++)
            if (!machine_among(m->v, m->n, &level[i]) && !machine_among(fresh, nfresh, &level[i]))
                fresh[nfresh++] = level[i];
        memset(found, 0, sizeof(found));
        *o = (struct opening){.c = c, .host = host, .ids = fresh, .n = nfresh, .found = found};
        if ((rc = machine_open_all(o, get_from_repository, &from, &all, e)) != SP_OK || !all)
            break;
        for (size_t i = 0; i < nfresh; i++)
            remember(m, &fresh[i]);
        n = o->nrefs;
        memcpy(level, o->refs, n * sizeof(*level));
    }
    free(o);
    if (rc == SP_OK)
        *ret_whole = all;
    if (rc != SP_OK || !all)
        m->n = before; /* a node whose content is not there is not to be passed over next time */
    return rc;
}
