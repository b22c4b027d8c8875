#include "repositories.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "tests/unit/base/support.h"

/* Places that are watched, and bounds: see repositories.h. */

/* --- the seed ----------------------------------------------------------------------------------
 */

static uint64_t seed, state;
static unsigned cases;
static int64_t began_ns;

bool
hostile_long(void)
{
    const char *s = getenv("STILLPOINT_LONG");

    return s != NULL && strcmp(s, "1") == 0;
}

uint64_t
hostile_seed(void)
{
    if (seed == 0) {
        seed = test_seed();
        seed = state = seed != 0 ? seed : 1;
        began_ns = sp_clock_mono(&sp_clock_system);
    }
    return seed;
}

uint64_t
hostile_random(void)
{
    (void)hostile_seed();
    return test_random(&state);
}

void
hostile_case(void)
{
    (void)hostile_seed();
    cases++;
}

void
hostile_closing(const char *suite)
{
    (void)hostile_seed();
    print_message("%s: %u cases, seed %llu, %.1f s%s\n", suite, cases, (unsigned long long)seed,
        (double)(sp_clock_mono(&sp_clock_system) - began_ns) / 1e9,
        hostile_long() ? ", in full" : "");
}

/* --- memory: the linker puts these before the real ones --------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static atomic_llong used, peak;
static long long at_begin;

static void
took(void *p)
{
    long long now, before = atomic_load(&peak);

    if (p == NULL)
        return;
    now = atomic_fetch_add(&used, (long long)malloc_usable_size(p)) +
          (long long)malloc_usable_size(p);
    while (now > before && !atomic_compare_exchange_weak(&peak, &before, now))
        continue;
}

static void
gave(void *p)
{
    if (p != NULL)
        atomic_fetch_sub(&used, (long long)malloc_usable_size(p));
}

void *
__wrap_malloc(size_t n)
{
    void *p = __real_malloc(n);

    took(p);
    return p;
}

void *
__wrap_calloc(size_t n, size_t size)
{
    void *p = __real_calloc(n, size);

    took(p);
    return p;
}

void *
__wrap_realloc(void *p, size_t n)
{
    long long old = p != NULL ? (long long)malloc_usable_size(p) : 0;
    void *to = __real_realloc(p, n);

    if (to != NULL || n == 0)
        atomic_fetch_sub(&used, old);
    took(to);
    return to;
}

void
__wrap_free(void *p)
{
    gave(p);
    __real_free(p);
}

/* --- bounds ------------------------------------------------------------------------------------
 */

static const char *under_way;
static size_t most;

static void
too_long(int number)
{
    static const char words[] = "took too long: ";

    (void)number;
    if (write(2, words, sizeof words - 1) < 0 || write(2, under_way, strlen(under_way)) < 0 ||
        write(2, "\n", 1) < 0)
        _exit(98);
    _exit(98);
}

void
bounds_begin(const char *what, unsigned seconds, size_t most_bytes)
{
    struct sigaction a = {.sa_handler = too_long};

    hostile_case();
    under_way = what;
    most = most_bytes;
    at_begin = atomic_load(&used);
    atomic_store(&peak, at_begin);
    assert_int_equal(sigaction(SIGALRM, &a, NULL), 0);
    (void)alarm(seconds);
}

size_t
bounds_peak(void)
{
    long long n = atomic_load(&peak) - at_begin;

    return n > 0 ? (size_t)n : 0;
}

void
bounds_end(void)
{
    (void)alarm(0);
    if (bounds_peak() > most)
        fail_msg("%s: %zu bytes of memory, not %zu", under_way, bounds_peak(), most);
}

/* --- a place -----------------------------------------------------------------------------------
 */

/* nftw has no argument to pass. */
static struct sp_buf *picture;
static size_t skip_len;
static const char *skip;

static void
put_content(const char *path)
{
    uint8_t *p = NULL;
    size_t n = 0;

    assert_ok(sp_os_read_file(&sp_os_system, path, 1 << 20, &p, &n, e));
    sp_buf_printf(picture, " %zu bytes ", n);
    sp_buf_put_hex(picture, p, n);
    free(p);
}

static void
put_attributes(const char *path)
{
    char names[4096], value[4096];
    ssize_t n = llistxattr(path, names, sizeof names);

    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
        ssize_t len = lgetxattr(path, names + at, value, sizeof value);

        sp_buf_printf(picture, " %s=", names + at);
        if (len > 0)
            sp_buf_put_hex(picture, value, (size_t)len);
    }
}

