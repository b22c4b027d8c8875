/* ntfs_conformance KIND [FOLDER] [NOT-HERE...]: KIND is one of the double's file systems (ntfs,
 * refs, fat32, exfat, smb) or "system" with a folder that exists. One line a feature:
 * FEATURE<TAB>KIND<TAB>works|not here. Exit 1: a feature is broken, or those that are not here are
 * others than the arguments say. */
#include "conformance.h"

#include <stdlib.h>
#include <string.h>

#include "conformance_place.h"

enum outcome
broken(struct place *p, const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s (last error: %d %s)\n", file, line, what, p->e.os, p->e.text);
    return BROKEN;
}

enum outcome
not_kept(struct place *p, const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: not here: %s (%d)\n", file, line, what, p->e.os);
    return NOT_HERE;
}

enum sp_code
make_file(struct place *p, const char *name, const char *text, struct sp_ntfs_handle **ret)
{
    struct sp_ntfs_handle *h;
    enum sp_code rc = p->fs->create_at(p->fs->self, p->dir, name, false, 0, NULL, 0, &h, &p->e);

    if (rc != SP_OK)
        return rc;
    if ((rc = p->fs->write(p->fs->self, h, 0, text, strlen(text), &p->e)) != SP_OK) {
        closed(p, h);
        return rc;
    }
    *ret = h;
    return SP_OK;
}

enum sp_code
made(struct place *p, const char *name, const char *text)
{
    struct sp_ntfs_handle *h;
    const enum sp_code rc = make_file(p, name, text, &h);

    return rc == SP_OK ? closed(p, h) : rc;
}

enum sp_code
made_folder(struct place *p, const char *name)
{
    struct sp_ntfs_handle *h;
    const enum sp_code rc =
        p->fs->create_at(p->fs->self, p->dir, name, true, 0, NULL, 0, &h, &p->e);

    return rc == SP_OK ? closed(p, h) : rc;
}

enum sp_code
opened(struct place *p, const char *name, enum sp_ntfs_access access, struct sp_ntfs_handle **ret)
{
    return p->fs->open_at(p->fs->self, p->dir, name, NTFS_ANY, access, ret, &p->e);
}

enum sp_code
closed(struct place *p, struct sp_ntfs_handle *h)
{
    return p->fs->close(p->fs->self, h, &p->e);
}

enum sp_code
control(struct place *p, struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t n,
    struct sp_buf *ret)
{
    bool more = false;

    return p->fs->control(p->fs->self, h, code, in, n, 65536, ret, &more, &p->e);
}

bool
holds(struct place *p, const char *name, const char *text)
{
    struct sp_ntfs_handle *h;
    char got[256];
    size_t n = 0;

    if (opened(p, name, NTFS_READ, &h) != SP_OK)
        return false;
    const enum sp_code rc = p->fs->read(p->fs->self, h, 0, got, sizeof got, &n, &p->e);
    return closed(p, h) == SP_OK && rc == SP_OK && n == strlen(text) && memcmp(got, text, n) == 0;
}

struct counting {
    const char *only;
    size_t n;
};

static enum sp_code
count_one(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct counting *c = arg;

    (void)e;
    if (c->only == NULL || strcmp(c->only, l->name) == 0)
        c->n++;
    return SP_OK;
}

size_t
count_names(struct place *p, const char *only)
{
    struct counting c = {only, 0};

    return p->fs->list(p->fs->self, p->dir, count_one, &c, &p->e) == SP_OK ? c.n : SIZE_MAX;
}

enum sp_code
info_of(struct place *p, const char *name, struct sp_ntfs_info *ret)
{
    struct sp_ntfs_handle *h;
    enum sp_code rc = opened(p, name, NTFS_LOOK, &h);

    if (rc != SP_OK)
        return rc;
    rc = p->fs->info(p->fs->self, h, ret, &p->e);
    closed(p, h);
    return rc;
}

/* --- a folder for each feature, emptied whatever the feature left in it --- */

struct names {
    char *list[4096];
    size_t n;
};

static enum sp_code
keep_name(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct names *to = arg;

    if (to->n == sizeof to->list / sizeof to->list[0] ||
        (to->list[to->n] = strdup(l->name)) == NULL)
        return sp_fail_nomem(e);
    to->n++;
    return SP_OK;
}

