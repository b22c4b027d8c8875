/* Virtual machines of VMware and open documents, found by the walk. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/watch.h"
#include "tests/unit/client/tree.h"

struct world {
    struct tree t;
    struct sp_watch *w;
    struct sp_verdict v;
    const char *live, *none,
        *held; /* below the tree: read live; not in the set; open by its application */
    size_t asked;
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct sp_err e;

    assert_non_null(w);
    tree_new(&w->t);
    assert_int_equal(sp_watch_new(&w->w, &e), SP_OK);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    sp_watch_free(w->w);
    sp_watch_free(NULL);
    sp_verdict_clear(&w->v);
    tree_free(&w->t);
    free(w);
    return 0;
}

/* --- the run's part --------------------------------------------------------------------------- */

static bool
is_below(const struct world *w, const void *key, size_t n, const char *path)
{
    struct sp_buf native = SP_BUF_INIT;
    char whole[4200];
    bool is;

    if (path == NULL)
        return false;
    snprintf(whole, sizeof whole, "%s/%s", w->t.path, path);
    sp_key_to_path(key, n, &native);
    is = strncmp(sp_buf_str(&native), whole, strlen(whole)) == 0;
    sp_buf_free(&native);
    return is;
}

static enum sp_code
read_path(void *arg, const void *key, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    (void)arg;
    sp_key_to_path(key, n, ret);
    return sp_buf_ok(ret, e);
}

static enum sp_level
level(void *arg, const void *key, size_t n)
{
    const struct world *w = arg;

    return is_below(w, key, n, w->none)   ? SP_LEVEL_NONE
           : is_below(w, key, n, w->live) ? SP_LEVEL_LIVE
                                          : SP_LEVEL_CRASH;
}

static bool
in_set(void *arg, const void *key, size_t n)
{
    return is_below(arg, key, n, "") && level(arg, key, n) != SP_LEVEL_NONE;
}

static bool
in_use(void *arg, const void *key, size_t n)
{
    struct world *w = arg;

    w->asked++;
    return is_below(w, key, n, w->held);
}

static void
see(struct world *w, const char *path)
{
    struct sp_buf key = SP_BUF_INIT;
    char whole[4200];
    struct sp_err e;

    snprintf(whole, sizeof whole, "%s/%s", w->t.path, path);
    assert_int_equal(sp_key_from_path(whole, &key, &e), SP_OK);
    sp_watch_see(w->w, key.data, key.len);
    sp_buf_free(&key);
}

static void
put(struct world *w, const char *path, const char *text)
{
    tree_text(&w->t, path, text);
    see(w, path);
}

static void
finish(struct world *w)
{
    const struct sp_watch_place place = {
        .read_path = read_path, .level = level, .in_set = in_set, .in_use = in_use, .arg = w};
    struct sp_err e = {0};

    if (sp_watch_finish(w->w, &place, &w->v, &e) != SP_OK)
        fail_msg("%s", e.text);
}

static const struct sp_verdict_component *
unit(const struct world *w, enum sp_unit_kind kind, const char *name)
{
    for (size_t i = 0; i < w->v.ncomponents; i++)
        if (w->v.components[i].kind == kind && strcmp(w->v.components[i].unit, name) == 0)
            return &w->v.components[i];
    fail_msg("%s is not there", name);
    return NULL;
}

static bool
has_path(const struct world *w, const struct sp_verdict_component *c, const char *path)
{
    char whole[4200];

    snprintf(whole, sizeof whole, "%s/%s", w->t.path, path);
    for (size_t i = 0; i < c->npaths; i++)
        if (strcmp(c->paths[i], whole) == 0)
            return true;
    return false;
}

static const struct sp_verdict_component *
document(const struct world *w, const char *path)
{
    char whole[4200];

    snprintf(whole, sizeof whole, "%s/%s", w->t.path, path);
    return unit(w, SP_UNIT_DOCUMENT, whole);
}

/* --- documents -------------------------------------------------------------------------------- */

static void
test_access(void **state)
{
    struct world *w = *state;
    const struct sp_verdict_component *c;

    put(w, "open.mdb", "");
    put(w, "OPEN2.MDB", "");
    put(w, "open3.accdb", "");
    put(w, "closed.mdb", "");
    put(w, "closed.accdb", "");
    put(w, "open.accdb", ""); /* of this name only the .mdb is open */
    tree_text(&w->t, "open.ldb", "");
    tree_text(&w->t, "OPEN2.ldb", "");
    tree_text(&w->t, "open3.laccdb", "");
    put(w, ".mdb", "");
    put(w, "plain.txt", "");
    finish(w);
    assert_int_equal(w->v.ncomponents, 3);
    c = document(w, "open.mdb");
    assert_int_equal(c->level, SP_LEVEL_CRASH);
    assert_int_equal(c->why, SP_WHY_NO_WRITER);
    assert_true(c->writer == SP_NO_INDEX);
    assert_int_equal(c->npaths, 1);
    assert_true(has_path(w, c, "open.mdb"));
    assert_string_equal(c->detail, "Microsoft Access had it open");
    (void)document(w, "OPEN2.MDB");
    (void)document(w, "open3.accdb");
    assert_int_equal(w->asked, 0);
    assert_int_equal(w->v.nnotes, 0);
}

