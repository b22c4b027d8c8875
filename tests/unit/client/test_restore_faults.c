/* What is missing, damaged, hostile, or in the way: told, and all else restored (R11, R16, R18). */

#include "sets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/nodes.h"
#include "client/target.h"
#include "tests/unit/base/support.h"
#include "tree.h"

static const struct sp_entry plain = {.type = SP_ENTRY_FILE, .user = "", .group = ""};

struct fixture {
    struct tree t;
    struct set s;
    struct outcome o;
};

static void
begin(struct fixture *f)
{
    tree_new(&f->t);
    set_new(&f->s);
    set_dir(&f->s, "");
}

static void
end(struct fixture *f)
{
    set_free(&f->s);
    tree_free(&f->t);
}

/* One file is gone; its neighbours in the same window are not harmed, its folder is finished. */
static void
a_chunk_is_missing(void **state)
{
    struct fixture f;
    struct sp_id id;

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    set_dir(&f.s, "d");
    set_text(&f.s, "d/before", "before");
    set_bytes(&f.s, "d/lost", "lost lost again", 15, 5);
    set_text(&f.s, "d/twin", "lost ");
    set_text(&f.s, "later", "later");
    set_commit(&f.s);
    id = set_chunk_id(&f.s, "lost ", 5);
    memory_store_lose(&f.s.memory, &id);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 2);
    assert_non_null(strstr(outcome_fault(&f.o, "d/lost"), "missing from the repository"));
    assert_non_null(outcome_fault(&f.o, "d/twin"));
    assert_text(f.t.path, "d/before", "before");
    assert_text(f.t.path, "later", "later");
    assert_false(exists(f.t.path, "d/lost"));
    assert_int_equal(count_temporary(f.t.path), 0);
    assert_int_equal(look(f.t.path, "d").st_mtim.tv_sec, SET_TIME / 1000000000);
    assert_int_equal(f.o.stats.files, 2);
    assert_int_equal(f.o.stats.entries, 4);
    end(&f);
}

static void
a_copy_is_bad(void **state)
{
    struct fixture f;
    struct sp_id id, gone;
    size_t given;

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    set_text(&f.s, "good", "good");
    set_text(&f.s, "twice", "bad, then good");
    set_text(&f.s, "gone", "bad wherever it is");
    set_commit(&f.s);
    id = set_chunk_id(&f.s, "bad, then good", 14);
    gone = set_chunk_id(&f.s, "bad wherever it is", 18);
    memory_store_double(&f.s.memory, &id);
    memory_store_damage(&f.s.memory, &id, 1);
    memory_store_double(&f.s.memory, &gone);
    memory_store_damage(&f.s.memory, &gone, 2);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 1);
    assert_non_null(strstr(outcome_fault(&f.o, "gone"), "damaged"));
    assert_text(f.t.path, "good", "good");
    assert_text(f.t.path, "twice", "bad, then good");
    assert_int_equal(f.s.memory.highest_copy, 2);

    /* Every block is asked for once: the good one, and no more of it for the others' sake. */
    given = f.s.memory.given;
    assert_int_equal(given, 1 /* node */ + 3 + 2);
    end(&f);
}

/* A leaf of the catalog is lost: what it held is told as a gap, what is behind it is restored, also
 * in folders whose own entry was in it. */
