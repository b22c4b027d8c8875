#include "client/listing_posix.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/runs.h"

#define RUNS_MEMORY ((size_t)8 << 20)

static const char tag_name[] = "CACHEDIR.TAG";

struct sp_listing {
    /* In memory: a type byte, the name, a NUL, one after the other; `order` points to the names. */
    struct sp_buf arena;
    const char **order;
    size_t count, next;
    struct sp_runs *runs; /* or there: the type is the value */
    struct sp_buf last;   /* the name given out before, when in runs */
    int error;
    bool has_tag, tag_only, tag_given;
    unsigned char tag_type;
};

/* What the arena holds goes to disk. */
static enum sp_code
move_to_runs(struct sp_listing *l, const struct sp_env *env, const char *temp_dir, struct sp_err *e)
{
    const char *p = (const char *)l->arena.data, *end = p + l->arena.len;
    enum sp_code rc;

    if (temp_dir == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "a folder with more than %d names cannot be sorted without a temporary folder",
            SP_LISTING_MOST);
    if ((rc = sp_runs_new(env, temp_dir, RUNS_MEMORY, &l->runs, e)) != SP_OK)
        return rc;
    while (p < end) {
        size_t n = strlen(p + 1);

        if ((rc = sp_runs_add(l->runs, p + 1, n, p, 1, e)) != SP_OK)
            return rc;
        p += n + 2;
    }
    sp_buf_free(&l->arena);
    return SP_OK;
}

static enum sp_code
add(struct sp_listing *l, const struct sp_env *env, const char *temp_dir, const char *name,
    unsigned char type, struct sp_err *e)
{
    size_t n = strlen(name);
    enum sp_code rc;

    if (n == sizeof tag_name - 1 && memcmp(name, tag_name, n) == 0) {
        l->has_tag = true;
        l->tag_type = type;
    }
    if (l->runs == NULL && l->count == SP_LISTING_MOST &&
        (rc = move_to_runs(l, env, temp_dir, e)) != SP_OK)
        return rc;
    l->count++;
    if (l->runs != NULL)
        return sp_runs_add(l->runs, name, n, &type, 1, e);
    sp_buf_put_u8(&l->arena, type);
    sp_buf_put(&l->arena, name, n + 1);
    return sp_buf_ok(&l->arena, e);
}

static enum sp_code
read_names(struct sp_listing *l, const struct sp_env *env, const char *temp_dir, int fd,
    void *buffer, struct sp_err *e)
{
    char *block = buffer;
    enum sp_code rc;

    if (lseek(fd, 0, SEEK_SET) < 0) {
        l->error = errno;
        return SP_OK;
    }
    for (;;) {
        ssize_t got = getdents64(fd, block, SP_LISTING_BUFFER);

        if (got < 0 && errno == EINTR)
            continue;
        /* A folder that was removed while it was read has no more names. */
        if (got < 0 && errno == ENOENT)
            return SP_OK;
        if (got < 0)
            l->error = errno;
        if (got <= 0)
            return SP_OK;
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(block + at);
            const char *name = d->d_name;

            at += d->d_reclen;
            if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
                continue;
            /* The kernel refuses these since 5.6; before, a broken FUSE server could lead out of
             * its folder with them. */
            if (*name == '\0' || strchr(name, '/') != NULL) {
                l->error = EIO;
                continue;
            }
            if ((rc = add(l, env, temp_dir, name, d->d_type, e)) != SP_OK)
                return rc;
        }
    }
}

/* strcmp compares as unsigned bytes: the order of keys. */
static int
compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum sp_code
sort(struct sp_listing *l, struct sp_err *e)
{
    const char *p = (const char *)l->arena.data;

    if (l->runs != NULL)
        return sp_runs_sort(l->runs, e);
    if (l->count == 0)
        return SP_OK;
    if ((l->order = malloc(l->count * sizeof *l->order)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < l->count; i++) {
        l->order[i] = p + 1;
        p += strlen(p + 1) + 2;
    }
    qsort(l->order, l->count, sizeof *l->order, compare);
    return SP_OK;
}

enum sp_code
sp_listing_read(const struct sp_env *env, const char *temp_dir, int fd, void *buffer,
    struct sp_listing **ret, struct sp_err *e)
{
    struct sp_listing *l = calloc(1, sizeof *l);
    enum sp_code rc;

    if (l == NULL)
        return sp_fail_nomem(e);
    if ((rc = read_names(l, env, temp_dir, fd, buffer, e)) != SP_OK || (rc = sort(l, e)) != SP_OK)
        goto out;
    *ret = l;
    l = NULL;
out:
    sp_listing_free(l);
    return rc;
}

void
sp_listing_free(struct sp_listing *l)
{
    if (l == NULL)
        return;
    sp_runs_free(l->runs);
    sp_buf_free(&l->arena);
    sp_buf_free(&l->last);
    free(l->order);
    free(l);
}

int
sp_listing_error(const struct sp_listing *l)
{
    return l->error;
}

bool
sp_listing_has_tag(const struct sp_listing *l)
{
    return l->has_tag;
}

uint64_t
sp_listing_keep_tag(struct sp_listing *l)
{
    l->tag_only = true;
    return l->count - 1;
}

/* Two names may be the same where a folder changed while it was read: only one of them counts. */
static enum sp_code
next_in_runs(struct sp_listing *l, struct sp_listed *ret, bool *ret_more, struct sp_err *e)
{
    const void *name, *type;
    size_t n, type_n;
    bool more;
    enum sp_code rc;

    do {
        if ((rc = sp_runs_next(l->runs, &name, &n, &type, &type_n, &more, e)) != SP_OK)
            return rc;
        if (!more) {
            *ret_more = false;
            return SP_OK;
        }
    } while (n == l->last.len && memcmp(name, l->last.data, n) == 0);
    ret->type = *(const unsigned char *)type;
    sp_buf_reset(&l->last);
    sp_buf_put(&l->last, name, n);
    ret->name = sp_buf_str(&l->last);
    ret->len = n;
    if ((rc = sp_buf_ok(&l->last, e)) == SP_OK)
        *ret_more = true;
    return rc;
}

enum sp_code
sp_listing_next(struct sp_listing *l, struct sp_listed *ret, bool *ret_more, struct sp_err *e)
{
    const char *name;

    if (l->tag_only) {
        *ret = (struct sp_listed){tag_name, sizeof tag_name - 1, l->tag_type};
        *ret_more = !l->tag_given;
        l->tag_given = true;
        return SP_OK;
    }
    if (l->runs != NULL)
        return next_in_runs(l, ret, ret_more, e);
    while (
        l->next > 0 && l->next < l->count && strcmp(l->order[l->next], l->order[l->next - 1]) == 0)
        l->next++;
    if (l->next == l->count) {
        *ret_more = false;
        return SP_OK;
    }
    name = l->order[l->next++];
    *ret = (struct sp_listed){name, strlen(name), (unsigned char)name[-1]};
    *ret_more = true;
    return SP_OK;
}
