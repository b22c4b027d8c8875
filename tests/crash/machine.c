/* What hosts do: see machine.h. */

#include "machine_impl.h"

#define PASSES 3

struct ids { /* sorted when it is looked into */
    struct sp_id v[2 * (TREE_FILES + TREE_LEAVES + 1)];
    size_t n;
};

struct run {
    struct cast *c;
    unsigned host, checkpoint, flush;
    const char *job;
    struct sp_store *s;
    const struct run_events *events;
    struct tree tree;
    struct shape shape;
    struct made_record previous;
    bool begun, has_previous;
    struct ids claimed, whole_nodes; /* by parents */
    unsigned next;                   /* file */
    unsigned put, blocks;            /* since the last checkpoint, flush */
    struct ids undurable[2];         /* put, and not said to be durable: data, nodes */
    bool self_telling;               /* the store tells what is durable */
};

static void
ids_add(struct ids *s, const struct sp_id *id)
{
    if (s->n < sizeof(s->v) / sizeof(s->v[0]))
        s->v[s->n++] = *id;
}

static enum sp_code
get_from_store(void *from, const struct sp_id *ids, size_t n, unsigned copy, sp_store_block_fn each,
    void *arg, struct sp_err *e)
{
    return sp_store_get(from, ids, n, copy, each, arg, e);
}

/* --- parents ------------------------------------------------------------------------------- */

static enum sp_code
read_nodes(struct run *r, const struct sp_id *ids, size_t n, const struct sp_store_head *h,
    struct opening *o, struct sp_err *e)
{
    static bool found[256];
    struct sp_id wanted[64];
    bool all;

    memset(found, 0, sizeof(found));
    *o = (struct opening){.c = r->c, .host = r->host, .ids = wanted, .found = found};
    for (size_t i = 0; i < n && o->n < 64; i++)
        if (!machine_among(h->missing, h->nmissing, &ids[i]))
            wanted[o->n++] = ids[i];
    /* What cannot be read is passed over: what lies below is asked for. */
    return machine_open_all(o, get_from_store, r->s, &all, e);
}