static int
picture_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    char target[512];
    ssize_t n;

    (void)type;
    if (f->level > 0 && strcmp(path, skip) == 0)
        return FTW_SKIP_SUBTREE;
    sp_buf_printf(picture, "%s: %o inode %llu links %llu %u:%u size %lld rdev %llu",
        path + skip_len, st->st_mode, (unsigned long long)st->st_ino,
        (unsigned long long)st->st_nlink, st->st_uid, st->st_gid, (long long)st->st_size,
        (unsigned long long)st->st_rdev);
    sp_buf_printf(picture, " modified %lld.%09ld changed %lld.%09ld", (long long)st->st_mtim.tv_sec,
        st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
    if (S_ISLNK(st->st_mode) && (n = readlink(path, target, sizeof target)) >= 0)
        sp_buf_printf(picture, " -> %.*s", (int)n, target);
    if (S_ISREG(st->st_mode))
        put_content(path);
    put_attributes(path);
    sp_buf_put_u8(picture, '\n');
    return 0;
}

static void
take_picture(struct place *p, struct sp_buf *ret)
{
    picture = ret;
    skip = p->target;
    skip_len = strlen(p->ground.path);
    assert_int_equal(nftw(p->ground.path, picture_one, 32, FTW_PHYS | FTW_ACTIONRETVAL), 0);
    assert_ok(sp_buf_ok(ret, e));
}

void
place_new(struct place *p)
{
    place_new_in(p, "/tmp");
}

void
place_new_in(struct place *p, const char *folder)
{
    char path[128];

    memset(p, 0, sizeof *p);
    tree_new_in(&p->ground, folder);
    tree_dir(&p->ground, "target");
    tree_text(&p->ground, "outside/precious", "precious");
    tree_text(&p->ground, "outside/folder/inside", "inside");
    tree_text(&p->ground, "beside", "beside");
    tree_symlink(&p->ground, "outside/link", "precious");
    tree_fifo(&p->ground, "outside/fifo");
    (void)snprintf(p->target, sizeof p->target, "%s/target", p->ground.path);
    (void)snprintf(p->outside, sizeof p->outside, "%s/outside", p->ground.path);
    (void)snprintf(path, sizeof path, "%s/precious", p->outside);
    if (setxattr(path, "user.mark", "1", 1, 0) != 0 && errno != ENOTSUP)
        fail_msg("setxattr");
    place_watch(p);
}

void
place_watch(struct place *p)
{
    sp_buf_reset(&p->before);
    take_picture(p, &p->before);
}

void
place_unharmed(struct place *p)
{
    struct sp_buf now = SP_BUF_INIT;

    take_picture(p, &now);
    if (strcmp(sp_buf_str(&p->before), sp_buf_str(&now)) != 0)
        fail_msg(
            "outside of the target was\n%snow is\n%s", sp_buf_str(&p->before), sp_buf_str(&now));
    sp_buf_free(&now);
}

void
place_free(struct place *p)
{
    place_unharmed(p);
    sp_buf_free(&p->before);
    tree_free(&p->ground);
}

static struct sp_buf *listed;
static size_t listed_from;

static int
list_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    if (f->level > 0) {
        sp_path_show(path + listed_from, strlen(path + listed_from), listed);
        sp_buf_put_u8(listed, '\n');
    }
    return 0;
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void
place_listing(const struct place *p, struct sp_buf *ret)
{
    struct sp_buf all = SP_BUF_INIT;
    char **lines, *at;
    size_t n = 0;

    listed = &all;
    listed_from = strlen(p->target) + 1;
    assert_int_equal(nftw(p->target, list_one, 32, FTW_PHYS), 0);
    lines = calloc(all.len + 1, sizeof *lines);
    assert_non_null(lines);
    for (at = strtok((char *)(uintptr_t)sp_buf_str(&all), "\n"); at != NULL;
         at = strtok(NULL, "\n"))
        lines[n++] = at;
    qsort(lines, n, sizeof *lines, by_text);
    for (size_t i = 0; i < n; i++)
        sp_buf_printf(ret, "%s\n", lines[i]);
    free(lines);
    sp_buf_free(&all);
}

void
assert_listing(const struct place *p, const char *want)
{
    struct sp_buf got = SP_BUF_INIT;

    place_listing(p, &got);
    if (strcmp(sp_buf_str(&got), want) != 0)
        fail_msg("the target has\n%snot\n%s", sp_buf_str(&got), want);
    sp_buf_free(&got);
}
