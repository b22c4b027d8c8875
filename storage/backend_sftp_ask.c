/* Asking the server: again when a connection is lost, several things at once, without waiting. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FORGOTTEN_MS 2000u

enum sp_code
sp_sftp_ask(struct sp_sftp_store *s, sp_sftp_ask_fn ask, void *arg, struct sp_err *e)
{
    struct sp_sftp_lane *lane;
    enum sp_code rc;
    bool lost;

    do {
        if ((rc = sp_sftp_lane_get(s, &lane, e)) != SP_OK)
            return rc;
        rc = ask(s, lane->c, arg, e);
        lost = rc != SP_OK && sp_sftp_lane_lost(s, lane, e);
        sp_sftp_lane_put(s, lane, !lost);
    } while (lost);
    return rc;
}

/* --- several requests at once ---------------------------------------------------------------- */

struct many {
    struct sp_sftp_conn *c;
    size_t left;
};

static void
one_done(struct sp_sftp_request *q)
{
    struct many *m = q->arg;

    if (--m->left == 0)
        sp_sftp_conn_wake(m->c);
}

void
sp_sftp_call_all(struct sp_sftp_conn *c, struct sp_sftp_request *q, size_t n)
{
    struct many m = {c, n};

    sp_sftp_conn_lock(c);
    for (size_t i = 0; i < n; i++) {
        q[i].done = one_done;
        q[i].arg = &m;
        sp_sftp_conn_submit(c, &q[i]);
    }
    while (m.left > 0)
        sp_sftp_conn_wait(c);
    sp_sftp_conn_unlock(c);
}

/* A request that nobody waits for. */
struct forgotten {
    struct sp_sftp_request q;
    struct sp_sftp_store *s;
    char path[];
};

static void
forgotten_done(struct sp_sftp_request *q)
{
    struct forgotten *f = q->arg;

    atomic_fetch_sub(&f->s->forgotten, 1);
    free(f);
}

static void
forget(struct sp_sftp_store *s, struct sp_sftp_conn *c, struct forgotten *f)
{
    atomic_fetch_add(&s->forgotten, 1);
    f->s = s;
    f->q.arg = f;
    f->q.done = forgotten_done;
    sp_sftp_conn_lock(c);
    sp_sftp_conn_submit(c, &f->q);
    sp_sftp_conn_unlock(c);
}

void
sp_sftp_forget_path(
    struct sp_sftp_store *s, struct sp_sftp_conn *c, enum sp_sftp_type type, const char *path)
{
    size_t n = strlen(path) + 1;
    struct forgotten *f = calloc(1, sizeof(*f) + n);

    if (f == NULL)
        return;
    memcpy(f->path, path, n);
    f->q.type = type;
    f->q.path = f->path;
    f->q.mode = 0700;
    forget(s, c, f);
}

void
sp_sftp_drop(struct sp_sftp_store *s, const char *path)
{
    struct sp_sftp_lane *lane;

    if (!sp_sftp_removes(s) || (lane = sp_sftp_lane_living(s)) == NULL)
        return;
    sp_sftp_forget_path(s, lane->c, SP_SFTP_REMOVE, path);
    sp_sftp_lane_put(s, lane, false);
}

void
sp_sftp_forget_handle(
    struct sp_sftp_store *s, struct sp_sftp_conn *c, const uint8_t *handle, size_t n)
{
    struct forgotten *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return; /* it is closed with the connection */
    f->q.type = SP_SFTP_CLOSE;
    memcpy(f->q.handle, handle, n);
    f->q.handle_len = n;
    forget(s, c, f);
}

void
sp_sftp_await_forgotten(struct sp_sftp_store *s)
{
    for (unsigned i = 0; i < FORGOTTEN_MS / 10 && atomic_load(&s->forgotten) > 0; i++)
        sp_sleep_ms(10);
}
