/* What the system's table makes of a system that fails: the calls below take the place of the C
 * library's and fail, or do half, as a test asks; otherwise they are the system's. */

#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"

static const struct sp_os *const os = &sp_os_system;

static struct {
    int renameat2, link, unlink, close, fsync, pread, pwrite; /* errno to fail with; 0 works */
    int eintr;                                                /* so many calls are interrupted */
    size_t most;                                              /* bytes a call moves; 0: all */
    bool link_lies; /* the link is made and EEXIST answered, as NFS can */
    bool lease;     /* opening without waiting is refused */
    bool unknown;   /* folders do not tell types */
    int readdir;    /* errno after the second name */
    unsigned fsyncs, closes, names;
} fault;

static int
fails(int why)
{
    if (why != 0) {
        errno = why;
        return 1;
    }
    return 0;
}

static int
interrupted(void)
{
    if (fault.eintr > 0) {
        fault.eintr--;
        errno = EINTR;
        return 1;
    }
    return 0;
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (fails(fault.renameat2))
        return -1;
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int
link(const char *from, const char *to)
{
    int rc;

    if (fails(fault.link))
        return -1;
    rc = linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
    return rc == 0 && fault.link_lies && fails(EEXIST) ? -1 : rc;
}

int
unlink(const char *path)
{
    return fails(fault.unlink) ? -1 : unlinkat(AT_FDCWD, path, 0);
}

int
close(int fd)
{
    int rc = (int)syscall(SYS_close, fd);

    fault.closes++;
    return fails(fault.close) ? -1 : rc;
}

int
fsync(int fd)
{
    fault.fsyncs++;
    if (interrupted() || fails(fault.fsync))
        return -1;
    return (int)syscall(SYS_fsync, fd);
}

static size_t
at_most(size_t n)
{
    return fault.most != 0 && n > fault.most ? fault.most : n;
}

ssize_t
pread(int fd, void *to, size_t n, off_t offset)
{
    if (interrupted() || fails(fault.pread))
        return -1;
    return syscall(SYS_pread64, fd, to, at_most(n), offset);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
    if (interrupted() || fails(fault.pwrite))
        return fault.pwrite == EIO ? 0 : -1; /* EIO stands for "nothing, and no reason" */
    return syscall(SYS_pwrite64, fd, p, at_most(n), offset);
}

int
open(const char *path, int flags, ...)
{
    if (interrupted() || (fault.lease && (flags & O_NONBLOCK) != 0 && fails(EAGAIN)))
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

/* An own little folder: two names, then the end or an error. */
struct dirent *
readdir(DIR *d)
{
    static struct dirent entry;

    (void)d;
    if (fault.names == 2) {
        (void)fails(fault.readdir);
        return NULL;
    }
    (void)snprintf(entry.d_name, sizeof(entry.d_name), fault.names == 0 ? "a" : "gone");
    entry.d_type = fault.unknown ? DT_UNKNOWN : DT_DIR;
    fault.names++;
    return &entry;
}

static int
setup(void **state)
{
    memset(&fault, 0, sizeof(fault));
    return tmp_setup(state);
}

/* By hand: the table's own listing is replaced. */
static int
teardown(void **state)
{
    static const char *const names[] = {"a", "b"};
    int rc;

    memset(&fault, 0, sizeof(fault));
    for (size_t i = 0; i < 2; i++) {
        char *p = sp_path_join(*state, names[i]);

        if (p == NULL || (unlink(p) != 0 && errno != ENOENT))
            return -1;
        free(p);
    }
    rc = rmdir(*state);
    free(*state);
    return rc;
}

static char *
in(void **state, const char *name)
{
    char *p = sp_path_join(*state, name);

    assert_non_null(p);
    return p;
}

static void
put(const char *path, const char *text)
{
    struct sp_file *f;

    assert_ok(os->create(os->self, path, &f, e));
    assert_ok(os->write_at(os->self, f, 0, text, strlen(text), e));
    assert_ok(os->close(os->self, f, e));
}

static bool
is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void
publish_all_ways(void **state)
{
    static const int no_rename[] = {EINVAL, ENOSYS, ENOTSUP};
    static const int no_link[] = {0, EPERM, ENOTSUP, EMLINK, ENOSYS, EIO};
    char *a = in(state, "a"), *b = in(state, "b");

    for (size_t r = 0; r < sizeof(no_rename) / sizeof(int); r++)
        for (size_t l = 0; l < sizeof(no_link) / sizeof(int); l++) {
            fault.renameat2 = no_rename[r];
            fault.link = no_link[l];
            put(a, "A");
            assert_ok(os->publish(os->self, a, b, e));
            assert_false(is_there(a));
            assert_true(is_there(b));
            put(a, "B");
            assert_code(SP_EXISTS, os->publish(os->self, a, b, e));
            assert_true(is_there(a));
            assert_int_equal(unlink(a), 0);
            assert_int_equal(unlink(b), 0);
            assert_code(SP_ABSENT, os->publish(os->self, a, b, e));
        }
    free(a);
    free(b);
}

/* Only what means "cannot" leads to the next way; what means "failed" is told. */
static void
publish_tells_real_failures(void **state)
{
    char *a = in(state, "a"), *b = in(state, "b");

    put(a, "A");
    fault.renameat2 = EIO;
    assert_code(SP_IO, os->publish(os->self, a, b, e));
    fault.renameat2 = ENOSPC;
    assert_code(SP_FULL, os->publish(os->self, a, b, e));
    fault.renameat2 = EINVAL;
    fault.link = ENOSPC;
    assert_code(SP_FULL, os->publish(os->self, a, b, e));
    fault.link = ESTALE;
    assert_code(SP_UNREACHABLE, os->publish(os->self, a, b, e));
    assert_false(is_there(b));
    assert_true(is_there(a));
    free(a);
    free(b);
}

static void
publish_knows_its_own_link(void **state)
{
    char *a = in(state, "a"), *b = in(state, "b");

    put(a, "A");
    fault.renameat2 = EINVAL;
    fault.link_lies = true;
    assert_ok(os->publish(os->self, a, b, e));
    assert_true(is_there(b));
    assert_false(is_there(a));
    free(a);
    free(b);
}

static void
publish_can_be_repeated_after_a_failing_unlink(void **state)
{
    char *a = in(state, "a"), *b = in(state, "b");

    put(a, "A");
    fault.renameat2 = EINVAL;
    fault.unlink = EIO;
    assert_code(SP_IO, os->publish(os->self, a, b, e));
    fault.unlink = 0;
    assert_ok(os->publish(os->self, a, b, e));
    assert_true(is_there(b));
    assert_false(is_there(a));
    free(a);
    free(b);
}

static void
short_counts_and_interruptions_are_gone_over(void **state)
{
    char *a = in(state, "a"), out[100], back[100];
    struct sp_file *f;
    size_t n;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 3);
    fault.most = 7;
    fault.eintr = 3;
    assert_ok(os->create(os->self, a, &f, e));
    assert_int_equal(fault.eintr, 0);
    fault.eintr = 3;
    assert_ok(os->write_at(os->self, f, 0, out, sizeof(out), e));
    fault.eintr = 3;
    assert_ok(os->read_at(os->self, f, 0, back, sizeof(back), &n, e));
    assert_int_equal(n, sizeof(out));
    assert_memory_equal(back, out, sizeof(out));
    fault.eintr = 3;
    assert_ok(os->sync(os->self, f, e));
    assert_int_equal(fault.fsyncs, 4);
    assert_ok(os->close(os->self, f, e));
    free(a);
}

static void
failing_reads_and_writes_are_told(void **state)
{
    char *a = in(state, "a"), got[4];
    struct sp_file *f;
    size_t n = 99;

    assert_ok(os->create(os->self, a, &f, e));
    fault.pwrite = ENOSPC;
    assert_code(SP_FULL, os->write_at(os->self, f, 0, "abc", 3, e));
    /* A call that writes nothing for ever must not be asked for ever. */
    fault.pwrite = EIO;
    assert_code(SP_IO, os->write_at(os->self, f, 0, "abc", 3, e));
    fault.pread = ESTALE;
    assert_code(SP_UNREACHABLE, os->read_at(os->self, f, 0, got, 4, &n, e));
    assert_int_equal(n, 99);
    assert_ok(os->close(os->self, f, e));
    free(a);
}

/* R3: a failed flush is told at once; a second one would be no proof. */
static void
a_failed_flush_is_not_repeated(void **state)
{
    char *a = in(state, "a");
    struct sp_file *f;

    assert_ok(os->create(os->self, a, &f, e));
    fault.fsync = EIO;
    assert_code(SP_IO, os->sync(os->self, f, e));
    assert_int_equal(fault.fsyncs, 1);
    fault.fsync = EDQUOT;
    assert_code(SP_FULL, os->sync(os->self, f, e));
    assert_ok(os->close(os->self, f, e));
    free(a);
}

/* R3: a failing close is a failure; the descriptor is gone all the same, and closed once. */
static void
a_failing_close_is_told(void **state)
{
    static const int why[] = {EIO, EINTR, ENOSPC};
    static const enum sp_code code[] = {SP_IO, SP_IO, SP_FULL};
    char *a = in(state, "a");

    for (size_t i = 0; i < 3; i++) {
        struct sp_file *f;
        int lowest = dup(0);

        assert_int_equal(close(lowest), 0);
        assert_ok(os->create(os->self, a, &f, e));
        fault.closes = 0;
        fault.close = why[i];
        assert_code(code[i], os->close(os->self, f, e));
        assert_int_equal(fault.closes, 1);
        fault.close = 0;
        assert_int_equal(fcntl(lowest, F_GETFD), -1);
        assert_int_equal(unlink(a), 0);
    }
    free(a);
}

/* What CIFS answers is "cannot"; what a broken disk or a lost server answers never is. The number
 * is kept for the probe. */
static void
a_folder_that_cannot_be_flushed(void **state)
{
    static const struct {
        int os;
        enum sp_code code;
    } cases[] = {{EINVAL, SP_UNSUPPORTED}, {ENOENT, SP_UNSUPPORTED}, {ENOTSUP, SP_UNSUPPORTED},
        {ENOSYS, SP_UNSUPPORTED}, {EIO, SP_IO}, {ESTALE, SP_UNREACHABLE}, {ENOSPC, SP_FULL}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sp_err err = {0};

        fault.fsync = cases[i].os;
        assert_int_equal(os->sync_dir(os->self, *state, &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.os, cases[i].os);
    }
    fault.fsync = 0;
    fault.close = EIO;
    assert_code(SP_IO, os->sync_dir(os->self, *state, e));
}

static void
a_lease_is_waited_for(void **state)
{
    char *a = in(state, "a");
    struct sp_file *f;

    put(a, "A");
    fault.lease = true;
    assert_ok(os->open_read(os->self, a, &f, e));
    assert_ok(os->close(os->self, f, e));
    free(a);
}

struct names {
    unsigned count;
    enum sp_os_type type;
};

static enum sp_code
note(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct names *n = arg;

    (void)e;
    assert_true(strcmp(name, "a") == 0 || strcmp(name, "gone") == 0);
    n->count++;
    n->type = st->type;
    return SP_OK;
}

static void
a_listing_that_breaks_off_is_told(void **state)
{
    struct names n = {.count = 0};

    fault.readdir = EIO;
    assert_code(SP_IO, os->list(os->self, *state, false, note, &n, e));
    assert_int_equal(n.count, 2);
}

/* Some file systems do not tell types; and a name may go away before it is looked at. */
static void
types_are_looked_up_when_unknown(void **state)
{
    char *a = in(state, "a");
    struct names n = {.count = 0};

    put(a, "A");
    fault.unknown = true;
    assert_ok(os->list(os->self, *state, false, note, &n, e));
    assert_int_equal(n.count, 1);
    assert_int_equal(n.type, SP_OS_FILE);
    fault.unknown = false;
    fault.names = 0;
    n.count = 0;
    assert_ok(os->list(os->self, *state, false, note, &n, e));
    assert_int_equal(n.count, 2);
    assert_int_equal(n.type, SP_OS_DIR);
    free(a);
}

#define with_faults(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_faults(publish_all_ways),
        with_faults(publish_tells_real_failures),
        with_faults(publish_knows_its_own_link),
        with_faults(publish_can_be_repeated_after_a_failing_unlink),
        with_faults(short_counts_and_interruptions_are_gone_over),
        with_faults(failing_reads_and_writes_are_told),
        with_faults(a_failed_flush_is_not_repeated),
        with_faults(a_failing_close_is_told),
        with_faults(a_folder_that_cannot_be_flushed),
        with_faults(a_lease_is_waited_for),
        with_faults(a_listing_that_breaks_off_is_told),
        with_faults(types_are_looked_up_when_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
