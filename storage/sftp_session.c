#include "storage/sftp_session_impl.h"

#include <stdlib.h>
#include <string.h>

enum sp_code
sp_sftp_session_new(struct sp_sftp_session **ret, struct sp_err *e)
{
    struct sp_sftp_session *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return sp_fail_nomem(e);
    /* One packet beyond what is encoded ahead, with two paths: never grown, so that a view stays.
     */
    if (!sp_buf_reserve(&s->out, SESSION_HEADERS + 2 * SESSION_PATH_MAX + 1024)) {
        free(s);
        return sp_fail_nomem(e);
    }
    s->read_max = s->write_max = SESSION_LEAST;
    s->limits_id = 1; /* the slots' ids begin further up */
    s->waiting_end = &s->waiting;
    s->first = s->last = SESSION_NONE;
    for (size_t i = 0; i < SESSION_SLOTS; i++)
        s->slots[i].next = (uint16_t)(i + 1 < SESSION_SLOTS ? i + 1 : SESSION_NONE);
    sp_sftp_put_init(&s->out);
    *ret = s;
    return SP_OK;
}

void
sp_sftp_session_free(struct sp_sftp_session *s)
{
    if (s == NULL)
        return;
    sp_buf_free(&s->out);
    sp_buf_free(&s->in);
    free(s);
}

static void
fail_request(struct sp_sftp_request *q, const struct sp_err *why)
{
    q->error = *why;
    q->got = 0;
    q->done(q);
}

static bool
too_long(const char *path)
{
    return path == NULL || strlen(path) > SESSION_PATH_MAX;
}

static bool
fits(const struct sp_sftp_request *q)
{
    switch (q->type) {
    case SP_SFTP_READ:
    case SP_SFTP_WRITE:
        return q->handle_len <= SP_SFTP_HANDLE_MAX && q->n > 0 && q->n <= SESSION_IO_MAX;
    case SP_SFTP_CLOSE:
    case SP_SFTP_FSTAT:
    case SP_SFTP_READDIR:
    case SP_SFTP_FSYNC:
        return q->handle_len <= SP_SFTP_HANDLE_MAX;
    case SP_SFTP_RENAME:
        return !too_long(q->path) && !too_long(q->path2);
    case SP_SFTP_OPEN:
    case SP_SFTP_LSTAT:
    case SP_SFTP_STAT:
    case SP_SFTP_OPENDIR:
    case SP_SFTP_REMOVE:
    case SP_SFTP_MKDIR:
    case SP_SFTP_RMDIR:
    case SP_SFTP_REALPATH:
    case SP_SFTP_STATVFS:
        return !too_long(q->path);
    case SP_SFTP_TYPES:
        break;
    }
    return false;
}

void
sp_sftp_submit(struct sp_sftp_session *s, struct sp_sftp_request *q)
{
    sp_err_clear(&q->error);
    q->status = 0;
    q->got = 0;
    q->next = NULL;
    if (s->state == SESSION_ENDED) {
        fail_request(q, &s->why);
    } else if (!fits(q)) {
        sp_fail(&q->error, SP_INVALID, SP_DOM_SELF,
            "a request to the SFTP server is over its limit: a path of more than %d bytes?",
            SESSION_PATH_MAX);
        q->done(q);
    } else {
        *s->waiting_end = q;
        s->waiting_end = &q->next;
        s->nwaiting++;
    }
}

/* --- out ------------------------------------------------------------------------------------ */

static void
take_slot(struct sp_sftp_session *s, struct sp_sftp_request *q)
{
    uint16_t i = s->free;
    struct session_slot *slot = &s->slots[i];

    s->free = slot->next;
    slot->q = q;
    slot->used++;
    slot->prev = s->last;
    slot->next = SESSION_NONE;
    if (s->last == SESSION_NONE)
        s->first = i;
    else
        s->slots[s->last].next = i;
    s->last = i;
    s->nslots++;
    q->id = slot->used << SESSION_SLOTS_LOG2 | i;
}

static void
give_slot(struct sp_sftp_session *s, uint16_t i)
{
    struct session_slot *slot = &s->slots[i];

    *(slot->prev == SESSION_NONE ? &s->first : &s->slots[slot->prev].next) = slot->next;
    *(slot->next == SESSION_NONE ? &s->last : &s->slots[slot->next].prev) = slot->prev;
    slot->q = NULL;
    slot->next = s->free;
    s->free = i;
    s->nslots--;
}