static enum sp_code
take_parent(struct run *r, const uint8_t *record, size_t n, bool whole,
    const struct sp_store_head *h, struct sp_err *e)
{
    struct opening *o = calloc(1, sizeof(*o));
    struct sp_id leaves[64];
    struct sp_set set;
    size_t nleaves;
    enum sp_code rc;

    if (o == NULL)
        abort();
    if ((rc = sp_set_record_decode(record, n, &set, e)) != SP_OK ||
        (rc = read_nodes(r, &set.root, 1, h, o, e)) != SP_OK)
        goto out;
    nleaves = o->nrefs < 64 ? o->nrefs : 64;
    memcpy(leaves, o->refs, nleaves * sizeof(*leaves));
    if ((rc = read_nodes(r, leaves, nleaves, h, o, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < o->nrefs; i++)
        if (!machine_among(h->missing, h->nmissing, &o->refs[i]))
            ids_add(&r->claimed, &o->refs[i]);
    if (whole) {
        ids_add(&r->whole_nodes, &set.root);
        for (size_t i = 0; i < nleaves; i++)
            ids_add(&r->whole_nodes, &leaves[i]);
    }
out:
    free(o);
    return rc;
}

static enum sp_code
begin(struct run *r, struct sp_err *e)
{
    struct sp_store_head h;
    struct sp_set set;
    bool named;
    enum sp_code rc;

    memset(&h, 0, sizeof(h));
    if ((rc = sp_store_head(r->s, r->job, &h, e)) != SP_OK)
        return rc;
    r->has_previous = h.has_set;
    if (h.has_set) {
        if ((rc = sp_set_record_decode(h.set, h.set_len, &set, e)) != SP_OK)
            goto out;
        r->previous.sequence = set.sequence;
        memcpy(r->previous.hash, h.set_hash, sizeof(h.set_hash));
    }
    named = h.nmissing > 0;
    if (!h.missing_more && h.has_set && (named || h.set_whole))
        rc = take_parent(r, h.set, h.set_len, h.set_whole, &h, e);
    if (rc == SP_OK && !h.missing_more && h.has_checkpoint && (named || h.checkpoint_whole))
        rc = take_parent(r, h.checkpoint, h.checkpoint_len, h.checkpoint_whole, &h, e);
out:
    sp_store_head_clear(&h);
    return rc;
}

/* --- putting ------------------------------------------------------------------------------- */

static enum sp_code
seal_and_put(struct run *r, struct sp_block_builder *b, struct sp_err *e)
{
    struct party *p = &r->c->hosts[r->host];
    struct sp_buf block = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    rc = sp_block_seal(p->sealer, p->compressor, p->opener, b, &block, e);
    sp_block_builder_free(b);
    if (rc == SP_OK)
        rc = sp_buf_take(&block, &bytes, &n, e);
    sp_buf_free(&block);
    return rc != SP_OK ? rc : sp_store_put(r->s, bytes, n, e);
}

static enum sp_code
put_files(struct run *r, const unsigned *files, size_t n, struct sp_err *e)
{
    struct sp_block_builder *b;
    uint8_t bytes[4096];
    enum sp_code rc;

    if (n == 0)
        return SP_OK;
    if ((rc = sp_block_builder_new(SP_BLOCK_FILES, &b, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        unsigned f = files[i];
        size_t len = machine_content(r->host, f, r->tree.version[f], bytes);

        rc = sp_block_builder_add(b, SP_CHUNK_DATA, &r->shape.chunk[f], NULL, 0, bytes, len, e);
        if (rc != SP_OK) {
            sp_block_builder_free(b);
            return rc;
        }
        ids_add(&r->undurable[0], &r->shape.chunk[f]);
    }
    r->blocks++;
    return seal_and_put(r, b, e);
}

/* Nodes of a shape, one block: those of `which` (a bit a leaf, the root above them). */
static enum sp_code
put_nodes(struct run *r, const struct shape *s, unsigned which, struct sp_err *e)
{
    struct sp_block_builder *b;
    uint8_t level = 1;
    enum sp_code rc;

    if (which == 0)
        return SP_OK;
    if ((rc = sp_block_builder_new(SP_BLOCK_NODES, &b, e)) != SP_OK)
        return rc;
    for (unsigned i = 0; i < TREE_LEAVES && rc == SP_OK; i++) {
        if ((which & 1u << i) == 0)
            continue;
        rc = sp_block_builder_add(
            b, SP_CHUNK_TREE, &s->leaf[i], s->refs[i], s->nrefs[i], &level, 1, e);
        ids_add(&r->undurable[1], &s->leaf[i]);
    }
    level = 2;
    if (rc == SP_OK && (which & 1u << TREE_LEAVES) != 0) {
        rc = sp_block_builder_add(b, SP_CHUNK_TREE, &s->root, s->root_refs, s->nroot, &level, 1, e);
        ids_add(&r->undurable[1], &s->root);
    }
    if (rc != SP_OK) {
        sp_block_builder_free(b);
        return rc;
    }
    return seal_and_put(r, b, e);
}

/* A member's chunk counts once it was opened. */
static enum sp_code
member_has(struct run *r, const struct sp_id *id, bool *ret, struct sp_err *e)
{
    struct opening *o = calloc(1, sizeof(*o));
    bool found[1] = {false};
    enum sp_code rc;

    if (o == NULL)
        abort();
    *o = (struct opening){.c = r->c, .host = r->host, .ids = id, .n = 1, .found = found};
    rc = machine_open_all(o, get_from_store, r->s, ret, e);
    free(o);
    return rc;
}

/* Up to a block of files: those that nobody has are put. */
static enum sp_code
some_files(struct run *r, struct sp_err *e)
{
    unsigned ask[TREE_FILES], put[BLOCK_FILES], n = 0, nput = 0;
    struct sp_id ids[TREE_FILES];
    uint8_t answers[TREE_FILES];
    enum sp_code rc;

    for (; r->next < TREE_FILES && n < BLOCK_FILES; r->next++) {
        const struct sp_id *id = &r->shape.chunk[r->next];

        if (r->tree.version[r->next] == 0 || machine_among(r->claimed.v, r->claimed.n, id))
            continue;
        ask[n] = r->next;
        ids[n++] = *id;
    }
    if (n == 0)
        return SP_OK;
    if ((rc = sp_store_have(r->s, false, ids, n, answers, e)) != SP_OK)
        return rc;
    for (unsigned i = 0; i < n; i++) {
        bool there = answers[i] == SP_HAVE_MINE;

        if (answers[i] == SP_HAVE_MEMBERS && (rc = member_has(r, &ids[i], &there, e)) != SP_OK)
            return rc;
        if (!there)
            put[nput++] = ask[i];
    }
    r->put += nput;
    return put_files(r, put, nput, e);
}

static enum sp_code
new_nodes(struct run *r, const struct shape *s, struct sp_err *e)
{
    struct sp_id ids[TREE_LEAVES + 1];
    uint8_t answers[TREE_LEAVES + 1];
    unsigned which[TREE_LEAVES + 1], put = 0, n = 0;
    enum sp_code rc;

    for (unsigned i = 0; i <= TREE_LEAVES; i++) {
        const struct sp_id *id = i < TREE_LEAVES ? &s->leaf[i] : &s->root;

        if ((i < TREE_LEAVES && s->nrefs[i] == 0) ||
            machine_among(r->whole_nodes.v, r->whole_nodes.n, id))
            continue;
        which[n] = i;
        ids[n++] = *id;
    }
    if (n == 0)
        return SP_OK;
    if ((rc = sp_store_have(r->s, true, ids, n, answers, e)) != SP_OK)
        return rc;
    for (unsigned i = 0; i < n; i++)
        if (answers[i] != SP_HAVE_MINE)
            put |= 1u << which[i];
    return put_nodes(r, s, put, e);
}

/* --- committing ---------------------------------------------------------------------------- */

static void
all_durable(struct run *r)
{
    for (int i = 0; i < 2; i++) {
        if (r->events->durable != NULL && !r->self_telling)
            r->events->durable(
                r->events->arg, r->host, i == 1, r->undurable[i].v, r->undurable[i].n);
        r->undurable[i].n = 0;
    }
}

/* What the commit says is missing, put again. */
static enum sp_code
put_missing(
    struct run *r, const struct shape *s, const struct sp_commit_result *c, struct sp_err *e)
{
    unsigned files[BLOCK_FILES], n = 0, nodes = 0;
    size_t met = 0;
    enum sp_code rc;

    for (unsigned i = 0; i < TREE_FILES; i++) {
        static const struct sp_id none;

        if (memcmp(s->chunk[i].b, none.b, 32) == 0 ||
            !machine_among(c->missing, c->nmissing, &s->chunk[i]))
            continue;
        met++;
        files[n++] = i;
        if (n == BLOCK_FILES) {
            if ((rc = put_files(r, files, n, e)) != SP_OK)
                return rc;
            n = 0;
        }
    }
    if ((rc = put_files(r, files, n, e)) != SP_OK)
        return rc;
    for (unsigned i = 0; i <= TREE_LEAVES; i++)
        if ((i == TREE_LEAVES || s->nrefs[i] > 0) &&
            machine_among(c->missing, c->nmissing, i < TREE_LEAVES ? &s->leaf[i] : &s->root)) {
            nodes |= 1u << i;
            met++;
        }
    if (met < c->nmissing)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF,
            "the commit says that %zu ids are missing, of which the set has %zu", c->nmissing, met);
    return put_nodes(r, s, nodes, e);
}

static enum sp_code
commit(struct run *r, enum sp_record_type type, const struct shape *s, struct sp_err *e)
{
    struct sp_commit_result result;
    struct made_record record;
    bool missing = true;
    enum sp_code rc;

    if ((rc = new_nodes(r, s, e)) != SP_OK)
        return rc;
    for (int pass = 0; pass < PASSES && missing; pass++) {
        party_record(&r->c->hosts[r->host], type, r->job, r->has_previous ? &r->previous : NULL,
            &s->root, &record);
        if (r->events->committing != NULL)
            r->events->committing(r->events->arg, r->host, type, &record, &s->root);
        memset(&result, 0, sizeof(result));
        rc = sp_store_commit(r->s, type, record.object.data, record.object.len, &result, e);
        missing = rc == SP_OK && result.nmissing > 0;
        if (rc == SP_OK && !missing) {
            if (r->events->committed != NULL)
                r->events->committed(r->events->arg, record.set_id);
            all_durable(r);
        }
        if (missing && type == SP_RECORD_SET)
            rc = put_missing(r, s, &result, e);
        sp_buf_free(&record.object);
        sp_commit_result_clear(&result);
        if (rc != SP_OK)
            return rc;
        if (missing && type == SP_RECORD_CHECKPOINT)
            return SP_OK; /* no checkpoint this time: the set will name it again */
    }
    if (missing)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "after %d passes chunks are missing", PASSES);
    return SP_OK;
}

/* Of what was looked at so far. */
static enum sp_code
checkpoint(struct run *r, struct sp_err *e)
{
    struct tree t = r->tree;
    struct shape s;

    for (unsigned i = r->next; i < TREE_FILES; i++)
        t.version[i] = 0;
    cast_shape(r->c, r->host, &t, &s);
    r->put = 0;
    return s.nroot == 0 ? SP_OK : commit(r, SP_RECORD_CHECKPOINT, &s, e);
}

/* --- the run ------------------------------------------------------------------------------- */

struct run *
run_begin(struct cast *c, unsigned host, const char *job, struct sp_store *s, const struct tree *t,
    unsigned checkpoint_after, unsigned flush, const struct run_events *events)
{
    struct run *r = calloc(1, sizeof(*r));

    if (r == NULL)
        abort();
    r->c = c;
    r->host = host;
    r->job = job;
    r->s = s;
    r->tree = *t;
    r->checkpoint = checkpoint_after;
    r->flush = flush;
    r->events = events;
    r->self_telling = strcmp(s->ops->kind, "session") == 0;
    cast_shape(c, host, t, &r->shape);
    return r;
}

enum sp_code
run_step(struct run *r, bool *ret_more, struct sp_err *e)
{
    enum sp_code rc;

    *ret_more = true;
    if (!r->begun) {
        r->begun = true;
        rc = begin(r, e);
    } else if (r->flush != 0 && r->blocks >= r->flush) {
        r->blocks = 0;
        if ((rc = sp_store_flush(r->s, e)) == SP_OK)
            all_durable(r);
    } else if (r->checkpoint != 0 && r->put >= r->checkpoint) {
        rc = checkpoint(r, e);
    } else if (r->next < TREE_FILES) {
        rc = some_files(r, e);
    } else {
        rc = commit(r, SP_RECORD_SET, &r->shape, e);
        *ret_more = false;
    }
    if (rc != SP_OK)
        *ret_more = false;
    return rc;
}

void
run_end(struct run *r)
{
    free(r);
}

enum sp_code
run_all(struct cast *c, unsigned host, const char *job, struct sp_store *s, const struct tree *t,
    unsigned checkpoint_after, unsigned flush, const struct run_events *events, struct sp_err *e)
{
    struct run *r = run_begin(c, host, job, s, t, checkpoint_after, flush, events);
    bool more = true;
    enum sp_code rc = SP_OK;

    while (more)
        rc = run_step(r, &more, e);
    run_end(r);
    return rc;
}
