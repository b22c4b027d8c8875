#include "client/target_impl_win32.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"

/* Alternate streams of up to 64 KiB, and extended attributes. */

#define PREFIX_LEN (sizeof WINDOWS_STREAM - 1)

static const char *
stream_of(const struct sp_attribute *a)
{
    return strncmp(a->name, WINDOWS_STREAM, PREFIX_LEN) == 0 ? a->name + PREFIX_LEN : NULL;
}

/* --- setting
 * ------------------------------------------------------------------------------------------- */

static enum sp_code
set_one(struct sp_target *t, struct sp_ntfs_handle *h, const char *name,
    const struct sp_attribute *a, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    struct sp_ntfs_handle *out = NULL;
    enum sp_code rc;

    if ((rc = fs->open_stream(fs->self, h, name, NTFS_WRITE, &out, e)) != SP_OK)
        return rc;
    if (a->len > 0 && (rc = fs->write(fs->self, out, 0, a->value, a->len, e)) != SP_OK) {
        target_discard(t, out);
        return rc;
    }
    return fs->close(fs->self, out, e);
}

static enum sp_code
remove_one(struct sp_target *t, struct sp_ntfs_handle *h, const char *name, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    struct sp_ntfs_handle *out = NULL;
    enum sp_code rc;

    if ((rc = fs->open_stream(fs->self, h, name, NTFS_CHANGE, &out, e)) != SP_OK)
        return rc == SP_ABSENT ? SP_OK : rc;
    if ((rc = fs->remove(fs->self, out, e)) != SP_OK) {
        target_close(t, out);
        return rc;
    }
    return fs->close(fs->self, out, e);
}

static bool
holds(struct sp_target *t, struct sp_ntfs_handle *h, const char *name, const struct sp_attribute *a)
{
    const struct sp_ntfs *fs = t->fs;
    struct sp_ntfs_handle *in = NULL;
    struct sp_err ignored = {0};
    uint8_t *p = malloc(a->len + 1);
    size_t got = 0;
    bool same = false;

    if (p != NULL && fs->open_stream(fs->self, h, name, NTFS_READ, &in, &ignored) == SP_OK) {
        same = fs->read(fs->self, in, 0, p, a->len + 1, &got, &ignored) == SP_OK && got == a->len &&
               (got == 0 || memcmp(p, a->value, got) == 0);
        target_close(t, in);
    }
    free(p);
    return same;
}

struct there { /* the names that exist, each with a NUL behind it */
    struct sp_buf names;
};

static enum sp_code
take_name(
    void *arg, const char *name, size_t n, uint64_t size, uint64_t allocated, struct sp_err *e)
{
    struct there *l = arg;

    (void)size;
    (void)allocated;
    sp_buf_put(&l->names, name, n);
    sp_buf_put_u8(&l->names, 0);
    return sp_buf_ok(&l->names, e);
}

/* Streams fold case as files do. What exists is never kept for an entry with longer streams. */
static bool
is_wanted(const struct sp_entry *en, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < en->nattributes; i++) {
        const char *other = stream_of(&en->attributes[i]);

        if (other != NULL && sp_fold_equal(other, strlen(other), name, len))
            return true;
    }
    return false;
}

static enum sp_code
list_there(struct sp_target *t, struct sp_ntfs_handle *h, struct there *l, struct sp_err *e)
{
    enum sp_code rc = t->fs->streams(t->fs->self, h, take_name, l, e);

    return rc == SP_UNSUPPORTED ? SP_OK : rc;
}

/* What a file that existed has and its entry has not. */
static enum sp_code
remove_strange(
    struct sp_target *t, struct sp_ntfs_handle *h, const struct sp_entry *en, struct sp_err *e)
{
    struct there l = {SP_BUF_INIT};
    enum sp_code rc = list_there(t, h, &l, e);

    for (size_t at = 0; rc == SP_OK && at < l.names.len;) {
        const char *name = (const char *)l.names.data + at;

        if (!is_wanted(en, name))
            rc = remove_one(t, h, name, e);
        at += strlen(name) + 1;
    }
    sp_buf_free(&l.names);
    return rc;
}

void
target_streams_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    bool is_new, struct sp_err *flaw)
{
    struct sp_err why = {0};
    bool can = (d->flags & NTFS_FS_STREAMS) != 0;
    enum sp_code rc = SP_OK;

    if (can && !is_new)
        rc = remove_strange(d->t, h, en, &why);
    for (size_t i = 0; i < en->nattributes && rc == SP_OK; i++) {
        const struct sp_attribute *a = &en->attributes[i];
        const char *name = stream_of(a);

        if (name == NULL)
            continue;
        if (!can) {
            target_unsupported(d->t, TARGET_STREAMS);
            continue;
        }
        if (!is_new && holds(d->t, h, name, a))
            continue;
        if (!is_new)
            rc = remove_one(d->t, h, name, &why);
        if (rc == SP_OK)
            rc = set_one(d->t, h, name, a, &why);
    }
    if (rc != SP_OK) {
        (void)target_fail(&why, "an alternate stream of it cannot be set");
        target_flaw(flaw, &why);
    }
}

enum sp_code
target_streams_differ(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    bool *ret, struct sp_err *e)
{
    struct there l = {SP_BUF_INIT};
    size_t there = 0, wanted = 0;
    enum sp_code rc = SP_OK;

    *ret = false;
    if ((d->flags & NTFS_FS_STREAMS) == 0)
        return SP_OK;
    if ((rc = list_there(d->t, h, &l, e)) != SP_OK) {
        sp_buf_free(&l.names);
        return target_fail(e, "its alternate streams cannot be listed");
    }
    for (size_t i = 0; i < l.names.len; i++)
        there += l.names.data[i] == 0;
    sp_buf_free(&l.names);
    for (size_t i = 0; i < en->nattributes && !*ret; i++) {
        const char *name = stream_of(&en->attributes[i]);

        if (name == NULL)
            continue;
        wanted++;
        *ret = !holds(d->t, h, name, &en->attributes[i]);
    }
    *ret = *ret || there != wanted;
    return SP_OK;
}

