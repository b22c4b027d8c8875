/* What was proven whole, kept in the cache folder from run to run: see repository_impl.h. Without
 * it every run would walk all of its host's last set before it could reuse any of it.
 *
 *   "SPKNOWN2" ‖ repository id (16) ‖ i64 proved at ‖ u64 packs ‖ u64 nodes
 *   packs × (u8 kind ‖ name (32) ‖ u64 size ‖ u32 minute in which it was read whole; 0: was not)
 *                               every pack that the proof may rest on
 *   nodes × first 16 bytes of the id
 *   SHA-256 of everything before
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "storage/crypto.h"
#include "storage/repository_impl.h"

#define MAGIC "SPKNOWN2"
#define HEAD (8 + 16 + 8 + 8 + 8)
#define LIFE (7 * 24 * 3600 * SP_SECOND) /* then everything is walked again */
#define PACK (1 + 32 + 8 + 4)
#define FILE_MAX (64u << 20)
#define PREFIX "known-"

static char *
path_of(const struct sp_repository *r, const struct sp_known_host *k)
{
    char name[96];

    (void)snprintf(
        name, sizeof(name), PREFIX "%.32s-%.32s", sp_hex16(k->host).s, sp_hex16(k->group).s);
    return sp_path_join(r->cache.folder, name);
}

/* Whether every pack is there and relied on; what is known of reading them counts in any case. The
 * lock is held. */
static bool
packs_there(struct sp_repository *r, struct sp_cur *c, uint64_t n)
{
    bool there = true;
    uint64_t i;

    for (i = 0; i < n; i++) {
        struct sp_pack_state *s;
        uint8_t kind = sp_cur_u8(c), name[32];
        uint64_t size;
        uint32_t at, proved_min;

        sp_cur_copy(c, name, sizeof(name));
        size = sp_cur_u64(c);
        proved_min = sp_cur_u32(c);
        at = sp_presence_find(r->presence, (enum sp_pack_kind)kind, name);
        s = at == SP_NO_PACK ? NULL : sp_presence_at(r->presence, at);
        if (s == NULL || !sp_pack_relied(s) || s->size != size) {
            there = false;
            continue;
        }
        if (s->proved_min < proved_min)
            s->proved_min = proved_min;
    }
    return there && sp_cur_ok(c);
}

static bool
parse(struct sp_repository *r, const uint8_t *p, size_t n, struct sp_keyset *nodes,
    int64_t *ret_proved_ns)
{
    int64_t now_ns = sp_clock_wall(r->env->clock);
    struct sp_err ignored = {0};
    struct sp_cur c;
    uint8_t hash[32];
    uint64_t npacks, nnodes, i;
    bool good;

    if (n < HEAD + 32 || sp_sha256(p, n - 32, hash, &ignored) != SP_OK ||
        memcmp(hash, p + n - 32, 32) != 0 || memcmp(p, MAGIC, 8) != 0 ||
        memcmp(p + 8, r->conf.id, 16) != 0)
        return false;
    c = sp_cur_of(p + 24, n - 24 - 32);
    *ret_proved_ns = (int64_t)sp_cur_u64(&c);
    npacks = sp_cur_u64(&c);
    nnodes = sp_cur_u64(&c);
    if (npacks > sp_cur_left(&c) / PACK || nnodes != (sp_cur_left(&c) - npacks * PACK) / 16)
        return false;
    sp_mutex_lock(&r->lock);
    good = packs_there(r, &c, npacks);
    sp_mutex_unlock(&r->lock);
    /* This machine's own clock both times; one that went back says nothing. The times of the packs
     * have a life of their own: see prove.c. */
    if (*ret_proved_ns <= 0 || now_ns < *ret_proved_ns || now_ns - *ret_proved_ns > LIFE)
        return false;
    for (i = 0; i < nnodes && good; i++) {
        const uint8_t *id = sp_cur_bytes(&c, 16);

        good = id != NULL && sp_keyset_add(nodes, id, NULL, &ignored) == SP_OK;
    }
    return good && sp_cur_done(&c);
}

