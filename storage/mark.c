/* Marks: see lease.h and docs/format.md §13. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "storage/crypto.h"
#include "storage/lease.h"

#define MAGIC "SPM1"
#define VERSION 1
#define HEAD (4 + 4 + 16 + 4) /* magic, version and zeros, id, count */
#define PACK 33
#define HASH 32
#define FOLDER "marks/"

int
sp_mark_pack_cmp(const void *a, const void *b)
{
    const struct sp_mark_pack *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return memcmp(x->name, y->name, sizeof(x->name));
}

static bool
kind_valid(uint8_t kind)
{
    return kind == SP_PACK_DATA || kind == SP_PACK_NODES;
}

enum sp_code
sp_mark_encode(const struct sp_mark *m, struct sp_buf *ret, struct sp_err *e)
{
    size_t start = ret->len;
    uint8_t hash[HASH];
    enum sp_code rc;

    if (m->n > SP_MARK_PACKS)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a mark of %zu packs is too large", m->n);
    for (size_t i = 0; i < m->n; i++)
        if (!kind_valid(m->packs[i].kind) ||
            (i > 0 && sp_mark_pack_cmp(&m->packs[i - 1], &m->packs[i]) >= 0))
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "the packs of a mark are not in order");
    sp_buf_put(ret, MAGIC, 4);
    sp_buf_put_u32(ret, VERSION);
    sp_buf_put(ret, m->id, sizeof(m->id));
    sp_buf_put_u32(ret, (uint32_t)m->n);
    for (size_t i = 0; i < m->n; i++) {
        sp_buf_put_u8(ret, m->packs[i].kind);
        sp_buf_put(ret, m->packs[i].name, sizeof(m->packs[i].name));
    }
    if ((rc = sp_buf_ok(ret, e)) != SP_OK ||
        (rc = sp_sha256(ret->data + start, ret->len - start, hash, e)) != SP_OK)
        return rc;
    sp_buf_put(ret, hash, sizeof(hash));
    return sp_buf_ok(ret, e);
}

static enum sp_code
damaged(struct sp_err *e)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the mark is damaged");
}

enum sp_code
sp_mark_decode(const void *p, size_t n, struct sp_mark *ret, struct sp_err *e)
{
    struct sp_mark m = {.packs = NULL};
    struct sp_cur c = sp_cur_of(p, n);
    uint8_t hash[HASH];
    uint32_t version;
    enum sp_code rc;

    if (n < HEAD + HASH || memcmp(p, MAGIC, 4) != 0)
        return damaged(e);
    if ((rc = sp_sha256(p, n - HASH, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, (const uint8_t *)p + n - HASH, HASH) != 0)
        return damaged(e);
    (void)sp_cur_bytes(&c, 4);
    if ((version = sp_cur_u32(&c)) != VERSION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "the mark is of version %u, which this program does not know", version);
    sp_cur_copy(&c, m.id, sizeof(m.id));
    m.n = sp_cur_u32(&c);
    if (m.n > SP_MARK_PACKS || sp_cur_left(&c) != m.n * PACK + HASH)
        return damaged(e);
    if (m.n > 0 && (m.packs = calloc(m.n, sizeof(*m.packs))) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < m.n; i++) {
        m.packs[i].kind = sp_cur_u8(&c);
        sp_cur_copy(&c, m.packs[i].name, sizeof(m.packs[i].name));
        if (!kind_valid(m.packs[i].kind) ||
            (i > 0 && sp_mark_pack_cmp(&m.packs[i - 1], &m.packs[i]) >= 0)) {
            rc = damaged(e);
            goto out;
        }
    }
    *ret = m;
    m.packs = NULL;
out:
    sp_mark_free(&m);
    return rc;
}

void
sp_mark_free(struct sp_mark *m)
{
    free(m->packs);
    m->packs = NULL;
    m->n = 0;
}

bool
sp_mark_has(const struct sp_mark *m, uint8_t kind, const uint8_t name[32])
{
    struct sp_mark_pack key = {.kind = kind};

    memcpy(key.name, name, sizeof(key.name));
    return m->n > 0 && bsearch(&key, m->packs, m->n, sizeof(*m->packs), sp_mark_pack_cmp) != NULL;
}

void
sp_mark_object_name(const uint8_t id[16], char to[96])
{
    (void)snprintf(to, 96, FOLDER "%.32s", sp_hex16(id).s);
}

bool
sp_mark_object_parse(const char *object, uint8_t ret_id[16])
{
    size_t n = strlen(FOLDER);

    return strncmp(object, FOLDER, n) == 0 && strlen(object) == n + 32 &&
           sp_hex_parse(object + n, ret_id, 16);
}
