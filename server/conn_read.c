/* What a host may read: its own records and sets, key slots and host records of its group, blocks
 * in packs of its group. Who asks is known by the certificate alone (R23); nothing here looks at a
 * host or group that a message names without comparing it. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/conn.h"
#include "storage/keys.h"
#include "storage/record.h"

/* --- on worker threads
 * ------------------------------------------------------------------------------ */

static enum sp_code
head(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_store_head h;
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    rc = sp_repository_head(c->server->repository, c->host, c->group, j->msg.head.job, &h, e);
    if (rc != SP_OK)
        return rc;
    j->reply.type = SP_MSG_HEAD_REPLY;
    j->reply.head_reply.has_set = h.has_set;
    j->reply.head_reply.set_whole = h.has_set && h.set_whole;
    j->reply.head_reply.set_len = (uint32_t)h.set_len;
    j->reply.head_reply.has_checkpoint = h.has_checkpoint;
    j->reply.head_reply.checkpoint_whole = h.has_checkpoint && h.checkpoint_whole;
    j->reply.head_reply.checkpoint_len = (uint32_t)h.checkpoint_len;
    j->reply.head_reply.more = h.missing_more;
    sp_buf_reserve(&b, h.set_len + h.checkpoint_len + h.nmissing * sizeof(struct sp_id));
    sp_buf_put(&b, h.set, h.set_len);
    sp_buf_put(&b, h.checkpoint, h.checkpoint_len);
    sp_buf_put(&b, h.missing, h.nmissing * sizeof(struct sp_id));
    sp_store_head_clear(&h);
    rc = sp_buf_take(&b, &j->reply_payload, &j->reply_n, e);
    sp_buf_free(&b);
    return rc;
}

struct set_search {
    const uint8_t *set_id;
    bool found;
    struct sp_id root;
};

static enum sp_code
look_at_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct set_search *s = arg;
    struct sp_set set;
    enum sp_code rc;

    if (memcmp(i->set_id, s->set_id, sizeof(i->set_id)) != 0)
        return SP_OK;
    if ((rc = sp_set_record_decode(i->record, i->record_len, &set, e)) != SP_OK)
        return rc;
    s->root = set.root;
    s->found = true;
    return sp_fail(e, SP_CANCELLED, SP_DOM_NONE, "found"); /* no need to see the others */
}

static enum sp_code
missing(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    const struct sp_reader_scope scope = {c->host, c->group};
    struct set_search s = {.set_id = j->msg.missing.set_id};
    struct sp_id *ids = NULL;
    size_t n = 0, lost;
    bool more = false;
    enum sp_code rc;

    rc = sp_repository_list(c->server->repository, c->host, true, look_at_set, &s, e);
    if (rc != SP_OK && !s.found)
        return rc;
    if (!s.found)
        return sp_fail(
            e, SP_ABSENT, SP_DOM_STORE, "there is no set %s", sp_hex16(j->msg.missing.set_id).s);
    sp_err_clear(e);
    if ((rc = sp_repository_refresh(c->server->repository, &lost, e)) != SP_OK ||
        (rc = sp_repository_closure(c->server->repository, &scope, &s.root, &ids, &n, &more, e)) !=
            SP_OK)
        return rc;
    j->reply.type = SP_MSG_MISSING_REPLY;
    j->reply.missing_reply.more = more;
    j->reply_payload = (uint8_t *)ids;
    j->reply_n = n * sizeof(struct sp_id);
    return SP_OK;
}

static enum sp_code
host_record(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_host h;
    struct sp_err bad = {0};
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    rc = sp_repository_host(c->server->repository, j->msg.host.host, &p, &n, e);
    if (rc == SP_OK && (sp_host_decode(p, n, NULL, &h, &bad) != SP_OK ||
                           memcmp(h.group, c->group, sizeof(c->group)) != 0)) {
        free(p);
        rc = SP_ABSENT;
    }
    if (rc == SP_ABSENT)
        return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no host %s in this key group",
            sp_hex16(j->msg.host.host).s);
    if (rc != SP_OK)
        return rc;
    j->reply.type = SP_MSG_HOST_REPLY;
    j->reply_payload = p;
    j->reply_n = n;
    return SP_OK;
}

enum sp_code
sp_conn_run_read(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    switch (j->type) {
    case SP_MSG_HEAD:
        return head(c, j, e);
    case SP_MSG_MISSING:
        return missing(c, j, e);
    default:
        return host_record(c, j, e);
    }
}

/* --- streams
 * ---------------------------------------------------------------------------------------- */

struct streaming {
    struct sp_conn *c;
    uint32_t tag;
};

static enum sp_code
send_copy(struct streaming *s, const struct sp_msg *m, const void *p, size_t n, struct sp_err *e)
{
    uint8_t *copy = NULL;

    if (n > 0) {
        if ((copy = malloc(n)) == NULL)
            return sp_fail_nomem(e);
        memcpy(copy, p, n);
    }
    return sp_stream_send(s->c, m, copy, n, e);
}

static enum sp_code
send_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct streaming *s = arg;
    struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = s->tag};
    uint8_t *p = malloc(nwanted * 4 + n);

    if (p == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < nwanted; i++)
        sp_store_le32(p + 4 * i, wanted[i]);
    memcpy(p + 4 * nwanted, block, n);
    m.block.wanted = (uint32_t)nwanted;
    return sp_stream_send(s->c, &m, p, nwanted * 4 + n, e);
}

