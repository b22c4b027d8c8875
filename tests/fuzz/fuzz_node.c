#include <stdlib.h>

#include "storage/node_field.h"
#include "storage/tree_node.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 kind ‖ u16 refs ‖ plaintext`: one node as a member of the key group may have made it, a
 * tree's (kind even) or a chunk list's. What is understood is written again in one way: in the very
 * same bytes, unless something was in it that this program does not know. */

static struct sp_node_coder coder; /* lives until the program ends */

static struct sp_node *
node_of(enum sp_chunk_kind kind, size_t nrefs, const uint8_t *p, size_t n)
{
    struct sp_id self = fuzz_id(60000), *refs = calloc(nrefs + 1, sizeof(*refs));
    struct sp_chunk c = {.id = &self, .kind = kind, .data = p, .len = n, .refs = refs};
    struct sp_node *node = NULL;
    struct sp_err e = {0};

    FUZZ_MUST(refs != NULL);
    for (size_t i = 0; i < nrefs; i++)
        refs[i] = fuzz_id((unsigned)i);
    c.nrefs = nrefs;
    FUZZ_OK(sp_node_copy(&c, &node, &e));
    free(refs);
    return node;
}

/* The coder's node from these bytes. */
static bool
same(const struct sp_node *n)
{
    return coder.out.len == n->len && coder.refs.n == n->nrefs &&
           (n->len == 0 || memcmp(coder.out.data, n->data, n->len) == 0);
}

/* The messages of a node: the highest number that is known, and which fields are messages. */
enum { NODE, ENTRY, CHILD, SEGMENT, ATTRIBUTE, LIST };
static const struct {
    uint32_t last;
    struct {
        uint32_t number;
        int message;
    } inner[2];
} messages[] = {[NODE] = {3, {{2, ENTRY}, {3, CHILD}}},
    [ENTRY] = {23, {{19, SEGMENT}, {21, ATTRIBUTE}}},
    [CHILD] = {4, {{0, 0}}},
    [SEGMENT] = {2, {{0, 0}}},
    [ATTRIBUTE] = {3, {{0, 0}}},
    [LIST] = {3, {{2, SEGMENT}, {3, SEGMENT}}}};

/* Nothing in it is unknown, zero or empty: then it has the one form that docs/format.md §10 knows.
 */
static bool
plain(struct sp_cur c, int message)
{
    struct sp_wire_field f;

    while (sp_wire_next(&c, &f)) {
        int inner = -1;

        for (size_t i = 0; i < 2; i++)
            if (messages[message].inner[i].number == f.number)
                inner = messages[message].inner[i].message;
        if (f.number > messages[message].last ||
            (inner < 0 && (f.type == SP_WIRE_BYTES ? f.bytes.left == 0 : f.value == 0)) ||
            (inner >= 0 && !plain(f.bytes, inner)))
            return false;
    }
    return true;
}

/* --- entries -----------------------------------------------------------------------------------
 */

struct entries {
    struct sp_entry *e[512];
    size_t n;
    bool all; /* there are no more */
};

static void
take_entries(struct sp_tree_reader *r, struct entries *ret)
{
    const struct sp_entry *en;
    struct sp_err e = {0};

    for (ret->n = 0; ret->n < 512; ret->n++) {
        FUZZ_OK(sp_tree_reader_next(r, &en, &e)); /* all of it was checked */
        if (en == NULL)
            break;
        FUZZ_MUST(sp_entry_problem(en) == NULL);
        FUZZ_OK(sp_entry_copy(en, &ret->e[ret->n], &e));
        FUZZ_MUST(sp_entry_same(en, ret->e[ret->n]) && sp_entry_same_content(en, ret->e[ret->n]));
    }
    ret->all = ret->n < 512;
}

static void
drop_entries(struct entries *all)
{
    while (all->n > 0)
        free(all->e[--all->n]);
}

static enum sp_code
entries(const struct sp_node *n)
{
    static struct entries once, twice;
    struct sp_tree_reader *r = NULL;
    struct sp_node *again = NULL;
    struct sp_buf first = SP_BUF_INIT;
    struct sp_err e = {0};
    enum sp_code rc;

    FUZZ_OK(sp_tree_reader_new(&r, &e));
    rc = FUZZ_TRY(sp_tree_reader_open(r, n, NULL, &e));
    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT);
    if (rc != SP_OK)
        goto out;
    take_entries(r, &once);
    if (once.all && FUZZ_TRY(sp_tree_encode_entries(&coder, once.e, once.n, &e)) == SP_OK) {
        sp_buf_put(&first, coder.out.data, coder.out.len);
        FUZZ_MUST(!first.failed && coder.refs.n == n->nrefs);
        FUZZ_MUST(same(n) || !plain(sp_cur_of(n->data, n->len), NODE));
        again = node_of(SP_CHUNK_TREE, n->nrefs, first.data, first.len);
        FUZZ_OK(sp_tree_reader_open(r, again, NULL, &e));
        take_entries(r, &twice);
        FUZZ_MUST(twice.n == once.n);
        for (size_t i = 0; i < once.n; i++) {
            uint8_t a[32], b[32];

            FUZZ_MUST(sp_entry_same(once.e[i], twice.e[i]));
            FUZZ_OK(sp_entry_content_hash(once.e[i], a, &e));
            FUZZ_OK(sp_entry_content_hash(twice.e[i], b, &e));
            FUZZ_MUST(memcmp(a, b, 32) == 0);
        }
        FUZZ_OK(sp_tree_encode_entries(&coder, twice.e, twice.n, &e));
        FUZZ_MUST(same(again)); /* one form */
        drop_entries(&twice);
    }
    drop_entries(&once);
