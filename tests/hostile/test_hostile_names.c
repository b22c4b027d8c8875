/* Names that an attacker puts into a catalog: those that could lead out of the target are refused
 * by the reader of nodes and, again, by the target; all others are restored as the bytes they are
 * (R24, R11). The grammar is that of the platform written to; there is one so far. */

#include "repositories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "client/target.h"
#include "storage/tree_node.h"
#include "tests/unit/base/support.h"

static const struct sp_entry plain = {.type = SP_ENTRY_FILE, .user = "", .group = ""};

#define MEMORY ((size_t)64 << 20)

static const char around[] = "a\na/good\nz\nz/good\n";

/* --- keys that no one may have -----------------------------------------------------------------
 */

struct text {
    const char *p;
    size_t n;
};
#define B(s)                                                                                       \
    {                                                                                              \
        s, sizeof s - 1                                                                            \
    }

static const struct text impossible[] = {B("m\0."), B("m\0.."), B("m\0..\0x"), B("m\0.\0x"),
    B("m\0/"), B("m\0/etc/passwd"), B("m\0a/b"), B("m\0../outside/precious"), B("m\0..\0..\0x"),
    B("m\0../../outside/precious"), B("m\0"), B("m\0\0"), B("m\0\0x"), B("m\0x\0"), B("m\0x\0\0y"),
    B("m/.."), B("m\0x/"), B("m\0//"), B("m\0..\0outside\0precious")};

static void
assert_refused(const struct outcome *o, const char *what)
{
    if (o->code != SP_OK || o->nfaults == 0)
        fail_msg("%s: %s, %zu faults", what, sp_code_word(o->code), o->nfaults);
}

static void
keys_that_lead_out(void **state)
{
    (void)state;
    static const enum sp_entry_type types[] = {
        SP_ENTRY_FILE, SP_ENTRY_DIR, SP_ENTRY_LINK, SP_ENTRY_FIFO};

    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        for (size_t t = 0; t < 4; t++) {
            const struct raw evil = {.key = impossible[i].p,
                .key_len = impossible[i].n,
                .type = types[t],
                .mode = 0777,
                .target = types[t] == SP_ENTRY_LINK ? "../outside" : NULL,
                .target_len = types[t] == SP_ENTRY_LINK ? 10 : 0};
            struct set s;
            struct place p;
            struct outcome *o = malloc(sizeof *o);

            assert_non_null(o);
            bounds_begin("a key that leads out", 20, MEMORY);
            set_new(&s);
            place_new(&p);
            raw_around(&s, &evil, 1);
            set_restore(&s, p.target, NULL, o);
            assert_refused(o, impossible[i].p + 2);
            assert_non_null(strstr(o->faults[0].text, "impossible key"));
            assert_listing(&p, around);
            place_free(&p);
            set_free(&s);
            free(o);
            bounds_end();
        }
    }
}

/* What only the nodes above know the first keys of. */
static void
first_keys_that_lead_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        const struct raw root[] = {FOLDER("")}, evil[] = {{.key = impossible[i].p,
                                                    .key_len = impossible[i].n,
                                                    .type = SP_ENTRY_DIR,
                                                    .mode = 0777}};
        struct sp_err err = {0};
        struct sp_restore_stats stats;
        struct set s;
        struct place p;

        bounds_begin("a first key that leads out", 20, MEMORY);
        set_new(&s);
        place_new(&p);
        const struct raw_child children[] = {{"", 0, raw_leaf(&s, root, 1), 1, 0},
            {impossible[i].p, impossible[i].n, raw_leaf(&s, evil, 1), 1, 0}};
        const struct sp_restore_options o = {.target = p.target, .temp_dir = "/tmp"};

        s.root = raw_parent(&s, 1, children, 2);
        set_seal_nodes(&s);
        assert_int_equal(SP_CORRUPT, sp_restore_run(&sp_env_system, &s.memory.store, s.keys,
                                         &s.root, &o, NULL, &stats, &err));
        assert_non_null(strstr(err.text, "impossible key"));
        assert_listing(&p, "");
        place_free(&p);
        set_free(&s);
        bounds_end();
    }
}

