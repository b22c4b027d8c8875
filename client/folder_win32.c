/* Listing a folder of the walk, and its CACHEDIR.TAG: see folder.h. */

#include <string.h>

#include "client/folder.h"
#include "client/known_win32.h"
#include "client/look_win32.h"

/* The handle of a volume's root may be one that only finds. */
enum sp_code
sp_folder_os_list(const struct sp_folder_options *o, struct sp_source_host *host,
    union sp_dir_at at, bool root, struct sp_listing **ret, struct sp_err *e)
{
    union sp_dir_at own = at;
    enum sp_code rc;

    if (root) {
        rc = host->t->open_at(host->t->self, at.ntfs, "", NTFS_FOLDER, NTFS_LIST, &own.ntfs, e);
        if (rc != SP_OK)
            return sp_look_blame(e, "the folder cannot be opened");
    }
    rc = sp_listing_read(o->env, o->temp_dir, host, own, o->buffer, ret, e);
    if (root)
        sp_dir_os_close(host, own);
    return rc;
}

/* The file has to begin with this. A placeholder is not fetched to see. */
bool
sp_folder_os_is_cache_tag(
    struct sp_source_host *host, union sp_dir_at dir, const struct sp_listed *tag)
{
    static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";
    const struct sp_ntfs *t = host->t;
    struct sp_ntfs_handle *read = NULL;
    struct sp_ntfs_info i;
    struct sp_err ignored = {0};
    char found[sizeof signature - 1], short_name[SP_KNOWN_SHORT_MOST];
    size_t n = 0;
    bool is;

    sp_known_decode(tag, &i, short_name);
    if ((i.attributes & (NTFS_MUST_NOT_READ | NTFS_REPARSE)) != 0)
        return false;
    is = t->open_at(t->self, dir.ntfs, tag->name, NTFS_FILE, NTFS_READ, &read, &ignored) == SP_OK &&
         t->read(t->self, read, 0, found, sizeof found, &n, &ignored) == SP_OK &&
         n == sizeof found && memcmp(found, signature, sizeof found) == 0;
    sp_look_close(host, read);
    return is;
}
