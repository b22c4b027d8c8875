/* Links and special files: a set that puts a link where it then wants to write through it, or that
 * names a group of hard links that is none; what another process does to the target meanwhile; and
 * attributes that no system gave (R24). */

#include "repositories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "tests/unit/base/support.h"

#define MEMORY ((size_t)64 << 20)

static struct outcome *
outcome(void)
{
    struct outcome *o = malloc(sizeof *o);

    assert_non_null(o);
    return o;
}

/* --- a link, and something below it ----------------------------------------------------------- */

static const char good[] = "a\na/good\nz\nz/good\n";

/* Restores around `evil` and gives what was told; the target keeps what it has. */
static void
attempt(struct place *p, const char *what, const struct raw *evil, size_t n,
    const struct sp_restore_options *options, struct outcome *o)
{
    struct set s;

    bounds_begin(what, 30, MEMORY);
    set_new(&s);
    raw_around(&s, evil, n);
    set_restore(&s, p->target, options, o);
    if (o->code != SP_OK)
        fail_msg("%s: %s", what, o->err.text);
    place_unharmed(p);
    assert_text(p->target, "a/good", "good");
    assert_text(p->target, "z/good", "good");
    set_free(&s);
    bounds_end();
}

static void
below_a_link(void **state)
{
    (void)state;
    static const char *const to[] = {"../../outside", "../outside", "/tmp", "."};
    static const enum sp_entry_type types[] = {
        SP_ENTRY_LINK, SP_ENTRY_FILE, SP_ENTRY_FIFO, SP_ENTRY_SOCKET};
    struct outcome *o = outcome();

    for (size_t i = 0; i < 4; i++) {
        for (size_t t = 0; t < 4; t++) {
            const bool link = types[t] == SP_ENTRY_LINK;
            const struct raw evil[] = {
                {KEY("m\0way"), .type = types[t], .mode = 0777, .target = link ? to[i] : NULL,
                    .target_len = link ? strlen(to[i]) : 0},
                FOLDER("m\0way\0folder"), EMPTY("m\0way\0folder\0inside"),
                EMPTY("m\0way\0precious"), LINK("m\0way\0z", "..")};
            struct place p;

            place_new(&p);
            attempt(&p, "below a link", evil, 5, NULL, o);
            assert_int_equal(o->nfaults, 4); /* each of what is below */
            assert_int_equal(count_all(p.target), 6);
            place_free(&p);
        }
    }
    free(o);
}

/* The link is there already: from before, or from an earlier set. */
static void
below_a_link_from_before(void **state)
{
    (void)state;
    static const struct raw first[] = {LINK("m\0way", "../../outside"), LINK("m\0zig", "/tmp")},
                            second[] = {FOLDER("m\0way"), FOLDER("m\0way\0folder"),
                                EMPTY("m\0way\0folder\0inside"), EMPTY("m\0way\0precious"),
                                EMPTY("m\0zig")},
                            lost[] = {
                                EMPTY("m\0way\0precious")}; /* the folder's entry is not there */
    struct outcome *o = outcome();

    for (int how = SP_IF_EXISTS_REPLACE; how <= SP_IF_EXISTS_NEWER; how++) {
        const struct sp_restore_options options = {.if_exists = (enum sp_if_exists)how};
        struct place p;

        for (int between = 0; between < 2; between++) {
            place_new(&p);
            attempt(&p, "a link", first, 2, &options, o);
            assert_int_equal(o->nfaults, 0);
            attempt(
                &p, "a folder over a link", between ? lost : second, between ? 1 : 5, &options, o);
            if (how == SP_IF_EXISTS_REPLACE)
                assert_true(S_ISDIR(look(p.target, "m/way").st_mode));
            place_free(&p);
        }
    }
    free(o);
}

