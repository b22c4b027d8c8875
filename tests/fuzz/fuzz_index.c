#include <stdlib.h>

#include "storage/crypto.h"
#include "storage/index_format.h"
#include "storage/index_merge.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

/* `u8 flags ‖ segment`, or with BUILD `u8 flags ‖ u8 packs ‖ u8 superseded ‖ u8 k ‖ bytes`: its
 * packs, names, filter and entries, with header and fan-out (MEND) made to fit. Under the name that
 * its bytes have. */

enum { KEEP_FILTER = 1, BUILD = 2, MEND = 4, SORT = 8 };

#define CACHE "/cache"

static int
by_bytes(const void *a, const void *b)
{
    return sp_index_entry_cmp(a, b);
}

static void
build(struct fuzz_in *in, unsigned flags, struct sp_buf *ret)
{
    uint32_t npacks = fuzz_u8(in) % 8, nsuperseded = fuzz_u8(in) % 4, k = fuzz_u8(in) % 6;
    struct fuzz_in packs = fuzz_take(in, (size_t)npacks * INDEX_PACK);
    struct fuzz_in names = fuzz_take(in, (size_t)nsuperseded * INDEX_NAME);
    struct fuzz_in filter = fuzz_take(in, (size_t)INDEX_LINE << k);
    size_t n = in->n / INDEX_ENTRY, at;
    uint32_t count[256] = {0}, sum = 0;

    sp_buf_put_str(ret, INDEX_MAGIC);
    sp_buf_put_u32(ret, npacks);
    sp_buf_put_u32(ret, nsuperseded);
    sp_buf_put_u64(ret, n);
    sp_buf_put_u32(ret, k);
    sp_buf_put_u32(ret, 0);
    sp_buf_put(ret, packs.p, packs.n);
    sp_buf_put_zero(ret, (size_t)npacks * INDEX_PACK - packs.n);
    for (size_t i = 0; (flags & MEND) != 0 && i < npacks; i++) {
        uint8_t *p = ret->data + INDEX_HEADER + i * INDEX_PACK;

        sp_store_le64(p + 64, sp_le64(p + 64) & ((1u << 24) - 1));
        p[72] = (p[72] & 1) != 0 ? SP_PACK_NODES : SP_PACK_DATA;
        memset(p + 73, 0, 23);
    }
    sp_buf_put(ret, names.p, names.n);
    sp_buf_put_zero(ret, (size_t)nsuperseded * INDEX_NAME - names.n);
    at = ret->len;
    sp_buf_put_zero(ret, INDEX_FANOUT);
    sp_buf_put(ret, filter.p, filter.n);
    sp_buf_put_zero(ret, ((size_t)INDEX_LINE << k) - filter.n);
    for (size_t i = 0; i < n; i++)
        count[in->p[i * INDEX_ENTRY]]++;
    for (size_t i = 0; i < 256; i++) {
        sum += count[i];
        sp_store_le32(ret->data + at + 4 * i, sum);
    }
    at = ret->len;
    sp_buf_put(ret, in->p, n * INDEX_ENTRY);
    FUZZ_MUST(!ret->failed);
    if ((flags & SORT) != 0 && n > 0)
        qsort(ret->data + at, n, INDEX_ENTRY, by_bytes);
}

struct found {
    struct sp_index_segment *s;
    struct sp_buf entries; /* 28 bytes of each */
    uint8_t before[SP_INDEX_KEY];
    size_t hits;
};

static bool
hit(void *arg, const struct sp_index_entry *en)
{
    struct found *f = arg;

    FUZZ_MUST(en->pack < sp_index_segment_packs(f->s) && en->length > 0);
    return ++f->hits < 1000;
}

static enum sp_code
each(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    struct found *f = arg;

    (void)e;
    FUZZ_MUST(memcmp(f->before, en->key, SP_INDEX_KEY) <= 0);
    FUZZ_MUST(en->pack < sp_index_segment_packs(f->s));
    FUZZ_MUST((uint64_t)en->offset + en->length <= sp_index_segment_pack(f->s, en->pack)->size);
    memcpy(f->before, en->key, SP_INDEX_KEY);
    sp_buf_put(&f->entries, en->key, SP_INDEX_KEY);
    return SP_OK;
}

