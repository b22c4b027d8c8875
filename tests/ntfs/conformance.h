#ifndef SP_TESTS_NTFS_CONFORMANCE_H
#define SP_TESTS_NTFS_CONFORMANCE_H

/* What any table of client/ntfs.h has to do, asked feature by feature in a folder to work in: of
 * the double, and of the system itself, under Wine and on Windows. A place may lack a feature: it
 * says so by its volume's flags, by SP_UNSUPPORTED, or (Wine, shares) by not keeping what it took.
 * Which ones is asserted by who runs it. */

#include <stdio.h>

#include "client/ntfs.h"

enum outcome { WORKS, NOT_HERE, BROKEN };

struct place {
    const struct sp_ntfs *fs;
    struct sp_ntfs_handle *dir; /* an empty folder of this feature's own, NTFS_LIST */
    struct sp_ntfs_volume volume;
    unsigned may;
    char path[1024]; /* of that folder */
    struct sp_err e;
};
struct feature {
    const char *name;
    uint32_t flag; /* NTFS_FS_*: without it the volume has no such thing; 0: any volume */
    enum outcome (*run)(struct place *p);
};
extern const struct feature features_names[], features_content[], features_meta[],
    features_more[]; /* end: NULL */

enum outcome broken(struct place *p, const char *file, int line, const char *what);
enum outcome not_kept(struct place *p, const char *file, int line, const char *what);

/* Each leaves the feature's function. HERE: SP_UNSUPPORTED is "not here". KEPT: what was taken must
 * be there. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return broken(p, __FILE__, __LINE__, #condition);                                      \
    } while (0)
#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != SP_OK)                                                                       \
            return broken(p, __FILE__, __LINE__, #call);                                           \
    } while (0)
#define HERE(call)                                                                                 \
    do {                                                                                           \
        const enum sp_code here_rc = (call);                                                       \
        if (here_rc == SP_UNSUPPORTED)                                                             \
            return not_kept(p, __FILE__, __LINE__, #call);                                         \
        if (here_rc != SP_OK)                                                                      \
            return broken(p, __FILE__, __LINE__, #call);                                           \
    } while (0)
#define KEPT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return not_kept(p, __FILE__, __LINE__, #condition);                                    \
    } while (0)

/* Short forms over p->dir; failures are the caller's business. */
enum sp_code
make_file(struct place *p, const char *name, const char *text, struct sp_ntfs_handle **ret);
enum sp_code made(struct place *p, const char *name, const char *text); /* and closed */
enum sp_code made_folder(struct place *p, const char *name);
enum sp_code
opened(struct place *p, const char *name, enum sp_ntfs_access access, struct sp_ntfs_handle **ret);
enum sp_code closed(struct place *p, struct sp_ntfs_handle *h);
enum sp_code control(struct place *p, struct sp_ntfs_handle *h, uint32_t code, const void *in,
    size_t n, struct sp_buf *ret);
bool holds(struct place *p, const char *name, const char *text); /* its content */
size_t
count_names(struct place *p, const char *only); /* in the listing; only: of this very spelling */
enum sp_code info_of(struct place *p, const char *name, struct sp_ntfs_info *ret);

#endif
