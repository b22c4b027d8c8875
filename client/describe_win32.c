/* What an entry has beside what a listing says, on Windows: see source.h and ntfs_meta.h.
 *
 * The object is opened once, for looking (NTFS_LOOK), and everything is asked of that one handle.
 * What the listing said may be old (ntfs.h), so size, times and file id are taken anew too. */

#include <stdlib.h>
#include <string.h>

#include "client/item.h"
#include "client/look_win32.h"
#include "client/ntfs_meta.h"
#include "client/streams_win32.h"

#define VALUE_MOST WINDOWS_STREAM_MAX /* what restore takes */
#define OBJECT_ID_BYTES 64

struct attribute { /* offsets: the buffers move while they grow */
    size_t name, value, len;
};

struct description {
    struct sp_item *it;
    struct sp_source_host *h;
    struct sp_ntfs_handle *of;
    struct sp_ntfs_info info;
    uint32_t traits;
    struct sp_buf names, values, target;
    struct attribute *attributes;
    size_t nattributes, attributes_cap;
};

/* --- gathering -----------------------------------------------------------------------------------
 */

static enum sp_code
keep(struct description *d, const char *prefix, const char *name, const void *p, size_t n,
    struct sp_err *e)
{
    struct attribute *a;

    if (d->nattributes == d->attributes_cap) {
        size_t cap = d->attributes_cap == 0 ? 8 : 2 * d->attributes_cap;
        struct attribute *more = realloc(d->attributes, cap * sizeof *more);

        if (more == NULL)
            return sp_fail_nomem(e);
        d->attributes = more;
        d->attributes_cap = cap;
    }
    a = &d->attributes[d->nattributes++];
    *a = (struct attribute){d->names.len, d->values.len, n};
    sp_buf_put_str(&d->names, prefix);
    sp_buf_put(&d->names, name, strlen(name) + 1);
    sp_buf_put(&d->values, p, n);
    if (d->names.failed || d->values.failed)
        return sp_fail_nomem(e);
    return SP_OK;
}

/* `why` of the table; it becomes the item's fault, unless it is our own. */
static enum sp_code
fault(struct description *d, struct sp_err *why, const char *what, struct sp_err *e)
{
    (void)sp_look_blame(why, "%s cannot be read", what);
    if (why->domain == SP_DOM_SELF) {
        *e = *why;
        return why->code;
    }
    return sp_item_set_fault(
        d->it, d->it->entry->key, d->it->entry->key_len, SP_FAULT_ATTRIBUTES, why->text, e);
}

/* Keeps what was read, or says that it could not be. `rc` is the table's answer. */
static enum sp_code
keep_or_fault(struct description *d, enum sp_code rc, struct sp_err *why, const char *name,
    const char *what, const struct sp_buf *value, struct sp_err *e)
{
    if (rc == SP_OK && value->len > VALUE_MOST)
        rc = sp_fail(why, SP_IO, SP_DOM_NONE, "it is longer than %zu bytes", VALUE_MOST);
    if (rc != SP_OK)
        return fault(d, why, what, e);
    return value->len > 0 ? keep(d, name, "", value->data, value->len, e) : SP_OK;
}

/* --- one by one ----------------------------------------------------------------------------------
 */

static enum sp_code
read_security(struct description *d, struct sp_err *e)
{
    const struct sp_ntfs *t = d->h->t;
    struct sp_buf value = SP_BUF_INIT;
    struct sp_err why = {0};
    enum sp_code rc;

    if ((d->traits & NTFS_FS_ACLS) == 0)
        return SP_OK;
    if ((t->privileges(t->self) & NTFS_MAY_SECURITY) == 0)
        atomic_store(&d->h->no_sacl, true);
    rc = t->security(t->self, d->of, &value, &why);
    if (rc == SP_OK && !sp_ntfs_security_ok(value.data, value.len))
        rc = sp_fail(&why, SP_CORRUPT, SP_DOM_NONE, "it is malformed");
    rc = rc == SP_UNSUPPORTED
             ? SP_OK
             : keep_or_fault(d, rc, &why, WINDOWS_SECURITY, "the security descriptor", &value, e);
    sp_buf_free(&value);
    return rc;
}

/* A listing does not say whether there are any; info does. Beside a reparse point there are none.
 */
