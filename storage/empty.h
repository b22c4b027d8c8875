#ifndef SP_STORAGE_EMPTY_H
#define SP_STORAGE_EMPTY_H

/* Whether a folder may become a new repository: what it holds already. A run that died while it
 * made the repository leaves tmp/ and nothing else, which is as good as empty, or the small objects
 * that come first. For the backends that keep one in a folder. */

#include "base/err.h"

#define SP_FOLDER_CONF "repository.conf"
#define SP_FOLDER_TMP "tmp" /* what has no name yet */

struct sp_found {
    bool begun, filled; /* small objects of a repository; what a backup brings */
    char other[81];     /* the first name that is none of ours, as it can be shown */
};

void sp_found_note(struct sp_found *f, const char *name);
/* SP_EXISTS: it may not. `where`: the folder, for people. */
enum sp_code sp_found_judge(const struct sp_found *f, const char *where, struct sp_err *e);

#endif
