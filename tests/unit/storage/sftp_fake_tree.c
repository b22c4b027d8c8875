/* The files and folders of the fake server: an array sorted by path, in which what is below a
 * folder lies together ('/' is sorted before all else, so that "a/b" comes before "a-b"). */

#include "sftp_fake_impl.h"

#include <stdio.h>
#include <string.h>

void *
fake_must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

void
fake_broken(const char *what)
{
    fprintf(stderr, "the SFTP client breaks the protocol: %s\n", what);
    abort();
}

uint32_t
fake_dice(struct fake_server *f)
{
    f->dice = f->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(f->dice >> 33);
}

/* Without "." and "..", without a slash at the end. */
char *
fake_path(const struct fake_server *f, const char *path, size_t n)
{
    char *all = fake_must(malloc(strlen(f->home) + n + 3)), *out;
    size_t len = 0, at = 0;

    out = fake_must(malloc(strlen(f->home) + n + 3));
    if (n > 0 && path[0] == '/')
        sprintf(all, "%.*s", (int)n, path);
    else
        sprintf(all, "%s/%.*s", f->home, (int)n, path);
    while (all[at] != '\0') {
        size_t part = strcspn(all + at, "/");

        if (part == 2 && memcmp(all + at, "..", 2) == 0) {
            while (len > 0 && out[--len] != '/')
                continue;
        } else if (part > 0 && !(part == 1 && all[at] == '.')) {
            out[len++] = '/';
            memcpy(out + len, all + at, part);
            len += part;
        }
        at += part + (all[at + part] == '/');
    }
    if (len == 0)
        out[len++] = '/';
    out[len] = '\0';
    free(all);
    return out;
}

static int
order(const char *a, const char *b)
{
    for (; *a == *b; a++, b++)
        if (*a == '\0')
            return 0;
    if (*a == '\0' || *b == '\0')
        return *a == '\0' ? -1 : 1;
    if (*a == '/' || *b == '/')
        return *a == '/' ? -1 : 1;
    return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

size_t
fake_at(const struct fake_server *f, const char *path, bool *found)
{
    size_t low = 0, high = f->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (order(f->nodes[mid]->path, path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < f->n && strcmp(f->nodes[low]->path, path) == 0;
    return low;
}

struct fake_node *
fake_find(const struct fake_server *f, const char *path)
{
    bool found;
    size_t at = fake_at(f, path, &found);

    return found ? f->nodes[at] : NULL;
}

struct fake_node *
fake_make(struct fake_server *f, const char *path, int kind)
{
    struct fake_node *x = fake_must(calloc(1, sizeof(*x)));
    bool found;
    size_t at = fake_at(f, path, &found);

    if (found)
        abort();
    if (f->n == f->cap) {
        f->cap = f->cap * 2 + 64;
        f->nodes = fake_must(realloc(f->nodes, f->cap * sizeof(struct fake_node *)));
    }
    memmove(f->nodes + at + 1, f->nodes + at, (f->n - at) * sizeof(struct fake_node *));
    f->nodes[at] = x;
    f->n++;
    x->path = fake_must(strdup(path));
    x->kind = kind;
    x->mtime = f->now;
    x->refs = 1;
    return x;
}

bool
fake_parent_there(const struct fake_server *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = fake_path(f, path, slash == path ? 1 : (size_t)(slash - path));
    const struct fake_node *x = fake_find(f, parent);

    free(parent);
    return x != NULL && x->kind == FAKE_FOLDER;
}

void
fake_release(struct fake_server *f, struct fake_node *x)
{
    if (--x->refs > 0)
        return;
    f->used -= x->bytes.len;
    sp_buf_free(&x->bytes);
    free(x->path);
    free(x);
}

void
fake_drop(struct fake_server *f, size_t at)
{
    struct fake_node *x = f->nodes[at];

    f->n--;
    memmove(f->nodes + at, f->nodes + at + 1, (f->n - at) * sizeof(struct fake_node *));
    fake_release(f, x);
}

size_t
fake_below(const struct fake_server *f, const char *folder, size_t *ret_end)
{
    size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    bool found;
    size_t at = fake_at(f, folder, &found) + found, end = at;

    while (end < f->n && strncmp(f->nodes[end]->path, folder, n) == 0 &&
           f->nodes[end]->path[n] == '/' && f->nodes[end]->path[n + 1] != '\0')
        end++;
    *ret_end = end;
    return at;
}

void
fake_resize(struct fake_server *f, struct fake_node *x, size_t n)
{
    size_t old = x->bytes.len;

    if (n > old)
        sp_buf_put_zero(&x->bytes, n - old);
    if (x->bytes.failed)
        abort();
    x->bytes.len = n;
    if (x->safe > n)
        x->safe = n;
    f->used = f->used - old + n;
}