static void
order_and_length(void **state)
{
    (void)state;
    char *longest = malloc(SP_KEY_MAX + 1);
    const struct raw twice[] = {EMPTY("m\0x"), EMPTY("m\0x")},
                     unsorted[] = {EMPTY("m\0y"), EMPTY("m\0x")},
                     too_long[] = {{.key = longest, .key_len = SP_KEY_MAX + 1, .type = 1}},
                     before[] = {EMPTY("a\0evil")}, behind[] = {EMPTY("z\0evil")};
    const struct {
        const struct raw *evil;
        size_t n;
    } all[] = {{twice, 2}, {unsorted, 2}, {too_long, 1}, {before, 1}, {behind, 1}};

    assert_non_null(longest);
    memset(longest, 'n', SP_KEY_MAX + 1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct set s;
        struct place p;
        struct outcome *o = malloc(sizeof *o);

        assert_non_null(o);
        bounds_begin("keys out of order", 20, MEMORY);
        set_new(&s);
        place_new(&p);
        raw_around(&s, all[i].evil, all[i].n);
        set_restore(&s, p.target, NULL, o);
        assert_refused(o, "keys out of order");
        assert_listing(&p, around);
        place_free(&p);
        set_free(&s);
        free(o);
        bounds_end();
    }
    free(longest);
}

/* --- names that other systems, shells and terminals trip over ------------------------------------
 */

static const struct text odd[] = {B("\\"), B("..\\..\\outside\\x"), B("C:"), B("C:foo"),
    B("\\\\?\\C:\\x"), B("\x01"), B("\x1b[2J\x1b]0;title\x07"), B("\r"), B("\n"), B("a\nb"),
    B("\xff\xfe"), B("\xc0\xaf"), B("\xed\xa0\x80"), B("\xed\xa0\x80\xed\xb0\x80"),
    B("\xe2\x80\xaegpj.exe"), B("\xc2\x9b\x32J"), B("CON"), B("nul.txt"), B("COM1"), B("dot."),
    B("space "), B(" "), B("a:stream"), B("-rf"), B("~"), B("..."), B(".. "),
    B("..."
      "x"),
    B("$(touch x)"), B("%s%n"), B("\x7f"), B("*"), B("?"), B("\""), B("'"), B("|"), B("e\xcc\x81"),
    B("\xc3\xa9"), B("STRASSE"),
    B("stra\xc3\x9f"
      "e"),
    B(".stillpoint-restore-"), B(".stillpoint-restore-0000000000000000-00000000")};

static int
by_bytes(const void *a, const void *b)
{
    const struct raw *x = a, *y = b;

    return sp_key_cmp(x->key, x->key_len, y->key, y->key_len);
}

/* Entries "m\0NAME" for all of them, sorted. */
static struct raw *
odd_entries(size_t *ret_n)
{
    size_t n = sizeof odd / sizeof *odd;
    struct raw *all = calloc(n, sizeof *all), *kept = all;

    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        char *key = malloc(odd[i].n + 2);

        assert_non_null(key);
        memcpy(key, "m", 2);
        memcpy(key + 2, odd[i].p, odd[i].n);
        all[i] =
            (struct raw){.key = key, .key_len = odd[i].n + 2, .type = SP_ENTRY_FILE, .mode = 0640};
    }
    qsort(all, n, sizeof *all, by_bytes);
    for (size_t i = 1; i < n; i++) { /* the list may have one twice */
        if (by_bytes(kept, &all[i]) == 0)
            free((void *)(uintptr_t)all[i].key);
        else
            *++kept = all[i];
    }
    *ret_n = (size_t)(kept - all) + 1;
    return all;
}

static void
odd_free(struct raw *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)all[i].key);
    free(all);
}

