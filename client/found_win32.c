/* What the walk finds on Windows: see found.h. A folder's listing says all that an entry needs, so
 * that nothing is opened but mount points and junctions, which only their reparse data tell apart.
 */

#include "client/found.h"

#include <string.h>

#include "client/known_win32.h"
#include "client/look_win32.h"
#include "client/ntfs_meta.h"
#include "client/view_impl.h"

bool
sp_found_made_up(union sp_dir_at dir, const char *name)
{
    (void)dir;
    (void)name;
    return false;
}

void
sp_found_clear(struct sp_found *f)
{
    sp_buf_free(&f->values);
}

/* What is known beside the entry, while it is gathered. */
struct look {
    const struct sp_found_how *how;
    const struct sp_source_host *h;
    struct sp_ntfs_info info;
    char short_name[SP_KNOWN_SHORT_MOST];
    struct sp_buf reparse;
};

static enum sp_code
take_short_name(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct look *k = arg;
    size_t n = strlen(l->short_name);

    (void)e;
    if (n < sizeof k->short_name)
        memcpy(k->short_name, l->short_name, n + 1);
    return SP_OK;
}

/* Of what no listing gave us (a root). Without it the name is kept all the same. */
static void
ask_short_name(struct look *k, struct sp_ntfs_handle *dir, const char *name)
{
    const struct sp_ntfs *t = k->h->t;
    struct sp_ntfs_handle *own = NULL;
    struct sp_err ignored = {0};

    if (t->open_at(t->self, dir, "", NTFS_FOLDER, NTFS_LIST, &own, &ignored) == SP_OK)
        (void)t->find(t->self, own, name, take_short_name, k, &ignored);
    sp_look_close(k->h, own);
}

/* By a handle of its own; name "": `dir` itself. */
static enum sp_code
ask(struct look *k, struct sp_ntfs_handle *dir, const char *name, bool reparse, struct sp_err *e)
{
    const struct sp_ntfs *t = k->h->t;
    struct sp_ntfs_handle *of = NULL;
    enum sp_code rc;

    rc = t->open_at(t->self, dir, name, NTFS_ANY, NTFS_LOOK, &of, e);
    if (rc == SP_OK && !reparse)
        rc = t->info(t->self, of, &k->info, e);
    if (rc == SP_OK && k->info.reparse_tag == NTFS_TAG_MOUNT_POINT &&
        (rc = sp_look_reparse(k->h, of, &k->reparse, e)) == SP_ABSENT) {
        /* A folder by now; or under Wine, which says so of every folder on another file system. */
        k->info.reparse_tag = 0;
        k->info.attributes &= ~NTFS_REPARSE;
        rc = SP_OK;
    }
    sp_look_close(k->h, of);
    return rc == SP_OK ? rc : sp_look_blame(e, "cannot be looked at");
}

/* The object itself, where the listing does not do. */
static enum sp_code
ask_place(struct look *k, const struct sp_place *at, struct sp_err *e)
{
    bool root = strcmp(at->name, ".") == 0;
    union sp_dir_at dir;
    enum sp_code rc;

    if ((rc = sp_dir_use(at->dir, &dir, e)) != SP_OK)
        return rc;
    rc = ask(k, dir.ntfs, root ? "" : at->name, false, e);
    if (rc == SP_OK && !root && k->how->listed == NULL)
        ask_short_name(k, dir.ntfs, at->name);
    sp_dir_unuse(at->dir);
    return rc;
}

/* A live volume is entered by the path at which it is mounted; a shadow's are only where a view
 * says so. */
static enum sp_code
enter_volume(struct look *k, struct sp_place *at, struct sp_found *ret, struct sp_err *e)
{
    const struct sp_found_how *how = k->how;
    enum sp_view_here here = sp_views_here(how->views, how->key, how->key_len);
    struct sp_source_dir *anchor = NULL;
    struct sp_place root;
    enum sp_code rc;

    ret->entry.type = SP_ENTRY_DIR;
    if (here == SP_VIEW_SKIPPED || !sp_dir_kind(at->dir)->live ||
        (how->one_file_system && here != SP_VIEW_MOUNTED)) {
        ret->closed = true;
        return SP_OK;
    }
    rc = sp_views_volume(how->views, (const char *)how->key, how->key_len, &anchor, &ret->why);
    if (rc == SP_OK) {
        root = (struct sp_place){anchor, "."};
        rc = ask_place(k, &root, &ret->why);
    }
    if (rc != SP_OK) {
        sp_dir_release(anchor);
        if (ret->why.domain == SP_DOM_SELF) {
            *e = ret->why;
            return rc;
        }
        sp_err_context(&ret->why, "the volume that is mounted here cannot be entered");
        ret->closed = true;
        return SP_OK;
    }
    ret->device = sp_dir_known(anchor)->device;
    ret->mounted = true;
    sp_dir_release(at->dir);
    *at = root;
    return SP_OK;
}

