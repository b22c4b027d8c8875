#include <stdlib.h>

#include "base/path.h"
#include "storage/catalog.h"
#include "storage/chunklist.h"
#include "storage/tree_node.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* Nodes by number: `u16 length ‖ (u8 kind ‖ u8 refs ‖ refs × u8 number ‖ plaintext)` each. 0 and 1
 * are the roots of two trees, which are walked, searched and compared; 2 is the root of a chunk
 * list. Numbers that are not there are nodes that are lost. */

#define MOST 32
#define STEPS 5000 /* a few nodes can tell of endlessly many entries */

struct nodes {
    struct sp_node *n[MOST];
    size_t count, read;
};

static enum sp_code
get(void *self, const struct sp_id *ids, size_t n, struct sp_node **ret, struct sp_err *why)
{
    struct nodes *all = self;
    struct sp_err e = {0};

    for (size_t i = 0; i < n; i++) {
        unsigned k = (unsigned)ids[i].b[0] << 8 | ids[i].b[1];

        if (k >= all->count || all->n[k] == NULL)
            return sp_fail(why, SP_ABSENT, SP_DOM_STORE, "node %u is lost", k);
    }
    for (size_t i = 0; i < n; i++) {
        const struct sp_node *from = all->n[(unsigned)ids[i].b[0] << 8 | ids[i].b[1]];
        struct sp_chunk c = {.id = &from->id,
            .kind = from->kind,
            .data = from->data,
            .len = from->len,
            .refs = from->refs,
            .nrefs = from->nrefs};

        FUZZ_OK(sp_node_copy(&c, &ret[i], &e));
        all->read++;
    }
    return SP_OK;
}

static struct sp_node *
take_node(struct fuzz_in *in, unsigned number)
{
    struct fuzz_in part = fuzz_part(in);
    struct sp_id id = fuzz_id(number), refs[256];
    struct sp_chunk c = {.id = &id, .refs = refs};
    struct sp_node *n = NULL;
    struct sp_err e = {0};
    bool has[256] = {false};
    size_t nrefs;

    if (part.n == 0)
        return NULL;
    c.kind = fuzz_u8(&part) % 2 == 0 ? SP_CHUNK_TREE : SP_CHUNK_LIST;
    nrefs = fuzz_u8(&part);
    while (nrefs-- > 0)
        has[fuzz_u8(&part)] = true;
    for (unsigned i = 0; i < 256; i++)
        if (has[i])
            refs[c.nrefs++] = fuzz_id(i);
    c.data = part.p;
    c.len = part.n;
    FUZZ_OK(sp_node_copy(&c, &n, &e));
    return n;
}

/* All that the tree gives; damaged nodes are passed over. */
static void
walk(const struct sp_node_source *source, const struct sp_id *root)
{
    struct sp_catalog *c = NULL;
    struct sp_catalog_totals totals;
    const struct sp_entry *en = NULL;
    struct sp_buf before = SP_BUF_INIT, middle = SP_BUF_INIT;
    struct sp_err e = {0};
    bool any = false, damaged = false;
    uint64_t entries = 0;
    size_t step = 0;

    if (FUZZ_TRY(sp_catalog_open(source, root, &c, &e)) != SP_OK)
        goto out;
    (void)FUZZ_TRY(sp_catalog_totals(c, &totals, &e));
    for (; step < STEPS; step++) {
        enum sp_code rc = FUZZ_TRY(sp_catalog_next(c, &en, &e));

        if (rc != SP_OK) {
            damaged = true;
            FUZZ_MUST(rc == SP_CORRUPT || rc == SP_ABSENT);
            if (FUZZ_TRY(sp_catalog_skip(c, &e)) != SP_OK)
                break;
            continue;
        }
        if (en == NULL)
            break;
        FUZZ_MUST(!any || sp_key_cmp(before.data, before.len, en->key, en->key_len) < 0);
        any = true;
        entries++;
        sp_buf_reset(&before);
        sp_buf_put(&before, en->key, en->key_len);
        if (entries % 3 == 0) {
            sp_buf_reset(&middle);
            sp_buf_put(&middle, en->key, en->key_len);
        }
    }
    FUZZ_MUST(!before.failed && !middle.failed);
    if (!damaged && step < STEPS) {
        FUZZ_OK(sp_catalog_totals(c, &totals, &e));
        FUZZ_MUST(totals.entries == entries);
        FUZZ_MUST(
            FUZZ_TRY(sp_catalog_find(c, "\xff\xff", 2, &en, &e)) == SP_ABSENT || e.code == SP_OK);
    }
    if (middle.len > 0) {
        enum sp_code rc = FUZZ_TRY(sp_catalog_find(c, middle.data, middle.len, &en, &e));

        FUZZ_MUST(rc == SP_OK || damaged);
        FUZZ_MUST(rc != SP_OK ||
                  (en->key_len == middle.len && memcmp(en->key, middle.data, middle.len) == 0));
        if (FUZZ_TRY(sp_catalog_seek(c, middle.data, middle.len, &e)) == SP_OK)
            (void)FUZZ_TRY(sp_catalog_next(c, &en, &e));
    }
out:
    sp_catalog_free(c);
    sp_buf_free(&before);
    sp_buf_free(&middle);
}

