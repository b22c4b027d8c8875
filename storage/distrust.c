/* Packs whose bytes proved bad, kept in the cache folder from run to run: a check finds them, and
 * it is the next upload that has to know (R6), usually of another process. One empty file a pack,
 *
 *   bad-<kind>-<name in hex>-<size>
 *
 * so that several processes may add and remove. Only a hint: what is marked wrongly is stored
 * again, what is not marked is found by the next check. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "storage/repository_impl.h"

#define PREFIX "bad-"

static char *
path_of(const struct sp_repository *r, const struct sp_pack_state *s)
{
    char name[128];

    (void)snprintf(name, sizeof(name), PREFIX "%u-%s-%" PRIu64, (unsigned)s->kind,
        sp_hex32(s->name).s, s->size);
    return sp_path_join(r->cache.folder, name);
}

void
sp_distrust_keep(struct sp_repository *r, const struct sp_pack_state *s)
{
    const struct sp_os *os = r->env->os;
    struct sp_err ignored = {0};
    struct sp_file *f = NULL;
    char *path = path_of(r, s);

    if (path != NULL && os->create(os->self, path, &f, &ignored) == SP_OK)
        (void)os->close(os->self, f, &ignored);
    free(path);
}

void
sp_distrust_forget(struct sp_repository *r, const struct sp_pack_state *s)
{
    const struct sp_os *os = r->env->os;
    struct sp_err ignored = {0};
    char *path = path_of(r, s);

    if (path != NULL)
        (void)os->remove(os->self, path, &ignored);
    free(path);
}

/* SP_NO_PACK: not such a name, or of a pack that is not there (any more). */
static uint32_t
pack_of(const struct sp_repository *r, const char *name)
{
    char hex[65];
    uint8_t id[32];
    uint64_t size;
    uint32_t at;
    const char *p = name + strlen(PREFIX);
    unsigned kind = (unsigned)(*p - '0');

    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strlen(p) < 68 || kind > UINT8_MAX ||
        p[1] != '-' || p[66] != '-' || !sp_text_parse_u64(p + 67, &size))
        return SP_NO_PACK;
    memcpy(hex, p + 2, 64);
    hex[64] = '\0';
    if (!sp_hex_parse(hex, id, sizeof(id)))
        return SP_NO_PACK;
    at = sp_presence_find(r->presence, (enum sp_pack_kind)kind, id);
    return at != SP_NO_PACK && sp_presence_at(r->presence, at)->size == size ? at : SP_NO_PACK;
}

static enum sp_code
see(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sp_repository *r = arg;
    uint32_t at;

    (void)st;
    (void)e;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return SP_OK;
    sp_mutex_lock(&r->lock);
    if ((at = pack_of(r, name)) != SP_NO_PACK)
        sp_presence_at(r->presence, at)->bad = true;
    sp_mutex_unlock(&r->lock);
    return SP_OK;
}

void
sp_distrust_load(struct sp_repository *r)
{
    struct sp_err ignored = {0};

    (void)r->env->os->list(r->env->os->self, r->cache.folder, false, see, r, &ignored);
}
