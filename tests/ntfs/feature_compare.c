#include "tests/ntfs/feature_object.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    const struct sp_ntfs *a, *b;
    enum feature_how how;
    int feature;
    unsigned *differences;
    FILE *to;
};

static void
differs(struct comparison *c, const char *path, const char *what)
{
    c->differences[c->feature]++;
    if (c->to != NULL)
        (void)fprintf(c->to, "%s: %s\n", path, what);
}

/* --- what is in a folder
 * ---------------------------------------------------------------------------------- */

struct line {
    char *name, *short_name;
    bool folder; /* to go into */
};
struct lines {
    struct line *v;
    size_t n;
};

static void
lines_clear(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].name);
        free(l->v[i].short_name);
    }
    free(l->v);
}

static enum sp_code
take_line(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct lines *to = arg;
    struct line *more = realloc(to->v, (to->n + 1) * sizeof *more);

    if (more == NULL)
        return sp_fail_nomem(e);
    to->v = more;
    more[to->n].name = strdup(l->name);
    more[to->n].short_name = strdup(l->short_name == NULL ? "" : l->short_name);
    more[to->n].folder = (l->info.attributes & (NTFS_DIRECTORY | NTFS_REPARSE)) == NTFS_DIRECTORY;
    to->n++;
    return more[to->n - 1].name == NULL || more[to->n - 1].short_name == NULL ? sp_fail_nomem(e)
                                                                              : SP_OK;
}

static int
by_name(const void *x, const void *y)
{
    return strcmp(((const struct line *)x)->name, ((const struct line *)y)->name);
}

static enum sp_code
read_lines(
    const struct sp_ntfs *fs, struct sp_ntfs_handle *dir, struct lines *ret, struct sp_err *e)
{
    enum sp_code rc = fs->list(fs->self, dir, take_line, ret, e);

    if (rc == SP_OK && ret->n > 0)
        qsort(ret->v, ret->n, sizeof *ret->v, by_name);
    return rc;
}

/* --- one object
 * ----------------------------------------------------------------------------------------- */

static void
compare_times(struct comparison *c, const char *path, const struct sp_ntfs_info *a,
    const struct sp_ntfs_info *b)
{
    const struct {
        const char *what;
        int64_t a, b;
    } times[] = {{"time of creation", a->btime, b->btime}, {"time of access", a->atime, b->atime},
        {"time of writing", a->mtime, b->mtime}, {"time of change", a->ctime, b->ctime}};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[120];

        if (times[i].a == times[i].b)
            continue;
        (void)snprintf(
            text, sizeof text, "%s %" PRId64 " is %" PRId64, times[i].what, times[i].a, times[i].b);
        differs(c, path, text);
    }
}

/* What the maker leaves to the place is not looked at there. */
static bool
counts(const struct comparison *c, int aspect)
{
    if (c->how == FEATURE_EXACT)
        return true;
    if (aspect == ASPECT_SECURITY)
        return c->feature == FEATURE_SECURITY || c->feature == FEATURE_AUDIT;
    return aspect != ASPECT_OBJECT_ID || c->feature == FEATURE_OBJECT_ID;
}

static void
compare_objects(
    struct comparison *c, const char *path, const struct object *a, const struct object *b)
{
    uint32_t bits = a->info.attributes ^ b->info.attributes;
    char text[120];

    if (c->how == FEATURE_MADE_ONLY && c->feature != FEATURE_ATTRIBUTES)
        bits &= ~(NTFS_ARCHIVE | NTFS_NORMAL | NTFS_NOT_INDEXED);
    if (bits != 0) {
        (void)snprintf(text, sizeof text, "attributes %08" PRIx32 " are %08" PRIx32,
            a->info.attributes, b->info.attributes);
        differs(c, path, text);
    }
    if (a->info.reparse_tag != b->info.reparse_tag)
        differs(c, path, "reparse tag");
    if ((a->info.attributes & NTFS_DIRECTORY) == 0 && a->info.size != b->info.size) {
        (void)snprintf(
            text, sizeof text, "size %" PRIu64 " is %" PRIu64, a->info.size, b->info.size);
        differs(c, path, text);
    }
    if (a->info.links != b->info.links)
        differs(c, path, "number of names");
    if (a->case_sensitive != b->case_sensitive)
        differs(c, path, "case sensitivity");
    if (c->how == FEATURE_EXACT || c->feature == FEATURE_TIMES)
        compare_times(c, path, &a->info, &b->info);
    for (int i = 0; i < ASPECT_COUNT; i++) {
        const struct sp_buf *x = &a->aspects[i], *y = &b->aspects[i];

        if (counts(c, i) &&
            (x->len != y->len || (x->len > 0 && memcmp(x->data, y->data, x->len) != 0))) {
            (void)snprintf(
                text, sizeof text, "%s: %zu bytes, %zu bytes", aspect_name(i), x->len, y->len);
            differs(c, path, text);
        }
    }
}

/* --- the trees
 * -------------------------------------------------------------------------------------------- */