static enum sp_code
read_eas(struct description *d, struct sp_err *e)
{
    struct sp_buf value = SP_BUF_INIT;
    struct sp_err why = {0};
    enum sp_code rc;

    if (d->info.ea_size == 0 || (d->info.attributes & NTFS_REPARSE) != 0)
        return SP_OK;
    rc = d->h->t->eas(d->h->t->self, d->of, &value, &why);
    rc = keep_or_fault(d, rc, &why, WINDOWS_EA, "the extended attributes", &value, e);
    sp_buf_free(&value);
    return rc;
}

static enum sp_code
read_reparse(struct description *d, struct sp_err *e)
{
    struct sp_buf value = SP_BUF_INIT;
    struct sp_err why = {0};
    bool relative, volume;
    enum sp_code rc;

    if ((d->info.attributes & NTFS_REPARSE) == 0)
        return SP_OK;
    rc = sp_look_reparse(d->h, d->of, &value, &why);
    if (rc == SP_OK && d->it->entry->type == SP_ENTRY_LINK)
        rc = sp_ntfs_reparse_target(value.data, value.len, &d->target, &relative, &volume, &why);
    rc = keep_or_fault(d, rc, &why, WINDOWS_REPARSE, "where it leads (reparse data)", &value, e);
    sp_buf_free(&value);
    return rc;
}

/* Asking makes none (FSCTL_CREATE_OR_GET_OBJECT_ID would). */
static enum sp_code
read_object_id(struct description *d, struct sp_err *e)
{
    const struct sp_ntfs *t = d->h->t;
    struct sp_buf value = SP_BUF_INIT;
    struct sp_err why = {0};
    bool more = false;
    enum sp_code rc;

    if ((d->traits & NTFS_FS_OBJECT_IDS) == 0)
        return SP_OK;
    rc = t->control(
        t->self, d->of, FSCTL_SP_GET_OBJECT_ID, NULL, 0, OBJECT_ID_BYTES, &value, &more, &why);
    if (rc == SP_ABSENT || rc == SP_UNSUPPORTED)
        rc = SP_OK;
    else
        rc = keep_or_fault(d, rc, &why, WINDOWS_OBJECT_ID, "the object id", &value, e);
    sp_buf_free(&value);
    return rc;
}

static enum sp_code
read_case(struct description *d, struct sp_err *e)
{
    static const uint8_t yes = 1;
    struct sp_err why = {0};
    bool sensitive = false;
    enum sp_code rc;

    if (d->it->entry->type != SP_ENTRY_DIR)
        return SP_OK;
    rc = d->h->t->case_sensitive(d->h->t->self, d->of, &sensitive, &why);
    if (rc == SP_UNSUPPORTED)
        return SP_OK;
    if (rc != SP_OK)
        return fault(d, &why, "whether the folder tells upper from lower case", e);
    return sensitive ? keep(d, WINDOWS_CASE, "", &yes, 1, e) : SP_OK;
}

/* What the walk knew and this handle does not: the name's short form, and what a mount point's
 * folder has while the item is the volume's root. */
static enum sp_code
keep_from_walk(struct description *d, const char *name, struct sp_err *e)
{
    const struct sp_attribute *a = sp_ntfs_find(d->it->entry, name);

    return a == NULL ? SP_OK : keep(d, name, "", a->value, a->len, e);
}

/* --- streams -------------------------------------------------------------------------------------
 */

static enum sp_code
take_stream(void *arg, const char *name, const void *p, size_t n, struct sp_err *e)
{
    return keep(arg, WINDOWS_STREAM, name, p, n, e);
}

static enum sp_code
fail_stream(void *arg, const char *name, struct sp_err *why, struct sp_err *e)
{
    char what[300];

    (void)snprintf(what, sizeof what, "alternate stream %.200s", name);
    return fault(arg, why, what, e);
}

