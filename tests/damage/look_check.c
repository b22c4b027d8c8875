#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/lost_paths.h"
#include "storage/repository.h"
#include "tests/damage/look.h"
#include "tests/unit/base/support.h"

#define SAID_MOST 200

struct said {
    bool fault, has_set;
    char object[192], text[400];
    uint8_t set_id[16];
};
struct finding {
    struct said v[SAID_MOST];
    size_t n;
    struct sp_lost_ids lost;
};

static struct finding found;

struct sp_store *
look_open(const struct look *l, size_t site, struct sp_err *err)
{
    struct site *s = &l->w->sites[site];
    char *folder = tree_path(&l->w->sites[0].tree, "look");
    const struct sp_repository_options o = {.cache_dir = folder};
    struct sp_repository *r = NULL;
    struct sp_store *store = NULL;

    assert_ok(sp_os_remove_tree(&sp_os_system, folder, e));
    if (sp_repository_open(&recorder_new(l->below)->head, &sp_env_system, &o, &r, err) == SP_OK)
        assert_ok(
            sp_store_repository_new(r, "here", s->host.id, sp_keys_group(s->keys), &store, e));
    free(folder);
    return store;
}

static enum sp_code
on_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    static const uint8_t none[16];
    struct said *to = &found.v[found.n];

    (void)arg;
    assert_true(found.n++ < SAID_MOST);
    to->fault = f->severity == SP_FINDING_FAULT;
    to->has_set = memcmp(f->set_id, none, 16) != 0;
    memcpy(to->set_id, f->set_id, 16);
    (void)snprintf(to->object, sizeof to->object, "%s", f->object);
    (void)snprintf(to->text, sizeof to->text, "%s", f->text);
    return sp_lost_ids_take(&found.lost, f, e);
}

static void
run_check(const struct look *l, int depth, struct sp_check_totals *t)
{
    const struct sp_check_options o = {.depth = depth == 0 ? SP_CHECK_STRUCTURE : SP_CHECK_DATA};
    struct sp_err err = {0};
    struct sp_store *store = look_open(l, 0, &err);

    found.n = 0;
    sp_lost_ids_clear(&found.lost);
    if (store == NULL)
        fail_msg("%s: it does not open: %s", l->what, err.text);
    assert_ok(sp_store_check(store, &o, on_finding, NULL, t, e));
    sp_store_free(store);
    state_assert_same(l->s, l->below, "check");
}

/* --- objects and sets --------------------------------------------------------------------------
 */

static bool
object_told(const char *object)
{
    for (size_t i = 0; i < found.n; i++)
        if (found.v[i].fault && strcmp(found.v[i].object, object) == 0)
            return true;
    return false;
}

static bool
set_told(const uint8_t id[16])
{
    for (size_t i = 0; i < found.n; i++)
        if (found.v[i].fault && found.v[i].has_set && memcmp(found.v[i].set_id, id, 16) == 0)
            return true;
    return false;
}

static void
tell_all(void)
{
    for (size_t i = 0; i < found.n; i++)
        print_message("  %s set %.8s %s: %s\n", found.v[i].fault ? "FAULT" : "note",
            found.v[i].has_set ? sp_hex16(found.v[i].set_id).s : "-", found.v[i].object,
            found.v[i].text);
}

#define REQUIRE(yes, ...)                                                                          \
    do {                                                                                           \
        if (!(yes)) {                                                                              \
            tell_all();                                                                            \
            print_message(__VA_ARGS__);                                                            \
            fail_msg("\n%s", l->what);                                                             \
        }                                                                                          \
    } while (0)

static const struct known_set *
set_of(const struct world *w, const uint8_t id[16])
{
    for (size_t i = 0; i < w->nsets; i++)
        if (memcmp(w->sets[i].set.set_id, id, 16) == 0)
            return &w->sets[i];
    return NULL;
}

static void
hold_objects(const struct look *l, int depth)
{
    size_t i, k;

    for (i = 0; i < l->s->n; i++)
        REQUIRE(l->o->object[depth][i] != MUST || object_told(l->s->v[i].name),
            "depth %d: nothing is said of %s", depth, l->s->v[i].name);
    for (i = 0; i < found.n; i++) {
        const struct said *s = &found.v[i];
        const struct object *x = state_find(l->s, s->object);

        if (!s->fault || s->has_set || s->object[0] == '\0')
            continue;
        REQUIRE(x != NULL, "there is no such object: %s", s->object);
        REQUIRE(l->o->object[depth][x - l->s->v] != CLEAN, "depth %d: wrongly blamed: %s", depth,
            s->object);
        for (k = 0; k < i; k++) /* once is enough */
            REQUIRE(!found.v[k].fault || strcmp(found.v[k].object, s->object) != 0 ||
                        strcmp(found.v[k].text, s->text) != 0,
                "told twice: %s: %s", s->object, s->text);
    }
}

