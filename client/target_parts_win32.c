#include "client/target_impl_win32.h"

#include <stdlib.h>

/* What follows a file's own bytes in its content: streams of more than 64 KiB go into the file as
 * they come. The raw form of EFS waits in a file of its own beside it, as do streams whose list is
 * itself so long that it comes only at the end. */

#define COPY ((size_t)256 << 10)

struct target_parts {
    struct sp_target_dir *d;
    struct sp_ntfs_handle *h; /* the file */
    uint64_t extra;
    struct sp_ntfs_part *parts; /* NULL: not known yet, or none */
    size_t n;
    size_t at;      /* the part that is being written */
    uint64_t begin; /* where it begins */
    struct sp_ntfs_handle *out;
    uint64_t written; /* the end of what was written to it */
    bool waits;       /* everything goes to `wait` */
    struct target_new wait;
};

static bool
is_raw(const struct target_parts *p)
{
    return p->n == 1 && p->parts[0].kind == NTFS_PART_EFS;
}

static enum sp_code
read_list(struct target_parts *p, const struct sp_entry *en, struct sp_err *e)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_STREAMS);

    if (a == NULL || a->external)
        return SP_OK;
    return sp_ntfs_parts_decode(a->value, a->len, p->extra, &p->parts, &p->n, e);
}

/* The parts are what the file becomes, or streams: never both. */
static enum sp_code
check_kinds(const struct target_parts *p, bool away, struct sp_err *e)
{
    for (size_t i = 0; i < p->n; i++)
        if ((p->parts[i].kind == NTFS_PART_EFS) != away || (away && p->n != 1))
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
                "what follows its content in the set is not what its entry says");
    return SP_OK;
}

enum sp_code
target_parts_new(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct target_parts **ret, struct sp_err *e)
{
    bool away = (en->flags & SP_ENTRY_AWAY) != 0;
    struct sp_entry wait = {.type = SP_ENTRY_FILE, .user = "", .group = ""};
    struct target_parts *p;
    enum sp_code rc;

    if (en->extra == 0) {
        *ret = NULL;
        return SP_OK;
    }
    if ((p = calloc(1, sizeof *p)) == NULL)
        return sp_fail_nomem(e);
    p->d = d;
    p->h = h;
    p->extra = en->extra;
    if ((rc = read_list(p, en, e)) != SP_OK || (rc = check_kinds(p, away, e)) != SP_OK)
        goto fail;
    p->waits = away || p->n == 0;
    wait.flags = en->flags & SP_ENTRY_WINDOWS;
    wait.attributes = en->attributes; /* for its rights */
    wait.nattributes = en->nattributes;
    if (p->waits && (rc = target_make(d, &wait, false, &p->wait, e)) != SP_OK)
        goto fail;
    *ret = p;
    return SP_OK;
fail:
    target_parts_free(p);
    return rc;
}

void
target_parts_free(struct target_parts *p)
{
    if (p == NULL)
        return;
    target_close(p->d->t, p->out);
    if (p->wait.dir != NULL)
        target_make_end(&p->wait, true);
    free(p->parts);
    free(p);
}

/* --- streams
 * ------------------------------------------------------------------------------------------- */

static bool
has_streams(const struct target_parts *p)
{
    return (p->d->flags & NTFS_FS_STREAMS) != 0;
}

static enum sp_code
begin_part(struct target_parts *p, struct sp_err *e)
{
    const struct sp_ntfs *fs = p->d->t->fs;
    enum sp_code rc;

    rc = fs->open_stream(fs->self, p->h, p->parts[p->at].name, NTFS_WRITE, &p->out, e);
    p->written = 0;
    return rc == SP_OK ? SP_OK : target_fail(e, "an alternate stream of it cannot be made");
}

/* As long as it was, also where its end is a hole. */
static enum sp_code
end_part(struct target_parts *p, struct sp_err *e)
{
    const struct sp_ntfs *fs = p->d->t->fs;
    const struct sp_ntfs_part *part = &p->parts[p->at];
    struct sp_ntfs_handle *out;
    enum sp_code rc = SP_OK;

    if (!has_streams(p)) {
        target_unsupported(p->d->t, TARGET_STREAMS);
    } else {
        if (p->out == NULL && (rc = begin_part(p, e)) != SP_OK)
            return rc;
        if (p->written < part->size)
            rc = fs->resize(fs->self, p->out, part->size, e);
        out = p->out;
        p->out = NULL;
        if (rc != SP_OK)
            target_close(p->d->t, out);
        else
            rc = fs->close(fs->self, out, e);
        if (rc != SP_OK)
            return target_fail(e, "an alternate stream of it cannot be stored");
    }
    p->begin += part->size;
    p->at++;
    return SP_OK;
}

