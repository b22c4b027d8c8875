/* The clear header of a block: all that is known of it without a key. */

#include <string.h>

#include "storage/block_format.h"
#include "storage/crypto.h"

size_t
sp_padme(size_t n)
{
    unsigned e = 0, s = 1;

    if (n < 2)
        return n;
    while (n >> (e + 1) != 0)
        e++;
    while (e >> s != 0)
        s++;
    if (s >= e)
        return n;
    size_t mask = ((size_t)1 << (e - s)) - 1;
    return (n + mask) & ~mask;
}

static enum sp_code
malformed(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the header of the block is malformed: %s", what);
}

/* The first 16 bytes: enough to know how much to read. */
static enum sp_code
parse_start(const uint8_t *p, size_t n, struct sp_block_header *h, struct sp_err *e)
{
    if (n < 16 || memcmp(p, BLOCK_MAGIC, 4) != 0)
        return malformed(e, "it does not begin as a block does");
    if (p[AT_SUITE] != BLOCK_SUITE)
        return malformed(e, "its suite of algorithms is not known");
    if (p[AT_KIND] < SP_BLOCK_FILES || p[AT_KIND] > SP_BLOCK_DOCUMENTS)
        return malformed(e, "its kind is not known");
    h->kind = (enum sp_block_kind)p[AT_KIND];
    h->nids = sp_le16(p + AT_COUNT);
    h->header_len = sp_le32(p + AT_HEADER_LEN);
    h->sealed_len = sp_le32(p + AT_SEALED_LEN);
    if (h->nids < 1 || h->nids > SP_BLOCK_MAX_IDS)
        return malformed(e, "the number of ids");

    size_t least = BLOCK_FIXED + h->nids * SP_ID_SIZE;
    if (h->kind == SP_BLOCK_NODES)
        least += h->nids * 4;
    if (h->header_len < least || h->header_len > SP_BLOCK_MAX_HEADER ||
        (h->kind != SP_BLOCK_NODES && h->header_len != least))
        return malformed(e, "its length");
    if (h->sealed_len < SP_GCM_TAG + PLAIN_HEAD || h->sealed_len > SP_BLOCK_MAX_SEALED ||
        sp_padme(h->sealed_len - SP_GCM_TAG) != h->sealed_len - SP_GCM_TAG)
        return malformed(e, "the length of the sealed part");
    return SP_OK;
}

enum sp_code
sp_block_length(const void *first16, size_t n, size_t *ret, struct sp_err *e)
{
    struct sp_block_header h;
    enum sp_code rc = parse_start(first16, n, &h, e);

    if (rc == SP_OK)
        *ret = (size_t)h.header_len + h.sealed_len;
    return rc;
}

/* The tables of a node block: numbers of refs, then the refs. */
static enum sp_code
parse_refs(const uint8_t *p, struct sp_block_header *h, struct sp_err *e)
{
    const uint8_t *end = p + h->header_len;
    uint64_t total = 0;

    h->nrefs = h->ids + h->nids * SP_ID_SIZE;
    h->refs = h->nrefs + h->nids * 4;
    for (size_t i = 0; i < h->nids; i++)
        total += sp_le32(h->nrefs + 4 * i);
    if (total != (uint64_t)(end - h->refs) / SP_ID_SIZE ||
        (size_t)(end - h->refs) % SP_ID_SIZE != 0)
        return malformed(e, "the number of references");
    h->refs_total = (size_t)total;

    const uint8_t *refs = h->refs;
    for (size_t i = 0; i < h->nids; i++) {
        size_t n = sp_le32(h->nrefs + 4 * i);

        if (!sp_ids_sorted(refs, n))
            return malformed(e, "references are not sorted");
        refs += n * SP_ID_SIZE;
    }
    return SP_OK;
}

enum sp_code
sp_block_header_parse(const void *p, size_t n, struct sp_block_header *ret, struct sp_err *e)
{
    const uint8_t *b = p;
    struct sp_block_header h = {.nids = 0};
    enum sp_code rc;

    if ((rc = parse_start(b, n, &h, e)) != SP_OK)
        return rc;
    if (n < h.header_len)
        return malformed(e, "it is cut short");
    h.group = b + AT_GROUP;
    h.epoch = sp_le32(b + AT_EPOCH);
    h.salt = b + AT_SALT;
    h.counter = sp_le64(b + AT_COUNTER);
    h.ids = b + BLOCK_FIXED;
    if (h.epoch == 0 || sp_le32(b + AT_ZERO) != 0)
        return malformed(e, "a field that must not, or must, be zero");
    if (!sp_ids_sorted(h.ids, h.nids))
        return malformed(e, "ids are not sorted");
    if (h.kind == SP_BLOCK_NODES && (rc = parse_refs(b, &h, e)) != SP_OK)
        return rc;
    *ret = h;
    return SP_OK;
}

void
sp_block_walk_start(struct sp_block_walk *w, const struct sp_block_header *h)
{
    *w = (struct sp_block_walk){.header = h, .refs = h->refs};
}

bool
sp_block_walk_next(
    struct sp_block_walk *w, const uint8_t **ret_id, const uint8_t **ret_refs, size_t *ret_nrefs)
{
    const struct sp_block_header *h = w->header;

    if (w->i == h->nids)
        return false;
    *ret_id = h->ids + w->i * SP_ID_SIZE;
    *ret_refs = w->refs;
    *ret_nrefs = h->nrefs != NULL ? sp_le32(h->nrefs + 4 * w->i) : 0;
    w->i++;
    if (h->refs != NULL)
        w->refs += *ret_nrefs * SP_ID_SIZE;
    return true;
}

const uint8_t *
sp_block_refs(const struct sp_block_header *h, size_t i, size_t *ret_n)
{
    const uint8_t *refs = h->refs;

    if (refs == NULL) {
        *ret_n = 0;
        return NULL;
    }
    for (size_t k = 0; k < i; k++)
        refs += (size_t)sp_le32(h->nrefs + 4 * k) * SP_ID_SIZE;
    *ret_n = sp_le32(h->nrefs + 4 * i);
    return refs;
}