static void
test_outlook(void **state)
{
    struct world *w = *state;
    struct sp_verdict_shadow *s;
    struct sp_err e;

    assert_int_equal(sp_verdict_add_shadow(&w->v, &s, &e), SP_OK);
    w->held = "held";
    w->live = "held-live";
    w->none = "held-none";
    put(w, "held/mail.pst", "");
    put(w, "held-live/mail.ost", "");
    put(w, "held-none/mail.pst", "");
    put(w, "mail.pst", "");
    finish(w);
    assert_int_equal(w->v.ncomponents, 2);
    assert_int_equal(document(w, "held/mail.pst")->why, SP_WHY_NO_WRITER);
    assert_int_equal(document(w, "held/mail.pst")->shadow, 0);
    assert_int_equal(document(w, "held-live/mail.ost")->level, SP_LEVEL_LIVE);
    assert_int_equal(document(w, "held-live/mail.ost")->why, SP_WHY_NO_SHADOW);
    assert_true(document(w, "held-live/mail.ost")->shadow == SP_NO_INDEX);
}

/* At one instant a database and its journal agree; read one after the other they do not. */
static void
test_journals(void **state)
{
    struct world *w = *state;

    w->live = "live";
    put(w, "live/a.db", "");
    put(w, "live/a.db-journal", "");
    put(w, "live/a.db-wal", "");
    put(w, "live/gone.db-wal", "");
    put(w, "frozen/b.db", "");
    put(w, "frozen/b.db-wal", "");
    finish(w);
    assert_int_equal(w->v.ncomponents, 1);
    (void)document(w, "live/a.db");
}

/* --- machines --------------------------------------------------------------------------------- */

static void
machine(struct world *w)
{
    put(w, "vm/web01/web01.vmx",
        "displayName = \"Web 01\"\nscsi0:0.fileName = \"web01-000001.vmdk\"\nextendedConfigFile = "
        "\"web01.vmxf\"\n"
        "scsi0:1.fileName = \"../data/data.vmdk\"\n");
    put(w, "vm/web01/web01-000001.vmdk",
        "# Disk DescriptorFile\nparentFileNameHint=\"web01.vmdk\"\nRW 1 SPARSE "
        "\"web01-000001-s001.vmdk\"\n");
    put(w, "vm/web01/web01-000001-s001.vmdk", "KDMV");
    put(w, "vm/web01/web01.vmdk", "# Disk DescriptorFile\nRW 1 FLAT \"web01-flat.vmdk\" 0\n");
    put(w, "vm/web01/web01-flat.vmdk", "x");
    put(w, "vm/web01/web01.nvram", "");
    put(w, "vm/web01/web01.vmsd", "snapshot0.filename = \"web01-Snapshot1.vmsn\"\n");
    put(w, "vm/web01/web01-Snapshot1.vmsn", "");
    put(w, "vm/data/data.vmdk", "# Disk DescriptorFile\nRW 1 FLAT \"data-flat.vmdk\" 0\n");
    put(w, "vm/data/data-flat.vmdk", "x");
    put(w, "vm/data/not-its.vmdk", "x");
    tree_text(&w->t, "vm/web01/vmware.log", "vmx| TOOLS setting the tools version to '12389'\n");
}

static void
test_machine(void **state)
{
    static const char *const parts[] = {"web01/web01.vmx", "web01/web01-000001.vmdk",
        "web01/web01-000001-s001.vmdk", "web01/web01.vmdk", "web01/web01-flat.vmdk",
        "web01/web01.nvram", "web01/web01.vmsd", "web01/web01-Snapshot1.vmsn", "data/data.vmdk",
        "data/data-flat.vmdk"};
    struct world *w = *state;
    const struct sp_verdict_component *c;

    machine(w);
    finish(w);
    assert_int_equal(w->v.ncomponents, 1);
    c = unit(w, SP_UNIT_VM, "Web 01");
    assert_int_equal(c->level, SP_LEVEL_CRASH);
    assert_int_equal(c->why, SP_WHY_NO_WRITER);
    assert_string_equal(c->version, "12.3.5");
    assert_string_equal(c->detail, "VMware Tools (12.3.5) were not asked to quiesce it");
    assert_int_equal(c->npaths, sizeof parts / sizeof parts[0]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[128];

        snprintf(path, sizeof path, "vm/%s", parts[i]);
        if (!has_path(w, c, path))
            fail_msg("%s is not a part", path);
    }
}

/* One disk on a volume that is read live makes all of it live. */
static void
test_weakest(void **state)
{
    struct world *w = *state;

    machine(w);
    w->live = "vm/data";
    finish(w);
    assert_int_equal(unit(w, SP_UNIT_VM, "Web 01")->level, SP_LEVEL_LIVE);
}