static void
a_node_is_missing(void **state)
{
    struct fixture f;
    struct sp_catalog *c = NULL;
    struct sp_nodes *nodes = NULL;
    struct sp_node_source source;
    const struct sp_entry *en = NULL;
    char path[64], text[64];
    size_t told = 0, there = 0, leaves;

    (void)state;
    begin(&f);
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "folder %02d", i);
        set_dir(&f.s, path);
        for (int k = 0; k < 100; k++) {
            snprintf(path, sizeof path, "folder %02d/file %02d", i, k);
            snprintf(text, sizeof text, "%d", i * k);
            set_text(&f.s, path, text);
        }
    }
    set_commit(&f.s);
    /* One block of nodes that is not the root's. */
    leaves = f.s.memory.nblocks;
    for (size_t i = 0; i < leaves; i++) {
        struct stored_block *b = &f.s.memory.blocks[i];
        struct sp_id first;

        if (b->header.kind != SP_BLOCK_NODES ||
            bsearch(f.s.root.b, b->header.ids, b->header.nids, SP_ID_SIZE, sp_id_cmp) != NULL)
            continue;
        memcpy(first.b, b->header.ids, SP_ID_SIZE);
        memory_store_lose(&f.s.memory, &first);
        told++;
        break;
    }
    assert_int_equal(told, 1);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_true(f.o.nfaults >= 1);
    assert_non_null(strstr(f.o.faults[0].text, "can be restored"));
    assert_non_null(strstr(f.o.faults[0].text, "before"));

    /* Exactly what the catalog still has is there. */
    assert_ok(sp_nodes_new(&sp_env_system, &f.s.memory.store, f.s.keys, NULL, &nodes, e));
    source = sp_nodes_source(nodes);
    assert_ok(sp_catalog_open(&source, &f.s.root, &c, e));
    for (;;) {
        struct sp_err e = {0};
        char shown[128] = "";
        enum sp_code rc = sp_catalog_next(c, &en, &e);

        if (rc == SP_ABSENT) {
            assert_int_equal(sp_catalog_skip(c, &e), SP_OK);
            continue;
        }
        assert_int_equal(rc, SP_OK);
        if (en == NULL)
            break;
        memcpy(shown, en->key, en->key_len);
        for (size_t i = 0; i < en->key_len; i++)
            shown[i] = shown[i] == '\0' ? '/' : shown[i];
        assert_true(exists(f.t.path, shown));
        there += en->type == SP_ENTRY_FILE;
    }
    assert_int_equal(f.o.stats.files, there);
    assert_true(there > 100 && there < 4000);
    sp_catalog_free(c);
    sp_nodes_free(nodes);
    end(&f);
}

static void
the_root_is_missing(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    set_text(&f.s, "file", "x");
    set_commit(&f.s);
    memory_store_lose(&f.s.memory, &f.s.root);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_ABSENT);
    assert_non_null(strstr(f.o.err.text, "catalog"));
    assert_int_equal(count_all(f.t.path), 0);
    end(&f);
}

static void
the_store_is_lost(void **state)
{
    struct fixture f;
    char path[64];
    uint8_t big[3 << 20];

    (void)state;
    begin(&f);
    set_dir(&f.s, "d")->mode = 0500;
    for (int i = 0; i < 20; i++) { /* several windows */
        fill(big, sizeof big, (uint64_t)i);
        snprintf(path, sizeof path, "d/%02d", i);
        set_bytes(&f.s, path, big, sizeof big, 500000);
    }
    set_commit(&f.s);
    f.s.memory.fail_get = 4; /* the catalog, two windows, then: the first is written by now */
    f.s.memory.fail_code = SP_UNREACHABLE;
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_UNREACHABLE);
    assert_non_null(strstr(f.o.err.text, "was made to fail"));
    assert_int_equal(count_temporary(f.t.path), 0);

    /* And again, with a store: what is whole is not fetched again. */
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.stats.files, 20);
    assert_true(f.o.stats.files_equal > 0);
    assert_bytes(f.t.path, "d/19", big, sizeof big);
    assert_int_equal(look(f.t.path, "d").st_mode & 07777, 0500);
    end(&f);
}

/* --- the target
 * ----------------------------------------------------------------------------------------- */