static enum sp_code compare_folders(struct comparison *c, const char *path,
    struct sp_ntfs_handle *a, struct sp_ntfs_handle *b, struct sp_err *e);

static enum sp_code
go_in(struct comparison *c, const char *path, const char *name, struct sp_ntfs_handle *a,
    struct sp_ntfs_handle *b, struct sp_err *e)
{
    struct sp_ntfs_handle *x = NULL, *y = NULL;
    enum sp_code rc = c->a->open_at(c->a->self, a, name, NTFS_FOLDER, NTFS_LIST, &x, e);

    if (rc == SP_OK)
        rc = c->b->open_at(c->b->self, b, name, NTFS_FOLDER, NTFS_LIST, &y, e);
    if (rc == SP_OK)
        rc = compare_folders(c, path, x, y, e);
    if (x != NULL && c->a->close(c->a->self, x, e) != SP_OK && rc == SP_OK)
        rc = e->code;
    if (y != NULL && c->b->close(c->b->self, y, e) != SP_OK && rc == SP_OK)
        rc = e->code;
    return rc;
}

static enum sp_code
compare_named(struct comparison *c, const char *path, const struct line *x, const struct line *y,
    struct sp_ntfs_handle *a, struct sp_ntfs_handle *b, struct sp_err *e)
{
    struct object one = {0}, other = {0};
    enum sp_code rc;

    if ((rc = object_read(c->a, a, x->name, &one, e)) == SP_OK &&
        (rc = object_read(c->b, b, y->name, &other, e)) == SP_OK) {
        compare_objects(c, path, &one, &other);
        if ((c->how == FEATURE_EXACT || c->feature == FEATURE_SHORT_NAME) &&
            strcmp(x->short_name, y->short_name) != 0)
            differs(c, path, "short name");
        if (x->folder && y->folder)
            rc = go_in(c, path, x->name, a, b, e);
    }
    if (rc != SP_OK)
        sp_err_context(e, "%s", path);
    object_clear(&one);
    object_clear(&other);
    return rc;
}

static int
feature_of(const char *name)
{
    for (int f = 0; f < FEATURE_COUNT; f++)
        if (strcmp(name, feature_name((enum feature)f)) == 0)
            return f;
    return -1;
}

static enum sp_code
compare_folders(struct comparison *c, const char *path, struct sp_ntfs_handle *a,
    struct sp_ntfs_handle *b, struct sp_err *e)
{
    struct lines x = {0}, y = {0};
    size_t i = 0, j = 0;
    enum sp_code rc;

    if ((rc = read_lines(c->a, a, &x, e)) != SP_OK || (rc = read_lines(c->b, b, &y, e)) != SP_OK)
        goto out;
    while (rc == SP_OK && (i < x.n || j < y.n)) {
        int order = i == x.n ? 1 : j == y.n ? -1 : strcmp(x.v[i].name, y.v[j].name);
        const char *name = order <= 0 ? x.v[i].name : y.v[j].name;
        struct sp_buf at = SP_BUF_INIT;

        sp_buf_printf(&at, "%s%s%s", path, path[0] == '\0' ? "" : "/", name);
        if ((rc = sp_buf_ok(&at, e)) == SP_OK && path[0] == '\0' &&
            (c->feature = feature_of(name)) < 0)
            rc = sp_fail(e, SP_INVALID, SP_DOM_SELF, "%s is no feature", name);
        if (rc == SP_OK && order == 0)
            rc = compare_named(c, sp_buf_str(&at), &x.v[i], &y.v[j], a, b, e);
        else if (rc == SP_OK)
            differs(c, sp_buf_str(&at), order < 0 ? "is not in the second" : "is not in the first");
        i += order <= 0;
        j += order >= 0;
        sp_buf_free(&at);
    }
out:
    lines_clear(&x);
    lines_clear(&y);
    return rc;
}

enum sp_code
feature_tree_compare(const struct sp_ntfs *a_fs, const char *a, const struct sp_ntfs *b_fs,
    const char *b, enum feature_how how, unsigned differences[FEATURE_COUNT], FILE *to,
    struct sp_err *e)
{
    struct comparison c = {.a = a_fs, .b = b_fs, .how = how, .differences = differences, .to = to};
    struct sp_ntfs_handle *x = NULL, *y = NULL;
    enum sp_code rc;

    memset(differences, 0, FEATURE_COUNT * sizeof *differences);
    if ((rc = a_fs->open_path(a_fs->self, a, NTFS_LIST, &x, e)) == SP_OK &&
        (rc = b_fs->open_path(b_fs->self, b, NTFS_LIST, &y, e)) == SP_OK)
        rc = compare_folders(&c, "", x, y, e);
    if (x != NULL && a_fs->close(a_fs->self, x, e) != SP_OK && rc == SP_OK)
        rc = e->code;
    if (y != NULL && b_fs->close(b_fs->self, y, e) != SP_OK && rc == SP_OK)
        rc = e->code;
    return rc;
}
