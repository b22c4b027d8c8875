/* The walk: see source.h. A stack of folders; the names of each come sorted from listing.c, and
 * one look at each (found.h) makes an item. Above the roots the folders are not listed: their
 * frames hold the range of roots below them.
 *
 * Not entered, beside what one_file_system says, are file systems that the kernel makes up (proc,
 * sysfs, cgroups…): they hold nothing that could be restored and much that never ends. A root in
 * one is walked. */

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/filter.h"
#include "client/source_impl.h"

#define TRIES 4 /* at an object that is replaced while it is looked at */

/* What is looked at, and why it should be there. */
enum ground { IMPLIED, ROOT, FOUND };
struct target {
    enum ground ground;
    size_t first, end;       /* IMPLIED: the roots below it */
    struct sp_listed listed; /* FOUND: in the folder of the top frame */
};

static enum sp_code
device_ordinal(struct sp_source *s, uint64_t device, uint32_t *ret, struct sp_err *e)
{
    size_t i = s->last_device;

    if (i >= s->ndevices || s->devices[i] != device)
        for (i = 0; i < s->ndevices && s->devices[i] != device;)
            i++;
    if (i == s->devices_cap) {
        size_t cap = s->devices_cap == 0 ? 16 : 2 * s->devices_cap;
        uint64_t *more = realloc(s->devices, cap * sizeof *more);

        if (more == NULL)
            return sp_fail_nomem(e);
        s->devices = more;
        s->devices_cap = cap;
    }
    if (i == s->ndevices)
        s->devices[s->ndevices++] = device;
    s->last_device = i;
    *ret = (uint32_t)(i + 1);
    return SP_OK;
}

/* --- the stack -----------------------------------------------------------------------------------
 */

/* Only the folder on top is in use. */
static enum sp_code
push(struct sp_source *s, const struct sp_source_frame *f, struct sp_err *e)
{
    struct sp_source_frame *top;

    if (s->nframes == s->frames_cap) {
        size_t cap = s->frames_cap == 0 ? 64 : 2 * s->frames_cap;
        struct sp_source_frame *more = realloc(s->frames, cap * sizeof *more);

        if (more == NULL)
            return sp_fail_nomem(e);
        s->frames = more;
        s->frames_cap = cap;
    }
    top = s->nframes > 0 ? &s->frames[s->nframes - 1] : NULL;
    if (top != NULL && top->folder.open) {
        sp_dir_unuse(top->folder.dir);
        top->folder.open = false;
    }
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): room was made
    s->frames[s->nframes++] = *f;
    return SP_OK;
}

static void
pop(struct sp_source *s)
{
    sp_folder_leave(&s->frames[--s->nframes].folder);
}

/* The next root below a folder, or the folder that leads to the next ones. */
static enum sp_code
next_root(struct sp_source *s, struct target *ret, bool *ret_more, struct sp_err *e)
{
    struct sp_source_frame *f = &s->frames[s->nframes - 1];
    const struct sp_bytes *root = &s->roots[f->first];
    size_t start = f->key_len > 0 ? f->key_len + 1 : 0, len;
    enum sp_code rc;

    if (f->first == f->end) {
        pop(s);
        *ret_more = false;
        return SP_OK;
    }
    len = strnlen((const char *)root->p + start, root->n - start);
    if ((rc = sp_source_set_key(s, f->key_len, root->p + start, len, e)) != SP_OK)
        return rc;
    *ret = (struct target){.ground = start + len == root->n ? ROOT : IMPLIED, .first = f->first};
    while (f->first < f->end &&
           sp_key_within(s->key.data, s->key.len, s->roots[f->first].p, s->roots[f->first].n))
        f->first++;
    ret->end = f->first;
    *ret_more = true;
    return SP_OK;
}

static enum sp_code
fault_item(struct sp_source *s, size_t about, enum sp_fault_kind kind, const char *text,
    struct sp_item **ret, struct sp_err *e)
{
    struct sp_item *it;
    enum sp_code rc;

    if ((rc = sp_item_new(s->key.data, s->key.len, NULL, NULL, "", &it, e)) != SP_OK)
        return rc;
    if ((rc = sp_item_set_fault(it, s->key.data, about, kind, text, e)) != SP_OK) {
        sp_item_free(it);
        return rc;
    }
    *ret = it;
    return SP_OK;
}

/* The next name in the folder on top. When that folder cannot be opened again, *ret is the fault of
 * it: in the place of its next name, because the items keep their order; what was left of it is not
 * walked. */
static enum sp_code
next_name(struct sp_source *s, struct target *ret, bool *ret_more, struct sp_item **ret_item,
    struct sp_err *e)
{
    struct sp_source_frame *f = &s->frames[s->nframes - 1];
    struct sp_listed found;
    struct sp_err why = {0};
    enum sp_code rc;

