#include "server/work.h"

#include <stdlib.h>

struct work {
    uv_work_t req;
    void (*run)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void
on_run(uv_work_t *req)
{
    struct work *w = req->data;

    w->run(w->arg);
}

static void
on_done(uv_work_t *req, int status)
{
    struct work *w = req->data;

    (void)status; /* nothing is ever cancelled */
    w->done(w->arg);
    free(w);
}

bool
sp_work(uv_loop_t *loop, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
    struct work *w = malloc(sizeof(*w));

    if (w == NULL)
        return false;
    w->req.data = w;
    w->run = run;
    w->done = done;
    w->arg = arg;
    if (uv_queue_work(loop, &w->req, on_run, on_done) != 0) {
        free(w);
        return false;
    }
    return true;
}
