/* What an attacker wrote into records and catalogs is printed by every command that looks: no byte
 * of it may reach a terminal as a control sequence, make a line of its own, or turn the direction
 * of writing. shop_run holds every output of every command against that; here is what they are
 * given. */

#include "shop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/base/support.h"

#define MEMORY ((size_t)256 << 20)
#define EVIL                                                                                       \
    "\x1b[2J\xc2\x9b"                                                                              \
    "31m\a\r\nstillpoint: all is well\xe2\x80\xaetxt.exe\x7f\b\t\\"
#define BYTES "\xff\xc0\x80\x1b]0;t\a\xed\xa0\x80"

static struct sp_bytes
bytes_of(const char *p, size_t n)
{
    return (struct sp_bytes){(uint8_t *)(uintptr_t)p, n};
}

/* A catalog with evil in everything that has a name; `lost` is a chunk that is nowhere. */
static void
evil_catalog(struct set *s, const struct sp_id *lost, const char *more)
{
    struct sp_id chunk = set_chunk(s, "text", 4);
    const struct raw_piece piece = {4, &chunk}, gone = {4, lost};
    const struct raw_attribute attributes[] = {
        {"nospace." EVIL, sizeof "nospace." EVIL - 1, "v", 1, NULL}, {"user.", 5, "v", 1, NULL},
        {"user." EVIL, sizeof "user." EVIL - 1, "v", 1, NULL}};
    const struct raw all[] = {FOLDER(""),
        {KEY("a" EVIL), .type = SP_ENTRY_DIR, .mode = 0755, .user = EVIL, .group = "\x1b[31mroot"},
        {KEY("a" EVIL "\0" BYTES), .type = SP_ENTRY_FILE, .mode = 0644, .size = 4, .pieces = &piece,
            .npieces = 1, .user = BYTES, .group = BYTES, .mtime_ns = INT64_MAX,
            .attributes = attributes, .nattributes = 3},
        {KEY("a" EVIL "\0" BYTES "lost"), .type = SP_ENTRY_FILE, .mode = 0644, .size = 4,
            .pieces = &gone, .npieces = 1, .mtime_ns = INT64_MIN},
        {KEY("b"), .type = SP_ENTRY_LINK, .mode = 0777, .target = EVIL BYTES,
            .target_len = sizeof EVIL BYTES - 1},
        {KEY("c" EVIL), .type = SP_ENTRY_FILE, .flags = SP_ENTRY_UNREADABLE, .size = UINT64_MAX - 8,
            .mode = 07777, .uid = UINT32_MAX, .gid = UINT32_MAX, .mtime_ns = INT64_MIN},
        {.key = more, .key_len = strlen(more), .type = SP_ENTRY_DIR, .mode = 0700}};

    raw_root(s, all, sizeof all / sizeof *all);
}

static void
publish(struct shop *s, char id[9])
{
    struct sp_set set = {.job = "job" EVIL,
        .program = EVIL,
        .started_ns = INT64_MIN,
        .ended_ns = INT64_MAX,
        .entries = UINT64_MAX,
        .files = UINT64_MAX,
        .bytes = UINT64_MAX,
        .bytes_read = UINT64_MAX,
        .bytes_new = UINT64_MAX,
        .bytes_stored = UINT64_MAX,
        .state = SP_SET_INCOMPLETE,
        .sequence = UINT64_MAX,
        .has_previous = true};
    struct sp_bytes roots[] = {
        bytes_of("a" EVIL, sizeof "a" EVIL - 1), bytes_of(BYTES, sizeof BYTES - 1)};
    struct sp_volume volume = {.path = (char *)(uintptr_t)("/" EVIL),
        .file_system = (char *)(uintptr_t)EVIL,
        .source = (char *)(uintptr_t)EVIL,
        .reason = (char *)(uintptr_t)EVIL,
        .consistency = SP_LEVEL_LIVE,
        .instant_ns = INT64_MIN};
    struct sp_fault fault = {.key = (uint8_t *)(uintptr_t)EVIL,
        .key_len = sizeof EVIL - 1,
        .kind = SP_FAULT_FOLDER,
        .text = (char *)(uintptr_t)EVIL};
    char *excludes[] = {(char *)(uintptr_t)EVIL};
    struct sp_set_sealed sealed = {.host_name = (char *)(uintptr_t)EVIL,
        .platform = (char *)(uintptr_t)EVIL,
        .roots = roots,
        .nroots = 2,
        .volumes = &volume,
        .nvolumes = 1,
        .faults = &fault,
        .nfaults = 1,
        .faults_total = UINT64_MAX,
        .excludes = excludes,
        .nexcludes = 1,
        .files_changed = UINT64_MAX,
        .files_new = UINT64_MAX};

    shop_blocks(s);
    shop_record(s, &set, &sealed, id);
}

