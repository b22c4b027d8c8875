/* Blocks out of the source, proven before they are passed on: see copy_impl.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/copy_impl.h"

#define COPIES_MAX 64u       /* of one id that are told apart */
#define SERVER_COPIES_MAX 8u /* that a server is asked for */

/* --- where an id lies, in a repository ------------------------------------------------------ */

struct place {
    struct sp_fetch f;
    bool own;
};
struct places { /* of one id */
    const struct sp_copy *c;
    bool nodes; /* wanted: of the host itself; else data of the group */
    struct place v[COPIES_MAX];
    size_t n;
    bool node, data, own_data;
};

static void
start_places(struct places *p, const struct sp_copy *c, bool nodes)
{
    p->c = c;
    p->nodes = nodes;
    p->n = 0;
    p->node = p->data = p->own_data = false;
}

static bool
see(void *arg, const struct sp_pack_state *s, const struct sp_place *at)
{
    struct places *p = arg;
    const struct sp_presence *all = p->c->from->repository->presence;
    struct place *to = &p->v[p->n];
    bool node = s->kind == SP_PACK_NODES;

    if (memcmp(sp_presence_group(all, s), p->c->group, 16) != 0)
        return true;
    to->own = memcmp(sp_presence_uploader(all, s), p->c->host, 16) == 0;
    if (node && !to->own) /* a member's node is never relied on */
        return true;
    p->node = p->node || node;
    p->data = p->data || !node;
    p->own_data = p->own_data || (!node && to->own);
    if (node != p->nodes)
        return true;
    to->f.place = *at;
    memcpy(to->f.name, s->name, sizeof(to->f.name));
    to->f.kind = s->kind;
    return ++p->n < COPIES_MAX;
}

/* The host's own first, else an order that stays the same, so that the next copy is another one. */
static int
place_cmp(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order;

    if (x->own != y->own)
        return x->own ? -1 : 1;
    if ((order = memcmp(x->f.name, y->f.name, sizeof(x->f.name))) != 0)
        return order;
    return x->f.place.offset < y->f.place.offset ? -1 : x->f.place.offset > y->f.place.offset;
}

/* Memtable and segments may know the same place. */
static void
unique(struct places *p)
{
    size_t i, n = 0;

    if (p->n == 0)
        return;
    qsort(p->v, p->n, sizeof(p->v[0]), place_cmp);
    for (i = 1; i < p->n; i++)
        if (place_cmp(&p->v[n], &p->v[i]) != 0)
            p->v[++n] = p->v[i];
    p->n = n + 1;
}

/* --- what it is ----------------------------------------------------------------------------- */

static enum sp_code
ask_server(struct sp_copy *c, bool nodes, struct sp_copy_ref *v, size_t n, struct sp_err *e)
{
    struct sp_id *ids = malloc((n + 1) * sizeof(*ids));
    uint8_t *answers = malloc(n + 1);
    size_t i, k = 0;
    enum sp_code rc = SP_OK;

    if (ids == NULL || answers == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (i = 0; i < n; i++)
        if (v[i].kind == SP_COPY_NOWHERE)
            ids[k++] = v[i].id;
    if ((rc = sp_store_have(c->from->store, nodes, ids, k, answers, e)) != SP_OK)
        goto out;
    for (i = k = 0; i < n; i++) {
        if (v[i].kind != SP_COPY_NOWHERE || answers[k++] == SP_HAVE_NO)
            continue;
        v[i].kind = nodes ? SP_COPY_NODE : SP_COPY_DATA;
        v[i].own = answers[k - 1] == SP_HAVE_MINE;
    }
out:
    free(answers);
    free(ids);
    return rc;
}

enum sp_code
sp_copy_classify(struct sp_copy *c, struct sp_copy_ref *v, size_t n, struct sp_err *e)
{
    struct sp_lookup lookup;
    struct places *p;
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < n; i++)
        v[i].kind = SP_COPY_NOWHERE;
    if (c->from->repository == NULL) {
        for (i = 0; i < n && rc == SP_OK; i += SP_COPY_IDS) {
            size_t k = n - i < SP_COPY_IDS ? n - i : SP_COPY_IDS;

            if ((rc = ask_server(c, true, v + i, k, e)) == SP_OK)
                rc = ask_server(c, false, v + i, k, e);
        }
        return rc;
    }
    if ((p = malloc(sizeof(*p))) == NULL)
        return sp_fail_nomem(e);
    sp_lookup_begin(&lookup, c->from->repository);
    for (i = 0; i < n && rc == SP_OK; i++) {
        start_places(p, c, true);
        rc = sp_lookup_id(&lookup, &v[i].id, see, p, e);
        v[i].kind = p->node ? SP_COPY_NODE : p->data ? SP_COPY_DATA : SP_COPY_NOWHERE;
        v[i].own = p->node || p->own_data;
    }
    sp_lookup_end(&lookup);
    free(p);
    return rc;
}