    if ((rc = sp_listing_next(f->folder.list, &found, ret_more, e)) != SP_OK)
        return rc;
    if (!*ret_more) {
        pop(s);
        return SP_OK;
    }
    if ((rc = sp_source_set_key(s, f->key_len, found.name, found.len, e)) != SP_OK)
        return rc;
    rc = f->folder.open ? SP_OK : sp_dir_use(f->folder.dir, &f->folder.at, &why);
    if (rc != SP_OK) {
        size_t about = f->key_len;

        if (rc != SP_ABSENT && !sp_folder_fault(&why)) {
            *e = why;
            return rc;
        }
        pop(s);
        *ret_more = false;
        if (rc == SP_ABSENT) /* it was removed: so is what was in it */
            return SP_OK;
        sp_err_context(&why, "not walked to its end");
        return fault_item(s, about, SP_FAULT_FOLDER, why.text, ret_item, e);
    }
    f->folder.open = true;
    *ret = (struct target){.ground = FOUND, .listed = found};
    return SP_OK;
}

/* --- one object ----------------------------------------------------------------------------------
 */

static void
tell_left_out(const struct sp_source *s, bool is_dir)
{
    if (s->left_out != NULL)
        s->left_out(s->left_out_arg, s->key.data, s->key.len, is_dir);
}

static bool
excluded(struct sp_source *s, bool is_dir)
{
    if (s->filter == NULL || !sp_filter_excludes(s->filter, s->key.data, s->key.len, is_dir))
        return false;
    s->counts.excluded++;
    tell_left_out(s, is_dir);
    return true;
}

/* Where the object is, and what is there. SP_ABSENT when nothing is. `again`: what the listing said
 * has proved wrong. */
static enum sp_code
find(struct sp_source *s, const struct target *t, bool live, bool again, struct sp_place *at,
    struct sp_found *found, struct sp_err *e)
{
    const char *key = (const char *)s->key.data;
    struct sp_source_frame *top = s->nframes > 0 ? &s->frames[s->nframes - 1] : NULL;
    struct sp_found_how how = {.views = s->views,
        .host = sp_dirs_host(s->dirs),
        .key = s->key.data,
        .key_len = s->key.len,
        .again = again,
        .one_file_system = s->one_file_system};
    enum sp_code rc;

    if (t->ground == FOUND) {
        how.open = &top->folder.at;
        how.listed = &t->listed;
    }
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what was found is in a folder
    if (t->ground == FOUND && !sp_views_switch(s->views, top->folder.dir, key, s->key.len)) {
        *at = (struct sp_place){sp_dir_hold(top->folder.dir), t->listed.name};
        return sp_found_look(&how, at, found, e);
    }
    how.elsewhere = t->ground == FOUND;
    rc = live ? sp_views_find_live(s->views, key, s->key.len, at, e)
              : sp_views_find(s->views, key, s->key.len, at, e);
    return rc == SP_OK ? sp_found_look(&how, at, found, e) : rc;
}

/* There nothing goes away: what the folder on top has a name for and cannot be found is damage. */
static bool
in_shadow(const struct sp_source *s)
{
    return sp_dir_kind(s->frames[s->nframes - 1].folder.dir)->shadow;
}

static enum sp_code
not_found(struct sp_source *s, const struct target *t, const struct sp_err *why,
    struct sp_item **ret, struct sp_err *e)
{
    bool mounted = sp_views_here(s->views, s->key.data, s->key.len) == SP_VIEW_MOUNTED;

    if (why->code != SP_ABSENT && !sp_folder_fault(why)) {
        *e = *why;
        return why->code;
    }
    if (t->ground == FOUND && !mounted && why->code == SP_ABSENT && !in_shadow(s))
        return SP_OK; /* it went away since the folder was listed */
    if (t->ground == FOUND && t->listed.type == 0 && (excluded(s, false) || excluded(s, true)))
        return SP_OK;
    return fault_item(s, s->key.len,
        why->code == SP_ABSENT ? SP_FAULT_VANISHED : SP_FAULT_UNREADABLE, why->text, ret, e);
}

/* A volume that is mounted somewhere below itself has no end (Windows lets one do that). */
static bool
goes_round(const struct sp_source *s, const struct sp_found *found)
{
    for (size_t i = 0; i < s->nframes; i++) {
        const struct sp_folder *f = &s->frames[i].folder;

        if (f->list != NULL && sp_dir_known(f->dir)->device == found->device &&
            sp_dir_known(f->dir)->file_id == found->entry.file_id)
            return true;
    }
    return false;
}

/* A mount point that stays an empty folder. */
static bool
crossing(struct sp_source *s, const struct target *t, const struct sp_place *at,
    const struct sp_found *found)
{
    enum sp_view_here here = sp_views_here(s->views, s->key.data, s->key.len);
    const struct sp_folder *top;

    if (t->ground != FOUND)
        return false;
    if (here == SP_VIEW_SKIPPED || found->closed)
        return true;
    top = &s->frames[s->nframes - 1].folder;
    if (found->mounted && goes_round(s, found))
        return true;
    if (here != SP_VIEW_NONE || found->device == sp_dir_known(top->dir)->device)
        return false;
    return s->one_file_system || sp_found_made_up(top->at, at->name);
}