/* With components left out, a link of one folder and a folder of another meet. */
static void
folders_that_meet(void **state)
{
    (void)state;
    static const struct raw evil[] = {FOLDER("m\0one"), LINK("m\0one\0way", "../../outside"),
        FOLDER("m\0two"), FOLDER("m\0two\0way"), EMPTY("m\0two\0way\0precious")};
    struct outcome *o = outcome();

    for (size_t strip = 1; strip < 5; strip++) {
        const struct sp_restore_options options = {.strip = strip};
        struct set s;
        struct place p;

        bounds_begin("components left out", 30, MEMORY);
        set_new(&s);
        place_new(&p);
        raw_around(&s, evil, 5);
        set_restore(&s, p.target, &options, o);
        assert_int_equal(o->code, SP_OK);
        if (strip == 2)
            assert_true(S_ISREG(look(p.target, "way/precious").st_mode));
        place_free(&p);
        set_free(&s);
        bounds_end();
    }
    free(o);
}

/* --- hard links ---------------------------------------------------------------------------------
 */

#define GROUP .file_id = 7, .device = 1, .links = 3

static void
hard_links(void **state)
{
    (void)state;
    static const struct raw through[] = {{KEY("m\0a"), .type = 1, .mode = 0600, GROUP},
        LINK("m\0b", "../../outside"), {KEY("m\0b\0precious"), .type = 1, .mode = 0600, GROUP}},
                            of_folders[] = {{KEY("m\0a"), .type = 2, .mode = 0700, GROUP},
                                {KEY("m\0b"), .type = 2, .mode = 0700, GROUP},
                                {KEY("m\0c"), .type = 1, .mode = 0600, GROUP}},
                            mixed[] = {{KEY("m\0a"), .type = 3, .mode = 0777,
                                           .target = "../../outside/precious", .target_len = 22,
                                           GROUP},
                                {KEY("m\0b"), .type = 1, .mode = 0600, GROUP},
                                {KEY("m\0c"), .type = 6, .mode = 0600, GROUP},
                                {KEY("m\0d"), .type = 4, .mode = 0600,
                                    .rdev = UINT64_C(1) << 32 | 3, GROUP}},
                            links[] = {{KEY("m\0a"), .type = 3, .mode = 0777,
                                           .target = "../../outside/precious", .target_len = 22,
                                           GROUP},
                                {KEY("m\0b"), .type = 3, .mode = 0777,
                                    .target = "../../outside/precious", .target_len = 22, GROUP}},
                            alone[] = {{KEY("m\0a"), .type = 1, .mode = 0600, .file_id = UINT64_MAX,
                                .device = UINT32_MAX, .links = UINT32_MAX}},
                            lost[] = {{KEY("m\0a"), .type = 1, .flags = SP_ENTRY_UNREADABLE,
                                          .size = 9, .mode = 0600, GROUP},
                                {KEY("m\0b"), .type = 1, .mode = 0600, GROUP}};
    static const struct {
        const struct raw *evil;
        size_t n, faults, entries;
    } all[] = {{through, 3, 1, 7}, {of_folders, 3, 0, 8}, {mixed, 4, 0, 9}, {links, 2, 0, 7},
        {alone, 1, 0, 6}, {lost, 2, 1, 6}};
    struct outcome *o = outcome();

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct place p;

        place_new(&p);
        attempt(&p, "hard links", all[i].evil, all[i].n, NULL, o);
        /* A device may be beyond this user or this file system. */
        if (o->nfaults != all[i].faults && all[i].evil != mixed)
            fail_msg("%zu: %zu faults, %s", i, o->nfaults, o->faults[0].text);
        if (all[i].evil != mixed)
            assert_int_equal(count_all(p.target), all[i].entries);
        if (all[i].evil == links)
            assert_int_equal(look(p.target, "m/a").st_ino, look(p.target, "m/b").st_ino);
        place_free(&p);
    }
    free(o);
}

/* Existing names that are hard links to the outside: their other names keep content and attributes.
 */
