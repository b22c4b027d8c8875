#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/restore_run.h"

/* Folders: made when something in them is restored, for their owner only; attributes when all
 * inside is done. */

enum sp_code
folder_new(struct restore *r, struct folder *up, const void *name, size_t name_len,
    const struct sp_entry *en, struct folder **ret, struct sp_err *e)
{
    struct folder *f = calloc(1, sizeof *f + name_len + 1);
    enum sp_code rc = SP_OK;

    if (f == NULL)
        return sp_fail_nomem(e);
    if (name_len > 0)
        memcpy(f->name, name, name_len);
    f->name_len = name_len;
    f->r = r;
    f->key_len = up == NULL ? 0 : up->key_len + (up->key_len > 0) + name_len;
    f->depth = up == NULL ? 0 : up->depth + 1;
    if (en != NULL) {
        struct sp_entry bare = *en;

        /* Its key is the chain of names; a deep tree would hold it once a level. */
        bare.key = (const uint8_t *)"";
        bare.key_len = 0;
        rc = sp_entry_copy(&bare, &f->entry, e);
    }
    if (rc != SP_OK) {
        free(f);
        return rc;
    }
    atomic_init(&f->pending, 1);
    f->up = up;
    if (up != NULL)
        folder_hold(up);
    *ret = f;
    return SP_OK;
}

void
folder_key(const struct folder *f, struct sp_buf *ret)
{
    size_t from = ret->len, at = f->key_len;

    sp_buf_put_zero(ret, f->key_len);
    if (ret->failed)
        return;
    for (; f->up != NULL; f = f->up) { /* from the last component to the first */
        at -= f->name_len;
        memcpy(ret->data + from + at, f->name, f->name_len);
        at -= at > 0;
    }
}

/* A dry run is told of the folder by its whole key, which its entry has not. */
static void
folder_would(const struct folder *f, const char *what)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_entry named;

    if (f->entry == NULL)
        return;
    folder_key(f, &key);
    if (!key.failed) {
        named = *f->entry;
        named.key = key.data;
        named.key_len = key.len;
        restore_would(f->r, &named, what);
    }
    sp_buf_free(&key);
}

void
folder_hold(struct folder *f)
{
    atomic_fetch_add(&f->pending, 1);
}

void
folder_err_at(const struct folder *f, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;

    folder_key(f, &key);
    if (!key.failed)
        restore_err_at(e, key.data, key.len);
    sp_buf_free(&key);
}

static void
folder_fault(const struct folder *f, const struct sp_err *why)
{
    struct sp_buf key = SP_BUF_INIT;

    folder_key(f, &key);
    restore_fault(f->r, key.data, key.len, why);
    sp_buf_free(&key);
}

static enum sp_code
apply(struct folder *f, struct sp_err *e)
{
    struct sp_entry *en = NULL;
    struct sp_err lost = {0};
    enum sp_code rc;

    if ((rc = fetch_attributes(f->r, f->entry, &en, &lost, e)) == SP_OK)
        rc = sp_target_dir_apply(f->dir, en, e);
    free(en);
    if (rc == SP_OK && lost.code != SP_OK)
        *e = lost;
    return rc == SP_OK ? lost.code : rc;
}

/* Everything inside is done. */
static void
finish(struct folder *f)
{
    struct restore *r = f->r;
    struct sp_err e = {0};
    enum sp_code rc = SP_OK;

    if (f->dir == NULL || r->o->dry_run)
        return;
    if (f->apply && !atomic_load(&r->failed))
        rc = apply(f, &e);
    else
        rc = sp_target_dir_put_back(f->dir, f->late, &e);
    if (rc == SP_OK) {
        if (f->taken && f->apply)
            restore_count(r, f->entry, false);
    } else if (restore_is_fatal(&e)) {
        folder_err_at(f, &e);
        restore_fail(r, &e);
    } else {
        folder_fault(f, &e);
    }
}

void
folder_release(struct folder *f)
{
    /* A loop, not a recursion: a tree may be deep. */
    while (f != NULL && atomic_fetch_sub(&f->pending, 1) == 1) {
        struct folder *up = f->up;

        finish(f);
        sp_target_dir_release(f->dir);
        restore_err_free(f->refused);
        nameset_free(f->names);
        free(f->entry);
        free(f);
        f = up;
    }
}

/* --- making
 * -------------------------------------------------------------------------------------------- */

static void
refuse(struct folder *f, const struct sp_err *why)
{
    f->refused = restore_err_copy(why);
    if (f->taken)
        folder_fault(f, why);
}

/* One that exists as a folder already: is it ours to change? */
static enum sp_code
enter(struct folder *f, const struct sp_target_stat *st, struct sp_err *e)
{
    struct restore *r = f->r;
    bool in_place = r->o->target == NULL;
    enum sp_code rc;

    f->apply = f->entry != NULL && (f->taken || !in_place);
    if (f->apply &&
        (r->o->if_exists == SP_IF_EXISTS_KEEP ||
            (r->o->if_exists == SP_IF_EXISTS_NEWER && st->mtime_ns >= f->entry->mtime_ns))) {
        f->apply = false;
        if (f->taken) {
            restore_kept(r);
            folder_would(f, "keep");
        }
    }
    if ((rc = sp_target_dir_enter(f->up->dir, f->name, &f->dir, e)) != SP_OK)
        return rc;
    if (r->o->dry_run) {
        if (f->apply && f->taken)
            folder_would(f, "attributes");
        return SP_OK;
    }
    return sp_target_dir_open_up(f->dir, e);
}

