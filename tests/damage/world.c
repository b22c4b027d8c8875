/* Making the repository that is damaged. */

#include "tests/damage/world.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/crypto.h"
#include "storage/repository.h"
#include "tests/damage/world_truth.h"
#include "tests/unit/base/support.h"

#define LARGE 150000 /* in chunks of 128 bytes: a tree of chunk lists */
#define TWIN 100     /* one chunk: packs of one block, of one size */

/* --- files -------------------------------------------------------------------------------------
 */

/* Names so long that the entries fill several nodes. */
static void
long_name(char path[320], const char *folder, size_t i)
{
    (void)snprintf(path, 320, "%s/%03zu-%0*zu", folder, i, 200, i);
}

static void
first_files(struct site *s, size_t large, uint64_t seed)
{
    char path[320];

    for (size_t i = 0; i < 40; i++) {
        long_name(path, i % 2 == 0 ? "even" : "odd", i);
        site_random_file(s, path, 20 + i, 1000 + i); /* the same on every machine */
    }
    site_random_file(s, "large", large, 7);
    site_random_file(s, "own", 3000, seed);
    site_file(s, "empty", "", 0);
    site_file(s, "text", "the same everywhere", 19);
}

static void
change(struct site *s, uint64_t seed)
{
    char path[320];

    for (size_t i = 0; i < 40; i += 17) {
        long_name(path, i % 2 == 0 ? "even" : "odd", i);
        site_random_file(s, path, 40 + i, seed + i);
    }
    (void)snprintf(path, sizeof path, "new-%llu", (unsigned long long)seed);
    site_random_file(s, path, 700, seed);
}

/* --- runs --------------------------------------------------------------------------------------
 */

static void
note_set(struct world *w, size_t site, const struct sp_set *set, enum kind kind)
{
    struct known_set *k = &w->sets[w->nsets];
    const char *end = kind == SET ? ".set" : ".checkpoint";

    assert_true(w->nsets++ < SETS_MOST);
    k->site = site;
    k->kind = kind;
    k->set = *set;
    state_take(&w->whole, w->sites[0].below);
    for (size_t i = 0; i < w->whole.n; i++)
        if (strstr(w->whole.v[i].name, sp_hex16(set->set_id).s) != NULL &&
            strstr(w->whole.v[i].name, end) != NULL)
            strcpy(k->object, w->whole.v[i].name);
    assert_true(k->object[0] != '\0');
    truth_files(w, site, k);
}

static void
back_up(struct world *w, size_t site)
{
    struct site *s = &w->sites[site];
    struct outcome o;
    struct site_sets sets;

    site_reopen(s); /* what others did since */
    site_run_well(s, "making the repository", &o);
    sets = site_sets(s);
    assert_memory_equal(sets.newest.set_id, o.result.set_id, 16);
    note_set(w, site, &sets.newest, SET);
}

struct stop {
    atomic_bool now;
};

static bool
stopped(void *arg)
{
    return atomic_load(&((struct stop *)arg)->now);
}

static void
at_have(void *arg, enum wrap_call call, size_t nth)
{
    if (call == WRAP_HAVE && nth >= 1)
        atomic_store(&((struct stop *)arg)->now, true);
}

static enum sp_code
see_checkpoint(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    return i->type == SP_RECORD_CHECKPOINT ? sp_set_record_decode(i->record, i->record_len, arg, e)
                                           : SP_OK;
}

/* A run that is interrupted and leaves a checkpoint; false: it was done before it heard of that, or
 * had nothing yet. */
