/* Calls from other threads onto a loop: see channel.h. */

#include "proto/channel.h"

#include <stdlib.h>

#include "base/thread.h"

struct call {
    struct call *next;
    void (*fn)(void *arg);
    void *arg;
};

struct sp_loop_queue {
    struct sp_mutex lock;
    uv_async_t async;
    struct call *first, **end;
    bool closed;
};

/* Makes the calls that are there; those that they post come with the next turn. */
static void
make_calls(struct sp_loop_queue *q)
{
    struct call *list;

    sp_mutex_lock(&q->lock);
    list = q->first;
    q->first = NULL;
    q->end = &q->first;
    sp_mutex_unlock(&q->lock);
    while (list != NULL) {
        struct call *next = list->next;

        list->fn(list->arg);
        free(list);
        list = next;
    }
}

static void
on_async(uv_async_t *async)
{
    make_calls(async->data);
}

enum sp_code
sp_loop_queue_new(uv_loop_t *loop, struct sp_loop_queue **ret, struct sp_err *e)
{
    struct sp_loop_queue *q = calloc(1, sizeof(*q));
    int status;

    if (q == NULL)
        return sp_fail_nomem(e);
    if ((status = uv_async_init(loop, &q->async, on_async)) != 0) {
        free(q);
        return sp_fail(
            e, SP_IO, SP_DOM_SELF, "the event loop takes no calls: %s", uv_strerror(status));
    }
    q->async.data = q;
    q->end = &q->first;
    sp_mutex_init(&q->lock);
    *ret = q;
    return SP_OK;
}

bool
sp_loop_post(struct sp_loop_queue *q, void (*fn)(void *arg), void *arg)
{
    struct call *call = malloc(sizeof(*call));
    bool open;

    if (call == NULL)
        return false;
    *call = (struct call){NULL, fn, arg};
    sp_mutex_lock(&q->lock);
    open = !q->closed;
    if (open) {
        *q->end = call;
        q->end = &call->next;
        (void)uv_async_send(&q->async); /* fails only for a handle that is closed */
    }
    sp_mutex_unlock(&q->lock);
    if (!open)
        free(call);
    return open;
}

static void
on_queue_closed(uv_handle_t *handle)
{
    struct sp_loop_queue *q = handle->data;

    sp_mutex_destroy(&q->lock);
    free(q);
}

void
sp_loop_queue_close(struct sp_loop_queue *q)
{
    sp_mutex_lock(&q->lock);
    q->closed = true;
    sp_mutex_unlock(&q->lock);
    make_calls(q);
    uv_close((uv_handle_t *)&q->async, on_queue_closed);
}