static void
empty(const struct sp_ntfs *fs, struct sp_ntfs_handle *dir)
{
    struct names *all = calloc(1, sizeof *all);
    struct sp_ntfs_handle *h;
    struct sp_err e = {0};

    if (all != NULL && fs->list(fs->self, dir, keep_name, all, &e) == SP_OK)
        for (size_t i = 0; i < all->n; i++) {
            if (fs->open_at(fs->self, dir, all->list[i], NTFS_FOLDER, NTFS_LIST, &h, &e) == SP_OK) {
                empty(fs, h);
                fs->close(fs->self, h, &e);
            }
            if (fs->open_at(fs->self, dir, all->list[i], NTFS_ANY, NTFS_CHANGE, &h, &e) == SP_OK) {
                fs->remove(fs->self, h, &e);
                fs->close(fs->self, h, &e);
            }
        }
    for (size_t i = 0; all != NULL && i < all->n; i++)
        free(all->list[i]);
    free(all);
}

static enum outcome
run(const struct sp_ntfs *fs, struct sp_ntfs_handle *work, const char *path,
    const struct feature *f)
{
    struct place p = {.fs = fs, .may = fs->privileges(fs->self)};
    struct sp_ntfs_handle *h;
    enum outcome was;

    const enum sp_code rc = fs->create_at(fs->self, work, f->name, true, 0, NULL, 0, &h, &p.e);
    if ((rc != SP_OK && rc != SP_EXISTS) ||
        (rc == SP_OK && fs->close(fs->self, h, &p.e) != SP_OK) ||
        fs->open_at(fs->self, work, f->name, NTFS_FOLDER, NTFS_LIST, &p.dir, &p.e) != SP_OK ||
        fs->volume(fs->self, p.dir, &p.volume, &p.e) != SP_OK)
        return broken(&p, __FILE__, __LINE__, f->name);
    if (rc == SP_EXISTS) /* left by a run that was killed */
        empty(fs, p.dir);
    (void)snprintf(p.path, sizeof p.path, "%s/%s", path, f->name);
    was = f->flag != 0 && (p.volume.flags & f->flag) == 0 ? NOT_HERE : f->run(&p);
    /* What the volume says it does not have, it does not do. */
    if (f->flag != 0 && (p.volume.flags & f->flag) == 0 && f->run(&p) == WORKS)
        was = broken(&p, __FILE__, __LINE__, "works, although the volume's flags deny it");
    empty(fs, p.dir);
    fs->close(fs->self, p.dir, &p.e);
    if (fs->open_at(fs->self, work, f->name, NTFS_FOLDER, NTFS_CHANGE, &h, &p.e) != SP_OK ||
        fs->remove(fs->self, h, &p.e) != SP_OK || fs->close(fs->self, h, &p.e) != SP_OK)
        was = broken(&p, __FILE__, __LINE__, "its folder is empty and goes");
    return was;
}

static bool
expected(const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

int
main(int argc, char **argv)
{
    const struct feature *const all[] = {
        features_names, features_content, features_meta, features_more};
    static const char *const words[] = {"works", "not here", "BROKEN"};
    struct sp_ntfs_handle *work;
    struct sp_err e = {0};
    const struct sp_ntfs *fs;
    const char *path;
    int bad = 0, count = 0;

    if (argc < 2 || (fs = conformance_place(argv[1], argc > 2 ? argv[2] : "", &path)) == NULL) {
        (void)fprintf(stderr, "usage: ntfs_conformance KIND FOLDER [NOT-HERE...]\n");
        return 5;
    }
    if (fs->open_path(fs->self, path, NTFS_LIST, &work, &e) != SP_OK) {
        (void)fprintf(stderr, "%s: %s\n", path, e.text);
        return 2;
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (const struct feature *f = all[i]; f->name != NULL; f++) {
            const enum outcome was = run(fs, work, path, f);
            const bool lack = expected(f->name, argc - 3, argv + 3);
            printf("%s\t%s\t%s\n", f->name, argv[1], words[was]);
            if (was == BROKEN || lack != (was == NOT_HERE)) {
                (void)fprintf(stderr, "%s: %s, but expected %s\n", f->name, words[was],
                    lack ? "not here" : "to work");
                bad++;
            }
            count++;
        }
    fs->close(fs->self, work, &e);
    conformance_place_end();
    (void)fprintf(stderr, "%d features, %d as not expected\n", count, bad);
    return bad > 0;
}
