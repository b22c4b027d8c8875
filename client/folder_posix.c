/* Listing a folder of the walk, and its CACHEDIR.TAG: see folder.h. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/dir_posix.h"
#include "client/folder.h"
#include "client/stat_posix.h"

/* The handle of a volume's root may be one that only finds, and its place in the listing is not
 * ours. */
enum sp_code
sp_folder_os_list(const struct sp_folder_options *o, struct sp_source_host *host,
    union sp_dir_at at, bool root, struct sp_listing **ret, struct sp_err *e)
{
    union sp_dir_at own = at;
    enum sp_code rc;

    if (root && (own.fd = sp_source_openat(at.fd, ".", O_RDONLY | O_DIRECTORY)) < 0)
        return sp_fail_os(e, sp_source_domain(errno), errno, "the folder cannot be opened");
    rc = sp_listing_read(o->env, o->temp_dir, host, own, o->buffer, ret, e);
    if (root)
        (void)close(own.fd);
    return rc;
}

/* https://bford.info/cachedir/: the file has to begin with this. */
bool
sp_folder_os_is_cache_tag(
    struct sp_source_host *host, union sp_dir_at dir, const struct sp_listed *tag)
{
    static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";
    char found[sizeof signature - 1];
    struct statx st;
    int fd = sp_source_openat(dir.fd, "CACHEDIR.TAG", O_RDONLY | O_NONBLOCK);
    bool is;

    (void)host;
    (void)tag;
    if (fd < 0)
        return false;
    is = sp_source_stat(fd, "", &st) == 0 && sp_stat_type(&st) == SP_ENTRY_FILE &&
         pread(fd, found, sizeof found, 0) == (ssize_t)sizeof found &&
         memcmp(found, signature, sizeof found) == 0;
    (void)close(fd);
    return is;
}