/* --- proving a block ------------------------------------------------------------------------ */

static enum sp_code
bad(struct sp_copy *c, const char *why)
{
    (void)snprintf(c->why, sizeof(c->why), "%.399s", why);
    return SP_CORRUPT;
}

/* SP_CORRUPT: c->why. */
static enum sp_code
prove(struct sp_copy *c, const struct sp_copy_said *said, const struct sp_block_header *h,
    const uint8_t *block, size_t len, struct sp_err *e)
{
    struct sp_opened *opened = NULL;
    struct sp_err why = {0};
    uint8_t hash[32];
    enum sp_code rc;

    if (memcmp(h->group, c->group, 16) != 0)
        return bad(c, "it is of another key group");
    if (said != NULL && !said->told)
        return bad(c, "the pack's trailer does not tell of it");
    if (said != NULL) {
        if ((rc = sp_sha256(block, len, hash, e)) != SP_OK)
            return rc;
        if (memcmp(hash, said->sha256, sizeof(hash)) != 0)
            return bad(c, "its bytes are not those that were stored");
    }
    if (c->opener == NULL)
        return SP_OK;
    rc = sp_block_open(c->opener, block, len, &opened, &why);
    sp_opened_free(opened);
    if (rc == SP_CORRUPT)
        return bad(c, why.text);
    if (rc != SP_OK)
        *e = why;
    return rc;
}

/* --- reading -------------------------------------------------------------------------------- */

struct delivery {
    struct sp_copy *c;
    struct sp_copy_ref *v;
    struct sp_copy_said *said; /* of a repository: what the trailers have of each of v */
    const uint32_t *of;        /* of the ids asked of a server: which they are in v */
    uint32_t *wanted;
    size_t base; /* v[0] of the caller's */
    sp_copy_block_fn each;
    void *arg;
    size_t came; /* blocks, good or bad */
};

static enum sp_code
pass_on(struct delivery *d, const uint8_t *block, size_t len, size_t n, struct sp_err *e)
{
    for (size_t i = 0; i < n; i++) {
        d->v[d->wanted[i]].done = true;
        d->wanted[i] += (uint32_t)d->base;
    }
    return d->each(d->arg, block, len, d->wanted, n, e);
}

static enum sp_code
from_repository(void *arg, const struct sp_fetch *f, size_t n, const struct sp_block_header *h,
    const uint8_t *block, struct sp_err *e)
{
    struct delivery *d = arg;
    size_t i, inside = 0, len = (size_t)h->header_len + h->sealed_len;
    char object[96];
    enum sp_code rc;

    d->came++;
    if ((rc = sp_copy_live(d->c, e)) != SP_OK)
        return rc;
    for (i = 0; i < n; i++)
        if (bsearch(d->v[f[i].want].id.b, h->ids, h->nids, SP_ID_SIZE, sp_id_cmp) != NULL)
            d->wanted[inside++] = f[i].want;
    if (inside == 0) /* only the first half of the id is the same */
        return SP_OK;
    rc = prove(d->c, &d->said[f->want], h, block, len, e);
    if (rc == SP_OK)
        return pass_on(d, block, len, inside, e);
    if (rc != SP_CORRUPT)
        return rc;
    sp_pack_object_name((enum sp_pack_kind)f->kind, f->name, object);
    d->c->totals->damaged++;
    sp_copy_tell(d->c, SP_COPY_DAMAGE, NULL, "%s: the block at %u is bad: %s", object,
        (unsigned)f->place.offset, d->c->why);
    sp_repository_distrust(d->c->from->repository, f->place.pack);
    return SP_OK;
}

static enum sp_code
from_server(
    void *arg, const uint8_t *block, size_t len, const uint32_t *wanted, size_t n, struct sp_err *e)
{
    struct delivery *d = arg;
    struct sp_block_header h;
    struct sp_err why = {0};
    size_t i;
    enum sp_code rc;

    d->came++;
    if ((rc = sp_copy_live(d->c, e)) != SP_OK)
        return rc;
    rc = sp_block_header_parse(block, len, &h, &why);
    rc = rc == SP_OK ? prove(d->c, NULL, &h, block, len, e) : bad(d->c, why.text);
    if (rc == SP_CORRUPT) {
        d->c->totals->damaged++;
        sp_copy_tell(d->c, SP_COPY_DAMAGE, NULL, "the server sent a bad block: %s", d->c->why);
        return SP_OK;
    }
    if (rc != SP_OK)
        return rc;
    for (i = 0; i < n; i++)
        d->wanted[i] = d->of[wanted[i]];
    return pass_on(d, block, len, n, e);
}

