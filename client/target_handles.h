#ifndef SP_CLIENT_TARGET_HANDLES_H
#define SP_CLIENT_TARGET_HANDLES_H

/* A bounded number of open handles under any number of counted folders: the one that was used longest
 * ago is closed when there are too many, and comes back by walking down from the nearest one above it
 * that is open. How a folder is opened again, and held against what it was, is the platform's. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/thread.h"

struct target_node { /* the first member of a folder */
    struct target_node *up; /* NULL: the target itself, which stays open */
    /* Under the lock. */
    bool open;
    unsigned users;
    struct target_node *older, *newer;
    struct target_node *below; /* while walking down: where to */
};

struct target_handles {
    struct sp_mutex lock;
    size_t nopen, most;
    struct target_node *oldest, *newest; /* open and not in use */
    /* Under the lock; `up` is open. */
    enum sp_code (*open)(struct target_node *n, struct target_node *up, struct sp_err *e);
    void (*close)(struct target_node *n);
};

void target_handles_init(struct target_handles *hs, size_t most,
    enum sp_code (*open)(struct target_node *n, struct target_node *up, struct sp_err *e),
    void (*close)(struct target_node *n));
void target_handles_destroy(struct target_handles *hs);
/* A folder that was opened just now. `stays`: it is never closed before it is removed. */
void target_handles_add(struct target_handles *hs, struct target_node *n, bool stays);
/* Nobody uses it any more: closes it when it is open. */
void target_handles_remove(struct target_handles *hs, struct target_node *n);
/* Its handle is open until unuse. */
enum sp_code target_handles_use(struct target_handles *hs, struct target_node *n, struct sp_err *e);
void target_handles_unuse(struct target_handles *hs, struct target_node *n);

#endif