static enum sp_code
read_streams(struct description *d, struct sp_err *e)
{
    struct sp_streams_ask ask = {.h = d->h,
        .of = d->of,
        .info = &d->info,
        .is_file = d->it->entry->type == SP_ENTRY_FILE,
        .take = take_stream,
        .fail = fail_stream,
        .arg = d};

    return (d->traits & NTFS_FS_STREAMS) == 0 ? SP_OK : sp_streams_describe(&ask, e);
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static enum sp_code
look_at(struct description *d, struct sp_err *e)
{
    uint8_t attributes[4];
    enum sp_code rc;

    sp_store_le32(attributes, d->info.attributes);
    if ((rc = keep(d, WINDOWS_ATTRIBUTES, "", attributes, sizeof attributes, e)) != SP_OK ||
        (rc = keep_from_walk(d, WINDOWS_SHORT_NAME, e)) != SP_OK ||
        (rc = read_security(d, e)) != SP_OK || (rc = read_eas(d, e)) != SP_OK ||
        (rc = read_object_id(d, e)) != SP_OK || (rc = read_case(d, e)) != SP_OK ||
        (rc = read_streams(d, e)) != SP_OK)
        return rc;
    return strcmp(d->it->name, ".") == 0 ? keep_from_walk(d, WINDOWS_REPARSE, e)
                                         : read_reparse(d, e);
}

static int
compare_names(const void *a, const void *b)
{
    const struct sp_attribute *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static enum sp_code
fill(struct description *d, struct sp_err *e)
{
    struct sp_entry en = *d->it->entry, *copy;
    struct sp_attribute *attributes = calloc(d->nattributes, sizeof *attributes);
    enum sp_code rc;

    if (attributes == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < d->nattributes; i++)
        attributes[i] =
            (struct sp_attribute){.name = (const char *)d->names.data + d->attributes[i].name,
                .value = d->values.data + d->attributes[i].value,
                .len = d->attributes[i].len};
    qsort(attributes, d->nattributes, sizeof *attributes, compare_names);
    sp_look_fill(&en, &d->info);
    sp_item_recheck(&en, sp_dir_kind(d->it->dir)->instant_ns);
    en.attributes = attributes;
    en.nattributes = d->nattributes;
    en.target = d->target.data;
    en.target_len = d->target.len;
    if ((rc = sp_entry_copy(&en, &copy, e)) == SP_OK) {
        free(d->it->entry);
        d->it->entry = copy;
    }
    free(attributes);
    return rc;
}

/* A folder stays an entry, because what was in it may already be one; its next run looks again. In
 * a shadow nothing goes away: there it is damage. */
static enum sp_code
vanished(struct sp_item *it, const struct sp_err *why, struct sp_err *e)
{
    if (it->entry->type != SP_ENTRY_DIR) {
        *e = *why;
        e->domain = SP_DOM_SOURCE;
        return why->code;
    }
    it->entry->flags |= SP_ENTRY_RECHECK;
    return it->shadow ? sp_item_set_fault(it, it->entry->key, it->entry->key_len,
                            SP_FAULT_ATTRIBUTES, why->text, e)
                      : SP_OK;
}

/* Asking the file itself would fetch it: the listing has to do. */
static bool
untouchable(const struct sp_item *it)
{
    return sp_look_untouchable(sp_ntfs_attributes_of(it->entry));
}

enum sp_code
sp_item_refresh(struct sp_item *it, struct sp_err *e)
{
    struct sp_source_host *h;
    struct sp_ntfs_handle *of = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if (it->entry->type == 0 || it->dir == NULL || untouchable(it))
        return SP_OK;
    h = sp_dirs_host(sp_dir_pool(it->dir));
    if ((rc = sp_look_open(h, it, &of, &info, e)) != SP_OK)
        return rc;
    sp_look_fill(it->entry, &info);
    sp_item_recheck(it->entry, sp_dir_kind(it->dir)->instant_ns);
    sp_look_close(h, of);
    return SP_OK;
}

enum sp_code
sp_item_describe(struct sp_item *it, struct sp_err *e)
{
    struct description d = {.it = it};
    struct sp_err why = {0};
    enum sp_code rc;

    if (it->entry->type == 0 || it->dir == NULL || untouchable(it))
        return SP_OK;
    d.h = sp_dirs_host(sp_dir_pool(it->dir));
    d.traits = sp_dir_known(it->dir)->traits;
    if ((rc = sp_look_open(d.h, it, &d.of, &d.info, &why)) != SP_OK) {
        if (rc == SP_ABSENT)
            return vanished(it, &why, e);
        if (why.domain == SP_DOM_SELF) {
            *e = why;
            return rc;
        }
        return sp_item_set_fault(
            it, it->entry->key, it->entry->key_len, SP_FAULT_ATTRIBUTES, why.text, e);
    }
    if ((rc = look_at(&d, e)) == SP_OK)
        rc = fill(&d, e);
    sp_look_close(d.h, d.of);
    sp_buf_free(&d.names);
    sp_buf_free(&d.values);
    sp_buf_free(&d.target);
    free(d.attributes);
    return rc;
}
