#include "tests/fault/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/random.h"
#include "client/cli.h"
#include "client/commands.h"
#include "tests/fault/trap.h"
#include "tests/unit/storage/faulty.h"

#define DEADLINE_S 60u
#define FOUND_OUT 99 /* exit code of a process in which a sanitizer found something */

/* Sanitizers must not end with an exit code that a command has. */
const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "exitcode=99:abort_on_error=0:handle_abort=0:allocator_may_return_null=1:"
           "detect_stack_use_after_return=0";
}

const char *
__lsan_default_options(void)
{
    return "exitcode=99";
}

const char *
__ubsan_default_options(void)
{
    return "exitcode=99:print_stacktrace=1";
}

extern char **environ;
const char *world_die_at;

/* cmocka catches signals, and children must not: they are to end by them, or as ASan tells it. */
static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction before_cmocka[5];

__attribute__((constructor)) static void
keep_signals(void)
{
    for (size_t i = 0; i < 5; i++)
        (void)sigaction(caught[i], NULL, &before_cmocka[i]);
}

/* --- folders -------------------------------------------------------------------------------------
 */

char *
world_path(const struct world *w, const char *path)
{
    char *ret = NULL;

    if (path[0] == '@')
        assert_true(asprintf(&ret, "%s%s", w->dir, path + 1) > 0);
    else
        assert_non_null(ret = strdup(path));
    return ret;
}