static void
names_with_other_names(void **state)
{
    (void)state;
    const struct timespec times[2] = {
        {SET_TIME / SP_SECOND, SET_TIME % SP_SECOND}, {SET_TIME / SP_SECOND, SET_TIME % SP_SECOND}};
    static const struct raw_attribute mark[] = {{"user.mark", 9, "2", 1, NULL}};
    struct outcome *o = outcome();

    for (int links = 1; links < 3; links++) {
        for (size_t size = 7; size < 10; size++) { /* 8: equal already */
            struct set s;
            struct place p;
            char from[128], to[128];

            bounds_begin("a name with another outside", 30, MEMORY);
            set_new(&s);
            place_new(&p);
            tree_dir(&p.ground, "target/m");
            (void)snprintf(from, sizeof from, "%s/precious", p.outside);
            (void)snprintf(to, sizeof to, "%s/m/precious", p.target);
            assert_int_equal(utimensat(AT_FDCWD, from, times, 0), 0);
            assert_int_equal(link(from, to), 0);
            place_watch(&p);
            const struct sp_id id = set_chunk(&s, "precious!", size);
            const struct raw_piece piece = {size, &id};
            const struct raw evil[] = {
                {KEY("m\0precious"), .type = 1, .mode = 06777, .uid = 1, .gid = 1, .size = size,
                    .pieces = &piece, .npieces = 1, .mtime_ns = SET_TIME, .links = (uint64_t)links,
                    .file_id = 9, .device = 1, .attributes = mark, .nattributes = 1}};
            raw_around(&s, evil, 1);
            set_restore(&s, p.target, NULL, o);
            assert_int_equal(o->code, SP_OK);
            assert_int_equal(o->nfaults, 0);
            assert_int_equal(look(p.target, "m/precious").st_nlink, 1);
            /* Its link count went down, and with it its time of change: nothing else. */
            assert_text(p.outside, "precious", "precious");
            assert_int_equal(look(p.outside, "precious").st_mode & 07777, 0644);
            assert_int_equal(look(p.outside, "precious").st_uid, geteuid());
            place_watch(&p);
            place_free(&p);
            set_free(&s);
            bounds_end();
        }
    }
    free(o);
}

/* --- attributes that no system gave
 * --------------------------------------------------------------- */

static void
attributes(void **state)
{
    (void)state;
    static const char acl[] = "\x02\0\0\0\x01\0\xff\xff\xff\xff\xff\xff", huge[65536] = {'x'};
    static char name[300];
    const struct raw_attribute all[] = {{"", 0, "v", 1, NULL}, {"security.", 9, "v", 1, NULL},
        {"security.capability", 19, "garbage", 7, NULL}, {"security.evil", 13, "v", 1, NULL},
        {"system.posix_acl_access", 23, acl, sizeof acl - 1, NULL},
        {"system.posix_acl_access", 23, huge, sizeof huge, NULL},
        {"system.posix_acl_access", 23, "", 0, NULL},
        {"system.posix_acl_default", 24, acl, 4, NULL}, {"system.evil", 11, "v", 1, NULL},
        {"trusted.overlay.opaque", 22, "y", 1, NULL}, {"nonamespace", 11, "v", 1, NULL},
        {"user.", 5, "v", 1, NULL}, {name, 256, "v", 1, NULL}, {name, 299, "v", 1, NULL},
        {"user.large", 10, huge, sizeof huge, NULL}, {"../user.x", 9, "v", 1, NULL},
        {"\x1b[2J", 4, "v", 1, NULL}};
    struct outcome *o = outcome();

    memset(name, 'n', sizeof name);
    memcpy(name, "user.", 5);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int type = SP_ENTRY_FILE; type <= SP_ENTRY_SOCKET; type++) {
            const struct raw evil[] = {{KEY("m\0evil"), .type = (uint64_t)type, .mode = 0600,
                .attributes = &all[i], .nattributes = 1,
                .target = type == SP_ENTRY_LINK ? "../../outside/precious" : NULL,
                .target_len = type == SP_ENTRY_LINK ? 22 : 0, .rdev = UINT64_C(1) << 32 | 3}};
            struct place p;

            place_new(&p);
            attempt(&p, "an attribute", evil, 1, NULL, o);
            place_free(&p);
        }
    }
    free(o);
}