static void
names_are_bytes(void **state)
{
    (void)state;
    size_t n;
    struct raw *all = odd_entries(&n);
    struct outcome *o = malloc(sizeof *o);
    struct set s;
    struct place p;

    assert_non_null(o);
    bounds_begin("odd names", 20, MEMORY);
    set_new(&s);
    place_new(&p);
    raw_around(&s, all, n);
    set_restore(&s, p.target, NULL, o);
    assert_int_equal(o->code, SP_OK);
    assert_int_equal(o->nfaults, 0);
    for (size_t i = 0; i < n; i++) {
        char path[256];
        struct stat st;

        (void)snprintf(path, sizeof path, "%s/m/%.*s", p.target, (int)all[i].key_len - 2,
            (const char *)all[i].key + 2);
        assert_int_equal(lstat(path, &st), 0);
        assert_true(S_ISREG(st.st_mode));
    }
    assert_int_equal(count_all(p.target), n + 5);
    place_free(&p);
    set_free(&s);
    free(o);
    odd_free(all, n);
    bounds_end();
}

static void
long_names(void **state)
{
    (void)state;
    static const size_t lengths[] = {255, 256, 4096, 65535, SP_KEY_MAX - 2};
    char *key = malloc(SP_KEY_MAX);

    assert_non_null(key);
    memset(key, 'n', SP_KEY_MAX);
    memcpy(key, "m", 2);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int dir = 0; dir < 2; dir++) {
            const struct raw evil = {.key = key,
                .key_len = lengths[i] + 2,
                .mode = 0700,
                .type = dir ? SP_ENTRY_DIR : SP_ENTRY_FILE};
            struct outcome *o = malloc(sizeof *o);
            struct set s;
            struct place p;

            assert_non_null(o);
            bounds_begin("a long name", 20, MEMORY);
            set_new(&s);
            place_new(&p);
            raw_around(&s, &evil, 1);
            set_restore(&s, p.target, NULL, o);
            assert_int_equal(o->code, SP_OK);
            assert_int_equal(o->nfaults, lengths[i] > 255);
            assert_int_equal(count_all(p.target), 5 + (lengths[i] <= 255));
            place_free(&p);
            set_free(&s);
            free(o);
            bounds_end();
        }
    }
    free(key);
}

/* --- the target by itself ------------------------------------------------------------------------
 */

static void
target_refuses(struct sp_target_dir *d, const char *name)
{
    const struct sp_entry file = {.type = SP_ENTRY_FILE, .mode = 0600, .user = "", .group = ""},
                          link = {.type = SP_ENTRY_LINK,
                              .mode = 0777,
                              .user = "",
                              .group = "",
                              .target = (const uint8_t *)"../outside",
                              .target_len = 10};
    struct sp_target_dir *other = NULL;
    struct sp_target_file *f = NULL;
    struct sp_target_old *old = NULL;
    struct sp_target_stat st = {0};
    struct sp_err flaw = {0};
    bool same;

    hostile_case();
    assert_code(SP_INVALID, sp_target_name_check(d, name, strlen(name), 0, e));
    assert_code(SP_INVALID, sp_target_look(d, name, &st, e));
    assert_code(SP_INVALID, sp_target_remove(d, name, false, e));
    assert_code(SP_INVALID, sp_target_remove(d, name, true, e));
    assert_code(SP_INVALID, sp_target_dir_make(d, name, NULL, &other, e));
    assert_code(SP_INVALID, sp_target_dir_enter(d, name, &other, e));
    assert_code(SP_INVALID, sp_target_old_open(d, name, &old, e));
    assert_code(SP_INVALID, sp_target_adjust(d, name, &file, NULL, &flaw, e));
    assert_code(SP_INVALID, sp_target_is_same(d, name, &link, &same, e));
    assert_code(SP_INVALID, sp_target_special(d, &link, name, true, &st, &flaw, e));
    assert_code(SP_INVALID, sp_target_link(d, name, &st, d, &link, "x", true, e));
    assert_ok(sp_target_file_create(d, &plain, &f, e));
    assert_code(SP_INVALID, sp_target_file_publish(f, &file, name, true, NULL, &flaw, e));
    assert_ok(sp_target_file_create(d, &plain, &f, e));
    assert_ok(sp_target_file_publish(f, &file, "good", true, &st, &flaw, e));
    assert_code(SP_INVALID, sp_target_link(d, "good", &st, d, &link, name, true, e));
    assert_ok(sp_target_remove(d, "good", false, e));
}

