#include "client/look_win32.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/item.h"
#include "client/ntfs_meta.h"

#define REPARSE_MOST ((size_t)16 << 10) /* MAXIMUM_REPARSE_DATA_BUFFER_SIZE */

/* learn.microsoft.com/en-us/windows/win32/debug/system-error-codes */
#define ERROR_TOO_MANY_OPEN_FILES 4
#define ERROR_NO_SYSTEM_RESOURCES 1450
#define ERROR_COMMITMENT_LIMIT 1455
#define ERROR_NOT_ENOUGH_QUOTA 1816

enum sp_code
sp_look_blame(struct sp_err *e, const char *fmt, ...)
{
    char what[300];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    e->domain = e->code == SP_NOMEM || e->os == ERROR_TOO_MANY_OPEN_FILES ||
                        e->os == ERROR_NO_SYSTEM_RESOURCES || e->os == ERROR_COMMITMENT_LIMIT ||
                        e->os == ERROR_NOT_ENOUGH_QUOTA
                    ? SP_DOM_SELF
                    : SP_DOM_SOURCE;
    if (e->code == SP_BUSY)
        sp_err_context(e, "in use by another program (sharing violation)");
    sp_err_context(e, "%s", what);
    return e->code;
}

/* --- what it is ----------------------------------------------------------------------------------
 */

bool
sp_look_untouchable(uint32_t attributes)
{
    return (attributes & NTFS_RECALL_ON_OPEN) != 0;
}

/* OFFLINE alone is a word that anybody may set; with the tag of a storage manager or of a cloud it
 * means what it says: learn.microsoft.com/en-us/windows/win32/fileio/file-attribute-constants. A
 * placeholder that has its content (it has the tag, but none of the three) is read. */
bool
sp_look_away(const struct sp_ntfs_info *i)
{
    bool managed = NTFS_TAG_IS_CLOUD(i->reparse_tag) || i->reparse_tag == NTFS_TAG_HSM ||
                   i->reparse_tag == NTFS_TAG_HSM2;

    return (i->attributes & (NTFS_RECALL_ON_OPEN | NTFS_RECALL_ON_DATA)) != 0 ||
           ((i->attributes & NTFS_OFFLINE) != 0 && managed);
}

enum sp_entry_type
sp_look_type(const struct sp_ntfs_info *i)
{
    if (i->reparse_tag == NTFS_TAG_MOUNT_POINT)
        return (enum sp_entry_type)0;
    if (i->reparse_tag == NTFS_TAG_SYMLINK || i->reparse_tag == NTFS_TAG_LX_SYMLINK)
        return SP_ENTRY_LINK;
    return (i->attributes & NTFS_DIRECTORY) != 0 ? SP_ENTRY_DIR : SP_ENTRY_FILE;
}

void
sp_look_fill(struct sp_entry *en, const struct sp_ntfs_info *i)
{
    enum sp_entry_type type = sp_look_type(i);

    if (type != 0)
        en->type = type;
    en->flags &= ~(uint32_t)SP_ENTRY_AWAY;
    en->flags |= SP_ENTRY_WINDOWS;
    if (en->type == SP_ENTRY_FILE && (sp_look_away(i) || (i->attributes & NTFS_ENCRYPTED) != 0))
        en->flags |= SP_ENTRY_AWAY;
    en->size = en->type == SP_ENTRY_FILE ? i->size : 0;
    en->mtime_ns = sp_ntfs_ns(i->mtime);
    en->ctime_ns = sp_ntfs_ns(i->ctime);
    en->btime_ns = sp_ntfs_ns(i->btime);
    en->atime_ns = sp_ntfs_ns(i->atime);
    en->file_id = i->file_id;
    en->links = en->type == SP_ENTRY_DIR ? 1 : i->links;
}

/* --- reparse points ------------------------------------------------------------------------------
 */

enum sp_code
sp_look_reparse(
    const struct sp_source_host *h, struct sp_ntfs_handle *of, struct sp_buf *ret, struct sp_err *e)
{
    bool more = false;
    enum sp_code rc;

    rc = h->t->control(h->t->self, of, FSCTL_SP_GET_REPARSE, NULL, 0, REPARSE_MOST, ret, &more, e);
    if (rc == SP_OK && (more || !sp_ntfs_reparse_ok(ret->data, ret->len)))
        return sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "the reparse data are malformed");
    return rc;
}

bool
sp_look_is_volume(const struct sp_buf *reparse)
{
    struct sp_buf target = SP_BUF_INIT;
    struct sp_err ignored = {0};
    bool relative = false, volume = false;
    enum sp_code rc;

    rc = sp_ntfs_reparse_target(reparse->data, reparse->len, &target, &relative, &volume, &ignored);
    sp_buf_free(&target);
    return rc == SP_OK && volume;
}

/* --- the object of an item ----------------------------------------------------------------------
 */

static bool
same_type(const struct sp_item *it, const struct sp_ntfs_info *i)
{
    enum sp_entry_type type = sp_look_type(i), was = it->entry->type;

    return type == was || (type == 0 && (was == SP_ENTRY_DIR || was == SP_ENTRY_LINK));
}

enum sp_code
sp_look_open(const struct sp_source_host *h, const struct sp_item *it, struct sp_ntfs_handle **ret,
    struct sp_ntfs_info *ret_info, struct sp_err *e)
{
    const char *name = strcmp(it->name, ".") == 0 ? "" : it->name;
    struct sp_ntfs_handle *of = NULL;
    union sp_dir_at dir;
    enum sp_code rc;

    if ((rc = sp_dir_use(it->dir, &dir, e)) != SP_OK)
        return rc;
    rc = h->t->open_at(h->t->self, dir.ntfs, name, NTFS_ANY, NTFS_LOOK, &of, e);
    sp_dir_unuse(it->dir);
    if (rc == SP_OK)
        rc = h->t->info(h->t->self, of, ret_info, e);
    if (rc != SP_OK) {
        (void)sp_look_blame(e, "it cannot be looked at");
    } else if (!same_type(it, ret_info) && it->entry->file_id != 0 &&
               it->entry->file_id == ret_info->file_id) {
        /* A share that tells the two differently: no reason to take it for gone. */
        rc = sp_fail(e, SP_IO, SP_DOM_SOURCE,
            "it cannot be looked at: its folder lists it as another kind of object than it is");
    } else if (!same_type(it, ret_info)) {
        rc = sp_fail(e, SP_ABSENT, SP_DOM_SOURCE, "it vanished: something else is in its place");
    } else {
        *ret = of;
        of = NULL;
    }
    sp_look_close(h, of);
    return rc;
}

/* Nothing was written: what the close says changes nothing. */
void
sp_look_close(const struct sp_source_host *h, struct sp_ntfs_handle *of)
{
    struct sp_err ignored = {0};

    if (of != NULL)
        (void)h->t->close(h->t->self, of, &ignored);
}
