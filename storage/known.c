/* Nodes whose closure was proven, so that the next set of a host is walked only where it is new:
 * see repository_impl.h. Bounded: the host that was looked at longest ago is forgotten first, and
 * comes back from its file. */

#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

#define KNOWN_MAX (512u << 10) /* nodes, all hosts together */

/* The lock is held. */
static struct sp_known_host *
find(struct sp_repository *r, const uint8_t *host, const uint8_t *group)
{
    size_t i;

    for (i = 0; i < r->nknown; i++)
        if (memcmp(r->known[i]->host, host, 16) == 0 && memcmp(r->known[i]->group, group, 16) == 0)
            return r->known[i];
    return NULL;
}

static struct sp_known_host *
add(struct sp_repository *r, const uint8_t *host, const uint8_t *group)
{
    struct sp_known_host *k;
    size_t n = r->nknown;

    if ((n & (n - 1)) == 0) { /* full at every power of two */
        struct sp_known_host **more =
            realloc(r->known, (n == 0 ? 1 : n * 2) * sizeof(struct sp_known_host *));

        if (more == NULL)
            return NULL;
        r->known = more;
    }
    if ((k = calloc(1, sizeof(*k))) == NULL)
        return NULL;
    memcpy(k->host, host, sizeof(k->host));
    memcpy(k->group, group, sizeof(k->group));
    sp_keyset_init(&k->nodes, r->seed);
    r->known[r->nknown++] = k;
    return k;
}

struct sp_known_host *
sp_known_of(struct sp_repository *r, const struct sp_reader_scope *scope)
{
    struct sp_known_host *k;
    bool load = false;

    if (scope->host == NULL || scope->group == NULL)
        return NULL;
    sp_mutex_lock(&r->lock);
    if ((k = find(r, scope->host, scope->group)) == NULL)
        k = add(r, scope->host, scope->group);
    if (k != NULL) {
        k->used = ++r->known_clock;
        load = !k->loaded;
        k->loaded = true;
    }
    sp_mutex_unlock(&r->lock);
    if (load)
        sp_known_read_file(r, k);
    return k;
}

static size_t
total(const struct sp_repository *r)
{
    size_t i, n = 0;

    for (i = 0; i < r->nknown; i++)
        n += sp_keyset_count(&r->known[i]->nodes);
    return n;
}

/* Forgets hosts until there is room beside `k`. */
static void
make_room(struct sp_repository *r, const struct sp_known_host *k)
{
    while (total(r) > KNOWN_MAX) {
        struct sp_known_host *oldest = NULL;
        size_t i;

        for (i = 0; i < r->nknown; i++)
            if (r->known[i] != k && sp_keyset_count(&r->known[i]->nodes) > 0 &&
                (oldest == NULL || r->known[i]->used < oldest->used))
                oldest = r->known[i];
        if (oldest == NULL)
            return;
        sp_keyset_clear(&oldest->nodes);
        oldest->loaded = oldest->unsaved = false;
    }
}

void
sp_known_remember(struct sp_repository *r, struct sp_known_host *k, const struct sp_keyset *nodes,
    int64_t proved_ns, uint64_t lost)
{
    struct sp_err ignored = {0};

    if (sp_keyset_count(nodes) == 0 || sp_keyset_count(nodes) > KNOWN_MAX)
        return;
    sp_mutex_lock(&r->lock);
    if (r->lost == lost) {
        /* What is in use comes back by itself. */
        if (sp_keyset_count(&k->nodes) + sp_keyset_count(nodes) > KNOWN_MAX)
            sp_keyset_clear(&k->nodes);
        if (sp_keyset_count(&k->nodes) == 0 || proved_ns < k->proved_ns)
            k->proved_ns = proved_ns;
        /* A part of it is true as well, so a failure harms nobody. */
        (void)sp_keyset_merge(&k->nodes, nodes, &ignored);
        k->unsaved = true;
        make_room(r, k);
    }
    sp_mutex_unlock(&r->lock);
}

void
sp_known_save(struct sp_repository *r, const uint8_t host[16], const uint8_t group[16])
{
    struct sp_known_host *k;
    bool save;

    sp_mutex_lock(&r->lock);
    k = find(r, host, group);
    save = k != NULL && k->unsaved;
    if (save)
        k->unsaved = false;
    sp_mutex_unlock(&r->lock);
    if (save)
        sp_known_write_file(r, k);
}

void
sp_known_forget(struct sp_repository *r)
{
    size_t i;

    r->lost++;
    for (i = 0; i < r->nknown; i++) {
        sp_keyset_clear(&r->known[i]->nodes);
        r->known[i]->unsaved = false;
    }
}

void
sp_known_free(struct sp_repository *r)
{
    size_t i;

    for (i = 0; i < r->nknown; i++) {
        sp_keyset_clear(&r->known[i]->nodes);
        free(r->known[i]);
    }
    free(r->known);
}
