#ifndef SP_TESTS_COMPARE_H
#define SP_TESTS_COMPARE_H

/* compare A B: are two trees the same in everything that POSIX can tell, but for ctime, atime and
 * the numbers of inodes? The referee of every round trip: it depends on nothing of the product.
 *
 * The two trees are walked together by folder handles, one name at a time; the path is kept for
 * messages and --exclude only, so neither PATH_MAX nor the depth of a tree is a limit: going down
 * opens the child, going up opens "..", and never more than one folder a side stays open.
 *
 * One line a difference on stdout. What cannot be read is no difference but a failure (exit 2). */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct compare {
    bool ignore_holes;
    const char **exclude; /* relative paths, with all below them */
    size_t n_exclude;

    char *path; /* of the entry at hand, relative to both roots; "" for the roots themselves */
    size_t path_len, path_size;

    unsigned long long entries, differences, failures;
    struct link *links; /* compare_links.c */
    size_t n_links, links_size;
};

/* One side of the entry at hand. */
struct side {
    int fd; /* O_PATH of the entry itself, links not followed */
    struct stat st;
};

/* Reports: the path, escaped, and the sentence. */
void difference(struct compare *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void failure(struct compare *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A path for a line of output, whatever bytes are in it; malloc'd. The roots themselves are ".". */
char *escaped(const char *path);

/* Malloc that ends the program when there is no memory. */
void *need(void *p, size_t n);

/* Mode, owner, time, device, target, extended attributes. */
void compare_metadata(struct compare *c, const struct side *a, const struct side *b);
/* Bytes and holes of two regular files. */
void compare_content(struct compare *c, const struct side *a, const struct side *b);
/* Hard links: the entries that are one file in A must be one file in B, and the other way round.
 * Tells whether this very pair of files was met before, so that its content need not be read again.
 */
bool compare_link(struct compare *c, const struct stat *a, const struct stat *b);
void links_free(struct compare *c);

#endif
