/* Reads, in the connection's thread: OPEN; then every READ at once, up to a number that keeps the
 * link full; CLOSE, for which nobody waits. What a server gives less than was asked for is asked
 * for again from where it ended. */

#include "storage/sftp_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static void
submit(struct sp_sftp_job *j, struct sp_sftp_request *q)
{
    j->under_way++;
    sp_sftp_conn_submit(j->c, q);
}

static void
failed(struct sp_sftp_job *j, const struct sp_err *why)
{
    if (j->error.code == SP_OK)
        j->error = *why;
}

static void
shorter(struct sp_sftp_job *j, uint64_t at)
{
    struct sp_buf path = SP_BUF_INIT;
    struct sp_err e = {0};

    sp_path_show(j->path, strlen(j->path), &path);
    sp_fail(&e, SP_CORRUPT, SP_DOM_STORE,
        "%.300s is shorter than expected: it ends at %llu, of %llu", sp_buf_str(&path),
        (unsigned long long)(j->offset + at), (unsigned long long)(j->offset + j->n));
    sp_buf_free(&path);
    failed(j, &e);
}

static void
longer(struct sp_sftp_job *j)
{
    struct sp_buf path = SP_BUF_INIT;
    struct sp_err e = {0};

    sp_path_show(j->path, strlen(j->path), &path);
    sp_fail(&e, SP_CORRUPT, SP_DOM_STORE, "%.300s is longer than the %zu bytes that it may have",
        sp_buf_str(&path), j->limit);
    sp_buf_free(&path);
    failed(j, &e);
}

static void
close_done(struct sp_sftp_request *q)
{
    struct sp_sftp_job *j = q->arg;

    j->closing = false; /* whether reading's close succeeds changes nothing */
    if (j->waited)
        sp_sftp_job_free(j);
}

/* After an answer: the job is over when none is under way. */
static void
settle(struct sp_sftp_job *j)
{
    if (j->under_way > 0)
        return;
    j->over = true;
    if (j->open.handle_len > 0) {
        memcpy(j->close.handle, j->open.handle, j->open.handle_len);
        j->close.handle_len = j->open.handle_len;
        j->closing = true;
        sp_sftp_conn_submit(j->c, &j->close);
    }
    sp_sftp_conn_wake(j->c);
}

static void
ask(struct sp_sftp_job *j, struct job_piece *p, size_t at, size_t n)
{
    size_t most = sp_sftp_read_max(sp_sftp_conn_session(j->c));

    memcpy(p->q.handle, j->open.handle, j->open.handle_len);
    p->q.handle_len = j->open.handle_len;
    p->q.offset = j->offset + at;
    p->q.to = j->to + at;
    p->q.n = n < most ? n : most;
    submit(j, &p->q);
}

/* The next part that nobody asked for. */
static void
ask_next(struct sp_sftp_job *j, struct job_piece *p)
{
    size_t most = sp_sftp_read_max(sp_sftp_conn_session(j->c)), at = j->next;
    size_t n = j->n - at < most ? j->n - at : most;

    if (n == 0 || j->error.code != SP_OK)
        return;
    j->next += n;
    ask(j, p, at, n);
}

/* Of a file whose size nobody says: on and on, to its end. */
static void
grow(struct sp_sftp_job *j, struct job_piece *p, size_t have)
{
    if (have > j->limit) {
        longer(j);
        return;
    }
    if (have == j->n) {
        size_t n = j->n > j->limit / 2 ? j->limit + 1 : j->n * 2;
        uint8_t *more = realloc(j->bytes, n);

        if (more == NULL) {
            struct sp_err e = {0};

            sp_fail_nomem(&e);
            failed(j, &e);
            return;
        }
        j->bytes = j->to = more;
        j->n = n;
    }
    j->next = have;
    ask(j, p, have, j->n - have);
}

static void
read_done(struct sp_sftp_request *q)
{
    struct job_piece *p = (struct job_piece *)(void *)q;
    struct sp_sftp_job *j = p->job;
    size_t at = (size_t)(q->offset - j->offset), have = at + q->got;

    j->under_way--;
    if (q->error.code != SP_OK)
        failed(j, &q->error);
    else if (j->error.code != SP_OK)
        ; /* it is over anyway */
    else if (j->whole && !j->sized && q->got == 0)
        j->n = j->next = at; /* its end */
    else if (j->whole && !j->sized)
        grow(j, p, have);
    else if (q->got == 0)
        shorter(j, at);
    else if (q->got < q->n)
        ask(j, p, have, q->n - q->got);
    else
        ask_next(j, p);
    settle(j);
}

static void
ask_all(struct sp_sftp_job *j)
{
    for (size_t i = 0; i < j->npieces; i++)
        ask_next(j, &j->pieces[i]);
}

/* Both answers are here: the size, and the first bytes. */
static void
begin_whole(struct sp_sftp_job *j)
{
    struct job_piece *first = &j->pieces[0];
    size_t have = first->q.got, size;
    uint8_t *bytes;

    if (j->error.code != SP_OK)
        return;
    if (!j->stat.attrs.has_size) {
        if (have > 0)
            grow(j, first, have);
        else
            j->n = 0;
        return;
    }
    if (j->stat.attrs.size > j->limit) {
        longer(j);
        return;
    }
    size = (size_t)j->stat.attrs.size;
    if (have >= size) {
        j->n = size; /* more than it said: it is what it said */
        return;
    }
    if ((bytes = realloc(j->bytes, size)) == NULL) {
        struct sp_err e = {0};

        sp_fail_nomem(&e);
        failed(j, &e);
        return;
    }
    j->bytes = j->to = bytes;
    j->sized = true;
    j->n = size;
    j->next = have;
    if (have == 0)
        shorter(j, 0);
    ask_all(j);
}

static void
first_done(struct sp_sftp_request *q)
{
    struct sp_sftp_job *j = q->arg;

    j->under_way--;
    if (q->error.code != SP_OK)
        failed(j, &q->error);
    if (j->under_way > 0)
        return;
    j->pieces[0].q.done = read_done;
    begin_whole(j);
    settle(j);
}

static void
open_done(struct sp_sftp_request *q)
{
    struct sp_sftp_job *j = q->arg;

    j->under_way--;
    if (q->error.code != SP_OK) {
        q->handle_len = 0;
        failed(j, &q->error);
    } else if (j->whole) {
        memcpy(j->stat.handle, q->handle, q->handle_len);
        j->stat.handle_len = q->handle_len;
        submit(j, &j->stat);
        j->pieces[0].q.done = first_done;
        ask(j, &j->pieces[0], 0, j->n);
    } else {
        ask_all(j);
    }
    settle(j);
}

void
sp_sftp_job_begin(struct sp_sftp_job *j)
{
    j->open = (struct sp_sftp_request){.type = SP_SFTP_OPEN,
        .path = j->path,
        .flags = SP_SFTP_F_READ,
        .done = open_done,
        .arg = j};
    j->stat = (struct sp_sftp_request){
        .type = SP_SFTP_FSTAT, .path = j->path, .done = first_done, .arg = j};
    j->close = (struct sp_sftp_request){
        .type = SP_SFTP_CLOSE, .path = j->path, .done = close_done, .arg = j};
    for (size_t i = 0; i < j->npieces; i++) {
        j->pieces[i].job = j;
        j->pieces[i].q = (struct sp_sftp_request){
            .type = SP_SFTP_READ, .path = j->path, .done = read_done, .arg = j};
    }
    submit(j, &j->open);
}