static void
every_command(void **state)
{
    (void)state;
    struct sp_id lost = {{7}};
    struct said said = {0};
    struct shop s;
    char one[9], two[9];

    shop_new(&s);
    evil_catalog(&s.set, &lost, "d");
    publish(&s, one);
    evil_catalog(&s.set, &lost, "e" EVIL);
    publish(&s, two);
    for (int json = 0; json < 2; json++) {
        const char *how = json ? "--json" : NULL;
        const struct {
            int code;
            const char *words, *args[6];
        } all[] = {
            {0, one, {"list", "--all"}},
            {0, NULL, {"list", "--all", "--checkpoints"}},
            {0, one, {"show", one}},
            {0, "lost", {"show", one, "-R", "/"}},
            {0, NULL, {"show", two, "/"}},
            {2, "not in the set", {"show", one, "/" EVIL}},
            {5, "no host", {"show", "job" EVIL "~7"}},
            {0, "lost", {"find", "*", "--set", one}},
            {0, NULL, {"find", "*lost", "--all-sets"}},
            {0, "all is well", {"diff", one, two}},
            {5, "neither", {"diff", one, two, "/x" EVIL}},
            {3, NULL, {"check"}},
            {3, NULL, {"check", "--read-data"}},
            {-1, NULL, {"verify", one}},
            {1, "would", {"restore", one, "--dry-run", "--target", s.place.target}},
            {1, "missing", {"restore", one, "--target", s.place.target}},
            {-1, NULL, {"restore", two, "--target", s.place.target, "/x" EVIL}},
            {-1, NULL, {"doctor"}},
        };

        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            const char *const *a = all[i].args;
            const char *args[7] = {NULL};
            size_t n = 0;

            for (size_t k = 0; k < 6 && a[k] != NULL; k++)
                args[n++] = a[k];
            args[n] = how;
            shop_run(&said, 30, MEMORY, args[0], args[1], args[2], args[3], args[4], args[5],
                args[6], NULL);
            if (getenv("HOSTILE_SHOW") != NULL)
                print_message("--- %s %s: %d\n%s\n%s\n", args[0], args[1] != NULL ? args[1] : "",
                    said.code, said.out, said.err);
            if (all[i].code >= 0)
                assert_said(&said, all[i].code, json ? NULL : all[i].words);
        }
    }
    said_clear(&said);
    shop_free(&s);
}

/* Errors that end a command name what they met: a folder whose name is evil, and is a link. */
static void
in_place(void **state)
{
    (void)state;
    struct said said = {0};
    struct shop s;
    struct sp_buf key = SP_BUF_INIT;
    struct raw all[8];
    size_t n = 0;
    char id[9], *ends[8];
    static const char name[] = "evil" EVIL;

    shop_new(&s);
    tree_symlink(&s.place.ground, "target/evil" EVIL, "../outside");
    sp_buf_put_str(&key, s.place.target + 1);
    sp_buf_put_str(&key, "/");
    sp_buf_put_str(&key, name);
    sp_buf_put_str(&key, "/precious");
    all[n++] =
        (struct raw){.key = "", .type = SP_ENTRY_DIR, .mode = 0755, .flags = SP_ENTRY_IMPLIED};
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] != '/')
            continue;
        ends[n] = (char *)key.data + i;
        all[n] = (struct raw){.key = key.data,
            .key_len = i,
            .type = SP_ENTRY_DIR,
            .mode = 0755,
            .flags = SP_ENTRY_IMPLIED};
        n++;
    }
    for (size_t i = 1; i < n; i++)
        *ends[i] = '\0';
    all[n++] =
        (struct raw){.key = key.data, .key_len = key.len, .type = SP_ENTRY_FILE, .mode = 0600};
    raw_root(&s.set, all, n);
    shop_publish(&s, id);
    shop_run(&said, 30, MEMORY, "restore", id, "--in-place", NULL);
    assert_said(&said, 1, "in the place of the folder");
    said_clear(&said);
    sp_buf_free(&key);
    shop_free(&s);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_command), cmocka_unit_test(in_place)};
    int rc;

    if (argc > 1) /* one test alone, by its name */
        cmocka_set_test_filter(argv[1]);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_closing("output");
    return rc;
}
