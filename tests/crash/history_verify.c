/* What must hold after the cut: see history.h. */

#include "history_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cutstore_impl.h"

/* --- programs ------------------------------------------------------------------------------ */

static enum sp_code
open_with(struct verify *v, bool write, struct sp_repository **ret, struct sp_err *e)
{
    const struct sp_repository_options o = {.cache_dir = HISTORY_CACHE,
        .write = write,
        .server_id = v->h->server ? v->h->server_id : NULL};
    struct sp_backend *b = NULL;
    enum sp_code rc;

    if ((rc = v->w->open(v->w->arg, false, &b, e)) != SP_OK)
        return rc;
    return sp_repository_open(b, &v->env, &o, ret, e);
}

/* It does not open, and init had not said that it would: it may be made anew, or the place has to
 * be emptied by hand, and either is told by name. */
static bool
refused(struct verify *v, enum sp_code rc, const struct sp_err *why)
{
    const struct sp_repository_conf conf = {.pack_size = HISTORY_PACK};
    struct sp_backend *b = NULL;
    struct sp_err e = {0};

    if (verify_holds(v, v->h->made))
        return verify_wrong(v, "it does not open: %.300s", why->text);
    if (rc != SP_ABSENT && rc != SP_CORRUPT && rc != SP_UNSUPPORTED && rc != SP_REFUSED)
        return verify_wrong(
            v, "init was cut, and it is refused as if the store failed: %.300s", why->text);
    rc = v->w->open(v->w->arg, true, &b, &e);
    if (rc == SP_OK) {
        rc = sp_repository_create(b, &v->env, &conf, v->h->server ? v->h->server_id : NULL, &e);
        sp_backend_free(b);
    }
    if (rc != SP_OK && rc != SP_EXISTS)
        return verify_wrong(v, "init was cut, and cannot be repeated: %.300s", e.text);
    return true;
}

/* --- checking ------------------------------------------------------------------------------ */

struct checking {
    struct verify *v;
    size_t faults, of_new;
    char first[256];
};

static enum sp_code
see_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    struct checking *c = arg;
    bool of_new = false;

    (void)e;
    if (f->severity != SP_FINDING_FAULT)
        return SP_OK;
    /* Sets before it that the store lost are told at the set that follows (R21): so they should. */
    if (!verify_promised(c->v) && strstr(f->text, "lacks the set") != NULL)
        return SP_OK;
    for (unsigned i = 0; i < c->v->h->hosts; i++)
        of_new = of_new ||
                 (c->v->made[i].sequence != 0 && memcmp(f->set_id, c->v->made[i].set_id, 16) == 0);
    c->faults++;
    c->of_new += of_new;
    if (c->faults == 1 || of_new)
        (void)snprintf(c->first, sizeof(c->first), "%.60s: %.180s", f->object, f->text);
    return SP_OK;
}

static bool
check(struct verify *v, struct sp_repository *r, struct checking *ret)
{
    const struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_check_totals totals;
    struct sp_err e = {0};

    *ret = (struct checking){.v = v};
    if (sp_repository_check(r, NULL, &o, see_finding, ret, &totals, &e) != SP_OK)
        return verify_wrong(v, "check: %.300s", e.text);
    return true;
}

static bool
check_clean(struct verify *v, struct sp_repository *r)
{
    struct checking c;

    if (!check(v, r, &c))
        return false;
    if (verify_promised(v) && !v->lost && c.faults > 0)
        return verify_wrong(v, "check finds %zu faults: %s", c.faults, c.first);
    if (c.of_new > 0)
        return verify_wrong(v, "check finds faults of the new set: %s", c.first);
    return true;
}

/* A program of its own, as `stillpoint check` is: what it finds bad is known to the next. */
static bool
check_first(struct verify *v)
{
    struct sp_repository *r = NULL;
    struct sp_err e = {0};
    struct checking c;
    bool good;

    if (open_with(v, false, &r, &e) != SP_OK)
        return true; /* whether it may be so is seen next */
    good = check(v, r, &c);
    sp_repository_free(r);
    return good;
}

