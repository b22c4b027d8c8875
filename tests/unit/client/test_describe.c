#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "base/thread.h"
#include "tests/unit/client/tree.h"

/* Attributes, targets, owners. */

static void
set(const struct tree *t, const char *path, const char *name, const void *p, size_t n)
{
    char *full = tree_path(t, path);

    if (lsetxattr(full, name, p, n, 0) != 0)
        fail_msg("%s of %s: %s", name, full, strerror(errno));
    free(full);
}

static struct sp_item *
describe(const struct walk *w, const char *path)
{
    struct sp_item *it = walk_find(w, path);
    struct sp_err e = {0};

    assert_non_null(it);
    if (sp_item_describe(it, &e) != SP_OK)
        fail_msg("%s: %s", path, e.text);
    assert_int_equal(it->entry->key_len, *path != '\0' ? w->skip + strlen(path) : w->skip - 1);
    return it;
}

static const struct sp_attribute *
attribute(const struct sp_item *it, const char *name)
{
    for (size_t i = 0; i < it->entry->nattributes; i++)
        if (strcmp(it->entry->attributes[i].name, name) == 0)
            return &it->entry->attributes[i];
    return NULL;
}

static void
test_attributes(void **state)
{
    /* linux/posix_acl_xattr.h: version 2, then tag, permissions, id; all little endian */
    static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 57, 48, 0,
        0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255,
        255, 255};
    uint8_t big[3000];
    struct sp_item *it;
    struct tree t;
    struct walk w;

    (void)state;
    memset(big, 0xa5, sizeof big);
    tree_new(&t);
    tree_text(&t, "many", "content");
    tree_text(&t, "none", "");
    tree_text(&t, "acl", "");
    tree_dir(&t, "d");
    set(&t, "many", "user.z", "last", 4);
    set(&t, "many", "user.a", "\0binary\xff", 8);
    set(&t, "many", "user.empty", "", 0);
    set(&t, "many", "user.big", big, sizeof big);
    set(&t, "many", "user.n\xc3\xa4me with spaces", "1", 1);
    set(&t, "acl", "system.posix_acl_access", acl, sizeof acl);
    set(&t, "d", "system.posix_acl_default", acl, sizeof acl);
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    it = walk_find(&w, "many");
    assert_int_equal(it->entry->nattributes, 0); /* a walk asks for none */
    it = describe(&w, "many");
    assert_null(it->fault);
    assert_int_equal(it->entry->flags, 0);
    assert_int_equal(it->entry->size, 7);
    assert_int_equal(it->entry->nattributes, 5);
    for (size_t i = 1; i < 5; i++)
        assert_true(strcmp(it->entry->attributes[i - 1].name, it->entry->attributes[i].name) < 0);
    assert_int_equal(attribute(it, "user.a")->len, 8);
    assert_memory_equal(attribute(it, "user.a")->value, "\0binary\xff", 8);
    assert_int_equal(attribute(it, "user.empty")->len, 0);
    assert_int_equal(attribute(it, "user.big")->len, sizeof big);
    assert_memory_equal(attribute(it, "user.big")->value, big, sizeof big);
    assert_non_null(attribute(it, "user.n\xc3\xa4me with spaces"));
    assert_memory_equal(attribute(it, "user.z")->value, "last", 4);
    assert_false(attribute(it, "user.z")->external);
    it = describe(&w, "many"); /* again: the same */
    assert_int_equal(it->entry->nattributes, 5);
    assert_int_equal(describe(&w, "none")->entry->nattributes, 0);
    it = describe(&w, "acl");
    assert_int_equal(attribute(it, "system.posix_acl_access")->len, sizeof acl);
    assert_memory_equal(attribute(it, "system.posix_acl_access")->value, acl, sizeof acl);
    it = describe(&w, "d");
    assert_memory_equal(attribute(it, "system.posix_acl_default")->value, acl, sizeof acl);
    /* The folders above the roots too. */
    struct sp_err e = {0};

    for (size_t i = 0; i < 2; i++)
        assert_int_equal(sp_item_describe(w.items[i], &e), SP_OK);
    assert_int_equal(w.items[0]->entry->key_len, 0);
    assert_string_equal(w.items[0]->entry->user, "root");
    walk_free(&w);
    tree_free(&t);
}