static void
modes_owners_devices(void **state)
{
    (void)state;
    static char longest[70000];
    const struct raw all[] = {
        {KEY("m\0e"), .type = 1, .mode = 010000},
        {KEY("m\0e"), .type = 1, .mode = UINT32_MAX},
        {KEY("m\0e"), .type = 1, .mode = UINT64_C(1) << 40},
        {KEY("m\0e"), .type = 0},
        {KEY("m\0e"), .type = 8},
        {KEY("m\0e"), .type = UINT32_MAX},
        {KEY("m\0e"), .type = 1, .uid = UINT64_C(1) << 32},
        {KEY("m\0e"), .type = 3, .target = "a\0b", .target_len = 3},
        {KEY("m\0e"), .type = 1, .target = "a", .target_len = 1},
        /* the rest are refused, or made as far as they can be, one by one */
        {KEY("m\0e"), .type = 1, .mode = 07777, .uid = UINT32_MAX, .gid = UINT32_MAX},
        {KEY("m\0e"), .type = 2, .mode = 07777, .uid = UINT32_MAX, .mtime_ns = INT64_MIN},
        {KEY("m\0e"), .type = 1, .mode = 0, .mtime_ns = INT64_MAX},
        {KEY("m\0e"), .type = 1, .mode = 0, .mtime_ns = -1},
        {KEY("m\0e"), .type = 1, .mode = 06755, .user = "no such user", .group = longest + 1},
        {KEY("m\0e"), .type = 3, .mode = 0777, .target = longest + 1, .target_len = 4095},
        {KEY("m\0e"), .type = 3, .mode = 0777, .target = longest + 1, .target_len = 4096},
        {KEY("m\0e"), .type = 3, .mode = 0777, .target = longest + 1, .target_len = 65536},
        {KEY("m\0e"), .type = 3, .mode = 0777},
        {KEY("m\0e"), .type = 4, .mode = 0600, .rdev = UINT64_MAX},
        {KEY("m\0e"), .type = 5, .mode = 0600, .rdev = UINT64_C(1) << 52},
        {KEY("m\0e"), .type = 4, .mode = 0666, .rdev = UINT64_C(1) << 32 | 3},
        {KEY("m\0e"), .type = 6, .mode = 07777, .rdev = UINT64_MAX},
        {KEY("m\0e"), .type = 7, .mode = 07777, .uid = UINT32_MAX},
    };
    struct outcome *o = outcome();

    memset(longest, 'l', sizeof longest - 1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct place p;

        place_new(&p);
        attempt(&p, "an entry out of range", &all[i], 1, NULL, o);
        if (i < 9) { /* the whole node */
            assert_listing(&p, good);
            assert_true(o->nfaults > 0);
        }
        place_free(&p);
    }
    free(o);
}

static int
set_id_without_the_right(void *arg)
{
    static const struct raw evil[] = {
        {KEY("m\0root"), .type = 1, .mode = 06755, .uid = 0, .gid = 0},
        {KEY("m\0own"), .type = 1, .mode = 06755, .uid = 65534, .gid = 65534}};
    struct place *p = arg;
    struct outcome *o = outcome();
    struct raw sorted[2] = {evil[1], evil[0]};
    struct set s;
    int rc = 1;

    set_new(&s);
    raw_around(&s, sorted, 2);
    const struct sp_restore_options options = {.numeric_owner = true};
    set_restore(&s, p->target, &options, o);
    if (o->code == SP_OK && (look(p->target, "m/root").st_mode & 07777) == 0755 &&
        (look(p->target, "m/own").st_mode & 07777) == 06755)
        rc = 0;
    set_free(&s);
    free(o);
    return rc;
}

/* Rights meant for another owner are not given to whoever restores. */
static void
set_id_bits(void **state)
{
    (void)state;
    struct place p;

    if (geteuid() != 0) {
        print_message("needs root\n");
        return;
    }
    bounds_begin("set-id bits", 30, MEMORY);
    place_new(&p);
    assert_int_equal(chown(p.target, 65534, 65534), 0);
    assert_int_equal(as_nobody(set_id_without_the_right, &p), 0);
    place_free(&p);
    bounds_end();
}

/* --- another process ----------------------------------------------------------------------------
 */