/* --- the next runs ------------------------------------------------------------------------- */

struct choice {
    uint64_t n, wanted;
    char name[192];
};

static enum sp_code
choose(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct choice *c = arg;

    (void)size;
    (void)e;
    if (c->n++ == c->wanted || c->name[0] == '\0')
        (void)snprintf(c->name, sizeof(c->name), "%s", name);
    return SP_OK;
}

/* The store comes back under a run that goes on, as below a hard mount, and has lost a pack that
 * the run relied on when it asked. */
static void
lose_one(struct verify *v)
{
    struct sp_backend *b = sp_repository_backend(v->losing);
    uint64_t r = cut_mix(v->cut->after + 77);
    struct choice c = {.wanted = r / 2 % 4};
    struct sp_err e = {0};

    v->losing = NULL;
    if (sp_backend_list(b, r % 2 == 0 ? "packs" : "nodes", choose, &c, &e) == SP_OK &&
        c.name[0] != '\0' && sp_backend_remove(b, c.name, &e) == SP_OK)
        v->lost = true;
}

static void
on_making(void *arg, unsigned host, enum sp_record_type type, const struct made_record *record,
    const struct sp_id *root)
{
    struct verify *v = arg;
    struct said *s = &v->made[host];

    *s = (struct said){.host = host, .type = type, .root = *root, .sequence = record->sequence};
    s->done = 0;
    memcpy(s->set_id, record->set_id, sizeof(s->set_id));
    if (v->losing != NULL)
        lose_one(v);
}

static bool
run_next(struct verify *v, struct sp_repository *r)
{
    const struct run_events events = {.committing = on_making, .arg = v};
    struct cast *cast = v->mine->cast;
    struct sp_err e = {0};
    bool good = true;

    v->when = "the next run";
    if (v->cut->lose_one)
        v->losing = r;
    for (unsigned i = 0; i < v->h->hosts && good; i++) {
        const struct party *p = &cast->hosts[i];
        struct sp_store *s = NULL;

        /* Cut init leaves it to be done again; the very same being there is success. */
        if (v->h->made > v->cut->after || !verify_promised(v)) {
            if (sp_repository_put_slot(r, p->slot.data, p->slot.len, &e) != SP_OK &&
                e.code != SP_EXISTS)
                return verify_wrong(v, "a slot cannot be put again: %.300s", e.text);
            if (sp_repository_put_host(r, p->encoded.data, p->encoded.len, &e) != SP_OK)
                return verify_wrong(v, "the host cannot be put again: %.300s", e.text);
        }
        if (session_new(r, cast, i, &events, &s, &e) != SP_OK ||
            run_all(cast, i, history_job(i), s, &v->next[i], 0, 0, &events, &e) != SP_OK)
            good = verify_wrong(v, "host %u: %.300s", i, e.text);
        if (s != NULL)
            sp_store_free(s);
    }
    return good;
}