static void
names_at_the_target(void **state)
{
    (void)state;
    static const char *const names[] = {
        "", ".", "..", "/", "a/b", "../beside", "../outside/precious", "/etc/passwd", "a/", "//"};
    struct sp_target *t = NULL;
    struct place p;

    bounds_begin("the target's own check", 20, MEMORY);
    place_new(&p);
    const struct sp_target_options o = {.path = p.target};
    assert_ok(sp_target_open(&sp_env_system, &o, &t, e));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        target_refuses(sp_target_root(t), names[i]);
    assert_code(SP_INVALID, sp_target_name_check(NULL, "a\0b", 3, 0, e));
    assert_listing(&p, "");
    sp_target_free(t);
    place_free(&p);
    bounds_end();
}

/* --- names that are one name where case folds
 * ------------------------------------------------------ */

/* The linker puts it before the target's own: where no file system folds case, it says that one
 * does. */
bool __real_sp_target_folds(const struct sp_target *t);
bool __wrap_sp_target_folds(const struct sp_target *t);

static bool pretend;

bool
__wrap_sp_target_folds(const struct sp_target *t)
{
    return pretend || __real_sp_target_folds(t);
}

static bool
mount_folding(const char *image, const char *at)
{
    char command[1024];

    (void)snprintf(command, sizeof command,
        "truncate -s 16M %s && mkfs.ext4 -q -O casefold -E encoding_flags=strict %s 2>/dev/null && "
        "mount -o loop %s %s 2>/dev/null && mkdir %s/t && chattr +F %s/t",
        image, image, image, at, at, at);
    return geteuid() == 0 && system(command) == 0;
}

/* Nobody's twin takes another's place: the first stays, the others are told. */
static void
twins_in(const char *target, struct set *s)
{
    struct outcome *o = malloc(sizeof *o);

    assert_non_null(o);
    set_restore(s, target, NULL, o);
    assert_int_equal(o->code, SP_OK);
    assert_int_equal(o->nfaults, 5); /* Readme, link and what is in it, readme, é */
    assert_true(S_ISLNK(look(target, "m/LINK").st_mode));
    assert_true(exists(target, "m/README"));
    assert_int_equal(count_all(target), 5 + 3);
    free(o);
}

static void
twins(void **state)
{
    (void)state;
    static const struct raw evil[] = {LINK("m\0LINK", "../../outside"), EMPTY("m\0README"),
        EMPTY("m\0Readme"), FOLDER("m\0link"), EMPTY("m\0link\0precious"), EMPTY("m\0readme"),
        EMPTY("m\0\xc3\x89"), EMPTY("m\0\xc3\xa9")};
    char image[128], target[160];
    struct set s;
    struct place p;

    bounds_begin("twins", 60, MEMORY);
    set_new(&s);
    place_new(&p);
    (void)snprintf(image, sizeof image, "/tmp/hostile-%d.ext4", (int)getpid());
    (void)snprintf(target, sizeof target, "%s/t", p.target);
    raw_around(&s, evil, sizeof evil / sizeof *evil);
    if (mount_folding(image, p.target)) {
        twins_in(target, &s);
        assert_int_equal(umount2(p.target, MNT_DETACH), 0);
    } else {
        print_message("no file system that folds case can be mounted here: it is pretended\n");
        pretend = true;
        twins_in(target, &s);
        pretend = false;
    }
    (void)unlink(image);
    place_free(&p);
    set_free(&s);
    bounds_end();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_lead_out),
        cmocka_unit_test(first_keys_that_lead_out),
        cmocka_unit_test(order_and_length),
        cmocka_unit_test(names_are_bytes),
        cmocka_unit_test(long_names),
        cmocka_unit_test(names_at_the_target),
        cmocka_unit_test(twins),
    };
    int rc;

    if (argc > 1) /* one test alone, by its name */
        cmocka_set_test_filter(argv[1]);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_closing("names");
    return rc;
}
