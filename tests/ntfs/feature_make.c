#include "tests/ntfs/feature_tree.h"

#include <stdlib.h>
#include <string.h>

struct maker {
    const struct sp_ntfs *fs;
    const char *path;           /* of the tree */
    struct sp_ntfs_handle *dir; /* of the feature */
    struct sp_err *e;
};

#define NAME(id, name, what) name,
#define WHAT(id, name, what) what,

const char *
feature_name(enum feature f)
{
    static const char *const names[] = {FEATURES(NAME)};

    return names[f];
}

const char *
feature_what(enum feature f)
{
    static const char *const whats[] = {FEATURES(WHAT)};

    return whats[f];
}

/* --- tools
 * ------------------------------------------------------------------------------------------- */

#define FS m->fs
#define SELF m->fs->self

static enum sp_code
done(struct maker *m, struct sp_ntfs_handle *h, enum sp_code rc)
{
    struct sp_err late = {0};
    enum sp_code closed = h == NULL ? SP_OK : FS->close(SELF, h, &late);

    if (rc == SP_OK && closed != SP_OK)
        *m->e = late;
    return rc != SP_OK ? rc : closed;
}

static enum sp_code
create(struct maker *m, struct sp_ntfs_handle *dir, const char *name, bool folder,
    struct sp_ntfs_handle **ret)
{
    return FS->create_at(SELF, dir, name, folder, NTFS_NORMAL, NULL, 0, ret, m->e);
}

static enum sp_code
put(struct maker *m, struct sp_ntfs_handle *h, uint64_t offset, const char *text)
{
    return FS->write(SELF, h, offset, text, strlen(text), m->e);
}

/* A file with a line in it. */
static enum sp_code
file(struct maker *m, struct sp_ntfs_handle *dir, const char *name)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, dir, name, false, &h);

    if (rc == SP_OK)
        rc = put(m, h, 0, "a line\r\n");
    return done(m, h, rc);
}

static enum sp_code
pattern(struct maker *m, struct sp_ntfs_handle *h, uint64_t offset, size_t n)
{
    uint8_t *p = malloc(n);
    uint64_t x = offset + n;
    enum sp_code rc;

    if (p == NULL)
        return sp_fail_nomem(m->e);
    for (size_t i = 0; i < n; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (uint8_t)(x >> 56);
    }
    rc = FS->write(SELF, h, offset, p, n, m->e);
    free(p);
    return rc;
}

static enum sp_code
control(struct maker *m, struct sp_ntfs_handle *h, uint32_t code, const void *p, size_t n)
{
    struct sp_buf out = SP_BUF_INIT;
    bool more;
    enum sp_code rc = FS->control(SELF, h, code, p, n, 0, &out, &more, m->e);

    sp_buf_free(&out);
    return rc;
}

/* --- features
 * ------------------------------------------------------------------------------------------ */

static enum sp_code
make_content(struct maker *m)
{
    static const size_t sizes[] = {0, 1, 511, 4096, 70000, 3 << 20};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && rc == SP_OK; i++) {
        struct sp_ntfs_handle *h = NULL;
        char name[16];

        (void)snprintf(name, sizeof name, "%u", (unsigned)sizes[i]);
        if ((rc = create(m, m->dir, name, false, &h)) == SP_OK && sizes[i] > 0)
            rc = pattern(m, h, 0, sizes[i]);
        rc = done(m, h, rc);
    }
    return rc;
}

static enum sp_code
make_names(struct maker *m)
{
    static const char *const names[] = {"Grüße.txt", "文件", "\xf0\x9f\x97\x84 box", " begins",
        "dot.", "blank ", "CON", "aux.txt", "a'b;c%d&e"};
    char longest[256];
    enum sp_code rc = SP_OK;

    memset(longest, 'n', 255);
    longest[255] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rc == SP_OK; i++)
        rc = file(m, m->dir, names[i]);
    return rc == SP_OK ? file(m, m->dir, longest) : rc;
}

static enum sp_code
make_long_path(struct maker *m)
{
    struct sp_ntfs_handle *at = NULL, *below = NULL;
    char name[101];
    enum sp_code rc = FS->open_at(SELF, m->dir, "", NTFS_FOLDER, NTFS_WRITE, &at, m->e);

    memset(name, 'd', 100);
    name[100] = '\0';
    for (int i = 0; i < 7 && rc == SP_OK; i++) {
        rc = create(m, at, name, true, &below);
        rc = done(m, at, rc);
        at = below;
        below = NULL;
    }
    if (rc == SP_OK)
        rc = file(m, at, "end");
    return done(m, at, rc);
}

