/* Opening folders on Windows: see dir_os.h. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/look_win32.h"
#include "client/ntfs_here.h"

enum sp_code
sp_source_host_new(const struct sp_env *env, const struct sp_source_options *o,
    struct sp_source_host **ret, struct sp_err *e)
{
    struct sp_source_host *h = calloc(1, sizeof *h);

    if (h == NULL || (o->temp_dir != NULL && (h->temp_dir = strdup(o->temp_dir)) == NULL)) {
        free(h);
        return sp_fail_nomem(e);
    }
    h->t = sp_ntfs_here();
    h->env = *env;
    atomic_init(&h->filtered, 0);
    atomic_init(&h->untouchable, 0);
    atomic_init(&h->closed, 0);
    atomic_init(&h->streams, 0);
    atomic_init(&h->no_sacl, false);
    *ret = h;
    return SP_OK;
}

void
sp_source_host_free(struct sp_source_host *h)
{
    if (h == NULL)
        return;
    free(h->temp_dir);
    free(h);
}

static bool
note(struct sp_buf *to, size_t *i, uint64_t n, const char *sentence)
{
    if (n == 0 || (*i)-- > 0)
        return false;
    sp_buf_printf(to, sentence, n);
    return true;
}

bool
sp_source_host_note(struct sp_source_host *h, size_t i, struct sp_buf *ret)
{
    if (atomic_load(&h->no_sacl) && i-- == 0) {
        sp_buf_put_str(ret,
            "auditing lists (SACL) are not read: the privilege SeSecurityPrivilege is missing (run "
            "as administrator to keep them)");
        return true;
    }
    return note(ret, &i, atomic_load(&h->filtered),
               "%" PRIu64 " files are deduplicated or compressed by the system: they are read "
               "through it and kept as plain files") ||
           note(ret, &i, atomic_load(&h->untouchable),
               "%" PRIu64 " files would be fetched from elsewhere by opening them: only what their "
               "folder says of them is kept") ||
           note(ret, &i, atomic_load(&h->closed),
               "%" PRIu64 " folders have their list of names elsewhere and were not entered") ||
           note(ret, &i, atomic_load(&h->streams),
               "%" PRIu64 " files whose content is elsewhere have alternate streams, which were "
               "not read");
}

/* A folder that only stands for another is never gone into by its name. */
static bool
leads_elsewhere(const struct sp_ntfs_info *i)
{
    return (i->attributes & NTFS_REPARSE) != 0 && NTFS_TAG_IS_SURROGATE(i->reparse_tag);
}

static enum sp_code
open_for(const struct sp_source_host *h, const union sp_dir_at *up, const char *name,
    enum sp_ntfs_access access, union sp_dir_at *ret, struct sp_err *e)
{
    const struct sp_ntfs *t = h->t;

    return up == NULL ? t->open_path(t->self, name, access, &ret->ntfs, e)
                      : t->open_at(t->self, up->ntfs, name, NTFS_FOLDER, access, &ret->ntfs, e);
}

enum sp_code
sp_dir_os_open(struct sp_source_host *h, const union sp_dir_at *up, const char *name,
    enum sp_dir_purpose purpose, union sp_dir_at *ret, struct sp_err *e)
{
    enum sp_code rc;

    rc = open_for(h, up, name, purpose == SP_DIR_SEARCH ? NTFS_LOOK : NTFS_LIST, ret, e);
    if (rc == SP_DENIED && purpose == SP_DIR_EITHER)
        rc = open_for(h, up, name, NTFS_LOOK, ret, e);
    if (rc == SP_CHANGED)
        return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it is no longer a folder");
    return rc == SP_OK ? rc : sp_look_blame(e, "the folder cannot be opened");
}

enum sp_code
sp_dir_os_identify(struct sp_source_host *h, union sp_dir_at at, const struct sp_dir_known *up,
    struct sp_dir_known *ret, struct sp_err *e)
{
    struct sp_ntfs_volume volume = {.flags = up != NULL ? up->traits : 0};
    struct sp_ntfs_info i = {0};
    enum sp_code rc;

    if ((rc = h->t->info(h->t->self, at.ntfs, &i, e)) == SP_OK && up == NULL)
        rc = h->t->volume(h->t->self, at.ntfs, &volume, e);
    if (rc != SP_OK)
        return sp_look_blame(e, "the folder cannot be looked at");
    if ((i.attributes & NTFS_DIRECTORY) == 0)
        return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it is no longer a folder");
    if (leads_elsewhere(&i))
        return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it leads elsewhere (a junction or a link)");
    *ret = (struct sp_dir_known){.device = i.volume, .file_id = i.file_id, .traits = volume.flags};
    return SP_OK;
}

/* A folder was only read: its close tells nothing. */
void
sp_dir_os_close(struct sp_source_host *h, union sp_dir_at at)
{
    sp_look_close(h, at.ntfs);
}