/* Longer than the 4096 bytes that a catalog holds inline: the pipeline's business, here it is
 * whole. */
static void
test_long_value(void **state)
{
    static uint8_t big[65536];
    struct sp_item *it;
    struct tree t;
    struct walk w;
    char *path;
    int rc;

    (void)state;
    if (access("/dev/shm", W_OK) != 0) {
        printf("no /dev/shm, whose attributes may be long\n");
        skip();
    }
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7);
    tree_new_in(&t, "/dev/shm");
    tree_text(&t, "f", "");
    path = tree_path(&t, "f");
    rc = lsetxattr(path, "user.long", big, sizeof big, 0);
    free(path);
    if (rc != 0) {
        printf("tmpfs without long attributes: %s\n", strerror(errno));
        tree_free(&t);
        skip();
    }
    walk_init(&w, &t);
    walk_root(&w, &t, "f");
    walk_all(&w);
    it = describe(&w, "f");
    assert_null(it->fault);
    assert_int_equal(it->entry->nattributes, 1);
    assert_int_equal(it->entry->attributes[0].len, sizeof big);
    assert_memory_equal(it->entry->attributes[0].value, big, sizeof big);
    walk_free(&w);
    tree_free(&t);
}

static void
test_targets(void **state)
{
    static char longest[4096], exact[257];
    struct tree t;
    struct walk w;
    struct sp_item *it;

    (void)state;
    memset(longest, 'x', 4095);
    memset(exact, 'y', 256);
    tree_new(&t);
    tree_symlink(&t, "loop", "loop");
    tree_symlink(&t, "longest", longest);
    tree_symlink(&t, "exact", exact);
    tree_symlink(&t, "bytes", "\xff/\x01\n");
    tree_symlink(&t, "root", "/");
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    it = describe(&w, "loop");
    assert_int_equal(it->entry->target_len, 4);
    assert_memory_equal(it->entry->target, "loop", 4);
    it = describe(&w, "longest");
    assert_int_equal(it->entry->target_len, 4095);
    assert_memory_equal(it->entry->target, longest, 4095);
    assert_int_equal(describe(&w, "exact")->entry->target_len, 256);
    it = describe(&w, "bytes");
    assert_int_equal(it->entry->target_len, 4);
    assert_memory_equal(it->entry->target, "\xff/\x01\n", 4);
    it = describe(&w, "root");
    assert_int_equal(it->entry->target_len, 1);
    assert_int_equal(it->entry->type, SP_ENTRY_LINK);
    for (size_t i = 0; i < w.n; i++)
        assert_null(w.items[i]->fault);
    walk_free(&w);
    tree_free(&t);
}

static void
test_owners(void **state)
{
    struct passwd *me = getpwuid(geteuid());
    struct group *mine = getgrgid(getegid());
    char user[256] = "", group[256] = "";
    struct tree t;
    struct walk w;
    struct sp_item *it;
    bool root = geteuid() == 0;

    (void)state;
    if (me != NULL)
        strcpy(user, me->pw_name);
    if (mine != NULL)
        strcpy(group, mine->gr_name);
    tree_new(&t);
    tree_text(&t, "mine", "");
    tree_text(&t, "nobody knows", "");
    if (root)
        assert_int_equal(fchownat(t.fd, "nobody knows", 54321, 54322, 0), 0);
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    it = walk_find(&w, "mine");
    assert_string_equal(it->entry->user, "");
    for (int i = 0; i < 2; i++) { /* asked, and remembered */
        it = describe(&w, "mine");
        assert_string_equal(it->entry->user, user);
        assert_string_equal(it->entry->group, group);
        it = describe(&w, "nobody knows");
        assert_string_equal(it->entry->user, root ? "" : user);
        assert_int_equal(it->entry->uid, root ? 54321 : geteuid());
        assert_int_equal(it->entry->gid, root ? 54322 : getegid());
    }
    /* Owner and mode as they are now, which is what the ACL belongs to; the times of the walk. */
    int64_t changed = walk_find(&w, "mine")->entry->ctime_ns;

    assert_int_equal(fchmodat(t.fd, "mine", 01234, 0), 0);
    it = describe(&w, "mine");
    assert_int_equal(it->entry->mode, 01234);
    assert_true(it->entry->ctime_ns == changed);
    walk_free(&w);
    tree_free(&t);
}

