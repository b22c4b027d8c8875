/* The walk: see source.h. A stack of folders; the names of each come sorted from listing_posix.c,
 * and one statx for each makes an item. Above the roots the folders are not listed: their frames
 * hold the range of roots below them.
 *
 * Not entered, beside what one_file_system says, are file systems that the kernel makes up (proc,
 * sysfs, cgroups…): they hold nothing that could be restored and much that never ends. A root in
 * one is walked. */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/filter.h"
#include "client/source_posix.h"
#include "client/stat_posix.h"

#define TRIES 4 /* at an object that is replaced while it is looked at */

/* What is looked at, and why it should be there. */
enum ground { IMPLIED, ROOT, FOUND };
struct target {
    enum ground ground;
    size_t first, end;  /* IMPLIED: the roots below it */
    const char *name;   /* FOUND: in the folder of the top frame */
    unsigned char type; /* FOUND: DT_* */
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
    if (top != NULL && top->folder.fd >= 0) {
        sp_dir_unuse(top->folder.dir);
        top->folder.fd = -1;
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
    *ret = (struct target){.ground = start + len == root->n ? ROOT : IMPLIED,
        .first = f->first,
        .name = NULL,
        .type = DT_UNKNOWN};
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

    if ((rc = sp_item_new(s->key.data, s->key.len, NULL, "", &it, e)) != SP_OK)
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
    if (f->folder.fd < 0 && (rc = sp_dir_use(f->folder.dir, &f->folder.fd, &why)) != SP_OK) {
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
    *ret = (struct target){.ground = FOUND, .name = found.name, .type = found.type};
    return SP_OK;
}

/* --- one object ----------------------------------------------------------------------------------
 */

static bool
excluded(struct sp_source *s, bool is_dir)
{
    if (s->filter == NULL || !sp_filter_excludes(s->filter, s->key.data, s->key.len, is_dir))
        return false;
    s->counts.excluded++;
    return true;
}

/* Where the object is, and what is there. SP_ABSENT when nothing is. */
static enum sp_code
find(struct sp_source *s, const struct target *t, bool live, struct sp_place *at, struct statx *st,
    struct sp_err *e)
{
    const char *key = (const char *)s->key.data;
    struct sp_source_frame *top = s->nframes > 0 ? &s->frames[s->nframes - 1] : NULL;
    int fd;
    enum sp_code rc;

    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what was found is in a folder
    if (t->ground == FOUND && !sp_views_switch(s->views, top->folder.dir, key, s->key.len)) {
        *at = (struct sp_place){sp_dir_hold(top->folder.dir), t->name};
        if (sp_source_stat(top->folder.fd, t->name, st) == 0)
            return SP_OK;
        return sp_fail_os(e, sp_source_domain(errno), errno, "cannot be looked at");
    }
    rc = live ? sp_views_find_live(s->views, key, s->key.len, at, e)
              : sp_views_find(s->views, key, s->key.len, at, e);
    if (rc != SP_OK || (rc = sp_dir_use(at->dir, &fd, e)) != SP_OK)
        return rc;
    if (sp_source_stat(fd, at->name, st) != 0)
        rc = sp_fail_os(e, sp_source_domain(errno), errno, "cannot be looked at");
    sp_dir_unuse(at->dir);
    return rc;
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
    if (t->ground == FOUND && !mounted && why->code == SP_ABSENT)
        return SP_OK; /* it went away since the folder was listed */
    if (t->ground == FOUND && t->type == DT_UNKNOWN && (excluded(s, false) || excluded(s, true)))
        return SP_OK;
    return fault_item(s, s->key.len,
        why->code == SP_ABSENT ? SP_FAULT_VANISHED : SP_FAULT_UNREADABLE, why->text, ret, e);
}

/* A mount point that stays an empty folder. */
static bool
crossing(
    struct sp_source *s, const struct target *t, const struct sp_place *at, const struct statx *st)
{
    enum sp_view_here here = sp_views_here(s->views, s->key.data, s->key.len);
    const struct sp_folder *top;

    if (t->ground != FOUND || here != SP_VIEW_NONE)
        return t->ground == FOUND && here == SP_VIEW_SKIPPED;
    top = &s->frames[s->nframes - 1].folder;
    if (sp_stat_device(st) == sp_dir_device(top->dir))
        return false;
    return s->one_file_system || sp_folder_made_up(top->fd, at->name);
}

/* What comes of a folder beside its item: the frame that is walked next. */
static enum sp_code
open_frame(struct sp_source *s, const struct target *t, const struct sp_place *at,
    const struct statx *st, struct sp_item *it, struct sp_err *e)
{
    struct sp_source_frame f = {.folder.fd = -1, .key_len = s->key.len};
    uint64_t left_out = 0;
    enum sp_code rc;

    if (t->ground == IMPLIED) {
        f.first = t->first;
        f.end = t->end;
        return push(s, &f, e);
    }
    if (crossing(s, t, at, st)) {
        s->counts.crossed++;
        return SP_OK;
    }
    rc = sp_folder_enter(&s->folders, at, st, it, &f.folder, &left_out, e);
    if (rc != SP_OK || f.folder.list == NULL)
        return rc;
    s->counts.excluded += left_out;
    if ((rc = push(s, &f, e)) != SP_OK)
        sp_folder_leave(&f.folder);
    return rc;
}

/* SP_CHANGED: it was replaced between two looks. SP_ABSENT: it went away between them. */
static enum sp_code
make_item(struct sp_source *s, const struct target *t, const struct sp_place *at,
    const struct statx *st, struct sp_item **ret, struct sp_err *e)
{
    struct sp_item *it;
    enum sp_code rc;

    if ((rc = sp_item_new(s->key.data, s->key.len, at->dir, at->name, &it, e)) != SP_OK)
        return rc;
    sp_stat_fill(it->entry, st);
    sp_stat_recheck(it->entry, sp_dir_kind(at->dir)->instant_ns);
    if (t->ground == IMPLIED)
        it->entry->flags |= SP_ENTRY_IMPLIED;
    if ((rc = device_ordinal(s, sp_stat_device(st), &it->entry->device, e)) == SP_OK) {
        if (it->entry->type == 0)
            rc = sp_item_set_fault(it, s->key.data, s->key.len, SP_FAULT_UNREADABLE,
                "is of a kind that this program does not know", e);
        else if (it->entry->type == SP_ENTRY_DIR)
            rc = open_frame(s, t, at, st, it, e);
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

    if (t->ground == FOUND && t->type != DT_UNKNOWN && excluded(s, t->type == DT_DIR))
        return SP_OK;
    for (int tries = 0; tries < TRIES; tries++) {
        struct sp_place at = {0};
        struct statx st;

        rc = find(s, t, false, &at, &st, &why);
        /* A mount point may be missing in the shadow that lies below it. */
        if (rc == SP_ABSENT && t->ground == IMPLIED) {
            sp_dir_release(at.dir);
            at.dir = NULL;
            rc = find(s, t, true, &at, &st, &why);
        }
        if (rc == SP_OK && t->ground == FOUND && t->type == DT_UNKNOWN &&
            excluded(s, S_ISDIR(st.stx_mode))) {
            sp_dir_release(at.dir);
            return SP_OK;
        }
        if (rc == SP_OK)
            rc = make_item(s, t, &at, &st, ret, &why);
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