static bool
interrupt(struct world *w, size_t site, uint64_t seed)
{
    struct site *s = &w->sites[site];
    struct sp_set set = {0};
    struct stop stop;
    struct outcome o;

    atomic_init(&stop.now, false);
    site_random_file(s, "own", 6000, seed);
    site_random_file(s, "zz-late", 60000, seed + 1);
    site_reopen(s);
    s->wrap.before = at_have;
    s->wrap.arg = &stop;
    s->cancelled = stopped;
    s->cancelled_arg = &stop;
    site_run(s, "leaving a checkpoint", &o);
    s->cancelled = NULL;
    site_reopen(s);
    if (o.code == SP_OK) {
        set = site_sets(s).newest;
        note_set(w, site, &set, SET);
        return false;
    }
    assert_int_equal(o.code, SP_CANCELLED);
    assert_ok(sp_store_list(s->repository, false, true, see_checkpoint, &set, e));
    if (set.state != SP_SET_CHECKPOINT)
        return false;
    note_set(w, site, &set, CHECKPOINT);
    return true;
}

static void
leave_checkpoint(struct world *w, size_t site)
{
    for (uint64_t i = 0; i < 5; i++)
        if (interrupt(w, site, 77 + 10 * i))
            return;
    fail_msg("no run leaves a checkpoint");
}

/* --- keys --------------------------------------------------------------------------------------
 */

/* Slots of the group, and a second record of the host, as after its machine was replaced. */
static void
put_keys(struct world *w, size_t site)
{
    struct site *s = &w->sites[site];
    struct recorder *recorder = recorder_new(s->below);
    char *folder = tree_path(&s->tree, "admit");
    const struct sp_repository_options o = {.cache_dir = folder, .write = true};
    struct sp_repository *r = NULL;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t secret[32], recipient[32];

    assert_ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, e));
    for (int i = 0; i < 2; i++) {
        assert_ok(sp_random_fill(&sp_random_system, secret, sizeof secret, e));
        assert_ok(sp_x25519_public(secret, recipient, e));
        assert_ok(sp_slot_seal_recovery(s->keys, recipient, "sheet", 1, &sp_random_system, &b, e));
        assert_ok(sp_repository_put_slot(r, b.data, b.len, e));
        sp_buf_reset(&b);
    }
    memcpy(s->host.keys[1], s->host.keys[0], 32);
    memset(s->host.keys[0], 0x5a, 32); /* the machine before */
    s->host.nkeys = 2;
    assert_ok(sp_host_encode(&s->host, s->keys, &b, e));
    assert_ok(sp_repository_put_host(r, b.data, b.len, e));
    sp_buf_free(&b);
    sp_repository_free(r);
    free(folder);
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void
find_twins(struct world *w)
{
    for (size_t i = 0; i < w->npacks; i++)
        for (size_t k = i + 1; k < w->npacks; k++)
            if (w->packs[i].kind == SP_PACK_DATA && w->packs[k].kind == SP_PACK_DATA &&
                w->packs[i].size == w->packs[k].size && w->packs[i].site == w->packs[k].site) {
                w->twins[0] = i;
                w->twins[1] = k;
                return;
            }
    fail_msg("no two packs of one size");
}

static void
assert_rich(const struct world *w)
{
    size_t of[KINDS] = {0};
    bool merged = false;

    for (size_t i = 0; i < w->whole.n; i++) {
        const struct object *o = &w->whole.v[i];
        uint32_t superseded = 0;

        of[o->kind]++;
        if (o->kind == INDEX)
            memcpy(&superseded, o->p + 12, 4);
        merged = merged || superseded > 0;
    }
    assert_true(of[CONF] == 1 && of[SLOT] >= 4 && of[HOST] >= 5 && of[DATA] >= 6 &&
                of[NODES] >= 6 && of[INDEX] >= 2 && of[SET] >= 9 && of[CHECKPOINT] == 1);
    assert_true(merged);
    assert_int_equal(of[OTHER], 0);
}

