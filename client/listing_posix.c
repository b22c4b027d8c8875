/* Reading the names of a folder by getdents64: see listing.h. */

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/listing.h"

static enum sp_entry_type
type_of(unsigned char type)
{
    switch (type) {
    case DT_REG:
        return SP_ENTRY_FILE;
    case DT_DIR:
        return SP_ENTRY_DIR;
    case DT_LNK:
        return SP_ENTRY_LINK;
    case DT_CHR:
        return SP_ENTRY_CHAR;
    case DT_BLK:
        return SP_ENTRY_BLOCK;
    case DT_FIFO:
        return SP_ENTRY_FIFO;
    case DT_SOCK:
        return SP_ENTRY_SOCKET;
    default:
        return (enum sp_entry_type)0;
    }
}

static void
broke_off(struct sp_listing *l, int why)
{
    struct sp_err e = {0};

    (void)sp_fail_os(&e, SP_DOM_SOURCE, why, "the folder cannot be listed to its end");
    sp_listing_broke_off(l, &e);
}

static enum sp_code
read_names(struct sp_listing *l, int fd, void *buffer, struct sp_err *e)
{
    char *block = buffer;
    enum sp_code rc;

    if (lseek(fd, 0, SEEK_SET) < 0) {
        broke_off(l, errno);
        return SP_OK;
    }
    for (;;) {
        ssize_t got = getdents64(fd, block, SP_LISTING_BUFFER);

        if (got < 0 && errno == EINTR)
            continue;
        /* A folder that was removed while it was read has no more names. */
        if (got < 0 && errno == ENOENT)
            return SP_OK;
        if (got < 0)
            broke_off(l, errno);
        if (got <= 0)
            return SP_OK;
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(block + at);
            const char *name = d->d_name;

            at += d->d_reclen;
            if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
                continue;
            /* The kernel refuses these since 5.6; before, a broken FUSE server could lead out of
             * its folder with them. */
            if (*name == '\0' || strchr(name, '/') != NULL) {
                broke_off(l, EIO);
                continue;
            }
            rc = sp_listing_add(l, name, strlen(name), type_of(d->d_type), NULL, 0, e);
            if (rc != SP_OK)
                return rc;
        }
    }
}

enum sp_code
sp_listing_read(const struct sp_env *env, const char *temp_dir, struct sp_source_host *host,
    union sp_dir_at at, void *buffer, struct sp_listing **ret, struct sp_err *e)
{
    struct sp_listing *l = NULL;
    enum sp_code rc;

    (void)host;
    if ((rc = sp_listing_new(env, temp_dir, &l, e)) != SP_OK ||
        (rc = read_names(l, at.fd, buffer, e)) != SP_OK || (rc = sp_listing_sort(l, e)) != SP_OK)
        goto out;
    *ret = l;
    l = NULL;
out:
    sp_listing_free(l);
    return rc;
}