/* A link in the place of a folder that nobody asked for (/home that leads elsewhere) is the user's
 * own arrangement: neither followed nor replaced. */
static enum sp_code
replace(struct folder *f, const struct sp_target_stat *st, struct sp_err *e)
{
    struct restore *r = f->r;

    if (r->o->target == NULL && !f->taken)
        return sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION,
            "%s is in the place of the folder %.200s; restore to a target folder instead",
            st->type == SP_ENTRY_LINK ? "a symbolic link" : "something that is no folder", f->name);
    if (r->o->if_exists == SP_IF_EXISTS_KEEP ||
        (r->o->if_exists == SP_IF_EXISTS_NEWER && f->entry != NULL &&
            st->mtime_ns >= f->entry->mtime_ns))
        return sp_fail(e, SP_EXISTS, SP_DOM_DESTINATION,
            "what is in the place of the folder %.200s is to be kept", f->name);
    if (r->o->dry_run)
        return SP_OK;
    return sp_target_remove(f->up->dir, f->name, false, e);
}

/* Below the target, in a folder that is there. */
static enum sp_code
make_in(struct folder *f, struct sp_err *e)
{
    struct sp_target_stat st;
    bool is_new;
    enum sp_code rc;

    /* Where nothing is known of a folder its name is taken as it is. */
    if ((rc = sp_target_name_check(f->up->dir, f->name, f->name_len,
             f->entry != NULL ? f->entry->flags : SP_ENTRY_WINDOWS, e)) != SP_OK)
        return rc;
    if ((rc = folder_claim(f->up, f->name, f->name_len, &is_new, e)) != SP_OK)
        return rc;
    if (!is_new)
        return sp_fail(e, SP_EXISTS, SP_DOM_DESTINATION,
            "another object whose name differs in case only was restored to its place");
    rc = SP_ABSENT;
    if (f->r->strip > 0 || !sp_target_dir_is_new(f->up->dir))
        rc = sp_target_look(f->up->dir, f->name, &st, e);
    if (rc == SP_OK && st.type == SP_ENTRY_DIR)
        return enter(f, &st, e);
    if (rc == SP_OK)
        rc = replace(f, &st, e);
    if (rc != SP_OK && rc != SP_ABSENT)
        return rc;
    f->apply = f->entry != NULL;
    if (f->r->o->dry_run) {
        if (f->taken)
            folder_would(f, rc == SP_ABSENT ? "make" : "replace");
        return SP_OK;
    }
    return sp_target_dir_make(f->up->dir, f->name, f->entry, &f->dir, e);
}

/* The target itself stands for this folder. It is somebody's own folder, unless we made it. */
static enum sp_code
make_top(struct folder *f, struct sp_err *e)
{
    struct restore *r = f->r;

    f->dir = sp_target_dir_hold(sp_target_root(r->target));
    if (f->depth < r->strip)
        return SP_OK;
    f->apply = f->entry != NULL &&
               (sp_target_made(r->target) || (f->taken && r->o->if_exists == SP_IF_EXISTS_REPLACE));
    if (f->taken && !f->apply)
        restore_kept(r);
    return r->o->dry_run ? SP_OK : sp_target_dir_open_up(f->dir, e);
}

static enum sp_code
make_one(struct folder *f, struct sp_err *e)
{
    struct restore *r = f->r;
    struct sp_err why = {0};
    enum sp_code rc;

    f->tried = true;
    /* With components left out, what comes from different folders meets here: in order. */
    if (r->strip > 0 && f->depth == r->strip && (rc = plan_drain(r, e)) != SP_OK)
        return rc;
    if (f->up != NULL && f->up->refused != NULL) {
        refuse(f, f->up->refused);
        return SP_OK;
    }
    if (f->up == NULL || f->depth <= r->strip) {
        rc = r->target != NULL ? make_top(f, &why) : SP_OK;
    } else if (f->up->dir == NULL) { /* a dry run, and there is nothing yet */
        if (f->taken)
            folder_would(f, "make");
        f->apply = f->entry != NULL;
        rc = SP_OK;
    } else {
        rc = make_in(f, &why);
    }
    if (r->o->dry_run && rc == SP_OK && f->taken && f->apply)
        restore_count(r, f->entry, false);
    if (rc == SP_OK)
        return SP_OK;
    if (restore_is_fatal(&why)) {
        *e = why;
        folder_err_at(f, e);
        return rc;
    }
    refuse(f, &why);
    return SP_OK;
}

enum sp_code
folder_make(struct folder *f, struct sp_err *e)
{
    struct folder *at = f;
    enum sp_code rc = SP_OK;

    while (!at->tried && at->up != NULL) {
        at->up->below = at;
        at = at->up;
    }
    for (;;) {
        if (!at->tried)
            rc = make_one(at, e);
        if (rc != SP_OK || at == f)
            return rc;
        at = at->below;
    }
}