static enum sp_code
make_attributes(struct maker *m)
{
    static const struct {
        const char *name;
        uint32_t attributes;
    } files[] = {{"read-only", NTFS_READONLY}, {"hidden", NTFS_HIDDEN}, {"system", NTFS_SYSTEM},
        {"archive", NTFS_ARCHIVE}, {"none", NTFS_NORMAL}, {"not-indexed", NTFS_NOT_INDEXED},
        {"temporary", NTFS_TEMPORARY},
        {"many", NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE | NTFS_NOT_INDEXED}};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < 2 * sizeof files / sizeof files[0] && rc == SP_OK; i++) {
        const bool folder = i % 2 != 0;
        struct sp_ntfs_info to = {.attributes = files[i / 2].attributes};
        struct sp_ntfs_handle *h = NULL;
        char name[32];

        if (folder && (to.attributes & NTFS_TEMPORARY) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%s%s", files[i / 2].name, folder ? "-folder" : "");
        if ((rc = create(m, m->dir, name, folder, &h)) == SP_OK)
            rc = FS->set_basic(SELF, h, &to, m->e);
        rc = done(m, h, rc);
    }
    return rc;
}

#define TICK(year, n) (INT64_C(116444736000000000) + ((year)-1970) * INT64_C(315576000000000) + (n))

static enum sp_code
make_times(struct maker *m)
{
    enum sp_code rc = SP_OK;

    for (int i = 0; i < 2 && rc == SP_OK; i++) {
        struct sp_ntfs_info to = {.btime = TICK(1995, 1234567 + i),
            .atime = TICK(2011, 7654321 + i),
            .mtime = TICK(2003, 1111111 + i),
            .ctime = TICK(2019, 9999999 + i)};
        struct sp_ntfs_handle *h = NULL;

        if ((rc = create(m, m->dir, i == 0 ? "file" : "folder", i == 1, &h)) == SP_OK && i == 0)
            rc = put(m, h, 0, "x");
        if (rc == SP_OK)
            rc = FS->set_basic(SELF, h, &to, m->e);
        rc = done(m, h, rc);
    }
    return rc;
}

static enum sp_code
secure(struct maker *m, bool audit)
{
    struct sp_buf sd = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    feature_security(&sd, audit);
    for (int i = 0; i < 2 && rc == SP_OK; i++) {
        struct sp_ntfs_handle *h = NULL;

        if ((rc = create(m, m->dir, i == 0 ? "file" : "folder", i == 1, &h)) == SP_OK)
            rc = FS->set_security(SELF, h, sd.data, sd.len, true, true, audit, m->e);
        rc = done(m, h, rc);
    }
    sp_buf_free(&sd);
    return rc;
}

static enum sp_code
make_security(struct maker *m)
{
    return secure(m, false);
}

static enum sp_code
make_audit(struct maker *m)
{
    return secure(m, true);
}

static enum sp_code
stream(struct maker *m, struct sp_ntfs_handle *of, const char *name, size_t n)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = FS->open_stream(SELF, of, name, NTFS_WRITE, &h, m->e);

    if (rc == SP_OK && n > 0)
        rc = pattern(m, h, 0, n);
    return done(m, h, rc);
}

static enum sp_code
make_streams(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, "file", false, &h);

    if (rc == SP_OK)
        rc = put(m, h, 0, "the file itself");
    if (rc == SP_OK && (rc = stream(m, h, "empty", 0)) == SP_OK &&
        (rc = stream(m, h, "Zone.Identifier", 26)) == SP_OK &&
        (rc = stream(m, h, "naïve", 5000)) == SP_OK)
        rc = stream(m, h, "long", 200 << 10);
    return done(m, h, rc);
}

static enum sp_code
make_folder_stream(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, "folder", true, &h);

    if (rc == SP_OK)
        rc = stream(m, h, "note", 3000);
    if (rc == SP_OK)
        rc = file(m, h, "inside");
    return done(m, h, rc);
}

static enum sp_code
point(struct maker *m, const char *name, bool folder, const struct sp_buf *data)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, name, folder, &h);

    if (rc == SP_OK)
        rc = control(m, h, FSCTL_SP_SET_REPARSE, data->data, data->len);
    return done(m, h, rc);
}

