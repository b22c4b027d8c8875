#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/compare/compare.h"

/* An open hash of files with more than one name, each entered twice: under its number in A, to the
 * file in B that stands for it, and under its number in B, to the file in A. The two directions
 * together say that the groups of names are the same on both sides. */
struct link {
    bool used;
    int side;  /* whose number the key is */
    dev_t dev; /* the key */
    ino_t ino;
    dev_t peer_dev; /* the file on the other side */
    ino_t peer_ino;
    char *path; /* where it was met first */
};

static struct link *
slot(struct link *table, size_t size, int side, dev_t dev, ino_t ino)
{
    uint64_t h = ((uint64_t)ino * 2 + (uint64_t)side) * 0x9e3779b97f4a7c15u ^
                 (uint64_t)dev * 0xff51afd7ed558ccdu;
    for (size_t i = (size_t)(h >> 20) & (size - 1);; i = (i + 1) & (size - 1)) {
        struct link *l = &table[i];
        if (!l->used || (l->side == side && l->dev == dev && l->ino == ino))
            return l;
    }
}

static void
grow(struct compare *c)
{
    size_t size = c->links_size ? 2 * c->links_size : 1024;
    struct link *table = need(NULL, size * sizeof *table);
    memset(table, 0, size * sizeof *table);
    for (size_t i = 0; i < c->links_size; i++) {
        const struct link *l = &c->links[i];
        if (l->used)
            *slot(table, size, l->side, l->dev, l->ino) = *l;
    }
    free(c->links);
    c->links = table;
    c->links_size = size;
}

static void
enter(struct compare *c, struct link *at, int side, const struct stat *key, const struct stat *peer)
{
    at->used = true;
    at->side = side;
    at->dev = key->st_dev;
    at->ino = key->st_ino;
    at->peer_dev = peer->st_dev;
    at->peer_ino = peer->st_ino;
    at->path = need(NULL, c->path_len + 1);
    memcpy(at->path, c->path, c->path_len + 1);
    c->n_links++;
}

static bool
stands_for(const struct link *l, const struct stat *peer)
{
    return l->peer_dev == peer->st_dev && l->peer_ino == peer->st_ino;
}

static void
report_link(struct compare *c, const char *which, const struct link *l)
{
    char *path = escaped(l->path);
    difference(c, "a hard link in %s alone, with %s", which, path);
    free(path);
}

bool
compare_link(struct compare *c, const struct stat *a, const struct stat *b)
{
    if (a->st_nlink < 2 && b->st_nlink < 2)
        return false;
    if (4 * (c->n_links + 2) > 3 * c->links_size)
        grow(c);
    struct link *in_a = slot(c->links, c->links_size, 0, a->st_dev, a->st_ino);
    if (in_a->used && !stands_for(in_a, b))
        report_link(c, "A", in_a);
    bool known = in_a->used && stands_for(in_a, b);
    if (!in_a->used)
        enter(c, in_a, 0, a, b);
    struct link *in_b = slot(c->links, c->links_size, 1, b->st_dev, b->st_ino);
    if (in_b->used && !stands_for(in_b, a))
        report_link(c, "B", in_b);
    if (!in_b->used)
        enter(c, in_b, 1, b, a);
    return known;
}

void
links_free(struct compare *c)
{
    for (size_t i = 0; i < c->links_size; i++)
        if (c->links[i].used)
            free(c->links[i].path);
    free(c->links);
}