/* --- extended attributes
 * ------------------------------------------------------------------------------- */

#define EA_HEAD 8 /* next, flags, length of name, length of value */

/* One of the list at p; NULL at its end. The list was found well-formed. */
static const uint8_t *
ea_next(const uint8_t *p)
{
    uint32_t next = sp_le32(p);

    return next == 0 ? NULL : p + next;
}

static const uint8_t *
ea_find(const struct sp_buf *list, const uint8_t *name, size_t n)
{
    const uint8_t *p = list->len > 0 ? list->data : NULL;

    for (; p != NULL; p = ea_next(p))
        if (sp_fold_equal((const char *)p + EA_HEAD, p[5], (const char *)name, n))
            return p;
    return NULL;
}

/* Flags, and the value. */
static bool
ea_same(const uint8_t *a, const uint8_t *b)
{
    size_t n = sp_le16(a + 6);

    return a[4] == b[4] && n == sp_le16(b + 6) &&
           memcmp(a + EA_HEAD + a[5] + 1, b + EA_HEAD + b[5] + 1, n) == 0;
}

static size_t
ea_count(const struct sp_buf *list)
{
    size_t n = 0;

    for (const uint8_t *p = list->len > 0 ? list->data : NULL; p != NULL; p = ea_next(p))
        n++;
    return n;
}

static enum sp_code
ea_read(struct sp_target *t, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    enum sp_code rc = t->fs->eas(t->fs->self, h, ret, e);

    if (rc == SP_UNSUPPORTED)
        return SP_OK;
    if (rc == SP_OK && ret->len > 0 && !sp_ntfs_ea_ok(ret->data, ret->len))
        return sp_fail(e, SP_CORRUPT, SP_DOM_DESTINATION, "its extended attributes make no sense");
    return rc;
}

/* What it has and `en` has not is set to nothing, which removes it. */
static enum sp_code
ea_remove_strange(
    struct sp_target *t, struct sp_ntfs_handle *h, const struct sp_buf *want, struct sp_err *e)
{
    struct sp_buf has = SP_BUF_INIT, one = SP_BUF_INIT;
    enum sp_code rc = ea_read(t, h, &has, e);

    for (const uint8_t *p = has.len > 0 ? has.data : NULL; rc == SP_OK && p != NULL;
         p = ea_next(p)) {
        if (ea_find(want, p + EA_HEAD, p[5]) != NULL)
            continue;
        sp_buf_reset(&one);
        sp_buf_put_u32(&one, 0);
        sp_buf_put_u8(&one, 0);
        sp_buf_put_u8(&one, p[5]);
        sp_buf_put_u16(&one, 0);
        sp_buf_put(&one, p + EA_HEAD, (size_t)p[5] + 1);
        if ((rc = sp_buf_ok(&one, e)) == SP_OK)
            rc = t->fs->set_eas(t->fs->self, h, one.data, one.len, e);
    }
    sp_buf_free(&has);
    sp_buf_free(&one);
    return rc;
}

static struct sp_buf
ea_wanted(const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_EA);
    struct sp_buf view = SP_BUF_INIT;

    if (a != NULL && !a->external) {
        view.data = (uint8_t *)(uintptr_t)a->value; /* only looked at */
        view.len = a->len;
    }
    return view;
}

void
target_eas_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_buf want = ea_wanted(en);
    struct sp_err why = {0};
    bool differ = false;
    enum sp_code rc;

    if (want.len > 0 && !sp_ntfs_ea_ok(want.data, want.len)) {
        (void)sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "its extended attributes make no sense");
        target_flaw(flaw, &why);
        return;
    }
    if ((d->flags & NTFS_FS_EAS) == 0) {
        if (want.len > 0)
            target_unsupported(d->t, TARGET_EAS);
        return;
    }
    if ((rc = target_eas_differ(d, h, en, &differ, &why)) == SP_OK && differ)
        rc = ea_remove_strange(d->t, h, &want, &why);
    if (rc == SP_OK && differ && want.len > 0)
        rc = fs->set_eas(fs->self, h, want.data, want.len, &why);
    if (rc == SP_UNSUPPORTED) {
        target_unsupported(d->t, TARGET_EAS);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, "its extended attributes cannot be set");
        target_flaw(flaw, &why);
    }
}

enum sp_code
target_eas_differ(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    bool *ret, struct sp_err *e)
{
    struct sp_buf want = ea_wanted(en), has = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    *ret = false;
    if ((d->flags & NTFS_FS_EAS) == 0)
        return SP_OK;
    if (want.len > 0 && !sp_ntfs_ea_ok(want.data, want.len))
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its extended attributes make no sense");
    if ((rc = ea_read(d->t, h, &has, e)) != SP_OK) {
        (void)target_fail(e, "its extended attributes cannot be read");
        goto out;
    }
    *ret = ea_count(&has) != ea_count(&want);
    for (const uint8_t *p = want.len > 0 ? want.data : NULL; p != NULL && !*ret; p = ea_next(p)) {
        const uint8_t *other = ea_find(&has, p + EA_HEAD, p[5]);

        *ret = other == NULL || !ea_same(p, other);
    }
out:
    sp_buf_free(&has);
    return rc;
}
