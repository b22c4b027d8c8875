#ifndef SP_TESTS_PLACE_H
#define SP_TESTS_PLACE_H

/* Where the tests of repositories keep them: a folder of its own for every test, with a backend in
 * memory or a folder underneath and local caches beside. Include after cmocka.h and expect.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "party.h"
#include "recorder.h"
#include "storage/repository.h"
#include "store.h"
#include "tests/conformance/far.h"

struct place {
    char base[64];
    struct sp_backend *below; /* holds everything; every repository opened is a recorder over it */
    bool folder;
};

static inline void
place_begin(struct place *p, bool folder)
{
    const struct sp_repository_conf conf = {.pack_size = 64u << 10};
    char path[128];

    strcpy(p->base, "/tmp/sp-repository-XXXXXX");
    assert_non_null(mkdtemp(p->base));
    p->folder = folder;
    if (folder) {
        (void)snprintf(path, sizeof(path), "%s/repository", p->base);
        ok(sp_backend_dir_open(&sp_env_system, path, true, &p->below, &err));
    } else {
        ok(sp_backend_memory_new(&p->below, &err));
    }
    if (getenv("SP_TESTS_FAR") != NULL) /* the same of a store far away */
        p->below = &far_new(p->below, 256u << 10)->head;
    ok(sp_repository_create(p->below, &sp_env_system, &conf, NULL, &err));
}

static inline void
place_end(struct place *p)
{
    sp_backend_free(p->below);
    ok(sp_os_remove_tree(&sp_os_system, p->base, &err));
}

/* Opens over a recorder; `cache` names a cache folder of its own. */
static inline enum sp_code
place_open(struct place *p, bool write, const char *cache, struct recorder **ret_recorder,
    struct sp_repository **ret)
{
    struct recorder *recorder = recorder_new(p->below);
    char path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = write};

    (void)snprintf(path, sizeof(path), "%s/%s", p->base, cache);
    if (ret_recorder != NULL)
        *ret_recorder = recorder;
    return sp_repository_open(&recorder->head, &sp_env_system, &o, ret, &err);
}

static inline struct sp_repository *
place_repository(struct place *p, const char *cache)
{
    struct sp_repository *r = NULL;

    ok(place_open(p, true, cache, NULL, &r));
    return r;
}

/* A store of the party over a repository of its own. */
static inline struct sp_store *
place_store(struct place *p, const struct party *who, const char *cache)
{
    struct sp_store *s = NULL;

    ok(sp_store_repository_new(
        place_repository(p, cache), "test", who->host, party_group(who), &s, &err));
    return s;
}

static inline void
place_admit(struct place *p, const struct party *who)
{
    struct sp_repository *r = place_repository(p, "admit");

    ok(sp_repository_put_host(r, who->encoded.data, who->encoded.len, &err));
    ok(sp_repository_put_slot(r, who->slot.data, who->slot.len, &err));
    sp_repository_free(r);
}

#endif
