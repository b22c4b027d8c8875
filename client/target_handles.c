#include "client/target_handles.h"

static void
list_take(struct target_handles *hs, struct target_node *n)
{
    *(n->older != NULL ? &n->older->newer : &hs->oldest) = n->newer;
    *(n->newer != NULL ? &n->newer->older : &hs->newest) = n->older;
    n->older = n->newer = NULL;
}

static void
begin_use(struct target_handles *hs, struct target_node *n)
{
    if (n->users++ == 0)
        list_take(hs, n);
}

static void
trim(struct target_handles *hs)
{
    while (hs->nopen > hs->most && hs->oldest != NULL) {
        struct target_node *n = hs->oldest;

        list_take(hs, n);
        hs->close(n);
        n->open = false;
        hs->nopen--;
    }
}

static void
end_use(struct target_handles *hs, struct target_node *n)
{
    if (--n->users > 0)
        return;
    n->older = hs->newest;
    n->newer = NULL;
    *(hs->newest != NULL ? &hs->newest->newer : &hs->oldest) = n;
    hs->newest = n;
    trim(hs);
}

/* In use afterwards. */
static void
opened(struct target_handles *hs, struct target_node *n)
{
    n->open = true;
    n->users = 1;
    hs->nopen++;
    trim(hs);
}

void
target_handles_init(struct target_handles *hs, size_t most,
    enum sp_code (*open)(struct target_node *n, struct target_node *up, struct sp_err *e),
    void (*close)(struct target_node *n))
{
    *hs = (struct target_handles){.most = most, .open = open, .close = close};
    sp_mutex_init(&hs->lock);
}

void
target_handles_destroy(struct target_handles *hs)
{
    sp_mutex_destroy(&hs->lock);
}

void
target_handles_add(struct target_handles *hs, struct target_node *n, bool stays)
{
    sp_mutex_lock(&hs->lock);
    opened(hs, n);
    if (!stays)
        end_use(hs, n);
    sp_mutex_unlock(&hs->lock);
}

void
target_handles_remove(struct target_handles *hs, struct target_node *n)
{
    /* No one has it any more, but the lists may be closing it for another. */
    sp_mutex_lock(&hs->lock);
    if (n->open) {
        if (n->users == 0)
            list_take(hs, n);
        hs->nopen--;
        n->open = false;
        hs->close(n);
    }
    sp_mutex_unlock(&hs->lock);
}

enum sp_code
target_handles_use(struct target_handles *hs, struct target_node *n, struct sp_err *e)
{
    struct target_node *at = n;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&hs->lock);
    for (; !at->open; at = at->up) /* the target itself is always open */
        at->up->below = at;
    begin_use(hs, at);
    while (at != n && rc == SP_OK) {
        struct target_node *next = at->below;

        if ((rc = hs->open(next, at, e)) == SP_OK)
            opened(hs, next);
        end_use(hs, at);
        at = next;
    }
    sp_mutex_unlock(&hs->lock);
    return rc;
}

void
target_handles_unuse(struct target_handles *hs, struct target_node *n)
{
    sp_mutex_lock(&hs->lock);
    end_use(hs, n);
    sp_mutex_unlock(&hs->lock);
}