static void
test_special(void **state)
{
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_fifo(&t, "fifo");
    tree_socket(&t, "socket");
    if (geteuid() == 0)
        set(&t, "fifo", "trusted.of a fifo", "x", 1);
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    assert_int_equal(describe(&w, "fifo")->entry->nattributes, geteuid() == 0);
    assert_int_equal(describe(&w, "socket")->entry->nattributes, 0);
    assert_int_equal(walk_faults(&w), 0);
    walk_free(&w);
    tree_free(&t);
}

static void
test_vanished(void **state)
{
    struct tree t;
    struct walk w;
    struct sp_err e = {0};

    (void)state;
    tree_new(&t);
    tree_text(&t, "d/gone", "");
    tree_text(&t, "d/link now", "");
    tree_text(&t, "d/folder gone/x", "");
    tree_text(&t, "d/other now", "one");
    tree_text(&t, "other", "another");
    walk_init(&w, &t);
    walk_root(&w, &t, "d");
    walk_all(&w);
    tree_remove(&t, "d/gone");
    tree_remove(&t, "d/link now");
    tree_symlink(&t, "d/link now", "/etc/passwd");
    tree_remove(&t, "d/folder gone");
    assert_int_equal(sp_item_describe(walk_find(&w, "d/gone"), &e), SP_ABSENT);
    assert_int_equal(e.domain, SP_DOM_SOURCE);
    assert_int_equal(sp_item_describe(walk_find(&w, "d/link now"), &e), SP_ABSENT);
    assert_int_equal(sp_item_describe(walk_find(&w, "d/folder gone/x"), &e), SP_ABSENT);
    /* A folder stays: what was in it may be in the catalog already. */
    assert_int_equal(sp_item_describe(walk_find(&w, "d/folder gone"), &e), SP_OK);
    assert_int_equal(walk_find(&w, "d/folder gone")->entry->flags, SP_ENTRY_RECHECK);
    /* Another file of the same name: its attributes, but the file id that was walked, so that the
     * next run sees the difference. */
    uint64_t id = walk_find(&w, "d/other now")->entry->file_id;

    set(&t, "other", "user.other", "x", 1);
    tree_rename(&t, "other", "d/other now");
    assert_int_equal(describe(&w, "d/other now")->entry->nattributes, 1);
    assert_int_equal(walk_find(&w, "d/other now")->entry->file_id, id);
    walk_free(&w);
    tree_free(&t);
}

/* --- rights --------------------------------------------------------------------------------------
 */

static int
describe_as_nobody(void *arg)
{
    const struct tree *t = arg;
    struct sp_item *it;
    struct walk w;

    walk_init(&w, t);
    walk_root(&w, t, "");
    walk_all(&w);
    it = describe(&w, "secret");
    if (it->fault == NULL || it->fault->kind != SP_FAULT_ATTRIBUTES ||
        strstr(it->fault->text, "user.hidden") == NULL)
        return 1;
    if ((it->entry->flags & SP_ENTRY_UNREADABLE) == 0 || *it->entry->user == '\0')
        return 2;
    /* What could be read beside it: the ACL needs no right to read. */
    if (attribute(it, "user.hidden") != NULL || attribute(it, "system.posix_acl_access") == NULL)
        return 3;
    it = describe(&w, "open");
    if (it->fault != NULL || attribute(it, "user.seen") == NULL)
        return 4;
    walk_free(&w);
    return 0;
}

