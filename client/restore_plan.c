#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "client/restore_run.h"

/* The planner: goes through the catalog, keeps the chain of folders it is in, and decides for each
 * object what is to be done with it. */

static enum sp_code
fault(struct restore *r, const struct sp_entry *en, const struct sp_err *why, struct sp_err *e)
{
    if (restore_is_fatal(why)) {
        *e = *why;
        restore_err_at(e, en->key, en->key_len);
        return why->code;
    }
    restore_fault(r, en->key, en->key_len, why);
    return SP_OK;
}

/* --- one object
 * ----------------------------------------------------------------------------------------- */

enum sp_code
plan_look(struct restore *r, struct folder *folder, const struct sp_entry *en, const char *name,
    struct sp_target_stat *ret, bool *ret_kept, struct sp_err *e)
{
    enum sp_code rc;

    *ret_kept = false;
    if (folder->dir == NULL)
        return sp_fail(e, SP_ABSENT, SP_DOM_DESTINATION, "its folder is not there yet");
    /* Each key comes once, so nothing can be there; with components left out, names may meet. */
    if (r->strip == 0 && sp_target_dir_is_new(folder->dir))
        return sp_fail(e, SP_ABSENT, SP_DOM_DESTINATION, "its folder is new");
    if ((rc = sp_target_look(folder->dir, name, ret, e)) != SP_OK)
        return rc;
    if (r->o->if_exists == SP_IF_EXISTS_KEEP ||
        (r->o->if_exists == SP_IF_EXISTS_NEWER && ret->mtime_ns >= en->mtime_ns)) {
        *ret_kept = true;
        restore_kept(r);
        restore_would(r, en, "keep");
    }
    return SP_OK;
}

/* For a dry run, which reads nothing. */
static bool
looks_equal(const struct sp_entry *en, const struct sp_target_stat *st)
{
    return st->type == SP_ENTRY_FILE && plan_is_bare(en) && st->size == en->size &&
           (st->mtime_ns == en->mtime_ns || en->size == 0);
}

/* What a restore that was interrupted, perhaps by a power cut, has left counts by its bytes only
 * (R14): a file may have its size and its times, and zeros in it. */
static bool
is_equal(const struct sp_entry *en, const struct sp_target_stat *st)
{
    return st != NULL && st->type == SP_ENTRY_FILE && st->size == 0 && en->size == 0 &&
           plan_is_bare(en);
}

/* A large file that may be equal is compared as a whole first: a copy of it costs time and space.
 */
static enum sp_code
compare_large(struct restore *r, struct file *f, const struct sp_entry *en, struct sp_err *e)
{
    enum sp_code rc;

    f->how = FILE_COMPARE;
    if ((rc = plan_content(r, f, en, e)) != SP_OK)
        return rc;
    if ((rc = plan_drain(r, e)) != SP_OK)
        return rc;
    f->how = atomic_load(&f->differs) ? FILE_WRITE : FILE_ADJUST;
    return SP_OK;
}

static enum sp_code
plan_file(struct restore *r, struct folder *folder, const struct sp_entry *en,
    const struct sp_target_stat *st, bool replace, struct leader *leader, struct sp_err *e)
{
    struct sp_err unreadable = {0}, refused = {0};
    struct file *f = NULL;
    enum sp_code rc;

    if ((rc = file_new(folder, en, &f, e)) != SP_OK)
        return rc;
    f->replace = replace;
    f->leader = leader;
    f->how = is_equal(en, st) ? FILE_ADJUST : FILE_WRITE;
    if ((rc = file_try(folder, en, &refused)) != SP_OK) {
        file_release(f);
        return fault(r, en, &refused, e);
    }
    /* Reading what is there may fetch it from the cloud. */
    if (st != NULL && st->type == SP_ENTRY_FILE && f->how == FILE_WRITE && st->size > 0 &&
        (en->flags & SP_ENTRY_AWAY) == 0 &&
        sp_target_old_open(folder->dir, f->name, &f->old, &unreadable) == SP_OK)
        f->old_size = st->size;
    if (f->old != NULL && plan_is_bare(en) && f->old_size == en->size && !plan_is_small(en))
        rc = compare_large(r, f, en, e);
    if (rc == SP_OK)
        rc = f->how == FILE_ADJUST ? plan_end(r, f, e) : plan_content(r, f, en, e);
    file_release(f);
    return rc;
}

/* Links, devices, FIFOs, sockets: at once. */
static enum sp_code
make_special(struct folder *folder, const struct sp_entry *en, const char *name, bool exists,
    bool replace, struct sp_target_stat *ret, bool *ret_equal, struct sp_err *flaw,
    struct sp_err *e)
{
    bool same = false;
    enum sp_code rc;