/* What comes of a folder beside its item: the frame that is walked next. */
static enum sp_code
open_frame(struct sp_source *s, const struct target *t, const struct sp_place *at,
    const struct sp_found *found, struct sp_item *it, struct sp_err *e)
{
    const struct sp_dir_known seen = {.device = found->device, .file_id = found->entry.file_id};
    struct sp_source_frame f = {.key_len = s->key.len};
    uint64_t left_out = 0;
    enum sp_code rc;

    if (t->ground == IMPLIED) {
        f.first = t->first;
        f.end = t->end;
        return push(s, &f, e);
    }
    if (crossing(s, t, at, found)) {
        s->counts.crossed++;
        if (s->one_file_system)
            tell_left_out(s, true);
        return SP_OK;
    }
    rc = sp_folder_enter(&s->folders, at, &seen, it, &f.folder, &left_out, e);
    if (rc != SP_OK || f.folder.list == NULL)
        return rc;
    s->counts.excluded += left_out;
    if (left_out > 0)
        tell_left_out(s, true);
    if ((rc = push(s, &f, e)) != SP_OK)
        sp_folder_leave(&f.folder);
    return rc;
}

/* SP_CHANGED: it was replaced between two looks. SP_ABSENT: it went away between them. */
static enum sp_code
make_item(struct sp_source *s, const struct target *t, const struct sp_place *at,
    struct sp_found *found, struct sp_item **ret, struct sp_err *e)
{
    struct sp_item *it;
    enum sp_code rc;

    found->entry.attributes = found->attributes;
    rc = sp_item_new(s->key.data, s->key.len, &found->entry, at->dir, at->name, &it, e);
    if (rc != SP_OK)
        return rc;
    if (at->dir != NULL) {
        sp_item_recheck(it->entry, sp_dir_kind(at->dir)->instant_ns);
        rc = device_ordinal(s, found->device ^ found->apart, &it->entry->device, e);
    }
    if (t->ground == IMPLIED)
        it->entry->flags |= SP_ENTRY_IMPLIED;
    if (rc == SP_OK) {
        if (it->entry->type == 0)
            rc = sp_item_set_fault(it, s->key.data, s->key.len, SP_FAULT_UNREADABLE,
                "is of a kind that this program does not know", e);
        else if (found->why.code != SP_OK)
            rc =
                sp_item_set_fault(it, s->key.data, s->key.len, SP_FAULT_FOLDER, found->why.text, e);
        else if (it->entry->type == SP_ENTRY_DIR)
            rc = open_frame(s, t, at, found, it, e);
        else if (t->ground == IMPLIED)
            rc = sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it is no longer a folder");
    }
    if (rc != SP_OK)
        sp_item_free(it);
    else
        *ret = it;
    return rc;
}

/* *ret stays NULL when there is nothing to tell. */
static enum sp_code
look(struct sp_source *s, const struct target *t, struct sp_item **ret, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    if (t->ground == FOUND && t->listed.type != 0 && excluded(s, t->listed.type == SP_ENTRY_DIR))
        return SP_OK;
    for (int tries = 0; tries < TRIES; tries++) {
        struct sp_place at = {0};
        struct sp_found found = {0};

        rc = find(s, t, false, tries > 0, &at, &found, &why);
        /* A mount point may be missing in the shadow that lies below it. */
        if (rc == SP_ABSENT && t->ground == IMPLIED) {
            sp_dir_release(at.dir);
            at.dir = NULL;
            sp_found_clear(&found);
            rc = find(s, t, true, true, &at, &found, &why);
        }
        if (rc == SP_OK && t->ground == FOUND && t->listed.type == 0 &&
            excluded(s, found.entry.type == SP_ENTRY_DIR)) {
            sp_found_clear(&found);
            sp_dir_release(at.dir);
            return SP_OK;
        }
        if (rc == SP_OK)
            rc = make_item(s, t, &at, &found, ret, &why);
        sp_found_clear(&found);
        sp_dir_release(at.dir);
        if (rc == SP_OK)
            return SP_OK;
        if (rc != SP_CHANGED)
            break;
    }
    return not_found(s, t, &why, ret, e);
}

enum sp_code
sp_source_next(struct sp_source *s, struct sp_item **ret, struct sp_err *e)
{
    struct sp_item *it = NULL;
    struct target t;
    bool more;
    enum sp_code rc;

    do {
        if (!s->begun) {
            t = (struct target){.ground = s->roots[0].n == 0 ? ROOT : IMPLIED, .end = s->nroots};
            if ((rc = sp_source_set_key(s, 0, NULL, 0, e)) != SP_OK)
                return rc;
            s->begun = more = true;
        } else if (s->nframes == 0) {
            break;
        } else if (s->frames[s->nframes - 1].folder.list == NULL) {
            rc = next_root(s, &t, &more, e);
        } else {
            rc = next_name(s, &t, &more, &it, e);
        }
        if (rc == SP_OK && more)
            rc = look(s, &t, &it, e);
        if (rc != SP_OK)
            return rc;
    } while (it == NULL);
    *ret = it;
    return SP_OK;
}