/* Everything that is asked of a segment. `whole`: what it says has to be right. */
static uint64_t
use(struct sp_index_segment *s, bool filter, bool whole)
{
    struct found f = {.s = s, .entries = SP_BUF_INIT};
    struct sp_err e = {0};
    uint8_t id[32] = {0}, name[32];
    enum sp_code rc;

    for (size_t i = 0; i < sp_index_segment_packs(s); i++)
        FUZZ_MUST(sp_index_segment_pack(s, i)->size <= UINT64_C(1) << 30);
    for (size_t i = 0; i < sp_index_segment_supersedes(s, i, name); i++)
        (void)name;
    rc = FUZZ_TRY(sp_index_segment_each(s, each, &f, &e));
    FUZZ_MUST(rc == SP_OK || (!whole && rc == SP_CORRUPT));
    for (size_t i = 0; i < f.entries.len && i < 64 * SP_INDEX_KEY; i += SP_INDEX_KEY) {
        enum sp_code found;

        memcpy(id, f.entries.data + i, SP_INDEX_KEY);
        f.hits = 0;
        found = FUZZ_TRY(sp_index_segment_find(s, id, hit, &f, &e));
        FUZZ_MUST(found == SP_OK || (rc != SP_OK && found == SP_CORRUPT));
        FUZZ_MUST(f.hits > 0 || filter || rc != SP_OK); /* a filter may be wrong: a hint */
        id[3] ^= 1;
        (void)FUZZ_TRY(sp_index_segment_find(s, id, hit, &f, &e));
    }
    for (unsigned i = 0; i < 256; i++) {
        memset(id, (int)i, sizeof(id));
        FUZZ_MUST(FUZZ_TRY(sp_index_segment_find(s, id, hit, &f, &e)) == SP_OK || rc != SP_OK);
    }
    sp_buf_free(&f.entries);
    return rc == SP_OK ? sp_index_segment_count(s) : UINT64_MAX;
}

/* A segment of ours to be merged with. */
static void
put_other(struct sp_buf *ret, uint8_t name[32])
{
    struct sp_index_pack pack = {.name = {9}, .size = 10000, .kind = SP_PACK_DATA};
    struct sp_index_builder *b = NULL;
    struct sp_err e = {0};
    uint32_t ordinal = 0;

    FUZZ_OK(sp_index_builder_new(&b, &e));
    FUZZ_OK(sp_index_builder_pack(b, &pack, &ordinal, &e));
    for (uint8_t i = 0; i < 5; i++) {
        const uint8_t id[32] = {(uint8_t)(i * 50), i};

        FUZZ_OK(sp_index_builder_add(b, id, ordinal, 8 + 100u * i, 100, &e));
    }
    FUZZ_OK(sp_index_builder_finish(b, NULL, 0, ret, name, &e));
    sp_index_builder_free(b);
}

static void
merge(struct fuzz_files *files, struct sp_index_segment *s, uint64_t count)
{
    struct sp_index_cache cache = {fuzz_files_env(files), (char *)(uintptr_t)CACHE};
    struct sp_index_segment *other = NULL, *result = NULL;
    size_t n = sp_index_segment_packs(s);
    struct sp_index_pack *packs = calloc(n + 1, sizeof(*packs));
    uint32_t *first = calloc(n + 1, sizeof(*first)), second;
    struct sp_index_merge_input in[2];
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t name[32];
    uint64_t merged;

    FUZZ_MUST(packs != NULL && first != NULL);
    put_other(&b, name);
    fuzz_files_put(files, CACHE "/other", b.data, b.len);
    FUZZ_OK(sp_index_segment_open(&cache.env->os[0], CACHE "/other", name, true, true, &other, &e));
    for (size_t i = 0; i < n; i++) {
        packs[i] = *sp_index_segment_pack(s, i);
        first[i] = (uint32_t)i;
    }
    packs[n] = *sp_index_segment_pack(other, 0);
    second = (uint32_t)n;
    in[0] = (struct sp_index_merge_input){s, first};
    in[1] = (struct sp_index_merge_input){other, &second};
    if (FUZZ_TRY(sp_index_merge(&cache, in, 2, packs, n + 1, name, &e)) == SP_OK) {
        FUZZ_OK(sp_index_cache_use(&cache, name, true, false, &result, &e));
        merged = use(result, false, count != UINT64_MAX);
        FUZZ_MUST(count == UINT64_MAX || (merged >= 5 && merged <= count + 5));
    } else {
        FUZZ_MUST(count == UINT64_MAX && e.code == SP_CORRUPT);
    }
    sp_index_segment_free(result);
    sp_index_segment_free(other);
    sp_buf_free(&b);
    free(packs);
    free(first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_files *files = fuzz_files_new();
    const struct sp_env *env = fuzz_files_env(files);
    struct fuzz_in in = {data, size};
    unsigned flags = fuzz_u8(&in);
    struct sp_index_segment *s = NULL;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t name[32];

    if ((flags & BUILD) != 0)
        build(&in, flags, &b);
    else
        sp_buf_put(&b, in.p, in.n);
    FUZZ_OK(sp_sha256(b.data, b.len, name, &e));
    fuzz_files_put(files, CACHE "/segment", b.data, b.len);
    if (FUZZ_TRY(sp_index_segment_open(
            env->os, CACHE "/segment", name, true, (flags & KEEP_FILTER) != 0, &s, &e)) == SP_OK) {
        FUZZ_MUST(sp_index_segment_memory(s) <= 4 * b.len + 4096);
        merge(files, s, use(s, (flags & KEEP_FILTER) != 0, false));
    } else {
        FUZZ_MUST(e.code == SP_CORRUPT);
    }
    sp_index_segment_free(s);
    sp_buf_free(&b);
    fuzz_files_free(files);
    return 0;
}
