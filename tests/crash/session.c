/* A session as a server has it: see machine.h. */

#include "machine_impl.h"

struct sent { /* a block, in the order of its kind */
    struct sp_id ids[BLOCK_FILES + TREE_LEAVES + 1];
    size_t n;
};

struct session {
    struct sp_store head;
    struct sp_repository *r;
    struct cast *c;
    unsigned host;
    struct sp_upload *u;
    const struct run_events *events;
    struct sent sent[2][64];
    size_t nsent[2], told[2];
};

static void
acknowledge(struct session *s, const struct sp_upload_durable *d)
{
    uint64_t upto[2] = {d->data, d->nodes};

    if (s->events->durable == NULL)
        return;
    for (int i = 0; i < 2; i++)
        for (; s->told[i] < upto[i] && s->told[i] < s->nsent[i]; s->told[i]++)
            s->events->durable(s->events->arg, s->host, i == 1, s->sent[i][s->told[i]].ids,
                s->sent[i][s->told[i]].n);
}

static enum sp_code
session_head(struct sp_store *store, const char *job, struct sp_store_head *ret, struct sp_err *e)
{
    struct session *s = (struct session *)store;
    const struct party *p = &s->c->hosts[s->host];

    return sp_repository_head(s->r, p->host, party_group(p), job, ret, e);
}

static enum sp_code
session_have(struct sp_store *store, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e)
{
    return sp_upload_have(((struct session *)store)->u, nodes, ids, n, ret_answers, e);
}

static enum sp_code
session_put(struct sp_store *store, uint8_t *block, size_t n, struct sp_err *e)
{
    struct session *s = (struct session *)store;
    struct sp_upload_durable durable;
    struct sp_block_header h;
    enum sp_code rc = sp_block_header_parse(block, n, &h, e);

    if (rc == SP_OK) {
        int kind = h.kind == SP_BLOCK_NODES;
        struct sent *t = &s->sent[kind][s->nsent[kind]];

        assert_true(s->nsent[kind] < 64 && h.nids <= sizeof(t->ids) / sizeof(t->ids[0]));
        t->n = h.nids;
        memcpy(t->ids, h.ids, h.nids * sizeof(struct sp_id));
        if ((rc = sp_upload_put(s->u, block, n, &durable, e)) == SP_OK) {
            s->nsent[kind]++;
            acknowledge(s, &durable);
        }
    }
    free(block);
    return rc;
}

static enum sp_code
session_flush(struct sp_store *store, struct sp_err *e)
{
    struct session *s = (struct session *)store;
    struct sp_upload_durable durable;
    enum sp_code rc = sp_upload_flush(s->u, &durable, e);

    if (rc == SP_OK)
        acknowledge(s, &durable);
    return rc;
}

/* As sp_conn_run_commit. */
static enum sp_code
session_commit(struct sp_store *store, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    enum sp_code rc = session_flush(store, e);

    return rc != SP_OK ? rc
                       : sp_upload_commit(((struct session *)store)->u, type, record, n, ret, e);
}

static enum sp_code
session_complete(struct sp_store *store, const uint8_t *completion, size_t n, struct sp_err *e)
{
    return sp_upload_complete(((struct session *)store)->u, completion, n, e);
}

static enum sp_code
session_get(struct sp_store *store, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    struct session *s = (struct session *)store;
    const struct party *p = &s->c->hosts[s->host];
    const struct sp_reader_scope scope = {p->host, party_group(p)};

    return sp_repository_get(s->r, &scope, ids, n, copy, each, arg, e);
}

static void
session_free(struct sp_store *store)
{
    struct session *s = (struct session *)store;

    sp_upload_free(s->u);
    free(s);
}

static const struct sp_store_ops session_ops = {.kind = "session",
    .head = session_head,
    .have = session_have,
    .put = session_put,
    .flush = session_flush,
    .commit = session_commit,
    .complete = session_complete,
    .get = session_get,
    .free = session_free};

enum sp_code
session_new(struct sp_repository *r, struct cast *c, unsigned host, const struct run_events *events,
    struct sp_store **ret, struct sp_err *e)
{
    struct session *s = calloc(1, sizeof(*s));
    const struct party *p = &c->hosts[host];
    enum sp_code rc;

    if (s == NULL)
        abort();
    s->head.ops = &session_ops;
    s->r = r;
    s->c = c;
    s->host = host;
    s->events = events;
    if ((rc = sp_upload_new(r, p->host, party_group(p), &s->u, e)) != SP_OK) {
        free(s);
        return rc;
    }
    *ret = &s->head;
    return SP_OK;
}