void
sp_known_read_file(struct sp_repository *r, struct sp_known_host *k)
{
    struct sp_keyset nodes;
    struct sp_err ignored = {0};
    char *path = path_of(r, k);
    uint8_t *p = NULL;
    size_t n;
    uint64_t lost;
    int64_t proved_ns;

    sp_keyset_init(&nodes, r->seed);
    sp_mutex_lock(&r->lock);
    lost = r->lost;
    sp_mutex_unlock(&r->lock);
    if (path != NULL && sp_os_read_file(r->env->os, path, FILE_MAX, &p, &n, &ignored) == SP_OK) {
        if (parse(r, p, n, &nodes, &proved_ns)) {
            sp_known_remember(r, k, &nodes, proved_ns, lost);
            sp_mutex_lock(&r->lock);
            k->unsaved = false;
            sp_mutex_unlock(&r->lock);
        }
        free(p);
    }
    sp_keyset_clear(&nodes);
    free(path);
}

/* The packs that a proof of this host may rest on; gives how many. The lock is held. */
static uint64_t
put_packs(const struct sp_repository *r, const struct sp_known_host *k, struct sp_buf *b)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < sp_presence_count(r->presence); i++) {
        const struct sp_pack_state *s = sp_presence_at(r->presence, (uint32_t)i);

        if (!sp_pack_relied(s) || memcmp(sp_presence_group(r->presence, s), k->group, 16) != 0 ||
            (s->kind == SP_PACK_NODES &&
                memcmp(sp_presence_uploader(r->presence, s), k->host, 16) != 0))
            continue;
        sp_buf_put_u8(b, s->kind);
        sp_buf_put(b, s->name, sizeof(s->name));
        sp_buf_put_u64(b, s->size);
        sp_buf_put_u32(b, s->proved_min);
        n++;
    }
    return n;
}

static uint64_t
put_nodes(const struct sp_keyset *nodes, struct sp_buf *b)
{
    static const uint8_t zero[16];
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < nodes->cap; i++)
        if (memcmp(nodes->slots[i], zero, 16) != 0) {
            sp_buf_put(b, nodes->slots[i], 16);
            n++;
        }
    return n;
}

void
sp_known_write_file(struct sp_repository *r, struct sp_known_host *k)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err ignored = {0};
    char *path = path_of(r, k);
    uint8_t hash[32];
    uint64_t npacks, nnodes;
    int64_t proved_ns;

    sp_buf_put(&b, MAGIC, 8);
    sp_buf_put(&b, r->conf.id, 16);
    sp_buf_put_zero(&b, 24);
    sp_mutex_lock(&r->lock);
    proved_ns = k->proved_ns;
    npacks = put_packs(r, k, &b);
    nnodes = put_nodes(&k->nodes, &b);
    sp_mutex_unlock(&r->lock);
    if (path == NULL || sp_buf_ok(&b, &ignored) != SP_OK || nnodes == 0)
        goto out;
    sp_store_le64(b.data + 24, (uint64_t)proved_ns);
    sp_store_le64(b.data + 32, npacks);
    sp_store_le64(b.data + 40, nnodes);
    if (sp_sha256(b.data, b.len, hash, &ignored) != SP_OK)
        goto out;
    sp_buf_put(&b, hash, sizeof(hash));
    if (sp_buf_ok(&b, &ignored) == SP_OK && b.len <= FILE_MAX)
        (void)sp_os_write_file(r->env->os, path, b.data, b.len, &ignored);
out:
    sp_buf_free(&b);
    free(path);
}

static enum sp_code
remove_one(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sp_repository *r = arg;
    struct sp_err ignored = {0};
    char *path;

    (void)st;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return SP_OK;
    if ((path = sp_path_join(r->cache.folder, name)) == NULL)
        return sp_fail_nomem(e);
    (void)r->env->os->remove(r->env->os->self, path, &ignored);
    free(path);
    return SP_OK;
}

void
sp_known_remove_files(struct sp_repository *r)
{
    struct sp_err ignored = {0};

    (void)r->env->os->list(r->env->os->self, r->cache.folder, false, remove_one, r, &ignored);
}