static enum sp_code
make_symlinks(struct maker *m)
{
    static const struct {
        const char *name, *target;
        bool folder, relative;
    } links[] = {{"to-file", "file", false, true}, {"to-folder", "..\\symlinks", true, true},
        {"to-nothing", "no\\such", false, true}, {"absolute", "C:\\Windows\\win.ini", false, false},
        {"absolute-folder", "C:\\Windows", true, false}};
    enum sp_code rc = file(m, m->dir, "file");

    for (size_t i = 0; i < sizeof links / sizeof links[0] && rc == SP_OK; i++) {
        struct sp_buf data = SP_BUF_INIT;

        feature_symlink(&data, links[i].target, links[i].relative);
        rc = point(m, links[i].name, links[i].folder, &data);
        sp_buf_free(&data);
    }
    return rc;
}

static enum sp_code
make_junction(struct maker *m)
{
    struct sp_buf data = SP_BUF_INIT;
    enum sp_code rc;

    feature_junction(&data, "C:\\Windows");
    rc = point(m, "junction", true, &data);
    sp_buf_free(&data);
    return rc;
}

static enum sp_code
make_wsl(struct maker *m)
{
    struct sp_buf data = SP_BUF_INIT;
    enum sp_code rc;

    feature_wsl_link(&data, "/usr/bin/env");
    rc = point(m, "link", false, &data);
    sp_buf_free(&data);
    return rc;
}

static enum sp_code
make_sparse(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, "file", false, &h);

    if (rc == SP_OK)
        rc = control(m, h, FSCTL_SP_SET_SPARSE, NULL, 0);
    if (rc == SP_OK && (rc = FS->resize(SELF, h, 64 << 20, m->e)) == SP_OK &&
        (rc = pattern(m, h, 1 << 20, 128 << 10)) == SP_OK)
        rc = pattern(m, h, 40 << 20, 64 << 10);
    return done(m, h, rc);
}

static enum sp_code
make_compressed(struct maker *m)
{
    static const uint8_t on[2] = {1, 0}; /* COMPRESSION_FORMAT_DEFAULT */
    enum sp_code rc = SP_OK;

    for (int i = 0; i < 2 && rc == SP_OK; i++) {
        struct sp_ntfs_handle *h = NULL;

        if ((rc = create(m, m->dir, i == 0 ? "file" : "folder", i == 1, &h)) == SP_OK &&
            (rc = control(m, h, FSCTL_SP_SET_COMPRESSION, on, sizeof on)) == SP_OK && i == 0)
            rc = pattern(m, h, 0, 100000);
        if (rc == SP_OK && i == 1)
            rc = file(m, h, "inside");
        rc = done(m, h, rc);
    }
    return rc;
}

static enum sp_code
make_links(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL, *other = NULL;
    enum sp_code rc = create(m, m->dir, "one", false, &h);

    if (rc == SP_OK)
        rc = put(m, h, 0, "of three names");
    if (rc == SP_OK)
        rc = create(m, m->dir, "folder", true, &other);
    if (rc == SP_OK && (rc = FS->link(SELF, h, m->dir, "two", false, m->e)) == SP_OK)
        rc = FS->link(SELF, h, other, "three", false, m->e);
    rc = done(m, other, rc);
    return done(m, h, rc);
}

static enum sp_code
make_eas(struct maker *m)
{
    struct sp_buf ea = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    feature_ea(&ea);
    for (int i = 0; i < 2 && rc == SP_OK; i++) {
        struct sp_ntfs_handle *h = NULL;

        if ((rc = create(m, m->dir, i == 0 ? "file" : "folder", i == 1, &h)) == SP_OK)
            rc = FS->set_eas(SELF, h, ea.data, ea.len, m->e);
        rc = done(m, h, rc);
    }
    sp_buf_free(&ea);
    return rc;
}

static enum sp_code
make_object_id(struct maker *m)
{
    uint8_t id[64];
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, "file", false, &h);

    for (size_t i = 0; i < sizeof id; i++)
        id[i] = (uint8_t)(0xa0 + i);
    if (rc == SP_OK)
        rc = control(m, h, FSCTL_SP_SET_OBJECT_ID, id, sizeof id);
    return done(m, h, rc);
}

static enum sp_code
make_efs(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info = {0};
    enum sp_code rc = FS->create_at(SELF, m->dir, "file", false, NTFS_ENCRYPTED, NULL, 0, &h, m->e);

    if (rc == SP_OK)
        rc = FS->info(SELF, h, &info, m->e);
    if (rc == SP_OK && (info.attributes & NTFS_ENCRYPTED) == 0) /* taken and not done */
        rc = sp_fail(m->e, SP_UNSUPPORTED, SP_DOM_NONE, "the file is not encrypted");
    if (rc == SP_OK)
        rc = pattern(m, h, 0, 150000);
    return done(m, h, rc);
}