static void
the_target_is_full(void **state)
{
    struct fixture f;
    char path[64], *full;
    uint8_t big[1 << 20];

    (void)state;
    begin(&f);
    full = tree_path(&f.t, "full");
    tree_dir(&f.t, "full");
    if (geteuid() != 0 || mount("none", full, "tmpfs", 0, "size=4m") != 0) {
        free(full);
        end(&f);
        skip();
    }
    for (int i = 0; i < 10; i++) {
        fill(big, sizeof big, (uint64_t)i);
        snprintf(path, sizeof path, "%02d", i);
        set_bytes(&f.s, path, big, sizeof big, 500000);
    }
    set_commit(&f.s);
    set_restore(&f.s, full, NULL, &f.o);
    assert_int_equal(f.o.code, SP_FULL);
    assert_int_equal(f.o.err.domain, SP_DOM_DESTINATION);
    assert_non_null(strstr(f.o.err.text, "/0")); /* which file it was */
    assert_int_equal(count_temporary(full), 0);
    assert_int_equal(mount("none", full, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=4m"), 0);
    set_restore(&f.s, full, NULL, &f.o);
    assert_int_equal(f.o.code, SP_DENIED);
    assert_int_equal(f.o.err.os, EROFS);
    assert_non_null(strstr(f.o.err.text, "/0"));
    assert_int_equal(umount(full), 0);
    free(full);
    end(&f);
}

static void
a_target_that_is_no_folder(void **state)
{
    struct fixture f;
    char *path;

    (void)state;
    begin(&f);
    set_text(&f.s, "file", "x");
    set_commit(&f.s);
    tree_text(&f.t, "plain", "x");
    path = tree_path(&f.t, "plain");
    set_restore(&f.s, path, NULL, &f.o);
    assert_int_not_equal(f.o.code, SP_OK);
    assert_text(f.t.path, "plain", "x");
    free(path);
    end(&f);
}

/* --- hostile sets
 * ---------------------------------------------------------------------------------------- */

static struct sp_entry *
hostile_file(
    struct set *s, const char *path, uint64_t size, uint64_t length, const struct sp_id *id)
{
    struct sp_entry *en = set_entry(s, path, SP_ENTRY_FILE);
    struct sp_segment *segment = calloc(1, sizeof *segment);

    assert_non_null(segment);
    segment->length = length;
    segment->hole = id == NULL;
    if (id != NULL)
        segment->id = *id;
    en->size = size;
    en->segments = segment;
    en->nsegments = 1;
    return en;
}

static void
impossible_sizes(void **state)
{
    const uint64_t huge = UINT64_C(1) << 60;
    struct fixture f;
    struct sp_id id;

    (void)state;
    begin(&f);
    id = set_chunk(&f.s, "four", 4);
    hostile_file(&f.s, "huge chunk", huge, huge, &id);
    hostile_file(&f.s, "huge hole", huge, huge, NULL);
    hostile_file(&f.s, "length of 8", 8, 8, &id);
    hostile_file(&f.s, "length of 3", 3, 3, &id);
    set_text(&f.s, "plain", "four");
    set_commit(&f.s);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 4);
    assert_non_null(outcome_fault(&f.o, "huge chunk"));
    assert_non_null(outcome_fault(&f.o, "huge hole"));
    assert_non_null(outcome_fault(&f.o, "length of 8"));
    assert_non_null(outcome_fault(&f.o, "length of 3"));
    assert_text(f.t.path, "plain", "four");
    assert_int_equal(count_all(f.t.path), 1);
    end(&f);
}

/* The same chunk claimed with two lengths: the one that lies is told, whichever comes first. */
static void
two_lengths(void **state)
{
    struct fixture f;
    struct sp_id id;

    (void)state;
    begin(&f);
    id = set_chunk(&f.s, "four", 4);
    set_text(&f.s, "a", "four");
    hostile_file(&f.s, "b", 3, 3, &id);
    set_commit(&f.s);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 1);
    assert_non_null(strstr(outcome_fault(&f.o, "b"), "another length"));
    assert_text(f.t.path, "a", "four");
    end(&f);
}