static enum sp_code
differ(void *arg, const struct sp_entry *old, const struct sp_entry *now, struct sp_err *e)
{
    FUZZ_MUST(old != NULL || now != NULL);
    FUZZ_MUST(old == NULL || now == NULL || !sp_entry_same(old, now));
    return ++*(size_t *)arg < STEPS ? SP_OK : sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
}

static void
list(const struct sp_node_source *source, uint64_t size)
{
    struct sp_entry en = {.type = SP_ENTRY_FILE,
        .size = size,
        .user = "",
        .group = "",
        .has_list = true,
        .list = fuzz_id(2)};
    struct sp_list_reader *r = NULL;
    struct sp_segment s;
    struct sp_err e = {0};
    uint64_t offset, at = 0;
    bool more = true;

    if (FUZZ_TRY(sp_list_reader_new(source, &en, &r, &e)) != SP_OK)
        return;
    for (size_t step = 0; step < STEPS && more; step++) {
        if (FUZZ_TRY(sp_list_reader_next(r, &s, &offset, &more, &e)) != SP_OK)
            break;
        if (more) {
            FUZZ_MUST(offset == at && s.length > 0 && s.length <= size - at);
            at += s.length;
        } else {
            FUZZ_MUST(at == size);
        }
    }
    if (size > 0 && FUZZ_TRY(sp_list_reader_seek(r, size / 2, &e)) == SP_OK &&
        FUZZ_TRY(sp_list_reader_next(r, &s, &offset, &more, &e)) == SP_OK)
        FUZZ_MUST(more && offset <= size / 2 && size / 2 - offset < s.length);
    sp_list_reader_free(r);
}

static uint64_t
list_size(struct nodes *all)
{
    struct sp_ref_use use = {0};
    struct sp_list_iter it;
    struct sp_err e = {0};
    uint64_t size = 0;

    if (all->count > 2 && all->n[2] != NULL &&
        sp_list_open(all->n[2], &use, &it, &size, &e) != SP_OK)
        size = 1000;
    sp_ref_use_free(&use);
    return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct nodes all = {.count = 0};
    struct sp_node_source source = {get, &all};
    struct sp_id root = fuzz_id(0), other = fuzz_id(1);
    struct sp_err e = {0};
    size_t differences = 0;

    while (in.n > 0 && all.count < MOST) {
        all.n[all.count] = take_node(&in, (unsigned)all.count);
        all.count++;
    }
    walk(&source, &root);
    (void)FUZZ_TRY(sp_catalog_diff(&source, &root, &other, differ, &differences, &e));
    differences = 0;
    FUZZ_MUST(sp_catalog_diff(&source, &root, &root, differ, &differences, &e) != SP_OK ||
              differences == 0);
    list(&source, list_size(&all));
    while (all.count > 0)
        free(all.n[--all.count]);
    return 0;
}