static enum sp_code
make_short_name(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, "a name that is long.document", false, &h);

    if (rc == SP_OK)
        rc = FS->set_short_name(SELF, h, "SHORTY~7.DOC", m->e);
    return done(m, h, rc);
}

static enum sp_code
make_case(struct maker *m)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc = create(m, m->dir, "folder", true, &h);

    if (rc == SP_OK && (rc = FS->set_case_sensitive(SELF, h, true, m->e)) == SP_OK &&
        (rc = file(m, h, "name")) == SP_OK)
        rc = file(m, h, "NAME");
    return done(m, h, rc);
}

static enum sp_code (*const makers[FEATURE_COUNT])(struct maker *m) = {
    [FEATURE_CONTENT] = make_content,
    [FEATURE_NAMES] = make_names,
    [FEATURE_LONG_PATH] = make_long_path,
    [FEATURE_ATTRIBUTES] = make_attributes,
    [FEATURE_TIMES] = make_times,
    [FEATURE_SECURITY] = make_security,
    [FEATURE_AUDIT] = make_audit,
    [FEATURE_STREAMS] = make_streams,
    [FEATURE_FOLDER_STREAM] = make_folder_stream,
    [FEATURE_SYMLINKS] = make_symlinks,
    [FEATURE_JUNCTION] = make_junction,
    [FEATURE_WSL] = make_wsl,
    [FEATURE_SPARSE] = make_sparse,
    [FEATURE_COMPRESSED] = make_compressed,
    [FEATURE_LINKS] = make_links,
    [FEATURE_EAS] = make_eas,
    [FEATURE_OBJECT_ID] = make_object_id,
    [FEATURE_EFS] = make_efs,
    [FEATURE_SHORT_NAME] = make_short_name,
    [FEATURE_CASE] = make_case,
};

/* Removes the folder of a feature that was begun and cannot be had: it would be compared otherwise.
 */
struct remover {
    struct maker *m;
    struct sp_ntfs_handle *dir;
};

static enum sp_code
remove_one(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct remover *r = arg;
    struct maker *m = r->m;
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    if ((l->info.attributes & NTFS_DIRECTORY) != 0 && (l->info.attributes & NTFS_REPARSE) == 0 &&
        (rc = FS->open_at(SELF, r->dir, l->name, NTFS_FOLDER, NTFS_LIST, &h, e)) == SP_OK) {
        struct remover below = {m, h};

        rc = FS->list(SELF, h, remove_one, &below, e);
        if (FS->close(SELF, h, e) != SP_OK || rc != SP_OK)
            return rc == SP_OK ? e->code : rc;
        h = NULL;
    }
    if ((rc = FS->open_at(SELF, r->dir, l->name, NTFS_ANY, NTFS_CHANGE, &h, e)) != SP_OK)
        return rc;
    rc = FS->remove(SELF, h, e);
    return FS->close(SELF, h, e) != SP_OK && rc == SP_OK ? e->code : rc;
}

static bool
not_here(const struct sp_err *e)
{
    return e->code == SP_UNSUPPORTED || e->code == SP_DENIED || e->code == SP_INVALID;
}

enum sp_code
feature_tree_make(const struct sp_ntfs *fs, const char *path,
    enum feature_state made[FEATURE_COUNT], FILE *why, struct sp_err *e)
{
    struct maker maker = {.fs = fs, .path = path, .e = e}, *m = &maker;
    struct sp_ntfs_handle *top = NULL;
    enum sp_code rc = FS->open_path(SELF, path, NTFS_WRITE, &top, e);

    for (int f = 0; f < FEATURE_COUNT && rc == SP_OK; f++) {
        if ((rc = create(m, top, feature_name((enum feature)f), true, &m->dir)) != SP_OK)
            break;
        rc = makers[f](m);
        made[f] = rc == SP_OK ? FEATURE_MADE : FEATURE_NOT_HERE;
        if (rc != SP_OK && not_here(e)) {
            struct remover r = {m, NULL};

            if (why != NULL)
                (void)fprintf(why, "%s: not here: %s\n", feature_name((enum feature)f), e->text);
            rc = FS->open_at(SELF, m->dir, "", NTFS_FOLDER, NTFS_LIST, &r.dir, e);
            if (rc == SP_OK)
                rc = FS->list(SELF, r.dir, remove_one, &r, e);
            if (r.dir != NULL)
                rc = done(m, r.dir, rc);
        }
        if (rc != SP_OK)
            sp_err_context(e, "%s", feature_name((enum feature)f));
        rc = done(m, m->dir, rc);
    }
    return done(m, top, rc);
}