out:
    free(again);
    sp_buf_free(&first);
    sp_tree_reader_free(r);
    return rc;
}

static void
children(const struct sp_node *n, unsigned level)
{
    struct sp_tree_child all = {.first = (const uint8_t *)"", .entries = 1}, *v = NULL, *w = NULL;
    struct sp_tree_claim claim = {.level = level, .child = &all};
    struct sp_ref_use use = {0};
    struct sp_node *again = NULL;
    struct sp_err e = {0};
    size_t cap = 0, cap2 = 0, count = 0, count2 = 0;

    (void)FUZZ_TRY(sp_tree_children(n, &claim, &use, &v, &cap, &count, &e));
    if (FUZZ_TRY(sp_tree_children(n, NULL, &use, &v, &cap, &count, &e)) != SP_OK)
        goto out;
    FUZZ_MUST(count > 0 && count <= n->len);
    FUZZ_OK(sp_tree_encode_children(&coder, level, v, count, &e));
    FUZZ_MUST(coder.refs.n == n->nrefs);
    FUZZ_MUST(same(n) || !plain(sp_cur_of(n->data, n->len), NODE));
    again = node_of(SP_CHUNK_TREE, n->nrefs, coder.out.data, coder.out.len);
    FUZZ_OK(sp_tree_children(again, NULL, &use, &w, &cap2, &count2, &e));
    FUZZ_MUST(count2 == count);
    for (size_t i = 0; i < count; i++)
        FUZZ_MUST(v[i].entries == w[i].entries && v[i].bytes == w[i].bytes &&
                  sp_id_cmp(&v[i].id, &w[i].id) == 0 && v[i].first_len == w[i].first_len &&
                  memcmp(v[i].first, w[i].first, v[i].first_len) == 0);
out:
    free(again);
    free(v);
    free(w);
    sp_ref_use_free(&use);
}

static void
list(const struct sp_node *n)
{
    static struct sp_segment segments[4096];
    struct sp_ref_use use = {0};
    struct sp_list_iter it, it2;
    struct sp_segment s;
    struct sp_node *again = NULL;
    struct sp_err e = {0};
    uint64_t total = 0, total2 = 0, sum = 0;
    size_t count = 0;

    if (FUZZ_TRY(sp_list_open(n, &use, &it, &total, &e)) != SP_OK) {
        FUZZ_MUST(e.code == SP_CORRUPT);
        goto out;
    }
    while (count < 4096 && sp_list_next(&it, &use, &segments[count])) {
        sum += segments[count].length;
        count++;
    }
    if (count == 4096)
        goto out;
    FUZZ_MUST(sum == total);
    FUZZ_OK(sp_list_encode(&coder, it.level, segments, count, &e));
    FUZZ_MUST(coder.refs.n == n->nrefs);
    FUZZ_MUST(same(n) || !plain(sp_cur_of(n->data, n->len), LIST));
    again = node_of(SP_CHUNK_LIST, n->nrefs, coder.out.data, coder.out.len);
    FUZZ_OK(sp_list_open(again, &use, &it2, &total2, &e));
    FUZZ_MUST(total2 == total && it2.level == it.level);
    for (size_t i = 0; i < count; i++) {
        FUZZ_MUST(sp_list_next(&it2, &use, &s) && s.length == segments[i].length);
        FUZZ_MUST(s.hole == segments[i].hole && sp_id_cmp(&s.id, &segments[i].id) == 0);
    }
    FUZZ_MUST(!sp_list_next(&it2, &use, &s));
out:
    free(again);
    sp_ref_use_free(&use);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    enum sp_chunk_kind kind = fuzz_u8(&in) % 2 == 0 ? SP_CHUNK_TREE : SP_CHUNK_LIST;
    size_t nrefs = fuzz_u16(&in) % 2048;
    struct sp_node *n = node_of(kind, nrefs, in.p, in.n);
    struct sp_err e = {0};
    unsigned level;

    if (kind == SP_CHUNK_LIST)
        list(n);
    else if (FUZZ_TRY(sp_tree_level(n, &level, &e)) != SP_OK)
        FUZZ_MUST(entries(n) != SP_OK);
    else if (level == 0)
        (void)entries(n);
    else
        children(n, level);
    free(n);
    return 0;
}