static void
files_with_an_inside(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    tree_text(&f.t, "outside/keep", "keep");
    set_symlink(&f.s, "restored/link", "../outside");
    set_text(&f.s, "restored/link/evil", "evil");
    set_dir(&f.s, "restored");
    set_text(&f.s, "restored/file", "file");
    set_dir(&f.s, "restored/file/folder");
    set_text(&f.s, "restored/file/folder/evil", "evil");
    /* Without an entry of its own: made, for its owner only. */
    set_text(&f.s, "no entry/inner/file", "x");
    set_commit(&f.s);
    for (int i = 0; i < 2; i++) {
        set_restore(&f.s, f.t.path, NULL, &f.o);
        assert_int_equal(f.o.code, SP_OK);
        assert_int_equal(f.o.nfaults, 3);
        assert_non_null(outcome_fault(&f.o, "restored/link/evil"));
        assert_non_null(outcome_fault(&f.o, "restored/file/folder/evil"));
        assert_text(f.t.path, "restored/file", "file");
        assert_true(S_ISLNK(look(f.t.path, "restored/link").st_mode));
        assert_false(exists(f.t.path, "outside/evil"));
        assert_text(f.t.path, "no entry/inner/file", "x");
        assert_int_equal(look(f.t.path, "no entry").st_mode & 07777, 0700);
    }
    end(&f);
}

static void
odd_attributes(void **state)
{
    static const char nothing[70000];
    struct fixture f;
    struct sp_id id;
    struct sp_entry *en;
    char name[16];

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    set_attribute(&f.s, set_text(&f.s, "a", "a"), "no.such.kind", "x", 1, false);
    set_attribute(&f.s, set_text(&f.s, "b", "b"), "user.huge", nothing, sizeof nothing, true);
    set_attribute(&f.s, set_text(&f.s, "c", "c"), "user.lost", "lost value", 10, true);
    set_attribute(&f.s, set_dir(&f.s, "d"), "user.lost", "lost value", 10, true);
    set_attribute(&f.s, set_symlink(&f.s, "e", "e"), "trusted.lost", "lost value", 10, true);
    set_attribute(&f.s, set_text(&f.s, "f", "f"), "system.posix_acl_access", "nonsense", 8, false);
    en = set_text(&f.s, "g", "g");
    en->uid = en->gid = UINT32_MAX;
    en->mode = 06755;
    en = set_symlink(&f.s, "h", "");
    en = set_entry(&f.s, "i", SP_ENTRY_CHAR);
    en->rdev = UINT64_MAX;
    en = set_text(&f.s, "j", "j");
    for (int i = 0; i < SP_TARGET_LONG_ATTRIBUTES + 9; i++) {
        snprintf(name, sizeof name, "user.%04d", i);
        set_attribute(&f.s, en, name, name, sizeof name, true);
    }
    set_commit(&f.s);
    id = set_chunk_id(&f.s, "lost value", 10);
    memory_store_lose(&f.s.memory, &id);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    for (const char *p = "abcdefg"; *p != '\0'; p++)
        assert_true(exists(f.t.path, (const char[]){*p, 0}));
    /* Its owner is who restores it: then not with that owner's rights for all. */
    assert_int_equal(look(f.t.path, "g").st_mode & 07777, 0755);
    assert_int_equal(look(f.t.path, "d").st_mtim.tv_sec, SET_TIME / 1000000000);
    assert_null(outcome_fault(&f.o, "a"));
    assert_non_null(outcome_fault(&f.o, "b"));
    assert_non_null(strstr(outcome_fault(&f.o, "c"), "attribute"));
    assert_non_null(strstr(outcome_fault(&f.o, "d"), "attribute"));
    assert_non_null(strstr(outcome_fault(&f.o, "e"), "attribute"));
    assert_non_null(outcome_fault(&f.o, "h"));
    assert_non_null(outcome_fault(&f.o, "i"));
    assert_non_null(strstr(outcome_fault(&f.o, "j"), "too many"));
    assert_text(f.t.path, "j", "j");
    assert_int_equal(f.o.nfaults, 7);
    assert_true(f.o.stats.not_supported >= 3);
    end(&f);
}