static void
hold_sets(const struct look *l, int depth)
{
    for (size_t i = 0; i < l->w->nsets; i++) {
        const struct known_set *k = &l->w->sets[i];
        bool told = set_told(k->set.set_id);

        if (k->kind != SET)
            continue;
        REQUIRE(told || oracle_set(l->o, i, depth) != MUST, "depth %d: set %s is not named", depth,
            k->object);
        REQUIRE(!told || oracle_set(l->o, i, depth) != CLEAN,
            "depth %d: set %s is named and not hit", depth, k->object);
    }
    for (size_t i = 0; i < found.n; i++) {
        const struct said *s = &found.v[i];
        const struct object *x = state_find(l->s, s->object);

        if (s->fault && s->has_set && set_of(l->w, s->set_id) == NULL)
            REQUIRE(x != NULL && l->o->object[depth][x - l->s->v] != CLEAN,
                "a set that never was: %s", s->object);
        for (size_t k = 0; k < i; k++)
            REQUIRE(
                strcmp(found.v[k].object, s->object) != 0 || strcmp(found.v[k].text, s->text) != 0,
                "told twice: %s: %s", s->object, s->text);
    }
}

/* --- files -------------------------------------------------------------------------------------
 */

struct naming {
    const struct look *l;
    size_t set;
    bool named[512];
    bool strange;
};

static void
on_path(void *arg, const void *key, size_t n, const char *text)
{
    struct naming *m = arg;
    const struct known_set *k = &m->l->w->sets[m->set];

    assert_true(text[0] != '\0');
    if (n == 0)
        return;
    for (size_t i = 0; i < k->nfiles; i++)
        if (k->files[i].key_len == n && memcmp(k->files[i].key, key, n) == 0) {
            m->named[i] = true;
            return;
        }
    m->strange = true;
}

static void
hold_files_of(const struct look *l, int depth, struct sp_opened_store *o, size_t set)
{
    static struct naming m;
    struct sp_cli cli = {.env = &sp_env_system, .quiet = true};
    const struct known_set *k = &l->w->sets[set];
    uint64_t total = 0, parts = 0;
    bool unread = false;

    memset(&m, 0, sizeof m);
    m.l = l;
    m.set = set;
    assert_ok(sp_lost_paths(&cli, o, &k->set, &found.lost, on_path, &m, &total, &parts, e));
    REQUIRE(!m.strange, "a file is named that is not in set %s", k->object);
    for (size_t i = 0; i < k->nfiles; i++) {
        enum verdict v = oracle_named(l->o, set, &k->files[i], depth);

        REQUIRE(m.named[i] || v != MUST, "depth %d: %s of set %s is not named", depth,
            k->files[i].path, k->object);
        REQUIRE(!m.named[i] || v != CLEAN, "depth %d: %s of set %s is named and not hit", depth,
            k->files[i].path, k->object);
        for (size_t t = 0; t < k->files[i].trees.n; t++)
            unread = unread || !l->o->get_hi[k->files[i].trees.v[t]];
    }
    REQUIRE(!unread || parts > 0, "nothing is said of the part of the catalog that is lost");
}

static void
hold_files(const struct look *l, int depth)
{
    if (found.lost.n == 0)
        return;
    sp_lost_ids_sort(&found.lost);
    for (size_t site = 0; site < SITES; site += SITES - 1) { /* one of each group */
        struct sp_err err = {0};
        struct sp_opened_store o = {.store = look_open(l, site, &err)};

        assert_non_null(o.store);
        o.keys = l->w->sites[site].keys;
        for (size_t i = 0; i < l->w->nsets; i++)
            if (l->w->sets[i].kind == SET && l->o->record[i] == INTACT &&
                memcmp(l->w->sets[i].set.group, sp_keys_group(o.keys), 16) == 0)
                hold_files_of(l, depth, &o, i);
        sp_store_free(o.store);
    }
}

void
look_check(const struct look *l)
{
    struct sp_check_totals t;

    for (int depth = 0; depth < 2; depth++) {
        enum verdict v = oracle_all(l->o, depth);

        memset(&t, 0, sizeof t);
        run_check(l, depth, &t);
        REQUIRE(t.faults > 0 || v != MUST, "depth %d: no fault was found", depth);
        REQUIRE(t.faults == 0 || v != CLEAN, "depth %d: a fault where there is none", depth);
        hold_objects(l, depth);
        hold_sets(l, depth);
        hold_files(l, depth);
    }
}

void
look_clean(const struct look *l, size_t site, const uint8_t set_id[16])
{
    const struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_check_totals t;
    struct sp_err err = {0};
    struct sp_store *store = look_open(l, site, &err);

    found.n = 0;
    sp_lost_ids_clear(&found.lost);
    assert_non_null(store);
    assert_ok(sp_store_check(store, &o, on_finding, NULL, &t, e));
    sp_store_free(store);
    REQUIRE(!set_told(set_id), "the set made after the damage is named");
}