static enum sp_code
write_streams(struct target_parts *p, uint64_t at, const uint8_t *from, size_t n, struct sp_err *e)
{
    const struct sp_ntfs *fs = p->d->t->fs;
    enum sp_code rc;

    while (n > 0) {
        const struct sp_ntfs_part *part = &p->parts[p->at];
        size_t some = n;

        if (p->at == p->n || at < p->begin)
            return sp_fail(
                e, SP_INVALID, SP_DOM_DESTINATION, "its streams came in the wrong order");
        if (at - p->begin >= part->size) {
            if ((rc = end_part(p, e)) != SP_OK)
                return rc;
            continue;
        }
        if (some > part->size - (at - p->begin))
            some = (size_t)(part->size - (at - p->begin));
        if (has_streams(p)) {
            if (p->out == NULL && (rc = begin_part(p, e)) != SP_OK)
                return rc;
            if ((rc = fs->write(fs->self, p->out, at - p->begin, from, some, e)) != SP_OK)
                return target_fail(e, "an alternate stream of it cannot be written");
            p->written = at - p->begin + some;
        }
        at += some;
        from += some;
        n -= some;
    }
    return SP_OK;
}

enum sp_code
target_parts_write(
    struct target_parts *p, uint64_t at, const void *from, size_t n, struct sp_err *e)
{
    const struct sp_ntfs *fs;
    enum sp_code rc;

    if (p == NULL || at > p->extra || n > p->extra - at)
        return sp_fail(e, SP_INVALID, SP_DOM_DESTINATION, "it is longer than its entry says");
    if (!p->waits)
        return write_streams(p, at, from, n, e);
    fs = p->d->t->fs;
    if ((rc = fs->write(fs->self, p->wait.h, at, from, n, e)) != SP_OK)
        return target_fail(e, "what is to be imported cannot be written beside it");
    return SP_OK;
}

/* --- the end
 * ------------------------------------------------------------------------------------------- */

static enum sp_code
copy_streams(struct target_parts *p, struct sp_err *e)
{
    const struct sp_ntfs *fs = p->d->t->fs;
    uint8_t *buffer = malloc(COPY);
    uint64_t at = 0;
    size_t got = 1;
    enum sp_code rc = SP_OK;

    if (buffer == NULL)
        return sp_fail_nomem(e);
    while (rc == SP_OK && at < p->extra && got > 0) {
        if ((rc = fs->read(fs->self, p->wait.h, at, buffer, COPY, &got, e)) != SP_OK)
            (void)target_fail(e, "what waited beside it cannot be read");
        else
            rc = write_streams(p, at, buffer, got, e);
        at += got;
    }
    free(buffer);
    return rc;
}

enum sp_code
target_parts_end(
    struct target_parts *p, const struct sp_entry *en, bool *ret_import, struct sp_err *e)
{
    enum sp_code rc;

    *ret_import = false;
    if (p == NULL)
        return SP_OK;
    if (is_raw(p)) {
        *ret_import = true;
        return SP_OK;
    }
    if (p->waits) {
        if ((rc = read_list(p, en, e)) != SP_OK || (rc = check_kinds(p, false, e)) != SP_OK)
            return rc;
        if (p->n == 0)
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
                "the list of its alternate streams is missing from the set");
        if ((rc = copy_streams(p, e)) != SP_OK)
            return rc;
    }
    while (p->at < p->n)
        if ((rc = end_part(p, e)) != SP_OK)
            return rc;
    return SP_OK;
}

struct giving {
    struct target_parts *p;
    uint64_t at;
};

static enum sp_code
give_raw(void *arg, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    struct giving *g = arg;
    const struct sp_ntfs *fs = g->p->d->t->fs;
    uint64_t left = g->p->extra - g->at;
    enum sp_code rc;

    if (left < n)
        n = (size_t)left;
    if (n == 0) {
        *ret_n = 0;
        return SP_OK;
    }
    if ((rc = fs->read(fs->self, g->p->wait.h, g->at, to, n, ret_n, e)) != SP_OK)
        return rc;
    g->at += *ret_n;
    return SP_OK;
}

enum sp_code
target_parts_import(
    struct target_parts *p, struct sp_ntfs_handle *dir, const char *temp, struct sp_err *e)
{
    const struct sp_ntfs *fs = p->d->t->fs;
    struct giving g = {p, 0};
    enum sp_code rc;

    if ((rc = fs->efs_import(fs->self, dir, temp, false, give_raw, &g, e)) == SP_OK)
        return SP_OK;
    if (rc == SP_UNSUPPORTED)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
            "it is encrypted by Windows (EFS), which this volume cannot hold; restore it to an "
            "NTFS "
            "volume of this machine");
    return target_fail(e, "Windows cannot import its encrypted form (EFS)");
}
