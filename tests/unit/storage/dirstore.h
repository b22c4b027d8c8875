#ifndef SP_TESTS_DIRSTORE_H
#define SP_TESTS_DIRSTORE_H

/* What the tests of the dir backend share: a folder of its own for every test, and a repository in
 * it over a table that fails on demand. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "expect.h"
#include "faulty.h"
#include "storage/backend.h"

/* --- a folder of its own for every test ------------------------------------------------------ */

static char base[200];

static inline int
make_base(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    if (snprintf(base, sizeof(base), "%s/sp-backend-XXXXXX", tmp != NULL ? tmp : "/tmp") >=
        (int)sizeof(base))
        return -1;
    return mkdtemp(base) != NULL ? 0 : -1;
}

static inline int
drop_base(void **state)
{
    (void)state;
    return sp_os_remove_tree(&sp_os_system, base, &err) == SP_OK ? 0 : -1;
}

/* base + "/" + rest, in one of a few buffers in turn. */
static inline const char *
at(const char *rest)
{
    static char paths[8][400];
    static size_t next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", base, rest);
    return path;
}

static inline bool
there(const char *rest)
{
    struct stat st;

    return lstat(at(rest), &st) == 0;
}

static inline void
write_plain(const char *rest, const char *text)
{
    FILE *f = fopen(at(rest), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static inline enum sp_code
count_entry(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    (void)name;
    (void)st;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static inline size_t
entries(const char *rest)
{
    size_t n = 0;

    ok(sp_os_system.list(NULL, at(rest), false, count_entry, &n, &err));
    return n;
}

/* A repository in base/repo, with its repository.conf. */
static inline void
make_repository(void)
{
    struct sp_backend *b;

    ok(sp_backend_dir_open(&sp_env_system, at("repo"), true, &b, &err));
    ok(sp_backend_put(b, "repository.conf", "conf", 4, &err));
    ok(sp_backend_put(b, "packs/00/a", "aaaa", 4, &err));
    ok(sp_backend_sync(b, &err));
    sp_backend_free(b);
}

/* --- faults ---------------------------------------------------------------------------------- */

/* Operation `op` on paths that contain `path` fails with `number`, `times` times. */
struct fault {
    const char *op, *path;
    int number, times;
};
#define ALWAYS 1000000

struct faults {
    struct fault list[4];
};

static inline enum sp_code
meet(void *arg, const char *op, const char *path, struct sp_err *e)
{
    struct faults *all = arg;

    for (size_t i = 0; i < 4; i++) {
        struct fault *f = &all->list[i];

        if (f->op == NULL || f->times == 0 || strcmp(f->op, op) != 0 ||
            strstr(path, f->path) == NULL)
            continue;
        f->times--;
        return sp_fail_os(e, SP_DOM_STORE, f->number, "%s %s", op, path);
    }
    return SP_OK;
}

struct store {
    struct faulty table;
    struct faults faults;
    struct sp_env env;
    struct sp_backend *b;
};

static inline void
store_init(struct store *s)
{
    *s = (struct store){.b = NULL};
    faulty_init(&s->table, &sp_os_system);
    s->table.before = meet;
    s->table.arg = &s->faults;
    s->env = sp_env_system;
    s->env.os = &s->table.os;
}

static inline void
store_open(struct store *s)
{
    ok(sp_backend_dir_open(&s->env, at("repo"), false, &s->b, &err));
}

static inline void
store_free(struct store *s)
{
    sp_backend_free(s->b);
    faulty_free(&s->table);
}

static inline void
set_fault(struct store *s, size_t i, const char *op, const char *path, int number, int times)
{
    s->faults.list[i] = (struct fault){op, path, number, times};
}

#endif