static void
test_no_right(void **state)
{
    static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 2, 0, 4, 0, 57, 48, 0,
        0, 4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255,
        255, 255};
    struct tree t;

    (void)state;
    tree_new(&t);
    tree_text(&t, "open", "");
    tree_text(&t, "secret", "");
    set(&t, "open", "user.seen", "x", 1);
    set(&t, "secret", "user.hidden", "x", 1);
    assert_int_equal(fchmodat(t.fd, "secret", 0, 0), 0);
    set(&t, "secret", "system.posix_acl_access", acl, sizeof acl);
    assert_int_equal(as_nobody(describe_as_nobody, &t), 0);
    tree_free(&t);
}

/* --- without /proc -------------------------------------------------------------------------------
 */

/* 77: /proc cannot be taken away here. */
static int
describe_without_proc(const struct tree *t)
{
    struct sp_item *it;
    struct walk w;

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        umount2("/proc", MNT_DETACH) != 0 || access("/proc/self", F_OK) == 0)
        return 77;
    walk_init(&w, t);
    walk_root(&w, t, "");
    walk_all(&w);
    it = describe(&w, "file");
    if (it->fault != NULL || attribute(it, "user.a") == NULL)
        return 1;
    it = describe(&w, "");
    if (it->fault != NULL || attribute(it, "user.d") == NULL)
        return 2;
    /* What cannot be opened cannot be asked; the target can. */
    it = describe(&w, "link");
    if (it->fault == NULL || it->fault->kind != SP_FAULT_ATTRIBUTES || it->entry->target_len != 4)
        return 3;
    walk_free(&w);
    return 0;
}

static void
test_without_proc(void **state)
{
    struct tree t;
    int status;
    pid_t pid;

    (void)state;
    tree_new(&t);
    tree_text(&t, "file", "");
    tree_symlink(&t, "link", "file");
    set(&t, "file", "user.a", "x", 1);
    set(&t, "", "user.d", "x", 1);
    assert_true((pid = fork()) >= 0);
    if (pid == 0)
        _exit(describe_without_proc(&t));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    tree_free(&t);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        printf("no right to unmount: not tested\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- from many threads ---------------------------------------------------------------------------
 */

struct share {
    struct walk *w;
    atomic_size_t next;
    atomic_uint wrong;
};

static void
describe_share(void *arg)
{
    struct share *s = arg;

    for (size_t i; (i = atomic_fetch_add(&s->next, 1)) < s->w->n;) {
        struct sp_err e = {0};

        if (sp_item_describe(s->w->items[i], &e) != SP_OK || s->w->items[i]->fault != NULL ||
            (s->w->items[i]->entry->type == SP_ENTRY_FILE &&
                s->w->items[i]->entry->nattributes != 1))
            atomic_fetch_add(&s->wrong, 1);
    }
}

/* Items of more folders than there are descriptors. */
static void
test_threads(void **state)
{
    struct sp_thread *threads[4];
    struct share s;
    struct sp_err e = {0};
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    for (int i = 0; i < 400; i++) {
        char path[64];

        (void)snprintf(path, sizeof path, "%d/%d/file", i % 20, i);
        tree_text(&t, path, "");
        set(&t, path, "user.a", "b", 1);
    }
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    s.w = &w;
    atomic_init(&s.next, 0);
    atomic_init(&s.wrong, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(sp_thread_start("describer", describe_share, &s, &threads[i], &e), SP_OK);
    for (int i = 0; i < 4; i++)
        sp_thread_join(threads[i]);
    assert_int_equal(atomic_load(&s.wrong), 0);
    walk_free(&w);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_vanished),
        cmocka_unit_test(test_no_right),
        cmocka_unit_test(test_without_proc),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