static int
spawn(const char *program, const char *const *argv, const char *output)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600),
        0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, 1, 2), 0);
    assert_int_equal(
        posix_spawnp(&child, program, &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
world_remove(struct world *w, const char *path)
{
    char *p = world_path(w, path);
    struct sp_err e = {0};

    if (sp_os_remove_tree(&sp_os_system, p, &e) != SP_OK)
        fail_msg("%s", e.text);
    free(p);
}

static void
copy_file(int from, int to, const char *name, mode_t mode)
{
    char buf[65536];
    ssize_t n;
    int in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);

    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0)
        assert_int_equal(write(out, buf, (size_t)n), n);
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

/* Content only; nothing in `live` depends on times. Takes both descriptors. */
static void
copy_folder(int from, int to)
{
    DIR *d = fdopendir(from);
    struct dirent *de;
    struct stat st;

    assert_non_null(d);
    while ((de = readdir(d)) != NULL) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        assert_int_equal(fstatat(from, de->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        if (S_ISDIR(st.st_mode)) {
            assert_int_equal(mkdirat(to, de->d_name, st.st_mode & 07777), 0);
            copy_folder(openat(from, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                openat(to, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        } else if (S_ISREG(st.st_mode)) {
            copy_file(from, to, de->d_name, st.st_mode);
        }
    }
    closedir(d);
    close(to);
}

static void
copy(struct world *w, const char *from, const char *to)
{
    char *a = NULL, *b = NULL;

    assert_true(asprintf(&a, "%s/%s", w->dir, from) > 0);
    assert_true(asprintf(&b, "%s/%s", w->dir, to) > 0);
    world_remove(w, b);
    assert_int_equal(mkdir(b, 0700), 0);
    copy_folder(
        open(a, O_RDONLY | O_DIRECTORY | O_CLOEXEC), open(b, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    free(a);
    free(b);
}

void
world_keep(struct world *w, const char *name)
{
    copy(w, "live", name);
}

void
world_reset(struct world *w, const char *name)
{
    copy(w, name, "live");
}

void
world_as(struct world *w, const char *state)
{
    static const char *const places[][2] = {{"STILLPOINT_CONFIG_DIR", "config"},
        {"STILLPOINT_STATE_DIR", "state"}, {"STILLPOINT_CACHE_DIR", "cache"}};
    char path[200];

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s/%s", w->dir, state, places[i][1]);
        assert_int_equal(setenv(places[i][0], path, 1), 0);
    }
}

void
world_new(struct world *w)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char path[100];

    (void)snprintf(w->dir, sizeof w->dir, "%s/stillpoint-fault-XXXXXX", base);
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(path, sizeof path, "%s/live", w->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    world_as(w, "live");
}

void
world_free(struct world *w)
{
    world_remove(w, "@");
}

/* --- the files -----------------------------------------------------------------------------------
 */

static void
write_one(struct world *w, const char *name, size_t n, uint64_t seed)
{
    char *path = NULL, *slash;
    uint64_t word = 0;
    FILE *f;

    assert_true(asprintf(&path, "%s/files/%s", w->dir, name) > 0);
    for (slash = path + strlen(w->dir) + 7; (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0)
            assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    assert_non_null(f = fopen(path, "w"));
    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0)
            word = seed = seed * 6364136223846793005u + 1442695040888963407u;
        assert_true(fputc((int)(word >> (32 + i % 4 * 8) & 255), f) >= 0);
    }
    assert_int_equal(fclose(f), 0);
    free(path);
}

static void
in_files(struct world *w, int (*call)(const char *, const char *), const char *from, const char *to)
{
    char a[200], b[200];

    (void)snprintf(a, sizeof a, "%s/files/%s", w->dir, from);
    (void)snprintf(b, sizeof b, "%s/files/%s", w->dir, to);
    assert_int_equal(call(call == symlink ? from : a, b), 0);
}

void
world_files(struct world *w)
{
    char name[64], path[100];

    (void)snprintf(path, sizeof path, "%s/files", w->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    for (unsigned i = 0; i < 72; i++) {
        (void)snprintf(name, sizeof name, "many/%u/file %u", i % 3, i);
        write_one(w, name, 40 + i * 20, i + 1);
    }
    write_one(w, "large", 700000, 100);
    write_one(w, "deep/er/and/deeper/letter.txt", 5000, 101);
    write_one(w, "empty", 0, 0);
    in_files(w, symlink, "large", "link");
    in_files(w, link, "empty", "many/0/empty too");
}

void
world_change_files(struct world *w)
{
    char from[100], to[100];
    const char *const argv[] = {"cp", "-a", from, to, NULL};

    (void)snprintf(from, sizeof from, "%s/files", w->dir);
    (void)snprintf(to, sizeof to, "%s/was", w->dir);
    assert_int_equal(spawn("cp", argv, "/dev/null"), 0);
    write_one(w, "many/1/file 1", 900, 200);
    write_one(w, "many/2/new", 1200, 201);
    write_one(w, "new/er/large", 500000, 202);
    write_one(w, "large", 700001, 203);
    in_files(w, rename, "many/0/file 3", "many/0/file three");
}

/* --- commands ------------------------------------------------------------------------------------
 */

static enum sp_code
before(void *arg, const char *op, const char *path, struct sp_err *e)
{
    static const char *const writing[] = {"create", "write_at", "mkdir", "publish", "replace"};
    bool writes = false;
    int number;

    (void)arg;
    if (world_die_at != NULL && strcmp(op, "publish") == 0 &&
        strcmp(path + strlen(path) - strlen(world_die_at), world_die_at) == 0)
        _exit(0);
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++)
        writes = writes || strcmp(op, writing[i]) == 0;
    if ((number = trap_call(op, path, writes)) == 0)
        return SP_OK;
    return sp_fail_os(e, SP_DOM_STORE, number, "cannot %s %s", op, path);
}

static int64_t
stopped(void *self)
{
    return ((struct world *)self)->now_ns;
}

/* Each look at it is a quarter of an hour later. */
static int64_t
hasty(void *self)
{
    static atomic_int looks;

    (void)self;
    return (int64_t)atomic_fetch_add(&looks, 1) * 900 * SP_SECOND;
}

static int
command(const struct world *w, const char *const *argv)
{
    static const struct sp_command *const commands[] = {&sp_cmd_init, &sp_cmd_backup, &sp_cmd_list,
        &sp_cmd_show, &sp_cmd_find, &sp_cmd_diff, &sp_cmd_restore, &sp_cmd_verify, &sp_cmd_check,
        &sp_cmd_key, &sp_cmd_doctor};
    static struct faulty files; /* LSan sees what it refers to until the very end */
    struct sp_env env = sp_env_system;
    struct sp_clock clock = sp_clock_system;
    struct sp_cli c = {.env = &env, .quiet = false};
    char *words[24];
    int n = 0, code = 127;

    faulty_init(&files, &sp_os_system);
    files.before = before;
    files.silent = true;
    files.tear_writes = true;
    if (!w->plain || world_die_at != NULL)
        env.os = &files.os;
    if (world_die_at != NULL)
        clock.mono_ns = hasty;
    if (w->now_ns != 0) {
        clock.wall_ns = stopped;
        clock.self = (void *)(uintptr_t)w;
    }
    env.clock = &clock;
    trap_immune(true);
    for (; *argv != NULL; argv++) { /* as main.c takes the shared options out */
        const char **value = strcmp(*argv, "-r") == 0                    ? &c.repository
                             : strcmp(*argv, "--passphrase-file") == 0   ? &c.passphrase_file
                             : strcmp(*argv, "--recovery-key-file") == 0 ? &c.recovery_key_file
                                                                         : NULL;

        if (value != NULL)
            *value = world_path(w, *++argv);
        else
            words[n++] = world_path(w, *argv);
    }
    words[n] = NULL;
    c.argc = n;
    c.argv = words;
    trap_immune(false);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i]->name, words[0]) == 0)
            code = (int)commands[i]->run(&c);
    trap_off();
    sp_config_free(c.config);
    for (int i = 0; i < n; i++)
        free(words[i]);
    free((char *)(uintptr_t)c.repository);
    free((char *)(uintptr_t)c.passphrase_file);
    free((char *)(uintptr_t)c.recovery_key_file);
    faulty_free(&files);
    if (fflush(stdout) != 0)
        code = 126;
    return code;
}

static void
output_to(int fd, const char *path)
{
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (out < 0 || dup2(out, fd) < 0)
        _exit(125);
    close(out);
}

static void
read_text(const char *path, char to[WORLD_TEXT])
{
    FILE *f = fopen(path, "r");
    size_t n = 0;

    if (f != NULL) {
        n = fread(to, 1, WORLD_TEXT - 1, f);
        (void)fclose(f);
    }
    to[n] = '\0';
}

void
world_run(struct world *w, const char *const *argv, bool quietly, struct ending *ret)
{
    char out[100], err[100];
    int status = 0;
    pid_t child;

    (void)snprintf(out, sizeof out, "%s/stdout", w->dir);
    (void)snprintf(err, sizeof err, "%s/stderr", w->dir);
    (void)fflush(NULL);
    if ((child = fork()) == 0) {
        output_to(1, out);
        output_to(2, err);
        for (size_t i = 0; i < 5; i++)
            (void)sigaction(caught[i], &before_cmocka[i], NULL);
        (void)alarm(DEADLINE_S);
        if (quietly)
            trap_off();
        exit(command(w, argv));
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    memset(ret, 0, offsetof(struct ending, out));
    read_text(out, ret->out);
    read_text(err, ret->err);
    ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (ret->code == FOUND_OUT || strstr(ret->err, "Sanitizer") != NULL ||
        strstr(ret->err, "runtime error:") != NULL)
        ret->code = -1;
}

bool
world_does(struct world *w, char why[WORLD_TEXT], ...)
{
    const char *argv[24];
    struct ending end;
    size_t n = 0;
    va_list ap;

    va_start(ap, why);
    while ((argv[n] = va_arg(ap, const char *)) != NULL)
        n++;
    va_end(ap);
    world_run(w, argv, true, &end);
    if (end.code == 0)
        return true;
    (void)snprintf(why, WORLD_TEXT, "without faults, %s %s: exit %d, signal %d\n%.20000s%.20000s",
        argv[0], n > 1 ? argv[1] : "", end.code, end.signal, end.out, end.err);
    return false;
}

/* --- looking -------------------------------------------------------------------------------------
 */

bool
world_same(struct world *w, const char *a, const char *b, char why[WORLD_TEXT])
{
    char *x = world_path(w, a), *y = world_path(w, b), out[100], text[4096] = "";
    const char *const argv[] = {SP_COMPARE, x, y, NULL};
    bool same;
    FILE *f;

    (void)snprintf(out, sizeof out, "%s/compared", w->dir);
    same = spawn(SP_COMPARE, argv, out) == 0;
    if (!same && (f = fopen(out, "r")) != NULL) {
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        (void)fclose(f);
    }
    if (!same)
        (void)snprintf(why, WORLD_TEXT, "%s and %s differ:\n%s", a, b, text);
    free(x);
    free(y);
    return same;
}

static bool
same_content(int a, int b, const char *name)
{
    static char x[65536], y[65536];
    int fa = openat(a, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int fb = openat(b, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = -1, m = -1;

    while (fa >= 0 && fb >= 0) {
        n = read(fa, x, sizeof x);
        m = read(fb, y, sizeof y);
        if (n <= 0 || n != m || memcmp(x, y, (size_t)n) != 0)
            break;
    }
    close(fa);
    close(fb);
    return n == 0 && m == 0;
}

/* Takes both descriptors. */
static bool
whole_folder(int a, int b, char why[WORLD_TEXT])
{
    DIR *d = a >= 0 ? fdopendir(a) : NULL;
    struct dirent *de;
    struct stat st;
    bool whole = true;

    while (d != NULL && whole && (de = readdir(d)) != NULL) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
            strncmp(de->d_name, ".stillpoint", 11) == 0)
            continue;
        if (fstatat(a, de->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            whole = whole_folder(openat(a, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                openat(b, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), why);
        else if (S_ISREG(st.st_mode) && !same_content(a, b, de->d_name)) {
            (void)snprintf(why, WORLD_TEXT, "%s has its name and is not whole", de->d_name);
            whole = false;
        }
    }
    if (d != NULL)
        closedir(d);
    if (b >= 0)
        close(b);
    return whole;
}

bool
world_whole(struct world *w, const char *a, const char *b, char why[WORLD_TEXT])
{
    char *x = world_path(w, a), *y = world_path(w, b);
    bool whole = whole_folder(open(x, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        open(y, O_RDONLY | O_DIRECTORY | O_CLOEXEC), why);

    free(x);
    free(y);
    return whole;
}

/* --- the repository, as it lies there ------------------------------------------------------------
 */

struct looking {
    char (*sets)[40];
    char paths[WORLD_SETS][200];
    size_t n;
    const char *ending;
    size_t count;
    uint64_t objects;
};

static void
look(struct looking *l, int at, const char *prefix)
{
    DIR *d = at >= 0 ? fdopendir(at) : NULL;
    struct dirent *de;
    struct stat st;
    char path[200];

    while (d != NULL && (de = readdir(d)) != NULL) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
            (prefix[0] == '\0' && strcmp(de->d_name, "tmp") == 0) ||
            fstatat(at, de->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        (void)snprintf(path, sizeof path, "%.90s/%.100s", prefix, de->d_name);
        if (S_ISDIR(st.st_mode)) {
            look(l, openat(at, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
            continue;
        }
        uint64_t h = (uint64_t)st.st_size;
        size_t n = strlen(path);

        for (const char *p = path; *p != '\0'; p++)
            h = (h ^ (uint8_t)*p) * 0x100000001b3u;
        l->objects += h * h;
        if (l->ending != NULL && n > strlen(l->ending) &&
            strcmp(path + n - strlen(l->ending), l->ending) == 0) {
            if (l->n < WORLD_SETS)
                (void)snprintf(l->paths[l->n++], sizeof l->paths[0], "%s", path);
            l->count++;
        }
    }
    if (d != NULL)
        closedir(d);
}

static void
look_at(struct world *w, const char *folder, const char *ending, struct looking *l)
{
    char *path = world_path(w, folder);

    memset(l, 0, sizeof *l);
    l->ending = ending;
    look(l, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
    free(path);
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

size_t
world_sets(struct world *w, char ret[WORLD_SETS][40])
{
    struct looking l;

    look_at(w, "@/live/repository/sets", ".set", &l);
    qsort(l.paths, l.n, sizeof l.paths[0], by_text);
    for (size_t i = 0; i < l.n; i++) {
        const char *end = l.paths[i] + strlen(l.paths[i]) - 4; /* <time>-<id>.set */

        (void)snprintf(ret[i], sizeof ret[i], "%.32s", end - 32);
    }
    return l.n;
}

size_t
world_count(struct world *w, const char *folder, const char *ending)
{
    struct looking l;

    look_at(w, folder, ending, &l);
    return l.count;
}

uint64_t
world_objects(struct world *w)
{
    struct looking l;

    look_at(w, "@/live/repository", NULL, &l);
    return l.objects;
}
