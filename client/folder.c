#include "client/folder.h"

#include <string.h>

bool
sp_folder_fault(const struct sp_err *e)
{
    return e->domain == SP_DOM_SOURCE;
}

static enum sp_code
set_fault(struct sp_item *it, const struct sp_err *why, struct sp_err *e)
{
    return sp_item_set_fault(it, it->entry->key, it->entry->key_len, SP_FAULT_FOLDER, why->text, e);
}

/* A volume's root has a handle from before. */
static enum sp_code
open_to_list(const struct sp_place *at, const struct sp_dir_known *seen, struct sp_folder *f,
    struct sp_err *e)
{
    enum sp_code rc;

    if (strcmp(at->name, ".") != 0) {
        if ((rc = sp_dir_open(at->dir, at->name, seen, false, &f->dir, &f->at, e)) != SP_OK)
            return rc;
    } else {
        if ((rc = sp_dir_use(at->dir, &f->at, e)) != SP_OK)
            return rc;
        f->dir = sp_dir_hold(at->dir);
    }
    f->open = true;
    return SP_OK;
}

enum sp_code
sp_folder_enter(const struct sp_folder_options *o, const struct sp_place *at,
    const struct sp_dir_known *seen, struct sp_item *it, struct sp_folder *ret,
    uint64_t *ret_left_out, struct sp_err *e)
{
    struct sp_folder f = {0};
    struct sp_err why = {0};
    uint64_t left_out = 0;
    struct sp_listed tag;
    bool root = strcmp(at->name, ".") == 0;
    enum sp_code rc;

    rc = open_to_list(at, seen, &f, &why);
    if (rc == SP_OK)
        rc = sp_folder_os_list(o, sp_dirs_host(sp_dir_pool(f.dir)), f.at, root, &f.list, &why);
    if (rc != SP_OK) {
        if (rc == SP_ABSENT || rc == SP_CHANGED || !sp_folder_fault(&why))
            *e = why;
        else
            rc = set_fault(it, &why, e);
        goto out;
    }
    if (sp_listing_error(f.list) != NULL &&
        (rc = set_fault(it, sp_listing_error(f.list), e)) != SP_OK)
        goto out;
    if (o->cachedir_tag && sp_listing_has_tag(f.list, &tag) &&
        sp_folder_os_is_cache_tag(sp_dirs_host(sp_dir_pool(f.dir)), f.at, &tag))
        left_out = sp_listing_keep_tag(f.list);
    *ret_left_out = left_out;
    *ret = f;
    f = (struct sp_folder){0};
out:
    sp_folder_leave(&f);
    return rc;
}

void
sp_folder_leave(struct sp_folder *f)
{
    if (f->open)
        sp_dir_unuse(f->dir);
    sp_dir_release(f->dir);
    sp_listing_free(f->list);
    *f = (struct sp_folder){0};
}
