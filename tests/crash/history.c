/* What is done before the cut: see history.h. */

#include "history_impl.h"

#include <stdlib.h>
#include <string.h>

#include "cutstore_impl.h"
#include "recorder.h"

const char *const history_names[HISTORY_SCENARIOS] = {"runs", "checkpoints", "members", "merge"};

/* A world that died gives these; anything else is wrong without any cut. */
#define need(call)                                                                                 \
    do {                                                                                           \
        enum sp_code need_rc = (call);                                                             \
        if (need_rc == SP_UNREACHABLE || need_rc == SP_IO)                                         \
            return false;                                                                          \
        if (need_rc != SP_OK)                                                                      \
            fail_msg("%s: %s", #call, e.text);                                                     \
    } while (0)

static int64_t
read_clock(void *self)
{
    struct history *h = self;

    h->now_ns += SP_SECOND / 1000;
    return h->now_ns;
}

struct sp_env
history_env(struct history *h, struct localdisk *d)
{
    return (struct sp_env){localdisk_os(d), &h->clock, &h->cast->random};
}

const char *
history_job(unsigned host)
{
    return host == 0 ? "documents" : "pictures";
}

void
history_change(struct tree *t, uint64_t turn, unsigned files)
{
    for (unsigned i = 0; i < files; i++) {
        uint64_t r = cut_mix(turn * 64 + i);
        uint8_t *v = &t->version[r % TREE_FILES];

        if ((r >> 32) % 5 == 0)
            *v = 0; /* removed */
        else
            *v = (uint8_t)(1 + (turn * 7 + (r >> 40) % 3) % 250);
    }
}

/* --- what was said ------------------------------------------------------------------------- */

static uint64_t
operations(const struct history *h)
{
    return h->world.operations(h->world.arg);
}

static uint64_t
disk_now(void *arg)
{
    return operations(arg);
}

static void
on_committing(void *arg, unsigned host, enum sp_record_type type, const struct made_record *record,
    const struct sp_id *root)
{
    struct history *h = arg;
    struct said *s;

    if (h->nsaid == h->said_cap) {
        h->said_cap = h->said_cap == 0 ? 16 : h->said_cap * 2;
        if ((h->said = realloc(h->said, h->said_cap * sizeof(*h->said))) == NULL)
            abort();
    }
    s = &h->said[h->nsaid++];
    *s = (struct said){.host = host, .type = type, .root = *root, .done = NEVER};
    s->sequence = record->sequence;
    memcpy(s->set_id, record->set_id, sizeof(s->set_id));
}

static void
on_committed(void *arg, const uint8_t set_id[16])
{
    struct history *h = arg;

    for (size_t i = 0; i < h->nsaid; i++)
        if (memcmp(h->said[i].set_id, set_id, 16) == 0)
            h->said[i].done = operations(h);
}

static void
on_durable(void *arg, unsigned host, bool nodes, const struct sp_id *ids, size_t n)
{
    struct history *h = arg;

    for (size_t i = 0; i < n; i++) {
        if (h->nlasting == h->lasting_cap) {
            h->lasting_cap = h->lasting_cap == 0 ? 128 : h->lasting_cap * 2;
            if ((h->lasting = realloc(h->lasting, h->lasting_cap * sizeof(*h->lasting))) == NULL)
                abort();
        }
        h->lasting[h->nlasting++] = (struct lasting){ids[i], host, nodes, operations(h)};
    }
}

/* --- programs ------------------------------------------------------------------------------ */

static bool
open_repository(struct history *h, struct sp_repository **ret)
{
    const struct sp_repository_options o = {
        .cache_dir = HISTORY_CACHE, .write = true, .server_id = h->server ? h->server_id : NULL};
    struct sp_backend *b = NULL;
    struct sp_err e = {0};

    need(h->world.open(h->world.arg, false, &b, &e));
    need(sp_repository_open(b, &h->env, &o, ret, &e));
    return true;
}

struct killing { /* a program that is killed when it would sync for the n-th time */
    struct recorder *recorder;
    unsigned syncs;
};

static void
count_syncs(void *arg, const char *op, const char *name)
{
    struct killing *k = arg;

    (void)name;
    if (strcmp(op, "sync") == 0 && --k->syncs == 0) {
        k->recorder->fail_at = k->recorder->calls + 1;
        k->recorder->fail_on = true;
    }
}

/* As open_repository, but killed when it would sync for the n-th time. `k` outlives it, and
 * *ret_below is freed after it. */
static bool
open_killed(
    struct history *h, struct killing *k, struct sp_backend **ret_below, struct sp_repository **ret)
{
    const struct sp_repository_options o = {
        .cache_dir = HISTORY_CACHE, .write = true, .server_id = h->server ? h->server_id : NULL};
    struct sp_err e = {0};
    enum sp_code rc;

    need(h->world.open(h->world.arg, false, ret_below, &e));
    k->recorder = recorder_new(*ret_below);
    k->recorder->before = count_syncs;
    k->recorder->arg = k;
    k->recorder->code = SP_CANCELLED;
    if ((rc = sp_repository_open(&k->recorder->head, &h->env, &o, ret, &e)) != SP_OK) {
        sp_backend_free(*ret_below);
        *ret_below = NULL;
    }
    need(rc);
    return true;
}

/* Slot and record of a host; the very same being there is success. */
static enum sp_code
admit(struct history *h, struct sp_repository *r, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (unsigned i = 0; i < h->hosts && rc == SP_OK; i++) {
        const struct party *p = &h->cast->hosts[i];

        if ((rc = sp_repository_put_slot(r, p->slot.data, p->slot.len, e)) == SP_OK)
            rc = sp_repository_put_host(r, p->encoded.data, p->encoded.len, e);
    }
    return rc;
}

static bool
admit_killed(struct history *h, unsigned syncs)
{
    struct killing k = {.syncs = syncs};
    struct sp_backend *below = NULL;
    struct sp_repository *r = NULL;
    struct sp_err e = {0};
    enum sp_code rc;

    if (!open_killed(h, &k, &below, &r))
        return false;
    rc = admit(h, r, &e);
    sp_repository_free(r);
    sp_backend_free(below);
    if (rc != SP_CANCELLED)
        need(rc);
    return true;
}

static void
idle(struct history *h)
{
    if (h->world.idle == NULL)
        return;
    h->world.idle(h->world.arg);
    h->idles[h->nidles++] = operations(h);
}

static bool
init(struct history *h)
{
    const struct sp_repository_conf conf = {.pack_size = HISTORY_PACK};
    struct sp_repository *r = NULL;
    struct sp_backend *b = NULL;
    struct sp_err e = {0};
    enum sp_code rc;

    need(h->world.open(h->world.arg, true, &b, &e));
    rc = sp_repository_create(b, &h->env, &conf, h->server ? h->server_id : NULL, &e);
    sp_backend_free(b);
    need(rc);
    /* Killed with the slot named, then with the record; then done. */
    if (!admit_killed(h, 1) || !admit_killed(h, 1 + (unsigned)(h->seed % 2)) ||
        !open_repository(h, &r))
        return false;
    rc = admit(h, r, &e);
    sp_repository_free(r);
    need(rc);
    h->made = operations(h);
    idle(h);
    return true;
}

/* One run of host 0 as a program of its own. */
static bool
run_in(struct history *h, struct sp_repository *r, unsigned checkpoint, unsigned flush)
{
    const struct run_events events = {on_committing, on_committed, on_durable, h};
    const struct party *p = &h->cast->hosts[0];
    struct sp_store *s = NULL;
    struct sp_err e = {0};
    enum sp_code rc;

    party_new_run(&h->cast->hosts[0]);
    need(sp_store_repository_new(r, "here", p->host, party_group(p), &s, &e));
    rc = run_all(h->cast, 0, history_job(0), s, &h->trees[0], checkpoint, flush, &events, &e);
    sp_store_free(s);
    if (rc == SP_CANCELLED) /* killed */
        return true;
    need(rc);
    return true;
}

static bool
run_once(struct history *h, unsigned checkpoint, unsigned flush)
{
    struct sp_repository *r = NULL;

    return open_repository(h, &r) && run_in(h, r, checkpoint, flush);
}

/* It dies where it would have waited for a barrier: what it named is there, and nobody knows
 * whether it is on the disk. */
static bool
run_killed(struct history *h, unsigned checkpoint, unsigned flush, unsigned syncs)
{
    struct killing k = {.syncs = syncs};
    struct sp_backend *below = NULL;
    struct sp_repository *r = NULL;
    bool on;

    if (!open_killed(h, &k, &below, &r))
        return false;
    on = run_in(h, r, checkpoint, flush);
    sp_backend_free(below);
    return on;
}

/* --- scenarios ----------------------------------------------------------------------------- */

static void
first_tree(struct tree *t, uint64_t seed)
{
    for (unsigned i = 0; i < TREE_FILES; i++)
        t->version[i] = (uint8_t)(cut_mix(seed + i) % 7 == 0 ? 0 : 1 + seed % 5);
}

static bool
play_runs(struct history *h)
{
    for (uint64_t turn = 0; turn < 3; turn++) {
        if (turn > 0)
            history_change(&h->trees[0], h->seed + turn, turn == 1 ? 9 : 3);
        if (!run_once(h, 0, turn == 1 ? 1 : 0))
            return false;
        if (turn == 0)
            idle(h);
    }
    return true;
}

static bool
play_checkpoints(struct history *h)
{
    unsigned turn = (unsigned)(cut_mix(h->seed) % 8);

    /* Its packs; its index, or the record of a checkpoint, …; and the record of the set. */
    if (!run_killed(h, 9, 0, 1) || !run_killed(h, 7, 2, 2 + turn % 6))
        return false;
    history_change(&h->trees[0], h->seed + 1, 4);
    if (!run_once(h, 8, 0))
        return false;
    history_change(&h->trees[0], h->seed + 2, 20);
    if (!run_killed(h, 0, 0, 3))
        return false;
    history_change(&h->trees[0], h->seed + 3, 12);
    return run_once(h, 4, 0);
}

static bool
play_merge(struct history *h)
{
    for (uint64_t turn = 0; turn < 15; turn++) {
        if (turn > 0)
            history_change(&h->trees[0], h->seed + turn, 2);
        if (!run_once(h, 0, 0))
            return false;
    }
    return true;
}

/* Two sessions of one server, their steps in turn. */
static bool
both(struct history *h, struct sp_repository *r, unsigned flush, uint64_t order)
{
    const struct run_events events = {on_committing, on_committed, on_durable, h};
    struct sp_store *s[CAST_HOSTS] = {NULL, NULL};
    struct run *run[CAST_HOSTS];
    bool more[CAST_HOSTS] = {true, true};
    struct sp_err e = {0};
    enum sp_code rc = SP_OK;

    for (unsigned i = 0; i < h->hosts; i++) {
        party_new_run(&h->cast->hosts[i]);
        if ((rc = session_new(r, h->cast, i, &events, &s[i], &e)) != SP_OK)
            fail_msg("a session: %s", e.text);
        run[i] = run_begin(h->cast, i, history_job(i), s[i], &h->trees[i], 0, flush, &events);
    }
    for (uint64_t turn = 0; rc == SP_OK && (more[0] || more[1]); turn++) {
        unsigned i = (unsigned)(cut_mix(order + turn) % CAST_HOSTS);

        i = more[i] ? i : 1 - i;
        rc = run_step(run[i], &more[i], &e);
    }
    for (unsigned i = 0; i < h->hosts; i++) {
        run_end(run[i]);
        sp_store_free(s[i]);
    }
    need(rc);
    return true;
}

static bool
play_members(struct history *h)
{
    struct sp_repository *r = NULL;
    bool on = open_repository(h, &r);

    for (uint64_t turn = 0; on && turn < 3; turn++) {
        for (unsigned i = 0; turn > 0 && i < h->hosts; i++)
            history_change(&h->trees[i], h->seed + turn + 100 * i, 6);
        on = both(h, r, turn == 0 ? 0 : 4 - (unsigned)turn, h->seed + turn);
    }
    sp_repository_free(r);
    return on;
}

struct history *
history_play(enum history_scenario scenario, uint64_t seed, const struct history_world *w)
{
    struct history *h = calloc(1, sizeof(*h));
    bool on;

    if (h == NULL)
        abort();
    h->scenario = scenario;
    h->seed = seed;
    h->world = *w;
    h->cast = cast_new(seed + scenario);
    h->server = scenario == HISTORY_MEMBERS;
    h->hosts = h->server ? 2 : 1;
    h->disk = localdisk_new(disk_now, h);
    h->clock = (struct sp_clock){read_clock, read_clock, h};
    h->now_ns = INT64_C(1700000000) * SP_SECOND;
    h->env = history_env(h, h->disk);
    h->made = NEVER;
    memset(h->server_id, 0x5e, sizeof(h->server_id));
    for (unsigned i = 0; i < CAST_HOSTS; i++)
        first_tree(&h->trees[i], seed + i);
    on = init(h);
    if (on && scenario == HISTORY_RUNS)
        on = play_runs(h);
    else if (on && scenario == HISTORY_CHECKPOINTS)
        on = play_checkpoints(h);
    else if (on && scenario == HISTORY_MEMBERS)
        on = play_members(h);
    else if (on)
        on = play_merge(h);
    h->ended = on;
    return h;
}

void
history_free(struct history *h)
{
    if (h == NULL)
        return;
    free(h->said);
    free(h->lasting);
    localdisk_free(h->disk);
    cast_free(h->cast);
    free(h);
}

bool
history_ended(const struct history *h)
{
    return h->ended;
}
