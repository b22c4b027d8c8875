#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "client/restore.h"
#include "client/sets.h"
#include "storage/repository.h"
#include "tests/damage/look.h"
#include "tests/unit/base/support.h"

#define FAULTS_MOST 200

struct told {
    uint8_t *keys[FAULTS_MOST];
    size_t lens[FAULTS_MOST], n;
    char first[SP_ERR_TEXT]; /* sentence */
};

static void
on_fault(void *arg, const void *key, size_t n, const struct sp_err *why)
{
    struct told *t = arg;

    assert_true(why->code != SP_OK && why->text[0] != '\0');
    assert_true(t->n < FAULTS_MOST);
    if (t->n == 0)
        (void)snprintf(t->first, sizeof t->first, "%s", why->text);
    assert_non_null(t->keys[t->n] = malloc(n + 1));
    if (n > 0)
        memcpy(t->keys[t->n], key, n);
    t->lens[t->n++] = n;
}

static bool
was_told(const struct told *t, const struct file *f)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->lens[i] == f->key_len && memcmp(t->keys[i], f->key, f->key_len) == 0)
            return true;
    return false;
}

/* Whether the file lies there; when it does it must be the whole truth. */
static bool
came_back(const struct look *l, const char *target, const struct file *f)
{
    char path[1100];
    struct stat st;
    uint8_t *p = NULL;
    size_t n;

    (void)snprintf(path, sizeof path, "%s/%s", target, f->path);
    if (lstat(path, &st) != 0)
        return false;
    assert_ok(sp_os_read_file(&sp_os_system, path, 1u << 30, &p, &n, e));
    if (n != f->n || (n > 0 && memcmp(p, f->p, n) != 0))
        fail_msg("%s: RESTORED WRONG: %s", l->what, f->path);
    if ((st.st_mode & 07777) != f->mode ||
        st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec != f->mtime_ns)
        fail_msg("%s: restored with other attributes: %s", l->what, f->path);
    free(p);
    return true;
}

static size_t
count_files(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    size_t n = 0;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        char path[1100];
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_int_equal(lstat(path, &st), 0);
        n += S_ISDIR(st.st_mode) ? count_files(path) : 1;
    }
    if (d != NULL)
        closedir(d);
    return n;
}

/* Restores `root` and holds what came back against the files. `o` NULL: nothing is known of the
 * damage, and only wrong files are wrong; `whole`: all must come back. */
static void
restore(const struct look *l, size_t site, struct sp_store *store, const struct sp_id *root,
    const struct known_set *k, const struct oracle *o, bool whole)
{
    struct site *s = &l->w->sites[site];
    struct sp_bytes key = tree_key(&s->tree, "files");
    char *to = tree_path(&s->tree, "restored");
    struct told told = {.n = 0};
    const struct sp_restore_events events = {.fault = on_fault, .arg = &told};
    const struct sp_restore_options options = {.target = to,
        .numeric_owner = true,
        .temp_dir = s->tree.path,
        .strip = sp_key_depth(key.p, key.n)};
    struct sp_restore_stats stats = {0};
    struct sp_err err = {0};
    size_t back = 0;
    bool short_of = false;
    enum sp_code rc;

    assert_ok(sp_os_remove_tree(&sp_os_system, to, e)); /* of a case in a process that failed */
    rc = sp_restore_run(&sp_env_system, store, s->keys, root, &options, &events, &stats, &err);

    for (size_t i = 0; i < k->nfiles; i++) {
        const struct file *f = &k->files[i];
        enum verdict v = o != NULL ? oracle_file(o, f) : MAY;
        bool there = came_back(l, to, f);

        back += there;
        short_of = short_of || !there;
        if (there && v == MUST)
            fail_msg("%s: the oracle is wrong: %s came back", l->what, f->path);
        if (!there && (v == CLEAN || whole))
            fail_msg("%s: %s of %s did not come back (%s)", l->what, f->path, k->object,
                rc != SP_OK ? err.text : told.first);
        if (!there && rc == SP_OK && !was_told(&told, f) &&
            (o == NULL || oracle_file(o, f) != CLEAN) && stats.faults == 0)
            fail_msg("%s: %s is missing and nobody was told", l->what, f->path);
        /* Named itself, unless the part of the catalog that names it is lost. */
        if (!there && rc == SP_OK && o != NULL && !was_told(&told, f)) {
            bool unread = false;

            for (size_t t = 0; t < f->trees.n; t++)
                unread = unread || !o->get_lo[f->trees.v[t]];
            if (!unread)
                fail_msg("%s: %s is missing and not named", l->what, f->path);
        }
    }
    if (short_of && rc == SP_OK && stats.faults == 0)
        fail_msg("%s: a short restore of %s calls itself good", l->what, k->object);
    if (!short_of && whole && (rc != SP_OK || stats.faults > 0))
        fail_msg("%s: a whole restore of %s calls itself short", l->what, k->object);
    if (count_files(to) != back)
        fail_msg("%s: restored files that were never in %s", l->what, k->object);
    for (size_t i = 0; i < told.n; i++)
        free(told.keys[i]);
    assert_ok(sp_os_remove_tree(&sp_os_system, to, e));
    free(to);
    free(key.p);
}