void
sp_sftp_session_done(struct sp_sftp_session *s, struct sp_sftp_request *q)
{
    give_slot(s, (uint16_t)(q->id % SESSION_SLOTS));
    q->done(q);
}

static void
encode_waiting(struct sp_sftp_session *s)
{
    struct sp_sftp_request *q;

    sp_buf_reset(&s->out);
    s->out_sent = 0;
    while (s->payload == NULL && (q = s->waiting) != NULL && s->free != SESSION_NONE &&
           s->out.len < SESSION_HEADERS) {
        if ((s->waiting = q->next) == NULL)
            s->waiting_end = &s->waiting;
        q->next = NULL;
        s->nwaiting--;
        take_slot(s, q);
        sp_sftp_put_request(&s->out, q);
        q->sent = s->sent + s->out.len; /* where in the stream its packet ends */
        if (q->type == SP_SFTP_WRITE) {
            q->sent += q->n;
            s->payload = q;
            s->payload_sent = 0;
        }
    }
}

struct sp_span
sp_sftp_take(struct sp_sftp_session *s)
{
    struct sp_span view = {NULL, 0};

    if (s->state == SESSION_ENDED)
        return view;
    if (s->out_sent == s->out.len && s->payload == NULL && s->state == SESSION_READY)
        encode_waiting(s);
    if (s->out_sent < s->out.len) {
        view.p = s->out.data + s->out_sent;
        view.n = s->out.len - s->out_sent;
    } else if (s->payload != NULL) {
        view.p = (const uint8_t *)s->payload->from + s->payload_sent;
        view.n = s->payload->n - s->payload_sent;
    }
    s->lent = view.n > 0;
    return view;
}

void
sp_sftp_sent(struct sp_sftp_session *s, size_t n)
{
    struct sp_sftp_request *late = s->deferred;

    s->lent = false;
    s->deferred = NULL;
    s->sent += n;
    if (late != NULL)
        fail_request(late, &s->why);
    if (s->state == SESSION_ENDED)
        return;
    if (s->out_sent < s->out.len) {
        s->out_sent += n;
    } else if (s->payload != NULL) {
        s->payload_sent += n;
        if (s->payload_sent == s->payload->n)
            s->payload = NULL;
    }
}

/* --- the end -------------------------------------------------------------------------------- */

void
sp_sftp_session_end(struct sp_sftp_session *s, const struct sp_err *why)
{
    bool lent = s->lent && s->out_sent == s->out.len; /* of the payload, that is */
    struct sp_sftp_request *q, *payload = s->payload;

    if (s->state == SESSION_ENDED)
        return;
    s->state = SESSION_ENDED;
    s->why = *why;
    s->payload = s->data = NULL;
    while (s->first != SESSION_NONE) {
        q = s->slots[s->first].q;
        give_slot(s, s->first);
        if (lent && q == payload)
            s->deferred = q;
        else
            fail_request(q, &s->why);
    }
    while ((q = s->waiting) != NULL) {
        s->waiting = q->next;
        s->nwaiting--;
        fail_request(q, &s->why);
    }
    s->waiting_end = &s->waiting;
}

const struct sp_err *
sp_sftp_session_ended(const struct sp_sftp_session *s)
{
    return s->state == SESSION_ENDED ? &s->why : NULL;
}

bool
sp_sftp_ready(const struct sp_sftp_session *s)
{
    return s->state == SESSION_READY;
}

size_t
sp_sftp_under_way(const struct sp_sftp_session *s)
{
    return s->nwaiting + s->nslots + (s->deferred != NULL);
}

bool
sp_sftp_offers(const struct sp_sftp_session *s, enum sp_sftp_type type)
{
    return s->offers[type];
}

size_t
sp_sftp_read_max(const struct sp_sftp_session *s)
{
    return s->read_max;
}

size_t
sp_sftp_write_max(const struct sp_sftp_session *s)
{
    return s->write_max;
}

size_t
sp_sftp_handles_max(const struct sp_sftp_session *s)
{
    return s->handles_max;
}