struct attack {
    const struct place *p;
    atomic_bool stop;
    atomic_uint swaps;
};

static const char *const racing[] = {"m", "m/0", "m/0/1", "m/0/1/2"};

/* Each folder of the chain, in turn, changes places with a link to a tree like it outside. */
static void
swap(void *arg)
{
    struct attack *a = arg;
    int fd = a->p->ground.fd;
    char path[64];

    for (unsigned i = 0; !atomic_load(&a->stop); i++) {
        (void)snprintf(path, sizeof path, "target/%s", racing[i % 4]);
        if (renameat2(fd, path, fd, "target/link", RENAME_EXCHANGE) != 0)
            continue;
        atomic_fetch_add(&a->swaps, 1);
        for (unsigned spin = 0; spin < i % 97 * 50; spin++)
            atomic_load(&a->stop);
        if (renameat2(fd, path, fd, "target/link", RENAME_EXCHANGE) != 0) {
            /* The restore replaced the link; what was there lies under its name now. */
            char away[64];

            (void)snprintf(away, sizeof away, "target/away-%u", i);
            (void)renameat(fd, "target/link", fd, away);
            if (symlinkat("../outside/m", fd, "target/link") != 0)
                continue; /* it is there */
        }
    }
}

/* So deep that descriptors are closed and folders opened again, with members of hard links in each,
 * which are placed at the end. */
static void
racing_set(struct set *s)
{
    static const char *const keys[] = {"", "m", "m/0", "m/0/1", "m/0/1/2"};

    for (int i = 0; i < 5; i++)
        set_dir(s, keys[i]);
    for (int i = 1; i < 5; i++) {
        for (int k = 0; k < 12; k++) {
            char path[64];
            struct sp_entry *en;

            (void)snprintf(path, sizeof path, "%s/f%02d", keys[i], k);
            en = set_text(s, path, "evil");
            if (k % 3 == 0) {
                en->file_id = (uint64_t)k + 1;
                en->device = 1;
                en->links = 4;
            }
            (void)snprintf(path, sizeof path, "%s/s%02d", keys[i], k);
            (void)set_symlink(s, path, "../../outside/precious");
        }
    }
    set_commit(s);
}

static void
racing_folders(void **state)
{
    (void)state;
    unsigned rounds = hostile_long() ? 250 : 60;
    struct outcome *o = outcome();
    struct set s;
    struct place p;
    unsigned swaps = 0;

    set_new(&s);
    racing_set(&s);
    for (unsigned round = 0; round < rounds; round++) {
        struct attack a = {.p = &p};
        struct sp_thread *thread = NULL;

        bounds_begin("folders that change places", 60, MEMORY);
        place_new(&p);
        tree_dir(&p.ground, "outside/m/0/1/2");
        tree_symlink(&p.ground, "target/link", "../outside/m");
        if (hostile_random() % 2)
            tree_dir(&p.ground, "target/m/0/1/2");
        place_watch(&p);
        assert_ok(sp_thread_start("attack", swap, &a, &thread, e));
        set_restore(&s, p.target, NULL, o);
        set_restore(&s, p.target, NULL, o);
        atomic_store(&a.stop, true);
        sp_thread_join(thread);
        swaps += atomic_load(&a.swaps);
        place_unharmed(&p);
        place_free(&p);
        bounds_end();
    }
    print_message("folders changed places %u times in %u rounds\n", swaps, rounds);
    assert_true(swaps > rounds);
    set_free(&s);
    free(o);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_a_link),
        cmocka_unit_test(below_a_link_from_before),
        cmocka_unit_test(folders_that_meet),
        cmocka_unit_test(hard_links),
        cmocka_unit_test(names_with_other_names),
        cmocka_unit_test(attributes),
        cmocka_unit_test(modes_owners_devices),
        cmocka_unit_test(set_id_bits),
        cmocka_unit_test(racing_folders),
    };
    int rc;

    if (argc > 1) /* one test alone, by its name */
        cmocka_set_test_filter(argv[1]);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_closing("links");
    return rc;
}