    if (exists && sp_target_is_same(folder->dir, name, en, &same, e) == SP_OK && same) {
        rc = sp_target_adjust(folder->dir, name, en, ret, flaw, e);
        if (rc != SP_UNSUPPORTED) {
            *ret_equal = rc == SP_OK;
            return rc;
        }
    }
    return sp_target_special(folder->dir, en, name, replace, ret, flaw, e);
}

static enum sp_code
plan_special(struct restore *r, struct folder *folder, const struct sp_entry *en, const char *name,
    bool exists, bool replace, struct leader *leader, struct sp_err *e)
{
    struct sp_target_stat st = {0};
    struct sp_entry *full = NULL;
    struct sp_err why = {0}, flaw = {0}, lost = {0};
    bool equal = false;
    enum sp_code rc;

    if ((rc = fetch_attributes(r, en, &full, &lost, &why)) == SP_OK)
        rc = make_special(folder, full, name, exists, replace, &st, &equal, &flaw, &why);
    free(full);
    if (flaw.code == SP_OK)
        flaw = lost;
    if (rc != SP_OK)
        return fault(r, en, &why, e);
    if (leader != NULL) {
        if ((leader->name = strdup(name)) == NULL)
            return sp_fail_nomem(e);
        leader->dir = sp_target_dir_hold(folder->dir);
        leader->st = st;
        leader->type = en->type;
    }
    if (flaw.code != SP_OK)
        return fault(r, en, &flaw, e);
    restore_count(r, en, equal);
    return SP_OK;
}

static void
tell_dry(struct restore *r, const struct sp_entry *en, const struct sp_target_stat *st)
{
    bool equal = st != NULL && looks_equal(en, st) && en->type == SP_ENTRY_FILE;

    restore_would(r, en, equal ? "equal" : st != NULL ? "replace" : "restore");
    restore_count(r, en, equal);
}

static enum sp_code
plan_named(struct restore *r, struct folder *folder, const struct sp_entry *en, const char *name,
    struct leader *leader, struct sp_err *e)
{
    struct sp_target_stat st;
    struct sp_err why = {0};
    bool kept, exists, replace;
    enum sp_code rc;

    rc = plan_look(r, folder, en, name, &st, &kept, &why);
    if (rc != SP_OK && rc != SP_ABSENT)
        return fault(r, en, &why, e);
    exists = rc == SP_OK;
    if (exists && kept)
        return SP_OK;
    if (r->o->dry_run) {
        tell_dry(r, en, exists ? &st : NULL);
        return SP_OK;
    }
    /* Before anything is fetched: what is inside of a folder is never removed. */
    if (exists && st.type == SP_ENTRY_DIR) {
        if (sp_target_remove(folder->dir, name, true, &why) != SP_OK)
            return fault(r, en, &why, e);
        exists = false;
    }
    /* What was not there when we looked is not ours to replace, if anything is to be kept, or may
     * be one of our own under another spelling. */
    replace =
        exists || (r->o->if_exists == SP_IF_EXISTS_REPLACE && !sp_target_folds(folder->dir));
    if (en->type == SP_ENTRY_FILE)
        return plan_file(r, folder, en, exists ? &st : NULL, replace, leader, e);
    return plan_special(r, folder, en, name, exists, replace, leader, e);
}

enum sp_code
plan_object(struct restore *r, struct folder *folder, const struct sp_entry *en,
    struct leader *leader, struct sp_err *e)
{
    struct sp_err why = {0};
    size_t n;
    const char *name = sp_key_name(en->key, en->key_len, &n);
    char *copy;
    enum sp_code rc;

    if (sp_target_name_check(folder->dir, name, n, en->flags, &why) != SP_OK)
        return fault(r, en, &why, e);
    if ((copy = sp_text_copy(name, n)) == NULL)
        return sp_fail_nomem(e);
    rc = plan_named(r, folder, en, copy, leader, e);
    free(copy);
    return rc;
}

/* --- where the planner is
 * ------------------------------------------------------------------------------ */

static void
leave(struct restore *r)
{
    struct folder *f = r->at;

    r->at = f->up;
    r->at_key.len = f->up != NULL ? f->up->key_len : 0;
    folder_release(f);
}

static enum sp_code
go_down(struct restore *r, const char *name, size_t n, const struct sp_entry *en, struct sp_err *e)
{
    struct folder *f = NULL;
    enum sp_code rc;

    if ((rc = folder_new(r, r->at, name, n, en, &f, e)) != SP_OK)
        return rc;
    r->at = f;
    sp_key_push(&r->at_key, name, n);
    return sp_buf_ok(&r->at_key, e);
}