static bool
needs_lost(const struct oracle *o, const struct known_set *k)
{
    for (size_t i = 0; i < k->needs.n; i++)
        if (!o->get_lo[k->needs.v[i]])
            return true;
    return false;
}

void
look_restore(const struct look *l, size_t set)
{
    const struct known_set *k = &l->w->sets[set];
    struct sp_cli cli = {.env = &sp_env_system, .quiet = true};
    struct sp_err err = {0};
    struct sp_opened_store o = {
        .store = look_open(l, k->site, &err), .keys = l->w->sites[k->site].keys};
    struct sp_found_set f;
    enum sp_code rc;
    bool good;

    assert_non_null(o.store);
    memset(&f, 0, sizeof f);
    o.address = (char *)(uintptr_t) "here";
    rc = sp_cli_find_set(&cli, &o, sp_hex16(k->set.set_id).s, &f, &err);
    good = rc == SP_OK && f.signed_ok && f.has_sealed;
    if (good && memcmp(f.set.set_id, k->set.set_id, 16) != 0)
        fail_msg("%s: asked for set %s, another was found", l->what, k->object);
    if (good && (l->o->record[set] == GONE || l->o->record[set] == BAD))
        fail_msg("%s: set %s was found, which is gone or bad", l->what, k->object);
    if (!good && l->o->record[set] == INTACT && l->o->host[k->site] == INTACT)
        fail_msg("%s: set %s is not found, which is good: %s", l->what, k->object, err.text);
    if (good) {
        if (memcmp(f.set.root.b, k->set.root.b, 32) != 0)
            fail_msg("%s: set %s has another root", l->what, k->object);
        restore(l, k->site, o.store, &f.set.root, k, l->o, !needs_lost(l->o, k));
    }
    sp_found_set_clear(&f);
    sp_store_free(o.store);
    state_assert_same(l->s, l->below, "restore");
}

void
look_new_set(const struct look *l, size_t site, const uint8_t set_id[16], bool whole)
{
    struct sp_cli cli = {.env = &sp_env_system, .quiet = true};
    struct sp_err err = {0};
    struct sp_opened_store o = {.store = look_open(l, site, &err), .keys = l->w->sites[site].keys};
    struct sp_found_set f;

    assert_non_null(o.store);
    memset(&f, 0, sizeof f);
    o.address = (char *)(uintptr_t) "here";
    assert_ok(sp_cli_find_set(&cli, &o, sp_hex16(set_id).s, &f, e));
    assert_true(f.signed_ok && f.has_sealed);
    assert_memory_equal(f.set.set_id, set_id, 16);
    restore(l, site, o.store, &f.set.root, world_now(l->w, site), NULL, whole);
    sp_found_set_clear(&f);
    sp_store_free(o.store);
}

void
look_list(const struct look *l)
{
    for (size_t site = 0; site < SITES; site += SITES - 1) {
        struct sp_err err = {0};
        struct sp_opened_store o = {
            .store = look_open(l, site, &err), .keys = l->w->sites[site].keys};
        struct sp_sets sets;
        size_t amiss = 0;

        assert_non_null(o.store);
        assert_ok(sp_sets_list(&o, true, false, NULL, &sets, e));
        for (size_t i = 0; i < l->w->nsets; i++) {
            const struct known_set *k = &l->w->sets[i];
            size_t times = 0;

            for (size_t t = 0; t < sets.n; t++)
                times += memcmp(sets.v[t].set.set_id, k->set.set_id, 16) == 0 &&
                         sets.v[t].sign != SP_SIGNED_NOT;
            if (k->kind != SET)
                continue;
            if (times > 1)
                fail_msg("%s: set %s is listed %zu times", l->what, k->object, times);
            if (times == 1 && (l->o->record[i] == BAD || l->o->record[i] == GONE))
                fail_msg("%s: set %s is listed as good", l->what, k->object);
            if (times == 0 && l->o->record[i] == INTACT && l->o->host[k->site] == INTACT)
                fail_msg("%s: set %s is not listed", l->what, k->object);
            amiss += l->o->record[i] == BAD && state_find(l->s, k->object) != NULL &&
                     state_find(l->s, k->object)->n > 0;
        }
        for (size_t t = 0; t < sets.n; t++)
            amiss -= amiss > 0 && sets.v[t].sign == SP_SIGNED_NOT;
        if (amiss > sets.unreadable)
            fail_msg("%s: the listing does not say that a record is amiss", l->what);
        sp_sets_clear(&sets);
        sp_store_free(o.store);
    }
}