/* The catalog's reader refuses such keys; the target does not rely on that. */
static void
names_are_checked(void **state)
{
    static const char *const bad[] = {"", ".", "..", "/", "a/b", "/a", "a/", "../x"};
    struct tree t;
    struct sp_target *target = NULL;
    struct sp_target_options o = {0};
    struct sp_target_dir *root, *d = NULL;
    struct sp_target_stat st;
    struct sp_target_file *file = NULL;
    struct sp_target_old *old = NULL;
    struct sp_entry en = {.type = SP_ENTRY_LINK,
        .user = "",
        .group = "",
        .target = (const uint8_t *)"x",
        .target_len = 1};
    struct sp_err flaw;
    bool same;

    (void)state;
    tree_new(&t);
    o.path = t.path;
    assert_ok(sp_target_open(&sp_env_system, &o, &target, e));
    root = sp_target_root(target);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_code(SP_INVALID, sp_target_name_check(root, bad[i], strlen(bad[i]), 0, e));
        assert_code(SP_INVALID, sp_target_look(root, bad[i], &st, e));
        assert_code(SP_INVALID, sp_target_remove(root, bad[i], true, e));
        assert_code(SP_INVALID, sp_target_dir_make(root, bad[i], NULL, &d, e));
        assert_code(SP_INVALID, sp_target_dir_enter(root, bad[i], &d, e));
        assert_code(SP_INVALID, sp_target_special(root, &en, bad[i], true, NULL, &flaw, e));
        assert_code(SP_INVALID, sp_target_adjust(root, bad[i], &en, NULL, &flaw, e));
        assert_code(SP_INVALID, sp_target_is_same(root, bad[i], &en, &same, e));
        assert_code(SP_INVALID, sp_target_old_open(root, bad[i], &old, e));
        assert_ok(sp_target_file_create(root, &plain, &file, e));
        en.type = SP_ENTRY_FILE;
        assert_code(SP_INVALID, sp_target_file_publish(file, &en, bad[i], true, NULL, &flaw, e));
        en.type = SP_ENTRY_LINK;
    }
    assert_code(SP_INVALID, sp_target_name_check(NULL, "a\0b", 3, 0, e));
    assert_ok(sp_target_name_check(NULL, "...", 3, 0, e));
    sp_target_free(target);
    assert_int_equal(count_all(t.path), 0);
    tree_free(&t);
}

/* A file that is not as long as it should be gets no name. */
static void
short_files_get_no_name(void **state)
{
    struct tree t;
    struct sp_target *target = NULL;
    struct sp_target_options o = {0};
    struct sp_target_file *file = NULL;
    struct sp_entry en = {.type = SP_ENTRY_FILE, .user = "", .group = "", .size = 10};
    struct sp_err flaw;

    (void)state;
    tree_new(&t);
    o.path = t.path;
    assert_ok(sp_target_open(&sp_env_system, &o, &target, e));
    assert_ok(sp_target_file_create(sp_target_root(target), &plain, &file, e));
    assert_ok(sp_target_file_write(file, 0, "nine byte", 9, e));
    assert_code(SP_IO, sp_target_file_publish(file, &en, "short", true, NULL, &flaw, e));
    assert_ok(sp_target_file_create(sp_target_root(target), &plain, &file, e));
    sp_target_file_drop(file);
    sp_target_free(target);
    assert_int_equal(count_all(t.path), 0);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_is_missing),
        cmocka_unit_test(a_copy_is_bad),
        cmocka_unit_test(a_node_is_missing),
        cmocka_unit_test(the_root_is_missing),
        cmocka_unit_test(the_store_is_lost),
        cmocka_unit_test(the_target_is_full),
        cmocka_unit_test(a_target_that_is_no_folder),
        cmocka_unit_test(impossible_sizes),
        cmocka_unit_test(two_lengths),
        cmocka_unit_test(files_with_an_inside),
        cmocka_unit_test(odd_attributes),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(short_files_get_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