void
world_new(struct world *w)
{
    static const struct sp_split_params split = {64, 128, 512, 4096};
    struct site *s = w->sites;

    memset(w, 0, sizeof *w);
    site_new(&s[0], false);
    s[0].split = split;
    s[0].pack_size = 64u << 10;
    site_renew(&s[0]);
    site_guest(&s[1], &s[0], true);
    site_guest(&s[2], &s[0], false);
    put_keys(w, 0);
    put_keys(w, 2);
    for (size_t i = 0; i < SITES; i++) {
        first_files(&s[i], i < 2 ? LARGE : LARGE / 10, 100 + i);
        back_up(w, i);
    }
    for (uint64_t i = 0; i < 2; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "twin-%u", (unsigned)i);
        site_random_file(&s[0], name, TWIN, 500 + i);
        back_up(w, 0);
    }
    change(&s[1], 3000);
    back_up(w, 1);
    change(&s[0], 4000);
    back_up(w, 0);
    leave_checkpoint(w, 1);
    change(&s[2], 5000);
    back_up(w, 2);
    change(&s[0], 6000);
    tree_remove(&s[0].tree, "files/even");
    back_up(w, 0);
    state_take(&w->whole, s[0].below);
    truth_read(w);
    find_twins(w);
    assert_rich(w);
    for (size_t i = 0; i < SITES; i++) {
        char *cache = tree_path(&s[i].tree, "cache"), *nodes = tree_path(&s[i].tree, "nodes");
        char *to = tree_path(&s[i].tree, "template"), below[600];

        world_end(w, i);
        tree_dir(&s[i].tree, "template");
        (void)snprintf(below, sizeof below, "%s/cache", to);
        folder_copy(cache, below);
        (void)snprintf(below, sizeof below, "%s/nodes", to);
        folder_copy(nodes, below);
        w->template[i] = to;
        free(cache);
        free(nodes);
    }
    sp_backend_free(s[0].below);
}

void
world_end(struct world *w, size_t site)
{
    struct site *s = &w->sites[site];

    if (s->opens == 0)
        return;
    sp_store_free(s->repository);
    wrap_clear(&s->wrap);
    s->opens = 0;
}

void
world_begin(struct world *w, size_t site, struct sp_backend *b, bool warm)
{
    static const char *const local[] = {"cache", "nodes"};
    struct site *s = &w->sites[site];

    world_end(w, site);
    for (size_t i = 0; i < 2; i++) {
        char *to = tree_path(&s->tree, local[i]), from[600];

        assert_ok(sp_os_remove_tree(&sp_os_system, to, e));
        if (warm) {
            (void)snprintf(from, sizeof from, "%s/%s", w->template[site], local[i]);
            folder_copy(from, to);
        }
        free(to);
    }
    s->below = b;
    site_reopen(s);
}

const struct known_set *
world_newest(const struct world *w, size_t site)
{
    const struct known_set *newest = NULL;

    for (size_t i = 0; i < w->nsets; i++)
        if (w->sets[i].site == site && w->sets[i].kind == SET)
            newest = &w->sets[i];
    return newest;
}

const struct known_set *
world_now(const struct world *w, size_t site)
{
    const struct known_set *newest = NULL;

    for (size_t i = 0; i < w->nsets; i++)
        if (w->sets[i].site == site)
            newest = &w->sets[i];
    return newest;
}

void
world_free(struct world *w)
{
    struct sp_backend *b = state_backend(&w->whole);
    size_t i, k;

    for (i = SITES; i-- > 0;) {
        world_begin(w, i, b, false);
        free(w->template[i]);
        site_free(&w->sites[i]);
    }
    for (i = 0; i < w->nsets; i++) {
        for (k = 0; k < w->sets[i].nfiles; k++) {
            struct file *f = &w->sets[i].files[k];

            free(f->key);
            free((void *)(uintptr_t)f->p);
            ids_clear(&f->trees);
            ids_clear(&f->content);
        }
        free(w->sets[i].files);
        ids_clear(&w->sets[i].needs);
    }
    for (i = 0; i < w->nchunks; i++)
        ids_clear(&w->chunks[i].refs);
    free(w->chunks);
    for (i = 0; i < w->npacks; i++)
        sp_pack_trailer_free(w->packs[i].trailer);
    state_clear(&w->whole);
}