/* Another machine, which knows nothing. */
static bool
look_anew(struct verify *v)
{
    struct sp_repository *r = NULL;
    struct sp_err e = {0};
    struct shape shape;
    bool good = true, silent = (v->cut->promises & HISTORY_SILENT) != 0;

    v->when = "another machine after the next run";
    localdisk_free(v->disk);
    v->disk = localdisk_new(NULL, NULL);
    v->env = history_env(v->mine, v->disk);
    /* It knows nothing of what is torn before it has looked; and only who would write goes by that,
     * to a reader each block speaks for itself. */
    if (silent && !check_first(v))
        return false;
    if (open_with(v, silent, &r, &e) != SP_OK)
        return verify_wrong(v, "it does not open: %.300s", e.text);
    good = verify_look(v, r);
    for (unsigned i = 0; i < v->h->hosts && good; i++) {
        struct sp_reader_scope scope = {
            v->h->cast->hosts[i].host, party_group(&v->h->cast->hosts[i])};
        struct read_memory m = {NULL, 0, 0};
        struct sp_id *missing = NULL;
        size_t n = 0;
        bool more = false, whole = false;

        cast_shape(v->mine->cast, i, &v->next[i], &shape);
        if (memcmp(shape.root.b, v->made[i].root.b, 32) != 0)
            good = verify_wrong(v, "the next set is not of the tree that it was made from");
        else if (sp_repository_closure(r, &scope, &shape.root, &missing, &n, &more, &e) != SP_OK)
            good = verify_wrong(v, "the closure of the next set: %.300s", e.text);
        else if (n > 0)
            good = verify_wrong(v, "the next set of host %u lacks %zu chunks", i, n);
        else if (read_set(v->mine->cast, i, r, &shape.root, &m, &whole, &e) != SP_OK)
            good = verify_wrong(v, "reading the next set: %.300s", e.text);
        else if (!whole)
            good = verify_wrong(v, "the next set of host %u does not restore", i);
        free(missing);
        read_memory_clear(&m);
    }
    good = good && check_clean(v, r);
    sp_repository_free(r);
    return good;
}

/* --- all of it ----------------------------------------------------------------------------- */

static bool
owned(struct verify *v, struct sp_repository *r)
{
    uint64_t size;
    struct sp_err e = {0};

    if (!v->h->server || (v->cut->promises & HISTORY_NAMES) == 0)
        return true;
    if (sp_backend_size(sp_repository_backend(r), "owner", &size, &e) != SP_OK)
        return verify_wrong(
            v, "a server's repository opens without its owner: others might write to it");
    return true;
}

static enum sp_code
count_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    (void)slot;
    (void)n;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

/* Without its slots a repository is lost with the machine. */
static bool
slotted(struct verify *v, struct sp_repository *r)
{
    struct sp_err e = {0};
    size_t n = 0;

    if (!verify_holds(v, v->h->made))
        return true;
    if (sp_repository_slots(r, NULL, count_slot, &n, &e) != SP_OK)
        return verify_wrong(v, "slots: %.300s", e.text);
    return n == v->h->hosts ? true
                            : verify_wrong(v, "of %u key slots %zu are there", v->h->hosts, n);
}

static bool
verify(struct verify *v)
{
    struct sp_repository *r = NULL;
    struct sp_err e = {0};
    enum sp_code rc;
    bool good;

    if ((v->cut->promises & HISTORY_SILENT) != 0 && !check_first(v))
        return false;
    if ((rc = open_with(v, true, &r, &e)) != SP_OK)
        return refused(v, rc, &e);
    good = owned(v, r) && slotted(v, r) && verify_look(v, r);
    if (good)
        good = verify_lasting(v, r) && verify_heads(v, r);
    /* What the next run would tidy away; all else is found behind it. */
    if (good && verify_promised(v) && cut_mix(v->cut->after) % 3 == 0)
        good = check_clean(v, r);
    good = good && run_next(v, r);
    sp_repository_free(r);
    return good && look_anew(v);
}

bool
history_verify(const struct history *h, const struct history_world *survivor,
    const struct history_cut *cut, char why[512])
{
    struct history *mine = (struct history *)(uintptr_t)h; /* clock and cast only */
    struct verify v = {
        .h = h, .mine = mine, .w = survivor, .cut = cut, .when = "after the cut", .why = why};
    bool good;

    cast_reseed(mine->cast, cut_mix(cut_mix(h->seed) + cut->after));
    v.disk = cut->no_cache ? localdisk_new(NULL, NULL) : localdisk_at(h->disk, cut->after);
    v.env = history_env(mine, v.disk);
    for (unsigned i = 0; i < h->hosts; i++) {
        v.next[i] = h->trees[i];
        history_change(&v.next[i], h->seed + 1000 + i, 3);
    }
    good = verify(&v);
    localdisk_free(v.disk);
    return good;
}