/* To the folder of this key. The entries of folders between may be lost with a node. */
static enum sp_code
go_to(struct restore *r, const uint8_t *key, size_t key_len, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    while (r->at->up != NULL && !sp_key_within(r->at_key.data, r->at_key.len, key, key_len))
        leave(r);
    while (rc == SP_OK && r->at_key.len < key_len) {
        size_t from = r->at_key.len + (r->at_key.len > 0);
        const uint8_t *end = memchr(key + from, 0, key_len - from);

        if (end == NULL)
            break;
        rc = go_down(r, (const char *)key + from, (size_t)(end - key) - from, NULL, e);
    }
    return rc;
}

/* --- entries
 * -------------------------------------------------------------------------------------------- */

static bool
is_taken(const struct restore *r, const struct sp_entry *en)
{
    bool is_dir = en->type == SP_ENTRY_DIR;

    return (en->flags & SP_ENTRY_IMPLIED) == 0 &&
           (r->o->select == NULL || sp_filter_selects(r->o->select, en->key, en->key_len, is_dir));
}

static void
count_matched(struct restore *r)
{
    sp_mutex_lock(&r->tell_lock);
    r->stats.matched++;
    sp_mutex_unlock(&r->tell_lock);
}

static enum sp_code
lost_content(struct restore *r, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_err why = {0};

    (void)sp_fail(&why, SP_ABSENT, SP_DOM_STORE,
        en->type == SP_ENTRY_DIR
            ? "the folder could not be read in full when the backup was made"
            : "it could not be read when the backup was made: its content is not in the set");
    return fault(r, en, &why, e);
}

/* Only in a catalog that nobody's backup made. */
static enum sp_code
no_folder(struct restore *r, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_err why = {0};

    (void)sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "it is inside of something that is no folder");
    return fault(r, en, &why, e);
}

static enum sp_code
skip_below(struct restore *r, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    /* What is inside has a NUL behind the folder's key. */
    sp_buf_put(&key, en->key, en->key_len);
    sp_buf_put_u8(&key, 1);
    if ((rc = sp_buf_ok(&key, e)) == SP_OK)
        rc = sp_catalog_seek(r->catalog, key.data, key.len, e);
    sp_buf_free(&key);
    return rc;
}

static enum sp_code
plan_folder(struct restore *r, const struct sp_entry *en, bool taken, struct sp_err *e)
{
    size_t n;
    const char *name = sp_key_name(en->key, en->key_len, &n);
    struct sp_entry bare = *en;
    enum sp_code rc;

    if (en->key_len == 0) { /* the root: we are in it already */
        bare.key = (const uint8_t *)"";
        if (r->root->entry == NULL && (rc = sp_entry_copy(&bare, &r->root->entry, e)) != SP_OK)
            return rc;
    } else if ((rc = go_down(r, name, n, en, e)) != SP_OK) {
        return rc;
    }
    r->at->taken = taken;
    if (!taken)
        return SP_OK; /* made when something in it is */
    if ((rc = folder_make(r->at, e)) != SP_OK)
        return rc;
    return (en->flags & SP_ENTRY_UNREADABLE) != 0 ? lost_content(r, en, e) : SP_OK;
}

/* False: told as a fault, or the run cannot go on (*ret). */
static bool
has_place(struct restore *r, const struct sp_entry *en, enum sp_code *ret, struct sp_err *e)
{
    struct sp_err why = {0};
    size_t n;
    const char *name = sp_key_name(en->key, en->key_len, &n);
    bool is_new = true;

    if (sp_key_depth(en->key, en->key_len) <= r->strip) {
        (void)sp_fail(&why, SP_INVALID, SP_DOM_CONFIG,
            "nothing is left of its path after leaving out %zu components", r->strip);
    } else if (r->at->refused != NULL) {
        why = *r->at->refused;
        sp_err_context(&why, "its folder could not be restored");
    } else if (r->at->dir != NULL && folder_claim(r->at, name, n, &is_new, &why) == SP_OK &&
               !is_new) {
        (void)sp_fail(&why, SP_EXISTS, SP_DOM_DESTINATION,
            "another object whose name differs in case only was restored to its place");
    }
    if (why.code == SP_OK)
        return true;
    *ret = fault(r, en, &why, e);
    return false;
}