/* Junction or volume: k->reparse, unless it cannot be had. */
static enum sp_code
resolve(struct look *k, struct sp_place *at, struct sp_found *ret, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    if (k->reparse.len == 0)
        rc = ask(k, k->how->open->ntfs, k->how->listed->name, true, &why);
    if (rc == SP_ABSENT || (rc != SP_OK && why.domain == SP_DOM_SELF)) {
        *e = why;
        return rc;
    }
    if (rc == SP_OK && k->info.reparse_tag == 0)
        return SP_OK;
    ret->entry.type = SP_ENTRY_LINK; /* whatever it is, it is not followed */
    if (rc != SP_OK) {
        sp_err_context(&why, "whether it is a junction or a volume that is mounted here");
        ret->why = why;
        return SP_OK;
    }
    return sp_look_is_volume(&k->reparse) ? enter_volume(k, at, ret, e) : SP_OK;
}

/* Offsets first: the buffer moves while it grows. */
static enum sp_code
keep_attributes(struct look *k, struct sp_found *ret, struct sp_err *e)
{
    static const char *const names[] = {WINDOWS_ATTRIBUTES, WINDOWS_REPARSE, WINDOWS_SHORT_NAME};
    size_t lengths[] = {0, 0, strlen(k->short_name)}, at = 0;
    uint8_t attributes[4];

    sp_store_le32(attributes, k->info.attributes);
    if (sp_look_untouchable(k->info.attributes))
        lengths[0] = sizeof attributes;
    if (ret->mounted || k->how->elsewhere)
        lengths[1] = k->reparse.len;
    sp_buf_put(&ret->values, attributes, lengths[0]);
    sp_buf_put(&ret->values, k->reparse.data, lengths[1]);
    sp_buf_put(&ret->values, k->short_name, lengths[2]);
    for (size_t i = 0; i < 3; i++) {
        if (lengths[i] == 0)
            continue;
        ret->attributes[ret->entry.nattributes++] = (struct sp_attribute){
            .name = names[i], .value = ret->values.data + at, .len = lengths[i]};
        at += lengths[i];
    }
    return sp_buf_ok(&ret->values, e);
}

static void
count(struct sp_source_host *h, const struct sp_found *f, const struct sp_ntfs_info *i)
{
    if (f->entry.type == SP_ENTRY_FILE &&
        (i->reparse_tag == NTFS_TAG_DEDUP || i->reparse_tag == NTFS_TAG_WOF))
        atomic_fetch_add(&h->filtered, 1);
    if (sp_look_untouchable(i->attributes))
        atomic_fetch_add(f->entry.type == SP_ENTRY_DIR ? &h->closed : &h->untouchable, 1);
}

/* Where a view has led to the root of a volume, the point at which it is mounted is what the folder
 * above has under its name. */
static void
look_above(struct look *k)
{
    const struct sp_found_how *how = k->how;
    char short_name[SP_KNOWN_SHORT_MOST];
    struct sp_err ignored = {0};
    struct look above = {.how = how, .h = k->h};

    if (how->listed == NULL)
        return;
    sp_known_decode(how->listed, &above.info, short_name);
    memcpy(k->short_name, short_name, sizeof short_name);
    if (above.info.reparse_tag != NTFS_TAG_MOUNT_POINT)
        return;
    (void)ask(&above, how->open->ntfs, how->listed->name, true, &ignored);
    sp_buf_free(&k->reparse);
    k->reparse = above.reparse;
}

/* A volume's serial number is a part of its content: a disk that was cloned has it too, and the
 * same file ids, and what is one file there would be taken for another name of it here
 * (learn.microsoft.com/en-us/windows/win32/api/fileapi/ns-fileapi-by_handle_file_information). So
 * files are only one where the drive is. The number has 32 bits. */
static uint64_t
drive_of(const uint8_t *key, size_t n)
{
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < n && key[i] != 0; i++)
        hash = (hash ^ key[i]) * UINT32_C(16777619);
    return (uint64_t)hash << 32;
}

enum sp_code
sp_found_look(
    const struct sp_found_how *how, struct sp_place *at, struct sp_found *ret, struct sp_err *e)
{
    struct look k = {.how = how, .h = how->host};
    enum sp_code rc = SP_OK;

    ret->entry.flags = SP_ENTRY_WINDOWS;
    ret->entry.links = 1;
    if (at->dir == NULL) { /* above all drives there is nothing to look at */
        ret->entry.type = SP_ENTRY_DIR;
        return SP_OK;
    }
    ret->device = sp_dir_known(at->dir)->device;
    ret->apart = drive_of(how->key, how->key_len);
    if (how->listed != NULL && !how->elsewhere && !how->again)
        sp_known_decode(how->listed, &k.info, k.short_name);
    else if ((rc = ask_place(&k, at, e)) != SP_OK)
        goto out;
    if (how->elsewhere)
        look_above(&k);
    else if (k.info.reparse_tag == NTFS_TAG_MOUNT_POINT && (rc = resolve(&k, at, ret, e)) != SP_OK)
        goto out;
    sp_look_fill(&ret->entry, &k.info);
    if (ret->entry.type == SP_ENTRY_DIR &&
        (sp_look_untouchable(k.info.attributes) ||
            ((k.info.attributes & NTFS_REPARSE) != 0 && !ret->mounted && !how->elsewhere &&
                NTFS_TAG_IS_SURROGATE(k.info.reparse_tag))))
        ret->closed = true;
    count(how->host, ret, &k.info);
    rc = keep_attributes(&k, ret, e);
out:
    sp_buf_free(&k.reparse);
    return rc;
}
