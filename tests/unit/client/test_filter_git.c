#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "client/filter.h"

/* The filter against git itself: the same random patterns over the same random tree, `git
 * check-ignore` beside sp_filter_excludes. Two things are left out of the patterns because git does
 * other than gitignore(5) says: `**` that is not a whole component, and `\/`. */

#define ROUNDS 120
#define PATHS 80

static uint64_t state;

static unsigned
below(unsigned n)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) % n);
}

struct path {
    char name[256];
    bool dir;
};
static struct path paths[PATHS];
static size_t npaths;
static char folder[] = "/tmp/stillpoint-filter-XXXXXX";

/* -1: git cannot be run. */
static int
git(const char *arg, const char *in, const char *out)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int i = open(in, O_RDONLY), o = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        if (i < 0 || o < 0 || dup2(i, 0) < 0 || dup2(o, 1) < 0 || dup2(o, 2) < 0 ||
            chdir(folder) != 0 || setenv("HOME", folder, 1) != 0 ||
            setenv("GIT_CONFIG_NOSYSTEM", "1", 1) != 0 || unsetenv("GIT_DIR") != 0 ||
            unsetenv("XDG_CONFIG_HOME") != 0)
            _exit(120);
        if (strcmp(arg, "init") == 0)
            execlp("git", "git", "init", "-q", ".", (char *)NULL);
        else
            execlp("git", "git", "check-ignore", "--no-index", "-z", "--stdin", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

static char *
at(const char *name)
{
    static char full[512];

    assert_true(snprintf(full, sizeof full, "%s/%s", folder, name) < (int)sizeof full);
    return full;
}

static bool
known(const char *name)
{
    for (size_t i = 0; i < npaths; i++)
        if (strcmp(paths[i].name, name) == 0)
            return true;
    return false;
}

static void
make_tree(void)
{
    static const char *const names[] = {"a", "b", "c", "ab", "abc", "a.b", "x.o", ".h", "a b", "[",
        "b-c", "B", "aab", "-", "]", "!a", "#a", "a*", "a\\b", "\xff", "ba "};

    for (int tries = 0; npaths < PATHS && tries < 10000; tries++) {
        struct path *p = &paths[npaths], *up = NULL;
        const char *name = names[below(sizeof names / sizeof names[0])];

        if (npaths > 0 && below(4) != 0) {
            up = &paths[below((unsigned)npaths)];
            if (!up->dir || strlen(up->name) > 12)
                continue;
        }
        (void)snprintf(
            p->name, sizeof p->name, "%.200s%s%s", up ? up->name : "", up ? "/" : "", name);
        if (known(p->name))
            continue;
        if ((p->dir = below(2) == 0)) {
            assert_int_equal(mkdir(at(p->name), 0700), 0);
        } else {
            int fd = open(at(p->name), O_WRONLY | O_CREAT | O_EXCL, 0600);

            assert_true(fd >= 0);
            close(fd);
        }
        npaths++;
    }
    assert_int_equal(npaths, PATHS);
}

static size_t
make_segment(char *to)
{
    static const char *const pieces[] = {"a", "b", "c", "a", "b", "ab", ".", "o", "?", "[ab]",
        "[!a]", "[a-c]", "[]]", "[^b-]", "[[:alpha:]]", "[[:upper:]b]", "[![:alnum:]]", "\\a",
        "\\*", "\\[", "[", "\\", "x", " ", "-", "\xff", "[b\\]]", "[[", "[a", "[:", "\\ ", "[\\",
        "!", "#"};
    size_t n = 0;
    unsigned count = 1 + below(3);

    if (below(6) == 0)
        return (size_t)sprintf(to, "**");
    for (unsigned i = 0; i < count; i++) {
        const char *piece = pieces[below(sizeof pieces / sizeof pieces[0])];

        if (below(3) == 0 && (n == 0 || to[n - 1] != '*'))
            to[n++] = '*';
        /* The odd pieces less often: most of them make a pattern that matches nothing. */
        if (strpbrk(piece, "\\[") != NULL && below(3) != 0)
            continue;
        n += (size_t)sprintf(to + n, "%s", piece);
    }
    if (below(4) == 0 && (n == 0 || to[n - 1] != '*'))
        to[n++] = '*';
    to[n] = '\0';
    return n;
}

static void
make_pattern(char *to)
{
    size_t n = 0;
    unsigned segments = 1 + below(3);

    if (below(4) == 0)
        to[n++] = '!';
    if (below(4) == 0)
        to[n++] = '/';
    for (unsigned i = 0; i < segments; i++) {
        /* A backslash at the end of a segment would quote the slash. */
        if (i > 0 && n > 0 && to[n - 1] != '\\')
            to[n++] = '/';
        n += make_segment(to + n);
    }
    if (below(4) == 0 && n > 0 && to[n - 1] != '\\')
        to[n++] = '/';
    if (below(10) == 0)
        to[n++] = ' ';
    to[n] = '\0';
}

/* As a walk does it: what is inside of an excluded folder is out. */
static bool
excluded(const struct sp_filter *f, const struct path *p)
{
    size_t n = strlen(p->name);
    char key[256];

    for (size_t i = 0; i <= n; i++) {
        bool cut = p->name[i] == '/';

        if ((cut || i == n) && sp_filter_excludes(f, key, i, i < n || p->dir))
            return true;
        key[i] = cut ? '\0' : p->name[i];
    }
    return false;
}

static void
test_against_git(void **unused)
{
    struct sp_err e = {0};
    size_t ignored = 0, refused = 0;
    FILE *file;

    (void)unused;
    state = (uint64_t)time(NULL);
    if (getenv("SP_SEED") != NULL)
        state = strtoull(getenv("SP_SEED"), NULL, 10);
    printf("seed %llu\n", (unsigned long long)state);
    assert_non_null(mkdtemp(folder));
    if (git("init", "/dev/null", at(".out")) != 0) {
        assert_int_equal(sp_os_remove_tree(&sp_os_system, folder, &e), SP_OK);
        printf("git cannot be run here: nothing was compared\n");
        skip();
    }
    make_tree();
    assert_non_null(file = fopen(at(".paths"), "w"));
    for (size_t i = 0; i < npaths; i++)
        assert_int_equal(fwrite(paths[i].name, strlen(paths[i].name) + 1, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    char in[512], *found = malloc(65536);

    assert_non_null(found);
    strcpy(in, at(".paths"));
    for (int round = 0; round < ROUNDS; round++) {
        char pattern[8][256];
        const char *ours[8];
        unsigned count = 1 + below(8), taken = 0;
        struct sp_filter *f = NULL, *one = NULL;
        size_t n;
        int status;

        assert_non_null(file = fopen(at(".gitignore"), "w"));
        for (unsigned i = 0; i < count; i++) {
            make_pattern(pattern[i]);
            assert_true(fprintf(file, "%s\n", pattern[i]) > 0);
            ours[taken] = pattern[i];
            /* What we refuse must be what git can never match. */
            if (sp_filter_new(&ours[taken], 1, false, &one, &e) == SP_OK) {
                taken++;
                sp_filter_free(one);
            } else {
                refused++;
            }
        }
        assert_int_equal(fclose(file), 0);
        assert_int_equal(sp_filter_new(ours, taken, false, &f, &e), SP_OK);
        status = git("check-ignore", in, at(".out"));
        assert_true(status == 0 || status == 1);
        assert_non_null(file = fopen(at(".out"), "r"));
        n = fread(found, 1, 65535, file);
        found[n] = '\0';
        assert_int_equal(fclose(file), 0);
        /* Both in the order of `paths`. */
        const char *next = found;

        for (size_t i = 0; i < npaths; i++) {
            bool by_git = next < found + n && strcmp(next, paths[i].name) == 0;

            if (by_git)
                next += strlen(next) + 1;
            ignored += by_git;
            if (excluded(f, &paths[i]) == by_git)
                continue;
            for (unsigned p = 0; p < count; p++)
                print_error("  |%s|\n", pattern[p]);
            fail_msg(
                "'%s'%s: git says %d", paths[i].name, paths[i].dir ? ", a folder" : "", by_git);
        }
        assert_ptr_equal(next, found + n);
        sp_filter_free(f);
    }
    printf("%zu of %d paths ignored, %zu patterns refused\n", ignored, ROUNDS * PATHS, refused);
    assert_true(ignored > 100);
    free(found);
    assert_int_equal(sp_os_remove_tree(&sp_os_system, folder, &e), SP_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_git)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