static enum sp_code
plan_leaf(struct restore *r, const struct sp_entry *en, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if ((en->flags & SP_ENTRY_UNREADABLE) != 0)
        return lost_content(r, en, e);
    if ((rc = folder_make(r->at, e)) != SP_OK)
        return rc;
    if (!has_place(r, en, &rc, e))
        return rc;
    r->leaf_key.len = 0;
    sp_buf_put(&r->leaf_key, en->key, en->key_len);
    if ((rc = sp_buf_ok(&r->leaf_key, e)) != SP_OK)
        return rc;
    if (is_linked(en) && !r->o->dry_run)
        return links_add(r, en, e);
    return plan_object(r, r->at, en, NULL, e);
}

static enum sp_code
plan_entry(struct restore *r, const struct sp_entry *en, struct sp_err *e)
{
    bool is_dir = en->type == SP_ENTRY_DIR, taken = is_taken(r, en);
    enum sp_code rc;

    if (is_dir && !taken && r->o->select != NULL &&
        !sp_filter_may_select_below(r->o->select, en->key, en->key_len))
        return skip_below(r, en, e);
    if (!is_dir && !taken)
        return SP_OK;
    if (taken)
        count_matched(r);
    if (r->leaf_key.len > 0 &&
        sp_key_within(r->leaf_key.data, r->leaf_key.len, en->key, en->key_len))
        return taken ? no_folder(r, en, e) : SP_OK;
    if ((rc = go_to(r, en->key, en->key_len, e)) != SP_OK)
        return rc;
    return is_dir ? plan_folder(r, en, taken, e) : plan_leaf(r, en, e);
}

/* --- the catalog
 * ---------------------------------------------------------------------------------------- */

struct gap {             /* a part of the catalog that is lost */
    struct sp_buf after; /* the last entry before it */
    struct sp_err why;   /* of its first node; code SP_OK: no gap */
};

static void
tell_gap(struct restore *r, struct gap *g, const struct sp_entry *next)
{
    struct sp_buf from = SP_BUF_INIT, to = SP_BUF_INIT;
    struct sp_err why = {0};

    sp_path_show(g->after.data, g->after.len < 200 ? g->after.len : 200, &from);
    if (next != NULL)
        sp_path_show(next->key, next->key_len < 200 ? next->key_len : 200, &to);
    (void)sp_fail(&why, g->why.code, SP_DOM_STORE,
        "nothing behind '%s' and before %s%s%s can be restored: %.200s", sp_buf_str(&from),
        next != NULL ? "'" : "the end", sp_buf_str(&to), next != NULL ? "'" : "", g->why.text);
    restore_fault(r, g->after.data, g->after.len, &why);
    sp_buf_free(&from);
    sp_buf_free(&to);
    sp_err_clear(&g->why);
}

static enum sp_code
next_entry(struct restore *r, struct gap *g, const struct sp_entry **ret, struct sp_err *e)
{
    enum sp_code rc;

    while ((rc = sp_catalog_next(r->catalog, ret, e)) == SP_ABSENT || rc == SP_CORRUPT) {
        if (g->why.code == SP_OK)
            g->why = *e;
        if ((rc = sp_catalog_skip(r->catalog, e)) != SP_OK)
            return rc;
    }
    if (rc != SP_OK)
        return rc;
    if (g->why.code != SP_OK)
        tell_gap(r, g, *ret);
    if (*ret != NULL) {
        g->after.len = 0;
        sp_buf_put(&g->after, (*ret)->key, (*ret)->key_len);
        rc = sp_buf_ok(&g->after, e);
    }
    return rc;
}

enum sp_code
plan_catalog(struct restore *r, struct sp_err *e)
{
    const struct sp_entry *en = NULL;
    struct gap g = {.after = SP_BUF_INIT};
    enum sp_code rc;

    if ((rc = folder_new(r, NULL, "", 0, NULL, &r->root, e)) != SP_OK)
        return rc;
    r->at = r->root;
    for (;;) {
        if (atomic_load(&r->failed)) {
            rc = sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped");
            break;
        }
        if ((rc = next_entry(r, &g, &en, e)) != SP_OK || en == NULL)
            break;
        rc = plan_entry(r, en, e);
        /* A jump over what is not wanted met a lost node: the next call goes on behind it. */
        if (rc == SP_ABSENT || rc == SP_CORRUPT) {
            g.why = *e;
            rc = sp_catalog_skip(r->catalog, e);
        }
        if (rc != SP_OK)
            break;
    }
    if (rc != SP_OK)
        restore_fail(r, e); /* before the folders are let go */
    while (r->at != NULL)
        leave(r);
    r->root = NULL;
    if (rc == SP_OK)
        rc = plan_drain(r, e);
    sp_buf_free(&g.after);
    return rc;
}
