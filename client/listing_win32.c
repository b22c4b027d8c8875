/* Reading the names of a folder with all that its file system keeps beside them: see listing.h. */

#include <string.h>

#include "client/known_win32.h"
#include "client/look_win32.h"

#define FIXED 64 /* bytes before the short name */

size_t
sp_known_encode(const struct sp_ntfs_listed *l, uint8_t to[SP_LISTING_KNOWN])
{
    const struct sp_ntfs_info *i = &l->info;
    size_t n = strlen(l->short_name);

    if (n >= SP_KNOWN_SHORT_MOST)
        n = 0;
    sp_store_le32(to, i->attributes);
    sp_store_le32(to + 4, i->reparse_tag);
    sp_store_le64(to + 8, (uint64_t)i->btime);
    sp_store_le64(to + 16, (uint64_t)i->atime);
    sp_store_le64(to + 24, (uint64_t)i->mtime);
    sp_store_le64(to + 32, (uint64_t)i->ctime);
    sp_store_le64(to + 40, i->size);
    sp_store_le64(to + 48, i->allocated);
    sp_store_le64(to + 56, i->file_id);
    if (n > 0)
        memcpy(to + FIXED, l->short_name, n);
    return FIXED + n;
}

void
sp_known_decode(
    const struct sp_listed *l, struct sp_ntfs_info *ret, char short_name[SP_KNOWN_SHORT_MOST])
{
    const uint8_t *p = l->known;
    size_t n = l->known_len - FIXED;

    *ret = (struct sp_ntfs_info){.attributes = sp_le32(p),
        .reparse_tag = sp_le32(p + 4),
        .btime = (int64_t)sp_le64(p + 8),
        .atime = (int64_t)sp_le64(p + 16),
        .mtime = (int64_t)sp_le64(p + 24),
        .ctime = (int64_t)sp_le64(p + 32),
        .size = sp_le64(p + 40),
        .allocated = sp_le64(p + 48),
        .file_id = sp_le64(p + 56)};
    if (n > 0)
        memcpy(short_name, p + FIXED, n);
    short_name[n] = '\0';
}

struct reading {
    struct sp_listing *l;
    bool ours; /* it was not the file system that failed */
};

/* What no file can be called would lead out of the folder: a broken or hostile server gave it. */
static bool
is_name(const char *name, size_t n)
{
    if (n == 0 || (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.'))))
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] == '/' || name[i] == '\\' || name[i] == ':' || name[i] == '\0')
            return false;
    return true;
}

static enum sp_code
take(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct reading *r = arg;
    uint8_t known[SP_LISTING_KNOWN];
    struct sp_err why = {0};
    enum sp_code rc;

    if (!is_name(l->name, l->name_len)) {
        (void)sp_fail(&why, SP_IO, SP_DOM_SOURCE,
            "the folder cannot be listed to its end: it has a name that no file can have");
        sp_listing_broke_off(r->l, &why);
        return SP_OK;
    }
    rc = sp_listing_add(
        r->l, l->name, l->name_len, sp_look_type(&l->info), known, sp_known_encode(l, known), e);
    r->ours = rc != SP_OK;
    return rc;
}

/* Only what the handle itself no longer knows: a share that answers so by mistake has names left.
 */
static bool
is_gone(struct sp_source_host *host, union sp_dir_at at)
{
    struct sp_ntfs_info info;
    struct sp_err ignored = {0};

    return host->t->info(host->t->self, at.ntfs, &info, &ignored) == SP_ABSENT;
}

enum sp_code
sp_listing_read(const struct sp_env *env, const char *temp_dir, struct sp_source_host *host,
    union sp_dir_at at, void *buffer, struct sp_listing **ret, struct sp_err *e)
{
    struct reading r = {0};
    struct sp_err why = {0};
    enum sp_code rc;

    (void)buffer;
    if ((rc = sp_listing_new(env, temp_dir, &r.l, e)) != SP_OK)
        return rc;
    rc = host->t->list(host->t->self, at.ntfs, take, &r, &why);
    if (rc == SP_ABSENT && !r.ours && is_gone(host, at)) {
        rc = SP_OK; /* it was removed while it was read, and has no more names */
    } else if (rc != SP_OK) {
        if (!r.ours)
            (void)sp_look_blame(&why, "the folder cannot be listed to its end");
        if (r.ours || why.domain == SP_DOM_SELF) {
            *e = why;
            goto out;
        }
        sp_listing_broke_off(r.l, &why);
    }
    if ((rc = sp_listing_sort(r.l, e)) != SP_OK)
        goto out;
    *ret = r.l;
    r.l = NULL;
out:
    sp_listing_free(r.l);
    return rc;
}