static void
test_missing(void **state)
{
    struct world *w = *state;
    const struct sp_verdict_component *c;

    put(w, "vm/a.vmx",
        "scsi0:0.fileName = \"gone.vmdk\"\nscsi0:1.fileName = \"/elsewhere/b.vmdk\"\n"
        "scsi0:2.fileName = \"C:\\x\\..\\c.vmdk\"\nscsi0:3.fileName = \"raw.vmdk\"\n"
        "scsi1:0.fileName = \"../../../../../../../../../../../../up.vmdk\"\ncheckpoint.vmState = "
        "\"a.vmss\"\n");
    put(w, "vm/raw.vmdk", "# Disk DescriptorFile\nRW 63 FLAT \"/dev/sdb\" 0\n");
    finish(w);
    c = unit(w, SP_UNIT_VM, "a");
    assert_string_equal(c->detail,
        "it needs gone.vmdk (not found), /elsewhere/b.vmdk, C:\\x\\..\\c.vmdk (not found), "
        "../../../../../../../../../../../../up.vmdk, a.vmss (not found), which are not in the "
        "set; "
        "/dev/sdb of the host is one of its disks, and not in the set; it was suspended; "
        "of VMware Tools nothing was seen");
    assert_int_equal(c->npaths, 2);
    assert_null(c->version);
}

static void
test_unreadable(void **state)
{
    struct world *w = *state;

    see(w, "vm/gone.vmx");
    w->none = "none";
    see(w, "none/b.vmx");
    finish(w);
    assert_int_equal(w->v.ncomponents, 1);
    assert_non_null(
        strstr(unit(w, SP_UNIT_VM, "gone")->detail, "its configuration could not be read"));
}

/* --- writers ---------------------------------------------------------------------------------- */

static void
add_path(struct sp_verdict_component *c, const struct world *w, const char *path)
{
    char whole[4200];

    snprintf(whole, sizeof whole, "%s/%s", w->t.path, path);
    c->paths = realloc(c->paths, (c->npaths + 1) * sizeof *c->paths);
    assert_non_null(c->paths);
    c->paths[c->npaths++] = strdup(whole);
}

static struct sp_verdict_component *
writer(struct world *w, const char *name, enum sp_level l, enum sp_why why)
{
    struct sp_verdict_writer *writer;
    struct sp_verdict_component *c;
    struct sp_err e;

    assert_int_equal(sp_verdict_add_writer(&w->v, &writer, &e), SP_OK);
    writer->name = strdup(name);
    assert_int_equal(sp_verdict_add_component(&w->v, &c, &e), SP_OK);
    c->writer = (uint32_t)w->v.nwriters - 1;
    c->unit = strdup("of the writer");
    c->added = true;
    c->level = l;
    c->why = why;
    return c;
}

static void
test_writer_took_part(void **state)
{
    struct world *w = *state;
    const struct sp_verdict_component *c;

    machine(w);
    add_path(writer(w, "Registry Writer", SP_LEVEL_APPLICATION, SP_WHY_TOOK_PART), w, "vm");
    add_path(
        writer(w, "VMware Virtual Server Writer", SP_LEVEL_APPLICATION, SP_WHY_TOOK_PART), w, "vm");
    finish(w);
    c = unit(w, SP_UNIT_VM, "Web 01");
    assert_int_equal(c->level, SP_LEVEL_APPLICATION);
    assert_int_equal(c->why, SP_WHY_TOOK_PART);
    assert_int_equal(c->writer, 1);
    assert_int_equal(c->parent, 1);
    assert_null(c->detail);
}

static void
test_writer_failed(void **state)
{
    struct world *w = *state;

    machine(w);
    add_path(writer(w, "vmware writer", SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED), w, "vm");
    finish(w);
    assert_int_equal(unit(w, SP_UNIT_VM, "Web 01")->level, SP_LEVEL_CRASH);
    assert_int_equal(unit(w, SP_UNIT_VM, "Web 01")->why, SP_WHY_WRITER_FAILED);
}

/* A writer that knows of one of two disks does not speak for the machine; nor one of another maker.
 */
static void
test_writer_of_a_part(void **state)
{
    struct world *w = *state;

    machine(w);
    add_path(writer(w, "VMware Writer", SP_LEVEL_APPLICATION, SP_WHY_TOOK_PART), w, "vm/web01");
    add_path(writer(w, "VMwar Writer", SP_LEVEL_APPLICATION, SP_WHY_TOOK_PART), w, "vm");
    finish(w);
    assert_int_equal(unit(w, SP_UNIT_VM, "Web 01")->level, SP_LEVEL_CRASH);
    assert_int_equal(unit(w, SP_UNIT_VM, "Web 01")->why, SP_WHY_NO_WRITER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_access),
        TEST(test_outlook),
        TEST(test_journals),
        TEST(test_machine),
        TEST(test_weakest),
        TEST(test_missing),
        TEST(test_unreadable),
        TEST(test_writer_took_part),
        TEST(test_writer_failed),
        TEST(test_writer_of_a_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