static enum sp_code
fetch_repository(struct delivery *d, bool nodes, size_t n, struct sp_err *e)
{
    struct sp_repository *r = d->c->from->repository;
    struct sp_fetch *f = malloc((n + 1) * sizeof(*f));
    struct places *p = malloc(sizeof(*p));
    struct sp_lookup lookup;
    size_t i, count = 1;
    enum sp_code rc = SP_OK;

    d->said = malloc((n + 1) * sizeof(*d->said));
    sp_lookup_begin(&lookup, r);
    if (f == NULL || p == NULL || d->said == NULL)
        rc = sp_fail_nomem(e);
    for (unsigned copy = 0; rc == SP_OK && count > 0; copy++) {
        count = 0;
        for (i = 0; i < n && rc == SP_OK; i++) {
            if (d->v[i].done)
                continue;
            start_places(p, d->c, nodes);
            if ((rc = sp_lookup_id(&lookup, &d->v[i].id, see, p, e)) != SP_OK)
                break;
            unique(p);
            if (copy >= p->n)
                continue;
            f[count] = p->v[copy].f;
            f[count++].want = (uint32_t)i;
        }
        if (rc == SP_OK && (rc = sp_copy_trailers(r, f, count, d->said, e)) == SP_OK)
            rc = sp_fetch_blocks(r, f, count, from_repository, d, e);
    }
    sp_lookup_end(&lookup);
    free(d->said);
    d->said = NULL;
    free(p);
    free(f);
    return rc;
}

static enum sp_code
fetch_server(struct delivery *d, size_t n, struct sp_err *e)
{
    struct sp_id *ids = malloc((n + 1) * sizeof(*ids));
    uint32_t *of = malloc((n + 1) * sizeof(*of));
    size_t i, count;
    enum sp_code rc = SP_OK;

    if (ids == NULL || of == NULL)
        rc = sp_fail_nomem(e);
    d->of = of;
    for (unsigned copy = 0; rc == SP_OK && copy < SERVER_COPIES_MAX; copy++) {
        for (i = count = 0; i < n; i++)
            if (!d->v[i].done) {
                of[count] = (uint32_t)i;
                ids[count++] = d->v[i].id;
            }
        d->came = 0;
        if (count == 0)
            break;
        rc = sp_store_get(d->c->from->store, ids, count, copy, from_server, d, e);
        if (d->came == 0)
            break;
    }
    free(of);
    free(ids);
    return rc;
}

enum sp_code
sp_copy_fetch(struct sp_copy *c, bool nodes, struct sp_copy_ref *v, size_t n, sp_copy_block_fn each,
    void *arg, struct sp_err *e)
{
    struct delivery d = {.c = c, .each = each, .arg = arg};
    size_t i, k;
    enum sp_code rc = SP_OK;

    if ((d.wanted = malloc(SP_COPY_IDS * sizeof(*d.wanted))) == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < n && rc == SP_OK; i += k) {
        k = n - i < SP_COPY_IDS ? n - i : SP_COPY_IDS;
        d.v = v + i;
        d.base = i;
        rc = c->from->repository != NULL ? fetch_repository(&d, nodes, k, e)
                                         : fetch_server(&d, k, e);
    }
    free(d.wanted);
    return rc;
}

/* --- a dry run ------------------------------------------------------------------------------ */

static int
by_place(const void *a, const void *b)
{
    const struct sp_fetch *x = a, *y = b;

    return sp_place_cmp(&x->place, &y->place);
}

enum sp_code
sp_copy_measure(struct sp_copy *c, struct sp_copy_ref *v, size_t n, uint64_t *ret_blocks,
    uint64_t *ret_bytes, struct sp_err *e)
{
    struct sp_fetch *f = malloc((n + 1) * sizeof(*f));
    struct places *p = malloc(sizeof(*p));
    struct sp_lookup lookup;
    size_t i, count = 0;
    enum sp_code rc = SP_OK;

    sp_lookup_begin(&lookup, c->from->repository);
    if (f == NULL || p == NULL)
        rc = sp_fail_nomem(e);
    for (i = 0; i < n && rc == SP_OK; i++) {
        if (v[i].done)
            continue;
        start_places(p, c, v[i].kind == SP_COPY_NODE);
        rc = sp_lookup_id(&lookup, &v[i].id, see, p, e);
        unique(p);
        if (rc == SP_OK && p->n > 0)
            f[count++] = p->v[0].f;
    }
    sp_lookup_end(&lookup);
    if (rc == SP_OK && count > 0)
        qsort(f, count, sizeof(*f), by_place);
    for (i = 0; i < count && rc == SP_OK; i++) {
        if (i > 0 && by_place(&f[i - 1], &f[i]) == 0)
            continue;
        ++*ret_blocks;
        *ret_bytes += f[i].place.length;
    }
    free(p);
    free(f);
    return rc;
}