static enum sp_code
get(struct streaming *s, const struct conn_job *j, struct sp_err *e)
{
    const struct sp_reader_scope scope = {s->c->host, s->c->group};

    return sp_repository_get(s->c->server->repository, &scope, (const struct sp_id *)j->payload,
        j->n / sizeof(struct sp_id), j->msg.get.copy, send_block, s, e);
}

static enum sp_code
send_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct streaming *s = arg;
    struct sp_msg m = {.type = SP_MSG_LIST_ITEM, .tag = s->tag};

    enum sp_code rc;

    m.list_item.published_ns = i->published_ns;
    memcpy(m.list_item.host, i->host, sizeof(m.list_item.host));
    memcpy(m.list_item.set_id, i->set_id, sizeof(m.list_item.set_id));
    if (i->completion != NULL && s->c->completions) {
        m.list_item.type = SP_RECORD_COMPLETION;
        if ((rc = send_copy(s, &m, i->completion, i->completion_len, e)) != SP_OK)
            return rc;
    }
    m.list_item.type = (uint32_t)i->type;
    return send_copy(s, &m, i->record, i->record_len, e);
}

static enum sp_code
send_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct streaming *s = arg;
    struct sp_msg m = {.type = SP_MSG_SLOT, .tag = s->tag};

    return send_copy(s, &m, slot, n, e);
}

static enum sp_code
slots(struct streaming *s, const struct conn_job *j, struct sp_err *e)
{
    if (j->msg.slots.has_group && memcmp(j->msg.slots.group, s->c->group, 16) != 0)
        return sp_fail(
            e, SP_DENIED, SP_DOM_STORE, "a host sees the key slots of its own key group only");
    return sp_repository_slots(s->c->server->repository, s->c->group, send_slot, s, e);
}

static enum sp_code
send_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    struct streaming *s = arg;
    struct sp_msg m = {.type = SP_MSG_FINDING, .tag = s->tag};
    size_t n = f->nids < SP_IDS_MAX ? f->nids : SP_IDS_MAX;

    _Static_assert(sizeof(m.finding.object) == sizeof(f->object), "names of the same length");
    _Static_assert(sizeof(m.finding.text) == sizeof(f->text), "sentences of the same length");
    m.finding.severity = f->severity == SP_FINDING_FAULT;
    memcpy(m.finding.object, f->object, sizeof(m.finding.object));
    memcpy(m.finding.text, f->text, sizeof(m.finding.text));
    memcpy(m.finding.set_id, f->set_id, sizeof(m.finding.set_id));
    return send_copy(s, &m, f->ids, n * sizeof(struct sp_id), e);
}

/* A check reads much and remembers much: one at a time in the whole server. */
static enum sp_code
enter_check(struct sp_conn *c, struct sp_err *e)
{
    struct sp_server *s = c->server;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&s->check_lock);
    while (s->checking && !sp_stream_cancelled(c))
        (void)sp_cond_wait_ms(&s->check_free, &s->check_lock, 200);
    if (sp_stream_cancelled(c))
        rc = sp_fail(e, SP_CANCELLED, SP_DOM_NET, "ended early, as it was asked");
    else
        s->checking = true;
    sp_mutex_unlock(&s->check_lock);
    return rc;
}

/* The client went, or the server stops. */
static bool
stop_check(void *arg)
{
    return sp_stream_cancelled(arg);
}

static enum sp_code
check(struct streaming *s, struct conn_job *j, struct sp_err *e)
{
    const struct sp_check_options o = {.depth = (enum sp_check_depth)j->msg.check.depth,
        .part = j->msg.check.part,
        .parts = j->msg.check.parts,
        .stop = stop_check,
        .arg = s->c};
    struct sp_server *server = s->c->server;
    struct sp_check_totals t;
    enum sp_code rc;

    memset(&t, 0, sizeof(t));
    if ((rc = enter_check(s->c, e)) != SP_OK)
        return rc;
    rc = sp_repository_check(server->repository, s->c->host, &o, send_finding, s, &t, e);
    sp_mutex_lock(&server->check_lock);
    server->checking = false;
    sp_cond_broadcast(&server->check_free);
    sp_mutex_unlock(&server->check_lock);
    j->reply.type = SP_MSG_CHECK_DONE;
    j->reply.check_done.objects = t.objects;
    j->reply.check_done.packs = t.packs;
    j->reply.check_done.packs_read = t.packs_read;
    j->reply.check_done.bytes_read = t.bytes_read;
    j->reply.check_done.sets = t.sets;
    j->reply.check_done.chunks = t.chunks;
    j->reply.check_done.faults = t.faults;
    return rc;
}

enum sp_code
sp_conn_run_stream(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct streaming s = {c, j->msg.tag};

    j->reply.type = SP_MSG_DONE;
    switch (j->type) {
    case SP_MSG_GET:
        return get(&s, j, e);
    case SP_MSG_LIST:
        /* A host sees its own sets and no other's, whether it asked for all or not. */
        return sp_repository_list(
            c->server->repository, c->host, j->msg.list.checkpoints, send_set, &s, e);
    case SP_MSG_SLOTS:
        return slots(&s, j, e);
    default:
        return check(&s, j, e);
    }
}
