/* One request and its answer, from the caller's side. See remote_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"

void
sp_call_init(struct call *c, enum sp_msg_type type)
{
    memset(c, 0, sizeof(*c));
    c->msg.type = type;
    c->items_end = &c->items;
    sp_cond_init(&c->changed);
}

enum sp_code
sp_call_start(struct remote *r, struct call *c, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    if ((rc = r->failed.code) != SP_OK) {
        *e = r->failed;
        c->done = true;
        c->err = *e;
    } else {
        c->number = r->next_number++;
        *r->calls_end = c;
        r->calls_end = &c->next;
    }
    sp_mutex_unlock(&r->lock);
    if (rc == SP_OK)
        sp_remote_wake(r);
    return rc;
}

enum sp_code
sp_call_wait(struct remote *r, struct call *c, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    while (!c->done)
        sp_cond_wait(&c->changed, &r->lock);
    if ((rc = c->err.code) != SP_OK)
        *e = c->err;
    sp_mutex_unlock(&r->lock);
    return rc;
}

enum sp_code
sp_call_run(struct remote *r, struct call *c, struct sp_err *e)
{
    enum sp_code rc = sp_call_start(r, c, e);

    return rc != SP_OK ? rc : sp_call_wait(r, c, e);
}

struct item *
sp_call_next(struct remote *r, struct call *c)
{
    struct item *it = NULL;
    bool drained = false;

    sp_mutex_lock(&r->lock);
    while (c->items == NULL && !c->done)
        sp_cond_wait(&c->changed, &r->lock);
    /* After a failure what is left is of no use: the caller is to end. */
    if (c->err.code == SP_OK && (it = c->items) != NULL) {
        if ((c->items = it->next) == NULL)
            c->items_end = &c->items;
        it->next = NULL;
        drained = c->items == NULL && !c->sent && !c->done;
    }
    sp_mutex_unlock(&r->lock);
    if (drained) /* cut before: it may be asked again */
        sp_remote_wake(r);
    return it;
}

void
sp_call_item_spent(struct remote *r, struct item *it)
{
    sp_frame_clear(&it->frame);
    it->next = r->spent;
    r->spent = it;
}

void
sp_call_item_done(struct remote *r, struct item *it)
{
    sp_mutex_lock(&r->lock);
    sp_call_item_spent(r, it);
    sp_mutex_unlock(&r->lock);
    sp_remote_wake(r);
}

void
sp_call_end(struct remote *r, struct call *c)
{
    bool wake = false;

    sp_mutex_lock(&r->lock);
    if (!c->done) {
        c->ending = true;
        sp_remote_wake(r);
        while (!c->done)
            sp_cond_wait(&c->changed, &r->lock);
    }
    while (c->items != NULL) {
        struct item *it = c->items;

        c->items = it->next;
        sp_call_item_spent(r, it);
        wake = true;
    }
    sp_mutex_unlock(&r->lock);
    if (wake)
        sp_remote_wake(r);
    sp_frame_clear(&c->answer);
    sp_cond_destroy(&c->changed);
}

/* --- with the lock ---------------------------------------------------------------------------- */

struct call *
sp_call_find(struct remote *r, uint32_t tag)
{
    struct call *c = r->calls;

    while (c != NULL && !(c->sent && c->tag == tag))
        c = c->next;
    return c;
}

void
sp_call_finish(struct remote *r, struct call *c, const struct sp_err *err)
{
    struct call **at = &r->calls;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (r->calls_end == &c->next)
        r->calls_end = at;
    if (err != NULL)
        c->err = *err;
    c->done = true;
    sp_cond_signal(&c->changed);
}

void
sp_remote_fail(struct remote *r, const struct sp_err *e)
{
    if (r->failed.code != SP_OK)
        return;
    r->failed = *e;
    while (r->calls != NULL)
        sp_call_finish(r, r->calls, &r->failed);
    sp_cond_broadcast(&r->changed);
    sp_cond_broadcast(&r->room);
}
