#include "vss/mounts_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pseudo[] = {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2",
    "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue",
    "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tmpfs",
    "tracefs"};

bool
mount_is_pseudo(const struct mount *m)
{
    size_t i;

    for (i = 0; i < sizeof(pseudo) / sizeof(pseudo[0]); i++) {
        if (strcmp(m->type, pseudo[i]) == 0)
            return true;
    }
    return false;
}

bool
path_within(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    if (strcmp(dir, "/") == 0)
        return path[0] == '/';
    return strncmp(dir, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

void
mounts_clear(struct mounts *m)
{
    size_t i;

    for (i = 0; i < m->n; i++) {
        free(m->m[i].path);
        free(m->m[i].type);
    }
    free(m->m);
    m->m = NULL;
    m->n = 0;
}

/* \040 and its like, in place. */
static void
unescape(char *s)
{
    char *to = s;

    while (*s != '\0') {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)(((s[1] - '0') << 6) | ((s[2] - '0') << 3) | (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 /root /mount/point options… - type source superoptions" */
static bool
split_line(char *line, char **ret_path, char **ret_type)
{
    char *save = NULL, *field = strtok_r(line, " ", &save);
    unsigned i;

    *ret_path = *ret_type = NULL;
    for (i = 0; field != NULL; i++, field = strtok_r(NULL, " ", &save)) {
        if (i == 4)
            *ret_path = field;
        if (i > 5 && strcmp(field, "-") == 0) {
            *ret_type = strtok_r(NULL, " ", &save);
            break;
        }
    }
    return *ret_path != NULL && *ret_type != NULL;
}

static enum sp_code
add(struct mounts *all, const char *path, const char *type, struct sp_err *e)
{
    struct mount *more;
    char *t, *p;
    size_t i;

    for (i = 0; i < all->n; i++) { /* a later mount hides this one */
        if (strcmp(all->m[i].path, path) != 0)
            continue;
        if ((t = strdup(type)) == NULL)
            return sp_fail_nomem(e);
        free(all->m[i].type);
        all->m[i].type = t;
        return SP_OK;
    }
    more = realloc(all->m, (all->n + 1) * sizeof(*more));
    if (more == NULL)
        return sp_fail_nomem(e);
    all->m = more;
    p = strdup(path);
    t = strdup(type);
    if (p == NULL || t == NULL) {
        free(p);
        free(t);
        return sp_fail_nomem(e);
    }
    all->m[all->n].path = p;
    all->m[all->n].type = t;
    all->n++;
    return SP_OK;
}

static int
by_path(const void *a, const void *b)
{
    const struct mount *x = a, *y = b;

    return strcmp(x->path, y->path);
}

enum sp_code
mounts_parse(const char *text, struct mounts *ret, struct sp_err *e)
{
    struct mounts all = {NULL, 0};
    char *copy = strdup(text), *line, *save = NULL, *path, *type;
    enum sp_code rc = SP_OK;

    if (copy == NULL)
        return sp_fail_nomem(e);
    for (line = strtok_r(copy, "\n", &save); line != NULL && rc == SP_OK;
         line = strtok_r(NULL, "\n", &save)) {
        if (!split_line(line, &path, &type))
            continue;
        unescape(path);
        rc = add(&all, path, type, e);
    }
    free(copy);
    if (rc == SP_OK && all.n == 0)
        rc = sp_fail(e, SP_IO, SP_DOM_SHADOW, "the table of mounts is empty");
    if (rc != SP_OK) {
        mounts_clear(&all);
        return rc;
    }
    qsort(all.m, all.n, sizeof(*all.m), by_path);
    *ret = all;
    return SP_OK;
}

enum sp_code
mounts_read(struct mounts *ret, struct sp_err *e)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *text = NULL;
    size_t n = 0, cap = 0, got;
    enum sp_code rc;

    if (f == NULL)
        return sp_fail_os(e, SP_DOM_SHADOW, errno, "/proc/self/mountinfo");
    do {
        if (cap - n < 4096) {
            char *more = realloc(text, cap + 65536);

            if (more == NULL) {
                rc = sp_fail_nomem(e);
                goto out;
            }
            text = more;
            cap += 65536;
        }
        got = fread(text + n, 1, cap - n - 1, f);
        n += got;
    } while (got > 0);
    if (ferror(f)) {
        rc = sp_fail_os(e, SP_DOM_SHADOW, errno, "/proc/self/mountinfo");
        goto out;
    }
    text[n] = '\0';
    rc = mounts_parse(text, ret, e);
out:
    free(text);
    (void)fclose(f);
    return rc;
}

const struct mount *
mounts_cover(const struct mounts *m, const char *path)
{
    const struct mount *best = NULL;
    size_t i;

    for (i = 0; i < m->n; i++) {
        if (path_within(m->m[i].path, path) &&
            (best == NULL || strlen(m->m[i].path) >= strlen(best->path)))
            best = &m->m[i];
    }
    return best;
}
