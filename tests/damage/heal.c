#include "tests/damage/heal.h"

#include <stdlib.h>
#include <string.h>

#include "storage/repository.h"
#include "tests/unit/base/support.h"

static enum sp_code
ignore(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)arg;
    (void)f;
    (void)e;
    return SP_OK;
}

/* As `stillpoint check --read-data` on that machine. */
static void
check_here(const struct look *l, size_t site)
{
    struct site *s = &l->w->sites[site];
    const struct sp_check_options o = {.depth = SP_CHECK_DATA};
    char *folder = tree_path(&s->tree, "cache");
    const struct sp_repository_options options = {.cache_dir = folder};
    struct sp_repository *r = NULL;
    struct sp_check_totals t;

    assert_ok(sp_repository_open(&recorder_new(l->below)->head, &sp_env_system, &options, &r, e));
    assert_ok(sp_repository_check(r, NULL, &o, ignore, NULL, &t, e));
    sp_repository_free(r);
    free(folder);
    state_assert_same(l->s, l->below, "check");
}

/* What the client does when it opens a folder and its record is lost. */
static void
put_host_again(const struct look *l, size_t site)
{
    struct site *s = &l->w->sites[site];
    char *folder = tree_path(&s->tree, "admit");
    const struct sp_repository_options o = {.cache_dir = folder, .write = true};
    struct sp_repository *r = NULL;
    struct sp_buf b = SP_BUF_INIT;

    assert_ok(sp_repository_open(&recorder_new(l->below)->head, &sp_env_system, &o, &r, e));
    assert_ok(sp_host_encode(&s->host, s->keys, &b, e));
    assert_ok(sp_repository_put_host(r, b.data, b.len, e));
    sp_buf_free(&b);
    sp_repository_free(r);
    free(folder);
}

void
heal(const struct look *l, size_t site, bool checked, bool warm)
{
    struct site *s = &l->w->sites[site];
    const struct known_set *newest = world_newest(l->w, site);
    const struct object *record = state_find(&l->w->whole, newest->object);
    enum record_state head = l->o->record[newest - l->w->sets];
    struct outcome o;
    bool whole;

    /* A check that tells of the host's own record is no part of this. */
    checked = checked && l->o->host[site] == INTACT;
    whole = checked || !l->o->data_in_place;
    if (l->o->host[site] != INTACT)
        put_host_again(l, site);
    world_begin(l->w, site, l->below, warm);
    if (checked)
        check_here(l, site);
    site_reopen(s);
    s->o.known_sequence = newest->set.sequence;
    assert_ok(sp_record_hash(record->p, record->n, s->o.known_hash, e));
    site_run(s, l->what, &o);
    if (o.code != SP_OK)
        fail_msg("%s: the next backup fails: %s", l->what, o.err.text);
    if (o.nfaults > 0 || o.result.state != SP_SET_COMPLETE)
        fail_msg("%s: the next backup has faults", l->what);
    if (head != MAYBE && o.result.chain_broken != (head != INTACT))
        fail_msg("%s: the chain is %s", l->what,
            o.result.chain_broken ? "whole, and called broken" : "broken, and nobody is told");
    world_end(l->w, site);
    look_new_set(l, site, o.result.set_id, whole);
    /* What a run does not read, only a check sees. */
    if (checked || !l->o->data_unseen)
        look_clean(l, site, o.result.set_id);
}
