#include "round.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/base/support.h"

struct round *
round_new(enum ntfs_double_kind kind)
{
    struct round *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->a = ntfs_double_new();
    r->b = ntfs_double_new();
    ntfs_double_volume(r->a, "C:/", NTFS_DOUBLE_NTFS);
    ntfs_double_folder(r->a, "C:/tree");
    ntfs_double_volume(r->b, "D:/", kind);
    set_new(&r->s);
    return r;
}

void
round_free(struct round *r)
{
    set_free(&r->s);
    ntfs_double_free(r->a);
    ntfs_double_free(r->b);
    free(r);
}

void
round_tree(struct ntfs_double *a)
{
    static const struct ntfs_double_range ranges[] = {{0, 4096}, {1 << 20, 65536}};
    static const uint8_t id[16] = {1, 2, 3, 4};
    uint8_t *big = calloc(1, 200000);

    assert_non_null(big);
    for (size_t i = 0; i < 200000; i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    ntfs_double_text(a, "C:/tree/a/plain", "plain");
    ntfs_double_file(a, "C:/tree/a/large", big, 150000);
    ntfs_double_text(a, "C:/tree/a/read only", "never to be written");
    ntfs_double_stream(a, "C:/tree/a/read only", "s", "nor this", 8);
    ntfs_double_attributes(a, "C:/tree/a/read only", NTFS_READONLY | NTFS_HIDDEN);
    ntfs_double_text(a, "C:/tree/a/streams", "with streams");
    ntfs_double_stream(a, "C:/tree/a/streams", "short", "short", 5);
    ntfs_double_stream(a, "C:/tree/a/streams", "long", big, 200000);
    ntfs_double_stream(a, "C:/tree/a", "of a folder", "x", 1);
    ntfs_double_sparse(a, "C:/tree/a/sparse", 4 << 20, ranges, 2);
    ntfs_double_text(a, "C:/tree/b/secret", "mine");
    ntfs_double_security(
        a, "C:/tree/b/secret", "O:BAG:SYD:PAI(A;;FA;;;SY)(A;ID;FR;;;WD)S:AI(AU;SAFA;FA;;;WD)");
    ntfs_double_security(a, "C:/tree/b", "O:SYG:BAD:AI(A;OICI;FA;;;SY)(A;OICIID;FR;;;BU)");
    ntfs_double_text(a, "C:/tree/b/ea", "ea");
    ntfs_double_ea(a, "C:/tree/b/ea", "ONE", "1", 1, 0);
    ntfs_double_ea(a, "C:/tree/b/ea", "TWO", "22", 2, 0);
    ntfs_double_text(a, "C:/tree/b/id", "with an id");
    ntfs_double_object_id(a, "C:/tree/b/id", id);
    ntfs_double_text(a, "C:/tree/b/a long name.text", "with a short name");
    ntfs_double_short_name(a, "C:/tree/b/a long name.text", "SHORT.TXT");
    ntfs_double_symlink(a, "C:/tree/c/link", "..\\a\\plain", false, true);
    ntfs_double_symlink(a, "C:/tree/c/link to a folder", "\\??\\C:\\tree\\a", true, false);
    ntfs_double_junction(a, "C:/tree/c/junction", "\\??\\C:\\tree\\a");
    ntfs_double_text(a, "C:/tree/d/first", "linked");
    ntfs_double_link(a, "C:/tree/d/first", "C:/tree/d/second");
    ntfs_double_link(a, "C:/tree/d/first", "C:/tree/third");
    ntfs_double_file(a, "C:/tree/d/compressed", big, 70000);
    ntfs_double_compress(a, "C:/tree/d/compressed");
    ntfs_double_text(a, "C:/tree/d/encrypted", "for one user");
    ntfs_double_stream(a, "C:/tree/d/encrypted", "too", "this too", 8);
    ntfs_double_encrypt(a, "C:/tree/d/encrypted");
    ntfs_double_folder(a, "C:/tree/e");
    ntfs_double_case(a, "C:/tree/e", true);
    ntfs_double_text(a, "C:/tree/e/name", "small");
    ntfs_double_text(a, "C:/tree/e/NAME", "capital");
    ntfs_double_times(
        a, "C:/tree/a/plain", 1, 130000000000000001, 130000000000000002, 130000000000000003);
    ntfs_double_times(a, "C:/tree/b/secret", 120000000000000000, 120000000000000001,
        120000000000000002, 120000000000000003);
    ntfs_double_times(a, "C:/tree/a", 110000000000000000, 110000000000000001, 110000000000000002,
        110000000000000003);
    ntfs_double_times(a, "C:/tree/a/plain", 125000000000000000, 0, 0, 0);
    ntfs_double_times(a, "C:/tree/d/first", 115000000000000000, 115000000000000001,
        115000000000000002, 115000000000000003);
    free(big);
}

void
round_take(struct round *r)
{
    ntfs_double_shadow(r->a, "C:/", SHADOW);
    take_tree(&r->s, r->a, "C:/tree");
    set_commit(&r->s);
}

void
round_restore(struct round *r, const char *target)
{
    ntfs_double_set_here(r->b);
    set_restore(&r->s, target, NULL, &r->o);
    assert_int_equal(ntfs_double_handles(r->b), 0);
}

void
round_show(const struct round *r)
{
    if (r->o.code != SP_OK)
        print_message("restore: %s\n", r->o.err.text);
    for (size_t i = 0; i < r->o.nfaults && i < 64; i++)
        print_message("fault: %s: %s\n", r->o.faults[i].path, r->o.faults[i].text);
    for (size_t i = 0; i < r->o.nnotes && i < 16; i++)
        print_message("note: %s\n", r->o.notes[i]);
}

void
round_same(struct round *r, const char *path, unsigned what)
{
    struct sp_buf report = SP_BUF_INIT;

    if (ntfs_double_compare(r->a, SHADOW "tree", r->b, path, what, &report) > 0) {
        round_show(r);
        fail_msg("differences:\n%s", sp_buf_str(&report));
    }
    sp_buf_free(&report);
}

bool
round_has_note(const struct round *r, const char *part)
{
    size_t n = 0;

    for (size_t i = 0; i < r->o.nnotes && i < 16; i++)
        n += strstr(r->o.notes[i], part) != NULL;
    return n == 1;
}

struct counting {
    const struct sp_ntfs *fs;
    struct sp_ntfs_handle *dir;
    size_t n;
};

static enum sp_code
count(void *arg, const struct sp_ntfs_listed *l, struct sp_err *unused)
{
    struct counting *c = arg, below = {c->fs, NULL, 0};
    char name[1024];

    (void)unused;
    (void)snprintf(name, sizeof name, "%.*s", (int)l->name_len, l->name);
    c->n += strncmp(name, ".stillpoint-restore-", 20) == 0;
    if ((l->info.attributes & NTFS_DIRECTORY) == 0 || (l->info.attributes & NTFS_REPARSE) != 0)
        return SP_OK;
    assert_ok(c->fs->open_at(c->fs->self, c->dir, name, NTFS_FOLDER, NTFS_LIST, &below.dir, e));
    assert_ok(c->fs->list(c->fs->self, below.dir, count, &below, e));
    assert_ok(c->fs->close(c->fs->self, below.dir, e));
    c->n += below.n;
    return SP_OK;
}

size_t
round_temporary(struct round *r)
{
    struct counting c = {ntfs_double_table(r->b), NULL, 0};

    assert_ok(c.fs->open_path(c.fs->self, "D:/", NTFS_LIST, &c.dir, e));
    assert_ok(c.fs->list(c.fs->self, c.dir, count, &c, e));
    assert_ok(c.fs->close(c.fs->self, c.dir, e));
    return c.n;
}
