/* Requests with one answer. See remote_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"
#include "storage/record.h"

/* Answers of such a length that several come in before the last is made. */
#define HAVE_PART 8192

enum sp_code
sp_remote_ids(const uint8_t *p, size_t bytes, struct sp_id **ret, size_t *ret_n, struct sp_err *e)
{
    struct sp_id *ids = NULL;

    if (bytes > 0) {
        if ((ids = malloc(bytes)) == NULL)
            return sp_fail_nomem(e);
        memcpy(ids, p, bytes);
    }
    *ret = ids;
    *ret_n = bytes / SP_ID_SIZE;
    return SP_OK;
}

/* A request whose answer says nothing more. */
static enum sp_code
deliver(struct sp_store *s, enum sp_msg_type type, const uint8_t *body, size_t n, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, type);
    c.body = body;
    c.body_len = n;
    rc = sp_call_run(r, &c, e);
    sp_call_end(r, &c);
    return sp_remote_done(r, rc, e);
}

enum sp_code
sp_remote_put_slot(struct sp_store *s, const uint8_t *slot, size_t n, struct sp_err *e)
{
    return deliver(s, SP_MSG_PUT_SLOT, slot, n, e);
}

enum sp_code
sp_store_remote_put_host(struct sp_store *s, const uint8_t *record, size_t n, struct sp_err *e)
{
    return deliver(s, SP_MSG_HOST_PUT, record, n, e);
}

enum sp_code
sp_remote_host(
    struct sp_store *s, const uint8_t host[16], uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_HOST);
    memcpy(c.msg.host.host, host, 16);
    if ((rc = sp_call_run(r, &c, e)) == SP_OK) {
        *ret = c.answer.payload;
        *ret_n = c.answer.payload_len;
        c.answer.payload = NULL;
    }
    sp_call_end(r, &c);
    return rc;
}

/* --- head ------------------------------------------------------------------------------------- */

static enum sp_code
copy(const uint8_t *p, size_t n, uint8_t **ret, struct sp_err *e)
{
    if ((*ret = malloc(n)) == NULL)
        return sp_fail_nomem(e);
    memcpy(*ret, p, n);
    return SP_OK;
}

/* The lengths were checked against the payload's (proto/message.h). */
static enum sp_code
take_head(const struct sp_frame *f, struct sp_store_head *h, struct sp_err *e)
{
    const uint8_t *p = f->payload;
    size_t set_len = f->msg.head_reply.set_len, checkpoint_len = f->msg.head_reply.checkpoint_len;
    enum sp_code rc = SP_OK;

    h->has_set = f->msg.head_reply.has_set;
    h->set_whole = h->has_set && f->msg.head_reply.set_whole;
    h->has_checkpoint = f->msg.head_reply.has_checkpoint;
    h->checkpoint_whole = h->has_checkpoint && f->msg.head_reply.checkpoint_whole;
    h->missing_more = f->msg.head_reply.more;
    if (h->has_set) {
        if ((rc = sp_record_hash(p, set_len, h->set_hash, e)) != SP_OK ||
            (rc = copy(p, set_len, &h->set, e)) != SP_OK)
            return rc;
        h->set_len = set_len;
    }
    if (h->has_checkpoint) {
        if ((rc = copy(p + set_len, checkpoint_len, &h->checkpoint, e)) != SP_OK)
            return rc;
        h->checkpoint_len = checkpoint_len;
    }
    if (f->payload_len > set_len + checkpoint_len)
        rc = sp_remote_ids(p + set_len + checkpoint_len, f->payload_len - set_len - checkpoint_len,
            &h->missing, &h->nmissing, e);
    return rc;
}

enum sp_code
sp_remote_head(struct sp_store *s, const char *job, struct sp_store_head *ret, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct sp_store_head h = {0};
    size_t n = strlen(job);
    struct call c;
    enum sp_code rc;

    if (n == 0 || n > SP_JOB_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a job's name has 1 to %d bytes", SP_JOB_MAX);
    sp_call_init(&c, SP_MSG_HEAD);
    memcpy(c.msg.head.job, job, n + 1);
    if ((rc = sp_call_run(r, &c, e)) == SP_OK && (rc = take_head(&c.answer, &h, e)) == SP_OK) {
        *ret = h;
        memset(&h, 0, sizeof(h));
    }
    sp_store_head_clear(&h);
    sp_call_end(r, &c);
    return sp_remote_done(r, rc, e);
}

/* --- have ------------------------------------------------------------------------------------- */

static enum sp_code
check_answers(bool nodes, const uint8_t *p, size_t n, struct sp_err *e)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] > (nodes ? SP_HAVE_MINE : SP_HAVE_MEMBERS))
            return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
                "the server broke the protocol: an answer that a Have does not have");
    return SP_OK;
}

/* All questions are on their way before the first answer is awaited. */
enum sp_code
sp_remote_have(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct call parts[(SP_IDS_MAX + HAVE_PART - 1) / HAVE_PART];
    size_t nparts = 0;
    enum sp_code rc = SP_OK;

    for (size_t at = 0; at < n && rc == SP_OK; at += HAVE_PART) {
        struct call *c = &parts[nparts++];
        size_t some = n - at < HAVE_PART ? n - at : HAVE_PART;

        sp_call_init(c, SP_MSG_HAVE);
        c->msg.have.nodes = nodes;
        c->body = ids[at].b;
        c->body_len = some * SP_ID_SIZE;
        rc = sp_call_start(r, c, e);
    }
    for (size_t i = 0; i < nparts && rc == SP_OK; i++)
        if ((rc = sp_call_wait(r, &parts[i], e)) == SP_OK)
            rc = check_answers(nodes, parts[i].answer.payload, parts[i].answer.payload_len, e);
    for (size_t i = 0; i < nparts; i++) {
        if (rc == SP_OK)
            memcpy(
                ret_answers + i * HAVE_PART, parts[i].answer.payload, parts[i].answer.payload_len);
        sp_call_end(r, &parts[i]);
    }
    return sp_remote_done(r, rc, e);
}

enum sp_code
sp_remote_missing(struct sp_store *s, const uint8_t set_id[16], struct sp_id **ret, size_t *ret_n,
    bool *ret_more, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_MISSING);
    memcpy(c.msg.missing.set_id, set_id, 16);
    if ((rc = sp_call_run(r, &c, e)) == SP_OK &&
        (rc = sp_remote_ids(c.answer.payload, c.answer.payload_len, ret, ret_n, e)) == SP_OK)
        *ret_more = c.answer.msg.missing_reply.more;
    sp_call_end(r, &c);
    return rc;
}
